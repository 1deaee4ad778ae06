"""For Ray Tune: a search algorithm that climbs, and a stopper for sweeps of one's own."""

from tuner.integrations.ray.search import ReturnsSearch
from tuner.integrations.ray.stopper import ReturnsStopper

__all__ = ["ReturnsSearch", "ReturnsStopper"]
