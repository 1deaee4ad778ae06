"""Tokens and the audit log, on every backend."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.coordinator.secret import hashed, new_token
from services.coordinator.store.base import Store
from services.coordinator.store.errors import AlreadyExistsError, NotFoundError
from tuner.access import ALL, AuditEntry, Role, Token

_numbers = itertools.count()


def a_token(**grants: Role) -> tuple[Token, str]:
    token_id, secret = new_token()
    places = {name.replace("all", ALL): role for name, role in grants.items()}
    return Token(token_id, "ada", places, created_by="root"), secret


def kept(store: Store, **grants: Role) -> Token:
    token, secret = a_token(**grants)
    return store.create_token(token, hashed(secret))


def entry(number: int, namespace: str) -> AuditEntry:
    return AuditEntry(
        "ada\0", "abc", "CreateJob", namespace, f"job {number}", "OK", "why", "ipv4:1.2.3.4:5"
    )


class AccessConformance:
    """Tokens and the audit log."""

    def test_a_token_is_found_by_the_hash_of_its_secret_alone(self, store: Store) -> None:
        expiry = datetime.now(UTC) + timedelta(days=1)
        token, secret = a_token(vision=Role.SUBMITTER, all=Role.VIEWER)
        made = store.create_token(replace(token, expire_time=expiry), hashed(secret))
        assert store.token_of(hashed(secret)) == made == store.get_token(token.id)
        assert made == replace(token, expire_time=expiry, create_time=made.create_time)
        assert made.create_time is not None
        assert abs(made.create_time - datetime.now(UTC)) < timedelta(minutes=1)
        for other in (secret, "", hashed("x"), "\0", "' OR 1=1 --"):
            assert store.token_of(hashed(other) if other != secret else secret) is None

    def test_an_id_and_a_secret_are_used_once(self, store: Store) -> None:
        token, secret = a_token(vision=Role.VIEWER)
        store.create_token(token, hashed(secret))
        with pytest.raises(AlreadyExistsError):
            store.create_token(token, hashed("another"))
        again, _ = a_token(vision=Role.OPERATOR)
        with pytest.raises(AlreadyExistsError):
            store.create_token(again, hashed(secret))
        with pytest.raises(NotFoundError):
            store.get_token(again.id)
        assert store.get_token(token.id).grants == {"vision": Role.VIEWER}

    def test_revoking_stands_and_the_first_time_stays(self, store: Store) -> None:
        token = kept(store, vision=Role.VIEWER)
        ended = store.revoke_token(token.id)
        assert ended.revoke_time is not None
        assert store.revoke_token(token.id) == ended == store.get_token(token.id)
        with pytest.raises(NotFoundError):
            store.revoke_token("nobody")

    def test_tokens_are_paged_by_name_and_seen_by_those_who_might_have_made_them(
        self,
        store: Store,
    ) -> None:
        mine = f"mine{next(_numbers)}-{datetime.now(UTC):%H%M%S%f}"
        own = [kept(store, **{mine: role}) for role in Role]
        kept(store, **{mine: Role.VIEWER, "other": Role.VIEWER})
        kept(store, all=Role.VIEWER)

        def pages() -> Iterator[Token]:
            after = ""
            while page := store.list_tokens(2, after, {mine}):
                yield from page
                after = page[-1].id

        assert list(pages()) == sorted(own, key=lambda token: token.id)
        assert store.list_tokens(10, "", set()) == []
        assert len(store.list_tokens(1000)) >= 5

    def test_the_audit_log_is_told_newest_first_by_namespace(self, store: Store) -> None:
        place = f"ns{datetime.now(UTC):%H%M%S%f}"
        store.append_audit([])
        store.append_audit([entry(n, place if n % 2 else "") for n in range(7)])
        found = store.audit_log({place}, 10)
        assert [e.resource for _, e in found] == ["job 5", "job 3", "job 1"]
        assert found[0][1].subject == "ada\ufffd"
        assert found[0][1].time is not None
        rest = store.audit_log({place}, 10, before=found[0][0])
        assert rest == found[1:]
        assert [e.resource for _, e in store.audit_log(None, 2)] == ["job 6", "job 5"]
        assert store.audit_log({place}, 10, before=10**30) == found
        assert store.audit_log(set(), 10) == []
