"""A spot test's record from known means, and what tuner.returns makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tuner.curve import SearchState
from tuner.jobs import DatasetFacts
from tuner.record import Footprint, Measurement, Outcome, Phase, measurement_id, seed_of
from tuner.returns import curve
from tuner.spec import JobSpec
from tuner.spot import Asked, Findings, find, plan

JOB = "namespaces/default/jobs/spot-1"
FACTS = DatasetFacts("0" * 64, 2000, 500, 3, 12)


def spot_of(*families: str, **more: object) -> JobSpec:
    return plan(Asked("csv:cells.csv?target=kind", families=families, **more), 250)


def rows_of(
    spec: JobSpec,
    means: Mapping[str, Sequence[float]],
    *,
    replicates: Mapping[str, int] | None = None,
    fails: Mapping[tuple[str, int, int], Outcome] | None = None,
    noise: float = 0.002,
) -> list[Measurement]:
    """Scores about the mean of each level of a learner, fewer replicates where so many are said.

    Args:
        fails: By learner, level and replicate, how it failed instead.
    """
    rows = []
    for search in spec.all_searches():
        for level, mean in zip(search.levels, means.get(search.learner, ()), strict=False):
            for i in range((replicates or {}).get(search.learner, 8)):
                outcome = (fails or {}).get((search.learner, level, i), Outcome.COMPLETED)
                shared = np.random.default_rng(seed_of("shared", i)).normal(0, 0.01)
                own = np.random.default_rng(seed_of(search.learner, level, i)).normal(0, noise)
                done = outcome is Outcome.COMPLETED
                rows.append(
                    Measurement(
                        id=measurement_id(JOB, search.key, Phase.MEASURING, level, (), i),
                        search=search.key,
                        phase=Phase.MEASURING,
                        level=level,
                        setting=(),
                        replicate=i,
                        outcome=outcome,
                        scores={search.metric: float(mean + shared + own)} if done else {},
                        standalone_device_seconds=0.1 * level,
                        error="" if done else "the loss was nan",
                        footprint=Footprint(0.25, 1.0, 2_000_000) if done else None,
                    )
                )
    return rows


def found(
    spec: JobSpec,
    rows: Iterable[Measurement],
    states: Mapping[str, tuple[SearchState, str]] | None = None,
) -> Findings:
    rows = list(rows)
    curves = {}
    for search in spec.all_searches():
        state, why = (states or {}).get(search.learner, (SearchState.CONCLUDED, ""))
        curves[search.key] = curve(spec.question(search.key), rows, state, why)
    return find(spec, curves, rows)
