"""Jobs, steps and measurements to prove a store with."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.coordinator.store.base import Store
from tuner.jobs import Event, JobState
from tuner.record import (
    Comparison,
    Conclusion,
    Look,
    Measurement,
    Outcome,
    Packet,
    PacketAttempt,
    PacketOutcome,
    Phase,
    PlanStep,
    StepKind,
    make_setting,
    measurement_id,
)
from tuner.spec import JobSpec, Search
from tuner.wire.names import JobName

TREES = "forest/trees"
DEPTH = "cnn/depth"
BASELINE = "perceptron"
START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)

_numbers = itertools.count(1)


def a_name(namespace: str = "default") -> JobName:
    """A name that no other test has."""
    return JobName(namespace, f"job-{next(_numbers)}")


def a_spec(**changes: Any) -> JobSpec:
    return JobSpec(
        dataset="digits",
        searches=[Search("forest", levels=[1, 4, 16]), Search("cnn", axis="depth")],
        **changes,
    )


@dataclass(frozen=True)
class Running:
    """A job with an enrolled attempt."""

    name: JobName
    attempt: int
    epoch: int

    @property
    def caller(self) -> tuple[JobName, int, int]:
        """The job, the attempt and its epoch, as the store asks for them."""
        return self.name, self.attempt, self.epoch


def a_job(store: Store, name: JobName | None = None) -> JobName:
    name = name or a_name()
    store.create_job(name, a_spec(), "ada", f"request of {name}")
    return name


def a_running_job(store: Store, name: JobName | None = None) -> Running:
    name = a_job(store, name)
    store.set_job_state(name, JobState.QUEUED, "", [JobState.PENDING])
    store.set_job_state(name, JobState.RUNNING, "", [JobState.QUEUED])
    row = store.create_attempt(name, "ray-{attempt}", "code")
    store.enrol(name, "code", "token")
    return Running(name, row.number, row.epoch)


def a_measurement(name: JobName, number: int = 0, **changes: Any) -> Measurement:
    setting = make_setting({"rate": number / 7, "kind": "gini", "wide": True, "leaf": number})
    values: dict[str, Any] = {
        "search": TREES,
        "phase": Phase.TUNING,
        "level": 4,
        "setting": setting,
        "replicate": 0,
        "outcome": Outcome.COMPLETED,
        "scores": {"brier": 0.25 + number / 1000, "error": 0.125},
        "train_scores": {"brier": 0.0625},
        "parameters": 900 + number,
        "standalone_device_seconds": 1.5,
        "billed_device_seconds": 0.5,
        "packet": f"{TREES}:1:{number}",
        "packet_attempt": 1,
        **changes,
    }
    key = [values[k] for k in ("search", "phase", "level", "setting", "replicate")]
    return Measurement(id=measurement_id(str(name), *key), **values)


def a_try(packet: int = 0, **changes: Any) -> PacketAttempt:
    values: dict[str, Any] = {
        "packet": f"{TREES}:1:{packet}",
        "number": 1,
        "runner_attempt": 1,
        "node": "node-7",
        "device_type": "cpu",
        "start_time": START,
        "end_time": START.replace(minute=1),
        "billed_device_seconds": 0.5,
        "outcome": PacketOutcome.COMPLETED,
        **changes,
    }
    return PacketAttempt(**values)


def a_step(number: int = 1, search: str = TREES, decision: str = "try four") -> PlanStep:
    setting = make_setting({"rate": 0.1, "wide": False})
    packet = Packet(f"{search}:{number}:0", Phase.TUNING, (setting,), (1, 4), (0, 1))
    look = Look(3, "ab" * 32, (Comparison(1, 4, 2, 0.5, float("-inf"), float("inf")),))
    costs = ((1, 2.5), (4, 9.75))
    return PlanStep(
        search, number, StepKind.TUNE, decision, "climb/1", (packet,), look, costs=costs
    )


def a_conclusion(
    number: int, search: str = TREES, conclusion: Conclusion = Conclusion.ANSWERED
) -> PlanStep:
    return PlanStep(
        search, number, StepKind.CONCLUDE, "16 trees are enough", "climb/1", conclusion=conclusion
    )


def log_of(store: Store, name: JobName) -> list[Event]:
    """All events, proved to be numbered 1, 2, ... without a gap."""
    rows = store.events(name, 0, 1_000_000)
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    assert store.get_job(name).last_sequence == len(rows)
    return rows


def kinds_of(rows: Sequence[Event]) -> list[str]:
    return [type(row.what).__name__ for row in rows]
