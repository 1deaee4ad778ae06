"""Who shows a token, looked up once a second at most."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.coordinator.access.caller import Caller
from services.coordinator.secret import TOKEN_VARIABLE, hashed, matches, token_id
from services.coordinator.store.base import Store
from services.coordinator.store.errors import NotFoundError
from services.coordinator.store.log import Clock, utc_now
from services.coordinator.threads import reading
from tuner.access import ALL, Role, Token
from tuner.errors import Status, TunerError
from tuner.wire.caller import Metadata, token_from_wire, user_from_wire
from tuner.wire.names import JobName

FRESH_SECONDS = 1.0
"""How long a token is taken for what it was when it was looked up. A revocation takes effect at
once on the coordinator that was asked for it, and on others after so long."""

MAX_REMEMBERED = 1000
"""Tokens, and attempts, that are remembered."""

MAX_LOOKUPS = 4
"""Looked up at once: whoever tries tokens must not keep everybody else from the database."""


@dataclass
class _Known:
    lookup: asyncio.Task[Token | None]
    until: float


class Guard:
    """Tells who shows a token: the root's, one of the store's, or an attempt's."""

    def __init__(self, store: Store, root_hash: str, clock: Clock = utc_now) -> None:
        """Takes where tokens are, the hash of the root token, and what tells when one ends."""
        self._store = store
        self._root = root_hash
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._enrolled: OrderedDict[tuple[JobName, int, int], str] = OrderedDict()
        self._lookups = asyncio.Semaphore(MAX_LOOKUPS)

    async def client(self, metadata: Metadata | None) -> Caller:
        """Returns who calls TunerService.

        Raises:
            TunerError: UNAUTHENTICATED where the token is none, has expired or was revoked.
        """
        secret = token_from_wire(metadata)
        if matches(secret, self._root):
            return Caller(user_from_wire(metadata), grants={ALL: Role.OPERATOR})
        named = token_id(secret)
        token = None if named is None else await self._token(hashed(secret))
        if named is None or token is None or not hmac.compare_digest(token.id, named):
            raise TunerError(
                Status.UNAUTHENTICATED,
                "BAD_TOKEN",
                f"the call shows no valid token; set {TOKEN_VARIABLE} to one that an operator "
                "made with `tuner token create`, or to the coordinator's own, which stands in "
                "the file `token` of its state folder",
            )
        if token.revoke_time is not None:
            text = f"the token {token.id} was revoked on {_date(token.revoke_time)}"
            text = f"{text}; ask an operator for another"
            raise TunerError(Status.UNAUTHENTICATED, "TOKEN_REVOKED", text)
        if token.expire_time is not None and token.expire_time <= self._clock():
            text = f"the token {token.id} expired on {_date(token.expire_time)}"
            text = f"{text}; ask an operator for another"
            raise TunerError(Status.UNAUTHENTICATED, "TOKEN_EXPIRED", text)
        return Caller(token.subject, token.id, token.grants)

    async def runner(self, metadata: Metadata | None, named: Any) -> Caller:
        """Returns who calls RunnerService: the runner of the attempt that is named.

        Whether that attempt still lives is for the call itself to judge, in its own
        transaction. A job that isn't there is told like a wrong token: who has none learns
        nothing.

        Raises:
            TunerError: UNAUTHENTICATED where the token isn't that attempt's;
                INVALID_ARGUMENT where the job's name can't be one.
        """
        name = JobName.parse(named.job, "attempt.job")
        secret = token_from_wire(metadata)
        caller = Caller(f"attempt {named.attempt} of {name}")
        key = (name, named.attempt, named.epoch)
        if matches(secret, self._enrolled.get(key, "")):
            return caller
        try:
            async with self._lookups:
                attempts = await asyncio.to_thread(self._store.attempts, name)
        except NotFoundError:
            attempts = []
        for attempt in attempts:
            one = (attempt.number, attempt.epoch) == (named.attempt, named.epoch)
            if one and matches(secret, attempt.token_hash):
                # An attempt's token never changes, and its epoch is never used again.
                self._enrolled[key] = attempt.token_hash
                _bound(self._enrolled)
                return caller
        raise TunerError(
            Status.UNAUTHENTICATED,
            "BAD_TOKEN",
            "the call doesn't show the token that Enrol answered to this attempt",
        )

    def forget(self) -> None:
        """Looks every token up again: one was changed."""
        self._known.clear()

    async def _token(self, secret_hash: str) -> Token | None:
        known = self._known.get(secret_hash)
        if known is None or (known.lookup.done() and known.until <= time.monotonic()):
            lookup = asyncio.create_task(self._look_up(secret_hash))
            known = _Known(lookup, time.monotonic() + FRESH_SECONDS)
            self._known[secret_hash] = known
            self._known.move_to_end(secret_hash)
            _bound(self._known)
        try:
            # One caller that goes away doesn't take the answer from others who wait for it.
            return await asyncio.shield(known.lookup)
        except Exception:
            # What went wrong once isn't remembered.
            if self._known.get(secret_hash) is known:
                del self._known[secret_hash]
            raise

    async def _look_up(self, secret_hash: str) -> Token | None:
        async with self._lookups:
            return await reading(self._store.token_of, secret_hash)


def _bound(remembered: OrderedDict[Any, Any]) -> None:
    while len(remembered) > MAX_REMEMBERED:
        remembered.popitem(last=False)


def _date(time_: datetime) -> str:
    return f"{time_:%Y-%m-%d %H:%M} UTC"
