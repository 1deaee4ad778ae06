"""How a hyperparameter's range moves with capacity, and a value with it."""

from __future__ import annotations

from dataclasses import replace

from tuner.catalog import Number


def significant(value: float) -> float:
    """Returns the value at four significant digits, as settings are recorded and shown."""
    return float(f"{value:.4g}")


def clipped(value: float, within: Number) -> float:
    """Returns the value, or the end of the range beyond which it lies."""
    return min(max(value, float(within.low)), float(within.high))


def moved(known: Number, by: float) -> Number:
    """Returns the range with its ends and its default multiplied, within the ends that it had.

    A default that would leave the range stops at its end, and the ends move no further
    than it: so some of the range is always left, with the default in it.

    Args:
        known: A range that scales, with 0 < low < default < high.
        by: What its best value is multiplied by; 1 leaves it as it is.
    """
    if by == 1:
        return known
    by = min(max(by, known.low / known.default), known.high / known.default)
    low, default, high = (
        clipped(significant(by * value), known) for value in (known.low, known.default, known.high)
    )
    # It scales no more: its default holds at one level only.
    return replace(known, low=low, default=default, high=high, scaling={})
