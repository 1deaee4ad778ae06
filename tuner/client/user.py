"""Who submits: the user's name as this machine knows it."""

from __future__ import annotations

import getpass
import os


def user_name() -> str:
    """Returns the name that the user goes by here, so that jobs have an owner.

    It proves nothing. A user without a name, as in a container that runs under
    a bare number, goes by that number ("uid-1234"); where there is none
    either, the name is empty.
    """
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # Python 3.13 raises OSError, earlier ones what looking the name up raised.
        return f"uid-{os.getuid()}" if hasattr(os, "getuid") else ""
