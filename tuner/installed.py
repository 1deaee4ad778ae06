"""What is not installed, told before anything is begun that needs it."""

from __future__ import annotations

import importlib.util

from tuner.errors import Status, TunerError


def lacking(*packages: str) -> list[str]:
    """Returns those of the packages that can't be imported here."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def require(who: str, remedy: str, *packages: str) -> None:
    """Judges whether packages are there.

    Args:
        who: What needs them, with its verb, such as "pictures need".
        remedy: What to do about it.
        packages: By the names that they are imported by.

    Raises:
        TunerError: FAILED_PRECONDITION; it names those that are lacking.
    """
    if missing := lacking(*packages):
        raise not_installed(f"{who} {', '.join(missing)}: {remedy}")


def not_installed(message: str) -> TunerError:
    """Returns the error for what is not installed."""
    return TunerError(Status.FAILED_PRECONDITION, "NOT_INSTALLED", message)
