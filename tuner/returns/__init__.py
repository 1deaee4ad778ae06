"""The science of returns: pure functions from scores to bounds, a verdict and a curve.

`assess` answers one look, `curve` makes the whole curve of a search from its
record, `analyze` of anybody's table, `analyze_examples` of predictions. No I/O, no
clock, no random state: the same input gives the same output to the last digit,
whatever the order of rows.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tuner.returns.assessment import Assessment, assess
from tuner.returns.bounds import mixture_multiplier, paired_bounds
from tuner.returns.columns import DataError
from tuner.returns.comparison import Entry, compare
from tuner.returns.composition import ANALYSIS_VERSION
from tuner.returns.contenders import compare_record
from tuner.returns.curves import curve
from tuner.returns.knee import knee
from tuner.returns.pairs import pair_level
from tuner.returns.rows import winners_scores
from tuner.returns.winners import has_score, standings

if TYPE_CHECKING:
    from tuner.returns.analysis import analyze, analyze_examples
    from tuner.returns.forest import ForestCurve, forest_curve
    from tuner.returns.jackknife import auc, pseudo_values
    from tuner.returns.single_fits import mcnemar

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
    "has_score",
    "knee",
    "mcnemar",
    "mixture_multiplier",
    "pair_level",
    "paired_bounds",
    "pseudo_values",
    "standings",
    "winners_scores",
]

# These load scipy.stats, which takes half a second that no runner or coordinator needs.
_LATER = {
    "ForestCurve": "forest",
    "analyze": "analysis",
    "analyze_examples": "analysis",
    "auc": "jackknife",
    "forest_curve": "forest",
    "mcnemar": "single_fits",
    "pseudo_values": "jackknife",
}


def __getattr__(name: str) -> Any:
    """Loads a part when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
