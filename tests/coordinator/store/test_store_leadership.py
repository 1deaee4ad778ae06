"""Leases: one holder whose writes pass, whatever dies, freezes, or turns back a clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.coordinator.store import SqlStore, open_store
from services.coordinator.store import tables as t
from services.coordinator.store.conformance.leadership import writes
from services.coordinator.store.conformance.samples import a_name, a_spec
from services.coordinator.store.engines import parsed
from services.coordinator.store.errors import DeposedError
from services.coordinator.store.fence import Fence
from services.coordinator.store.leadership import LeaseRow
from tuner.jobs import JobState

HOUR = timedelta(hours=1)


@pytest.fixture
def lease(request: pytest.FixtureRequest) -> str:
    """A lease that no other test has."""
    return request.node.name


def clock_jumps(url: str, lease: str, by: timedelta) -> None:
    """The database's clock jumps: seen from it, the lease's times move the other way."""
    engine = sa.create_engine(parsed(url))
    with engine.begin() as connection:
        c = t.leases.c
        (end,) = connection.execute(sa.select(c.expire_time).where(c.name == lease)).one()
        connection.execute(sa.update(t.leases).where(c.name == lease).values(expire_time=end - by))
    engine.dispose()


def test_one_of_many_takes_it(url: str, lease: str) -> None:
    stores = [open_store(url) for _ in range(4)]
    together = threading.Barrier(len(stores))

    def take(store: SqlStore, seen: LeaseRow | None) -> LeaseRow | None:
        together.wait()
        try:
            return store.take_lease(lease, "somebody", 60.0, seen)
        except DeposedError:
            return None

    with ThreadPoolExecutor(len(stores)) as pool:
        for epoch in range(1, 6):
            seen = stores[0].lease(lease)
            found = [row for row in pool.map(take, stores, [seen] * len(stores)) if row]
            assert [row.epoch for row in found] == [epoch]
    for store in stores:
        store.close()


@contextmanager
def frozen_in_a_write(url: str, lease: str, epoch: int) -> Iterator[threading.Event]:
    """A leader that stands still in a transaction, having passed the fence, until it's told."""
    go_on, inside = threading.Event(), threading.Event()

    def clock() -> datetime:
        inside.set()
        assert go_on.wait(20)
        return datetime.now(UTC)

    name = a_name()
    with ThreadPoolExecutor(1) as pool:
        plain, slow = open_store(url), open_store(url, clock)
        plain.create_job(name, a_spec(), "ada", "")
        write = pool.submit(
            slow.fenced(Fence(lease, epoch)).set_job_state,
            name,
            JobState.QUEUED,
            "",
            [JobState.PENDING],
        )
        assert inside.wait(20)
        yield go_on
        go_on.set()
        assert write.result(20).state is JobState.QUEUED
        assert plain.get_job(name).state is JobState.QUEUED
        plain.close()
        slow.close()


def test_a_takeover_waits_for_what_is_being_written(postgres_url: str, lease: str) -> None:
    # On SQLite nothing is written beside anything else.
    store = open_store(postgres_url)
    seen = store.take_lease(lease, "a", 60.0, None)
    with (
        ThreadPoolExecutor(1) as pool,
        frozen_in_a_write(postgres_url, lease, seen.epoch) as go_on,
    ):
        # A renewal waits for nobody.
        seen = store.renew_lease(lease, "a", seen.epoch, 60.0)
        takeover = pool.submit(store.take_lease, lease, "b", 60.0, seen)
        with pytest.raises(TimeoutError):
            takeover.result(0.3)
        go_on.set()
        assert takeover.result(20).epoch == seen.epoch + 1
    assert not writes(store, lease, seen.epoch)
    store.close()


# Whatever may happen to three coordinators and the clock


@dataclass
class Coordinator:
    """What one of them believes."""

    name: str
    seen: LeaseRow | None = None
    epoch: int = 0


WHO = st.sampled_from("abc")
HAPPENINGS = st.lists(
    st.tuples(st.sampled_from(["look", "take", "renew", "give", "write", "forward", "back"]), WHO),
    min_size=8,
    max_size=30,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(happenings=HAPPENINGS)
def test_one_holder_writes_and_epochs_rise(
    happenings: list[tuple[str, str]], store: SqlStore, url: str
) -> None:
    lease = str(a_name())
    everyone = {name: Coordinator(name) for name in "abc"}
    holder, epoch = "", 0
    for what, who in happenings:
        one = everyone[who]
        if what == "look":
            one.seen = store.lease(lease)
            now = one.seen
            assert (now.epoch, now.holder) == (epoch, holder) if now else epoch == 0
        elif what == "take":
            try:
                taken = store.take_lease(lease, who, 60.0, one.seen)
            except DeposedError:
                continue
            assert taken.epoch == epoch + 1, "each holder has an epoch of its own"
            one.epoch, one.seen = taken.epoch, taken
            holder, epoch = who, taken.epoch
        elif what == "renew":
            if (who, one.epoch) == (holder, epoch) and epoch:
                assert store.renew_lease(lease, who, one.epoch, 60.0).epoch == epoch
            else:
                with pytest.raises(DeposedError):
                    store.renew_lease(lease, who, one.epoch, 60.0)
        elif what == "give":
            store.give_lease(lease, who, one.epoch)
            holder = "" if (who, one.epoch) == (holder, epoch) else holder
        elif what == "write":
            may = bool(holder) and (who, one.epoch) == (holder, epoch)
            assert writes(store, lease, one.epoch) == may
        elif epoch:
            clock_jumps(url, lease, HOUR if what == "forward" else -HOUR)
            now = store.lease(lease)
            assert now is not None and (now.epoch, now.holder) == (epoch, holder)
    passing = [one for one in everyone.values() if one.epoch and writes(store, lease, one.epoch)]
    assert [one.name for one in passing] == ([holder] if holder else [])
