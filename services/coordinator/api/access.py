"""Calls about tokens and the audit log."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta

from services.coordinator.access.caller import Caller, calling
from services.coordinator.access.guard import Guard
from services.coordinator.api.interceptor import Context
from services.coordinator.core import Core
from services.coordinator.secret import hashed, new_token
from services.coordinator.store.errors import NotFoundError
from services.coordinator.threads import reading
from tuner.access import ALL, Role, Token
from tuner.errors import Status, TunerError, invalid
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.access import entry_to_wire, grants_from_wire, token_to_wire
from tuner.wire.caller import MAX_NAME
from tuner.wire.names import parse_parent, parse_token_name
from tuner.wire.pages import make_token, page_size, read_position, read_token

MAX_GRANTS = 100
"""Namespaces that one token may name."""

MAX_LIFETIME = timedelta(days=10 * 366)
"""Longer than any token should serve; one for ever is asked for by 0."""


class AccessCalls:
    """The part of TunerService that is about who may do what, and who did."""

    def __init__(self, core: Core, guard: Guard) -> None:
        """Takes the parts, and what remembers tokens."""
        self._core = core
        self._guard = guard

    async def CreateToken(
        self, request: pb.CreateTokenRequest, context: Context
    ) -> pb.CreateTokenResponse:
        """Answers CreateToken. Nobody makes a token that may more than they may."""
        caller = calling.get()
        grants = grants_from_wire(request.grants)
        if not 1 <= len(grants) <= MAX_GRANTS:
            raise invalid("grants", f"{len(grants)} grants; give 1 to {MAX_GRANTS}")
        _check_covered(caller, grants)
        token_id, secret = new_token()
        token = Token(
            id=token_id,
            subject=_judged_subject(request.subject),
            grants=grants,
            created_by=caller.subject,
            expire_time=_expiry(request.lifetime_seconds),
        )
        made = await asyncio.to_thread(self._core.store.create_token, token, hashed(secret))
        return pb.CreateTokenResponse(token=token_to_wire(made), secret=secret)

    async def ListTokens(
        self, request: pb.ListTokensRequest, context: Context
    ) -> pb.ListTokensResponse:
        """Answers ListTokens: those that the caller might have made."""
        limit = page_size(request.page_size)
        after = read_token(request.page_token, "tokens") or ""
        places = calling.get().namespaces(Role.OPERATOR)
        found = await reading(self._core.store.list_tokens, limit + 1, after, places)
        page = found[:limit]
        return pb.ListTokensResponse(
            tokens=map(token_to_wire, page),
            next_page_token=make_token(page[-1].id, "tokens") if len(found) > limit else "",
        )

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Context) -> pb.Token:
        """Answers RevokeToken. Once it is answered, the token serves for nothing here."""
        token_id = parse_token_name(request.name)
        store, caller = self._core.store, calling.get()
        try:
            token = await reading(store.get_token, token_id)
        except NotFoundError as error:
            raise _no_token(token_id) from error
        if not all(caller.has(Role.OPERATOR, place) for place in token.grants):
            # Whose tokens others make is none of the caller's business.
            raise _no_token(token_id)
        token = await asyncio.to_thread(store.revoke_token, token_id)
        self._guard.forget()
        return token_to_wire(token)

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Context
    ) -> pb.ListAuditEntriesResponse:
        """Answers ListAuditEntries. What is about no namespace is for operators of all."""
        namespace = parse_parent(request.parent)
        places = calling.get().namespaces(Role.OPERATOR) if namespace is None else {namespace}
        limit = page_size(request.page_size)
        before = read_position(request.page_token, "audit", request.parent) or None
        found = await reading(self._core.store.audit_log, places, limit + 1, before)
        page = found[:limit]
        return pb.ListAuditEntriesResponse(
            entries=[entry_to_wire(entry) for _, entry in page],
            next_page_token=make_token(str(page[-1][0]), "audit", request.parent)
            if len(found) > limit
            else "",
        )


def _judged_subject(text: str) -> str:
    subject = text.strip()
    if not (1 <= len(subject) <= MAX_NAME and subject.isprintable()):
        raise invalid(
            "subject", f"{text[:200]!r} can't be one; give 1 to {MAX_NAME} printable characters"
        )
    return subject


def _check_covered(caller: Caller, grants: dict[str, Role]) -> None:
    for index, place in enumerate(grants):
        if not caller.has(Role.OPERATOR, place):
            where = "all namespaces" if place == ALL else f"the namespace {place!r}"
            raise TunerError(
                Status.PERMISSION_DENIED,
                "GRANT_TOO_HIGH",
                f"grants[{index}] is in {where}, whose operator the caller isn't",
            )


def _expiry(lifetime_seconds: float) -> datetime | None:
    field = "lifetime_seconds"
    most = MAX_LIFETIME.total_seconds()
    if not (math.isfinite(lifetime_seconds) and 0 <= lifetime_seconds <= most):
        raise invalid(field, f"{lifetime_seconds:g} isn't from 0 (for ever) to {most:g}")
    return datetime.now(UTC) + timedelta(seconds=lifetime_seconds) if lifetime_seconds else None


def _no_token(token_id: str) -> TunerError:
    return TunerError(Status.NOT_FOUND, "TOKEN_NOT_FOUND", f"there is no token {token_id}")
