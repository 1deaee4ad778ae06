"""The returns curve and its verdict, as plain data.

`tuner.returns` makes them, the wire carries them, the client hands them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from tuner.record import Comparison, Setting

if TYPE_CHECKING:
    import pandas


class VerdictOutcome(StrEnum):
    """What a curve says."""

    PLATEAUED = "PLATEAUED"
    RISING = "RISING"
    DECLINING = "DECLINING"
    INCONCLUSIVE = "INCONCLUSIVE"


class SearchState(StrEnum):
    """Where a search stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    CONCLUDED = "CONCLUDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True)
class Question:
    """What a search asks, declared before anything runs.

    Attributes:
        search: The search's key.
        learner: The learner.
        axis: The axis; empty where the learner is measured without one.
        levels: The declared ladder, rising; (1,) where there is no axis.
        metric: What it is judged on.
        direction: Which way is better.
        margin: The least gain per doubling that is worth having.
        alpha: The share of verdicts that may be wrong.
        patience: Larger levels that must be measured before one can plateau.
        baseline: Whether it is the job's cheap baseline.
    """

    search: str
    learner: str
    axis: str
    levels: tuple[int, ...]
    metric: str
    direction: Literal["minimize", "maximize"]
    margin: float
    alpha: float = 0.05
    patience: int = 2
    baseline: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the curve says, of measured levels only.

    Attributes:
        outcome: PLATEAUED at a level, RISING, DECLINING after a level, or
            INCONCLUSIVE.
        level: The sufficient level of PLATEAUED and DECLINING; else None.
        reason: A sentence for people.
        not_excluded: INCONCLUSIVE: levels that may still be the sufficient one.
        missing: INCONCLUSIVE: sentences that say what would settle it.
    """

    outcome: VerdictOutcome
    level: int | None
    reason: str
    not_excluded: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gain:
    """What a level gains over the measured level below it.

    Attributes:
        estimate: Mean paired difference; positive is better, whatever the
            metric's direction. In the metric's units.
        low: Lower bound; -inf where too few pairs bound it.
        high: Upper bound; inf where too few pairs bound it.
        per_doubling: estimate / log2(level / level below).
    """

    estimate: float
    low: float
    high: float
    per_doubling: float


@dataclass(frozen=True)
class CurveLevel:
    """One level of a curve.

    Attributes:
        level: The level.
        replicates: Replicates that completed.
        failed: Replicates that did not.
        score: Mean score in the metric's units; None where none completed.
        low: Lower bound of the mean, as anytime-valid as the gains.
        high: Upper bound of the mean.
        gain: Over the measured level below; None at the first.
        margin_supported: The least margin at which this level would plateau
            (exploratory); None where no margin would do.
        standalone_device_seconds: Mean cost of this level alone.
        billed_device_seconds: All that was spent at this level, tuning included.
        parameters: Fitted parameters (a forest: nodes), mean over replicates.
        setting: The hyperparameters that were measured.
    """

    level: int
    replicates: int
    failed: int
    score: float | None = None
    low: float | None = None
    high: float | None = None
    gain: Gain | None = None
    margin_supported: float | None = None
    standalone_device_seconds: float | None = None
    billed_device_seconds: float = 0.0
    parameters: int = 0
    setting: Setting = ()


@dataclass(frozen=True)
class Curve:
    """A search's levels with scores, intervals, gains and costs, and its verdict.

    Attributes:
        search: The search's key.
        learner: The learner.
        axis: The axis; empty where the learner was measured without one.
        metric: What it is judged on.
        direction: Which way is better.
        margin: The least gain per doubling that is worth having.
        levels: The measured levels, rising.
        verdict: What it says; None where there is no axis.
        comparisons: The bounds behind the verdict.
        notes: What a reader should know.
        unmeasured: Levels of the declared ladder that were never measured.
        baseline: Whether it is the job's cheap baseline.
        state: Where the search stands.
        state_reason: Why it stands there.
        sequence: The last event of the record that it was derived from.
        analysis_version: The version of the analysis.
    """

    search: str
    learner: str
    axis: str
    metric: str
    direction: Literal["minimize", "maximize"]
    margin: float
    levels: tuple[CurveLevel, ...]
    verdict: Verdict | None
    comparisons: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()
    unmeasured: tuple[int, ...] = ()
    baseline: bool = False
    state: SearchState = SearchState.PENDING
    state_reason: str = ""
    sequence: int = 0
    analysis_version: str = ""

    def at(self, level: int) -> CurveLevel:
        """Returns the level's row. Raises KeyError where it was not measured."""
        for row in self.levels:
            if row.level == level:
                return row
        raise KeyError(level)

    def to_pandas(self) -> pandas.DataFrame:
        """Returns a frame with a row a level.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas

        rows = []
        for row in self.levels:
            gain = row.gain
            rows.append(
                {
                    "level": row.level,
                    "score": row.score,
                    "low": row.low,
                    "high": row.high,
                    "replicates": row.replicates,
                    "failed": row.failed,
                    "gain": gain.estimate if gain else None,
                    "gain_low": gain.low if gain else None,
                    "gain_high": gain.high if gain else None,
                    "gain_per_doubling": gain.per_doubling if gain else None,
                    "margin_supported": row.margin_supported,
                    "standalone_device_seconds": row.standalone_device_seconds,
                    "billed_device_seconds": row.billed_device_seconds,
                    "parameters": row.parameters,
                    **dict(row.setting),
                }
            )
        return pandas.DataFrame(rows)
