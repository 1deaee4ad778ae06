"""A learner and a metric of one's own, sent along with a job and run by the cluster's workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner import JobSpec, TunerError
from tuner.client.own_code import entry_of

FOLDER = Path(__file__).parents[2] / "examples" / "own_learner"


def test_the_example_runs_on_workers_that_have_nothing_of_it(client, stack):
    spec = JobSpec.from_file(FOLDER / "job.yaml", entry_of)
    assert "tuner run examples/own_learner/job.yaml" in (FOLDER / "job.yaml").read_text()
    search, forest = spec.searches
    quick = {
        "searches": (
            search.model_copy(update={"levels": (1, 2)}),
            forest.model_copy(update={"levels": (2, 4)}),
        ),
        "tuning": spec.tuning.model_copy(update={"trials": 1}),
        "measuring": spec.measuring.model_copy(update={"min_replicates": 2, "max_replicates": 2}),
    }
    job = client.submit(spec.model_copy(update=quick))
    result = job.result()
    assert result.state == "SUCCEEDED", job.status.reason
    curve = result.curves["Attention/depth"]
    assert (curve.metric, curve.direction) == ("attention:cost", "minimize")
    assert all(row.replicates == 2 and row.score > 0 for row in curve.levels)
    measured = job.measurements("forest/trees")
    assert all(m.scores["attention:cost"] >= m.scores["error"] for m in measured)
    # Nothing of the path here is told, and the folder as it is gives the same job again.
    assert job.spec.code.folder == "own_learner"
    report = stack.tuner("report", job.id).stdout
    assert "code: own_learner" in report


@pytest.mark.slow
def test_what_cannot_be_used_fails_its_search_and_the_others_go_on(client, tmp_path: Path):
    (tmp_path / "mine.py").write_text("def cost(truth, given):\n    return 'much'\n")
    data = {
        "dataset": "digits",
        "code": str(tmp_path),
        "direction": "minimize",
        "searches": [
            {"learner": "forest", "axis": "trees", "levels": [1, 2], "metric": "mine:worth"},
            {"learner": "forest", "axis": "leaves", "levels": [2, 4], "metric": "error"},
        ],
        "tuning": {"trials": 1},
        "measuring": {"min_replicates": 2, "max_replicates": 2},
        "baseline": None,
    }
    job = client.submit(data)
    assert job.wait() == "SUCCEEDED", job.status.reason
    assert "mine has no 'worth'" in job.status.reason


def test_what_cannot_be_imported_is_refused_here(client, tmp_path: Path):
    (tmp_path / "mine.py").write_text("raise RuntimeError('not today')\n")
    search = {"learner": "mine:Learner", "axis": "depth", "levels": [1, 2]}
    with pytest.raises(TunerError) as caught:
        client.submit({"dataset": "digits", "code": str(tmp_path), "searches": [search]})
    assert "RuntimeError: not today" in caught.value.violations[0].problem
