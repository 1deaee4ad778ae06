"""What one more doubling of capacity, above the largest measured level, would gain.

Learning curves are told apart and continued badly (Viering and Loog 2022, "The
shape of learning curves: a review"), and no law fits them all. So no law is
trusted for itself: each one's share is what it has earned by predicting the
levels already measured (`tuner.returns.backtest`), "no further gain" is one of
them, and where the whole doesn't beat that one alone, that one is the answer.

Assumptions: levels differ in capacity alone; each is tuned as well as the others;
what the methods were off by at the levels seen is what they will be off by at the
next. Failure modes: a step, a turn or a change of block type between the largest
level and its double is seen by no smooth law, and may lie outside the interval; the
same kind of error at every origin (a curve that keeps bending) makes the interval
wide rather than the prediction better; below six levels little can be told from
the backtest, and with two or three the answer is always "no further gain".
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from scipy import special

from tuner.curve import Direction, NextDoubling
from tuner.returns.backtest import NO_GAIN, backtest, mean_square
from tuner.returns.bounds import EQUAL_PAIRS

LEAST_SHARE = 0.005
"""A method with a smaller share isn't named."""


def next_doubling(
    capacities: Sequence[float],
    scores: Sequence[float],
    direction: Direction,
    alpha: float,
    standard_errors: Sequence[float | None] | None = None,
) -> NextDoubling | None:
    """Returns what twice the largest measured capacity would gain.

    The interval is the prediction ± t·sqrt(mean squared residual + SE²): the
    residuals, per doubling, are those of the method that is reported, t has as many
    degrees of freedom as there are of them, SE is the top level's standard error. It
    holds with chance 1 - alpha if the next residual is drawn like those. Residuals
    that are all zero bound nothing by themselves until there are five of them: a
    metric that moves in steps repeats itself.

    Args:
        capacities: Of the measured levels: positive, finite, distinct, in any order.
        scores: The mean score at each, finite, in the metric's units.
        direction: Which way is better.
        alpha: Chance that the interval misses.
        standard_errors: Of those scores; None where unknown. Only the top level's counts.

    Returns:
        None with fewer than two levels.

    Raises:
        ValueError: They are something else.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; give a number between 0 and 1")
    errors = _standard_errors(standard_errors, len(scores))
    if len(capacities) == len(scores) < 2:
        return None
    past = backtest(capacities, scores, direction)
    top = max(range(len(capacities)), key=capacities.__getitem__)
    if past.beats_no_gain:
        gain, method, residuals = past.gain, _named(past.weights), list(past.weighted.values())
    else:
        gain, method, residuals = 0.0, NO_GAIN, list(past.gains)
    width = _half_width(residuals, past.exact, (errors[top] or 0.0) / past.unit, alpha)
    return NextDoubling(
        level=2 * float(capacities[top]),
        gain=gain * past.unit,
        low=(gain - width) * past.unit,
        high=(gain + width) * past.unit,
        method=method,
        beats_no_gain=past.beats_no_gain,
    )


def _standard_errors(given: Sequence[float | None] | None, levels: int) -> Sequence[float | None]:
    if given is None:
        return [None] * levels
    if len(given) != levels:
        raise ValueError(f"{levels} scores have {len(given)} standard errors")
    for error in given:
        if error is not None and not error >= 0:
            raise ValueError(f"a standard error is {error}; give None where it is unknown")
    return given


def _half_width(
    residuals: Collection[float], exact: float, top_error: float, alpha: float
) -> float:
    spread = mean_square(residuals)
    if spread <= exact**2 and not top_error and len(residuals) < EQUAL_PAIRS:
        return math.inf
    quantile = float(special.stdtrit(len(residuals), 1 - alpha / 2))
    return quantile * math.hypot(math.sqrt(spread), top_error)


def _named(weights: Mapping[str, float]) -> str:
    """Returns such as "power .58, log-linear .42", the largest first; or a name alone."""
    shares = {name: share for name, share in weights.items() if share >= LEAST_SHARE}
    if len(shares) == 1:
        return next(iter(shares))
    ordered = sorted(shares.items(), key=lambda named: -named[1])
    return ", ".join(f"{name} {share:.2f}".replace(" 0.", " .") for name, share in ordered)
