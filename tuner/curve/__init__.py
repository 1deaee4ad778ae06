"""Questions, verdicts and returns curves, as plain data.

`tuner.returns` makes them, the wire carries them, the client hands them out.
"""

from tuner.curve.comparison import Contender, Difference, LearnerComparison
from tuner.curve.curve import Curve, CurveLevel, SearchState
from tuner.curve.question import CostUnit, Direction, Limits, Question
from tuner.curve.steps import Costs, CostStep, CostTrend, Gain, NextDoubling
from tuner.curve.verdict import Needed, Verdict, VerdictOutcome

__all__ = [
    "Contender",
    "CostStep",
    "CostTrend",
    "CostUnit",
    "Costs",
    "Curve",
    "CurveLevel",
    "Difference",
    "Direction",
    "Gain",
    "LearnerComparison",
    "Limits",
    "Needed",
    "NextDoubling",
    "Question",
    "SearchState",
    "Verdict",
    "VerdictOutcome",
]
