"""The simulator: any policy against a table of results, on virtual workers.

from tuner.search.simulation import Setup, compare

setup = Setup("climb", "hpobench/car", "width", margins=(0.01,))
for row in next(compare([setup], runs=30)):
    print(row.device_seconds, row.share(Mark.RIGHT).estimate)
"""

from tuner.search.simulation.compare import Played, Row, Setup, compare, play
from tuner.search.simulation.judge import Mark, Share, judge
from tuner.search.simulation.run import Answer, Factory, Optimizer, Plan, Run, simulate
from tuner.search.simulation.world import Noise, World, WorldSpec

__all__ = [
    "Answer",
    "Factory",
    "Mark",
    "Noise",
    "Optimizer",
    "Plan",
    "Played",
    "Row",
    "Run",
    "Setup",
    "Share",
    "World",
    "WorldSpec",
    "compare",
    "judge",
    "play",
    "simulate",
]
