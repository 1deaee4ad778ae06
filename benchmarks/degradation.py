"""At which depth a plain stack starts to degrade, and whether a residual net does.

    python benchmarks/degradation.py [--dataset digits] [--replicates 5] [--json FILE]

Each family at each depth is trained at every learning rate on a tuning split, and the best
one is measured on the test by fresh replicates: the same splits and seeds for both. Batches,
epochs, filters and all else are alike. Training error tells degradation (a deep stack that
can't be fitted, He et al. 2015) from overfitting. Paired differences to each family's best
depth have Student's t intervals at 95 %.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch are loaded
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from scipy import stats

from tuner import scoring
from tuner.catalog import LEARNERS
from tuner.datasets import registry as sources
from tuner.datasets.base import Fold, Request
from tuner.datasets.splits import Splits
from tuner.learners import registry
from tuner.learners.base import Device
from tuner.record import Setting, make_setting
from tuner.search.tuning import default_setting
from tuner.spec import Search, Split

DEPTHS = {"cnn": (2, 4, 8, 16, 32, 56), "resnet": (8, 14, 20, 32, 56)}
RATES = (0.001, 0.003, 0.01, 0.03)


def fit(learner: str, depth: int, setting: Setting, fold: Fold) -> dict[str, float]:
    """Returns error, training error and seconds of one fit; an error of 1 where it diverged."""
    [result] = registry.get(learner).evaluate("depth", [setting], [depth], [fold], Device())
    if result.predictions is None or result.train_predictions is None:
        return {"error": 1.0, "train": 1.0, "seconds": result.standalone_seconds}
    seen = fold.y[: len(result.train_predictions)]
    return {
        "error": scoring.scores(result.predictions, fold.y_score)["error"],
        "train": scoring.scores(result.train_predictions, seen)["error"],
        "seconds": result.standalone_seconds,
    }


def level(learner: str, depth: int, args: argparse.Namespace) -> dict[str, object]:
    """Tunes and measures one depth."""
    source, _, path = args.dataset.partition(":")
    data = sources.load(source, Request(Path(path) if path else None))
    splits = Splits(data, Split(train_limit=args.examples), args.seed)
    common = {"filters": args.filters, "epochs": args.epochs, "batch_size": args.batch}
    default = dict(default_setting(Search(learner, axis="depth").ranges()))
    allowed = LEARNERS[learner].hyperparameters
    default |= {name: value for name, value in common.items() if name in allowed}
    settings = [make_setting({**default, "learning_rate": rate}) for rate in args.rates]
    tuned = [fit(learner, depth, setting, splits.tuning(0))["error"] for setting in settings]
    best = settings[int(np.argmin(tuned))]
    found = [fit(learner, depth, best, splits.measuring(r)) for r in range(args.replicates)]
    return {
        "learner": learner,
        "depth": depth,
        "rate": dict(best)["learning_rate"],
        "error": [f["error"] for f in found],
        "train": [f["train"] for f in found],
        "seconds": float(np.median([f["seconds"] for f in found])),
    }


def markdown(rows: list[dict]) -> str:
    """Returns a table of both families."""
    lines = [
        "| family | depth | rate | test error | training error | worse than the best depth | s |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name in dict.fromkeys(row["learner"] for row in rows):
        mine = [row for row in rows if row["learner"] == name]
        best = min(mine, key=lambda row: np.mean(row["error"]))
        for row in mine:
            test, train = (100 * np.mean(row[part]) for part in ("error", "train"))
            lines.append(
                f"| {name} | {row['depth']} | {row['rate']:g} | {test:.2f} % | {train:.2f} % "
                f"| {worse(row, best)} | {row['seconds']:.1f} |"
            )
    return "\n".join(lines)


def worse(row: dict, best: dict) -> str:
    """Returns the paired difference in points with its interval."""
    if row is best:
        return "best"
    gaps = 100 * (np.array(row["error"]) - np.array(best["error"]))
    half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps))
    return f"{gaps.mean():+.2f} [{gaps.mean() - half:+.2f}, {gaps.mean() + half:+.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--dataset", default="digits", help="digits, or idx:FOLDER")
    add("--examples", type=int, help="training examples at most; all where omitted")
    add("--learners", nargs="+", default=list(DEPTHS))
    add("--depths", nargs="+", type=int, help="of every learner that is named")
    add("--rates", nargs="+", type=float, default=RATES)
    add("--filters", type=int, default=8)
    add("--epochs", type=int, default=16)
    add("--batch", type=int, default=64)
    add("--replicates", type=int, default=5)
    add("--seed", type=int, default=0)
    add("--processes", type=int, default=len(os.sched_getaffinity(0)))
    add("--json", type=Path)
    args = parser.parse_args()
    began = time.perf_counter()
    wanted = [(name, d) for name in args.learners for d in (args.depths or DEPTHS[name])]
    with ProcessPoolExecutor(args.processes) as pool:
        # The dearest first, so that none is left over at the end.
        order = sorted(wanted, key=lambda pair: -pair[1])
        found = dict(
            zip(order, pool.map(level, *zip(*order, strict=True), [args] * len(order)), strict=True)
        )
    rows = [found[pair] for pair in wanted]
    print(markdown(rows))
    print(f"\n{time.perf_counter() - began:.0f} s")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
