"""Tokens: made, hashed, kept in a file that only its owner reads."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

TOKEN_VARIABLE = "TUNER_TOKEN"


def new_secret() -> str:
    """Returns 256 random bits as text."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """Returns the SHA-256 that is stored in the secret's place."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(secret: str, expected_hash: str) -> bool:
    """Tells, in constant time, whether the secret has that hash; an empty hash matches nothing."""
    return bool(expected_hash) and hmac.compare_digest(hashed(secret), expected_hash)


def client_token(path: Path) -> str:
    """Returns the token that clients must show.

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
