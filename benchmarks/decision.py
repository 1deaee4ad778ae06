"""What attacks by answers alone find for so many queries, beside ART's HopSkipJump.

    python benchmarks/decision.py [--quick]

A forest of 64 trees and an RBF machine on digits, defaults else. For each budget: the share of
test examples that `decision` gets wrong within the radius, and that HopSkipJump (Chen, Jordan &
Wainwright 2020) does, which of the library's attacks looks for the least change by any value.
The peer is counted and stopped from outside: an example is broken once any input that it asked
about within its budget is wrong and inside the ball, whatever it returns in the end. Seconds are
the processor's, of the largest budget, by example; `decision` asks about all examples at once.
Last, `transfer` and random signs of the same size, on the same examples.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy is loaded
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402

from tuner import catalog  # noqa: E402
from tuner.catalog import Value  # noqa: E402
from tuner.datasets import registry as sources  # noqa: E402
from tuner.datasets.base import Features, Fold  # noqa: E402
from tuner.datasets.splits import Splits  # noqa: E402
from tuner.learners import registry  # noqa: E402
from tuner.learners.base import Device, Model  # noqa: E402
from tuner.robustness.base import Effort, Victim  # noqa: E402
from tuner.robustness.rays import search  # noqa: E402
from tuner.robustness.reach import Reach  # noqa: E402
from tuner.robustness.transfer import transfer  # noqa: E402
from tuner.spec import Split  # noqa: E402

STRENGTH = 0.2
BUDGETS = (20, 50, 100, 200, 400)
VICTIMS: Sequence[tuple[str, dict[str, Value]]] = (
    ("forest", {"trees": 64}),
    ("svm", {"kernel": "rbf", "components": 0}),
)


class OutOfQueriesError(Exception):
    """The peer has asked as often as it may."""


@dataclass
class Counted:
    """Answers about one example, and remembers when the first wrong one in the ball was given.

    Attributes:
        model: What is attacked.
        x: Shape (1, ...): the example.
        y: Its class.
        radius: The ball's, in values.
        most: How often it answers.
        asked: How often it has.
        found: After how many answers the example was broken; inf where it isn't.
    """

    model: Model
    x: Features
    y: int
    radius: float
    most: int
    asked: int = 0
    found: float = np.inf

    def __call__(self, asked: Any) -> Any:
        points = np.asarray(asked, dtype=np.float32)
        answers = self.model.predict(points)
        inside = np.abs(points - self.x).reshape(len(points), -1).max(axis=1) <= self.radius + 1e-6
        for broken in inside & (answers.argmax(axis=1) != self.y):
            self.asked += 1
            if self.asked > self.most:
                raise OutOfQueriesError
            if broken:
                self.found = min(self.found, self.asked)
        return answers


def hop_skip_jump(model: Model, fold: Fold, x: Features, y: int, most: int) -> float:
    """Returns after how many queries the peer has broken the example."""
    from art.attacks.evasion import HopSkipJump
    from art.estimators.classification import BlackBoxClassifier

    reach = Reach.of(fold.x)
    answers = Counted(model, x, y, STRENGTH * float(reach.unit), most)
    clip = (float(reach.low), float(reach.high))
    peer = BlackBoxClassifier(answers, x.shape[1:], fold.classes, clip_values=clip)
    attack = HopSkipJump(peer, norm=np.inf, max_iter=50, max_eval=100, init_eval=10, verbose=False)
    with contextlib.suppress(OutOfQueriesError):
        attack.generate(x)
    return answers.found


def trained(learner: str, setting: dict[str, Value], fold: Fold) -> Model:
    known = catalog.LEARNERS[learner].hyperparameters
    defaults: dict[str, Value] = {name: entry.default for name, entry in known.items()}
    return registry.get(learner).train(defaults | setting, fold, Device())


def share(found: Any) -> str:
    return f"{100 * float(np.mean(found)):.0f} %"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few examples: rougher, sooner")
    options = parser.parse_args(arguments)
    ours, theirs = (40, 5) if options.quick else (300, 30)
    np.random.seed(0)  # the peer draws from the global state
    warnings.simplefilter("ignore")
    fold = Splits(sources.load("digits"), Split(), 0).measuring(0)
    reach, device = Reach.of(fold.x), Device()
    x, y = fold.x_score[:ours], fold.y_score[:ours]
    print(f"| victim | attack | examples | {' | '.join(map(str, BUDGETS))} | ms an example |")
    print("|---|---|---|" + "---|" * (len(BUDGETS) + 1))
    for learner, setting in VICTIMS:
        model = trained(learner, setting, fold)
        model.predict(x)  # the first call of anything is slow
        broken, seconds = [], 0.0
        for budget in BUDGETS:
            start = time.process_time()
            found = search(model, x, y, reach, STRENGTH, budget, 0, device)
            seconds = (time.process_time() - start) / len(x)
            broken.append(found.radius <= STRENGTH)
        for count in (ours, theirs):
            cells = " | ".join(share(some[:count]) for some in broken)
            print(f"| {learner} | `decision` | {count} | {cells} | {1000 * seconds:.1f} |")
        start = time.process_time()
        after = np.array(
            [
                hop_skip_jump(model, fold, x[i : i + 1], int(y[i]), BUDGETS[-1])
                for i in range(theirs)
            ]
        )
        peer = (time.process_time() - start) / theirs
        cells = " | ".join(share(after <= budget) for budget in BUDGETS)
        print(f"| {learner} | HopSkipJump | {theirs} | {cells} | {1000 * peer:.1f} |")
        start = time.process_time()
        moved = transfer(Victim(model, x, y, fold), STRENGTH, Effort(), 0, device).x
        spent = 1000 * (time.process_time() - start)
        signs = np.random.default_rng(0).choice([-1, 1], size=x.shape).astype(np.float32)
        noise = reach.clip(x + np.float32(STRENGTH) * reach.unit * signs, x, STRENGTH)
        others = (
            f"{name} {share(model.predict(points).argmax(axis=1) != y)}"
            for name, points in (("undisturbed", x), ("random signs", noise), ("transfer", moved))
        )
        print(f"\n{learner}: {', '.join(others)} wrong; transfer took {spent:.0f} ms in all")
        print(f"{learner}: HopSkipJump takes {peer / seconds:.1f} times the seconds an example\n")


if __name__ == "__main__":
    main()
