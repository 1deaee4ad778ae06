"""What the framework itself costs for each measurement: this service against plain Ray.

One run on one machine, the same two objectives for all: one that does nothing,
and one that waits 50 ms. Peers: Ray Tune as it comes, Ray Tune with
`reuse_actors`, that and no checkpoint at the end (its best), and bare Ray tasks.

The cost of a measurement is the time from the first fifth of the results to the
last by the number of results between them, less the objective's own share of the
slots. So start-up, when not every slot is there yet, stays out; the time to the
first result is shown beside. "Best" is the least of Ray Tune's three on each
objective.

    python benchmarks/overhead.py [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

SLOTS = 2
OBJECTIVES = {"no-op": 0.0, "50 ms": 0.05}


@dataclass(frozen=True)
class Row:
    """One framework on one objective.

    Attributes:
        framework: Its name.
        objective: The objective's name.
        results: Results that came.
        start_seconds: From the call to the first result.
        seconds_a_result: Between the first fifth of the results and the last, by their number.
        overhead_ms: That, less the objective's share of the slots, in milliseconds.
    """

    framework: str
    objective: str
    results: int
    start_seconds: float
    seconds_a_result: float
    overhead_ms: float


def row(framework: str, objective: str, start: float, times: list[float]) -> Row:
    times = sorted(times)
    warm = len(times) // 5
    each = (times[-1] - times[warm]) / (len(times) - 1 - warm)
    own = OBJECTIVES[objective] / SLOTS
    return Row(framework, objective, len(times), times[0] - start, each, 1000 * (each - own))


# The peers. Each runs in a process of its own, with a Ray of its own.


def ray_tune(objective: str, count: int, reuse: bool, checkpoint: bool) -> Row:
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    import ray
    from ray import tune

    class Objective(tune.Trainable):
        def setup(self, config: dict) -> None:
            self.reset_config(config)

        def step(self) -> dict:
            time.sleep(OBJECTIVES[objective])
            return {"error": 1.0 / (1 + self.config["index"]), "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            Path(checkpoint_dir, "empty").touch()

        def reset_config(self, config: dict) -> bool:
            self.config = config
            return True

    class Clock(tune.Callback):
        def __init__(self) -> None:
            self.times: list[float] = []

        def on_trial_complete(self, iteration, trials, trial, **info) -> None:
            self.times.append(time.time())

    ray.init(num_cpus=SLOTS, log_to_driver=False, logging_level="ERROR")
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        start = time.time()
        tune.Tuner(
            Objective,
            param_space={"index": tune.grid_search(list(range(count)))},
            tune_config=tune.TuneConfig(reuse_actors=reuse, max_concurrent_trials=SLOTS),
            run_config=tune.RunConfig(
                storage_path=folder,
                verbose=0,
                callbacks=[clock],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=checkpoint),
            ),
        ).fit()
    ray.shutdown()
    name = "Ray Tune"
    if reuse:
        name += ", reuse_actors" + ("" if checkpoint else ", no end checkpoint")
    return row(name, objective, start, clock.times)


def ray_tasks(objective: str, count: int) -> Row:
    import ray

    @ray.remote(num_cpus=1)
    def task(index: int) -> float:
        time.sleep(OBJECTIVES[objective])
        return 1.0 / (1 + index)

    ray.init(num_cpus=SLOTS, log_to_driver=False, logging_level="ERROR")
    start = time.time()
    waiting = [task.remote(i) for i in range(count)]
    times = []
    while waiting:
        ready, waiting = ray.wait(waiting, num_returns=1)
        times += [time.time()] * len(ready)
    ray.shutdown()
    return row("Ray tasks", objective, start, times)


# This service: a real stack, a real job, the times at which results were recorded.


def service(objective: str, trials: int, replicates: int, generation: int) -> Row:
    with tempfile.TemporaryDirectory(prefix="tuner-bench-") as home:
        os.environ["TUNER_HOME"] = home
        tuner = [sys.executable, "-m", "tuner.cli"]
        subprocess.run([*tuner, "up", "--cpus", str(SLOTS)], check=True, capture_output=True)
        try:
            return _service(objective, trials, replicates, generation)
        finally:
            subprocess.run([*tuner, "down"], check=True, capture_output=True)


def _service(objective: str, trials: int, replicates: int, generation: int) -> Row:
    from tuner import Client, JobSpec

    spec = JobSpec.parse(
        {
            "dataset": "digits",
            "margin": 0.02,
            "baseline": None,
            "searches": [
                {
                    "learner": "simulated",
                    "axis": "depth",
                    "levels": (1, 2, 4, 8, 16),
                    # Rises to its top, so that every level is measured.
                    "space": {"seconds": OBJECTIVES[objective], "plateau": 16, "noise": 0.001},
                }
            ],
            "tuning": {"trials": trials, "generation": generation, "sampler": "random"},
            "measuring": {
                "min_replicates": replicates,
                "max_replicates": replicates,
                "batch": min(replicates, 100),
            },
        }
    )
    with Client() as client:
        start = time.time()
        job = client.submit(spec)
        assert job.result().state == "SUCCEEDED"
        times = [m.record_time.timestamp() for m in job.measurements() if m.record_time]
    name = f"this service, {generation} candidates a step"
    return row(name, objective, start, times)


def isolated(function: Callable[..., Row], *arguments: object) -> Row:
    """Runs in a fresh process, so that no peer inherits another's Ray or environment."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer results, rougher figures")
    parser.add_argument("--json", type=Path, help="save the rows here")
    options = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    scale = 4 if options.quick else 1
    rows: list[Row] = []
    for objective in OBJECTIVES:
        rows += [
            isolated(service, objective, 64 // scale, 20, 64 // scale),
            isolated(service, objective, 64 // scale, 20, 4),
            isolated(ray_tune, objective, 24 // scale, False, True),
            isolated(ray_tune, objective, 200 // scale, True, True),
            isolated(ray_tune, objective, 400 // scale, True, False),
            isolated(ray_tasks, objective, 1000 // scale),
        ]
        show(rows[-6:])
    if options.json:
        options.json.write_text(json.dumps([asdict(r) for r in rows], indent=2))


def show(rows: list[Row]) -> None:
    """Prints the rows and their ratios to Ray Tune at its best."""
    best = min((r for r in rows if r.framework.startswith("Ray Tune")), key=lambda r: r.overhead_ms)
    print(f"\n{rows[0].objective} objective, {SLOTS} slots, {platform.machine()}, ", end="")
    print(f"{os.cpu_count()} cores")
    print(f"{'framework':<46}{'results':>8}{'start s':>9}{'ms each':>9}{'overhead ms':>13}", end="")
    print(f"{'of Tune at its best':>21}")
    for r in rows:
        ratio = r.overhead_ms / best.overhead_ms if best.overhead_ms > 0 else float("nan")
        print(
            f"{r.framework:<46}{r.results:>8}{r.start_seconds:>9.1f}"
            f"{1000 * r.seconds_a_result:>9.2f}{r.overhead_ms:>13.2f}{ratio:>21.3f}"
        )


if __name__ == "__main__":
    main()
