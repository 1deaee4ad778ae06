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
from services.runner import spending
from services.runner.assignment import Assignment
from services.runner.losses import MAX_LOSSES
from services.runner.narration import Narrator
from services.runner.orders import Course
from services.runner.planner import Planner
from services.runner.tries import OVER
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
        self.running: list[Task] = []
        self.poison: set[str] = set()
        self.held = False
        self.begun = 0

    def offer(self, tasks: list[Task]) -> None:
        committed = {p.id for s in self.coordinator.steps for p in s.packets}
        assert {t.packet.id for t in tasks} <= committed
        self.waiting += tasks

    def retry(self, task: Task) -> None:
        self.waiting.insert(0, task)

    def collect(self, patience: float) -> list[Report]:
        if self.chance.random() < self.death:
            raise Ended
        while not self.held and self.waiting and len(self.running) < SLOTS:
            self.begun += 1
            self.running.append(self.waiting.pop(self.chance.randrange(len(self.waiting))))
        if not self.running:
            return []
        task = self.running.pop(self.chance.randrange(len(self.running)))
        lost = task.packet.id in self.poison or self.chance.random() < self.loss
        record = SearchRecord(task.job, task.search)
        rows = () if lost else tuple(self.table.answer(record, task.packet))
        outcome = PacketOutcome.LOST if lost else PacketOutcome.COMPLETED
        return [Report(task, rows, "node", "cpu", NOW, NOW, 1.0, outcome, "killed" if lost else "")]

    def hold(self, held: bool) -> None:
        self.held = held

    def in_flight(self) -> list[str]:
        return [task.packet.id for task in self.running]


SLOTS = 3
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
    rows, ended = list(coordinator.measurements.values()), set()
    for step in coordinator.steps:
        (ended.add if step.conclusion else ended.discard)(step.search)
    open_ = arguments.pop("open_searches", {s.key for s in spec.all_searches()} - ended)
    told = Assignment(spec, (), 0, 0.0, 0.0, list(coordinator.steps), rows, [], frozenset(open_))
    return Planner(
        job=JOB,
        attempt=1,
        spec=spec,
        records=told.records(JOB),
        packets=workers,
        ledger=coordinator,
        narrator=Narrator({}, io.StringIO()),
        **arguments,
    )


def run(
    spec: JobSpec, coordinator: Coordinator, workers: Workers, alive=False, orders=None, **more
) -> Planner:
    plan = planner(spec, coordinator, workers, **more)
    plan.run(threading.Event(), lambda _: alive, orders)
    return plan


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
        for module in (planning, spending):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))

    def collect(self, patience: float) -> list[Report]:
        hanging = [task for task in self.waiting if task.packet.id in self.stuck]
        self.waiting = [task for task in self.waiting if task not in hanging]
        reports = super().collect(patience)
        self.waiting += hanging
        self.now += 0.0 if reports else patience
        return reports

    def in_flight(self) -> list[str]:
        return [task.packet.id for task in (*self.waiting, *self.running)]

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
    tries = {a.packet: a for a in coordinator.attempts if a.outcome is PacketOutcome.ENDED}
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


class Told:
    """Orders that change at given looks: course by how many packets were begun."""

    def __init__(self, workers: Workers, courses: dict[int, Course], reason="stopped by ada"):
        self.workers, self.courses, self.reason = workers, courses, reason
        self.settled = False

    @property
    def course(self) -> Course:
        begun = max(n for n in self.courses if n <= self.workers.begun)
        return self.courses[begun]

    def settle(self) -> bool:
        self.settled = self.course is Course.PAUSE
        return self.settled


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), pause=st.integers(0, 20), loss=st.sampled_from([0.0, 0.3]))
def test_a_pause_records_what_is_in_flight_and_the_next_attempt_goes_on(seed, pause, loss):
    spec = job()
    table = Table(spec, truth, sd=0.003)
    coordinator = Coordinator()
    workers = Workers(table, coordinator, seed, loss)
    orders = Told(workers, {0: Course.ON, pause: Course.PAUSE})
    plan = run(spec, coordinator, workers, orders=orders)
    assert not coordinator.pending
    if not plan.done:
        assert plan.paused
        assert orders.settled
        assert not workers.running
        assert workers.begun <= pause + SLOTS
        assert not [s for s in coordinator.steps if s.conclusion and s.conclusion != "ANSWERED"]
    again = run(spec, coordinator, Workers(table, coordinator, seed))
    coordinator.flush()
    assert again.done
    for key in ("simulated/depth", "simulated/trees"):
        undisturbed = climb(table, key, workers=1)
        assert [s for s in coordinator.steps if s.search == key] == undisturbed.steps
        rows = [m for m in coordinator.measurements.values() if m.search == key]
        assert record_digest(rows) == record_digest(undisturbed.measurements.values())


def test_a_pause_that_is_taken_back_before_all_has_come_is_none():
    spec = job()
    coordinator = Coordinator()
    workers = Workers(Table(spec, truth, 0.003), coordinator, seed=1)
    orders = Told(workers, {0: Course.ON, 5: Course.PAUSE})
    collect, paused = workers.collect, []

    def collect_and_resume(patience: float) -> list[Report]:
        paused.append(workers.held)
        if workers.held:
            orders.courses = {0: Course.ON}
        return collect(patience)

    workers.collect = collect_and_resume
    plan = run(spec, coordinator, workers, orders=orders)
    assert any(paused)
    assert plan.done
    assert not plan.paused


@pytest.mark.parametrize("after", [0, 4])
def test_a_stop_waits_for_what_is_in_flight_and_concludes_on_what_is_known(after):
    spec = job()
    coordinator = Coordinator()
    workers = Workers(Table(spec, truth, 0.003), coordinator, seed=1)
    plan = run(spec, coordinator, workers, orders=Told(workers, {0: Course.ON, after: Course.STOP}))
    coordinator.flush()
    assert plan.done
    assert not plan.paused
    assert not workers.running
    assert workers.begun == len({m.packet for m in coordinator.measurements.values()})
    ends = {s.search: (s.conclusion, s.decision) for s in coordinator.steps if s.conclusion}
    said = "stopped by ada: the search ends with what is known"
    assert set(ends.values()) == {(Conclusion.STOPPED, said)}
    assert len(ends) == 2


def test_a_stop_overrules_a_pause():
    spec = job()
    coordinator = Coordinator()
    workers = Workers(Table(spec, truth, 0.003), coordinator, seed=1)
    courses = {0: Course.ON, 3: Course.PAUSE}
    orders = Told(workers, courses)
    orders.settle = lambda: courses.update({3: Course.STOP}) or False
    plan = run(spec, coordinator, workers, orders=orders)
    assert plan.done
    assert {s.conclusion for s in coordinator.steps if s.conclusion} == {Conclusion.STOPPED}


def test_an_extended_job_goes_on_with_what_its_stop_left_over():
    spec = job()
    table = Table(spec, truth, 0.003)
    coordinator = Coordinator()
    workers = Workers(table, coordinator, seed=1)
    run(spec, coordinator, workers, orders=Told(workers, {0: Course.ON, 4: Course.STOP}))
    coordinator.flush()
    steps = list(coordinator.steps)
    more = job(measuring={"max_replicates": 30})
    open_ = {"simulated/depth", "simulated/trees"}
    plan = run(more, coordinator, Workers(table, coordinator, seed=2), open_searches=open_)
    coordinator.flush()
    assert plan.done
    assert coordinator.steps[: len(steps)] == steps
    promised = {p.id for s in coordinator.steps for p in s.packets}
    assert {m.packet for m in coordinator.measurements.values()} == promised
    for key in open_:
        ends = [s.conclusion for s in coordinator.steps if s.search == key and s.conclusion]
        assert ends == [Conclusion.STOPPED, Conclusion.ANSWERED]


class Forgetful(Workers):
    """Slots whose memory is too little for some levels while others use it."""

    def __init__(self, table: Table, coordinator: Coordinator, large: int):
        super().__init__(table, coordinator, seed=1)
        self.large = large
        self.alone: list[Task] = []

    def collect(self, patience: float) -> list[Report]:
        return [self.lacking(report) for report in super().collect(patience)]

    def lacking(self, report: Report) -> Report:
        if report.task.alone:
            self.alone.append(report.task)
            return report
        out = Outcome.OUT_OF_MEMORY
        rows = tuple(
            replace(m, outcome=out, scores={}) if m.level >= self.large else m
            for m in report.measurements
        )
        return replace(report, measurements=rows, beside=True)


def test_what_lacks_memory_beside_others_is_tried_alone_before_it_is_final():
    spec = job()
    table = Table(spec, truth, 0.003)
    coordinator = Coordinator()
    workers = Forgetful(table, coordinator, large=4)
    run(spec, coordinator, workers)
    coordinator.flush()
    assert workers.alone
    assert all(len(list(task.packet.members())) == 1 for task in workers.alone)
    tries = [(a.packet, a.number) for a in coordinator.attempts]
    assert len(tries) == len(set(tries))
    assert "memory" in next(a.error for a in coordinator.attempts if a.error)
    for key in ("simulated/depth", "simulated/trees"):
        rows = [m for m in coordinator.measurements.values() if m.search == key]
        undisturbed = climb(table, key, workers=1)
        assert record_digest(rows) == record_digest(undisturbed.measurements.values())
