"""A chosen level is fitted once more on the cluster, and predicts here as it was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import DIGITS, Stack
from tuner import Client, TunerError, scoring
from tuner.client import Job
from tuner.client.export import choose
from tuner.datasets import registry
from tuner.datasets.splits import Splits
from tuner.learners import saved
from tuner.record import Phase
from tuner.spec import Split


def test_the_level_that_is_enough_is_exported_with_its_card(
    digits_job: Job, client: Client, stack: Stack, tmp_path: Path
):
    job = digits_job
    curve = job.result().curves["forest/trees"]
    assert curve.verdict is not None
    level = curve.verdict.level
    assert level is not None, curve.verdict.reason

    folder = tmp_path / "model"
    done = stack.tuner("export", job.id, "forest/trees", "--output", str(folder))
    assert done.returncode == 0, done.stderr
    assert {Path(line).name for line in done.stdout.split()} == {p.name for p in folder.iterdir()}

    about = json.loads((folder / "model.json").read_text())
    assert (about["learner"], about["level"]) == ("forest", level)
    assert about["data"]["classes"] == list("0123456789")
    digits = registry.load("digits")
    assert about["trained_on"] == [digits.digest]
    # The same fold here gives the same model, and the same scores as were recorded there.
    splits = Splits(digits, Split(), DIGITS.seed)
    fold = splits.whole()
    model = saved.load(folder)
    found = scoring.scores(model.predict(fold.x_score), fold.y_score)
    fit = next(job for job in client.jobs() if job.spec.refit is not None)
    [measured] = fit.measurements()
    assert measured.phase is Phase.MEASURING
    assert measured.scores == pytest.approx(found)
    assert len(fold.x) > 1.05 * len(splits.measuring(0).x)

    card = (folder / "card.md").read_text()
    assert card.startswith(f"# forest at trees {level}\n")
    assert "the smallest level that the verdict calls enough" in card
    assert job.id in card
    with pytest.raises(TunerError, match="not valid") as caught:
        client.export(job, "forest/trees", level=1).save(folder)
    assert "isn't empty" in caught.value.violations[0].problem


@pytest.mark.slow
def test_other_data_than_a_level_was_chosen_on_is_refused(digits_job: Job, client: Client):
    choice = choose(digits_job, "forest/trees")
    refit = choice.spec().refit.model_copy(update={"data_digest": "0" * 64})
    other = client.submit(choice.spec().model_copy(update={"refit": refit}))
    assert other.wait() == "FAILED"
    assert "the data has changed since" in other.status.reason
