"""What breaks the learners: every search undisturbed, and under each condition, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tuner import catalog
from tuner.curve import Curve, CurveLevel, VerdictOutcome
from tuner.report import naming
from tuner.report.plain import finite, whole

if TYPE_CHECKING:
    from tuner.client.result import Result


@dataclass(frozen=True)
class Effect:
    """What a condition does to a search, at the level that is enough without it.

    Attributes:
        condition: The condition.
        level: That level; where none was shown to be enough, the one that seems to be, or
            else the one with the best score.
        clean: The curve with nothing disturbed, on the examples that conditions are measured on.
        under: The curve under the condition.
    """

    condition: str
    level: float
    clean: Curve
    under: Curve

    @property
    def search(self) -> str:
        """The search's key."""
        return self.clean.search

    @property
    def before(self) -> CurveLevel:
        """The level with nothing disturbed."""
        return self.clean.at(self.level)

    @property
    def after(self) -> CurveLevel | None:
        """The level under the condition; None where it wasn't measured under it."""
        return next((row for row in self.under.levels if row.level == self.level), None)

    @property
    def score(self) -> float | None:
        """The score under the condition; None where there is none."""
        return self.after.score if self.after is not None else None

    @property
    def drop(self) -> float | None:
        """How much worse the score is under the condition; None where either is unknown."""
        before, after = self.before.score, self.score
        if before is None or after is None:
            return None
        return after - before if self.clean.direction == "minimize" else before - after


def effects(result: Result) -> list[Effect]:
    """Returns what conditions do, by search in the spec's order, then by condition."""
    found = []
    undisturbed = result.robustness.get(catalog.CLEAN, {})
    compared = result.comparisons_under.get(catalog.CLEAN)
    seeming = {c.search: c.level for c in compared.contenders} if compared is not None else {}
    for search in result.job.spec.all_searches():
        clean = undisturbed.get(search.key)
        level = _level(clean, seeming.get(search.key)) if clean is not None else None
        if clean is None or level is None:
            continue
        for name, curves in result.robustness.items():
            if name != catalog.CLEAN and search.key in curves:
                found.append(Effect(name, level, clean, curves[search.key]))
    return found


def _level(clean: Curve, seeming: float | None) -> float | None:
    """Returns the level at which a search is looked at; None where it has no score."""
    best = naming.best(clean)
    if best is None:
        return None
    if clean.verdict is not None and clean.verdict.level is not None:
        return clean.verdict.level
    measured = {row.level for row in clean.levels if row.score is not None}
    return seeming if seeming in measured else best.level


def sentences(found: Iterable[Effect], data: str) -> list[str]:
    """Returns a sentence a search: how much is enough with nothing disturbed, and under what.

    Args:
        found: What conditions do, by search.
        data: The data set's name.
    """
    where = f"on clean {data}" if data.isidentifier() else "on clean data"
    said = []
    for _, same in groupby(found, key=lambda effect: effect.search):
        of_search = list(same)
        clean = of_search[0].clean
        if clean.axis:
            first = _undisturbed(clean, where)
            if alike := [e.condition for e in of_search if _same(clean, e.under)]:
                first += f", and so under {naming.conjoined(alike)}"
            said.append(f"{clean.search}: {'; '.join([first, *_disturbed(clean, of_search)])}.")
    return said


def _undisturbed(curve: Curve, where: str) -> str:
    verdict, several = curve.verdict, curve.axis.endswith("s")
    if verdict is not None and verdict.level is not None:
        return f"{_amount(curve, verdict.level)} {_is(curve, verdict.level)} enough {where}"
    top = naming.top(curve)
    if verdict is not None and verdict.outcome is VerdictOutcome.RISING and top is not None:
        return f"{_amount(curve, top)} {_is(curve, top)} not enough {where}, it still rises"
    which = f"how many {curve.axis} are" if several else f"what {curve.axis} is"
    return f"it can't be told {which} enough {where}{_open(curve)}"


def _disturbed(clean: Curve, of_search: Sequence[Effect]) -> list[str]:
    """Returns a clause for every other answer, which names all conditions that have it."""
    answers: dict[str, list[str]] = {}
    for effect in of_search:
        if not _same(clean, effect.under):
            answers.setdefault(_answer(clean, effect.under), []).append(effect.condition)
    return [f"under {naming.conjoined(names)}{answer}" for answer, names in answers.items()]


def _same(clean: Curve, under: Curve) -> bool:
    """Tells whether a condition gives the answer that there is without it."""
    one, other = clean.verdict, under.verdict
    if one is None or other is None or not any(row.score is not None for row in under.levels):
        return False
    if one.level is not None or other.level is not None:
        return one.level == other.level
    open_levels = one.not_excluded, other.not_excluded
    same = one.outcome is other.outcome and open_levels[0] == open_levels[1]
    return same and naming.top(clean) == naming.top(under)


def _answer(clean: Curve, under: Curve) -> str:
    verdict, top = under.verdict, naming.top(under)
    if not any(row.score is not None for row in under.levels):
        return " there is no score"
    if verdict is None:
        return " nothing is judged"
    known = clean.verdict.level if clean.verdict is not None else None
    if verdict.level is not None:
        level, number = _amount(under, verdict.level), naming.level(verdict.level)
        # "16 trees are enough on clean digits; under noise:3, 64 are."
        short = known is not None and under.axis.endswith("s")
        ending = "" if known is not None else " enough"
        return f", {number if short else level} {_is(under, verdict.level)}{ending}"
    if verdict.outcome is VerdictOutcome.RISING and top is not None:
        return f" even {_amount(under, top)} {_is(under, top)} not, it still rises"
    return f" it can't be told{_open(under)}"


def _amount(curve: Curve, level: float) -> str:
    """Returns "16 trees", "1 tree", "depth 4"."""
    if not curve.axis.endswith("s"):
        return f"{curve.axis} {naming.level(level)}"
    return f"{naming.level(level)} {curve.axis if level != 1 else curve.axis[:-1]}"


def _is(curve: Curve, level: float) -> str:
    return "are" if curve.axis.endswith("s") and level != 1 else "is"


def _open(curve: Curve) -> str:
    """Returns which levels may be enough, in brackets; empty where that isn't known."""
    levels = curve.verdict.not_excluded if curve.verdict is not None else ()
    return f" ({naming.level_choice(levels)} may be)" if levels else ""


def enough(curve: Curve) -> str:
    """Returns the level that is enough in a few letters: "16", "> 64", "16 or 64?", "4–64?"."""
    verdict = curve.verdict
    if verdict is None or not curve.axis or not any(r.score is not None for r in curve.levels):
        return "–"
    if verdict.level is not None:
        return naming.level(verdict.level)
    top = naming.top(curve)
    if verdict.outcome is VerdictOutcome.RISING and top is not None:
        return f"> {naming.level(top)}"
    several = verdict.not_excluded
    if len(several) > 2:
        return f"{naming.level(several[0])}–{naming.level(several[-1])}?"
    return f"{naming.level_choice(several)}?"


def notes(found: Iterable[Effect]) -> list[str]:
    """Returns what is noted of curves under conditions, and not of those undisturbed."""
    said: dict[tuple[str, str], list[str]] = {}
    for effect in found:
        clean, under = effect.clean, effect.under
        for note in dict.fromkeys(under.notes):
            if note.replace(under.metric, clean.metric) not in clean.notes:
                said.setdefault((effect.search, note), []).append(effect.condition)
    return [
        f"{search} under {naming.conjoined(names)}: {note}"
        for (search, note), names in said.items()
    ]


def spent(curve: Curve) -> float:
    """Returns the device-seconds of a search that went to conditions and footprints."""
    return sum(row.robustness_device_seconds for row in curve.levels)


def robustness_to_dict(result: Result) -> dict[str, Any]:
    """Returns what breaks the learners as one object that JSON can hold."""
    found = effects(result)
    return {
        "conditions": [name for name in result.robustness if name != catalog.CLEAN],
        "effects": [_effect(effect) for effect in found],
        "groups": {
            name: [list(group) for group in comparison.groups]
            for name, comparison in result.comparisons_under.items()
        },
        "good_enough": {
            name: comparison.good_enough for name, comparison in result.comparisons_under.items()
        },
        "notes": notes(found),
        "spent_device_seconds": sum(map(spent, result.curves.values())),
    }


def _effect(effect: Effect) -> dict[str, Any]:
    before, after = effect.before, effect.after
    return {
        "search": effect.search,
        "condition": effect.condition,
        "metric": effect.under.metric,
        "level": whole(effect.level) if effect.clean.axis else None,
        "clean": {"score": finite(before.score), "low": finite(before.low)}
        | {"high": finite(before.high), **_answer_to_dict(effect.clean)},
        "under": {
            "score": finite(effect.score),
            "low": finite(after.low) if after is not None else None,
            "high": finite(after.high) if after is not None else None,
            **_answer_to_dict(effect.under),
        },
        "drop": finite(effect.drop),
    }


def _answer_to_dict(curve: Curve) -> dict[str, Any]:
    verdict = curve.verdict
    if verdict is None:
        return {"outcome": None, "enough": None}
    known = verdict.level
    return {"outcome": verdict.outcome.value, "enough": None if known is None else whole(known)}
