"""What a forest's size curve costs: one fit and theory, beside refitting at each size.

    python benchmarks/forest.py [--quick] [--json FILE]

Sizes are 1, 2, 4 ... 1,024 trees: eleven of them, ten steps. `forest_curve` gives each
size's expected Brier score and each step's gain with intervals that hold together at
95 %, from one forest of 1,024 trees. The peers are scikit-learn's forests, as many as
it takes until a t interval of the same level is as narrow, size by size:

- refits: a forest of its own at each size and seed. The same seeds at every size, so
  that gains are paired: scikit-learn's smaller forest is the larger one's first trees.
- nested: a seed's forest is grown once, as large as any size still needs that seed; its
  first T trees serve every T.
- blocks: forests of 1,024 trees, each cut into 1,024/T forests of T trees. A gain is
  that of a block over its own two halves.

The training set and the test examples are fixed for all, and seeds change the trees
alone: every interval here is conditional on both, and of the same number.

All run on one core. Times are processor seconds, which other work on the machine
doesn't lengthen much. Ours hold everything: the fit, all trees' predictions, the
jackknife. A peer's hold fits, predictions and scores; how many seeds it needs is told
to it for nothing, from the spread of the seeds that were run: a few at first, then
until they are enough or `Effort.most`. Where more are needed than were run, or than
were timed, the mean time is multiplied; "run" is the share of the time really spent.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy is loaded

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_digits  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402

from tuner.returns.designs import FIXED  # noqa: E402
from tuner.returns.forest import ForestCurve, forest_curve  # noqa: E402

T = TypeVar("T")
Array = npt.NDArray[Any]

ALPHA = 0.05
LOADERS: Mapping[str, Callable[..., Any]] = {
    "digits": load_digits,
    "breast_cancer": load_breast_cancer,
}
OURS = 1_000_000
"""Our seeds start here, far from the peers': the two estimates are independent."""


@dataclass(frozen=True)
class Effort:
    """How much is run.

    Attributes:
        sizes: Numbers of trees, each twice the one before.
        seeds: Fits of ours, seeds of every size that run before any is counted.
        timed: Nested forests that are timed at each size.
        most: Seeds of a size that run at most.
    """

    sizes: tuple[int, ...] = tuple(2**k for k in range(11))
    seeds: int = 10
    timed: int = 3
    most: int = 5_000


FULL = Effort()
QUICK = Effort(seeds=3, most=30)


@dataclass(frozen=True)
class Task:
    """One split of one data set: features float32, as trees want them; truth one-hot."""

    name: str
    x: Array
    y: Array
    x_test: Array
    y_test: Array
    truth: Array

    @classmethod
    def load(cls, name: str) -> Task:
        x, y = LOADERS[name](return_X_y=True)
        x, x_test, y, y_test = train_test_split(
            x.astype(np.float32), y, test_size=0.4, stratify=y, random_state=0
        )
        return cls(name, x, y, x_test, y_test, np.eye(y.max() + 1)[y_test])


@dataclass
class Runs:
    """What forests of one size scored, by seed from 0 up, and the seconds that each took."""

    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass
class Measured:
    """All that was run on a task; everything that is printed follows from it.

    Attributes:
        task: Its name.
        curves: Ours, a fit each.
        seconds: What each of them took.
        refits: By size.
        nested: Seconds of a forest that serves all sizes up to this one.
        halves: By the upper size, what blocks gain over their halves.
    """

    task: str
    curves: list[ForestCurve]
    seconds: list[float]
    refits: dict[int, Runs]
    nested: dict[int, list[float]]
    halves: dict[int, list[float]]


@dataclass(frozen=True)
class Row:
    """The interval of one size's score, or of the gain of one step.

    Attributes:
        task: The data set.
        what: "score" or "gain".
        trees: The size; of a gain, the upper one.
        ours: Estimate of our first fit.
        half_width: Of our interval, the mean over our fits.
        peer: Mean over the refits' seeds; of a gain, over pairs.
        spread: Their standard deviation.
        run: Seeds that were run.
        seeds: The fewest seeds whose t interval is as narrow as ours.
        blocks: The fewest blocks.
        distance: Between the two estimates, in joint standard errors.
    """

    task: str
    what: str
    trees: int
    ours: float
    half_width: float
    peer: float
    spread: float
    run: int
    seeds: int
    blocks: int
    distance: float


@dataclass(frozen=True)
class Total:
    """What one way to all intervals of a kind costs.

    Attributes:
        task: The data set.
        what: "score" or "gain".
        way: "this", or the peer's name.
        forests: Fits.
        trees: Trees in all of them.
        seconds: Processor seconds.
        ratio: Over ours.
        run: The share of the seconds that was really spent; the rest is multiplied.
    """

    task: str
    what: str
    way: str
    forests: int
    trees: int
    seconds: float
    ratio: float
    run: float


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Returns what the work returns, and the processor seconds that it took."""
    start = time.process_time()
    done = work()
    return done, time.process_time() - start


def brier(probabilities: Array, truth: Array) -> float:
    """Returns the squared distance from the truth, summed over classes."""
    return float(np.sum(np.square(probabilities - truth)) / len(truth))


def grow(task: Task, trees: int, seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(trees, n_jobs=1, random_state=seed).fit(task.x, task.y)


def tree_probabilities(task: Task, trees: int, seed: int) -> Array:
    """Returns every tree's probabilities, shape (trees, examples, classes)."""
    forest = grow(task, trees, seed)
    p = np.empty((trees, *task.truth.shape), np.float32)  # half the memory, and 8 digits do
    for row, tree in zip(p, forest.estimators_, strict=True):
        row[...] = tree.tree_.predict(task.x_test)  # predict_proba judges the input anew each time
    return p


def one_fit(task: Task, sizes: Sequence[int], seed: int) -> ForestCurve:
    return forest_curve(tree_probabilities(task, sizes[-1], seed), task.y_test, sizes, ALPHA)


def refit(task: Task, trees: int, seed: int) -> float:
    return brier(grow(task, trees, seed).predict_proba(task.x_test), task.truth)


def nested(task: Task, sizes: Sequence[int], seed: int) -> list[float]:
    """Returns what a forest's first T trees score, for each size T."""
    votes, scores = np.zeros_like(task.truth), []
    for t, tree in enumerate(grow(task, sizes[-1], seed).estimators_, start=1):
        votes += tree.tree_.predict(task.x_test)
        if t in sizes:
            scores.append(brier(votes / t, task.truth))
    return scores


def block_scores(task: Task, sizes: Sequence[int], seed: int) -> list[Array]:
    """Returns, for each size, what the blocks score that a forest is cut into, in order."""
    sums, scores = tree_probabilities(task, sizes[-1], seed).astype(np.float64), []
    for size in sizes:
        scores.append(np.array([brier(block / size, task.truth) for block in sums]))
        sums = sums[0::2] + sums[1::2] if len(sums) > 1 else sums
    return scores


def measure(task: Task, effort: Effort) -> Measured:
    """Runs all ways in turns, so that they meet the same machine, then the seeds still missing."""
    sizes = effort.sizes
    found = Measured(
        task.name,
        curves=[],
        seconds=[],
        refits={size: Runs() for size in sizes},
        nested={size: [] for size in sizes},
        halves={size: [] for size in sizes[1:]},
    )
    one_fit(task, sizes[:2], 0)  # the first call of anything is slow

    def run_refit(size: int) -> None:
        runs = found.refits[size]
        score, seconds = timed(partial(refit, task, size, len(runs.scores)))
        runs.scores.append(score)
        runs.seconds.append(seconds)

    for seed in range(effort.seeds):
        curve, seconds = timed(partial(one_fit, task, sizes, OURS + seed))
        found.curves.append(curve)
        found.seconds.append(seconds)
        for size in sizes:
            run_refit(size)
        if seed < effort.timed:
            for i, size in enumerate(sizes, start=1):
                _, seconds = timed(partial(nested, task, sizes[:i], seed))
                found.nested[size].append(seconds)
        scores = block_scores(task, sizes, seed)
        for size, (below, level) in zip(sizes[1:], itertools.pairwise(scores), strict=True):
            found.halves[size] += list((below[0::2] + below[1::2]) / 2 - level)
    for place, size in enumerate(sizes):
        while (row := score_row(found, place)).run < min(row.seeds, effort.most):
            run_refit(size)
    return found


def seeds_needed(spread: float, half_width: float, one_sided_level: float) -> int:
    """Returns the fewest scores of that spread whose t interval is no wider than that.

    Raises:
        ValueError: The half-width is not above 0, so that no number would do.
    """
    if not half_width > 0:
        raise ValueError(f"half_width is {half_width}; give a number above 0")

    def enough(n: int) -> bool:
        return FIXED.multiplier(n, one_sided_level) * FIXED.scale(n) * spread <= half_width

    high = 2
    while not enough(high):
        high *= 2
    low = high // 2  # a t interval needs two
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def interval_row(
    found: Measured,
    what: str,
    trees: int,
    ours: Sequence[tuple[float, float, float]],
    peer: Array,
    halves: Sequence[float] | None,
    claims: int,
) -> Row:
    """Returns a row from our fits' (estimate, low, high), the peer's values and the blocks'.

    Blocks are forests like any others: without values of their own they have the peer's
    spread.
    """
    level = ALPHA / (2 * claims)
    half_width = float(np.mean([high - low for _, low, high in ours])) / 2
    estimate, low, high = ours[0]
    spread = float(np.std(peer, ddof=1))
    error = math.hypot(
        (high - low) / 2 / FIXED.multiplier(found.curves[0].trees, level),
        spread / math.sqrt(len(peer)),
    )
    block_spread = spread if halves is None else float(np.std(halves, ddof=1))
    return Row(
        task=found.task,
        what=what,
        trees=trees,
        ours=estimate,
        half_width=half_width,
        peer=float(peer.mean()),
        spread=spread,
        run=len(peer),
        seeds=seeds_needed(spread, half_width, level),
        blocks=seeds_needed(block_spread, half_width, level),
        distance=(estimate - float(peer.mean())) / error,
    )


def score_row(found: Measured, place: int) -> Row:
    """Returns the row of one size's score."""
    own = [(s.brier, s.low, s.high) for s in (curve.sizes[place] for curve in found.curves)]
    size, runs = list(found.refits.items())[place]
    return interval_row(
        found, "score", size, own, np.array(runs.scores), None, claims=len(found.refits)
    )


def gain_row(found: Measured, place: int) -> Row:
    """Returns the row of the gain of one step, from the size at a place to the next."""
    own = [(g.gain, g.low, g.high) for g in (curve.gains[place] for curve in found.curves)]
    below, size = list(found.refits)[place : place + 2]
    pairs = zip(found.refits[below].scores, found.refits[size].scores, strict=False)
    gains = np.array([small - large for small, large in pairs])
    return interval_row(
        found, "gain", size, own, gains, found.halves[size], claims=len(found.refits) - 1
    )


def totals(found: Measured, rows: Sequence[Row]) -> list[Total]:
    """Returns what all of these rows' intervals cost, by each way."""
    sizes, what = list(found.refits), rows[0].what
    refits = dict.fromkeys(sizes, 0)
    for row in rows:
        # A gain takes forests of both of its sizes.
        for size in (row.trees, row.trees // 2) if what == "gain" else (row.trees,):
            refits[size] = max(refits[size], row.seeds)
    grown, so_far = {}, 0
    for row in reversed(rows):  # the forests that a larger size needs serve this one, too
        grown[row.trees] = max(row.seeds - so_far, 0)
        so_far += grown[row.trees]
    cut = max(math.ceil(row.blocks * row.trees / sizes[-1]) for row in rows)
    refit_seconds = {size: runs.seconds for size, runs in found.refits.items()}
    return [
        total(found, what, "this", {sizes[-1]: 1}, {sizes[-1]: found.seconds}),
        total(found, what, "refits", refits, refit_seconds),
        total(found, what, "nested", grown, found.nested),
        total(found, what, "blocks", {sizes[-1]: cut}, found.nested),
    ]


def total(
    found: Measured,
    what: str,
    way: str,
    forests: Mapping[int, int],
    seconds: Mapping[int, Sequence[float]],
) -> Total:
    """Returns what so many forests of each size cost, by the mean of the times measured."""
    each = {size: float(np.mean(seconds[size])) for size in forests}
    all_seconds = sum(count * each[size] for size, count in forests.items())
    run = sum(min(count, len(seconds[size])) * each[size] for size, count in forests.items())
    return Total(
        task=found.task,
        what=what,
        way=way,
        forests=sum(forests.values()),
        trees=sum(count * size for size, count in forests.items()),
        seconds=all_seconds,
        ratio=all_seconds / float(np.mean(found.seconds)),
        run=run / all_seconds,
    )


def share(part: float) -> str:
    return "all" if part >= 1 else f"{100 * part:.3g} %"


def markdown(rows: Sequence[Row], sums: Sequence[Total]) -> str:
    lines = [
        "| data | intervals of | way | forests | trees | seconds | times ours | run |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {s.task} | {s.what}s | {s.way} | {s.forests:,} | {s.trees:,} | {s.seconds:,.1f} "
        f"| {s.ratio:,.1f} | {share(s.run)} |"
        for s in sums
    ]
    lines += [
        "",
        "Seconds are forests by the mean time of one of their size; what wasn't run is multiplied.",
        "Wanted: refits take at least 8 times ours.",
        "",
        "| data | of | trees | ours | ± | refits | spread | run | seeds | blocks | distance |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {r.task} | {r.what} | {r.trees:,} | {r.ours:.6f} | {r.half_width:.2g} | {r.peer:.6f} "
        f"| {r.spread:.2g} | {r.run:,} | {r.seeds:,} | {r.blocks:,} | {r.distance:+.1f} |"
        for r in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few seeds: rougher, sooner")
    parser.add_argument("--json", type=Path, help="save what is printed here")
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    sums: list[Total] = []
    for name in LOADERS:
        found = measure(Task.load(name), QUICK if options.quick else FULL)
        scores = [score_row(found, place) for place in range(len(found.refits))]
        gains = [gain_row(found, place) for place in range(len(found.halves))]
        rows += scores + gains
        sums += totals(found, scores) + totals(found, gains)
    print(markdown(rows, sums))
    if options.json:
        kept = {"totals": [asdict(s) for s in sums], "rows": [asdict(r) for r in rows]}
        options.json.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
