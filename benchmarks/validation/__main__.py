"""Checks verdicts and intervals against simulated truth.

    python -m benchmarks.validation [--curves 1000] [--seed 0] [--workers N]
                                    [--json FILE] [--markdown FILE]

Prints a Markdown table a kind of simulation: deterministic for a seed and a number
of curves, whatever the number of workers. Gaussian cases are gated at what an exact
method keeps 99 times in 100; ends with exit code 1 where one fails.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.validation import examples, foresight, splits, verdicts
from benchmarks.validation.rows import Row, markdown, worst
from tuner.testing.truths import CASES

POWER_CASES = ("two levels, no gain", "no gain")


def simulations() -> Iterator[tuple[Callable[..., list[Row]], tuple[object, ...]]]:
    """Yields each simulation's function and what it is of, in the order of the tables."""
    for case in CASES.values():
        yield verdicts.sequential, (case,)
    for case in CASES.values():
        yield verdicts.fixed, (case,)
    for name in POWER_CASES:
        yield verdicts.power, (CASES[name],)
    for name in examples.SHARES:
        yield examples.crossed, (name,)
    for name in examples.CLUSTERS:
        yield examples.in_clusters, (name,)
    for name in splits.PARTS:
        yield splits.assumed, (name,)
    yield splits.real, ()
    for name in foresight.NEEDED:
        yield foresight.needed, (name,)
    for replicates in foresight.NUMBERS:
        yield foresight.probabilities, (replicates,)
    for law in foresight.LAWS:
        yield foresight.extrapolation, (law,)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--curves", type=int, default=1000, help="of each case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--json", type=Path, help="save the counts here")
    parser.add_argument("--markdown", type=Path, help="save the tables here")
    options = parser.parse_args()
    # One thread a process: the arrays are small, and sums don't depend on the machine.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        waiting = [
            pool.submit(simulate, *of, options.curves, options.seed)
            for simulate, of in simulations()
        ]
        rows = []
        for i, future in enumerate(waiting, 1):
            rows += future.result()
            if sys.stderr.isatty():
                print(f"\r{i} of {len(waiting)} simulations", end="", file=sys.stderr)
    text = markdown([*worst(rows), *rows])
    print(text)
    if options.markdown:
        options.markdown.write_text(text)
    if options.json:
        options.json.write_text(json.dumps([row.as_json() for row in rows], indent=1))
    failed = [row for row in rows if row.failed]
    for row in failed:
        print(f"failed: {row.case}, {row.design}: {', '.join(row.failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
