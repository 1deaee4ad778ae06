"""The science of returns: pure functions from scores to bounds, a verdict and a curve.

`assess` answers one look, `curve` makes the whole curve of a search from its
record. No I/O, no clock, no randomness: the same input gives the same output to
the last digit, whatever the order of rows.
"""

from tuner.returns.assessment import Assessment, assess
from tuner.returns.bounds import mixture_multiplier, paired_bounds
from tuner.returns.curves import ANALYSIS_VERSION, curve

__all__ = [
    "ANALYSIS_VERSION",
    "Assessment",
    "assess",
    "curve",
    "mixture_multiplier",
    "paired_bounds",
]
