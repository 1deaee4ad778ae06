"""One call on its way through the gate: admitted, answered or refused, and noted."""

from __future__ import annotations

import errno
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import nullcontext
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError

from services.coordinator.access.audit import Audit
from services.coordinator.access.caller import NOBODY, Caller, calling
from services.coordinator.access.guard import Guard
from services.coordinator.access.limits import Streams
from services.coordinator.access.rules import RULES, Rule, Scope, about, authorise, namespace_of
from services.coordinator.database_health import UNAVAILABLE
from services.coordinator.store.errors import (
    AlreadyExistsError,
    DataChangedError,
    NotFoundError,
    StaleError,
    StoreError,
    UnavailableError,
    WrongStateError,
)
from tuner.access import AuditEntry
from tuner.errors import Status, TunerError, invalid
from tuner.wire.errors import abort

log = structlog.get_logger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]

_REFUSALS = (Status.UNAUTHENTICATED, Status.PERMISSION_DENIED)

_MEANING: tuple[tuple[type[StoreError], Status, str], ...] = (
    (NotFoundError, Status.NOT_FOUND, "JOB_NOT_FOUND"),
    (AlreadyExistsError, Status.ALREADY_EXISTS, "JOB_ALREADY_EXISTS"),
    (StaleError, Status.FAILED_PRECONDITION, "STALE_ATTEMPT"),
    (DataChangedError, Status.FAILED_PRECONDITION, "DATA_CHANGED"),
    (WrongStateError, Status.FAILED_PRECONDITION, "WRONG_STATE"),
    (UnavailableError, Status.UNAVAILABLE, "STORE_UNAVAILABLE"),
)


def from_store(error: StoreError) -> TunerError | None:
    """Returns what a store's error means to a caller; None where it means nothing to them."""
    for kind, status, reason in _MEANING:
        if isinstance(error, kind):
            text = UNAVAILABLE if kind is UnavailableError else str(error)
            return TunerError(status, reason, text)
    return None


class Passage:
    """One call on its way through the gate."""

    def __init__(
        self, method: str, context: Context, guard: Guard, audit: Audit, streams: Streams
    ) -> None:
        """Takes the call and what the gate knows."""
        self._method = method
        self._context = context
        self._guard = guard
        self._audit = audit
        self._streams = streams
        self._rule: Rule | None = RULES.get(method)
        self._caller = NOBODY
        self._about = ""
        self._admitted = False
        self._dry = False

    async def first(self, requests: AsyncIterator[Any]) -> Any:
        """Returns the first message of an upload, which says who sends it.

        Raises:
            TunerError: UNAUTHENTICATED or INVALID_ARGUMENT where none comes.
        """
        request = await anext(requests, None)
        if request is None:
            if self._rule is not None and self._rule.scope is not Scope.ATTEMPT:
                await self.identify(None)
            raise invalid("header", "is missing; it must be the first message")
        return request

    async def admit(self, request: Any) -> None:
        """Passes who may make the call, and notes them as its caller.

        Raises:
            TunerError: They may not, or the request doesn't tell what it is about.
            NotFoundError: They may not even know whether there is such a job.
        """
        readable(request)
        rule = self._rule
        if rule is None:
            raise TunerError(
                Status.PERMISSION_DENIED, "NO_RULE", "nobody may make this call: no rule is set"
            )
        self._about = about(rule, request)
        await self.identify(request)
        self._authorise(request)
        self._admitted = True
        self._dry = bool(getattr(request, "validate_only", False))
        calling.set(self._caller)
        if self._logged:
            await self._audit.room()

    async def identify(self, request: Any) -> None:
        """Finds out who calls. Raises TunerError, UNAUTHENTICATED."""
        self._caller = await self._shown(request)

    async def still(self, request: Any) -> None:
        """Passes who may still make the call: tokens end. Raises as `admit` does."""
        shown = await self._shown(request)
        if shown != self._caller:
            self._caller = shown
            self._authorise(request)

    async def checked(self, first: Any, following: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
        """Yields the messages of an upload while the caller may make it."""
        yield first
        async for request in following:
            await self.still(first)
            yield request

    def counted(self) -> Any:
        """Counts a stream while the returned context is open, where it counts."""
        if self._rule is not None and self._rule.counted:
            return self._streams.one(self._caller.token)
        return nullcontext()

    def end(self, answer: Any) -> Any:
        """Returns the answer, and notes what was done."""
        if self._logged:
            made = getattr(answer, "token", answer)
            name = getattr(made, "name", "") or self._about
            self._audit.done(self._entry("OK", "", name))
        return answer

    def left(self) -> None:
        """Notes that the caller went away, whatever had been done by then."""
        if self._logged and self._admitted:
            self._audit.done(self._entry("CANCELLED", "the caller didn't wait", self._about))

    async def fail(self, error: Exception) -> None:
        """Ends the call with the error's status, and notes the refusal. Always raises."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, StoreError):
            error = from_store(error) or error
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            log.error("no room for files", method=self._method, reason=error.strerror)
            text = "the coordinator's disk is full; ask again once its operator has made room"
            error = TunerError(Status.UNAVAILABLE, "DISK_FULL", text)
        if not isinstance(error, TunerError):
            incident = secrets.token_hex(4)
            log.error("call failed", method=self._method, incident=incident, exc_info=error)
            text = "something went wrong in the coordinator; its log tells more at incident"
            error = TunerError(Status.INTERNAL, "INTERNAL", f"{text} {incident}")
        log.debug(
            "call refused", method=self._method, status=error.status.value, reason=error.reason
        )
        hidden = not self._admitted and error.status is Status.NOT_FOUND
        if self._logged or hidden or error.status in _REFUSALS:
            self._audit.refused(self._entry(error.status.value, error.message, self._about))
        await abort(self._context, error)

    @property
    def _logged(self) -> bool:
        return self._rule is not None and self._rule.audited and not self._dry

    async def _shown(self, request: Any) -> Caller:
        scope = None if self._rule is None else self._rule.scope
        metadata = self._context.invocation_metadata()
        if scope is Scope.CODE:
            return NOBODY
        if scope is Scope.ATTEMPT:
            return await self._guard.runner(metadata, request.attempt)
        return await self._guard.client(metadata)

    def _authorise(self, request: Any) -> None:
        if self._rule is not None and self._rule.scope not in (Scope.CODE, Scope.ATTEMPT):
            authorise(self._rule, self._caller, request)

    def _entry(self, status: str, reason: str, resource: str) -> AuditEntry:
        return AuditEntry(
            subject=self._caller.subject,
            token=self._caller.token,
            method=self._method.rpartition("/")[2],
            namespace=namespace_of(resource),
            resource=resource,
            status=status,
            reason=reason,
            peer=self._context.peer(),
        )


class Malformed:
    """Stands for a message that can't be read: gRPC itself would call that INTERNAL."""


def reader(parse: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Returns what reads a call's messages, and lets what can't be read be told of later."""

    def read(data: bytes) -> Any:
        try:
            return parse(data)
        except DecodeError:
            return Malformed()

    return read


def readable(request: Any) -> Any:
    """Returns the request. Raises TunerError, INVALID_ARGUMENT, where it couldn't be read."""
    if isinstance(request, Malformed):
        raise TunerError(
            Status.INVALID_ARGUMENT, "MALFORMED", "the request is no message of this call's kind"
        )
    return request
