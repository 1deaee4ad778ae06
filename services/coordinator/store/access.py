"""Tokens, what they may do, and the audit log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.coordinator.store import tables as t
from services.coordinator.store.errors import AlreadyExistsError, NotFoundError
from services.coordinator.store.sqlbase import SqlPart
from tuner.access import AuditEntry, Role, Token

MAX_KEY = 2**63 - 1
"""The largest key that a database counts to."""


class Access(Protocol):
    """The store's tokens and audit log. Every call may raise UnavailableError."""

    def create_token(self, token: Token, secret_hash: str) -> Token:
        """Keeps a token under the hash of its secret. Raises AlreadyExistsError.

        Its create_time is the store's own now.
        """
        ...

    def token_of(self, secret_hash: str) -> Token | None:
        """Returns the token whose secret has the hash, ended or not; None where there is none."""
        ...

    def list_tokens(
        self, limit: int, after: str = "", namespaces: Collection[str] | None = None
    ) -> list[Token]:
        """Returns tokens by name, those after one.

        Args:
            limit: How many at most.
            after: The name of the last one that was had.
            namespaces: Only those that may do nothing outside of these; None for every token.
        """
        ...

    def get_token(self, name: str) -> Token:
        """Returns a token. Raises NotFoundError."""
        ...

    def revoke_token(self, name: str) -> Token:
        """Ends a token now; one that has ended stays as it is. Raises NotFoundError."""
        ...

    def append_audit(self, entries: Sequence[AuditEntry]) -> None:
        """Appends to the audit log. An entry without a time gets the store's own now."""
        ...

    def audit_log(
        self, namespaces: Collection[str] | None, limit: int, before: int | None = None
    ) -> list[tuple[int, AuditEntry]]:
        """Returns entries with their keys, newest first, those before a key.

        Args:
            namespaces: Only entries about one of these; None for all.
            limit: How many at most.
            before: The key that the last page ended with.
        """
        ...


class SqlAccess(SqlPart):
    """`Access` over SQL."""

    def create_token(self, token: Token, secret_hash: str) -> Token:
        """Does Access.create_token."""

        def work(connection: sa.Connection) -> Token:
            connection.execute(
                sa.insert(t.tokens).values(
                    id=token.id,
                    hash=secret_hash,
                    subject=token.subject,
                    created_by=token.created_by,
                    create_time=self._clock(),
                    expire_time=token.expire_time,
                )
            )
            rows = [
                {"token": token.id, "namespace": namespace, "role": role.value}
                for namespace, role in token.grants.items()
            ]
            if rows:
                connection.execute(sa.insert(t.grants), rows)
            return _get(connection, token.id)

        try:
            return self._written(work)
        except IntegrityError as error:
            raise AlreadyExistsError(f"there is a token {token.id} already") from error

    def token_of(self, secret_hash: str) -> Token | None:
        """Does Access.token_of."""
        with self._database.read() as connection:
            found = _tokens(connection, sa.select(t.tokens).where(t.tokens.c.hash == secret_hash))
        return found[0] if found else None

    def list_tokens(
        self, limit: int, after: str = "", namespaces: Collection[str] | None = None
    ) -> list[Token]:
        """Does Access.list_tokens."""
        c = t.tokens.c
        query = sa.select(t.tokens).where(c.id > after).order_by(c.id).limit(limit)
        if namespaces is not None:
            g = t.grants.c
            elsewhere = sa.exists().where(g.token == c.id, g.namespace.not_in(sorted(namespaces)))
            query = query.where(~elsewhere)
        with self._database.read() as connection:
            return _tokens(connection, query)

    def get_token(self, name: str) -> Token:
        """Does Access.get_token."""
        with self._database.read() as connection:
            return _get(connection, name)

    def revoke_token(self, name: str) -> Token:
        """Does Access.revoke_token."""

        def work(connection: sa.Connection) -> Token:
            c = t.tokens.c
            connection.execute(
                sa.update(t.tokens)
                .where(c.id == name, c.revoke_time.is_(None))
                .values(revoke_time=self._clock())
            )
            return _get(connection, name)

        return self._written(work)

    def append_audit(self, entries: Sequence[AuditEntry]) -> None:
        """Does Access.append_audit."""
        if not entries:
            return

        def work(connection: sa.Connection) -> None:
            now = self._clock()
            rows = [{**_columns(entry), "time": entry.time or now} for entry in entries]
            connection.execute(sa.insert(t.audit), rows)

        self._written(work)

    def audit_log(
        self, namespaces: Collection[str] | None, limit: int, before: int | None = None
    ) -> list[tuple[int, AuditEntry]]:
        """Does Access.audit_log."""
        c = t.audit.c
        query = sa.select(t.audit).order_by(c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(c.id < min(before, MAX_KEY))
        # A page of each, by its index: of all at once, the database would sort everything.
        queries = (
            [query]
            if namespaces is None
            else [query.where(c.namespace == namespace) for namespace in sorted(namespaces)]
        )
        with self._database.read() as connection:
            found = [row for one in queries for row in connection.execute(one)]
            found.sort(key=lambda row: -row.id)
            return [
                (
                    row.id,
                    AuditEntry(
                        subject=row.subject,
                        token=row.token,
                        method=row.method,
                        namespace=row.namespace,
                        resource=row.resource,
                        status=row.status,
                        reason=row.reason,
                        peer=row.peer,
                        time=row.time,
                    ),
                )
                for row in found[:limit]
            ]


def _columns(entry: AuditEntry) -> dict[str, Any]:
    return {
        "subject": entry.subject,
        "token": entry.token,
        "method": entry.method,
        "namespace": entry.namespace,
        "resource": entry.resource,
        "status": entry.status,
        "reason": entry.reason,
        "peer": entry.peer,
    }


def _get(connection: sa.Connection, name: str) -> Token:
    found = _tokens(connection, sa.select(t.tokens).where(t.tokens.c.id == name))
    if not found:
        raise NotFoundError(f"there is no token {name}")
    return found[0]


def _tokens(connection: sa.Connection, query: sa.Select[Any]) -> list[Token]:
    """Returns the tokens of a query of their table, with their grants."""
    rows = connection.execute(query).all()
    c = t.grants.c
    grants: dict[str, dict[str, Role]] = {row.id: {} for row in rows}
    granted = sa.select(t.grants).where(c.token.in_(list(grants))).order_by(c.namespace)
    for grant in connection.execute(granted) if grants else ():
        grants[grant.token][grant.namespace] = Role(grant.role)
    return [
        Token(
            id=row.id,
            subject=row.subject,
            grants=grants[row.id],
            created_by=row.created_by,
            create_time=row.create_time,
            expire_time=row.expire_time,
            revoke_time=row.revoke_time,
        )
        for row in rows
    ]
