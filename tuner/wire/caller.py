"""Who makes a call, as its metadata: the token that proves it, and the user's name."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, unquote

ANONYMOUS = "anonymous"
"""Who asks where no name, or none that can be shown, comes with a call."""

MAX_NAME = 100
"""The most characters of a user's name."""

_TOKEN_KEY = "authorization"
_USER_KEY = "tuner-user"

Metadata = Iterable[tuple[str, str | bytes]]


def caller_to_wire(token: str, user: str) -> tuple[tuple[str, str], ...]:
    """Returns the metadata of a call.

    Args:
        token: What proves who asks; empty for none.
        user: The user's name; empty for none. Not proved by anything.
    """
    metadata = []
    if token:
        metadata.append((_TOKEN_KEY, f"Bearer {token}"))
    if user:
        # Metadata holds printable ASCII alone; a name may hold bytes that are no text at all.
        name = quote(user[:MAX_NAME], safe=" @.:+\\/", errors="replace")
        metadata.append((_USER_KEY, name))
    return tuple(metadata)


def token_from_wire(metadata: Metadata | None) -> str:
    """Returns the token that came with a call; empty where none did."""
    for key, value in metadata or ():
        if key == _TOKEN_KEY and isinstance(value, str):
            scheme, _, token = value.partition(" ")
            if scheme.lower() == "bearer":
                return token.strip()
    return ""


def user_from_wire(metadata: Metadata | None) -> str:
    """Returns the name of the user who makes a call, or ANONYMOUS."""
    for key, value in metadata or ():
        if key == _USER_KEY and isinstance(value, str):
            name = unquote(value).strip()
            if len(name) <= MAX_NAME and name.isprintable() and name:
                return name
    return ANONYMOUS
