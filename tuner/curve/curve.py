"""The returns curve: levels with scores, bounds, gains and costs, and what it all says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from tuner.curve.question import Direction
from tuner.curve.steps import Costs, Gain, NextDoubling
from tuner.curve.verdict import Needed, Verdict
from tuner.record import Comparison, Setting

if TYPE_CHECKING:
    import pandas


class SearchState(StrEnum):
    """Where a search stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    CONCLUDED = "CONCLUDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


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
            (exploratory); None where no margin would do, and at a price.
        forgone: An upper bound on what stopping here forgoes against the best larger
            measured level; inf where too few replicates bound it, None where unmeasured.
        standalone_device_seconds: Mean cost of this level alone; of a table, the mean of
            its cost column, whatever its unit.
        billed_device_seconds: All that was spent at this level, tuning included.
        parameters: Fitted parameters (a forest: nodes), mean over replicates.
        setting: The hyperparameters that were measured.
        robustness_device_seconds: What of the bill went to conditions and footprints, beside
            training and clean scores.
        latency_ms: Milliseconds that a prediction of one example takes: the least over replicates
            of each one's own median, for what else runs on a machine only ever adds; None
            where it wasn't measured.
        batch_latency_ms: The same of 256 examples at once.
        model_bytes: The saved model's size: the mean over replicates.
        barred: Which of the job's limits it breaks, in words; empty where none, or where it
            isn't known. Such a level is not judged, and never chosen.
    """

    level: float
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
    forgone: float | None = None
    robustness_device_seconds: float = 0.0
    latency_ms: float | None = None
    batch_latency_ms: float | None = None
    model_bytes: float | None = None
    barred: str = ""


@dataclass(frozen=True)
class Curve:
    """A search's, or a table's, levels with scores, intervals, gains and costs, and its verdict.

    Attributes:
        search: The search's key.
        learner: The learner.
        axis: The axis; empty where the learner was measured without one.
        metric: What it is judged on.
        direction: Which way is better.
        margin: The least gain per doubling that is worth having; it judges levels
            where there is no price.
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
        design: How the number of replicates came about: "sequential" where it was
            looked at before going on, "fixed" where it was set beforehand, "resampled"
            where replicates are splits of the same data, "noise" where the spread is
            known from elsewhere.
        alpha: The share of verdicts that may be wrong.
        per: What is doubled; empty where it is the level.
        level_probabilities: Posterior chance of each measured level to be the smallest
            that suffices; None where there are too few replicates for it.
        needed: What would likely settle an inconclusive verdict.
        next_doubling: What one more doubling would gain; None with fewer than two levels.
        costs: What capacity costs.
        knee: Where the curve bends, for the eye and not the verdict; None unless asked for.
        price: What a device-second must gain, in the metric's units (of a table, one
            of its cost column); 0 where the margin decides.
        worth: The price in words, "0.01 error per 40 device-hours"; empty where there
            is none.
    """

    search: str
    learner: str
    axis: str
    metric: str
    direction: Direction
    margin: float
    levels: tuple[CurveLevel, ...]
    verdict: Verdict | None
    comparisons: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()
    unmeasured: tuple[float, ...] = ()
    baseline: bool = False
    state: SearchState = SearchState.PENDING
    state_reason: str = ""
    sequence: int = 0
    analysis_version: str = ""
    design: str = "sequential"
    alpha: float = 0.05
    per: str = ""
    level_probabilities: Mapping[float, float] | None = None
    needed: Needed = field(default_factory=Needed)
    next_doubling: NextDoubling | None = None
    costs: Costs = field(default_factory=Costs)
    knee: float | None = None
    price: float = 0.0
    worth: str = ""

    @property
    def gains(self) -> tuple[Gain, ...]:
        """What each measured level gains over the measured one below it, from the first up."""
        return tuple(row.gain for row in self.levels if row.gain is not None)

    def at(self, level: float) -> CurveLevel:
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
                    "forgone": row.forgone,
                    "standalone_device_seconds": row.standalone_device_seconds,
                    "billed_device_seconds": row.billed_device_seconds,
                    "parameters": row.parameters,
                    "latency_ms": row.latency_ms,
                    "batch_latency_ms": row.batch_latency_ms,
                    "model_bytes": row.model_bytes,
                    "barred": row.barred,
                    **dict(row.setting),
                }
            )
        return pandas.DataFrame(rows)
