"""Search policies: the next plan step, from recorded steps and measurements alone."""

from tuner.search.climb import Climb
from tuner.search.record import SearchRecord

__all__ = ["Climb", "SearchRecord"]
