"""The planner: commits before it dispatches, replays what is owed, judges lost packets."""

import io
import random
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runner import planner as planning
from services.runner.losses import MAX_LOSSES
from services.runner.narration import Narrator
from services.runner.planner import OVER, Planner
from tests.search.bench import JOB, Table, climb
from tuner.record import (
    Conclusion,
    Measurement,
    Outcome,
    PacketAttempt,
    PacketOutcome,
    Phase,
    PlanStep,
    record_digest,
)
from tuner.search import SearchRecord
from tuner.spec import JobSpec
from tuner.trials.work import Report, Task


class Ended(Exception):
    """The runner was killed."""


class Coordinator:
    """A record in memory. It refuses a step that reads what isn't durable yet."""

    def __init__(self) -> None:
        self.steps: list[PlanStep] = []
        self.measurements: dict[str, Measurement] = {}
        self.attempts: list[PacketAttempt] = []
        self.pending: list[Measurement] = []

    def commit(self, step: PlanStep) -> None:
        assert not self.pending
        self.steps.append(step)

    def add(self, measurements, attempts) -> None:
        self.pending += measurements
        self.attempts += attempts

    def flush(self) -> None:
        for m in self.pending:
            known = self.measurements.setdefault(m.id, m)
            assert known.same_result(m)
        self.pending = []


class Workers:
    """Answers packets from a table, in an order and with losses drawn from a seed."""

    def __init__(self, table: Table, coordinator: Coordinator, seed: int, loss=0.0, death=0.0):
        self.table = table
        self.coordinator = coordinator
        self.chance = random.Random(seed)
        self.loss = loss
        self.death = death
        self.waiting: list[Task] = []
        self.poison: set[str] = set()

    def offer(self, tasks: list[Task]) -> None:
        committed = {p.id for s in self.coordinator.steps for p in s.packets}
        assert {t.packet.id for t in tasks} <= committed
        self.waiting += tasks

    def retry(self, task: Task) -> None:
        self.waiting.insert(0, task)

    def collect(self, patience: float) -> list[Report]:
        if self.chance.random() < self.death:
            raise Ended
        if not self.waiting:
            return []
        task = self.waiting.pop(self.chance.randrange(len(self.waiting)))
        lost = task.packet.id in self.poison or self.chance.random() < self.loss
        record = SearchRecord(task.job, task.search)
        rows = () if lost else tuple(self.table.answer(record, task.packet))
        outcome = PacketOutcome.LOST if lost else PacketOutcome.COMPLETED
        return [Report(task, rows, "node", "cpu", NOW, NOW, 1.0, outcome, "killed" if lost else "")]


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(**more) -> JobSpec:
    return JobSpec.parse(
        {
            "dataset": "digits",
            "margin": 0.02,
            "baseline": None,
            "searches": [
                {"learner": "simulated", "axis": "depth", "levels": (1, 2, 4, 8)},
                {"learner": "simulated", "axis": "trees", "levels": (1, 2, 4, 8)},
            ],
            "tuning": {"trials": 4, "generation": 2},
            **more,
        }
    )


def planner(spec: JobSpec, coordinator: Coordinator, workers: Workers, **more) -> Planner:
    arguments = {"elapsed_seconds": 0.0, "billed_device_seconds": 0.0, "refusals": {}, **more}
    return Planner(
        job=JOB,
        attempt=1,
        spec=spec,
        steps=list(coordinator.steps),
        measurements=list(coordinator.measurements.values()),
        packets=workers,
        ledger=coordinator,
        narrator=Narrator({}, io.StringIO()),
        **arguments,
    )


def run(spec: JobSpec, coordinator: Coordinator, workers: Workers, alive=False, **more) -> None:
    planner(spec, coordinator, workers, **more).run(threading.Event(), lambda _: alive)


def truth(level: int) -> float:
    return 0.05 + 0.1 * max(0, 2 - level)


class Predicting(Workers):
    """Reports what every measuring row predicted: its id, for a test to know it by."""

    def collect(self, patience: float) -> list[Report]:
        return [
            replace(
                report,
                predictions={
                    m.id: m.id.encode() for m in report.measurements if m.phase is Phase.MEASURING
                }
                | {"of no row": b"x"},
            )
            for report in super().collect(patience)
        ]


def test_predictions_come_before_their_rows_and_no_others_come():
    spec = job()
    coordinator = Coordinator()
    kept: dict[str, bytes] = {}

    def keep(predictions) -> None:
        kept.update(predictions)

    def add(measurements, attempts, surplus=()) -> None:
        assert {m.id for m in measurements if m.phase is Phase.MEASURING} <= kept.keys()
        Coordinator.add(coordinator, measurements, attempts)

    coordinator.keep, coordinator.add = keep, add
    run(spec, coordinator, Predicting(Table(spec, truth, sd=0.003), coordinator, 0))
    coordinator.flush()
    measuring = {i for i, m in coordinator.measurements.items() if m.phase is Phase.MEASURING}
    assert measuring
    assert kept == {i: i.encode() for i in measuring}


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32), loss=st.sampled_from([0.0, 0.3]), death=st.sampled_from([0, 0.1])
)
def test_deaths_and_losses_leave_the_record_of_an_undisturbed_run(seed, loss, death):
    spec = job()
    table = Table(spec, truth, sd=0.003)
    coordinator = Coordinator()
    for life in range(1000):
        workers = Workers(table, coordinator, seed + life, loss, death)
        try:
            run(spec, coordinator, workers)
            break
        except Ended:
            coordinator.pending = []  # what wasn't acknowledged is gone
    coordinator.flush()
    for key in ("simulated/depth", "simulated/trees"):
        undisturbed = climb(table, key, workers=1)
        assert [s for s in coordinator.steps if s.search == key] == undisturbed.steps
        rows = [m for m in coordinator.measurements.values() if m.search == key]
        assert record_digest(rows) == record_digest(undisturbed.measurements.values())


def test_a_packet_that_keeps_killing_its_worker_on_living_nodes_is_recorded_as_crashed():
    spec = job()
    coordinator = Coordinator()
    workers = Workers(Table(spec, truth, 0.003), coordinator, seed=1)
    workers.poison = {"simulated/depth:1:0"}
    run(spec, coordinator, workers, alive=True)
    crashed = [m for m in coordinator.measurements.values() if m.outcome is Outcome.CRASHED]
    assert [m.packet for m in crashed] == ["simulated/depth:1:0"]
    assert f"died {MAX_LOSSES} times" in crashed[0].error
    tries = [a for a in coordinator.attempts if a.packet == "simulated/depth:1:0"]
    assert [a.outcome for a in tries] == [PacketOutcome.LOST] * MAX_LOSSES


def test_a_lost_node_is_never_the_packets_fault():
    spec = job()
    coordinator = Coordinator()
    workers = Workers(Table(spec, truth, 0.003), coordinator, seed=1, loss=0.8)
    run(spec, coordinator, workers, alive=False)
    assert all(m.outcome is Outcome.COMPLETED for m in coordinator.measurements.values())


def test_a_spent_budget_concludes_every_search_and_says_so():
    spec = job(budget={"device_hours": 5 / 3600})
    coordinator = Coordinator()
    run(spec, coordinator, Workers(Table(spec, truth, 0.003), coordinator, seed=1))
    ends = [s for s in coordinator.steps if s.conclusion]
    assert {s.conclusion for s in ends} == {Conclusion.BUDGET}
    assert len(ends) == 2
    assert "device-hours" in ends[0].decision


class Hanging(Workers):
    """Workers of whom some never answer. Time passes only where nobody has an answer."""

    def __init__(self, table: Table, coordinator: Coordinator, stuck: set[str], monkeypatch):
        super().__init__(table, coordinator, seed=1)
        self.stuck = stuck
        self.now = 0.0
        self.closed = False
        monkeypatch.setattr(planning, "time", SimpleNamespace(monotonic=lambda: self.now))

    def collect(self, patience: float) -> list[Report]:
        hanging = [task for task in self.waiting if task.packet.id in self.stuck]
        self.waiting = [task for task in self.waiting if task not in hanging]
        reports = super().collect(patience)
        self.waiting += hanging
        self.now += 0.0 if reports else patience
        return reports

    def load(self) -> tuple[int, int]:
        return len(self.waiting), 0

    def close(self) -> None:
        self.closed = True


HOUR = {"budget": {"wall_clock_hours": 1}, "tuning": {"trials": 1}}


def test_when_the_time_is_over_all_searches_end_with_what_is_known_whatever_is_in_flight(
    monkeypatch,
):
    spec = job(**HOUR)
    coordinator = Coordinator()
    stuck = {"simulated/depth:1:3", "simulated/trees:1:1"}
    workers = Hanging(Table(spec, truth, 0.003), coordinator, stuck, monkeypatch)
    late = planner(spec, coordinator, workers)
    late.run(threading.Event(), lambda _: True)
    coordinator.flush()
    assert late.done
    assert late.broken_off
    assert workers.closed
    assert 3600 <= workers.now <= 3600 + planning.GRACE_SECONDS + planning.COLLECT_SECONDS
    ends = {s.search: s.conclusion for s in coordinator.steps if s.conclusion}
    assert ends == {
        "simulated/depth": Conclusion.BUDGET,
        "simulated/trees": Conclusion.BUDGET,
    }
    assert "1 hours is over" in coordinator.steps[-1].decision
    promised = {p.id for s in coordinator.steps for p in s.packets}
    assert {m.packet for m in coordinator.measurements.values()} == promised - stuck

    # What was in flight is told and billed, and not tried again.
    begun = NOW - timedelta(seconds=7)
    lost = [
        Report(task, (), "node", "cpu", begun, NOW, 0.0, PacketOutcome.LOST, "killed")
        for task in workers.waiting
    ]
    workers.collect = lambda _: lost
    workers.retry = None
    late.drain(lambda _: True)
    tries = {a.packet: a for a in coordinator.attempts if a.outcome is PacketOutcome.LOST}
    assert tries.keys() == stuck
    assert {(a.billed_device_seconds, a.error) for a in tries.values()} == {(7.0, OVER)}


def test_what_comes_within_the_grace_is_recorded(monkeypatch):
    spec = job(**HOUR)
    coordinator = Coordinator()
    workers = Hanging(Table(spec, truth, 0.003), coordinator, {"simulated/depth:1:3"}, monkeypatch)
    close = workers.close

    def close_and_let_go() -> None:
        close()
        workers.stuck = set()

    workers.close = close_and_let_go
    late = planner(spec, coordinator, workers)
    late.run(threading.Event(), lambda _: True)
    coordinator.flush()
    assert late.done
    assert not late.broken_off
    assert "simulated/depth:1:3" in {m.packet for m in coordinator.measurements.values()}
    assert {s.search for s in coordinator.steps if s.conclusion is Conclusion.BUDGET} == {
        "simulated/depth"
    }


def test_a_record_that_the_clock_ended_is_replayed_as_it_is(monkeypatch):
    spec = job(**HOUR)
    coordinator = Coordinator()
    table = Table(spec, truth, 0.003)
    workers = Hanging(table, coordinator, {"simulated/depth:1:3"}, monkeypatch)
    run(spec, coordinator, workers)
    coordinator.flush()
    steps, rows = list(coordinator.steps), dict(coordinator.measurements)
    again = planner(spec, coordinator, Workers(table, coordinator, seed=2), elapsed_seconds=3610)
    again.run(threading.Event(), lambda _: True)
    coordinator.flush()
    assert again.done
    assert not again.broken_off
    assert coordinator.steps == steps
    assert coordinator.measurements == rows


def test_nothing_is_begun_once_the_time_is_over():
    spec = job(**HOUR)
    coordinator = Coordinator()
    workers = Workers(Table(spec, truth, 0.003), coordinator, seed=1)
    late = planner(spec, coordinator, workers, elapsed_seconds=3600)
    late.run(threading.Event(), lambda _: True)
    assert late.done
    assert {(s.conclusion, s.packets) for s in coordinator.steps} == {(Conclusion.BUDGET, ())}


def test_a_search_whose_learner_refuses_the_data_fails_alone():
    spec = job()
    coordinator = Coordinator()
    workers = Workers(Table(spec, truth, 0.003), coordinator, seed=1)
    run(spec, coordinator, workers, refusals={"simulated/depth": "it needs images"})
    ends = {s.search: s.conclusion for s in coordinator.steps if s.conclusion}
    assert ends == {
        "simulated/depth": Conclusion.FAILED,
        "simulated/trees": Conclusion.ANSWERED,
    }


def test_it_stops_between_steps_when_told():
    spec = job()
    coordinator = Coordinator()
    workers = Workers(Table(spec, truth, 0.003), coordinator, seed=1)
    stop = threading.Event()
    stop.set()
    plan = planner(spec, coordinator, workers)
    plan.run(stop, lambda _: True)
    assert not plan.done
    assert coordinator.steps == []


def test_a_refused_step_ends_the_run():
    spec = job()
    coordinator = Coordinator()

    def refuse(step: PlanStep) -> None:
        raise Ended

    coordinator.commit = refuse
    with pytest.raises(Ended):
        run(spec, coordinator, Workers(Table(spec, truth, 0.003), coordinator, seed=1))
