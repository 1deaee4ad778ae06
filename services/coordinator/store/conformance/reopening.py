"""Jobs that go on after all, and ends of which somebody is to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.coordinator.store.base import Store
from services.coordinator.store.conformance.samples import (
    BASELINE,
    DEPTH,
    TREES,
    Running,
    a_conclusion,
    a_job,
    a_measurement,
    a_name,
    a_running_job,
    a_spec,
    a_step,
    log_of,
)
from services.coordinator.store.errors import (
    AlreadyExistsError,
    NotFoundError,
    StaleError,
    WrongStateError,
)
from tuner.curve import SearchState
from tuner.errors import invalid
from tuner.jobs import JobExtended, JobState, JobStateChanged, RunnerEnded, SearchStateChanged
from tuner.record import Conclusion, StepKind
from tuner.spec import JobSpec
from tuner.wire.names import JobName

HOOK = {"notify": {"webhook": "https://example.org/ended"}}


def more(spec: JobSpec) -> tuple[JobSpec, Sequence[str]]:
    """Doubles the most replicates, which tells how often it was done."""
    most = 2 * spec.measuring.max_replicates
    measuring = spec.measuring.model_copy(update={"max_replicates": most})
    return spec.model_copy(update={"measuring": measuring}), [f"at most {most} replicates"]


def an_ended_job(store: Store, state: JobState) -> Running:
    """One search has concluded, one was under way, and the baseline hadn't begun."""
    job = a_running_job(store)
    store.commit_step(*job.caller, a_step())
    store.commit_step(*job.caller, a_conclusion(2))
    store.commit_step(*job.caller, a_step(search=DEPTH))
    store.set_job_state(job.name, state, "so it ended", [JobState.RUNNING])
    return job


def states(store: Store, name: JobName) -> dict[str, str]:
    return {search.key: search.state.value for search in store.get_job(name).searches}


class ReopeningConformance:
    """Jobs that go on after all, and ends of which somebody is told."""

    @pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
    def test_what_was_broken_off_goes_on_where_it_was(self, store: Store, state: JobState) -> None:
        name = an_ended_job(store, state).name
        before = store.get_job(name)
        job = store.reopen_job(name, "ada", "resumed by ada", [state])
        assert job == store.get_job(name)
        assert (job.state, job.reason) == (JobState.QUEUED, "resumed by ada")
        assert (before.end_time is None, job.end_time) == (False, None)
        assert (job.start_time, job.spec) == (before.start_time, before.spec)
        assert [event.what for event in log_of(store, name)[before.last_sequence :]] == [
            SearchStateChanged(DEPTH, SearchState.RUNNING, ""),
            SearchStateChanged(BASELINE, SearchState.PENDING, ""),
            JobStateChanged(JobState.QUEUED, "resumed by ada"),
        ]
        assert job.reopened == job.last_sequence
        row = store.create_attempt(name, "s", "code 2")
        assert row.from_sequence >= job.reopened > store.attempts(name)[0].from_sequence
        assert not store.commit_step(name, row.number, row.epoch, a_step(2, search=DEPTH))
        with pytest.raises(WrongStateError, match="has ended"):
            store.commit_step(name, row.number, row.epoch, a_step(3))

    def test_an_extension_opens_every_search_and_comes_before_what_follows(
        self, store: Store
    ) -> None:
        name = an_ended_job(store, JobState.CANCELLED).name
        before = store.get_job(name)
        job = store.reopen_job(name, "ada", "extended by ada", [JobState.CANCELLED], more)
        assert job.spec == more(before.spec)[0] == store.get_job(name).spec
        assert [event.what for event in log_of(store, name)[before.last_sequence :]] == [
            JobExtended(job.spec, "ada", ("at most 40 replicates",)),
            SearchStateChanged(TREES, SearchState.RUNNING, ""),
            SearchStateChanged(DEPTH, SearchState.RUNNING, ""),
            SearchStateChanged(BASELINE, SearchState.PENDING, ""),
            JobStateChanged(JobState.QUEUED, "extended by ada"),
        ]
        row = store.create_attempt(name, "s", "code 2")
        # The plan goes on behind its conclusion.
        assert not store.commit_step(name, row.number, row.epoch, a_step(3))
        assert [step.kind for step in store.plan(name, TREES)] == [
            StepKind.TUNE,
            StepKind.CONCLUDE,
            StepKind.TUNE,
        ]

    def test_a_paused_job_resumes_with_its_searches_as_they_are(self, store: Store) -> None:
        job = a_running_job(store)
        store.commit_step(*job.caller, a_step())
        store.set_job_state(job.name, JobState.PAUSED, "a while", [JobState.RUNNING])
        before = store.get_job(job.name)
        store.reopen_job(job.name, "ada", "on", [JobState.PAUSED])
        (event,) = log_of(store, job.name)[before.last_sequence :]
        assert event.what == JobStateChanged(JobState.QUEUED, "on")
        assert store.get_job(job.name).searches == before.searches

    def test_a_pause_ends_the_live_attempt_and_allows_no_other(self, store: Store) -> None:
        job = a_running_job(store)
        store.set_job_state(job.name, JobState.PAUSED, "a while", [JobState.RUNNING])
        whats = [event.what for event in log_of(store, job.name)][-2:]
        assert whats == [
            RunnerEnded(job.attempt, "PAUSED", "a while"),
            JobStateChanged(JobState.PAUSED, "a while"),
        ]
        assert store.live_attempt(job.name) is None
        with pytest.raises(StaleError):
            store.record(*job.caller, [a_measurement(job.name)], [])
        with pytest.raises(WrongStateError, match="paused"):
            store.create_attempt(job.name, "s", "code 2")

    def test_a_search_that_failed_by_itself_stays_so_unless_extended(self, store: Store) -> None:
        job = a_running_job(store)
        store.commit_step(*job.caller, a_conclusion(1, TREES, Conclusion.FAILED))
        store.set_job_state(job.name, JobState.FAILED, "no luck", [JobState.RUNNING])
        store.reopen_job(job.name, "ada", "", [JobState.FAILED])
        assert states(store, job.name) == {TREES: "FAILED", DEPTH: "PENDING", BASELINE: "PENDING"}
        store.set_job_state(job.name, JobState.FAILED, "no luck", [JobState.QUEUED])
        store.reopen_job(job.name, "ada", "", [JobState.FAILED], more)
        assert states(store, job.name) == {TREES: "RUNNING", DEPTH: "PENDING", BASELINE: "PENDING"}
        # Broken off once more, it is as open as the others: its old conclusion no longer counts.
        store.set_job_state(job.name, JobState.FAILED, "no luck", [JobState.QUEUED])
        store.reopen_job(job.name, "ada", "", [JobState.FAILED])
        assert states(store, job.name)[TREES] == "RUNNING"

    def test_nothing_is_reopened_where_nothing_is_open(self, store: Store) -> None:
        job = a_running_job(store)
        for search in (TREES, DEPTH, BASELINE):
            store.commit_step(*job.caller, a_conclusion(1, search))
        store.set_job_state(job.name, JobState.FAILED, "", [JobState.RUNNING])
        before = store.get_job(job.name)
        with pytest.raises(WrongStateError, match="extend it"):
            store.reopen_job(job.name, "ada", "", [JobState.FAILED])
        with pytest.raises(WrongStateError, match="is FAILED; to be reopened it must be PAUSED"):
            store.reopen_job(job.name, "ada", "", [JobState.PAUSED], more)
        with pytest.raises(NotFoundError):
            store.reopen_job(a_name(), "ada", "", [JobState.FAILED])
        assert store.get_job(job.name) == before

    def test_the_same_request_extends_once(self, store: Store) -> None:
        name = an_ended_job(store, JobState.SUCCEEDED).name
        ended = [JobState.SUCCEEDED]
        job = store.reopen_job(name, "ada", "", ended, more, ("r", "digest"))
        assert store.reopen_job(name, "ada", "", ended, more, ("r", "digest")) == job
        with pytest.raises(AlreadyExistsError, match="another request"):
            store.reopen_job(name, "ada", "", ended, more, ("r", "another digest"))
        assert store.get_job(name) == job
        # Of another job it is another request.
        other = an_ended_job(store, JobState.SUCCEEDED).name
        assert store.reopen_job(other, "ada", "", ended, more, ("r", "x")).state is JobState.QUEUED

    def test_an_extension_that_is_refused_leaves_no_trace(self, store: Store) -> None:
        name = an_ended_job(store, JobState.SUCCEEDED).name
        before = store.get_job(name)

        def refused(_spec: JobSpec) -> tuple[JobSpec, Sequence[str]]:
            raise invalid("max_replicates", "is less than before")

        with pytest.raises(Exception, match="less than before"):
            store.reopen_job(name, "ada", "", [JobState.SUCCEEDED], refused, ("r", "digest"))
        assert store.get_job(name) == before
        store.reopen_job(name, "ada", "", [JobState.SUCCEEDED], more, ("r", "another digest"))

    def test_what_was_submitted_is_what_a_request_is_compared_with(self, store: Store) -> None:
        name = a_name()
        store.create_job(name, a_spec(), "ada", "r")
        store.set_job_state(name, JobState.CANCELLED, "", [JobState.PENDING])
        for _ in range(2):
            job = store.reopen_job(name, "ada", "", [JobState.CANCELLED], more)
            store.set_job_state(name, JobState.CANCELLED, "", [JobState.QUEUED])
        again, made = store.create_job(a_name(), a_spec(), "ada", "r")
        assert (again.name, again.spec, made) == (name, job.spec, False)
        with pytest.raises(AlreadyExistsError):
            store.create_job(a_name(), job.spec, "ada", "r")

    def test_the_last_measurement_is_told_by_its_event(self, store: Store) -> None:
        job = a_running_job(store)
        assert store.last_measurement_sequence(job.name) == 0
        store.record(*job.caller, [a_measurement(job.name, n) for n in range(3)], [])
        sequence = store.get_job(job.name).last_sequence
        store.commit_step(*job.caller, a_step())
        assert store.last_measurement_sequence(job.name) == sequence
        assert store.create_attempt(job.name, "s", "c").from_sequence > sequence
        with pytest.raises(NotFoundError):
            store.last_measurement_sequence(a_name())

    @pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED])
    def test_an_end_is_to_be_told_until_it_was(self, store: Store, state: JobState) -> None:
        name, silent = a_name(), a_job(store)
        store.create_job(name, a_spec(**HOOK), "ada", "")
        store.set_job_state(silent, state, "", [JobState.PENDING])
        assert store.jobs_to_notify(10) == []
        job = store.set_job_state(name, state, "", [JobState.PENDING])
        assert store.jobs_to_notify(10) == [job]
        store.notified(name, job.last_sequence)
        assert store.jobs_to_notify(10) == []
        with pytest.raises(NotFoundError):
            store.notified(a_name(), 1)

    def test_a_job_that_goes_on_has_no_end_to_be_told_before_the_next(self, store: Store) -> None:
        name = a_name()
        store.create_job(name, a_spec(**HOOK), "ada", "")
        first = store.set_job_state(name, JobState.CANCELLED, "", [JobState.PENDING])
        store.reopen_job(name, "ada", "", [JobState.CANCELLED])
        assert store.jobs_to_notify(10) == []
        second = store.set_job_state(name, JobState.CANCELLED, "", [JobState.QUEUED])
        # Whoever still told of the first end doesn't take away the second.
        store.notified(name, first.last_sequence)
        assert store.jobs_to_notify(10) == [second]
        store.notified(name, second.last_sequence)
        assert store.jobs_to_notify(10) == []

    def test_the_latest_ends_come_first_some_at_a_time(self, store: Store) -> None:
        names = [a_name() for _ in range(3)]
        for name in names:
            store.create_job(name, a_spec(**HOOK), "ada", "")
            store.set_job_state(name, JobState.CANCELLED, "", [JobState.PENDING])
        assert [job.name for job in store.jobs_to_notify(2)] == names[:0:-1]

    def test_what_rests_has_no_share(self, store: Store) -> None:
        for state in (JobState.QUEUED, JobState.PAUSED, JobState.SUCCEEDED):
            job = a_running_job(store)
            store.set_share(job.name, 3, "as many as there are")
            assert store.get_job(job.name).share == 3
            rests = store.set_job_state(job.name, state, "", [JobState.RUNNING])
            assert replace(rests, share=None) == rests
        # Waiting for the cluster takes nothing away from what was admitted.
        name = a_job(store)
        store.set_job_state(name, JobState.QUEUED, "", [JobState.PENDING])
        store.set_share(name, 2, "admitted")
        store.set_job_state(name, JobState.QUEUED, "waiting for the cluster", [JobState.QUEUED])
        assert store.get_job(name).share == 2
