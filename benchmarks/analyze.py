"""How long an analysis takes, beside what one would put together with SciPy for the same question.

    python benchmarks/analyze.py [--json FILE]

Two sizes: 10 levels by 10 scores, and 10 levels by 20 replicates by 10,000 test
examples. The peers answer less: for the scores, paired t-tests of all pairs
(`scipy.stats.ttest_rel`); for the predictions, a bootstrap over examples of each
gain (`scipy.stats.bootstrap`, 1,000 resamples, percentile). Best of several runs,
on one core, in one process.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy is loaded

import numpy as np  # noqa: E402
from scipy import stats  # noqa: E402

from tuner.returns import analyze, analyze_examples  # noqa: E402

LEVELS = [2**k for k in range(10)]


def best(work: Callable[[], object], times: int) -> float:
    """Returns the least of several times, in seconds."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def scores() -> dict[str, float]:
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 0.02, 10)
    rows = [
        (level, seed, 0.05 + 0.4 / level + luck[seed] + rng.normal(0, 0.005), 1.5 * level)
        for level in LEVELS
        for seed in range(10)
    ]
    frame = dict(zip(("depth", "seed", "error", "seconds"), zip(*rows, strict=True), strict=True))
    by_level = np.array(frame["error"]).reshape(10, 10)

    def ours() -> object:
        return analyze(
            frame,
            level="depth",
            score="error",
            direction="minimize",
            margin=0.01,
            replicate="seed",
            cost="seconds",
            design="fixed",
        )

    def peer() -> object:
        pairs = itertools.combinations(range(10), 2)
        return [stats.ttest_rel(by_level[i], by_level[j]).confidence_interval() for i, j in pairs]

    return {"ours": best(ours, 20), "peer": best(peer, 20)}


def examples() -> dict[str, float]:
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 1, 10_000)
    right = {
        level: rng.normal(0, 1, (20, 10_000)) + hard < 1.5 + 0.3 * np.log2(level)
        for level in LEVELS
    }

    def ours() -> object:
        return analyze_examples(right, margin=0.005)

    def peer() -> object:
        found = []
        for below, level in itertools.pairwise(LEVELS):
            gain = right[level].mean(axis=0) - right[below].mean(axis=0)
            found.append(
                stats.bootstrap(
                    (gain,),
                    np.mean,
                    n_resamples=1000,
                    batch=100,
                    method="percentile",
                    rng=np.random.default_rng(0),
                ).confidence_interval
            )
        return found

    return {"ours": best(ours, 3), "peer": best(peer, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="save the rows here")
    arguments = parser.parse_args()
    rows = [
        {"what": "10 levels x 10 scores", "limit": 0.1, **scores()},
        {"what": "10 levels x 20 replicates x 10,000 examples", "limit": 2.0, **examples()},
    ]
    print("| what | this analysis | the peer | ratio | wanted below |")
    print("| --- | --- | --- | --- | --- |")
    for row in rows:
        ours, peer = row["ours"], row["peer"]
        print(
            f"| {row['what']} | {1e3 * ours:.1f} ms | {1e3 * peer:.1f} ms | {ours / peer:.2f} "
            f"| {1e3 * row['limit']:.0f} ms |"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
