"""Whether what a runner reports can belong to its job."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from services.coordinator.store.rows import JobRow
from tuner.errors import TunerError, invalid
from tuner.record import (
    FOOTPRINT,
    Footprint,
    Measurement,
    PacketAttempt,
    PlanStep,
    Stress,
    measurement_id,
)
from tuner.spec import JobSpec, Search
from tuner.spec.conditions import conditions_of
from tuner.v1 import record_pb2
from tuner.wire.record import measurement_from_wire, packet_attempt_from_wire, step_from_wire

_Message = TypeVar("_Message")
_Row = TypeVar("_Row")

MOST_WORDS = 2000
"""Most characters of what a runner says in words of one condition, or of one limit."""

# "error", "module:function", either of them "@pgd:0.1".
_SCORE = re.compile(r"[\w.:@+-]{1,300}")


def judged_measurements(
    job: JobRow, messages: Iterable[record_pb2.Measurement], name: str = "measurements"
) -> list[Measurement]:
    """Returns the measurements, which the request has under that name.

    Raises:
        TunerError: INVALID_ARGUMENT where one is malformed, is of no search, level or
            condition of the job, or bears an id that isn't its own.
    """
    searches = {search.key: search for search in job.spec.all_searches()}
    measurements = []
    for index, message in enumerate(messages):
        field = f"{name}[{index}]"
        m = _within(field, measurement_from_wire, message)
        if m.search not in searches:
            raise invalid(f"{field}.search", f"{m.search!r} is no search of {job.name}")
        if m.level not in searches[m.search].levels:
            raise invalid(f"{field}.level", f"{m.level} is no level of {m.search}")
        own = measurement_id(str(job.name), m.search, m.phase, m.level, m.setting, m.replicate)
        if m.id != own:
            raise invalid(f"{field}.id", f"{m.id[:100]!r} is not what its content makes it, {own}")
        _check_scores(f"{field}.scores", message.scores)
        _check_scores(f"{field}.train_scores", message.train_scores)
        if m.stresses:
            _check_stresses(field, m.stresses, _borne(job.spec, searches[m.search]))
        if m.footprint is not None:
            _check_footprint(f"{field}.footprint", m.footprint)
        measurements.append(m)
    return measurements


def payload(message: record_pb2.Measurement) -> bytes:
    """Returns the bytes of a judged measurement that are kept: what it says, and nothing else."""
    message.ClearField("record_time")
    message.DiscardUnknownFields()
    return message.SerializeToString(deterministic=True)


def _borne(spec: JobSpec, search: Search) -> list[str]:
    """Returns what a search's measurements may tell of beside their scores."""
    names = [condition.name for condition in conditions_of(search, spec.robustness)]
    return [*names, FOOTPRINT] if spec.footprint else names


def _check_scores(field: str, scores: Iterable[record_pb2.Score]) -> None:
    for place, score in enumerate(scores):
        if not _SCORE.fullmatch(score.metric):
            problem = (
                f"{score.metric[:100]!r} can't be a score's name; give 1 to 300 letters, digits "
                "and any of . : @ _ + -"
            )
            raise invalid(f"{field}[{place}].metric", problem)


def _check_stresses(field: str, stresses: Iterable[Stress], known: Collection[str]) -> None:
    """Refuses what can't have come of the conditions that a search is measured under."""
    seen: set[str] = set()
    for place, stress in enumerate(stresses):
        at = f"{field}.stresses[{place}]"
        if stress.condition not in known:
            there = ", ".join(known) or "none"
            problem = f"{stress.condition[:100]!r} is no condition of the search; it has {there}"
            raise invalid(f"{at}.condition", problem)
        if stress.condition in seen:
            raise invalid(f"{at}.condition", f"{stress.condition} is told twice; tell each once")
        seen.add(stress.condition)
        if stress.examples < 0:
            raise invalid(f"{at}.examples", f"{stress.examples} can't be; give 0 or more")
        _check_amounts(at, device_seconds=stress.device_seconds)
        for name, text in (("error", stress.error), ("note", stress.note)):
            if len(text) > MOST_WORDS:
                problem = f"has {len(text):,} characters; at most {MOST_WORDS:,} are kept"
                raise invalid(f"{at}.{name}", problem)


def _check_footprint(field: str, found: Footprint) -> None:
    _check_amounts(
        field,
        latency_ms=found.latency_ms,
        batch_latency_ms=found.batch_latency_ms,
        model_bytes=found.model_bytes or 0,
        device_seconds=found.device_seconds,
    )


def _check_amounts(field: str, **amounts: float) -> None:
    for name, amount in amounts.items():
        if not 0 <= amount < math.inf:
            raise invalid(f"{field}.{name}", f"{amount} can't be; give a finite number, 0 or more")


def judged_attempts(
    runner_attempt: int, messages: Iterable[record_pb2.PacketAttempt]
) -> list[PacketAttempt]:
    """Returns the tries at packets.

    Raises:
        TunerError: INVALID_ARGUMENT where one is malformed or another attempt's.
    """
    attempts = []
    for index, message in enumerate(messages):
        field = f"packet_attempts[{index}]"
        a = _within(field, packet_attempt_from_wire, message)
        if a.runner_attempt != runner_attempt:
            raise invalid(
                f"{field}.runner_attempt",
                f"is {a.runner_attempt}, but the caller is attempt {runner_attempt}",
            )
        attempts.append(a)
    return attempts


def judged_step(message: record_pb2.PlanStep) -> PlanStep:
    """Returns the plan step.

    Raises:
        TunerError: INVALID_ARGUMENT where it is malformed, or a cost or a barred level
            that it fixes is none that a curve could be judged by.
    """
    step = _within("step", step_from_wire, message)
    for index, (level, cost) in enumerate(step.costs):
        field = f"step.costs[{index}]"
        if not 0 <= cost < math.inf:
            problem = f"{cost} is no cost; give a finite number of seconds, 0 or more"
            raise invalid(f"{field}.device_seconds", problem)
        if index and level <= step.costs[index - 1][0]:
            raise invalid(f"{field}.level", f"{level} stands behind a larger one, or twice")
    for index, (level, how) in enumerate(step.barred):
        field = f"step.barred[{index}]"
        if index and level <= step.barred[index - 1][0]:
            raise invalid(f"{field}.level", f"{level} stands behind a larger one, or twice")
        if not 1 <= len(how) <= MOST_WORDS:
            problem = f"has {len(how):,} characters; say in 1 to {MOST_WORDS:,} which limit it is"
            raise invalid(f"{field}.reason", problem)
    return step


def _within(field: str, convert: Callable[[_Message], _Row], message: _Message) -> _Row:
    """Converts a message; fields at fault are named as the request's."""
    try:
        return convert(message)
    except TunerError as error:
        raise error.renamed(lambda inner: f"{field}.{inner}") from error
