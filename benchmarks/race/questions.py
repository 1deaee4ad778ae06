"""What is asked in the race: the specs that both sides are given."""

from __future__ import annotations

from pathlib import Path

import yaml

from tuner import catalog
from tuner.spec import JobSpec

DIGITS = Path(__file__).parents[2] / "examples" / "digits.yaml"

LADDER = """
name: ladder
dataset: digits
margin: 0.02
baseline: null
searches:
  - learner: cnn
    axis: filters
    # The third suffices: in two passes over the data 4 filters do better than 2 by about nine
    # points of error, 8 better than 4 by three, and from 8 on a doubling saves one at most.
    levels: [2, 4, 8, 16, 32, 64, 128, 256]
    space: {depth: 4, epochs: 2, learning_rate: {low: 0.001, high: 0.03}}
tuning: {trials: 20, generation: 4}
measuring: {min_replicates: 4, max_replicates: 30, batch: 2}
"""

QUICK = {
    "tuning": {"trials": 2, "generation": 2},
    "measuring": {"min_replicates": 4, "max_replicates": 6, "batch": 2},
}

NAMES = ("digits", "ladder")


def question(name: str, quick: bool = False) -> JobSpec:
    """Returns a question's spec; a quick one has three levels a search, and little effort.

    Raises:
        KeyError: There is no such question.
    """
    texts = {"digits": DIGITS.read_text(encoding="utf-8"), "ladder": LADDER}
    data = yaml.safe_load(texts[name])
    if quick:
        data |= QUICK
        for search in data["searches"]:
            search["levels"] = search["levels"][:3]
    return JobSpec.parse(data)


def is_nested(spec: JobSpec, key: str) -> bool:
    """Tells whether one fit scores all levels of a search."""
    search = spec.search(key)
    axis = catalog.LEARNERS[search.learner].axis(search.axis)
    return axis is not None and axis.nested
