"""What the peer's script needs beside Ray Tune: its fits, their winners, and a verdict."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.race.questions import is_nested
from benchmarks.race.result import Answer
from tuner import scoring
from tuner.catalog import Value
from tuner.datasets.splits import Splits
from tuner.learners import registry
from tuner.learners.base import Device, Result
from tuner.record import Outcome, Phase, Setting, make_setting
from tuner.returns import analyze
from tuner.search.tuning import default_setting
from tuner.spec import JobSpec


@dataclass(frozen=True)
class Group:
    """Levels of a search that are tuned together, because one fit scores them all."""

    search: str
    levels: tuple[int, ...]


@dataclass(frozen=True)
class Done:
    """A fit and what came of it.

    Attributes:
        search: The search's key.
        levels: The levels that it scored, rising.
        phase: Tuning or measuring.
        replicate: Whose fold it was.
        setting: All hyperparameters but the level.
        scores: A score a level; NaN where the fit failed.
        seconds: What it took, as the service bills it.
        ended: `time.time()` at its end.
    """

    search: str
    levels: tuple[int, ...]
    phase: Phase
    replicate: int
    setting: Setting
    scores: tuple[float, ...]
    seconds: float
    ended: float


def groups(spec: JobSpec, together: bool) -> list[Group]:
    """Returns what is tuned by itself: every level, or where `together` all that one fit scores."""
    found = []
    for search in spec.searches:
        if together and is_nested(spec, search.key):
            found.append(Group(search.key, search.levels))
        else:
            found += [Group(search.key, (level,)) for level in search.levels]
    return found


def sign(spec: JobSpec, key: str) -> float:
    """Returns what makes the search's score lower-better."""
    return 1.0 if spec.search(key).direction == "minimize" else -1.0


def whole(spec: JobSpec, group: Group, values: Mapping[str, Value]) -> Setting:
    """Returns tuned hyperparameters with the fixed ones beside them."""
    return make_setting({**dict(defaults(spec, group)), **values})


def defaults(spec: JobSpec, group: Group) -> Setting:
    """Returns the default hyperparameters at a group."""
    return default_setting(spec.search(group.search).ranges(group.levels[-1]))


def run_fit(spec: JobSpec, splits: Splits, fit: Mapping[str, Any]) -> dict[str, Any]:
    """Runs a fit by the same folds, learner and scores as the service's workers do.

    Args:
        spec: The question.
        splits: Its data.
        fit: What to run: "search", "levels", "phase", "replicate", "setting".

    Returns:
        "scores", "seconds" and "ended" as `Done` has them, and "objective": the mean over
        the levels, lower better, infinite where it failed.
    """
    search, phase = spec.search(fit["search"]), Phase(fit["phase"])
    group = Group(search.key, tuple(fit["levels"]))
    start = time.monotonic()
    fold = (splits.tuning if phase is Phase.TUNING else splits.measuring)(fit["replicate"])
    results = list(
        registry.get(search.learner).evaluate(
            search.axis,
            [whole(spec, group, fit["setting"])],
            group.levels,
            [fold],
            Device(threads=spec.resources.threads),
        )
    )
    seconds = time.monotonic() - start
    by_level = {r.member.level: _score(r, fold.y_score, search.metric) for r in results}
    scores = [by_level[level] for level in group.levels]
    mean = sign(spec, search.key) * sum(scores) / len(scores)
    objective = mean if math.isfinite(mean) else math.inf
    return {"scores": scores, "seconds": seconds, "objective": objective, "ended": time.time()}


def _score(result: Result, truth: Any, metric: str) -> float:
    if result.outcome is not Outcome.COMPLETED or result.predictions is None:
        return math.nan
    try:
        return scoring.scores(result.predictions, truth)[metric]
    except scoring.DivergedError:
        return math.nan


def to_measure(spec: JobSpec, tuned: Sequence[Done], together: bool) -> list[dict[str, Any]]:
    """Returns the fits that measure the winners, all levels on a replicate before the next.

    Args:
        spec: The question.
        tuned: The tuning fits in the order in which they were proposed; at each level
            the best wins, the earliest of equals.
        together: Whether a nested learner's winner is measured by one fit for all the
            levels that it won, up to the highest.
    """
    best: dict[tuple[str, int], tuple[float, Setting]] = {}
    for done in tuned:
        for level, score in zip(done.levels, done.scores, strict=True):
            value, place = sign(spec, done.search) * score, (done.search, level)
            if math.isfinite(value) and (place not in best or value < best[place][0]):
                best[place] = (value, done.setting)
    levels_of: dict[tuple[str, Setting, int], list[int]] = {}
    for (key, level), (_, setting) in sorted(best.items(), key=lambda item: item[0]):
        apart = 0 if together and is_nested(spec, key) else level
        levels_of.setdefault((key, setting, apart), []).append(level)
    return [
        {
            "search": key,
            "levels": levels,
            "phase": Phase.MEASURING.value,
            "replicate": replicate,
            "setting": dict(setting),
        }
        for replicate in range(spec.measuring.max_replicates)
        for (key, setting, _), levels in levels_of.items()
    ]


def answers(spec: JobSpec, done: Iterable[Done], replicates: int) -> tuple[Answer, ...]:
    """Returns every search's answer from its first replicates; their number was set beforehand.

    Args:
        spec: The question.
        done: All fits, tuning included.
        replicates: How many replicates count, and are billed.
    """
    rows = [d for d in done if d.phase is Phase.TUNING or d.replicate < replicates]
    found = []
    for search in spec.searches:
        own = [d for d in rows if d.search == search.key]
        table: dict[str, list[float]] = {search.axis: [], search.metric: [], "replicate": []}
        for fit in own:
            if fit.phase is Phase.MEASURING:
                table[search.axis] += fit.levels
                table[search.metric] += fit.scores
                table["replicate"] += [fit.replicate] * len(fit.levels)
        asked = spec.question(search.key)
        curve = analyze(
            table,
            level=search.axis,
            score=search.metric,
            direction=asked.direction,
            margin=asked.margin,
            replicate="replicate",
            design="fixed",
            ladder=asked.levels,
            alpha=asked.alpha,
            patience=asked.patience,
        )
        assert curve.verdict is not None  # a table always has one
        levels = tuple(row.level for row in curve.levels if row.replicates)
        bill = sum(fit.seconds for fit in own)
        found.append(Answer.of(search.key, curve.verdict, levels, len(own), bill))
    return tuple(found)
