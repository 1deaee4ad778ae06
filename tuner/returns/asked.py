"""Whether a question makes sense, judged in one place."""

from __future__ import annotations

import math


def judge_question(direction: str, margin: float, alpha: float, patience: int = 1) -> None:
    """Raises ValueError where the question makes no sense; it says what would be right."""
    if direction not in ("minimize", "maximize"):
        raise ValueError(f"direction is {direction!r}; give 'minimize' or 'maximize'")
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"margin is {margin}; give a finite number from 0 up")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is {alpha}; give a number between 0 and .5, such as .05")
    if patience < 1:
        raise ValueError(f"patience is {patience}; give a whole number from 1 up")
