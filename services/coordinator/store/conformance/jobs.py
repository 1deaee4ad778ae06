"""Jobs: made once a request, found, moved from state to state, deleted with their record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.coordinator.store.base import Store
from services.coordinator.store.conformance.making import MakeStore
from services.coordinator.store.conformance.samples import (
    BASELINE,
    DEPTH,
    TREES,
    a_conclusion,
    a_job,
    a_measurement,
    a_name,
    a_running_job,
    a_spec,
    a_step,
    a_try,
    kinds_of,
    log_of,
)
from services.coordinator.store.errors import (
    AlreadyExistsError,
    NotFoundError,
    StaleError,
    WrongStateError,
)
from tuner.curve import SearchState
from tuner.errors import TunerError
from tuner.jobs import JobState, JobStateChanged, RunnerEnded, SearchStateChanged
from tuner.wire.names import JobName


class JobsConformance:
    """Jobs: made once a request, found, moved, deleted with their record."""

    def test_a_new_job_is_pending_with_its_searches_and_first_event(self, store: Store) -> None:
        name, spec, before = a_name(), a_spec(name="trees", seed=2**62), datetime.now(UTC)
        job, made = store.create_job(name, spec, "ada", "r")
        assert made
        assert job == store.get_job(name)
        assert (job.name, job.spec, job.owner) == (name, spec, "ada")
        assert (job.state, job.reason, job.last_sequence, job.attempt) == ("PENDING", "", 1, 0)
        assert (job.start_time, job.end_time, job.billed_device_seconds) == (None, None, 0)
        assert before <= job.create_time <= datetime.now(UTC)
        assert job.create_time.utcoffset() == timedelta(0)
        searches = [(s.key, s.state, s.reason) for s in job.searches]
        assert searches == [(key, SearchState.PENDING, "") for key in (TREES, DEPTH, BASELINE)]
        (event,) = log_of(store, name)
        assert event.what == JobStateChanged(JobState.PENDING, "")
        assert event.time == job.create_time

    def test_the_same_request_gives_the_same_job_even_under_another_name(
        self, store: Store
    ) -> None:
        name = a_name()
        job, _ = store.create_job(name, a_spec(), "ada", "r")
        assert store.create_job(name, a_spec(), "ada", "r") == (job, False)
        assert store.create_job(a_name(), a_spec(), "ada", "r") == (job, False)
        assert [row.name for row in store.list_jobs(None, 10)[0]] == [name]

    def test_a_request_with_another_spec_is_refused(self, store: Store) -> None:
        name = a_name()
        store.create_job(name, a_spec(seed=1), "ada", "r")
        with pytest.raises(AlreadyExistsError, match="another spec"):
            store.create_job(name, a_spec(seed=2), "ada", "r")

    def test_a_name_is_taken_once(self, store: Store) -> None:
        name = a_name()
        store.create_job(name, a_spec(), "ada", "r")
        for request in ("r2", ""):
            with pytest.raises(AlreadyExistsError, match=str(name)):
                store.create_job(name, a_spec(), "ada", request)

    def test_requests_of_two_namespaces_and_requests_without_id_are_apart(
        self, store: Store
    ) -> None:
        names = [a_name("one"), a_name("two"), a_name("two"), a_name("two")]
        for name, request in zip(names, ["r", "r", "", ""], strict=True):
            _, made = store.create_job(name, a_spec(), "ada", request)
            assert made

    def test_what_is_not_there_is_not_found(self, store: Store) -> None:
        name = JobName("default", "nowhere")
        for call in (
            lambda: store.get_job(name),
            lambda: store.set_job_state(name, JobState.QUEUED, "", [JobState.PENDING]),
            lambda: store.delete_job(name),
            lambda: store.create_attempt(name, "s", "c"),
            lambda: store.live_attempt(name),
            lambda: store.attempts(name),
            lambda: store.enrol(name, "c", "t"),
            lambda: store.heartbeat(name, 1, 1),
            lambda: store.end_attempt(name, 1, 1, "LOST", ""),
            lambda: store.commit_step(name, 1, 1, a_step()),
            lambda: store.record(name, 1, 1, [], []),
            lambda: store.events(name, 0, 1),
            lambda: store.plan(name),
            lambda: store.measurements(name),
            lambda: store.billed_by_level(name),
        ):
            with pytest.raises(NotFoundError, match=str(name)):
                call()

    def test_pages_go_from_new_to_old_and_miss_nothing(self, store: Store) -> None:
        ours = [a_job(store, a_name("ours")) for _ in range(5)]
        other = a_job(store, a_name("theirs"))
        seen, key = [], None
        for _ in range(3):
            jobs, key = store.list_jobs("ours", 2, key)
            seen += [job.name for job in jobs]
            a_job(store, a_name("ours"))  # newer than the pages that follow
        assert (seen, key) == (ours[::-1], None)
        everything, key = store.list_jobs(None, 100)
        assert key is None
        assert {job.name for job in everything} > {*ours, other}
        assert all(len(job.searches) == 3 for job in everything)

    def test_a_full_last_page_has_no_next(self, store: Store) -> None:
        for _ in range(2):
            a_job(store)
        assert store.list_jobs(None, 2)[1] is None

    @pytest.mark.parametrize("key", ["", "x", "-1", "9" * 30, "1 OR 1=1"])
    def test_a_foreign_key_is_no_place_to_go_on(self, store: Store, key: str) -> None:
        with pytest.raises(TunerError, match="before"):
            store.list_jobs(None, 2, key)

    def test_jobs_in_some_states_come_oldest_first(self, store: Store) -> None:
        names = [a_job(store) for _ in range(4)]
        store.set_job_state(names[1], JobState.QUEUED, "", [JobState.PENDING])
        store.set_job_state(names[2], JobState.CANCELLED, "", [JobState.PENDING])
        waiting = store.jobs_in([JobState.QUEUED, JobState.PENDING])
        assert [job.name for job in waiting] == [names[0], names[1], names[3]]
        assert store.jobs_in([JobState.RUNNING]) == []
        assert store.jobs_in([]) == []

    def test_states_carry_times_and_events(self, make_store: MakeStore) -> None:
        ticks = iter(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=h) for h in range(100))
        store = make_store(clock=lambda: next(ticks))
        name = a_job(store)
        for state in (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED, JobState.RUNNING):
            job = store.set_job_state(name, state, f"now {state}", list(JobState))
            assert (job.state, job.reason) == (state, f"now {state}")
        ended = store.set_job_state(name, JobState.SUCCEEDED, "", [JobState.RUNNING])
        rows = log_of(store, name)
        assert [row.what for row in rows[1:-1]] == [
            JobStateChanged(JobState(s), f"now {s}")
            for s in ("QUEUED", "RUNNING", "PAUSED", "RUNNING")
        ]
        assert (ended.start_time, ended.end_time) == (rows[2].time, rows[-1].time)
        assert [row.time.hour for row in rows if row.time] == [0, 1, 2, 3, 4, 5]
        store.close()

    def test_a_job_moves_only_from_where_it_is_expected(self, store: Store) -> None:
        name = a_job(store)
        with pytest.raises(
            WrongStateError, match="is PENDING; to become RUNNING it must be QUEUED"
        ):
            store.set_job_state(name, JobState.RUNNING, "", [JobState.QUEUED])
        assert store.get_job(name).last_sequence == 1

    @pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED])
    def test_what_has_ended_stays_so(self, store: Store, state: JobState) -> None:
        name = a_job(store)
        store.set_job_state(name, state, "", [JobState.PENDING])
        with pytest.raises(WrongStateError):
            store.set_job_state(name, JobState.RUNNING, "", list(JobState))
        with pytest.raises(WrongStateError, match="ended"):
            store.create_attempt(name, "s", "c")

    @pytest.mark.parametrize(
        ("state", "moved"),
        [
            (JobState.CANCELLED, SearchState.CANCELLED),
            (JobState.FAILED, SearchState.FAILED),
            (JobState.SUCCEEDED, None),
        ],
    )
    def test_the_end_of_a_job_ends_its_attempt_and_its_open_searches(
        self, store: Store, state: JobState, moved: SearchState | None
    ) -> None:
        job = a_running_job(store)
        store.commit_step(*job.caller, a_step(search=DEPTH))
        store.commit_step(*job.caller, a_conclusion(1))
        before = store.get_job(job.name).last_sequence
        row = store.set_job_state(job.name, state, "why", [JobState.RUNNING])
        states = {search.key: (search.state, search.reason) for search in row.searches}
        assert states[TREES] == (SearchState.CONCLUDED, "16 trees are enough")
        new = [event.what for event in log_of(store, job.name)[before:]]
        assert new[0] == RunnerEnded(job.attempt, state, "why")
        assert new[-1] == JobStateChanged(state, "why")
        if moved:
            assert states[DEPTH] == states[BASELINE] == (moved, "why")
            assert new[1:-1] == [SearchStateChanged(key, moved, "why") for key in (DEPTH, BASELINE)]
        else:
            assert states[DEPTH] == (SearchState.RUNNING, "")
            assert len(new) == 2
        assert store.live_attempt(job.name) is None
        (attempt,) = store.attempts(job.name)
        assert (attempt.outcome, attempt.reason, attempt.end_time) == (state, "why", row.end_time)
        with pytest.raises(StaleError):
            store.record(*job.caller, [a_measurement(job.name)], [])

    def test_deleting_takes_the_whole_record_and_frees_the_name(self, store: Store) -> None:
        job, other = a_running_job(store), a_running_job(store)
        for each in (job, other):
            store.commit_step(*each.caller, a_step())
            store.record(*each.caller, [a_measurement(each.name)], [a_try()])
        with pytest.raises(WrongStateError, match="cancel"):
            store.delete_job(job.name)
        store.set_job_state(job.name, JobState.CANCELLED, "", [JobState.RUNNING])
        store.delete_job(job.name)
        with pytest.raises(NotFoundError):
            store.get_job(job.name)
        a_job(store, job.name)
        assert kinds_of(log_of(store, job.name)) == ["JobStateChanged"]
        assert store.attempts(job.name) == []
        assert store.plan(job.name) == []
        assert store.measurements(job.name) == ([], 0)
        assert len(store.measurements(other.name)[0]) == len(store.plan(other.name)) == 1
        fresh = store.create_attempt(job.name, "s", "c")
        assert fresh.number == job.attempt
        with pytest.raises(StaleError):  # the deleted job's runner
            store.heartbeat(*job.caller)

    def test_reasons_may_hold_anything_a_program_says(self, store: Store) -> None:
        name = a_job(store)
        job = store.set_job_state(
            name, JobState.FAILED, "died: \0 é 漢 'quoted' %s", list(JobState)
        )
        assert job.reason == "died: \ufffd é 漢 'quoted' %s"
