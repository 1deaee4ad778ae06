"""A job under conditions, on the real stack: one record, verdicts under each, limits that bar."""

from __future__ import annotations

import pytest

from tuner import Client, JobSpec
from tuner.errors import TunerError
from tuner.jobs import JobState
from tuner.record import Outcome, Phase

SPEC = {
    "name": "what breaks them",
    "dataset": "digits",
    "split": {"train_limit": 300},
    "margin": 0.05,
    "seed": 3,
    "searches": [
        {
            "learner": "cnn",
            "axis": "depth",
            "levels": [1, 2],
            "space": {"epochs": 2, "filters": 4},
            "conditions": ["pgd:0.1", "fgsm:0.1"],
        },
        {"learner": "forest", "axis": "trees", "levels": [1, 4, 16, 64], "metric": "error"},
    ],
    "robustness": {
        "conditions": ["noise:3", "decision:0.2", "label_noise:0.2"],
        "examples": 40,
        "steps": 5,
        "queries": 20,
    },
    "limits": {"model_mb": 0.2},
    "tuning": {"trials": 1},
    "measuring": {"min_replicates": 3, "max_replicates": 3},
}
EVERYWHERE = {"noise:3", "decision:0.2", "label_noise:0.2"}


def test_conditions_are_measured_beside_clean_scores_and_judged_like_them(client: Client):
    job = client.submit(JobSpec.parse(SPEC))
    assert job.wait(240) is JobState.SUCCEEDED, job.status.reason
    rows = list(job.measurements())
    measured = [row for row in rows if row.phase is Phase.MEASURING]
    for row in measured:
        assert row.outcome is Outcome.COMPLETED, row.error
        wanted = EVERYWHERE | ({"pgd:0.1", "fgsm:0.1"} if row.search == "cnn/depth" else set())
        assert {stress.condition for stress in row.stresses} == wanted
        assert {stress.outcome for stress in row.stresses} == {Outcome.COMPLETED}
        assert {stress.examples for stress in row.stresses} == {40}
        for condition in (*wanted, "clean"):
            assert f"error@{condition}" in row.scores
        assert row.footprint is not None
        assert 0 < row.robustness_device_seconds <= row.billed_device_seconds
    assert {row.search for row in measured} == {"cnn/depth", "forest/trees", "perceptron"}
    assert not [
        name for row in rows if row.phase is Phase.TUNING for name in row.scores if "@" in name
    ]

    clean, robust = job.curves(), job.curves(metric="error@pgd:.1")
    assert set(robust) == {"cnn/depth"}
    assert robust["cnn/depth"].metric == "error@pgd:0.1"
    for level in robust["cnn/depth"].levels:
        assert level.score > clean["cnn/depth"].at(level.level).score
        assert level.robustness_device_seconds > 0
    with pytest.raises(TunerError, match="noise:4"):
        job.curves(metric="error@noise:4")

    forest = clean["forest/trees"]
    barred = [row.level for row in forest.levels if row.barred]
    assert barred and barred == [lv for lv in (1, 4, 16, 64) if lv >= barred[0]]
    assert forest.verdict is not None
    assert forest.verdict.level not in barred
    for row in forest.levels:
        assert bool(row.barred) == (row.model_bytes > 200_000)

    result = job.result()
    assert set(result.robustness) == {"clean", *EVERYWHERE, "pgd:0.1", "fgsm:0.1"}
    assert result.comparisons_under["noise:3"].metric == "error@noise:3"
