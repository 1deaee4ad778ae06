"""One run of a policy in a world: on virtual workers, with no Ray and no waiting.

Two kinds of policies can be run. A *plan policy* emits plan steps, as a search of the
service does: packets of a step may run at once, and the next step is decided when all are
final. An *optimizer* is asked whenever a worker is free, as Optuna and Ray Tune are used.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tuner.curve import Question, VerdictOutcome
from tuner.record import Member, Phase, PlanStep
from tuner.returns import assess, winners_scores
from tuner.search.foresight import Foresight
from tuner.search.record import SearchRecord
from tuner.search.simulation.clock import Workers
from tuner.search.simulation.judge import answer_of
from tuner.search.simulation.surplus import Ahead
from tuner.search.simulation.world import Draw, WorldSpec

JOB = "namespaces/default/jobs/simulation"
MAX_STEPS = 100_000
"""Steps, or asks, after which a policy counts as endless."""


@dataclass(frozen=True)
class Answer:
    """What a policy ends with.

    Attributes:
        level: The level that is enough; None where the policy abstains.
        outcome: The verdict's outcome; None where the answer rests on no verdict.
    """

    level: float | None
    outcome: VerdictOutcome | None = None


@runtime_checkable
class Plan(Protocol):
    """A plan policy, such as `tuner.search.Climb`. Its answer is the verdict on its record."""

    def next_step(self, record: SearchRecord) -> PlanStep | None:
        """Returns the next plan step; None where the search is over."""
        ...


@runtime_checkable
class Answering(Protocol):
    """A plan policy that answers otherwise than by the usual verdict.

    Attributes:
        asks_margin: Whether its steps depend on the margin and patience. If not, one
            run serves all of them.
    """

    asks_margin: bool

    def answer(self, record: SearchRecord, question: Question) -> Answer:
        """Returns the answer to a question from a finished record."""
        ...


@runtime_checkable
class Optimizer(Protocol):
    """A policy that is asked and told, one fit at a time."""

    def ask(self) -> Member | None:
        """Returns what a free worker does next; None where there is nothing left."""
        ...

    def tell(self, member: Member, score: float) -> None:
        """Takes a score. Fits that run at once are told in the order in which they end."""
        ...

    def answer(self) -> float | None:
        """Returns the level that it holds for best so far."""
        ...


Policy = Plan | Optimizer
Factory = Callable[[WorldSpec, str], Policy]
"""Makes a policy from a spec and the search's key, as `Climb(spec, key)` is made."""


@dataclass(frozen=True)
class Run:
    """How a run ended.

    Attributes:
        answers: One for each question that was put.
        device_seconds: What all workers worked.
        wall_clock_seconds: When the last of them was done; with speculation, the last of
            what steps had asked for.
        record: What was planned and measured; None for an optimizer.
        trace: An optimizer's answers as they changed: device-seconds of ended fits, level.
        surplus_seconds: What of the device-seconds ran ahead and was never asked for.
    """

    answers: tuple[Answer, ...]
    device_seconds: float
    wall_clock_seconds: float
    record: SearchRecord | None = None
    trace: tuple[tuple[float, float | None], ...] = ()
    surplus_seconds: float = 0.0


def simulate(
    make: Factory, spec: WorldSpec, workers: int = 1, questions: tuple[Question, ...] = ()
) -> Run:
    """Runs a policy to its end.

    The same spec and seed give the same run, and, where steps are planned, the same
    record and answers for any number of workers, and with `resources.speculate` or without.

    Args:
        make: Makes the policy.
        spec: The world and what is asked of it.
        workers: Virtual workers.
        questions: What to answer from the one run; what the spec asks where omitted.

    Raises:
        RuntimeError: The policy doesn't end.
        TypeError: It is no policy.
        ValueError: It asks for what the world doesn't have.
    """
    key = spec.world.key
    policy = make(spec, key)
    draw = spec.world.draw(spec.seed)
    if isinstance(policy, Plan):
        foresight = Foresight(spec, key, policy) if spec.resources.speculate else None
        asked = questions or (spec.question(key),)
        return _run_plan(policy, draw, key, workers, asked, foresight)
    if isinstance(policy, Optimizer):
        return _run_optimizer(policy, draw, workers)
    raise TypeError(f"{type(policy).__name__} has neither next_step nor ask and tell")


def needs_margin(make: Factory, spec: WorldSpec) -> bool:
    """Tells whether every margin and patience needs a run of its own."""
    policy = make(spec, spec.world.key)
    return policy.asks_margin if isinstance(policy, Answering) else True


def _run_plan(
    policy: Plan,
    draw: Draw,
    key: str,
    workers: int,
    questions: tuple[Question, ...],
    foresight: Foresight | None,
) -> Run:
    record = SearchRecord(JOB, key)
    crew = Ahead(draw, record, workers, foresight)
    for _ in range(MAX_STEPS):
        step = policy.next_step(record)
        if step is None:
            break
        record.steps.append(step)
        crew.run(step)
    else:
        raise RuntimeError(f"{type(policy).__name__} doesn't end")
    answer = policy.answer if isinstance(policy, Answering) else verdict
    answers = tuple(answer(record, question) for question in questions)
    return Run(answers, crew.device_seconds, crew.now, record, surplus_seconds=crew.surplus_seconds)


def verdict(record: SearchRecord, question: Question) -> Answer:
    """Returns the usual verdict on what a record has measured."""
    found = assess(question, winners_scores(question, record.claimed())).verdict
    return Answer(answer_of(found, question), found.outcome)


def _run_optimizer(policy: Optimizer, draw: Draw, workers: int) -> Run:
    clock = Workers(workers)
    running: list[tuple[float, int, Member, float]] = []
    trace: list[tuple[float, float | None]] = []
    now = done = 0.0
    for asked in range(MAX_STEPS):
        member = policy.ask() if len(running) < workers else None
        if member is not None:
            seconds = draw.seconds(member)
            heapq.heappush(running, (clock.start(seconds, now), asked, member, seconds))
            continue
        if not running:
            break
        now, _, member, seconds = heapq.heappop(running)
        done += seconds
        # Optimizers don't tell tuning from measuring: they keep what looked best.
        policy.tell(member, draw.score(Phase.TUNING, member))
        best = policy.answer()
        if not trace or trace[-1][1] != best:
            trace.append((done, best))
    else:
        raise RuntimeError(f"{type(policy).__name__} doesn't end")
    return Run((Answer(policy.answer()),), clock.device_seconds, clock.now, trace=tuple(trace))
