"""Numbers as JSON can hold them."""

from __future__ import annotations

import math


def whole(value: float) -> float:
    """Returns a level as JSON is to show it: a whole number as such."""
    return int(value) if value == int(value) else value


def finite(number: float | None) -> float | None:
    """Returns the number; None where it is infinite, which JSON can't say."""
    return number if number is not None and math.isfinite(number) else None
