"""Anybody's sweep analysed: a table of scores, or predictions on the same examples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tuner.curve import Curve, Direction, Question
from tuner.returns.asked import judge_bar, judge_question, with_price
from tuner.returns.assessment import Assessment, assess_evidence
from tuner.returns.columns import level_of
from tuner.returns.composition import Facts, Pricing, compose
from tuner.returns.evidence import Replicates
from tuner.returns.examples import Examples, clustered
from tuner.returns.failures import verdict_depends
from tuner.returns.given import (
    declared_ladder,
    design_of,
    judge_design,
    known_costs,
    stacked,
)
from tuner.returns.knee import knee as knee_of
from tuner.returns.remarks import (
    Break,
    names_of_runs,
    of_breaks,
    of_examples,
    of_failures,
    of_replicates,
)
from tuner.returns.sensitivity import sensitivity
from tuner.returns.sheet import read_sheet


def analyze(
    frame: Any,
    *,
    level: str,
    score: str,
    direction: Direction,
    margin: float | None = None,
    worth: tuple[float, float] | None = None,
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
        worth: Instead of a margin, a gain and the cost that it is worth, in the units of
            those columns: (.01, 40) is a price of .01 for 40 more. It takes the mean cost
            of each level as exact.
        replicate: The column that says which runs belong together (the same seed and
            split at every level). Without it levels are compared unpaired.
        cost: The column of what a run costs, from 0 up, in any unit. A price needs it.
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
    margin, price = judge_bar(margin, worth, cost)
    judge_question(direction, margin, alpha, patience)
    sheet = read_sheet(frame, level=level, score=score, replicate=replicate, cost=cost, per=per)
    how, notes = design_of(design, noise, noise_runs, resampled)
    question = Question(
        search=level,
        learner="",
        axis=level,
        levels=declared_ladder(level, ladder, sheet.levels),
        metric=score,
        direction=direction,
        margin=margin,
        alpha=alpha,
        patience=patience,
        per=per or "",
        capacities=sheet.capacities,
        price=price,
    )
    if per and question.levels != sheet.levels:
        raise ValueError(
            "ladder and per can't go together: the capacity of what isn't there is unknown"
        )
    paired = bool(replicate) or sheet.values.shape[1] == 1
    judge_design(how, sheet, paired, replicate)
    there: npt.NDArray[np.bool_] = np.any(~np.isnan(sheet.values), axis=1)
    measured = tuple(k for k, some in zip(sheet.levels, there, strict=True) if some)
    costs = {
        k: spent
        for k, spent in zip(sheet.levels, sheet.costs.tolist(), strict=True)
        if not math.isnan(spent)
    }
    question = with_price(question, worth, cost or "", costs, measured)
    evidence = Replicates(
        measured, tuple(range(sheet.values.shape[1])), sheet.values[there], how, paired
    )
    look = assess_evidence(question, evidence)
    notes += [*sheet.notes, *of_failures(sheet), *of_breaks(breaks, sheet.levels)]
    notes += of_replicates(evidence, look, how, paired)
    notes += verdict_depends(question, evidence, sheet.failed[there], look.verdict)
    names, noun = (
        (sheet.replicates, "replicate") if paired else (names_of_runs(evidence), "the run of")
    )
    notes += sensitivity(question, evidence, look.verdict, names, noun)
    failed = sheet.failed.sum(axis=1).tolist()
    facts = {
        k: Facts(failed=count, cost=costs.get(k))
        for k, count in zip(sheet.levels, failed, strict=True)
    }
    pricing = Pricing(cost or "")
    starts = [start for _, start, _ in breaks]
    curve = compose(question, evidence, look, facts, pricing, notes=notes, breaks=starts, seed=seed)
    return replace(curve, knee=_knee(look, direction) if knee else None)


def analyze_examples(
    examples: Mapping[float, npt.ArrayLike],
    *,
    margin: float | None = None,
    worth: tuple[float, float] | None = None,
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
        worth: Instead of a margin, a gain and the cost that it is worth.
        level: What a level is called.
        score: What the score is called.
        direction: Which way is better.
        groups: What each example belongs to, shape (examples,), where they come in
            clusters, such as patients.
        design: How the number of replicates came about.
        costs: By level, what a fit costs. A price needs them.
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
    margin, price = judge_bar(margin, worth, cost if costs else None)
    judge_question(direction, margin, alpha, patience)
    how, _ = design_of(design, None, None, None)
    levels, values = stacked(examples)
    names = tuple(map(level_of, levels))
    size = 1.0
    if groups is not None:
        size = values.shape[2]
        values = clustered(values, np.asarray(groups))
        size /= values.shape[2]
    question = Question(
        level,
        "",
        level,
        names,
        score,
        direction,
        margin,
        alpha=alpha,
        patience=patience,
        price=price,
    )
    known = known_costs(costs or {}, names)
    question = with_price(question, worth, cost, known, names)
    step = 1 / size if all(np.asarray(examples[k]).dtype == np.bool_ for k in levels) else 0.0
    evidence = Examples(names, values, how, size, step=step)
    look = assess_evidence(question, evidence)
    notes = [*of_examples(examples, evidence, groups is not None), *of_breaks(breaks, names)]
    notes += sensitivity(question, evidence, look.verdict)
    facts = {k: Facts(cost=known.get(k)) for k in names}
    starts = [start for _, start, _ in breaks]
    curve = compose(
        question, evidence, look, facts, Pricing(cost), notes=notes, breaks=starts, seed=seed
    )
    return replace(curve, knee=_knee(look, direction) if knee else None)


def _knee(look: Assessment, direction: Direction) -> float | None:
    return knee_of(look.levels, [look.means[k] for k in look.levels], direction)
