"""What it brings to let idle workers run ahead of the plan, and what it costs.

    python benchmarks/speculation.py [--runs 40] [--quick] [--json FILE]

Every question is put to the climb twice, with the same seed: with `resources.speculate` and
without. Both must take the same steps, get the same record and give the same answer; the
script fails where they don't. The tables are HPOBench's (by width, replicates paired) and
the simulated curves. "Wall-clock" and "device" are with speculation, as a share of without:
of the medians over runs, and of the sums. "Unclaimed" is what of the device time ran ahead
and was never asked for. It pays where wall-clock falls by a fifth for at most a tenth more
device time.

`--likely`, `--unclaimed` and `--only` try other rules than the product's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded
sys.path.insert(0, str(Path(__file__).parents[1]))

from tuner.record import Phase, record_digest, seed_of
from tuner.search import Climb, foresight
from tuner.search.simulation import WorldSpec, simulate
from tuner.search.simulation.hpobench import Spread
from tuner.search.simulation.tables import TABLES, find_world
from tuner.spec import Resources

MARGINS = (0.005, 0.01, 0.02)
WORKERS = (4, 8, 32)
FASTER, DEARER = 0.8, 1.1

Question = tuple[str, float]
Times = tuple[float, float, float]
"""Wall-clock seconds, device-seconds, and what of them was never asked for."""


def main(argv: list[str] | None = None) -> None:
    args = arguments(argv)
    questions = list(itertools.product(args.tables, args.margins))
    work = [(q, seed_of(0, "run", i), args.workers) for q in questions for i in range(args.runs)]
    rule = args.likely, args.unclaimed, args.only
    with ProcessPoolExecutor(args.processes, initializer=follow, initargs=rule) as pool:
        pairs = list(pool.map(pair, work, chunksize=5))
    rows = list(summary(questions, args, pairs))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print("\n".join(markdown(rows)))


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--runs", type=int, help="runs a row; 40, or 2 with --quick")
    add("--quick", action="store_true", help="few runs")
    add("--tables", nargs="+", default=TABLES, metavar="TABLE")
    add("--margins", nargs="+", type=float, default=MARGINS)
    add("--workers", nargs="+", type=int, default=WORKERS)
    add("--likely", type=float, default=foresight.LIKELY, help="least chance")
    add("--unclaimed", type=float, default=foresight.UNCLAIMED, help="most at stake")
    add("--only", choices=["tuning", "replicates"], help="foresee nothing else")
    add("--processes", type=int, default=len(os.sched_getaffinity(0)))
    add("--json", type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    args.runs = args.runs or (2 if args.quick else 40)
    return args


def follow(likely: float, unclaimed: float, only: str | None) -> None:
    """Sets a process's rule of what runs ahead."""
    foresight.LIKELY, foresight.UNCLAIMED = likely, unclaimed
    whole = foresight.Foresight.next

    def part(self, record):
        found = whole(self, record)
        return [f for f in found if (f.packet.phase is Phase.TUNING) == (only == "tuning")]

    if only:
        foresight.Foresight.next = part


def pair(work: tuple[Question, int, tuple[int, ...]]) -> list[tuple[Times, Times]]:
    """Returns what one seed takes without speculation and with it, by number of workers."""
    (table, margin), seed, workers = work
    world = find_world(table, spread=Spread.PAIRED)
    found = []
    for count in workers:
        without, ahead = (
            simulate(Climb, WorldSpec(world, margin, seed, resources=Resources(speculate=s)), count)
            for s in (False, True)
        )
        same = (
            without.record.steps == ahead.record.steps
            and record_digest(without.record.claimed()) == record_digest(ahead.record.claimed())
            and without.answers == ahead.answers
        )
        if not same:
            raise AssertionError(f"{table}, margin {margin}, seed {seed}: another record")
        found.append(tuple(
            (run.wall_clock_seconds, run.device_seconds, run.surplus_seconds)
            for run in (without, ahead)
        ))  # fmt: skip
    return found


def summary(
    questions: list[Question], args: argparse.Namespace, pairs: list[list[tuple[Times, Times]]]
) -> Iterator[dict]:
    """Yields a row for every number of workers, table and margin."""
    for i, workers in enumerate(args.workers):
        for j, (table, margin) in enumerate(questions):
            runs = [p[i] for p in pairs[j * args.runs : (j + 1) * args.runs]]
            wall = [statistics.median(run[k][0] for run in runs) for k in (0, 1)]
            device = [sum(run[k][1] for run in runs) for k in (0, 1)]
            unclaimed = sum(run[1][2] for run in runs)
            yield {
                "workers": workers,
                "table": table,
                "margin": margin,
                "runs": args.runs,
                "wall_clock": wall[1] / wall[0],
                "device": device[1] / device[0],
                "unclaimed": unclaimed / device[1],
                "pays": wall[1] <= FASTER * wall[0] and device[1] <= DEARER * device[0],
            }


def markdown(rows: list[dict]) -> Iterator[str]:
    """Yields a table of every question, a column for each number of workers, and its gist."""
    counts = sorted({row["workers"] for row in rows})
    by_key = {(row["table"], row["margin"], row["workers"]): row for row in rows}
    yield "Wall-clock, device time with speculation, as a share of without; * where it pays."
    yield ""
    yield "| table | margin | " + " | ".join(f"{count} workers" for count in counts) + " |"
    yield "|---" * (2 + len(counts)) + "|"
    for table, margin in dict.fromkeys((row["table"], row["margin"]) for row in rows):
        some = [by_key[table, margin, count] for count in counts]
        cells = (f"{r['wall_clock']:.2f}, {r['device']:.2f}{' *' * r['pays']}" for r in some)
        yield f"| {table} | {margin:g} | " + " | ".join(cells) + " |"
    gist = []
    for count in counts:
        some = [row for row in rows if row["workers"] == count]
        wall, device = (statistics.median(r[k] for r in some) for k in ("wall_clock", "device"))
        pays = sum(row["pays"] for row in some)
        gist.append(f"{wall:.2f}, {device:.2f}; pays in {pays} of {len(some)}")
    yield "| median | | " + " | ".join(gist) + " |"


if __name__ == "__main__":
    main()
