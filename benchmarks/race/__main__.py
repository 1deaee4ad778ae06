"""End to end on Ray: this service against plain Ray Tune and Optuna, wall-clock, in one run.

    python -m benchmarks.race [--only digits|ladder] [--quick] [--slots N]
                              [--json FILE] [--markdown FILE]

Both sides get the same question: `digits` is examples/digits.yaml, `ladder` eight levels
of which the third suffices. The service climbs and stops; the peer tunes every level and
measures every winner on all replicates (and, shown apart, on the fewest). Each side is a
script in a process of its own with a Ray of its own. Its clock runs from the start of the
script to the last verdict, imports, connections and drivers included; the start of Ray,
and of the coordinator, is told apart.

The service also measures a job's baseline, which the peer is spared. Both have the same
slots and threads; nothing is fused. Device-seconds are what fits took, tuning included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from benchmarks.race import questions, service
from benchmarks.race.result import Finish, as_json, markdown

T = TypeVar("T")


def isolated(function: Callable[..., T], *arguments: object) -> T:
    """Runs in a fresh process, so that no side inherits the other's Ray, modules or environment."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def race(name: str, quick: bool, slots: int) -> Iterator[Finish]:
    """Runs a question's sides, the service first, and yields how each went."""
    yield service.run(name, quick, slots, isolated)
    from benchmarks.race import peer  # here, so that the service's side never loads Ray Tune

    for way in peer.WAYS:
        yield from peer.run(name, way, quick, slots, isolated)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=questions.NAMES, help="one question of the two")
    parser.add_argument("--quick", action="store_true", help="small questions: a check, no figures")
    parser.add_argument("--slots", type=int, default=2, help="cores, a fit each")
    parser.add_argument("--json", type=Path, help="save the figures here")
    parser.add_argument("--markdown", type=Path, help="save the tables here")
    options = parser.parse_args(argv)
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    print(f"{options.slots} slots, {platform.machine()}, {os.cpu_count()} cores", flush=True)
    found, tables = [], []
    for name in [options.only] if options.only else questions.NAMES:
        finishes = []
        for finish in race(name, options.quick, options.slots):
            finishes.append(finish)
            print(f"{name}: {finish.way}, {finish.seconds:.1f} s", file=sys.stderr, flush=True)
        found.append(as_json(name, finishes))
        tables.append(markdown(name, finishes))
        print(f"\n{tables[-1]}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text("\n\n".join(tables) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
