"""Verdicts on curves whose truth is known: seldom wrong at any look, and not for lack of any.

A search looks after every replicate from 4 to 20 and stops at the first verdict
that isn't INCONCLUSIVE. *Wrong* is PLATEAUED(k) where some larger level has
U_j >= U_k, DECLINING where that holds or the top is no worse than k, and RISING
where some smaller level suffices.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from tuner.curve import Question, Verdict, VerdictOutcome
from tuner.returns import Assessment, assess

Scores = dict[int, dict[int, float]]

LEVELS = (1, 2, 4, 8, 16, 32)
MARGIN = 0.02
CURVES = 150
QUESTION = Question("mlp/depth", "mlp", "depth", LEVELS, "accuracy", "maximize", MARGIN)

CASES = {
    "flat": [0, 0, 0, 0, 0],
    "half a margin": [0.5] * 5,
    "just below the margin": [0.8] * 5,
    "just the margin": [1] * 5,
    "just above the margin": [1.2] * 5,
    "rising": [3] * 5,
    "plateau": [4, 2, 0, 0, 0],
    "step at the third doubling": [0, 0, 5, 0, 0],
    "dip before a rise": [-2, 6, 3, 3, 3],
    "decline": [3, 0, -1, -1, -1],
    "slow decline": [2, -0.1, -0.1, -0.1, -0.1],
}


def is_wrong(verdict: Verdict, u: Sequence[float], mu: Sequence[float]) -> bool:
    """Tells whether a verdict contradicts the truth, in margins; ties count as rounding of one."""
    if verdict.outcome is VerdictOutcome.INCONCLUSIVE:
        return False
    if verdict.outcome is VerdictOutcome.RISING:
        return any(all(b < a - 1e-9 for b in u[k + 1 :]) for k, a in enumerate(u[:-1]))
    assert verdict.level is not None
    k = LEVELS.index(verdict.level)
    wrong = any(b >= u[k] - 1e-9 for b in u[k + 1 :])
    if verdict.outcome is VerdictOutcome.DECLINING:
        wrong = wrong or mu[-1] >= mu[k] - 1e-9
    return wrong


def tables(case: str, noise: Sequence[float]) -> Iterator[Scores]:
    """Yields scores of 20 replicates at every level; the noise is the paired deviation."""
    mu = truth(case)
    rng = np.random.default_rng(list(CASES).index(case))
    for _ in range(CURVES):
        luck = rng.normal(0, 2, 20)
        own = rng.normal(size=(len(LEVELS), 20)) * np.asarray(noise)[:, None] / math.sqrt(2)
        table = MARGIN * (mu[:, None] + luck + own)
        yield {
            level: dict(enumerate(row)) for level, row in zip(LEVELS, table.tolist(), strict=True)
        }


def truth(case: str) -> npt.NDArray[np.float64]:
    """Returns the true mean of each level, in margins."""
    return np.concatenate([[0.0], np.cumsum(CASES[case])])


def look(scores: Scores, n: int) -> Assessment:
    """Assesses the first n replicates."""
    return assess(QUESTION, {k: {i: row[i] for i in range(n)} for k, row in scores.items()})


def stop(scores: Scores, *, settled: bool = False) -> Verdict:
    """Looks after every replicate from 4 to 20 until there is a verdict, or a settled one."""
    for n in range(4, 21):
        found = look(scores, n)
        if found.settled or (
            not settled and found.verdict.outcome is not VerdictOutcome.INCONCLUSIVE
        ):
            break
    return found.verdict


EVEN = (0.5,) * 6
UNEVEN = (1.5, 1.2, 0.9, 0.6, 0.4, 0.2)


@pytest.mark.parametrize(
    ("case", "noise"),
    [
        *((case, EVEN) for case in CASES),
        ("flat", UNEVEN),
        ("plateau", UNEVEN),
        ("just above the margin", UNEVEN),
    ],
)
def test_wrong_verdicts_are_as_rare_as_alpha_says(case: str, noise: Sequence[float]) -> None:
    mu = truth(case)
    u = (mu - np.arange(len(LEVELS))).tolist()
    wrong = sum(is_wrong(stop(scores), u, mu.tolist()) for scores in tables(case, noise))
    assert wrong <= stats.binom.ppf(0.99, CURVES, QUESTION.alpha)


@pytest.mark.parametrize(
    ("case", "outcome", "level", "share"),
    [
        ("flat", VerdictOutcome.PLATEAUED, 1, 0.95),
        ("plateau", VerdictOutcome.PLATEAUED, 4, 0.95),
        ("step at the third doubling", VerdictOutcome.PLATEAUED, 8, 0.95),
        ("decline", VerdictOutcome.DECLINING, 2, 0.95),
        ("rising", VerdictOutcome.RISING, None, 0.95),
        ("dip before a rise", VerdictOutcome.RISING, None, 0.95),
    ],
)
def test_clear_truths_are_found(
    case: str, outcome: VerdictOutcome, level: int | None, share: float
) -> None:
    found = [stop(scores, settled=True) for scores in tables(case, EVEN)]
    right = sum((v.outcome, v.level) == (outcome, level) for v in found)
    assert right >= share * CURVES


def test_what_lies_on_the_margin_is_left_open() -> None:
    """The answer hangs on a hair, so nearly every search must say that it doesn't know."""
    found = [stop(scores).outcome for scores in tables("just the margin", EVEN)]
    assert found.count(VerdictOutcome.INCONCLUSIVE) >= 0.95 * CURVES


@pytest.mark.parametrize("case", ["flat", "decline"])
def test_all_bounds_hold_together_at_every_look(case: str) -> None:
    """Gains and means, over every look at once and not only at the stop."""
    mu = MARGIN * truth(case)
    gains_missed = means_missed = 0
    for scores in tables(case, EVEN):
        looks = [look(scores, n) for n in range(4, 21)]
        gains_missed += any(
            not gain.low <= mu[i + 1] - mu[i] <= gain.high
            for found in looks
            for i, gain in enumerate(found.gains.values())
        )
        means_missed += any(
            not low <= mu[i] <= high
            for found in looks
            for i, (low, high) in enumerate(found.intervals.values())
        )
    limit = stats.binom.ppf(0.99, CURVES, QUESTION.alpha)
    assert gains_missed <= limit
    assert means_missed <= limit
