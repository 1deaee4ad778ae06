"""Plan steps: numbered without a gap, committed once, and moving their search's state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.coordinator.store.base import Store
from services.coordinator.store.codec import pack, unpack
from services.coordinator.store.conformance.samples import (
    DEPTH,
    TREES,
    a_conclusion,
    a_running_job,
    a_step,
    log_of,
)
from services.coordinator.store.errors import AlreadyExistsError, NotFoundError, WrongStateError
from tuner.curve import SearchState
from tuner.jobs import SearchStateChanged
from tuner.record import Conclusion
from tuner.wire.names import JobName


def _state(store: Store, name: JobName, key: str = TREES) -> tuple[SearchState, str]:
    for search in store.get_job(name).searches:
        if search.key == key:
            return search.state, search.reason
    raise KeyError(key)


class PlanConformance:
    """Plan steps: numbered without a gap, committed once."""

    def test_steps_come_back_whole_in_the_order_of_their_commits(self, store: Store) -> None:
        job = a_running_job(store)
        steps = [a_step(1), a_step(1, DEPTH), a_step(2), a_conclusion(3), a_step(2, DEPTH)]
        assert [store.commit_step(*job.caller, step) for step in steps] == [False] * 5
        assert store.plan(job.name) == steps
        assert store.plan(job.name, TREES) == [steps[0], steps[2], steps[3]]
        assert store.plan(job.name, "nothing") == []

    def test_a_step_that_fixed_no_costs_is_read_as_one_that_did_not(self, store: Store) -> None:
        """Steps of an older version say nothing of costs."""
        job = a_running_job(store)
        old = replace(a_step(1), costs=())
        kind, data = pack(old)
        store.commit_step(*job.caller, old)
        assert store.plan(job.name) == [old]
        assert unpack(kind, data) == old

    def test_the_costs_of_a_step_are_part_of_it(self, store: Store) -> None:
        job = a_running_job(store)
        store.commit_step(*job.caller, a_step(1))
        with pytest.raises(AlreadyExistsError, match="another step 1"):
            store.commit_step(*job.caller, replace(a_step(1), costs=((1, 2.5), (4, 9.8))))

    def test_a_search_runs_with_its_first_step_and_ends_with_its_conclusion(
        self, store: Store
    ) -> None:
        job = a_running_job(store)
        before = store.get_job(job.name).last_sequence
        steps = [a_step(1), a_step(2), a_conclusion(3)]
        for step in steps[:2]:
            store.commit_step(*job.caller, step)
            assert _state(store, job.name) == (SearchState.RUNNING, "")
        store.commit_step(*job.caller, steps[2])
        assert _state(store, job.name) == (SearchState.CONCLUDED, "16 trees are enough")
        assert _state(store, job.name, DEPTH) == (SearchState.PENDING, "")
        assert [event.what for event in log_of(store, job.name)[before:]] == [
            steps[0],
            SearchStateChanged(TREES, SearchState.RUNNING, ""),
            steps[1],
            steps[2],
            SearchStateChanged(TREES, SearchState.CONCLUDED, "16 trees are enough"),
        ]
        with pytest.raises(WrongStateError, match="ended"):
            store.commit_step(*job.caller, a_step(4))

    @pytest.mark.parametrize(
        ("conclusion", "state"),
        [
            (Conclusion.FAILED, SearchState.FAILED),
            (Conclusion.BUDGET, SearchState.CONCLUDED),
            (Conclusion.ANSWERED, SearchState.CONCLUDED),
        ],
    )
    def test_a_first_step_may_conclude(
        self, store: Store, conclusion: Conclusion, state: SearchState
    ) -> None:
        job = a_running_job(store)
        store.commit_step(*job.caller, a_conclusion(1, conclusion=conclusion))
        assert _state(store, job.name) == (state, "16 trees are enough")

    def test_the_same_step_again_is_no_news_and_another_is_refused(self, store: Store) -> None:
        job = a_running_job(store)
        for step in (a_step(1), a_step(2), a_conclusion(3)):
            store.commit_step(*job.caller, step)
        last = store.get_job(job.name).last_sequence
        for step in (a_step(1), a_conclusion(3)):
            assert store.commit_step(*job.caller, step)
        with pytest.raises(AlreadyExistsError, match="step 2"):
            store.commit_step(*job.caller, a_step(2, decision="try eight"))
        assert store.get_job(job.name).last_sequence == last

    @pytest.mark.parametrize("number", [-1, 0, 3])
    def test_steps_leave_no_gap(self, store: Store, number: int) -> None:
        job = a_running_job(store)
        store.commit_step(*job.caller, a_step(1))
        with pytest.raises(WrongStateError, match="gap; the next one's number is 2"):
            store.commit_step(*job.caller, a_step(number))

    def test_a_step_needs_its_search(self, store: Store) -> None:
        job = a_running_job(store)
        with pytest.raises(NotFoundError, match="svm/samples"):
            store.commit_step(*job.caller, a_step(1, "svm/samples"))
