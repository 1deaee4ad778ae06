"""Secrets: made, hashed, compared, and the root token in a file that only its owner reads."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from tuner.access import API_TOKEN

TOKEN_VARIABLE = "TUNER_TOKEN"

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_ID_LENGTH = 10
_TOKEN = re.compile(rf"{API_TOKEN}([a-z2-7]{{{_ID_LENGTH}}})_[A-Za-z0-9_-]{{43}}")


def new_secret() -> str:
    """Returns 256 random bits as text."""
    return secrets.token_urlsafe(32)


def random_letters(count: int) -> str:
    """Returns so many random letters and digits, 5 bits each, for ids, which are no secret."""
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def new_token() -> tuple[str, str]:
    """Returns a new token's id, which is no secret, and its secret: "tnr_ID_" and 256 bits."""
    token_id = random_letters(_ID_LENGTH)
    return token_id, f"{API_TOKEN}{token_id}_{new_secret()}"


def token_id(secret: str) -> str | None:
    """Returns the id in a token's secret; None where it hasn't the form of one."""
    match = _TOKEN.fullmatch(secret)
    return None if match is None else match[1]


def hashed(secret: str) -> str:
    """Returns the SHA-256 that is stored in the secret's place.

    A plain hash will do: what has 256 random bits can't be guessed, however fast the guesses.
    """
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def matches(secret: str, expected_hash: str) -> bool:
    """Tells, in constant time, whether the secret has that hash; an empty hash matches nothing."""
    return bool(expected_hash) and hmac.compare_digest(hashed(secret), expected_hash)


def client_token(path: Path) -> str:
    """Returns the root token, which may do everything.

    TUNER_TOKEN, where set, is it. Else it is read from the file, which is made
    with a random token, readable by its owner alone, where there is none.

    Raises:
        ValueError: The file is empty.
    """
    if token := os.environ.get(TOKEN_VARIABLE, "").strip():
        return token
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        token = path.read_text(encoding="utf-8").strip()
        if not token:
            raise ValueError(
                f"{path} is empty; put a token into it, or remove it to have one made"
            ) from None
        return token
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        token = new_secret()
        file.write(token + "\n")
    return token
