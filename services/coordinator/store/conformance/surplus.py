"""Surplus: kept apart from the record until it is recorded as a measurement."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.coordinator.store.base import Store
from services.coordinator.store.conformance.samples import (
    DEPTH,
    TREES,
    a_measurement,
    a_name,
    a_running_job,
    a_try,
    log_of,
)
from services.coordinator.store.errors import NotFoundError, StaleError
from services.coordinator.store.rows import Recorded
from tuner.errors import TunerError
from tuner.jobs import JobState


class SurplusConformance:
    """Surplus: kept apart from the record until it is recorded."""

    def test_surplus_is_no_part_of_the_record_but_its_try_is_billed(self, store: Store) -> None:
        job = a_running_job(store)
        rows = [a_measurement(job.name, i, packet=f"{TREES}:ahead:1-{i}") for i in range(3)]
        tries = [a_try(packet=i) for i in range(3)]
        assert store.record(*job.caller, [], tries, rows) == Recorded(0, 0, 0)
        assert sorted(store.surplus(job.name), key=lambda m: m.packet) == rows
        assert store.measurements(job.name) == ([], 0)
        assert store.billed_by_level(job.name) == {}
        assert store.get_job(job.name).billed_device_seconds == 1.5
        assert [e.what for e in log_of(store, job.name)][-3:] == tries

    def test_surplus_that_is_recorded_as_a_measurement_is_surplus_no_more(
        self, store: Store
    ) -> None:
        job = a_running_job(store)
        first, second = (
            a_measurement(job.name, i, packet=f"{TREES}:ahead:1-{i}") for i in range(2)
        )
        store.record(*job.caller, [], [], [first, second])
        claimed = replace(first, packet=f"{TREES}:2:0")
        assert store.record(*job.caller, [claimed], []) == Recorded(1, 0, 0)
        assert store.surplus(job.name) == [second]
        (found,), _ = store.measurements(job.name)
        assert replace(found, record_time=None) == claimed

    def test_the_first_result_of_an_id_stays(self, store: Store) -> None:
        job = a_running_job(store)
        first = a_measurement(job.name, 1)
        other = replace(first, scores={"brier": 0.75})
        store.record(*job.caller, [], [], [first, other])
        store.record(*job.caller, [], [], [other])
        assert store.surplus(job.name) == [first]

    def test_jobs_have_surplus_of_their_own_which_goes_with_them(self, store: Store) -> None:
        one, two = a_running_job(store), a_running_job(store)
        for job in (one, two):
            store.record(*job.caller, [], [], [a_measurement(job.name)])
        store.set_job_state(one.name, JobState.CANCELLED, "", [JobState.RUNNING])
        store.delete_job(one.name)
        assert store.surplus(two.name) == [a_measurement(two.name)]
        with pytest.raises(NotFoundError):
            store.surplus(one.name)
        with pytest.raises(NotFoundError):
            store.surplus(a_name())

    def test_surplus_is_judged_as_measurements_are(self, store: Store) -> None:
        job = a_running_job(store)
        row = a_measurement(job.name)
        with pytest.raises(TunerError) as refused:
            store.record(*job.caller, [], [], [replace(row, billed_device_seconds=-1.0)])
        assert refused.value.violations[0].field == "surplus[0].billed_device_seconds"
        with pytest.raises(NotFoundError):
            store.record(*job.caller, [], [], [a_measurement(job.name, search="svm/none")])
        with pytest.raises(StaleError):
            store.record(job.name, job.attempt, job.epoch + 1, [], [], [row])
        assert store.surplus(job.name) == []
        store.record(*job.caller, [], [], [a_measurement(job.name, search=DEPTH)])
        assert len(store.surplus(job.name)) == 1
