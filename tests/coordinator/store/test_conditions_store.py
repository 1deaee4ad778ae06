"""What came of conditions, and what models take to use: kept with their measurements, whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.coordinator.store import SqlStore, open_store
from services.coordinator.store.conformance.samples import (
    TREES,
    a_measurement,
    a_name,
    a_running_job,
    a_step,
    log_of,
)
from services.coordinator.store.rows import Recorded
from tuner.record import FOOTPRINT, Footprint, Measurement, Outcome, Phase, Stress
from tuner.spec import JobSpec, Search
from tuner.wire.names import JobName

STRESSES = (
    Stress("noise:3", Outcome.COMPLETED, 1000, 0.5, note="beyond what was trained on \0"),
    Stress("label_noise:0.2", Outcome.TIMED_OUT, 0, 12.25, "the time ran out"),
    Stress(FOOTPRINT, Outcome.CRASHED, 0, 0.0, "it can't be saved"),
)
FOOT = Footprint(0.1 + 0.2, 5e-324, 2**40, 1.5)


def stressed(name: JobName, number: int = 0, **changes: object) -> Measurement:
    scores = {"brier": 0.25, "brier@clean": 0.26, "brier@noise:3": float("inf")}
    told = {"phase": Phase.MEASURING, "scores": scores, "stresses": STRESSES, "footprint": FOOT}
    return a_measurement(name, number, **{**told, **changes})


def test_stresses_and_footprints_come_back_whole_and_outlast_the_store(
    store: SqlStore, url: str
) -> None:
    job = a_running_job(store)
    rows = [
        stressed(job.name),
        stressed(job.name, 1, stresses=(), footprint=replace(FOOT, latency_ms=0.0)),
        stressed(job.name, 2, stresses=STRESSES[:1], footprint=None),
        stressed(job.name, 3, outcome=Outcome.DIVERGED, scores={}, footprint=None),
    ]
    ahead = stressed(job.name, 9, packet=f"{TREES}:ahead:1")
    assert store.record(*job.caller, rows, [], [ahead]) == Recorded(4, 0, 0)
    for opened in (store, open_store(url)):
        found, _ = opened.measurements(job.name)
        assert [replace(m, record_time=None) for m in found] == rows
        assert opened.measurements(job.name, TREES)[0] == found
        assert [event.what for event in log_of(opened, job.name)[-4:]] == found
        assert opened.surplus(job.name) == [ahead]
    opened.close()
    claimed = replace(ahead, packet=f"{TREES}:2:0")
    assert store.record(*job.caller, [claimed], []) == Recorded(1, 0, 0)
    assert replace(store.measurements(job.name)[0][-1], record_time=None) == claimed


def test_only_scores_make_another_result(store: SqlStore) -> None:
    job = a_running_job(store)
    row = stressed(job.name)
    store.record(*job.caller, [row], [])
    slower = replace(row, stresses=STRESSES[::-1], footprint=replace(FOOT, latency_ms=9.0))
    assert store.record(*job.caller, [slower], []) == Recorded(0, 1, 0)
    other = replace(row, scores={**row.scores, "brier@noise:3": 0.5})
    assert store.record(*job.caller, [other], []) == Recorded(0, 0, 1)
    (found,), _ = store.measurements(job.name)
    assert (found.stresses, found.footprint) == (STRESSES, FOOT)
    conflict = log_of(store, job.name)[-1].what
    assert "brier@noise:3 0.5" in conflict.error


def test_barred_levels_are_part_of_their_step(store: SqlStore) -> None:
    job = a_running_job(store)
    step = replace(a_step(), barred=((4, "takes 7 ms, and 5 are allowed"), (16, "has 3 MB")))
    assert store.commit_step(*job.caller, step) is False
    assert store.commit_step(*job.caller, step) is True
    assert store.plan(job.name) == [step]


@pytest.mark.parametrize(
    "changes",
    [
        {"robustness": {"conditions": ["noise:3", "label_noise"], "examples": 50, "steps": 7}},
        {"limits": {"latency_ms": 0.1, "model_mb": 1e-6}, "measuring": {"footprint": True}},
        {"searches": [Search("cnn", metric="error@pgd:0.031", conditions=["fgsm:0.1"])]},
    ],
)
def test_jobs_keep_their_conditions_and_limits(store: SqlStore, changes: dict[str, object]) -> None:
    spec = JobSpec(
        **{"dataset": "digits", "baseline": None, "searches": [Search("forest")]} | changes
    )
    name = a_name()
    store.create_job(name, spec, "ada", f"request of {name}")
    found = store.get_job(name).spec
    assert found == spec
    key = spec.searches[0].key
    assert (found.conditions(key), found.footprint) == (spec.conditions(key), spec.footprint)
