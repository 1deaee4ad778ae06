"""Tokens and the audit log keep what they say over the wire."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.access import ALL, AuditEntry, Role, Token
from tuner.errors import TunerError
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.access import (
    entry_from_wire,
    entry_to_wire,
    grants_from_wire,
    token_from_wire,
    token_to_wire,
)
from tuner.wire.names import parse_token_name

TIMES = st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
PLACES = st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True) | st.just(ALL)

TOKENS = st.builds(
    Token,
    id=st.from_regex(r"[a-z2-7]{10}", fullmatch=True),
    subject=st.text(max_size=20),
    grants=st.dictionaries(PLACES, st.sampled_from(Role), max_size=4),
    created_by=st.text(max_size=20),
    create_time=TIMES,
    expire_time=TIMES,
    revoke_time=TIMES,
)


@given(TOKENS)
def test_a_token_comes_back(token: Token) -> None:
    assert token_from_wire(token_to_wire(token)) == token


@given(st.sampled_from(["namespaces/a", "namespaces/a/jobs/x", "tokens/abc", ""]), TIMES)
def test_an_entry_comes_back(resource: str, time: datetime | None) -> None:
    namespace = "a" if resource.startswith("namespaces") else ""
    entry = AuditEntry("ada", "abc", "GetJob", namespace, resource, "OK", "why", "ipv4:1", time)
    assert entry_from_wire(entry_to_wire(entry)) == entry


@given(TOKENS)
def test_grants_are_judged(token: Token) -> None:
    message = token_to_wire(token)
    assert grants_from_wire(message.grants) == token.grants


@pytest.mark.parametrize("name", ["", "tokens/", "tokens/A", "tokens/a/b", "token/a", "tokens/a\n"])
def test_what_is_no_tokens_name_is_refused(name: str) -> None:
    with pytest.raises(TunerError, match="not valid"):
        parse_token_name(name)


def test_a_role_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(TunerError) as caught:
        grants_from_wire([pb.Grant(namespace="namespaces/a", role=9)])  # type: ignore[arg-type]
    assert caught.value.violations[0].problem == "is none; give viewer, submitter, operator"
