"""The spot test on a real stack, and a job whose time is over while fits are in flight."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conftest import Stack
from tuner.curve import SearchState
from tuner.record import PacketAttempt, PacketOutcome

FAMILIES = "perceptron,logistic,naive_bayes,cnn"


def ring(file: Path) -> Path:
    """Writes 300 points, one class within a circle and the other around it."""
    rng = np.random.default_rng(0)
    radius = np.repeat([1.0, 3.0], 150)
    angle = rng.uniform(0, 2 * np.pi, 300)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)]) + rng.normal(0, 0.3, (2, 300))
    rows = [
        f"{a:.3f},{b:.3f},{'in' if r < 2 else 'out'}" for a, b, r in zip(*x, radius, strict=True)
    ]
    file.write_text("\n".join(["east,north,where", *rows]) + "\n")
    return file


def test_a_table_is_looked_at_and_the_real_search_is_ready(stack: Stack, tmp_path: Path):
    file, folder = ring(tmp_path / "ring.csv"), tmp_path / "found"
    arguments = ["--families", FAMILIES, "--minutes", "10", "-o", "json", "--save", str(folder)]
    done = stack.tuner("spot", f"csv:{file}?target=where", *arguments, timeout=280)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    decided = {family["learner"]: family["decision"] for family in told["families"]}
    # No line parts a ring from what it goes round; what is within it is nearer to its mean.
    assert decided == {
        "naive_bayes": "worth",
        "logistic": "not_worth",
        "perceptron": "not_worth",
        "cnn": "unable",
    }
    assert json.loads((folder / "spot.json").read_text()) == told
    assert "at least" in (folder / "spot.md").read_text()
    assert "naive_bayes: running" in done.stderr
    again = stack.tuner("validate", str(folder / "search.yaml"), "-o", "json")
    assert again.returncode == 0, again.stderr
    assert [s["learner"] for s in json.loads(again.stdout)["searches"]] == ["naive_bayes"]


@pytest.mark.slow
def test_a_job_whose_time_is_over_ends_with_what_is_in_flight_broken_off(client):
    slow = {"learner": "simulated", "axis": "depth", "levels": [1, 2]}
    job = client.submit(
        {
            "dataset": "digits",
            "baseline": None,
            "searches": [
                {**slow, "key": "quick"},
                {**slow, "key": "slow", "space": {"seconds": 600}},
            ],
            "tuning": {"trials": 1},
            "measuring": {"min_replicates": 2, "max_replicates": 2},
            "budget": {"wall_clock_hours": 40 / 3600},
        }
    )
    assert job.wait(200) == "SUCCEEDED"
    searches = {search.key: search for search in job.status.searches}
    assert searches["slow"].state is SearchState.CONCLUDED
    assert "hours is over" in searches["slow"].reason
    assert len(job.measurements("quick")) == 4
    assert not job.measurements("slow")
    tries = [event.what for event in job.watch() if isinstance(event.what, PacketAttempt)]
    lost = [a for a in tries if a.outcome is PacketOutcome.ENDED]
    assert {a.packet.partition(":")[0] for a in lost} == {"slow"}
    # They had their slots, and that is billed.
    assert all(a.billed_device_seconds > 1 for a in lost)
    assert job.status.billed_device_seconds >= sum(a.billed_device_seconds for a in lost)
