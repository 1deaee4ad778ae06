"""Tokens, what they may do, and the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.coordinator.store.sqlbase import SqlPart
from tuner.access import AuditEntry, Token


class Access(Protocol):
    """The store's tokens and audit log. Every call may raise UnavailableError."""

    def create_token(self, token: Token, secret_hash: str) -> Token:
        """Keeps a token under the hash of its secret. Raises AlreadyExistsError."""
        ...

    def token_of(self, secret_hash: str) -> Token | None:
        """Returns the token whose secret has the hash, ended or not; None where there is none."""
        ...

    def list_tokens(self, limit: int, after: str = "") -> list[Token]:
        """Returns tokens by name, those after one."""
        ...

    def get_token(self, name: str) -> Token:
        """Returns a token. Raises NotFoundError."""
        ...

    def revoke_token(self, name: str) -> Token:
        """Ends a token now; one that has ended stays as it is. Raises NotFoundError."""
        ...

    def append_audit(self, entries: Sequence[AuditEntry]) -> None:
        """Appends to the audit log."""
        ...

    def audit_log(
        self, namespace: str | None, limit: int, before: int | None = None
    ) -> list[tuple[int, AuditEntry]]:
        """Returns entries with their keys, newest first, those before a key.

        Args:
            namespace: Only this one's; None for all.
            limit: How many at most.
            before: The key that the last page ended with.
        """
        ...


class SqlAccess(SqlPart):
    """`Access` over SQL."""
