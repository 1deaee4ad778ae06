"""FGSM and PGD beside the reference implementation's, on an undefended network on MNIST.

    python benchmarks/attacks.py [--quick] [--mnist FOLDER]

The reference is adversarial-robustness-toolbox (ART): `FastGradientMethod` and
`ProjectedGradientDescent` on the same network with the scaling of its inputs in front, the
same radius, steps and step size, on the same examples. Each prints the share of examples that
the network gets wrong afterwards, and what the attack took, in processor seconds on one
thread. Ours stop with an example once it is wrong; ART's take all steps with all examples.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tuner.datasets import registry
from tuner.datasets.base import Features, Request
from tuner.datasets.splits import Splits
from tuner.learners.base import Device
from tuner.learners.cnn import Cnn
from tuner.learners.nets.kept import NetModel
from tuner.learners.nets.state import settings_for
from tuner.robustness import gradients
from tuner.robustness.base import Effort, Victim
from tuner.robustness.gradients import STRIDE
from tuner.robustness.reach import Reach
from tuner.search.tuning import default_setting
from tuner.spec import Search, Split

with warnings.catch_warnings():
    # What it imports is another matter than what is compared.
    warnings.simplefilter("ignore")
    from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescent
    from art.estimators.classification import PyTorchClassifier

MNIST = Path(__file__).parents[2] / "shared" / "data" / "mnist"

STRENGTHS = (0.05, 0.1, 0.2, 0.3)

_BATCH = 256


@dataclass(frozen=True)
class Size:
    """How much is run.

    Attributes:
        training: Images that the network is trained on.
        epochs: Passes over them.
        examples: Test images that are attacked.
        steps: Steps of PGD.
    """

    training: int = 10_000
    epochs: int = 3
    examples: int = 1_000
    steps: int = 20


QUICK = Size(training=3_000, epochs=2, examples=200, steps=10)


@dataclass(frozen=True)
class Row:
    """One attack at one strength.

    Attributes:
        attack: "fgsm" or "pgd".
        strength: Share of the range of values.
        ours: Share of the examples that are wrong after ours.
        theirs: After ART's.
        our_seconds: What ours took.
        their_seconds: What ART's took.
        note: What ours says of itself.
    """

    attack: str
    strength: float
    ours: float
    theirs: float
    our_seconds: float
    their_seconds: float
    note: str


class Scaled(nn.Module):
    """A network that sees its inputs as they are, and scales them itself."""

    def __init__(self, model: NetModel) -> None:
        super().__init__()
        self.net = model.net
        self.middle, self.width = (
            torch.from_numpy(part).view(1, -1, 1, 1)
            for part in (model.inputs.middle, model.inputs.width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net((x - self.middle) / self.width)


def art_fgsm(victim: Victim, strength: float) -> Features:
    """Returns images of the victim's, moved by ART's FGSM."""
    radius = strength * float(Reach.of(victim.fold.x).unit)
    attack = FastGradientMethod(_wrapped(victim), eps=radius, batch_size=_BATCH)
    with settings_for(Device()):
        return attack.generate(victim.x, victim.y)


def art_pgd(victim: Victim, strength: float, steps: int) -> Features:
    """Returns images of the victim's, moved by ART's PGD."""
    radius = strength * float(Reach.of(victim.fold.x).unit)
    attack = ProjectedGradientDescent(
        _wrapped(victim),
        eps=radius,
        eps_step=STRIDE * radius / steps,
        max_iter=steps,
        num_random_init=1,
        batch_size=_BATCH,
        verbose=False,
    )
    with settings_for(Device()), _seeded():
        return attack.generate(victim.x, victim.y)


def trained(mnist: Path, size: Size) -> tuple[Victim, float]:
    """Returns an undefended network with the images to attack, and its error on the whole test."""
    fold = Splits(
        registry.load("idx", Request(mnist)), Split(train_limit=size.training), 0
    ).measuring(0)
    setting = dict(default_setting(Search("cnn", axis="depth").ranges()))
    setting |= {"depth": 4, "epochs": size.epochs, "learning_rate": 0.01}
    model = Cnn().train(setting, fold, Device())
    victim = Victim(model, fold.x_score[: size.examples], fold.y_score[: size.examples], fold)
    wrong = model.predict(fold.x_score).argmax(axis=1) != fold.y_score
    return victim, float(wrong.mean())


def error(victim: Victim, x: Features) -> float:
    """Returns the share of images that are wrong."""
    return float(np.mean(victim.model.predict(x).argmax(axis=1) != victim.y))


def compared(victim: Victim, steps: int) -> Iterator[Row]:
    """Attacks by either, at each strength."""
    effort = Effort(steps=steps)
    for attack, ours, theirs in (
        ("fgsm", gradients.fgsm, art_fgsm),
        ("pgd", gradients.pgd, lambda victim, strength: art_pgd(victim, strength, steps)),
    ):
        for strength in STRENGTHS:
            found, our_seconds = _timed(lambda: ours(victim, strength, effort, 1, Device()))  # noqa: B023
            moved, their_seconds = _timed(lambda: theirs(victim, strength))  # noqa: B023
            yield Row(
                attack,
                strength,
                error(victim, found.x),
                error(victim, moved),
                our_seconds,
                their_seconds,
                found.note,
            )


def _wrapped(victim: Victim) -> Any:
    reach = Reach.of(victim.fold.x)
    assert isinstance(victim.model, NetModel)
    return PyTorchClassifier(
        Scaled(victim.model).eval(),
        loss=nn.CrossEntropyLoss(),
        input_shape=victim.x.shape[1:],
        nb_classes=victim.fold.classes,
        clip_values=(float(reach.low), float(reach.high)),
        device_type="cpu",
    )


@contextmanager
def _seeded() -> Iterator[None]:
    """Seeds NumPy's global state, which ART draws from, and puts it back."""
    kept = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(kept)


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    found = run()
    return found, time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer images, fewer steps")
    parser.add_argument("--mnist", type=Path, default=MNIST, help="the folder with its IDX files")
    asked = parser.parse_args()
    if not asked.mnist.is_dir():
        raise SystemExit(f"there is no {asked.mnist}; name MNIST's folder with --mnist")
    size = QUICK if asked.quick else Size()
    start = time.process_time()
    victim, clean = trained(asked.mnist, size)
    print(
        f"cnn, depth 4, {size.training} images, {size.epochs} epochs "
        f"({time.process_time() - start:.0f} s): error {clean:.2%} on the test; on the "
        f"{len(victim.y)} images attacked {error(victim, victim.x):.1%}; {size.steps} steps\n"
    )
    print("| attack | strength | error | ART's | seconds | ART's | ART's / ours |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for row in compared(victim, size.steps):
        ratio = row.their_seconds / row.our_seconds
        print(
            f"| {row.attack} | {row.strength:g} | {row.ours:.1%} | {row.theirs:.1%} "
            f"| {row.our_seconds:.1f} | {row.their_seconds:.1f} | {ratio:.2f} |"
            + (f" {row.note}" if row.note else ""),
            flush=True,
        )


if __name__ == "__main__":
    main()
