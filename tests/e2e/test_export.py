"""A chosen level is fitted once more on the cluster, and predicts here as it was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuner import TunerError, scoring
from tuner.client.export import choose
from tuner.datasets import registry
from tuner.datasets.splits import Splits
from tuner.learners import saved
from tuner.record import Phase
from tuner.spec import Split


def test_the_level_that_is_enough_is_exported_with_its_card(client, stack, tmp_path: Path):
    job = client.submit(
        {
            "dataset": "breast_cancer",
            "margin": 0.2,
            "metric": "error",
            "seed": 5,
            "searches": [{"learner": "forest", "axis": "trees", "levels": [2, 4, 8]}],
            "tuning": {"trials": 1},
        }
    )
    curve = job.result().curves["forest/trees"]
    assert curve.verdict is not None
    assert curve.verdict.level == 2, curve.verdict.reason

    folder = tmp_path / "model"
    done = stack.tuner("export", job.id, "forest/trees", "--output", str(folder))
    assert done.returncode == 0, done.stderr
    assert {Path(line).name for line in done.stdout.split()} == {p.name for p in folder.iterdir()}

    about = json.loads((folder / "model.json").read_text())
    assert (about["learner"], about["level"]) == ("forest", 2)
    assert sorted(about["data"]["classes"]) == ["benign", "malignant"]
    assert about["trained_on"] == [registry.load("breast_cancer").digest]
    # The same fold here gives the same model, and the same scores as were recorded there.
    fold = Splits(registry.load("breast_cancer"), Split(), 5).whole()
    model = saved.load(folder)
    found = scoring.scores(model.predict(fold.x_score), fold.y_score)
    fit = next(job for job in client.jobs() if job.spec.refit is not None)
    [measured] = fit.measurements()
    assert measured.phase is Phase.MEASURING
    assert measured.scores == pytest.approx(found)
    assert len(fold.x) > 1.05 * len(
        Splits(registry.load("breast_cancer"), Split(), 5).measuring(0).x
    )

    card = (folder / "card.md").read_text()
    assert card.startswith("# forest at trees 2\n")
    assert "the smallest level that the verdict calls enough" in card
    assert job.id in card
    with pytest.raises(TunerError, match="not valid") as caught:
        client.export(job, "forest/trees", level=8).save(folder)
    assert "isn't empty" in caught.value.violations[0].problem

    # Other data than it was chosen on is refused.
    choice = choose(job, "forest/trees")
    refit = choice.spec().refit.model_copy(update={"data_digest": "0" * 64})
    other = client.submit(choice.spec().model_copy(update={"refit": refit}))
    assert other.wait() == "FAILED"
    assert "the data has changed since" in other.status.reason
