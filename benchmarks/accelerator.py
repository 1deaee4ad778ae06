"""Whether an accelerator says what the processor says: the same packets on both.

    python benchmarks/accelerator.py [--device cuda] [--json FILE]

For every learner that uses an accelerator a measuring packet is run whole, as a slot runs it:
two levels, two replicates, clean scores, every condition that the learner can be measured
under, and the footprint. Arithmetic differs by device, and training enlarges it, so scores
are compared by how many test examples they differ: of digits 450. The exit status is 1 where
a member or a condition didn't complete on the device.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy is loaded

from tuner.catalog import Condition  # noqa: E402
from tuner.datasets import registry as datasets  # noqa: E402
from tuner.datasets.splits import Splits  # noqa: E402
from tuner.record import Measurement, Outcome, Packet, Phase  # noqa: E402
from tuner.robustness.base import Effort  # noqa: E402
from tuner.search.tuning import default_setting  # noqa: E402
from tuner.spec import JobSpec, Split  # noqa: E402
from tuner.trials.execute import execute  # noqa: E402
from tuner.trials.work import Bearing, SlotConfig, Task  # noqa: E402

JOB = "namespaces/n/jobs/j"
LEARNERS = (
    ("perceptron", "samples", (200, 800)),
    ("logistic", "samples", (200, 800)),
    ("mlp", "depth", (1, 2)),
    ("rbm", "units", (32, 64)),
    ("cnn", "depth", (1, 2)),
    ("resnet", "depth", (8, 14)),
)
CONDITIONS = ("noise:3", "blur:1", "fgsm:0.1", "pgd:0.1", "transfer:0.1", "decision:0.1")


@dataclass(frozen=True)
class Row:
    """One learner on one device.

    Attributes:
        learner: Its name.
        device: torch's name.
        seconds: Wall time of the packet.
        errors: Mean error by condition; "" is undisturbed.
        failed: What didn't complete, and why.
    """

    learner: str
    device: str
    seconds: float
    errors: dict[str, float]
    failed: list[str]


def run(learner: str, axis: str, levels: tuple[int, ...], splits: Splits, device: str) -> Row:
    """Runs the learner's packet on the device."""
    search = {"learner": learner, "axis": axis}
    spec = JobSpec.parse({"dataset": "digits", "searches": [search]})
    setting = default_setting(spec.searches[0].ranges())
    packet = Packet("s:1:0", Phase.MEASURING, (setting,), levels, (0, 1))
    conditions = tuple(map(Condition.parse, CONDITIONS))
    bearing = Bearing(conditions, (), Effort(examples=200), True)
    slot = SlotConfig(JOB, "j", 0, 1.0, 0.0, 1, 600.0, bearings={"s": bearing})
    start = time.perf_counter()
    rows = execute(
        Task(packet, JOB, "s", learner, axis), splits, slot, device, device, "here"
    ).measurements
    seconds = time.perf_counter() - start
    errors = {"": mean(rows, "error")}
    errors |= {c: mean(rows, f"error@{c}") for c in CONDITIONS}
    failed = [
        f"{m.level}: {m.outcome} {m.error}" for m in rows if m.outcome is not Outcome.COMPLETED
    ]
    failed += [
        f"{m.level} under {s.condition}: {s.outcome} {s.error}"
        for m in rows
        for s in m.stresses
        if s.outcome is not Outcome.COMPLETED
    ]
    failed += [f"{m.level}: no footprint" for m in rows if m.footprint is None]
    return Row(learner, device, seconds, errors, failed)


def mean(rows: tuple[Measurement, ...], metric: str) -> float:
    found = [m.scores[metric] for m in rows if metric in m.scores]
    return sum(found) / len(found) if found else float("nan")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    splits = Splits(datasets.load("digits"), Split(), 0)
    rows = []
    print("| learner | device | seconds | " + " | ".join(("error", *CONDITIONS)) + " |")
    print("|---" * (4 + len(CONDITIONS)) + "|")
    for learner, axis, levels in LEARNERS:
        for device in ("cpu", arguments.device):
            row = run(learner, axis, levels, splits, device)
            rows.append(row)
            told = " | ".join(f"{value:.4f}" for value in row.errors.values())
            print(f"| `{learner}` | {device} | {row.seconds:.1f} | {told} |", flush=True)
            for failure in row.failed:
                print(f"  failed: {failure}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return int(any(row.failed for row in rows if row.device != "cpu"))


if __name__ == "__main__":
    sys.exit(main())
