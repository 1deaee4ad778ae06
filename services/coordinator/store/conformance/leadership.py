"""Leases: one holder whose writes pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.coordinator.store.base import Store
from services.coordinator.store.conformance.samples import a_name, a_spec
from services.coordinator.store.errors import DeposedError, NotFoundError
from services.coordinator.store.fence import Fence


def writes(store: Store, lease: str, epoch: int) -> bool:
    """Tries to write under the epoch; tells whether it passed. What was refused isn't there."""
    name = a_name()
    try:
        store.fenced(Fence(lease, epoch)).create_job(name, a_spec(), "ada", "")
    except DeposedError:
        with pytest.raises(NotFoundError):
            store.get_job(name)
        return False
    assert store.get_job(name).name == name
    return True


class LeadershipConformance:
    """Leases: one holder at a time, whose writes pass."""

    @pytest.fixture
    def lease(self) -> str:
        """A lease that no other test has."""
        return str(a_name("lease"))

    def test_a_lease_is_taken_renewed_and_given_back(self, store: Store, lease: str) -> None:
        assert store.lease(lease) is None
        before = datetime.now(UTC) - timedelta(seconds=2)
        first = store.take_lease(lease, "a", 60.0, None)
        assert (first.name, first.holder, first.epoch, first.expired) == (lease, "a", 1, False)
        assert before < first.since < before + timedelta(seconds=10)
        assert store.lease(lease) == first
        second = store.renew_lease(lease, "a", 1, 60.0)
        assert (second.epoch, second.since) == (1, first.since)
        assert second.beat > first.beat
        assert writes(store, lease, 1)
        store.give_lease(lease, "a", 1)
        given_back = store.lease(lease)
        assert given_back is not None and (given_back.holder, given_back.expired) == ("", True)
        assert not writes(store, lease, 1)
        third = store.take_lease(lease, "b", 60.0, given_back)
        assert (third.holder, third.epoch, third.expired) == ("b", 2, False)
        assert not writes(store, lease, 1)
        assert writes(store, lease, 2)

    def test_it_runs_out_by_the_databases_clock(self, store: Store, lease: str) -> None:
        taken = store.take_lease(lease, "a", -1.0, None)
        assert taken.expired
        renewed = store.renew_lease(lease, "a", taken.epoch, 60.0)
        assert not renewed.expired, "nobody took it meanwhile"

    def test_only_what_was_seen_can_be_taken(self, store: Store, lease: str) -> None:
        seen = store.take_lease(lease, "a", 60.0, None)
        with pytest.raises(DeposedError):
            store.take_lease(lease, "b", 60.0, None)
        store.renew_lease(lease, "a", seen.epoch, 60.0)
        with pytest.raises(DeposedError):
            store.take_lease(lease, "b", 60.0, seen)
        now = store.lease(lease)
        store.take_lease(lease, "b", 60.0, now)
        with pytest.raises(DeposedError):
            store.take_lease(lease, "c", 60.0, now)

    def test_who_lost_it_neither_renews_it_nor_gives_it_away(
        self, store: Store, lease: str
    ) -> None:
        seen = store.take_lease(lease, "a", 60.0, None)
        taken = store.take_lease(lease, "b", 60.0, seen)
        with pytest.raises(DeposedError):
            store.renew_lease(lease, "a", seen.epoch, 60.0)
        store.give_lease(lease, "a", seen.epoch)
        store.give_lease(lease, "a", taken.epoch)
        assert store.lease(lease) == taken
        store.give_lease("no such lease", "a", 1)
        with pytest.raises(DeposedError):
            store.renew_lease("no such lease", "a", 1, 60.0)

    def test_a_refused_write_tells_whoever_leads(self, store: Store, lease: str) -> None:
        store.take_lease(lease, "a", 60.0, None)
        told: list[str] = []
        fence = Fence(lease, 7, lambda: told.append("deposed"))
        with pytest.raises(DeposedError):
            store.fenced(fence).create_job(a_name(), a_spec(), "ada", "")
        assert told == ["deposed"]
