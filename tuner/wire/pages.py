"""Page tokens (AIP-158): opaque, and bound to the request that they continue."""

from __future__ import annotations

import base64
import binascii
import hashlib

from tuner.errors import TunerError, invalid

DEFAULT_PAGE = 100
MAX_PAGE = 1000
MAX_DIGITS = 18
"""Digits of a position: what a database counts to."""


def page_size(asked: int) -> int:
    """Returns how many to give: the default where 0 is asked, never more than the maximum.

    Raises:
        TunerError: INVALID_ARGUMENT where it is negative.
    """
    if asked < 0:
        raise invalid("page_size", f"{asked} is negative; give 0 for the default, or more")
    return min(asked or DEFAULT_PAGE, MAX_PAGE)


def make_token(key: str, *request: str) -> str:
    """Returns the token for what comes after the key, in the answer to this request."""
    return base64.urlsafe_b64encode(f"{_bound(request)}:{key}".encode()).decode()


def read_token(token: str, *request: str) -> str | None:
    """Returns the key to go on after; None where there is no token.

    Raises:
        TunerError: INVALID_ARGUMENT where it isn't a token of this request.
    """
    if not token:
        return None
    try:
        bound, _, key = (
            base64.b64decode(token, altchars=b"-_", validate=True).decode().partition(":")
        )
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise _bad_token() from error
    # Whoever forges a token gets no further than with one that is real: keys are judged, too.
    if bound != _bound(request) or not key.isprintable():
        raise _bad_token()
    return key


def read_position(token: str, *request: str) -> int:
    """Returns the position to go on after; 0 where there is no token. Raises as read_token."""
    key = read_token(token, *request)
    if key is None:
        return 0
    if not (key.isascii() and key.isdigit() and len(key) <= MAX_DIGITS):
        raise _bad_token()
    return int(key)


def _bound(request: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(request).encode()).hexdigest()[:16]


def _bad_token() -> TunerError:
    return invalid(
        "page_token",
        "is not a token of this request; repeat the request whose answer gave it, or leave it out",
        "INVALID_PAGE_TOKEN",
    )
