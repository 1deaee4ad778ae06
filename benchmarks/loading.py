"""How long a data set takes to load and to divide, and the most memory that it takes.

    python benchmarks/loading.py DATASET

DATASET is written as in a spec: idx:FOLDER, csv:FILE?target=COLUMN.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tuner.datasets import registry
from tuner.datasets.base import Request
from tuner.datasets.splits import Splits
from tuner.spec import Dataset, Split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset")
    parser.add_argument(
        "--task", choices=["classification", "regression"], default="classification"
    )
    args = parser.parse_args()
    wanted = Dataset.model_validate(args.dataset)
    path = Path(wanted.path).resolve() if wanted.path else None
    start = time.perf_counter()
    data = registry.load(
        wanted.source, Request(path, name=wanted.path, options=wanted.options, task=args.task)
    )
    loaded = time.perf_counter()
    Splits(data, Split(), 0).measuring(0)
    divided = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    test = 0 if data.y_test is None else len(data.y_test)
    print(
        f"{len(data.y) + test:,} examples of shape {data.x.shape[1:]}: {loaded - start:.2f} s to "
        f"load, {divided - loaded:.2f} s for splits and a fold, {peak:.0f} MiB at most"
    )


if __name__ == "__main__":
    main()
