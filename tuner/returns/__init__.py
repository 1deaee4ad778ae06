"""The science of returns: pure functions from scores to bounds, a verdict and a curve.

`assess` answers one look, `curve` makes the whole curve of a search from its
record, `analyze` of anybody's table, `analyze_examples` of predictions. No I/O, no
clock, no random state: the same input gives the same output to the last digit,
whatever the order of rows.
"""

from tuner.returns.analysis import analyze, analyze_examples
from tuner.returns.assessment import Assessment, assess
from tuner.returns.bounds import mixture_multiplier, paired_bounds
from tuner.returns.columns import DataError
from tuner.returns.comparison import Entry, compare
from tuner.returns.composition import ANALYSIS_VERSION
from tuner.returns.contenders import compare_record
from tuner.returns.curves import curve
from tuner.returns.forest import ForestCurve, forest_curve
from tuner.returns.jackknife import auc, pseudo_values
from tuner.returns.knee import knee
from tuner.returns.mcnemar import mcnemar

__all__ = [
    "ANALYSIS_VERSION",
    "Assessment",
    "DataError",
    "Entry",
    "ForestCurve",
    "analyze",
    "analyze_examples",
    "assess",
    "auc",
    "compare",
    "compare_record",
    "curve",
    "forest_curve",
    "knee",
    "mcnemar",
    "mixture_multiplier",
    "paired_bounds",
    "pseudo_values",
]
