"""Measurements and packet attempts: each once, in order, with their bill."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from services.coordinator.store.base import Store
from services.coordinator.store.codec import pack
from services.coordinator.store.conformance.samples import (
    DEPTH,
    START,
    TREES,
    a_measurement,
    a_running_job,
    a_step,
    a_try,
    kinds_of,
    log_of,
)
from services.coordinator.store.errors import NotFoundError
from services.coordinator.store.rows import Recorded
from tuner.errors import TunerError
from tuner.jobs import Event
from tuner.record import Measurement, Outcome, PacketAttempt, PacketOutcome, Phase


class ResultsConformance:
    """Measurements and tries at packets: final, billed, and paged."""

    def test_rows_come_back_whole_with_their_record_time(self, store: Store) -> None:
        job = a_running_job(store)
        rows = [
            a_measurement(job.name, 1),
            a_measurement(job.name, 2, outcome=Outcome.DIVERGED, scores={}, error="loss: nan \0"),
            a_measurement(
                job.name, 3, search=DEPTH, phase=Phase.MEASURING, setting=(), replicate=7
            ),
            a_measurement(job.name, 4, phase=Phase.RUNNER_UP),
        ]
        assert store.record(*job.caller, rows, []) == Recorded(4, 0, 0)
        found, position = store.measurements(job.name)
        assert [replace(m, record_time=None) for m in found] == rows
        events = log_of(store, job.name)[-4:]
        assert [event.what for event in events] == found
        assert {m.record_time for m in found} == {events[0].time}
        assert position == events[-1].sequence

    def test_scores_come_back_bit_for_bit(self, store: Store) -> None:
        job = a_running_job(store)
        scores = {"a": -0.0, "b": float("nan"), "c": 5e-324, "d": 0.1 + 0.2, "e": float("-inf")}
        sent = a_measurement(job.name, scores=scores)
        store.record(*job.caller, [sent], [])
        (found,) = store.measurements(job.name)[0]
        assert {k: struct.pack(">d", v) for k, v in found.scores.items()} == {
            k: struct.pack(">d", v) for k, v in scores.items()
        }
        assert store.record(*job.caller, [sent], []) == Recorded(0, 1, 0)

    def test_the_same_result_again_changes_nothing(self, store: Store) -> None:
        job = a_running_job(store)
        rows = [a_measurement(job.name, i) for i in range(4)]
        store.record(*job.caller, rows[:2], [a_try(0)])
        dearer = [replace(m, billed_device_seconds=9.0, packet_attempt=2) for m in rows]
        assert store.record(*job.caller, dearer, [a_try(0)]) == Recorded(2, 2, 0)
        found = store.measurements(job.name)[0]
        assert [m.billed_device_seconds for m in found] == [0.5, 0.5, 9.0, 9.0]
        assert kinds_of(log_of(store, job.name)).count("PacketAttempt") == 1

    def test_another_result_is_kept_as_a_conflict_and_bills_nothing(self, store: Store) -> None:
        job = a_running_job(store)
        first = a_measurement(job.name, 5)
        store.record(*job.caller, [first], [a_try(5)])
        other = replace(first, scores={"brier": 0.75}, packet_attempt=2)
        second_try = a_try(5, number=2, node="node-9")
        for _ in range(2):
            assert store.record(*job.caller, [other], [second_try]) == Recorded(0, 0, 1)
        assert store.measurements(job.name)[0][0].scores == first.scores
        whats = [event.what for event in log_of(store, job.name)]
        tries = [what for what in whats if isinstance(what, PacketAttempt)]
        assert [a.outcome for a in tries] == ["COMPLETED", "CONFLICT", "COMPLETED"]
        conflict = tries[1]
        assert (conflict.packet, conflict.number, conflict.node) == (first.packet, 2, "node-9")
        assert (conflict.start_time, conflict.billed_device_seconds) == (START, 0)
        assert first.id in conflict.error
        assert "COMPLETED (brier 0.75)" in conflict.error
        assert store.get_job(job.name).billed_device_seconds == 1.0

    def test_a_conflict_without_its_try_is_kept_too(self, store: Store) -> None:
        job = a_running_job(store)
        first = a_measurement(job.name)
        crashed = replace(first, outcome=Outcome.CRASHED, scores={}, error="boom")
        assert store.record(*job.caller, [first, crashed, first], []) == Recorded(1, 1, 1)
        conflict = log_of(store, job.name)[-1].what
        assert isinstance(conflict, PacketAttempt)
        assert (conflict.outcome, conflict.runner_attempt) == (PacketOutcome.CONFLICT, job.attempt)

    def test_the_bill_is_the_sum_over_distinct_tries(self, store: Store) -> None:
        job = a_running_job(store)
        tries = [a_try(1, billed_device_seconds=2.5), a_try(1, number=2, billed_device_seconds=4.0)]
        store.record(*job.caller, [], [*tries, tries[0]])
        store.record(*job.caller, [], [replace(tries[1], billed_device_seconds=100.0)])
        store.record(*job.caller, [], [a_try(1, runner_attempt=2, billed_device_seconds=8.0)])
        assert store.get_job(job.name).billed_device_seconds == 14.5
        assert [e.what for e in log_of(store, job.name)[-3:-1]] == tries

    def test_levels_are_billed_by_their_measurements(self, store: Store) -> None:
        job = a_running_job(store)
        levels = [(TREES, 1, 0.5), (TREES, 4, 1.0), (TREES, 4, 2.0), (DEPTH, 1, 4.0)]
        rows = [
            a_measurement(job.name, i, search=search, level=level, billed_device_seconds=billed)
            for i, (search, level, billed) in enumerate(levels)
        ]
        assert store.billed_by_level(job.name) == {}
        store.record(*job.caller, rows, [])
        assert store.billed_by_level(job.name) == {
            (TREES, 1): 0.5,
            (TREES, 4): 3.0,
            (DEPTH, 1): 4.0,
        }

    def test_an_empty_batch_is_no_event(self, store: Store) -> None:
        job = a_running_job(store)
        before = store.get_job(job.name)
        assert store.record(*job.caller, [], []) == Recorded(0, 0, 0)
        assert store.get_job(job.name) == before

    def test_a_batch_is_recorded_whole_or_not_at_all(self, store: Store) -> None:
        job = a_running_job(store)
        rows = [a_measurement(job.name, 1), a_measurement(job.name, 2, search="svm/samples")]
        with pytest.raises(NotFoundError, match="svm/samples"):
            store.record(*job.caller, rows, [a_try()])
        assert store.measurements(job.name) == ([], 0)
        assert store.get_job(job.name).billed_device_seconds == 0

    @pytest.mark.parametrize("billed", [-1.0, float("nan"), float("inf")])
    def test_a_bill_is_a_finite_number(self, store: Store, billed: float) -> None:
        job = a_running_job(store)
        with pytest.raises(TunerError, match=r"measurements\[1\].billed_device_seconds"):
            rows = [a_measurement(job.name, i, billed_device_seconds=i * billed) for i in (0, 1)]
            store.record(*job.caller, [replace(rows[0], billed_device_seconds=0.0), rows[1]], [])
        with pytest.raises(TunerError, match=r"packet_attempts\[0\].billed_device_seconds"):
            store.record(*job.caller, [], [a_try(billed_device_seconds=billed)])

    def test_pages_of_measurements_and_events_meet_without_overlap(self, store: Store) -> None:
        job = a_running_job(store)
        for batch in range(4):
            keys = (TREES, DEPTH) if batch % 2 else (DEPTH, TREES)
            rows = [a_measurement(job.name, 10 * batch + i, search=keys[i % 2]) for i in range(5)]
            store.record(*job.caller, rows, [a_try(batch)])
            store.commit_step(*job.caller, a_step(batch + 1))
        everything, end = store.measurements(job.name)
        for search in (None, TREES, DEPTH, "nothing"):
            wanted = [m for m in everything if search in (None, m.search)]
            pages: list[Measurement] = []
            after = 0
            while True:
                page, position = store.measurements(job.name, search, after, 3)
                if not page:
                    assert position == after
                    break
                pages += page
                after = position
            assert pages == wanted
        assert store.measurements(job.name, None, end) == ([], end)
        events: list[Event] = []
        while following := store.events(job.name, len(events), 4):
            events += following
        assert events == log_of(store, job.name)

    def test_bytes_from_the_wire_are_kept_as_they_came_with_the_time_of_their_recording(
        self,
        store: Store,
    ) -> None:
        job, other = a_running_job(store), a_running_job(store)
        rows = [a_measurement(job.name, i, error="é" * i) for i in range(3)]
        payloads = [pack(row)[1] for row in rows]
        assert store.record(*job.caller, rows, [a_try()], (), payloads) == Recorded(3, 0, 0)
        assert store.record(*job.caller, rows[::-1], [], (), payloads[::-1]).repeated == 3
        found, _ = store.measurements(job.name)
        assert [replace(m, record_time=None) for m in found] == rows
        log = log_of(store, job.name)
        assert [e.what for e in log[-4:-1]] == found
        assert {m.record_time for m in found} == {log[-1].time}
        # A time that a runner claims is none.
        claimed = a_measurement(other.name, record_time=START)
        store.record(*other.caller, [claimed], [])
        (kept,), _ = store.measurements(other.name)
        assert kept.record_time == log_of(store, other.name)[-1].time

    def test_names_without_a_place_in_the_database_are_refused(self, store: Store) -> None:
        job = a_running_job(store)
        with pytest.raises(TunerError) as refused:
            store.record(*job.caller, [a_measurement(job.name, packet="a\0b")], [])
        assert refused.value.violations[0].field == "measurements[0].packet"
        with pytest.raises(TunerError) as refused:
            store.record(*job.caller, [], [a_try(), replace(a_try(), packet="\0")])
        assert refused.value.violations[0].field == "packet_attempts[1].packet"

    def test_a_lost_try_says_where_and_when(self, store: Store) -> None:
        job = a_running_job(store)
        tries = [a_try(1), a_try(2, outcome=PacketOutcome.LOST, node="node-9\0")]
        store.record(*job.caller, [], tries)
        since = log_of(store, job.name)[-1].time
        assert since is not None
        assert store.lost_by_node(since) == {"node-9\ufffd": 1}
