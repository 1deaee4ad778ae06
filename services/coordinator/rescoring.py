"""Scores taken again from stored predictions. Runs in the processes that make curves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from services.coordinator.artifacts import Artifacts
from tuner import catalog, scoring
from tuner.curve import Question
from tuner.errors import TunerError
from tuner.predictions import Truth, decode
from tuner.record import Measurement, Outcome, Phase
from tuner.returns.rows import distinct, measured_rows

Values = npt.NDArray[np.float64]


class LackingError(Exception):
    """Predictions that would be needed aren't there; the message says which and why."""


@dataclass(frozen=True)
class Other:
    """What a curve is asked for instead of what its search asked.

    Attributes:
        metric: What its levels are scored on; empty for the search's own.
        margin: The least gain per doubling that is worth having; None for the job's own.
    """

    metric: str
    margin: float | None = None

    def question(self, own: Question) -> Question:
        """Returns the search's question with these in place of its own, and of its price."""
        known = catalog.METRICS.get(self.metric)
        return replace(
            own,
            metric=self.metric or own.metric,
            direction=known.direction if known else own.direction,
            margin=own.margin if self.margin is None else self.margin,
            price=0.0,
            costs=(),
        )

    def note(self, own: Question) -> str:
        """Returns what has to be known of a curve under another metric; "" where it is its own."""
        if self.metric in ("", own.metric):
            return ""
        return (
            f"scores are {self.metric}, taken again from stored predictions; hyperparameters are "
            f"those chosen under {own.metric}, and the search climbed and stopped by that"
        )


def chosen_rows(own: Question, measurements: Iterable[Measurement]) -> list[Measurement]:
    """Returns what another metric is taken on: the rows that stand for their levels.

    Which candidate does is as the job's own metric said, and its runner-ups stay beside
    it. Tuning rows only cost, so they are left out; so bills must be known from elsewhere.
    """
    rows = distinct(own, measurements)
    chosen = measured_rows(own, rows)
    standing = [
        row for some in chosen.values() for row in (*some.completed.values(), *some.failed.values())
    ]
    standing += [row for row in rows if row.phase is Phase.RUNNER_UP]
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


def _done(row: Measurement) -> bool:
    return row.outcome is Outcome.COMPLETED


def _named(row: Measurement) -> str:
    kind = " of the runner-up" if row.phase is Phase.RUNNER_UP else ""
    return f"level {row.level}, replicate {row.replicate}{kind}"


def _said(error: Exception) -> str:
    return error.message if isinstance(error, TunerError) else str(error)
