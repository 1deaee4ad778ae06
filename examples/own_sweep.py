"""Analyses a sweep of one's own: no service, no cluster, only the verdict.

python examples/own_sweep.py      # --quick for fewer widths and seeds; --save FILE.csv keeps it

The sweep is a loop as anybody would write it: a network of one hidden layer, wider and wider, on
handwritten digits. Seed i is the same split at every width, so differences are paired. It is judged
twice: by the scores of the seeds, and by which test examples each network got right.
"""

import argparse
import csv
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from tuner.returns import analyze, analyze_examples

Rows = list[dict[str, float]]


def sweep(widths: list[int], seeds: int) -> tuple[Rows, dict[int, list[np.ndarray]]]:
    """Returns a row a run, and by width which test examples each seed's network got right."""
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x / 16, y, test_size=0.25, stratify=y, random_state=0)
    rows, right = [], {width: [] for width in widths}
    for width in widths:
        for seed in range(seeds):
            part, _, labels, _ = train_test_split(x, y, test_size=0.1, random_state=seed)
            net = MLPClassifier((width,), max_iter=60, learning_rate_init=0.01, random_state=seed)
            start = time.perf_counter()
            net.fit(part, labels)
            seconds = time.perf_counter() - start
            right[width].append(net.predict(x_test) == y_test)
            error = 100 * (1 - right[width][-1].mean())
            rows.append({"width": width, "seed": seed, "error": error, "seconds": seconds})
    return rows, right


def main() -> int:
    parser = argparse.ArgumentParser(description="Analyses a sweep of one's own.")
    parser.add_argument("--quick", action="store_true", help="fewer widths and seeds")
    parser.add_argument("--save", type=Path, help="write the table here, for `tuner analyze`")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # 60 passes are what is asked

    widths = [4, 8, 16, 32] if arguments.quick else [4, 8, 16, 32, 64, 128]
    rows, right = sweep(widths, seeds=5 if arguments.quick else 10)
    if arguments.save:
        with arguments.save.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)

    curve = analyze(
        {name: [row[name] for row in rows] for name in rows[0]},  # or a pandas data frame
        level="width",
        score="error",
        direction="minimize",
        margin=1.0,  # a doubling must save one point of error to be worth it
        replicate="seed",
        cost="seconds",
        design="fixed",
    )
    print(f"{curve.verdict.outcome}: {curve.verdict.reason}")
    for gain in curve.gains:
        bounds = f"[{gain.low:+.2f}, {gain.high:+.2f}]"
        print(f"  {gain.below} -> {gain.level}: {gain.estimate:+.2f} points {bounds}")
    if curve.level_probabilities:
        chances = {level: f"{p:.2f}" for level, p in curve.level_probabilities.items()}
        print(f"  chance to be the smallest that is enough: {chances}")
    if curve.next_doubling:
        print(
            f"  one more doubling: {curve.next_doubling.gain:+.2f} ({curve.next_doubling.method})"
        )
    for note in curve.notes:
        print(f"  note: {note}")

    # On other seeds and another test set, both: the same question, in shares.
    both = analyze_examples(
        {width: np.array(rows) for width, rows in right.items()}, level="width", margin=0.01
    )
    print(f"by seeds and test examples: {both.verdict.outcome}: {both.verdict.reason}")
    if both.needed.reason:
        print(f"  missing: {both.needed.reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
