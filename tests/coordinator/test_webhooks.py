"""A job's end is told to whom it names: until it was heard, once, and nowhere else."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from aiohttp import web
from coordinator_harness import House, refusal, until

from services.coordinator import webhooks
from services.coordinator.settings import Settings
from services.coordinator.store.rows import JobRow
from services.coordinator.webhooks import allowed
from tuner.v1 import tuner_service_pb2 as pb

SECRET = "between-us"


@dataclass
class Listener:
    """A server that answers what it is told to, and keeps what it was sent."""

    answers: list[int] = field(default_factory=list)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    hangs: bool = False
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?key=hidden"

    async def answer(self, request: web.Request) -> web.Response:
        self.heard.append((dict(request.headers), await request.read()))
        if self.hangs:
            await asyncio.sleep(60)
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers={"Location": "/elsewhere"})


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listener.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    listener.port = runner.addresses[0][1]
    yield listener
    await runner.cleanup()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(webhooks, "LOOK_SECONDS", 0.02)


async def cancelled(house: House, webhook: str) -> pb.Job:
    """A job that has ended, as quickly as one can."""
    job = await house.create(notify={"webhook": webhook})
    await house.cancel(job.name)
    return await house.reaches(job.name, "CANCELLED")


def untold(house: House) -> list[JobRow]:
    return house.store.jobs_to_notify(10)


def silent(house: House) -> Callable[[], bool]:
    return lambda: not untold(house)


async def test_an_end_is_told_until_it_is_heard(house: House, listener: Listener) -> None:
    listener.answers = [500, 404, 302]
    await house.restart(webhook_secret=SECRET)
    job = await house.create(notify={"webhook": listener.url})
    runner = await house.enrol(job.name)
    await runner.conclude()
    assert not listener.heard
    await runner.finish("COMPLETED")
    done = await house.reaches(job.name, "SUCCEEDED")
    await until(silent(house))
    assert len(listener.heard) == 4
    assert len({body for _, body in listener.heard}) == 1
    headers, body = listener.heard[-1]
    told = json.loads(body)
    assert (told["event"], told["job"]["name"]) == ("job.ended", job.name)
    assert told["job"]["state"] == "JOB_STATE_SUCCEEDED"
    assert told["job"]["searches"][0]["reason"] == "that is that"
    assert b"hidden" not in body
    assert headers["Tuner-Delivery"] == f"{job.name}/events/{done.last_sequence}"
    when, _, digest = headers["Tuner-Signature"].removeprefix("t=").partition(",sha256=")
    expected = hmac.new(SECRET.encode(), f"{when}.".encode() + body, hashlib.sha256)
    assert digest == expected.hexdigest()
    # A redirect isn't followed: it was tried again where it should be.
    await asyncio.sleep(0.1)
    assert len(listener.heard) == 4


async def test_an_end_outlives_the_coordinator(house: House, listener: Listener) -> None:
    listener.answers = [503] * 1000
    job = await cancelled(house, listener.url)
    await until(lambda: listener.heard)
    await house.restart()
    assert untold(house)
    listener.answers = []
    await until(silent(house))
    assert json.loads(listener.heard[-1][1])["job"]["name"] == job.name
    assert "Tuner-Signature" not in listener.heard[-1][0]


async def test_one_that_hangs_or_is_away_holds_up_nobody(
    house: House, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT_SECONDS", 0.2)
    for _ in range(4):
        await cancelled(house, "http://127.0.0.1:9/nobody")
    listener.hangs = True
    stuck = await cancelled(house, listener.url)
    await until(lambda: len(listener.heard) >= 2)
    listener.hangs = False
    await until(lambda: len(untold(house)) == 4)
    assert json.loads(listener.heard[-1][1])["job"]["name"] == stuck.name


async def test_a_job_that_is_extended_has_another_end_to_tell(
    house: House, listener: Listener
) -> None:
    job = await cancelled(house, listener.url)
    await until(silent(house))
    await house.extend(job.name, max_replicates=30)
    await house.cancel(job.name)
    await until(lambda: len(listener.heard) == 2)
    await until(silent(house))
    assert len({headers["Tuner-Delivery"] for headers, _ in listener.heard}) == 2


async def test_it_is_given_up_after_a_day_and_not_because_of_a_clock(
    house: House, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener.answers = [500] * 1000
    monkeypatch.setattr(webhooks, "GIVE_UP_AFTER", timedelta(seconds=-1))
    await cancelled(house, listener.url)
    await until(silent(house))
    assert len(listener.heard) == webhooks.LEAST_TRIES


@pytest.mark.parametrize(
    ("hosts", "listen", "webhook", "may"),
    [
        ("", "127.0.0.1:1", "http://127.0.0.1:9/x", True),
        ("", "localhost:1", "http://[::1]/x", True),
        ("", "127.0.0.1:1", "http://localhost/x", True),
        ("", "127.0.0.1:1", "http://169.254.169.254/latest", False),
        ("", "127.0.0.1:1", "http://2130706433/", False),
        ("", "127.0.0.1:1", "http://127.0.0.1.example.org/", False),
        ("", "0.0.0.0:1", "http://127.0.0.1/x", False),
        ("*.example.org, hooks.net", "0.0.0.0:1", "https://CI.example.org/x", True),
        ("*.example.org, hooks.net", "0.0.0.0:1", "https://hooks.net:8443/x", True),
        ("*.example.org, hooks.net", "0.0.0.0:1", "https://example.org/x", False),
        ("*.example.org, hooks.net", "127.0.0.1:1", "http://127.0.0.1/x", False),
        ("*.example.org", "0.0.0.0:1", "https://evil.net/.example.org", False),
        ("*.example.org", "0.0.0.0:1", "https://evil.net#.example.org", False),
    ],
)
def test_only_what_the_operator_allows_is_told(
    hosts: str, listen: str, webhook: str, may: bool
) -> None:
    settings = Settings(webhook_hosts=hosts, listen=listen, insecure=True)
    assert allowed(webhook, settings) is may


async def test_a_foreign_host_is_refused_with_what_is_allowed(house: House) -> None:
    error = await refusal(house.create(notify={"webhook": "http://169.254.169.254/latest"}))
    (violation,) = error.violations
    assert violation.field == "spec.notify.webhook"
    assert "TUNER_COORDINATOR_WEBHOOK_HOSTS" in violation.problem
    await house.restart(webhook_hosts="*.example.org")
    error = await refusal(house.create(notify={"webhook": "http://127.0.0.1/x"}))
    assert "allows *.example.org" in error.violations[0].problem


async def test_a_host_that_is_no_longer_allowed_is_told_nothing(
    house: House, listener: Listener
) -> None:
    listener.answers = [500] * 1000
    await cancelled(house, listener.url)
    await until(lambda: listener.heard)
    await house.restart(webhook_hosts="*.example.org")
    heard = len(listener.heard)
    await until(silent(house))
    assert len(listener.heard) == heard
