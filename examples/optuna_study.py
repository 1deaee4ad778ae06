"""Stops a study of one's own Optuna once it says how many trees are enough, with no service.

python examples/optuna_study.py      # --quick for fewer sizes and seeds

The study is a grid of sizes and seeds: a forest on handwritten digits. Seed i is the same split at
every size, so differences are paired. The callback looks after each trial, with bounds that allow
it, and stops the study as soon as it has an answer.
"""

import argparse
import sys

import optuna
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from tuner.integrations.optuna import ReturnsCallback

X, Y = load_digits(return_X_y=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Asks how many trees are enough, in Optuna.")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and seeds")
    quick = parser.parse_args().quick
    sizes = [4, 8, 16, 32, 64] if quick else [4, 8, 16, 32, 64, 128, 256]
    seeds = list(range(10 if quick else 20))

    def objective(trial: optuna.Trial) -> float:
        trees = trial.suggest_categorical("trees", sizes)
        seed = trial.suggest_categorical("seed", seeds)
        x, x_test, y, y_test = train_test_split(X, Y, test_size=0.25, random_state=seed)
        forest = RandomForestClassifier(trees, random_state=seed).fit(x, y)
        return 100 * float(forest.score(x_test, y_test))

    enough = ReturnsCallback(
        "trees",
        sizes,
        margin=2.0,  # a doubling must gain two points of accuracy to be worth it
        metric="accuracy",
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.GridSampler({"trees": sizes, "seed": seeds}, seed=0),
    )
    study.optimize(objective, callbacks=[enough])

    print(f"{enough.verdict.outcome} after {len(study.trials)} of {len(sizes) * len(seeds)} trials")
    print(f"  {enough.verdict.reason}")
    for row in enough.curve.levels:
        print(f"  {row.level} trees: {row.score:.2f} % on {row.replicates} seeds")
    for note in enough.curve.notes:
        print(f"  note: {note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
