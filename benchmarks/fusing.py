"""What training networks as one is worth: members a second, beside the same ones one by one.

    python benchmarks/fusing.py [--quick] [--device cuda] [--json FILE]

The members are replicates of one setting of `cnn`: each has data, weights, batches and
masks of its own. One by one they are fitted as packets of one member are; fused they are
fitted as a packet of 1, 4, 16 or 32 members is, with all that belongs to it: the steps
that one takes alone first, for its cost, and every member's predictions.

On the CPU times are processor seconds on one core, which other work on the machine
lengthens less than wall time; on an accelerator they are wall time. Ways take turns, and
the best of the rounds counts.

Beside the speed stands what fusing changes:

- cost told: what a fused member says that it costs alone, over what a lone fit took. Both
  are wall time, of the same round, and the median over rounds counts.
- probability: the largest difference between a member fused and alone in any
  probability, the median over the largest batch's members.
- answers: the share of their answers that differ.
- last bit: the same two between lone fits, of which one has every pixel moved by its
  last bit. Training enlarges whatever rounding does; that is the measure for it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy is loaded

import numpy as np  # noqa: E402

from tuner.catalog import Value  # noqa: E402
from tuner.datasets.base import Features, Fold, Labels  # noqa: E402
from tuner.learners.base import Device  # noqa: E402
from tuner.learners.cnn import Cnn  # noqa: E402
from tuner.learners.fits import Fitted  # noqa: E402
from tuner.learners.fusing import Part  # noqa: E402

CLASSES = 10


@dataclass(frozen=True)
class Size:
    """A network and its data: square images of one channel.

    Attributes:
        pixels: Of an image's side.
        depth: Convolution layers.
        filters: Of the first stage.
        epochs: Passes over the data.
        examples: Training examples; half as many are scored.
    """

    pixels: int
    depth: int
    filters: int
    epochs: int = 8
    examples: int = 1_200

    def __str__(self) -> str:
        return f"{self.pixels} px, depth {self.depth}, {self.filters} filters"

    def setting(self) -> dict[str, Value]:
        return {
            "depth": self.depth,
            "filters": self.filters,
            "epochs": self.epochs,
            "batch_size": 64,
            "learning_rate": 3e-3,
            "weight_decay": 1e-3,
            "dropout": 0.1,
        }

    def fold(self, replicate: int) -> Fold:
        """Returns a replicate's data: each class has a pattern, under twice as much noise."""
        shape = (1, self.pixels, self.pixels)
        patterns = np.random.default_rng(7).normal(size=(CLASSES, *shape))

        def draw(random: np.random.Generator, count: int) -> tuple[Features, Labels]:
            y = random.permutation(np.arange(count) % CLASSES)
            x = patterns[y] + random.normal(scale=2, size=(count, *shape))
            return x.astype(np.float32), y.astype(np.int64)

        x, y = draw(np.random.default_rng([8, replicate]), self.examples)
        x_score, y_score = draw(np.random.default_rng(9), self.examples // 2)
        return Fold(replicate, 1_000 + replicate, x, y, x_score, y_score, CLASSES)


@dataclass(frozen=True)
class Effort:
    """How much is run."""

    sizes: Sequence[Size]
    members: Sequence[int] = (1, 4, 16, 32)
    lone: int = 4
    rounds: int = 3


FULL = Effort(
    (
        Size(8, depth=2, filters=8),
        Size(8, depth=4, filters=16),
        Size(8, depth=8, filters=16),
        Size(28, depth=2, filters=4, epochs=4),
        Size(28, depth=4, filters=8, epochs=4),
        Size(28, depth=4, filters=16, epochs=4),
    )
)
QUICK = Effort(
    (Size(8, depth=2, filters=8, epochs=2), Size(8, depth=4, filters=16, epochs=2)),
    members=(1, 4, 16),
    lone=2,
    rounds=1,
)


@dataclass(frozen=True)
class Speed:
    """Members a second of one size in one way.

    Attributes:
        size: The network.
        members: In a batch; 0 for one by one.
        per_second: Members fitted in a second, in the best round.
        ratio: Over one by one.
        cost_told: Standalone seconds told over a lone fit's.
    """

    size: str
    members: int
    per_second: float
    ratio: float
    cost_told: float


@dataclass(frozen=True)
class Agreement:
    """How far apart two fits of the same members are.

    Attributes:
        size: The network.
        what: "fused" or "last bit".
        members: How many were compared.
        probability: Largest difference of a member's probabilities, median over members.
        answers: Share of all answers that differ.
        error: Mean share of wrong answers, of the members fused or moved.
        error_alone: The same of the members alone.
    """

    size: str
    what: str
    members: int
    probability: float
    answers: float
    error: float
    error_alone: float


def alone(size: Size, folds: Sequence[Fold], device: Device) -> list[Fitted]:
    setting = {name: value for name, value in size.setting().items() if name != "depth"}
    return [
        fitted
        for fold in folds
        for fitted in Cnn().fit("depth", setting, (size.depth,), fold, device)
    ]


def fused(size: Size, folds: Sequence[Fold], device: Device) -> list[Fitted]:
    parts = [Part(size.setting(), fold) for fold in folds]
    found = Cnn().fit_together(parts, size.depth, device)
    return [fitted for fitted in found if isinstance(fitted, Fitted)]


def timed(work: Callable[[], list[Fitted]], device: Device) -> tuple[list[Fitted], float]:
    """Returns what the work returns, and the seconds that it took."""
    clock = time.process_time if device.name == "cpu" else time.perf_counter
    start = clock()
    done = work()
    return done, clock() - start


def measure(size: Size, effort: Effort, device: Device) -> tuple[list[Speed], list[Agreement]]:
    """Runs all ways in turns, and compares the members of the largest batch."""
    folds = [size.fold(replicate) for replicate in range(max(effort.members))]
    first = replace(size, epochs=1)
    alone(first, folds[:1], device), fused(first, folds[:2], device)  # the first of all is slow
    best = dict.fromkeys((0, *effort.members), float("inf"))
    told: dict[int, list[float]] = {members: [] for members in effort.members}
    together: list[Fitted] = []
    for _ in range(effort.rounds):
        lone, seconds = timed(lambda: alone(size, folds[: effort.lone], device), device)
        best[0] = min(best[0], seconds / effort.lone)
        lone_cost = statistics.median(fitted.standalone_seconds for fitted in lone)
        for members in effort.members:
            some = folds[:members]
            together, seconds = timed(lambda some=some: fused(size, some, device), device)
            best[members] = min(best[members], seconds / members)
            costs = [fitted.standalone_seconds for fitted in together]
            told[members].append(statistics.median(costs) / lone_cost)
    speeds = [
        Speed(
            str(size),
            members,
            1 / seconds,
            best[0] / seconds,
            statistics.median(told[members]) if members else 1.0,
        )
        for members, seconds in best.items()
    ]
    expected = alone(size, folds, device)
    moved = [replace(fold, x=np.nextafter(fold.x, np.float32(np.inf))) for fold in folds]
    return speeds, [
        agreement(size, "fused", together, expected, folds),
        agreement(size, "last bit", alone(size, moved, device), expected, folds),
    ]


def agreement(
    size: Size,
    what: str,
    found: Sequence[Fitted],
    expected: Sequence[Fitted],
    folds: Sequence[Fold],
) -> Agreement:
    """Returns how far apart the members are, which are in the same order."""
    largest, differ, wrong, wrong_alone = [], [], [], []
    for one, other, fold in zip(found, expected, folds, strict=True):
        assert one.predictions is not None
        assert other.predictions is not None
        largest.append(float(np.abs(one.predictions - other.predictions).max()))
        answers, answers_alone = one.predictions.argmax(1), other.predictions.argmax(1)
        differ.append(float(np.mean(answers != answers_alone)))
        wrong.append(float(np.mean(answers != fold.y_score)))
        wrong_alone.append(float(np.mean(answers_alone != fold.y_score)))
    return Agreement(
        str(size),
        what,
        len(found),
        statistics.median(largest),
        statistics.fmean(differ),
        statistics.fmean(wrong),
        statistics.fmean(wrong_alone),
    )


def markdown(speeds: Sequence[Speed], agreements: Sequence[Agreement]) -> str:
    """Returns the tables: one row a size, and one a comparison."""
    batches = sorted({speed.members for speed in speeds} - {0})
    head = " | ".join(f"{members} fused" for members in batches)
    lines = [
        f"| members a second | one by one | {head} | cost told |",
        "| --- " * (len(batches) + 3) + "|",
    ]
    for size in dict.fromkeys(speed.size for speed in speeds):
        own = {speed.members: speed for speed in speeds if speed.size == size}
        cells = [f"{own[m].per_second:.3g} (× {own[m].ratio:.2f})" for m in batches]
        told = [own[m].cost_told for m in batches]
        lines.append(
            f"| {size} | {own[0].per_second:.3g} | {' | '.join(cells)} "
            f"| {min(told):.2f} to {max(told):.2f} |"
        )
    lines += [
        "",
        "| against alone | what | members | probability | answers | error | error alone |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {a.size} | {a.what} | {a.members} | {a.probability:.0e} | {100 * a.answers:.2f} % "
        f"| {100 * a.error:.2f} % | {100 * a.error_alone:.2f} % |"
        for a in agreements
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Members a second, fused and one by one.")
    parser.add_argument("--quick", action="store_true", help="rougher, sooner")
    parser.add_argument("--device", default="cpu", help="torch's name of the device")
    parser.add_argument("--json", type=Path, help="where to save the rows")
    options = parser.parse_args(argv)
    effort = QUICK if options.quick else FULL
    speeds: list[Speed] = []
    agreements: list[Agreement] = []
    for size in effort.sizes:
        fast, near = measure(size, effort, Device(options.device))
        speeds += fast
        agreements += near
    print(markdown(speeds, agreements))
    if options.json:
        rows = {"speeds": speeds, "agreements": agreements}
        text = {what: [asdict(row) for row in some] for what, some in rows.items()}
        options.json.write_text(json.dumps(text, indent=1))


if __name__ == "__main__":
    main()
