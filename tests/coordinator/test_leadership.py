"""Leading and following: who schedules when coordinators die, freeze, or lose the database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from coordinator_harness import until
from structlog.testing import capture_logs

from services.coordinator import database_health, leader
from services.coordinator.core import Core
from services.coordinator.database_health import DatabaseHealth
from services.coordinator.leader import Leader
from services.coordinator.store.errors import DeposedError, UnavailableError
from services.coordinator.store.fence import Fence
from services.coordinator.store.leadership import LeaseRow
from tuner.errors import Status, TunerError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases of a second: what is proved is the order of things."""
    for module, name, seconds in (
        (leader, "LEASE_SECONDS", 1.0),
        (leader, "RENEW_SECONDS", 0.1),
        (leader, "LOOK_SECONDS", 0.05),
        (leader, "SILENT_SECONDS", 0.3),
    ):
        monkeypatch.setattr(module, name, seconds)


@dataclass
class Database:
    """One lease, with a clock that a test may stop or turn.

    Attributes:
        clock: Whether the lease ever seems to have run out.
        fails: Why every call is refused; empty where none is.
        answers: Cleared, every call waits.
    """

    row: LeaseRow | None = None
    clock: str = "runs"
    fails: str = ""
    taken: list[str] = field(default_factory=list)
    answers: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.answers.set()

    def reach(self) -> None:
        self.answers.wait()
        if self.fails:
            raise UnavailableError(self.fails)


@dataclass
class Store:
    """A coordinator's way to the database; a fenced one writes, and its leader keeps books."""

    database: Database
    fence: Fence | None = None
    cut_off: bool = False

    def fenced(self, fence: Fence) -> Store:
        return replace(self, fence=fence)

    def _reach(self) -> None:
        if self.cut_off:
            raise UnavailableError("the way to the database is cut")
        self.database.reach()

    def lease(self, name: str) -> LeaseRow | None:
        self._reach()
        row = self.database.row
        return row and replace(row, expired=not row.holder)

    def take_lease(self, name: str, holder: str, seconds: float, seen: LeaseRow | None) -> LeaseRow:
        self._reach()
        with self.database.lock:
            row = self.database.row
            if (row and (row.epoch, row.beat)) != (seen and (seen.epoch, seen.beat)):
                raise DeposedError("not as it was seen")
            epoch, beat = (row.epoch + 1, row.beat + 1) if row else (1, 0)
            self.database.taken.append(holder)
            taken = LeaseRow(name, holder, epoch, beat, datetime.now(UTC), expired=False)
            self.database.row = taken
            return taken

    def renew_lease(self, name: str, holder: str, epoch: int, seconds: float) -> LeaseRow:
        self._reach()
        with self.database.lock:
            row = self.database.row
            if row is None or (row.holder, row.epoch) != (holder, epoch):
                raise DeposedError("another one has it")
            self.database.row = replace(row, beat=row.beat + 1)
            return self.database.row

    def give_lease(self, name: str, holder: str, epoch: int) -> None:
        self._reach()
        row = self.database.row
        if row and (row.holder, row.epoch) == (holder, epoch):
            self.database.row = replace(row, holder="", beat=row.beat + 1)

    def write(self) -> None:
        """Writes as a scheduler does."""
        self._reach()
        row = self.database.row
        assert self.fence is not None
        if row is None or row.epoch != self.fence.epoch:
            self.fence.on_deposed()
            raise DeposedError("another one has it")


class Work:
    """What is led."""

    def __init__(self, core: Any, log: list[str], name: str) -> None:
        self.store: Store = core.store
        self._log = log
        self._name = name
        self.runs = False

    def start(self) -> None:
        self.runs = True
        self._log.append(f"{self._name} starts")

    async def stop(self, patience: float) -> None:
        self.runs = False
        self._log.append(f"{self._name} ends")


class Coordinator:
    """A leader, with what it leads."""

    def __init__(
        self, database: Database, name: str, log: list[str], *, alone: bool = False
    ) -> None:
        self.store = Store(database)
        self.health = DatabaseHealth()
        self.said: list[tuple[bool, bool]] = []
        self.works: list[Work] = []
        core: Any = Core(None, self.store, None, None, None, self.health)  # type: ignore[arg-type]

        def make(led: Core) -> Work:
            self.works.append(Work(led, log, name))
            return self.works[-1]

        self.leader = Leader(core, make, self._say, name, alone=alone)
        self.leader.start()

    async def _say(self, database: bool, leads: bool) -> None:
        self.said.append((database, leads))

    @property
    def leads(self) -> bool:
        return bool(self.works) and self.works[-1].runs

    async def stop(self) -> None:
        await self.leader.stop(1.0)


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database()
    yield database
    database.answers.set()


@asynccontextmanager
async def coordinators(
    database: Database, *names: str, alone: bool = False
) -> AsyncIterator[tuple[list[str], list[Coordinator]]]:
    """Coordinators, of which the first leads, and what they started and ended."""
    log: list[str] = []
    found: list[Coordinator] = []
    for name in names:
        found.append(Coordinator(database, name, log, alone=alone))
        await until(lambda: any(one.leads for one in found))
    try:
        yield log, found
    finally:
        database.answers.set()
        database.fails = ""
        for one in found:
            await one.stop()


async def test_one_leads_and_hands_over_when_it_stops(database: Database) -> None:
    async with coordinators(database, "a", "b") as (log, (a, b)):
        await asyncio.sleep(1.3)
        assert (a.leads, b.leads) == (True, False), "a lease that is renewed isn't taken"
        await a.stop()
        await until(lambda: b.leads)
        assert log == ["a starts", "a ends", "b starts"], "never two at a time"
        assert database.taken == ["a", "b"]
        assert a.said == [(True, False), (True, True), (True, False)]
        assert b.said[-1] == (True, True)


async def test_silence_counts_where_the_clock_jumped_back(database: Database) -> None:
    # This database never finds a lease expired, as if its clock had gone back an hour.
    async with coordinators(database, "a", "b") as (_, (a, b)):
        a.store.cut_off = True
        began = asyncio.get_running_loop().time()
        await until(lambda: b.leads)
        assert asyncio.get_running_loop().time() - began < 3 * leader.LEASE_SECONDS


async def test_who_cant_renew_ends_its_work_by_its_own_clock(database: Database) -> None:
    async with coordinators(database, "a", "b") as (log, (a, b)):
        a.store.cut_off = True
        await until(lambda: b.leads)
        await until(lambda: not a.leads)
        assert sorted(log[1:]) == ["a ends", "b starts"]
        a.store.cut_off = False
        await until(lambda: a.said[-1] == (True, False))
        await asyncio.sleep(0.5)
        assert (a.leads, b.leads) == (False, True), "it follows"


async def test_a_refused_write_ends_it_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "RENEW_SECONDS", 60.0)
    monkeypatch.setattr(leader, "LEASE_SECONDS", 60.0)
    async with coordinators(database, "a") as (log, (a,)):
        thawed = a.works[0]
        seen = database.row
        b = Store(database)
        assert b.take_lease(leader.LEASE, "b", 60.0, seen).epoch == 2
        with pytest.raises(DeposedError):
            await asyncio.to_thread(thawed.store.write)
        await until(lambda: not a.leads)
        assert log == ["a starts", "a ends"]
        assert database.row is not None and database.row.holder == "b", "it follows"


@pytest.mark.parametrize("how", ["fails", "silent"])
async def test_the_database_goes_and_comes_back(database: Database, how: str) -> None:
    with capture_logs() as logs:
        async with coordinators(database, "a") as (log, (a,)):
            before = a.health.sign
            if how == "fails":
                database.fails = "the disk is full"
            else:
                database.answers.clear()
            await until(lambda: a.said[-1] == (False, False))
            assert a.health.reason
            assert log == ["a starts", "a ends"]
            await asyncio.sleep(0.3)
            database.fails = ""
            database.answers.set()
            await until(lambda: a.leads and a.said[-1] == (True, True))
            assert a.health.sign > before
            assert not a.health.reason
    told = [entry["event"] for entry in logs if "database" in entry["event"]]
    assert told == [
        "the database can't be used; calls answer UNAVAILABLE",
        "the database is back",
    ]


async def test_a_moments_failure_costs_no_leadership(database: Database) -> None:
    async with coordinators(database, "a") as (log, (a,)):
        database.fails = "busy"
        await until(lambda: a.said[-1] == (False, True))
        database.fails = ""
        await until(lambda: a.said[-1] == (True, True))
        assert log == ["a starts"]
        # A runner that couldn't be heard of meanwhile is told from a silent one.
        assert a.health.sign >= 2


async def test_alone_it_waits_for_no_lease_of_the_dead(database: Database) -> None:
    Store(database).take_lease(leader.LEASE, "its former life", 3600.0, None)
    async with coordinators(database, "a", alone=True):
        assert database.taken == ["its former life", "a"]


async def test_a_broken_start_is_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, calls = Work.start, []

    def breaks(work: Work) -> None:
        calls.append(work)
        if len(calls) == 1:
            raise RuntimeError("no memory")
        start(work)

    monkeypatch.setattr(Work, "start", breaks)
    async with coordinators(database, "a") as (_, (a,)):
        assert len(calls) > 1
        assert a.leads


# What a silent database does to calls


@contextmanager
def silent_after(seconds: float, health: DatabaseHealth) -> Iterator[None]:
    handle = asyncio.get_running_loop().call_later(
        seconds, lambda: health.failed("it hasn't answered", silent=True)
    )
    try:
        yield
    finally:
        handle.cancel()


async def test_calls_dont_wait_for_a_silent_database() -> None:
    health = DatabaseHealth()
    with silent_after(0.05, health), pytest.raises(TunerError) as caught:
        async with health.needed():
            await asyncio.sleep(60)
    assert (caught.value.status, caught.value.reason) == (Status.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert "database" in caught.value.message
    with pytest.raises(TunerError):
        async with health.needed():
            raise AssertionError("nothing is begun while it is silent")
    health.answered()
    async with health.needed():
        pass


async def test_calls_are_tried_at_a_database_that_refuses() -> None:
    health = DatabaseHealth()
    health.failed("the disk is full")
    async with health.needed():
        pass  # reading goes on
    with pytest.raises(TimeoutError):
        async with health.needed(), asyncio.timeout(0.01):
            await asyncio.sleep(60)
    assert database_health.SILENT_SECONDS < 10, "a runner's lease is longer"
