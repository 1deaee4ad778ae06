"""What is recorded: measurements, attempts and plan steps, as plain data.

These types are what policies, the returns science and the stores speak. They
import nothing of ours but the catalog's value type.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tuner.catalog import Value

Setting = tuple[tuple[str, Value], ...]
"""Hyperparameters without the level: pairs of name and value, sorted by name."""

FOOTPRINT = "footprint"
"""Stands for a condition in a `Stress` where a model's latency or size couldn't be measured."""


class Phase(StrEnum):
    """What a measurement is for. Never mixed.

    TUNING chooses a level's candidate. MEASURING measures it, and curves are made of
    nothing else. RUNNER_UP measures a level's second best candidate like its winner,
    on the same replicates and the test, to see how much hangs on tuning.
    """

    TUNING = "TUNING"
    MEASURING = "MEASURING"
    RUNNER_UP = "RUNNER_UP"


class Outcome(StrEnum):
    """How a measurement ended. Every one is a result and stays in the record."""

    COMPLETED = "COMPLETED"
    DIVERGED = "DIVERGED"
    TIMED_OUT = "TIMED_OUT"
    CRASHED = "CRASHED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"


class PacketOutcome(StrEnum):
    """How a try at a packet ended."""

    COMPLETED = "COMPLETED"
    LOST = "LOST"
    # Ended in the middle by its runner, for nobody waited for it any more.
    ENDED = "ENDED"
    CONFLICT = "CONFLICT"


class StepKind(StrEnum):
    """What a plan step decides."""

    TUNE = "TUNE"
    MEASURE = "MEASURE"
    CONCLUDE = "CONCLUDE"


class Conclusion(StrEnum):
    """Why a search was concluded."""

    ANSWERED = "ANSWERED"
    BUDGET = "BUDGET"
    FAILED = "FAILED"
    STOPPED = "STOPPED"


def make_setting(values: Mapping[str, Value]) -> Setting:
    """Returns the hyperparameters in their one canonical order."""
    return tuple(sorted(values.items()))


def _canonical(value: Value) -> bytes:
    """Returns bytes that differ whenever the value or its type does."""
    if isinstance(value, bool):
        return b"b1" if value else b"b0"
    if isinstance(value, int):
        return b"i" + str(value).encode()
    if isinstance(value, float):
        return b"f" + struct.pack(">d", value)
    return b"s" + value.encode()


def _digest(parts: Iterable[bytes]) -> str:
    """Returns the SHA-256 of the parts, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(struct.pack(">Q", len(part)))
        digest.update(part)
    return digest.hexdigest()


def measurement_id(
    job: str, search: str, phase: Phase, level: int, setting: Setting, replicate: int
) -> str:
    """Returns the id of a measurement: the same work has the same id, whoever does it.

    Args:
        job: The job's resource name.
        search: The search's key.
        phase: What it is for.
        level: The level, 1 where the search has no axis.
        setting: The other hyperparameters; floats count by their IEEE-754 bytes.
        replicate: The replicate's number, from 0.

    Returns:
        64 hexadecimal digits.
    """
    parts = [job.encode(), search.encode(), phase.value.encode(), str(level).encode()]
    for name, value in setting:
        parts += [name.encode(), _canonical(value)]
    parts.append(str(replicate).encode())
    return _digest(parts)


def candidate_id(search: str, level: int, setting: Setting) -> str:
    """Returns what a candidate's measurements have in common within a job: 32 hex digits.

    Databases keep it, so it never changes.
    """
    parts = [search.encode(), str(level).encode()]
    for name, value in setting:
        parts += [name.encode(), _canonical(value)]
    return _digest(parts)[:32]


def seed_of(*parts: str | int) -> int:
    """Returns a seed in [0, 2**32) that the parts determine, alike on every machine."""
    return int(_digest(f"{type(p).__name__}:{p}".encode() for p in parts)[:8], 16)


@dataclass(frozen=True)
class Member:
    """One measurement that a packet promises."""

    setting: Setting
    level: int
    replicate: int


@dataclass(frozen=True)
class Packet:
    """Work sent to a device at once.

    Attributes:
        id: "search:step:index"; of what runs ahead of the plan "search:ahead:number".
        phase: What it is for.
        settings: The hyperparameters to run.
        levels: The levels to run each of them at.
        replicates: The replicates to run each of those on.
    """

    id: str
    phase: Phase
    settings: tuple[Setting, ...]
    levels: tuple[int, ...]
    replicates: tuple[int, ...]

    def members(self) -> Iterator[Member]:
        """Yields every combination of a setting, a level and a replicate."""
        for combination in itertools.product(self.settings, self.levels, self.replicates):
            yield Member(*combination)


@dataclass(frozen=True)
class Comparison:
    """Bounds of U_larger - U_smaller for two measured levels.

    Attributes:
        smaller: The smaller level.
        larger: The larger level.
        replicates: Pairs that it rests on.
        estimate: The estimated difference; positive favours the larger level.
        low: One-sided lower bound; -inf where nothing can be said.
        high: One-sided upper bound; inf where nothing can be said.
    """

    smaller: float
    larger: float
    replicates: int
    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Look:
    """What a decision was taken on, so that it can be checked later.

    Attributes:
        measurements: Number of final measurements that it read.
        digest: SHA-256 over their ids, outcomes and scores in canonical order.
        comparisons: The bounds that it saw.
    """

    measurements: int
    digest: str
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True)
class PlanStep:
    """A decision of the policy, committed before anything of it is dispatched.

    Attributes:
        search: The search's key.
        number: 1, 2, ... within the search.
        kind: What it decides.
        decision: The decision in a plain sentence.
        policy: Name and version of the policy that decided.
        packets: The work that it asks for.
        look: What it was taken on.
        conclusion: Why the search ends; None where it goes on.
        costs: Levels, rising, with what each costs alone in device-seconds: the
            estimates that it was taken on, frozen here, for clocks differ.
        barred: Levels, rising, that break a limit, with how, in words: frozen here, too.
    """

    search: str
    number: int
    kind: StepKind
    decision: str
    policy: str
    packets: tuple[Packet, ...] = ()
    look: Look | None = None
    conclusion: Conclusion | None = None
    costs: tuple[tuple[int, float], ...] = ()
    barred: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a measurement's predictions are: a part of a file that holds those of several.

    Attributes:
        sha256: The file's content.
        offset: Where the part begins.
        size_bytes: Its length.
    """

    sha256: str
    offset: int
    size_bytes: int


@dataclass(frozen=True)
class Stress:
    """What came of a measurement under one condition. Its scores are among the measurement's.

    Attributes:
        condition: The condition, such as "pgd:0.1", or FOOTPRINT.
        outcome: How it ended; where not COMPLETED, the measurement has no score under it.
        examples: Test examples that it was measured on.
        device_seconds: What it cost, a further fit included where it took one.
        error: Why it did not complete.
        note: What a reader should know, such as that gradients are masked.
    """

    condition: str
    outcome: Outcome
    examples: int = 0
    device_seconds: float = 0.0
    error: str = ""
    note: str = ""


@dataclass(frozen=True)
class Footprint:
    """What it takes to use a model. Clocks tell it, so it is no part of the result.

    Attributes:
        latency_ms: Milliseconds of a prediction of one example: the median of several.
        batch_latency_ms: The same of 256 examples at once.
        model_bytes: The size of the saved model; None where it couldn't be saved.
        device_seconds: What it took to measure.
    """

    latency_ms: float
    batch_latency_ms: float
    model_bytes: int | None
    device_seconds: float = 0.0


def seconds_beside(stresses: Iterable[Stress], footprint: Footprint | None) -> float:
    """Returns the device-seconds of conditions and of a footprint together."""
    told = 0.0 if footprint is None else footprint.device_seconds
    return told + sum(stress.device_seconds for stress in stresses)


@dataclass(frozen=True)
class Measurement:
    """One candidate on one replicate: the final row of its id.

    Attributes:
        scores: Metric name to value on the validation split or the test; under conditions
            by names such as "error@pgd:0.1".
        train_scores: The same on what it was trained on.
        parameters: Number of fitted parameters (a forest: nodes).
        standalone_device_seconds: What this level costs alone.
        billed_device_seconds: What was spent on it; adds up to the job's bill.
        error: Why it did not complete.
        packet: The packet that brought it.
        packet_attempt: Which try at that packet.
        record_time: When the coordinator recorded it.
        predictions: Where its predictions of the test are; None where they weren't kept.
            No part of its result, as its cost isn't.
        stresses: What came of it under each condition, beside the scores.
        footprint: What it takes to use the model; None where it wasn't measured.
    """

    id: str
    search: str
    phase: Phase
    level: int
    setting: Setting
    replicate: int
    outcome: Outcome
    scores: Mapping[str, float] = field(default_factory=dict)
    train_scores: Mapping[str, float] = field(default_factory=dict)
    parameters: int = 0
    standalone_device_seconds: float = 0.0
    billed_device_seconds: float = 0.0
    error: str = ""
    packet: str = ""
    packet_attempt: int = 0
    record_time: datetime | None = None
    predictions: Place | None = None
    stresses: tuple[Stress, ...] = ()
    footprint: Footprint | None = None

    @property
    def robustness_device_seconds(self) -> float:
        """What went to conditions and the footprint, in device-seconds: a part of the bill."""
        return seconds_beside(self.stresses, self.footprint)

    def same_result(self, other: Measurement) -> bool:
        """Tells whether both say the same: id, outcome and scores, not cost or place."""
        return (
            self.id == other.id
            and self.outcome == other.outcome
            and _bits(self.scores) == _bits(other.scores)
        )


def _bits(scores: Mapping[str, float]) -> dict[str, bytes]:
    """Returns the scores' bytes, by which NaN equals NaN and 0.0 is not -0.0."""
    return {name: struct.pack(">d", value) for name, value in scores.items()}


def record_digest(measurements: Iterable[Measurement]) -> str:
    """Returns a digest of ids, outcomes and scores that doesn't depend on their order.

    Two records are equal (design.md) exactly where their digests are.
    """
    rows = []
    for m in measurements:
        scores = b"".join(k.encode() + b"=" + v for k, v in sorted(_bits(m.scores).items()))
        rows.append(m.id.encode() + b"|" + m.outcome.value.encode() + b"|" + scores)
    return _digest(sorted(rows))


@dataclass(frozen=True)
class PacketAttempt:
    """One try at a packet: where, how long, what it cost, how it ended."""

    packet: str
    number: int
    runner_attempt: int
    node: str
    device_type: str
    start_time: datetime
    end_time: datetime
    billed_device_seconds: float
    outcome: PacketOutcome
    error: str = ""
