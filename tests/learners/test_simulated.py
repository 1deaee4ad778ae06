"""The simulated learner shows exactly the curve, noise, time and failures that it describes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tuner import catalog
from tuner.learners.base import Device, Result
from tuner.learners.simulated import Simulated, expected_error
from tuner.record import Outcome, Value, make_setting
from tuner.testing import tiny_table

FOLD = tiny_table()


def run(
    levels: Sequence[int],
    *,
    axis: str = "depth",
    seeds: Sequence[int] = (0,),
    device: Device | None = None,
    **changes: Value,
) -> list[Result]:
    known = catalog.LEARNERS["simulated"].hyperparameters
    setting = make_setting({n: float(h.default) for n, h in known.items()} | changes)
    folds = [replace(FOLD, replicate=number, seed=seed) for number, seed in enumerate(seeds)]
    return list(Simulated().evaluate(axis, [setting], levels, folds, device or Device()))


def _place(result: Result) -> tuple[int, int]:
    return result.member.level, result.member.replicate


def test_without_noise_it_is_the_known_curve() -> None:
    levels = (1, 2, 4, 8, 16)
    results = run(levels, floor=0.1, gain=0.05, plateau=8.0, noise=0.0)
    assert [r.scores["error"] for r in results] == pytest.approx([0.25, 0.2, 0.15, 0.1, 0.1])
    for result in results:
        assert result.scores["accuracy"] == 1 - result.scores["error"]
        assert result.scores["brier"] == result.scores["log_loss"] == result.scores["error"]


def test_the_learning_rate_is_best_at_a_hundredth() -> None:
    def at(rate: float) -> float:
        return run((4,), noise=0.0, learning_rate=rate)[0].scores["error"]

    assert at(0.1) - at(0.01) == pytest.approx(0.05)
    assert at(0.001) - at(0.01) == pytest.approx(0.05)
    assert at(1.0) - at(0.01) == pytest.approx(0.2)


def test_a_curve_may_get_worse_and_stays_an_error_rate() -> None:
    falling = run((1, 8), gain=-0.1, plateau=8.0, floor=0.5, noise=0.0)
    assert [r.scores["error"] for r in falling] == pytest.approx([0.2, 0.5])
    assert run((1,), gain=1.0, plateau=8.0)[0].scores["error"] == 1.0


def test_half_of_the_noise_is_shared_between_levels() -> None:
    results = run((4, 8), seeds=range(3000), floor=0.5, noise=0.01)
    errors = np.array([r.scores["error"] for r in results]).reshape(2, -1) - 0.5
    assert errors.std(axis=1) == pytest.approx([0.01, 0.01], rel=0.05)
    assert errors.mean(axis=1) == pytest.approx([0, 0], abs=0.001)
    assert np.corrcoef(errors)[0, 1] == pytest.approx(0.5, abs=0.05)
    assert (errors[0] - errors[1]).std() == pytest.approx(0.01, rel=0.05)


def test_both_axes_show_the_same() -> None:
    alone, nested = run((1, 2, 4)), run((1, 2, 4), axis="trees")
    assert [r.scores for r in alone] == [r.scores for r in nested]


def test_a_fit_takes_its_time_once_on_a_nested_axis() -> None:
    start = time.monotonic()
    nested = run((1, 2, 4, 8, 16), axis="trees", seconds=0.25)
    assert 0.25 <= time.monotonic() - start < 5 * 0.25
    assert [r.standalone_seconds for r in nested] == pytest.approx([0.25, 0.5, 1, 2, 4])


def test_a_deadline_cuts_the_fit_short() -> None:
    start = time.monotonic()
    results = run((1, 2), seconds=60.0, device=Device(deadline=start + 0.05))
    assert time.monotonic() - start < 5
    assert {r.outcome for r in results} == {Outcome.TIMED_OUT}


@pytest.mark.parametrize("axis", ["depth", "trees"])
def test_the_share_asked_for_diverges_and_the_same_fits_every_time(axis: str) -> None:
    def outcomes() -> list[Outcome]:
        results = run((1, 2, 4, 8), axis=axis, seeds=range(250), failures=0.3)
        return [r.outcome for r in sorted(results, key=_place)]

    first = outcomes()
    assert first == outcomes()
    assert set(first) == {Outcome.COMPLETED, Outcome.DIVERGED}
    assert first.count(Outcome.DIVERGED) / len(first) == pytest.approx(0.3, abs=0.05)


def test_the_expected_error_can_be_asked_for() -> None:
    setting = {"floor": 0.05, "gain": 0.1, "plateau": 4.0, "learning_rate": 0.01}
    assert [expected_error(level, setting) for level in (1, 2, 4, 8)] == pytest.approx(
        [0.25, 0.15, 0.05, 0.05]
    )
