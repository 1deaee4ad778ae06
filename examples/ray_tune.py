"""Asks in a Ray Tune of one's own how wide a network has to be, with no service.

python examples/ray_tune.py      # --quick for fewer widths, trials and seeds

First `ReturnsSearch` climbs: at every width it tunes the learning rate again, measures the winner
on fresh seeds, and goes no further up than it has to. Then `ReturnsStopper` ends a plain grid of
widths and seeds, at one learning rate, as soon as its trials answer.
"""

import argparse
import os
import sys
import tempfile
import warnings

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # a trial is shorter than its log

import ray
from ray import tune
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from tuner.integrations.ray import ReturnsSearch, ReturnsStopper


def train(config: dict) -> None:
    """Trains one network. Everything random follows from the seed, the split included."""
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x / 16, y, test_size=0.25, stratify=y, random_state=0)
    x, x_part, y, y_part = train_test_split(x, y, test_size=0.15, random_state=config["seed"])
    net = MLPClassifier(
        (config["width"],),
        learning_rate_init=config["rate"],
        max_iter=30,
        random_state=config["seed"],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 30 passes are what is asked
        net.fit(x, y)
    # Settings are chosen on the part that was left out, and measured on the test.
    tuning = config.get("phase") == "tuning"
    right = net.score(x_part, y_part) if tuning else net.score(x_test, y_test)
    tune.report({"error": 100 * (1 - right)})


def main() -> int:
    parser = argparse.ArgumentParser(description="Asks how wide is enough, in Ray Tune.")
    parser.add_argument("--quick", action="store_true", help="fewer widths, trials and seeds")
    quick = parser.parse_args().quick
    widths = [4, 8, 16, 32, 64] if quick else [4, 8, 16, 32, 64, 128, 256]
    seeds = 10 if quick else 20

    search = ReturnsSearch(
        "width",
        widths,
        metric="error",
        mode="min",
        margin=2.0,  # a doubling must save two points of error to be worth it
        space={"rate": tune.loguniform(1e-3, 1e-1)},
        phase="phase",
        trials=3 if quick else 8,
        max_replicates=seeds,
    )
    stopper = ReturnsStopper("width", widths, metric="error", mode="min", margin=2.0)
    grid = {
        "seed": tune.grid_search([*range(seeds)]),
        "width": tune.grid_search(widths),
        "rate": 0.01,
    }

    # A Ray of its own, whatever else runs here.
    ray.init("local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            train,
            # The search says itself when it has finished.
            tune_config=tune.TuneConfig(search_alg=search, num_samples=-1, reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
        results = tune.Tuner(
            train,
            param_space=grid,
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0, stop=stopper),
        ).fit()
    ray.shutdown()

    print(f"the climb: {search.verdict.outcome}: {search.verdict.reason}")
    for row in search.curve.levels:
        shown = "not measured" if row.score is None else f"{row.score:.2f} % error"
        rate = dict(row.setting).get("rate")
        print(f"  width {row.level}: {shown} on {row.replicates} seeds, rate {rate}")
    print(f"  best: {search.best_config}")
    ended = sum(row.replicates for row in stopper.curve.levels)
    print(f"the grid, after {ended} of {len(results)} trials: {stopper.verdict.outcome}")
    print(f"  {stopper.verdict.reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
