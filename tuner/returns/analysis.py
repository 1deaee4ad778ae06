"""Anybody's sweep analysed: a table of scores, or predictions on the same examples."""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tuner.curve import Curve, Direction, Question
from tuner.returns import words
from tuner.returns.assessment import Assessment, assess_evidence
from tuner.returns.bounds import Floats
from tuner.returns.columns import DataError, level_of
from tuner.returns.composition import Facts, Pricing, compose
from tuner.returns.designs import FIXED, SEQUENTIAL, Design, Noise, Resampled
from tuner.returns.evidence import Replicates
from tuner.returns.examples import Examples, clustered
from tuner.returns.failures import verdict_depends
from tuner.returns.knee import knee as knee_of
from tuner.returns.mcnemar import mcnemar
from tuner.returns.sensitivity import MOST_REPLICATES, sensitivity
from tuner.returns.sheet import Sheet, read_sheet

Break = tuple[float, float, str]
"""Two neighbouring levels between which something else than capacity changes, and what."""


def analyze(
    frame: Any,
    *,
    level: str,
    score: str,
    direction: Direction,
    margin: float,
    replicate: str | None = None,
    cost: str | None = None,
    design: Literal["fixed", "sequential"] | None = None,
    noise: float | None = None,
    noise_runs: int | None = None,
    resampled: tuple[int, int] | None = None,
    per: str | None = None,
    ladder: Sequence[float] | None = None,
    breaks: Sequence[Break] = (),
    alpha: float = 0.05,
    patience: int = 2,
    knee: bool = False,
    seed: int = 0,
) -> Curve:
    """Returns the returns curve and the verdict of somebody's sweep.

    Args:
        frame: A pandas data frame, or any mapping of column names to columns of one
            length: one row a run, in any order.
        level: The column of the capacity that was swept, numbers above 0.
        score: The column of the scores; missing, NaN or infinite ones are runs that failed.
        direction: Which way is better.
        margin: The least gain per doubling that is worth having, in the score's units.
        replicate: The column that says which runs belong together (the same seed and
            split at every level). Without it levels are compared unpaired.
        cost: The column of what a run costs, from 0 up, in any unit.
        design: "fixed" where the number of replicates was set beforehand, "sequential"
            where it was looked at before going on. Taken as fixed, with a note, where
            omitted.
        noise: The standard deviation of one score between runs of one level, where it is
            known from elsewhere: for tables without replicates.
        noise_runs: How many runs that was estimated from; taken as exact where omitted.
        resampled: Examples in each test part and in each training part, where replicates
            are splits of the same data (cross-validation).
        per: The column of what is doubled, such as parameters, where it isn't the level.
        ladder: The levels that were declared, where some were never measured.
        breaks: Neighbouring levels between which something else changes, and what.
        alpha: The share of verdicts that may be wrong.
        patience: Larger levels that must be measured before one can plateau.
        knee: Whether to find the knee, for the eye.
        seed: Of the posterior draws.

    Raises:
        DataError: A column or a cell is wrong; it names both.
        ValueError: Another argument is.
    """
    _judge(direction, margin, alpha, patience)
    sheet = read_sheet(frame, level=level, score=score, replicate=replicate, cost=cost, per=per)
    how, notes = _design(design, noise, noise_runs, resampled)
    question = Question(
        search=level,
        learner="",
        axis=level,
        levels=_declared(level, ladder, sheet.levels),
        metric=score,
        direction=direction,
        margin=margin,
        alpha=alpha,
        patience=patience,
        per=per or "",
        capacities=sheet.capacities,
    )
    if per and question.levels != sheet.levels:
        raise ValueError(
            "ladder and per can't go together: the capacity of what isn't there is unknown"
        )
    paired = bool(replicate) or sheet.values.shape[1] == 1
    _judge_design(how, sheet, paired, replicate)
    there: npt.NDArray[np.bool_] = np.any(~np.isnan(sheet.values), axis=1)
    measured = tuple(k for k, some in zip(sheet.levels, there, strict=True) if some)
    evidence = Replicates(
        measured, tuple(range(sheet.values.shape[1])), sheet.values[there], how, paired
    )
    look = assess_evidence(question, evidence)
    notes += [*sheet.notes, *_failures(sheet), *_of_breaks(breaks, sheet.levels)]
    notes += _power(evidence, look, how, paired)
    notes += verdict_depends(question, evidence, sheet.failed[there], look.verdict)
    names, noun = (sheet.replicates, "replicate") if paired else (_runs(evidence), "the run of")
    notes += sensitivity(question, evidence, look.verdict, names, noun)
    failed = sheet.failed.sum(axis=1).tolist()
    facts = {
        k: Facts(failed=count, cost=None if math.isnan(spent) else spent)
        for k, count, spent in zip(sheet.levels, failed, sheet.costs.tolist(), strict=True)
    }
    pricing = Pricing(cost or "")
    starts = [start for _, start, _ in breaks]
    curve = compose(question, evidence, look, facts, pricing, notes=notes, breaks=starts, seed=seed)
    return replace(curve, knee=_knee(look, direction) if knee else None)


def analyze_examples(
    examples: Mapping[float, npt.ArrayLike],
    *,
    margin: float,
    level: str = "level",
    score: str = "accuracy",
    direction: Direction = "maximize",
    groups: npt.ArrayLike | None = None,
    design: Literal["fixed", "sequential"] = "fixed",
    costs: Mapping[float, float] | None = None,
    cost: str = "cost",
    breaks: Sequence[Break] = (),
    alpha: float = 0.05,
    patience: int = 2,
    knee: bool = False,
    seed: int = 0,
) -> Curve:
    """Returns the curve of predictions on the same test examples, paired by example.

    Args:
        examples: By level, what was scored on each example: shape (examples,) of a
            single fit, or (replicates, examples), of one shape for all levels. Booleans
            say whether it was right; numbers may be any loss or score that is averaged
            over examples, or `pseudo_values` of a metric that isn't.
        margin: The least gain per doubling that is worth having; .005 is half a point
            of accuracy.
        level: What a level is called.
        score: What the score is called.
        direction: Which way is better.
        groups: What each example belongs to, shape (examples,), where they come in
            clusters, such as patients.
        design: How the number of replicates came about.
        costs: By level, what a fit costs.
        cost: What costs are counted in.
        breaks: Neighbouring levels between which something else changes, and what.
        alpha: The share of verdicts that may be wrong.
        patience: Larger levels that must be measured before one can plateau.
        knee: Whether to find the knee, for the eye.
        seed: Of the posterior draws.

    Raises:
        DataError: An array is wrong; it names the level, and the example.
        ValueError: Another argument is.
    """
    _judge(direction, margin, alpha, patience)
    how, _ = _design(design, None, None, None)
    levels, values = _stack(examples)
    names = tuple(map(level_of, levels))
    size = 1.0
    if groups is not None:
        size = values.shape[2]
        values = clustered(values, np.asarray(groups))
        size /= values.shape[2]
    question = Question(
        level, "", level, names, score, direction, margin, alpha=alpha, patience=patience
    )
    step = 1 / size if all(np.asarray(examples[k]).dtype == np.bool_ for k in levels) else 0.0
    evidence = Examples(names, values, how, size, step=step)
    look = assess_evidence(question, evidence)
    notes = [*_of_examples(examples, evidence, groups is not None), *_of_breaks(breaks, names)]
    notes += sensitivity(question, evidence, look.verdict)
    known = _known_costs(costs or {}, names)
    facts = {k: Facts(cost=known.get(k)) for k in names}
    starts = [start for _, start, _ in breaks]
    curve = compose(
        question, evidence, look, facts, Pricing(cost), notes=notes, breaks=starts, seed=seed
    )
    return replace(curve, knee=_knee(look, direction) if knee else None)


# Judging what was given


def _judge(direction: str, margin: float, alpha: float, patience: int) -> None:
    if direction not in ("minimize", "maximize"):
        raise ValueError(f"direction is {direction!r}; give 'minimize' or 'maximize'")
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"margin is {margin}; give a finite number from 0 up")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is {alpha}; give a number between 0 and .5, such as .05")
    if patience < 1:
        raise ValueError(f"patience is {patience}; give a whole number from 1 up")


def _design(
    design: str | None,
    noise: float | None,
    noise_runs: int | None,
    resampled: tuple[int, int] | None,
) -> tuple[Design, list[str]]:
    """Returns how replicates came about, and what there is to say of it."""
    given = [
        name for name, v in (("design", design), ("noise", noise), ("resampled", resampled)) if v
    ]
    if len(given) > 1 and not (given == ["design", "resampled"] and design == "fixed"):
        raise ValueError(f"{' and '.join(given)} can't go together; give one of them")
    if noise_runs is not None and noise is None:
        raise ValueError("noise_runs says how well noise is known; give noise, too")
    if noise is not None:
        if not (math.isfinite(noise) and noise > 0):
            raise ValueError(f"noise is {noise}; give a standard deviation above 0")
        if noise_runs is not None and noise_runs < 2:
            raise ValueError(f"noise_runs is {noise_runs}; two runs are the fewest that vary")
        how = "exact" if noise_runs is None else f"estimated from {noise_runs} runs"
        text = f"the noise of {noise:g} was given, not measured here; it is taken as {how}, the "
        return Noise(noise, noise_runs), [f"{text}same at every level, and independent"]
    if resampled is not None:
        test, train = resampled
        if test < 1 or train < 1:
            raise ValueError(f"resampled is {resampled}; give test and training examples, above 0")
        text = "replicates are splits of the same data: bounds are Nadeau and Bengio's, and no "
        return Resampled(test, train), [f"{text}number of splits brings them below a floor"]
    if design == "sequential":
        return SEQUENTIAL, []
    if design not in (None, "fixed"):
        raise ValueError(f"design is {design!r}; give 'fixed' or 'sequential'")
    if design == "fixed":
        return FIXED, []
    return FIXED, [
        "the number of replicates is taken as fixed beforehand; if you looked before you went on, "
        "say design sequential"
    ]


def _judge_design(how: Design, sheet: Sheet, paired: bool, replicate: str | None) -> None:
    counts = (~np.isnan(sheet.values)).sum(axis=1)
    if not paired and how is not FIXED:
        at = sheet.levels[int(counts.argmax())]
        raise DataError(
            "",
            f"level {at} has {int(counts.max())} rows and nothing says which belong together; "
            f"name the column of replicates, which design {how.name} needs",
        )


def _declared(
    name: str, ladder: Sequence[float] | None, levels: tuple[float, ...]
) -> tuple[float, ...]:
    if ladder is None:
        return levels
    named = [float(k) for k in ladder]
    if not named or not all(0 < k < math.inf for k in named):
        raise ValueError(f"ladder is {list(ladder)}; give finite numbers above 0")
    declared = tuple(sorted({level_of(k) for k in named}))
    strange = [k for k in levels if k not in declared]
    if strange:
        raise DataError(name, f"level {strange[0]} is not on the ladder {list(declared)}")
    return declared


def _stack(examples: Mapping[float, npt.ArrayLike]) -> tuple[list[float], Floats]:
    """Returns levels, rising, and (levels, replicates, examples)."""
    if not examples:
        raise ValueError("examples is empty; give an array for every level")
    for level in examples:
        if not (isinstance(level, numbers.Real) and 0 < level < math.inf):
            raise ValueError(f"level {level!r} can't be doubled; levels are finite numbers above 0")
    levels = sorted(examples)
    arrays: list[Floats] = []
    for level in levels:
        try:
            array = np.atleast_2d(np.asarray(examples[level], dtype=np.float64))
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(str(level), f"it is no array of numbers: {error}") from None
        if array.ndim != 2 or array.shape[1] < 2 or array.shape[0] < 1:
            raise DataError(
                str(level),
                f"its shape is {np.shape(examples[level])}; give (examples,) or (replicates, "
                "examples), with two examples at least",
            )
        if array.shape != (arrays[0].shape if arrays else array.shape):
            raise DataError(
                str(level),
                f"its shape is {array.shape} where level {levels[0]} has {arrays[0].shape}; all "
                "levels are scored on the same replicates and examples",
            )
        if not np.isfinite(array).all():
            r, m = map(int, np.argwhere(~np.isfinite(array))[0])
            raise DataError(
                str(level), f"replicate {r}, example {m} is {array[r, m]}; leave the replicate out"
            )
        arrays.append(array)
    return levels, np.stack(arrays)


def _known_costs(costs: Mapping[float, float], levels: Sequence[float]) -> dict[float, float]:
    for level, spent in costs.items():
        if level not in levels:
            raise ValueError(f"costs: level {level!r} is not among {list(levels)}")
        if not 0 <= spent < math.inf:
            raise ValueError(f"costs: level {level} has {spent}; give a number from 0 up")
    return {level_of(level): spent for level, spent in costs.items()}


# Notes


def _failures(sheet: Sheet) -> list[str]:
    notes = []
    for level, row, values in zip(sheet.levels, sheet.failed, sheet.values, strict=True):
        if row.any():
            failed, completed = int(row.sum()), int((~np.isnan(values)).sum())
            said = words.failures(failed, completed, "no finite score")
            notes.append(f"level {level}: {said}")
    return notes


def _of_breaks(breaks: Sequence[Break], levels: tuple[float, ...]) -> list[str]:
    notes = []
    for below, level, what in breaks:
        if (level_of(below), level_of(level)) not in itertools.pairwise(levels):
            raise ValueError(f"break {below:g} to {level:g}: these are no neighbouring levels")
        notes.append(
            f"between {below:g} and {level:g} {what or 'something else'} changes, so that step is "
            f"not of capacity alone; levels below {level:g} are not extrapolated from"
        )
    return notes


def _runs(evidence: Replicates) -> list[str]:
    """Returns what runs that have no name are called, in the order of their numbers."""
    if len(evidence.replicates) > MOST_REPLICATES:
        return []  # none of them is taken out, so none is named
    return [
        f"{words.number(score)} at {level}"
        for level, row in zip(evidence.levels, evidence.values.tolist(), strict=True)
        for score in row
        if not math.isnan(score)
    ]


def _power(evidence: Replicates, look: Assessment, how: Design, paired: bool) -> list[str]:
    """Says where replicates, or their pairing, are lacking."""
    if not paired:
        return [
            "no column says which runs belong together: levels are compared unpaired, and what "
            "two levels share, such as a lucky split, doesn't cancel"
        ]
    few = max(look.replicates.values(), default=0) < 2
    if few and not isinstance(how, Noise) and len(look.levels) > 1:
        return [
            "there are no replicates: this describes the table, and significance can't be had from "
            "it; give the noise between runs if you know it"
        ]
    return []


def _of_examples(
    examples: Mapping[float, npt.ArrayLike], evidence: Examples, grouped: bool
) -> list[str]:
    """Says what single fits can't tell, and McNemar's tests of them, which know no groups."""
    if len(evidence.replicates) > 1:
        return []
    notes = [
        "each level is a single fit: the verdict is of these fits on other examples, and nothing "
        "is known of other seeds"
    ]
    rows = {k: np.atleast_2d(np.asarray(examples[k]))[0] for k in sorted(examples)}
    if not grouped and all(row.dtype == np.bool_ for row in rows.values()):
        for (below, first), (level, second) in itertools.pairwise(rows.items()):
            found = mcnemar(first, second)
            notes.append(
                f"McNemar, {below:g} against {level:g}: only {below:g} is right on "
                f"{found.only_first}, only {level:g} on {found.only_second}; p = {found.p:.2g} "
                "of no difference at all"
            )
    return notes


def _knee(look: Assessment, direction: Direction) -> float | None:
    return knee_of(look.levels, [look.means[k] for k in look.levels], direction)
