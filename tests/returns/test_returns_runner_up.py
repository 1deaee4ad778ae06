"""A level's second best candidate tells how much hangs on tuning, and only where it is much."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.curve import Question
from tuner.record import Measurement, Outcome, Phase, make_setting, measurement_id
from tuner.returns import curve

QUESTION = Question("mlp/depth", "mlp", "depth", (1, 2, 4), "error", "minimize", margin=0.02)
BEST = make_setting({"learning_rate": 0.1})
SECOND = make_setting({"learning_rate": 0.3})
THIRD = make_setting({"learning_rate": 0.01})


def row(level, replicate, error, setting=BEST, phase=Phase.MEASURING) -> Measurement:
    name = measurement_id("j", QUESTION.search, phase, level, setting, replicate)
    outcome = Outcome.DIVERGED if error is None else Outcome.COMPLETED
    scores = {} if error is None else {"error": error, "accuracy": 1 - error}
    return Measurement(name, QUESTION.search, phase, level, setting, replicate, outcome, scores)


def winners(level: int = 2, replicates: int = 6) -> list[Measurement]:
    return [row(level, i, 0.1 + 0.01 * i) for i in range(replicates)]


def runners_up(gap: float, level: int = 2, replicates=range(6), setting=SECOND):
    """Rows that are worse than the winner's by just so much on every replicate."""
    return [row(level, i, 0.1 + 0.01 * i + gap, setting, Phase.RUNNER_UP) for i in replicates]


def notes(*rows: Measurement, question: Question = QUESTION) -> list[str]:
    return [note for note in curve(question, rows).notes if "hangs on tuning" in note]


def test_a_far_runner_up_is_a_note_that_says_how_far_which_way_and_on_how_many():
    assert notes(*winners(), *runners_up(0.013)) == [
        "level 2: the claim hangs on tuning: the second best hyperparameters are 0.013 error worse "
        "than the best ones on the same 6 replicates, over half the margin of 0.02; a tuning run "
        "that missed the best ones would have moved this level by as much"
    ]


def test_a_runner_up_that_beats_the_winner_says_that_tuning_may_have_erred():
    (note,) = notes(*winners(), *runners_up(-0.013))
    assert "0.013 error better than the best ones" in note
    assert note.endswith("tuning may have chosen the wrong ones")


@given(st.floats(-0.06, 0.06), st.sampled_from(["error", "accuracy"]))
def test_half_the_margin_is_what_makes_a_note(gap: float, metric: str):
    better_when = "minimize" if metric == "error" else "maximize"
    asked = replace(QUESTION, metric=metric, direction=better_when)
    found = notes(*winners(), *runners_up(gap), question=asked)
    if abs(abs(gap) - 0.01) > 1e-9:
        assert bool(found) == (abs(gap) > 0.01)
    if found:
        assert ("worse" if gap > 0 else "better") in found[0]


def test_only_replicates_of_both_are_compared():
    """The winner's other replicates are easier; unpaired, the gap would look large."""
    rows = [*winners(replicates=2), *[row(2, i, 0.0) for i in range(2, 6)]]
    assert notes(*rows, *runners_up(0.001, replicates=range(2))) == []
    (note,) = notes(*rows, *runners_up(0.02, replicates=range(1)))
    assert "on the same 1 replicate," in note


def test_each_level_speaks_for_itself_in_order():
    rows = [*winners(4), *runners_up(0.05, 4), *winners(1), *runners_up(0.03, 1), *winners(2)]
    assert [note.split(":")[0] for note in notes(*rows, *runners_up(0.0))] == ["level 1", "level 4"]


def test_failures_of_the_runner_up_are_told():
    broken = [row(2, i, None, SECOND, Phase.RUNNER_UP) for i in range(4, 6)]
    (note,) = notes(*winners(), *runners_up(0.05, replicates=range(4)), *broken)
    assert "on the same 4 replicates (they failed on 2 more)" in note
    (note,) = notes(*winners(), *broken)
    assert note.endswith("failed on all 2 replicates that the best ones completed")
    (note,) = notes(*winners(), *broken[:1])
    assert note.endswith("failed on the one replicate that the best ones completed")


def test_of_several_runners_up_the_one_that_was_measured_most_counts():
    rows = [*winners(), *runners_up(0.05), *runners_up(0.0, replicates=range(2), setting=THIRD)]
    assert len(notes(*rows)) == 1


@pytest.mark.parametrize("rows", [[], winners(), runners_up(0.5)], ids=["none", "best", "second"])
def test_without_both_there_is_nothing_to_say(rows):
    assert notes(*rows) == []


def test_a_runner_up_never_enters_a_curve():
    """Its rows are billed, and change nothing else."""
    bare = [m for level in (1, 2, 4) for m in winners(level)]
    paid = [replace(m, billed_device_seconds=2.0) for m in runners_up(-0.05)]
    without, with_it = curve(QUESTION, bare), curve(QUESTION, [*bare, *paid])
    assert with_it.verdict == without.verdict
    assert with_it.comparisons == without.comparisons
    assert [replace(r, billed_device_seconds=0.0) for r in with_it.levels] == [
        replace(r, billed_device_seconds=0.0) for r in without.levels
    ]
    assert with_it.at(2).billed_device_seconds == 12.0
