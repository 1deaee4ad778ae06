"""A real Ray Tune on a local Ray: it drives the search as the loop in tune_loop.py does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray import tune

from tests.integrations.tune_loop import Config, fit, frail_here, reporting
from tests.ray_head import ENVIRONMENT, Head, ray_head
from tuner.integrations.ray import ReturnsSearch, ReturnsStopper

LEVELS = [1, 2, 4, 8, 16, 32]
FEW = [1, 2, 4]
SPACE = {"rate": tune.loguniform(1e-4, 1.0)}


@pytest.fixture(scope="module", autouse=True)
def local_ray() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
        patch.setenv("TUNE_DISABLE_SIGINT_HANDLER", "1")  # pytest's own stays
        with ray_head(2) as head:
            ray.init(_up(head), log_to_driver=False, logging_level="ERROR")
            yield
            ray.shutdown()


def _up(head: Head) -> str:
    """Returns the head's address once it has a node to run anything on."""
    deadline = time.monotonic() + 90
    asked = [str(Path(sys.executable).parent / "ray"), "status", f"--address={head.address}"]
    while subprocess.run(asked, capture_output=True).returncode and time.monotonic() < deadline:
        pass
    return head.address


def search(levels: list[int], space=None) -> ReturnsSearch:
    return ReturnsSearch(
        "width", levels, metric="error", mode="min", margin=0.02, space=space, trials=3
    )


def tuner(folder: Path, alg=None, space=None, **run) -> tune.Tuner:
    return tune.Tuner(
        reporting,
        param_space=SPACE if space is None else space,
        tune_config=tune.TuneConfig(
            search_alg=alg, num_samples=-1 if alg else 1, reuse_actors=True
        ),
        run_config=tune.RunConfig(storage_path=str(folder), name="it", verbose=0, **run),
    )


def asked(configs: list[Config]) -> list[tuple[object, ...]]:
    return sorted((c["width"], c["seed"], c["rate"]) for c in configs)


def scores(found: ReturnsSearch) -> list[tuple[float, int, int, float | None]]:
    return [(r.level, r.replicates, r.failed, r.score) for r in found.curve.levels]


class Death(tune.Callback):
    """Ends the driver between two trials, once: the file says that it did."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def on_step_begin(self, iteration, trials, **info):
        ended = sum(t.status == "TERMINATED" for t in trials)
        running = sum(t.status == "RUNNING" for t in trials)
        if ended >= 7 and running and not self.flag.exists():
            self.flag.touch()
            raise KeyError("the driver dies")


def test_it_works_in_anybodys_tuner_failures_and_all(tmp_path):
    alg = search(LEVELS)
    results = tuner(tmp_path, alg).fit()
    expected, configs = fit(lambda: search(LEVELS, SPACE), frail_here)
    assert alg.verdict == expected.verdict
    assert alg.verdict.answer == ("PLATEAUED", 4)
    assert alg.finished
    assert scores(alg) == scores(expected)
    assert {r.level: r.failed for r in alg.curve.levels if r.failed} == {1: 1, 2: 1, 4: 1}
    assert alg.best_config == expected.best_config
    assert all(row.standalone_device_seconds > 0 for row in alg.curve.levels)
    assert asked([r.config for r in results]) == asked(configs)


@pytest.mark.slow
def test_it_goes_on_where_a_driver_died(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNE_GLOBAL_CHECKPOINT_S", "0")  # so that a death loses nothing
    with pytest.raises(KeyError, match="the driver dies"):
        tuner(tmp_path, search(FEW), callbacks=[Death(tmp_path / "died")]).fit()
    results = tune.Tuner.restore(str(tmp_path / "it"), trainable=reporting).fit()
    found = search(FEW)
    found.restore_from_dir(results.experiment_path)
    expected, configs = fit(lambda: search(FEW, SPACE), frail_here)
    assert found.finished
    assert found.verdict == expected.verdict
    assert scores(found) == scores(expected)
    assert set(asked([r.config for r in results if r.config])) <= set(asked(configs))
    assert len(configs) <= len(results) <= len(configs) + 2  # what ran may run twice


def test_the_stopper_ends_a_grid_and_leaves_every_trial_to_end_itself(tmp_path):
    enough = ReturnsStopper("width", FEW, metric="error", mode="min", margin=0.02)
    grid = {"seed": tune.grid_search([*range(4, 14)]), "width": tune.grid_search(FEW)}
    results = tuner(tmp_path, space=grid, stop=enough).fit()
    assert enough.stopped
    assert enough.verdict.answer == ("RISING", None)
    ended = [r for r in results if r.metrics and r.metrics.get("done")]
    assert sum(row.replicates for row in enough.curve.levels) == len(ended) < len(results)
    assert {r.metrics["training_iteration"] for r in ended} == {2}
