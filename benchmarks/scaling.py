"""How the best learning rate moves with depth and width: the figures of docs/tuning.md.

    python benchmarks/scaling.py [--cnn DATASET] [--replicates N] [--json FILE]

On HPOBench's tables of multilayer perceptrons (see `tuner.search.simulation.hpobench`),
and with --cnn on the catalog's `cnn`, trained at every rate on a data set as a spec names
it: `digits`, or `idx:FOLDER`, of which 2,000 examples are used.
The best rate of a level is a mean of log2(rate), in three ways:

- best: each rate has the score of its best other setting, and weighs exp(score / 1 point);
- tenth: over the best tenth of all the level's settings, where a tuner's winners lie;
- alike: as best, at each other setting by itself; its slope is the mean over those that
  are within 5 points of the level's best at every level.

The exponent is the slope of that mean over log2(level), by least squares. Intervals are
of Student's t at 95 %, over the tables or, for cnn, over replicates: with four tables or
as many replicates they are wide, and that is what is known.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is loaded

import numpy as np
import numpy.typing as npt
from scipy import stats

from tuner.search.simulation import hpobench

Floats = npt.NDArray[np.float64]

POINT = 0.01
"""Of accuracy: a rate that is worse by it weighs 1/e."""

BEST = 0.1
NEAR = 0.05
RATE = "learning_rate_init"

CNN_RATES = tuple(10 ** (k / 3 - 3.5) for k in range(10))
CNN_LEVELS = {"depth": (1, 2, 4, 8), "filters": (4, 8, 16, 32, 64)}
CNN_EXAMPLES = 2000


def centre(scores: Floats, rates: Sequence[float]) -> Floats:
    """Returns the weighted mean of log2(rate) over the last axis, a rate a place."""
    weights = np.exp((scores - scores.max(axis=-1, keepdims=True)) / POINT)
    means: Floats = (weights * np.log2(rates)).sum(axis=-1) / weights.sum(axis=-1)
    return means


def slope(centres: Floats, levels: Sequence[int]) -> Floats:
    """Returns the slope over log2(level) of what has a level a row."""
    x = np.log2(levels) - np.log2(levels).mean()
    slopes: Floats = np.tensordot(x, centres, 1) / (x**2).sum()
    return slopes


def table(name: str, axis: str) -> tuple[dict[str, float], list[float]]:
    """Returns the exponents of a table by estimator, and its levels' best rates."""
    world = hpobench.load(name, axis)
    rates = [float(rate) for rate in world.grid[RATE]]
    means = np.moveaxis(world.means, 1 + list(world.grid).index(RATE), -1)
    flat = means.reshape(len(world.levels), -1, len(rates))  # (levels, other settings, rates)
    best = centre(flat.max(axis=1), rates)
    tenth = []
    for level in flat:
        near = level >= np.quantile(level, 1 - BEST)
        tenth.append(np.broadcast_to(np.log2(rates), level.shape)[near].mean())
    tops = flat.max(axis=2)
    alike = (tops >= tops.max(axis=1, keepdims=True) - NEAR).all(axis=0)
    slopes = {
        "best": float(slope(best, world.levels)),
        "tenth": float(slope(np.array(tenth), world.levels)),
        "alike": float(slope(centre(flat[:, alike], rates), world.levels).mean()),
    }
    return slopes, (2**best).tolist()


def cnn(axis: str, dataset: str, replicates: int) -> tuple[list[float], list[float], Floats]:
    """Returns each replicate's exponent, the levels' best rates, and all errors."""
    from tuner import scoring
    from tuner.datasets import registry
    from tuner.datasets.base import Request
    from tuner.datasets.splits import Splits
    from tuner.learners.base import Device
    from tuner.learners.cnn import Cnn
    from tuner.search.tuning import default_setting
    from tuner.spec import Search, Split

    levels = CNN_LEVELS[axis]
    source, _, folder = dataset.partition(":")
    data = registry.load(source, Request(Path(folder) if folder else None))
    splits = Splits(data, Split(train_limit=CNN_EXAMPLES), 0)
    folds = [splits.tuning(replicate) for replicate in range(replicates)]
    default = dict(default_setting(Search("cnn", axis=axis).ranges()))
    settings = [tuple({**default, "learning_rate": rate}.items()) for rate in CNN_RATES]
    errors = np.ones((len(levels), len(folds), len(settings)))  # of what diverged
    for result in Cnn().evaluate(axis, settings, levels, folds, Device()):
        member = result.member
        if result.predictions is not None:
            y = folds[member.replicate].y_score
            place = (levels.index(member.level), member.replicate, settings.index(member.setting))
            errors[place] = scoring.scores(result.predictions, y)["error"]
    slopes = slope(centre(-errors, CNN_RATES), levels)
    return slopes.tolist(), (2 ** centre(-errors.mean(axis=1), CNN_RATES)).tolist(), errors


def told(slopes: Sequence[float]) -> str:
    """Returns the mean and its interval."""
    low, high = stats.t.interval(0.95, len(slopes) - 1, np.mean(slopes), stats.sem(slopes))
    return f"{np.mean(slopes):+.2f} ({low:+.2f} to {high:+.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cnn", metavar="DATASET", help="train cnn, too: 3 minutes on digits")
    parser.add_argument("--replicates", type=int, default=4, help="of cnn; at least 2")
    parser.add_argument("--json", type=Path, help="write all figures there")
    args = parser.parse_args()
    figures: dict[str, object] = {}
    for axis in hpobench.AXES:
        found = {name: table(name, axis) for name in hpobench.DATA_SETS}
        print(f"\nperceptrons by {axis}")
        for way in ("best", "tenth", "alike"):
            slopes = [exponents[way] for exponents, _ in found.values()]
            print(f"  {way:6}", told(slopes), " ".join(f"{one:+.2f}" for one in slopes))
        for name, (_, rates) in found.items():
            print(f"  {name:18}", " ".join(f"{rate:.2g}" for rate in rates))
        figures[f"perceptrons/{axis}"] = found
    for axis in CNN_LEVELS if args.cnn else ():
        slopes, rates, errors = cnn(axis, args.cnn, args.replicates)
        print(f"\ncnn by {axis}\n  best  ", told(slopes), " ".join(f"{s:+.2f}" for s in slopes))
        print(f"  {args.cnn[:18]:18}", " ".join(f"{rate:.2g}" for rate in rates))
        figures[f"cnn/{axis}"] = [slopes, rates, errors.tolist()]
    if args.json:
        args.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
