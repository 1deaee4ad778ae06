"""The lease of three who would lead, taken and lost in any order, and writes under it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from services.coordinator.store.base import Store
from services.coordinator.store.conformance.making import MakeStore
from services.coordinator.store.conformance.model import Model
from services.coordinator.store.conformance.samples import a_job, a_name
from services.coordinator.store.errors import DeposedError
from services.coordinator.store.fence import Fence

LEADING = ["look", "take", "take", "renew", "give"]

leaders = st.sampled_from(["ada", "bob", "cyd"])
writers = st.sampled_from(["", "", "", "", "the holder", "the holder", "ada", "bob", "cyd"])
"""Who writes: mostly a caller without a fence; of those with one, mostly who may."""


class LeadingMachine(RuleBasedStateMachine):
    """Three who would lead, over one job.

    Attributes:
        make_store: Opens the store, whatever is in it.
    """

    make_store: MakeStore

    @initialize()
    def create(self) -> None:
        self.store: Store = self.make_store()
        self.name = a_job(self.store, a_name("model"))
        self.lease = str(a_name("lease"))
        self.model = Model()

    @rule(who=leaders, steps=st.lists(st.sampled_from(LEADING), min_size=1, max_size=3))
    def lead(self, who: str, steps: list[str]) -> None:
        moves = {"look": self._look, "take": self._take, "renew": self._renew, "give": self._give}
        # Several at once: one that only looks leads nowhere.
        for step in steps:
            moves[step](who)
            self._lease_agrees()

    def _look(self, who: str) -> None:
        found, lease = self.store.lease(self.lease), self.model.lease
        lease.seen[who] = found, lease.beat

    def _take(self, who: str) -> None:
        lease = self.model.lease
        seen, beat = lease.seen.get(who, (None, 0))
        # Who never looked takes what nobody ever had.
        with raises(None if beat == lease.beat else DeposedError):
            taken = self.store.take_lease(self.lease, who, 600.0, seen)
            assert (taken.holder, taken.epoch, taken.expired) == (who, lease.epoch + 1, False)
            lease.beat += 1
            lease.holder, lease.epoch = who, taken.epoch
            lease.epochs[who], lease.seen[who] = taken.epoch, (taken, lease.beat)

    def _renew(self, who: str) -> None:
        lease = self.model.lease
        epoch = lease.epochs.get(who, 0)
        with raises(None if lease.holds(who) else DeposedError):
            assert self.store.renew_lease(self.lease, who, epoch, 600.0).epoch == epoch
            lease.beat += 1

    def _give(self, who: str) -> None:
        lease = self.model.lease
        self.store.give_lease(self.lease, who, lease.epochs.get(who, 0))
        if lease.holds(who):
            lease.holder = ""
            lease.beat += 1

    def _lease_agrees(self) -> None:
        found, lease = self.store.lease(self.lease), self.model.lease
        if found is None:
            assert lease.epoch == 0
        else:
            stands = (found.holder, found.epoch, found.expired)
            assert stands == (lease.holder, lease.epoch, not lease.holder)

    def _writer(self, who: str, error: type[Exception] | None) -> _Writer:
        """Returns the store as one of them has it, and what a write is to raise there."""
        if not who:
            return self.store, error
        lease = self.model.lease
        if who == "the holder":
            who = lease.holder
        epoch = lease.epochs.get(who, 0)
        refused = None if lease.holds(who) else DeposedError
        return self.store.fenced(Fence(self.lease, epoch)), refused or error


_Writer = tuple[Store, type[Exception] | None]


@contextmanager
def raises(error: type[Exception] | None) -> Iterator[None]:
    """Expects the error, or none."""
    if error is None:
        yield
    else:
        with pytest.raises(error):
            yield
