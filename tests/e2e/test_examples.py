"""The examples do what they say, against a real stack, and every spec among them is valid."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack
from tuner import read_jobs

EXAMPLES = Path(__file__).parents[2] / "examples"
SPECS = sorted(EXAMPLES.glob("*.yaml"))
SCRIPTS = {
    # What must stand in the output of each, smaller than it comes.
    "submit.py": ("cnn/depth: depth 1, 2: measure", "forest/trees, judged on brier", "a doubling"),
    "own_sweep.py": ("one more doubling", "by seeds and test examples: "),
    "own_data.py": ("submitted namespaces/default/jobs/spirals-", "the baseline, a perceptron"),
    # These two need no coordinator.
    "ray_tune.py": ("the climb: ", "  width 8: ", "  best: {'width': ", "of 50 trials: "),
    "optuna_study.py": ("PLATEAUED after ", "16 trees: "),
}


def run(stack: Stack, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / script), "--quick"],
        env={**stack.environment, "OMP_NUM_THREADS": "1"},  # a script has no cores to itself
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.name)
def test_every_spec_is_valid_and_says_how_it_is_run(spec: Path):
    jobs = read_jobs(spec)
    if len(jobs) == 1:
        assert jobs[0].name.replace(" ", "_") == spec.stem
    else:
        assert len({job.name for job in jobs}) == len(jobs)
    assert f"tuner run examples/{spec.name}" in spec.read_text()


def test_every_script_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SCRIPTS)


@pytest.mark.parametrize(
    "script",
    [
        # Ray Tune of one's own is driven in tests/integrations/, too, on less.
        pytest.param(script, marks=[pytest.mark.slow] if script == "ray_tune.py" else [])
        for script in sorted(SCRIPTS)
    ],
)
def test_the_script_runs_and_tells_what_it_found(stack: Stack, script: str):
    done = run(stack, script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for words in SCRIPTS[script]:
        assert words in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_no_silver_bullet_ends_in_fifteen_minutes(stack: Stack, tmp_path: Path):
    """What it teaches is so here, too: no line parts the classes of xor."""
    file = EXAMPLES / "no_silver_bullet.yaml"
    done = stack.tuner("run", str(file), "--save", str(tmp_path), timeout=900)
    assert done.returncode == 0, done.stderr
    for words in ("Learners compared", "What breaks them", "The cheapest that is good enough"):
        assert words in done.stdout
    told = json.loads((tmp_path / "summary.json").read_text())
    assert [job["name"] for job in told["jobs"]] == [job.name for job in read_jobs(file)]
    assert not {"perceptron", "logistic"} & set(told["jobs"][0]["best"])
    for spec, folder in zip(read_jobs(file), sorted(tmp_path.glob("?-*")), strict=True):
        found = json.loads((folder / "report.json").read_text())
        effects = found["robustness"]["effects"]
        scored = {e["condition"] for e in effects if e["under"]["score"] is not None}
        assert scored == set(spec.all_conditions())


def test_a_script_without_a_coordinator_says_what_to_do(tmp_path: Path):
    done = run(Stack(tmp_path / "nothing-here"), "submit.py")
    assert done.returncode == 1
    assert "start one with `tuner up`" in done.stderr
