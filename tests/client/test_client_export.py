"""What an export is of, and what it refuses before anything is fitted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from coordinator_double import make_curves, make_measurement, make_spec

from tuner.client.export import check_folder, choose
from tuner.curve import VerdictOutcome
from tuner.errors import Status, TunerError
from tuner.jobs import DatasetFacts, JobStatus
from tuner.report.card import card

NAME = "namespaces/default/jobs/digits-1"


class Chooser:
    """A job with curves."""

    def __init__(self, curves=None, dataset=None):
        self.id = "digits-1"
        self._curves = {c.search: c for c in (make_curves() if curves is None else curves)}
        self._status = JobStatus(NAME, make_spec(), dataset=dataset)

    def refresh(self):
        return self._status

    def curves(self):
        return self._curves


def plateaued():
    return next(c for c in make_curves() if c.verdict and c.verdict.level is not None)


def test_the_level_that_is_enough_is_chosen():
    curve = plateaued()
    choice = choose(Chooser(), curve.search)
    assert choice.row.level == curve.verdict.level
    refit = choice.spec().refit
    assert (refit.job, refit.search, refit.level) == (NAME, curve.search, curve.verdict.level)
    assert refit.setting == choice.row.setting


def test_its_job_fits_once_on_the_same_data_and_splits():
    facts = DatasetFacts("a" * 64, 1797, 450, 10, 64, ())
    chooser = Chooser(dataset=facts)
    spec, fitting = chooser.refresh().spec, choose(chooser, plateaued().search).spec()
    assert [s.key for s in fitting.searches] == [plateaued().search]
    assert fitting.baseline is None
    for part in ("dataset", "split", "seed", "resources", "task"):
        assert getattr(fitting, part) == getattr(spec, part)
    assert fitting.refit.data_digest == "a" * 64


def test_a_measured_level_can_be_named():
    curve = plateaued()
    other = next(row.level for row in curve.levels if row.level != curve.verdict.level)
    assert choose(Chooser(), curve.search, int(other)).row.level == other


@pytest.mark.parametrize(
    ("search", "level", "status", "words"),
    [
        ("svm/nothing", None, Status.INVALID_ARGUMENT, "has no search 'svm/nothing'"),
        (None, 999, Status.INVALID_ARGUMENT, "999 was not measured"),
    ],
)
def test_what_is_not_there_is_named(search, level, status, words):
    with pytest.raises(TunerError) as caught:
        choose(Chooser(), search or plateaued().search, level)
    assert caught.value.status is status
    assert words in caught.value.violations[0].problem


def test_a_verdict_without_a_level_says_which_were_measured():
    curve = plateaued()
    open_ = replace(
        curve.verdict, outcome=VerdictOutcome.INCONCLUSIVE, level=None, reason="can't tell"
    )
    with pytest.raises(TunerError, match=r"INCONCLUSIVE.*name one: ") as caught:
        choose(Chooser([replace(curve, verdict=open_)]), curve.search)
    assert caught.value.status is Status.FAILED_PRECONDITION


def test_nothing_measured_yet_is_said():
    with pytest.raises(TunerError, match="no measured level yet"):
        choose(Chooser([]), plateaued().search)


def test_a_folder_is_made_and_a_full_one_refused(tmp_path: Path):
    folder = check_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    (folder / "file").touch()
    with pytest.raises(TunerError) as caught:
        check_folder(folder)
    assert "isn't empty" in caught.value.violations[0].problem
    with pytest.raises(TunerError):
        check_folder(folder / "file" / "below")


def test_the_card_says_how_it_was_chosen_and_how_it_does():
    curve = plateaued()
    row = curve.at(curve.verdict.level)
    fitted = make_measurement(curve.search, int(row.level), 0, 0.0125)
    status = JobStatus(NAME, make_spec())
    text = card(status, curve, row, fitted, ["Few test cases: ..."])
    assert text.startswith(f"# {curve.learner} at {curve.axis} {row.level:g}\n")
    assert "the smallest level that the verdict calls enough" in text
    assert curve.verdict.reason in text
    assert "0.0125" in text
    assert "- Few test cases: ..." in text
    other = next(r for r in curve.levels if r.level != row.level)
    assert "**It was asked for by its level**" in card(status, curve, other, fitted, [])
