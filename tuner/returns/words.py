"""Numbers and pairs of levels as an engineer reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tuner.curve import Question, Verdict
from tuner.returns.pairs import Pair


def number(value: float, sign: str = "") -> str:
    """Returns a number to three significant digits; sign "+" writes it for positive ones too."""
    if math.isinf(value):
        return "+inf" if value > 0 else "-inf"
    if abs(value) >= 1000:
        return f"{value:{sign},.0f}"
    return f"{value:{sign}.3g}"


def count(n: int, noun: str) -> str:
    """Returns "1 level", "2 levels"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def listed(levels: Iterable[float]) -> str:
    """Returns "4", "4 and 8", "4, 8 and 16"."""
    *rest, last = [str(level) for level in levels]
    return f"{', '.join(rest)} and {last}" if rest else last


def doublings(pair: Pair) -> str:
    """Returns "1 doubling", "1.58 doublings"."""
    text = number(pair.doublings)
    return f"{text} doubling" if text == "1" else f"{text} doublings"


def step(pair: Pair, question: Question) -> str:
    """Returns what the larger level takes: "2 doublings"; at a price "3.1 more device-hours"."""
    if not question.price:
        return doublings(pair)
    more = pair.toll / question.price / question.cost_unit.size
    amount, which = number(abs(more)), "fewer" if more < 0 else "more"
    return f"{amount} {which} {_unit(question, amount)}"


def bar(question: Question) -> str:
    """Returns what a gain is held against: "margin" or "price"."""
    return "price" if question.price else "margin"


def rate(question: Question) -> str:
    """Returns the margin, "0.02 error per doubling", or the price, "0.01 error per 40 hours"."""
    if not question.price:
        return f"{number(question.margin)} {question.metric} per doubling"
    unit = question.cost_unit
    gain, amount = number(question.price * unit.size * unit.quoted), number(unit.quoted)
    cost = _unit(question, amount) if amount == "1" else f"{amount} {unit.name}"
    return f"{gain} {question.metric} per {cost}"


def _unit(question: Question, amount: str) -> str:
    """Returns what costs are counted in; of a table's column only plain words have a singular."""
    name = question.cost_unit.name
    return name[:-1] if amount == "1" and name.endswith(("hours", "seconds")) else name


def gained(pair: Pair, question: Question) -> str:
    """Returns what the larger level gains, such as "64 gains +0.008 brier for 2 doublings"."""
    gain = number(pair.gain, "+")
    return f"{pair.comparison.larger} gains {gain} {question.metric} for {step(pair, question)}"


def toll(pair: Pair) -> str:
    """Returns the gain from which the larger level is worth having."""
    return number(pair.toll)


def answer(verdict: Verdict) -> str:
    """Returns "PLATEAUED at 4", "RISING"."""
    at = f" at {verdict.level}" if verdict.level is not None else ""
    return f"{verdict.outcome.value}{at}"


def failures(failed: int, completed: int, how: str) -> str:
    """Says of a level how many of its replicates failed, and how."""
    total = failed + completed
    if total == 1:
        return f"its one replicate failed ({how}); the verdict leaves it out"
    if not completed:
        return f"all {count(total, 'replicate')} failed ({how}); the verdict leaves it out"
    return f"{failed} of {total} replicates failed ({how}) and are not in its mean"
