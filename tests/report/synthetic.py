"""A result out of synthetic measurements, its curves and comparisons made by tuner.returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tuner import JobSpec
from tuner.catalog import CLEAN, split_metric, under
from tuner.client import JobState, JobStatus, Result
from tuner.curve import Curve, LearnerComparison, Question, SearchState
from tuner.record import (
    Footprint,
    Measurement,
    Outcome,
    Phase,
    Stress,
    make_setting,
    measurement_id,
    seed_of,
)
from tuner.returns import compare_record, curve

JOB = "namespaces/default/jobs/digits-1"

Truth = Mapping[str, Mapping[str, Mapping[int, float]]]
"""By search, by condition (or "clean"), by level: the mean of the metric."""


def measurements(
    spec: JobSpec, truth: Truth, *, replicates: int = 8, noise: float = 0.002
) -> list[Measurement]:
    """Scores about their means, and what conditions and predictions took.

    A replicate's luck is shared by all searches, and each score has its own on top.
    """
    rows = []
    for search in spec.all_searches():
        for level in search.levels:
            means = {name: by_level[level] for name, by_level in truth[search.key].items()}
            for replicate in range(replicates):
                rows.append(_measurement(search.key, level, replicate, search.metric, means, noise))
    return rows


def _measurement(
    key: str, level: int, replicate: int, metric: str, means: Mapping[str, float], noise: float
) -> Measurement:
    shared = np.random.default_rng(seed_of("shared", replicate)).normal(0, noise)
    draw = np.random.default_rng(seed_of(key, level, replicate))
    own, _ = split_metric(metric)
    scores = {
        under(own, name): float(mean + shared + draw.normal(0, noise))
        for name, mean in means.items()
    }
    scores[own] = scores[under(own, CLEAN)]
    setting = make_setting({"learning_rate": 0.01})
    return Measurement(
        id=measurement_id(JOB, key, Phase.MEASURING, level, setting, replicate),
        search=key,
        phase=Phase.MEASURING,
        level=level,
        setting=setting,
        replicate=replicate,
        outcome=Outcome.COMPLETED,
        scores=scores,
        parameters=100 * level,
        standalone_device_seconds=0.25 * level,
        billed_device_seconds=0.25 * level + 0.5 * (len(means) - 1),
        stresses=tuple(
            Stress(name, Outcome.COMPLETED, 450, 0.5) for name in means if name != CLEAN
        ),
        footprint=Footprint(0.125 * level, 2.0 * level, 12_500 * level, 0.0),
    )


def result(spec: JobSpec, rows: list[Measurement]) -> Result:
    """What a job of these measurements found."""
    billed = sum(row.billed_device_seconds for row in rows)
    job = JobStatus(JOB, spec, JobState.SUCCEEDED, billed_device_seconds=billed)
    curves = {s.key: made(spec.question(s.key), rows) for s in spec.all_searches()}
    comparison = compared(spec, rows, "")
    conditions = [CLEAN, *spec.all_conditions()] if spec.all_conditions() else []
    robustness = {name: _curves_under(spec, rows, name) for name in conditions}
    found = {name: compared(spec, rows, name) for name in conditions}
    comparisons = {name: c for name, c in found.items() if c is not None}
    return Result(job, curves, comparison, robustness, comparisons)


def made(question: Question, rows: list[Measurement]) -> Curve:
    """The curve of a search that has ended."""
    return curve(question, rows, SearchState.CONCLUDED)


def _curves_under(spec: JobSpec, rows: list[Measurement], condition: str) -> dict[str, Curve]:
    found = {}
    for search in spec.all_searches():
        measured = {CLEAN, *(c.name for c in spec.conditions(search.key))}
        if condition in measured:
            found[search.key] = made(question_under(spec, search.key, condition), rows)
    return found


def question_under(spec: JobSpec, key: str, condition: str) -> Question:
    """What a search asks, of its own metric under a condition; under "" as it is."""
    question = spec.question(key)
    own, _ = split_metric(question.metric)
    return replace(question, metric=under(own, condition)) if condition else question


def compared(spec: JobSpec, rows: list[Measurement], condition: str) -> LearnerComparison | None:
    """How the searches compare under a condition, on what the first is judged on."""
    questions = [question_under(spec, s.key, condition) for s in spec.all_searches()]
    metric = questions[0].metric
    return compare_record(questions, rows, metric=metric, margin=spec.margin)
