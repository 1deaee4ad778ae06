"""Telling whoever a job names that it has ended, until they have heard it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import aiohttp
import structlog
from google.protobuf.json_format import MessageToDict

from services.coordinator.core import Core
from services.coordinator.hints import wait
from services.coordinator.settings import Settings, is_loopback
from services.coordinator.store.errors import (
    DeposedError,
    NotFoundError,
    StoreError,
    UnavailableError,
)
from services.coordinator.store.rows import JobRow
from tuner.errors import invalid
from tuner.spec import JobSpec
from tuner.wire.jobs import job_to_wire
from tuner.wire.names import JobName

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 2.0
MAX_PAUSE_SECONDS = 600.0
GIVE_UP_AFTER = timedelta(days=1)
# A clock that jumps ahead a day is no reason to give up.
LEAST_TRIES = 5
LOOK_SECONDS = 2.0

# Ends that are looked at at once, messages under way at once, and those to one host: one that
# hangs holds up nobody else.
LISTED = 500
AT_ONCE = 16
AT_ONCE_A_HOST = 2

SIGNATURE = "Tuner-Signature"
DELIVERY = "Tuner-Delivery"


def check_webhook(spec: JobSpec, settings: Settings) -> None:
    """Refuses a webhook that the operator doesn't allow. Raises TunerError, INVALID_ARGUMENT.

    The coordinator may reach what the job's owner may not: metadata services, Ray's own ports.
    """
    address = spec.notify.webhook
    if address is None or allowed(address, settings):
        return
    host = urlsplit(address).hostname
    if settings.webhook_hosts:
        may = f"the operator allows {', '.join(settings.webhook_hosts)}"
    elif is_loopback(settings.listen_host):
        may = (
            "this coordinator tells only this machine (127.0.0.1, localhost) unless its operator "
            "sets TUNER_COORDINATOR_WEBHOOK_HOSTS"
        )
    else:
        may = "the operator allows none; TUNER_COORDINATOR_WEBHOOK_HOSTS would name them"
    raise invalid("spec.notify.webhook", f"{host} is no host that may be told; {may}")


def allowed(address: str, settings: Settings) -> bool:
    """Tells whether the operator lets the coordinator send something to this address."""
    host = (urlsplit(address).hostname or "").lower()
    if settings.webhook_hosts:
        return any(fnmatchcase(host, pattern) for pattern in settings.webhook_hosts)
    return is_loopback(host) and is_loopback(settings.listen_host)


def message(job: JobRow) -> bytes:
    """Returns what is sent of a job: all that GetJob tells, but for who is told.

    The address often has a secret in it, and whoever gets the message knows it anyway.
    """
    told = job_to_wire(job.status())
    told.spec.ClearField("notify")
    return json.dumps({"event": "job.ended", "job": MessageToDict(told)}).encode()


def signature(secret: str, when: int, body: bytes) -> str:
    """Returns what proves who sends: HMAC-SHA256 over the time, a full stop and the body."""
    digest = hmac.new(secret.encode(), f"{when}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={when},sha256={digest}"


@dataclass
class _Tries:
    """What was tried of one end: how often in vain, and when it may be tried again."""

    failed: int = 0
    due: float = 0.0


class Webhooks:
    """One loop that tells ends. What is still to be told is in the store, so nothing is lost.

    An end is told at least once: whoever must not act twice on it goes by the delivery's id.
    """

    def __init__(self, core: Core) -> None:
        """Does nothing before `start`, or `run`."""
        self._settings = core.settings
        self._store = core.store
        self._hints = core.hints
        self._task: asyncio.Task[None] | None = None
        self._tries: dict[tuple[JobName, int], _Tries] = {}
        self._under_way: dict[tuple[JobName, int], asyncio.Task[None]] = {}
        self._hosts: Counter[str] = Counter()

    def start(self) -> None:
        """Begins to tell."""
        self._task = asyncio.create_task(self.run(), name="webhooks")

    async def stop(self, patience: float) -> None:
        """Ends; what is under way gets so many seconds."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        tasks = list(self._under_way.values())
        if tasks and patience:
            await asyncio.wait(tasks, timeout=patience)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def run(self) -> None:
        """Tells ends as they come, for ever."""
        with self._hints.listen() as news:
            while True:
                news.clear()
                try:
                    await self._look()
                except (UnavailableError, DeposedError) as error:
                    # Whoever made this one leader learns of it, too, and tells it once.
                    log.debug("ends not looked up; trying again", reason=str(error))
                except Exception:
                    # Whatever it was, the other jobs' ends are to be told.
                    log.exception("telling ends failed; trying again")
                await wait(news, LOOK_SECONDS)

    async def _look(self) -> None:
        """Begins to tell what is due."""
        jobs = await asyncio.to_thread(self._store.jobs_to_notify, LISTED)
        listed = {(job.name, job.last_sequence) for job in jobs}
        self._tries = {end: tries for end, tries in self._tries.items() if end in listed}
        now = asyncio.get_running_loop().time()
        for job in jobs:
            end = (job.name, job.last_sequence)
            host = urlsplit(job.spec.notify.webhook or "").netloc
            full = len(self._under_way) >= AT_ONCE or self._hosts[host] >= AT_ONCE_A_HOST
            if full or end in self._under_way or self._tries.setdefault(end, _Tries()).due > now:
                continue
            self._hosts[host] += 1
            self._under_way[end] = asyncio.create_task(self._tell(job, end, host))

    async def _tell(self, job: JobRow, end: tuple[JobName, int], host: str) -> None:
        """Tells one end once, and notes what has come of it."""
        tries = self._tries[end]
        try:
            problem = await self._send(job)
            if problem:
                tries.failed += 1
                pause = min(FIRST_PAUSE_SECONDS * 2 ** (tries.failed - 1), MAX_PAUSE_SECONDS)
                # Spread, so that those that failed together don't come back together.
                pause *= random.Random(f"{end} {tries.failed}").uniform(0.75, 1.25)
                tries.due = asyncio.get_running_loop().time() + pause
                late = datetime.now(UTC) - (job.end_time or datetime.now(UTC)) > GIVE_UP_AFTER
                refused = not allowed(job.spec.notify.webhook or "", self._settings)
                if not refused and not (late and tries.failed >= LEAST_TRIES):
                    log.info("end not told yet", job=str(job.name), host=host, why=problem)
                    return
                log.warning("end not told, for good", job=str(job.name), host=host, why=problem)
            else:
                log.info("end told", job=str(job.name), host=host, tries=tries.failed + 1)
            await asyncio.to_thread(self._store.notified, *end)
        except NotFoundError:
            log.debug("deleted before its end was told", job=str(job.name))
        except StoreError as error:
            # It is told again, by whoever leads then.
            log.warning("end told, and not noted", job=str(job.name), reason=str(error))
        finally:
            self._hosts[host] -= 1
            del self._under_way[end]

    async def _send(self, job: JobRow) -> str:
        """Sends one message. Returns what went wrong; empty where it has arrived."""
        address = job.spec.notify.webhook or ""
        if not allowed(address, self._settings):
            return "the operator doesn't allow its host any more"
        body = await asyncio.to_thread(message, job)
        try:
            async with (
                # Of this machine's environment, such as its proxies, nothing is heeded.
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    trust_env=False,
                ) as session,
                session.post(
                    address, data=body, headers=self._headers(job, body), allow_redirects=False
                ) as answer,
            ):
                # A redirect might lead where the operator doesn't allow.
                return "" if 200 <= answer.status < 300 else f"answered {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}".removesuffix(": ")

    def _headers(self, job: JobRow, body: bytes) -> Mapping[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "tuner",
            DELIVERY: f"{job.name}/events/{job.last_sequence}",
        }
        if secret := self._settings.webhook_secret.get_secret_value():
            headers[SIGNATURE] = signature(secret, int(time.time()), body)
        return headers
