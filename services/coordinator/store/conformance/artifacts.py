"""Files of jobs, where predictions are in them, and what a job's data turned out to be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.coordinator.store.base import Store
from services.coordinator.store.conformance.samples import (
    Running,
    a_measurement,
    a_name,
    a_running_job,
    a_spec,
)
from services.coordinator.store.errors import DataChangedError, NotFoundError, StaleError
from services.coordinator.store.rows import Recorded
from tuner.errors import TunerError
from tuner.jobs import Artifact, DatasetFacts, JobState
from tuner.record import Place
from tuner.spec import Dataset

ONE, TWO, THREE = "a1" * 32, "b2" * 32, "c3" * 32
FACTS = DatasetFacts("d1" * 32, 1797, 450, 10, 64, ("Few test cases.", "Zwölf Dörfer."))


def attach(store: Store, job: Running, name: str, sha256: str, size: int = 100) -> None:
    store.attach(*job.caller, Artifact(name, sha256, size))


def end(store: Store, job: Running) -> set[str]:
    store.set_job_state(job.name, JobState.CANCELLED, "", [JobState.RUNNING])
    return store.delete_job(job.name)


def a_dataset(file: dict[str, object]) -> Dataset:
    return Dataset(source="npz", files=[file])


class ArtifactsConformance:
    """Files of jobs, and what a job's data turned out to be."""

    def test_files_are_listed_by_name_and_another_of_a_name_takes_its_place(
        self, store: Store
    ) -> None:
        job = a_running_job(store)
        assert store.artifacts(job.name) == []
        attach(store, job, "truth.npz", ONE)
        attach(store, job, "model/weights", TWO, 2**40)
        attach(store, job, "truth.npz", ONE)
        found = store.artifacts(job.name)
        assert [(a.name, a.sha256, a.size_bytes) for a in found] == [
            ("model/weights", TWO, 2**40),
            ("truth.npz", ONE, 100),
        ]
        assert all(a.create_time for a in found)
        assert [a.name for a in store.artifacts(job.name, "model/weights")] == ["truth.npz"]
        assert [a.name for a in store.artifacts(job.name, limit=1)] == ["model/weights"]
        attach(store, job, "truth.npz", THREE, 7)
        assert {a.name: a.sha256 for a in store.artifacts(job.name)}["truth.npz"] == THREE
        assert store.has_artifact(job.name, THREE)
        assert not store.has_artifact(job.name, ONE)

    def test_only_the_living_attempt_attaches_and_describes(self, store: Store) -> None:
        job = a_running_job(store)
        store.create_attempt(job.name, "ray-{attempt}", "code 2")
        with pytest.raises(StaleError):
            attach(store, job, "truth.npz", ONE)
        with pytest.raises(StaleError):
            store.describe_dataset(*job.caller, FACTS)
        with pytest.raises(NotFoundError):
            store.attach(a_name(), 1, 1, Artifact("x", ONE, 1))
        with pytest.raises(NotFoundError):
            store.artifacts(a_name())
        assert store.artifacts(job.name) == []
        assert store.get_job(job.name).dataset is None

    def test_measurements_and_surplus_keep_where_their_predictions_are(self, store: Store) -> None:
        job = a_running_job(store)
        attach(store, job, "predictions/1", ONE)
        rows = [
            a_measurement(job.name, 0, predictions=Place(ONE, 0, 60)),
            a_measurement(job.name, 1, predictions=Place(ONE, 60, 40)),
            a_measurement(job.name, 2),
        ]
        assert store.record(*job.caller, rows[:2], [], [rows[2]]) == Recorded(2, 0, 0)
        found, _ = store.measurements(job.name)
        assert [m.predictions for m in found] == [m.predictions for m in rows[:2]]
        # Where they are is no part of the result.
        assert store.record(*job.caller, [replace(rows[0], predictions=None)], []).repeated == 1
        ahead = a_measurement(job.name, 3, predictions=Place(ONE, 1, 2))
        store.record(*job.caller, [], [], [ahead])
        assert ahead in store.surplus(job.name)

    @pytest.mark.parametrize(
        ("place", "field"),
        [
            (Place(TWO, 0, 10), "sha256"),
            (Place(ONE, -1, 10), "offset"),
            (Place(ONE, 91, 10), "offset"),
            (Place(ONE, 0, 0), "offset"),
            (Place("", 0, 10), "sha256"),
        ],
    )
    def test_a_row_whose_predictions_are_nowhere_is_refused_with_its_batch(
        self, store: Store, place: Place, field: str
    ) -> None:
        job, other = a_running_job(store), a_running_job(store)
        attach(store, job, "predictions/1", ONE)
        attach(store, other, "predictions/2", TWO)
        good, bad = a_measurement(job.name, 0), a_measurement(job.name, 1, predictions=place)
        for name, batch in (
            ("measurements", ([good, bad], [])),
            ("surplus", ([good], [good, bad])),
        ):
            with pytest.raises(TunerError) as refused:
                store.record(*job.caller, batch[0], [], batch[1])
            assert refused.value.violations[0].field == f"{name}[1].predictions.{field}"
        assert store.measurements(job.name) == ([], 0)
        assert store.surplus(job.name) == []

    def test_a_deleted_jobs_files_are_told_and_who_else_has_them(self, store: Store) -> None:
        one, two = a_running_job(store), a_running_job(store)
        attach(store, one, "truth.npz", ONE)
        attach(store, two, "truth.npz", ONE)
        attach(store, one, "predictions/2", TWO)
        assert store.referenced([ONE, TWO, THREE]) == {ONE, TWO}
        files = end(store, one)
        assert files == {ONE, TWO}
        assert store.referenced(files) == {ONE}
        assert [a.sha256 for a in store.artifacts(two.name)] == [ONE]
        assert end(store, two) == {ONE}
        assert store.referenced(files) == set()

    def test_a_data_sets_files_are_its_jobs_too(self, store: Store) -> None:
        file = {"name": "x.npz", "sha256": THREE, "size_bytes": 5}
        spec = a_spec().model_copy(update={"dataset": a_dataset(file)})
        names = [a_name(), a_name()]
        for name in names:
            store.create_job(name, spec, "ada", f"request of {name}")
            store.set_job_state(name, JobState.CANCELLED, "", [JobState.PENDING])
        assert store.delete_job(names[0]) == {THREE}
        assert store.referenced([THREE]) == {THREE}
        assert store.delete_job(names[1]) == {THREE}
        assert store.referenced([THREE]) == set()

    def test_the_first_description_stays_and_other_data_is_refused(self, store: Store) -> None:
        job = a_running_job(store)
        assert store.get_job(job.name).dataset is None
        assert store.describe_dataset(*job.caller, FACTS) is False
        assert store.get_job(job.name).dataset == FACTS
        assert store.get_job(job.name).status().dataset == FACTS
        # The same data in other words, by a newer version of the runner.
        assert store.describe_dataset(*job.caller, replace(FACTS, notes=())) is True
        other = replace(FACTS, digest="e2" * 32, examples=1800)
        with pytest.raises(
            DataChangedError, match=r"the data changed since the job began.*1797.*1800"
        ):
            store.describe_dataset(*job.caller, other)
        assert store.get_job(job.name).dataset == FACTS
