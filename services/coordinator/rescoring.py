"""Scores taken again from stored predictions. Runs in the processes that make curves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from services.coordinator.artifacts import Artifacts
from tuner import catalog, scoring
from tuner.curve import Curve, Question
from tuner.errors import TunerError
from tuner.example_scores import example_scores
from tuner.jobs import SearchStatus
from tuner.predictions import Truth, decode
from tuner.record import Measurement, Outcome, Phase
from tuner.returns.over_examples import curve_over_examples
from tuner.returns.rows import distinct, measured_rows

Values = npt.NDArray[np.float64]


class LackingError(Exception):
    """Predictions that would be needed aren't there; the message says which and why."""


def chosen_rows(
    own: Question, measurements: Iterable[Measurement], condition: str = ""
) -> list[Measurement]:
    """Returns what another metric is taken on: the rows that stand for their levels.

    Which candidate does is as the job's own metric said, and its runner-ups stay beside
    it. Tuning rows only cost, so they are left out; so bills must be known from elsewhere.

    Args:
        own: What the search asks.
        measurements: Its rows.
        condition: What the metric is under; runner-ups that weren't measured under it are
            left out, for they didn't fail.
    """
    rows = distinct(own, measurements)
    chosen = measured_rows(own, rows)
    standing = [
        row for some in chosen.values() for row in (*some.completed.values(), *some.failed.values())
    ]
    standing += [
        row
        for row in rows
        if row.phase is Phase.RUNNER_UP and (not condition or _bore(row, condition))
    ]
    return sorted(standing, key=lambda row: (row.phase, row.level, row.replicate, row.id))


def rescored(
    rows: Sequence[Measurement], metric: str, artifacts: Artifacts, truth: str
) -> list[Measurement]:
    """Returns the rows with their scores under a metric, from their predictions.

    A row without predictions whose learner told the metric itself keeps that score.

    Args:
        rows: Rows of one job that were scored on its test.
        metric: One of the catalog's for the job's task.
        artifacts: Where the predictions are.
        truth: The digest of the job's truth; empty where it has none.

    Raises:
        LackingError: A row that completed has neither predictions nor that score, or they
            can't be had.
    """
    lacking = [
        row for row in rows if _done(row) and row.predictions is None and metric not in row.scores
    ]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise LackingError(f"{_named(lacking[0])}{more}: recorded without predictions")
    found = {row.id: row for row in rows}
    wanted = [row for row in rows if _done(row) and row.predictions is not None]
    if wanted:
        y = truth_of(artifacts, truth).y
        for row, values in predicted(artifacts, wanted):
            found[row.id] = replace(row, scores=_score(row, values, y))
    return list(found.values())


def by_example(
    rows: Sequence[Measurement], metric: str, artifacts: Artifacts, truth: str
) -> tuple[dict[str, Values], npt.NDArray[np.int64] | None]:
    """Returns what a metric is of each test example, or of groups of a jackknife, by row.

    Args:
        rows: Rows of one job that were scored on its test.
        metric: One of the catalog's for the job's task.
        artifacts: Where the predictions are.
        truth: The digest of the job's truth; empty where it has none.

    Returns:
        The values by the ids of those that completed, and the clusters that examples come
        in; None where each stands alone, or the values are of groups that respect them.

    Raises:
        LackingError: A row that completed has no predictions, they can't be had, or the
            metric can't be taken without some of the examples.
    """
    wanted = [row for row in rows if _done(row)]
    for row in wanted:
        if row.predictions is None:
            raise LackingError(f"{_named(row)}: recorded without predictions")
    if not wanted:
        raise LackingError("no replicate has completed yet")
    known = truth_of(artifacts, truth)
    found = {row.id: values for row, values in predicted(artifacts, wanted)}
    try:
        values = example_scores(metric, list(found.values()), known.y, known.groups)
    except (ValueError, IndexError) as error:
        raise LackingError(f"it can't be taken by example: {error}") from error
    grouped = known.groups if catalog.METRICS[metric].mean else None
    return dict(zip(found, values, strict=True)), grouped


def over_examples(
    asked: Question,
    rows: Sequence[Measurement],
    values: Mapping[str, Values],
    groups: npt.NDArray[np.int64] | None,
    search: SearchStatus,
    billed: Mapping[int, float],
    sequence: int,
) -> Curve:
    """Returns the curve over replicates crossed with examples. Raises LackingError."""
    try:
        return curve_over_examples(
            asked,
            rows,
            values,
            groups=groups,
            state=search.state,
            state_reason=search.reason,
            billed=billed,
            sequence=sequence,
        )
    except ValueError as error:
        raise LackingError(str(error)) from error


def truth_of(artifacts: Artifacts, digest: str) -> Truth:
    """Returns what the test examples are. Raises LackingError."""
    if not digest:
        raise LackingError("the job has no truth.npz: its runner didn't keep the test's labels")
    try:
        with artifacts.open(digest) as file:
            return Truth.from_bytes(file.read())
    except (TunerError, OSError, ValueError) as error:
        raise LackingError(f"the job's truth.npz can't be read: {_said(error)}") from error


def predicted(
    artifacts: Artifacts, rows: Iterable[Measurement]
) -> Iterator[tuple[Measurement, Values]]:
    """Yields each row with its predictions, file by file. Raises LackingError."""
    by_file: dict[str, list[Measurement]] = {}
    for row in rows:
        assert row.predictions is not None
        by_file.setdefault(row.predictions.sha256, []).append(row)
    for digest, some in by_file.items():
        row = some[0]
        try:
            with artifacts.open(digest) as file:
                for row in some:
                    assert row.predictions is not None
                    file.seek(row.predictions.offset)
                    yield row, decode(file.read(row.predictions.size_bytes))
        except (TunerError, OSError, ValueError) as error:
            raise LackingError(
                f"the predictions of {_named(row)} can't be read: {_said(error)}"
            ) from error


def _score(row: Measurement, values: Values, y: scoring.Truth) -> dict[str, float]:
    """Returns every score of a row; none where a value is infinite as float32."""
    try:
        return scoring.scores(values, y)
    except scoring.DivergedError:
        return {}
    except (ValueError, IndexError) as error:
        raise LackingError(
            f"the predictions of {_named(row)} don't fit the truth: {error}"
        ) from error


def _bore(row: Measurement, condition: str) -> bool:
    """Tells whether a row was measured under a condition, with success or without."""
    told = [stress.condition for stress in row.stresses]
    return condition in (*told, *(catalog.split_metric(name)[1] for name in row.scores))


def _done(row: Measurement) -> bool:
    return row.outcome is Outcome.COMPLETED


def _named(row: Measurement) -> str:
    kind = " of the runner-up" if row.phase is Phase.RUNNER_UP else ""
    return f"level {row.level}, replicate {row.replicate}{kind}"


def _said(error: Exception) -> str:
    return error.message if isinstance(error, TunerError) else str(error)
