"""What runs ahead of the plan: the same steps and record, nothing twice, never more than agreed."""

import random
import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runner import ahead
from services.runner.planner import UNWANTED
from tests.runner.test_planner import NOW, Coordinator, Ended, job, planner, run, truth
from tests.search.bench import JOB, Table, climb
from tuner.record import Conclusion, Measurement, Outcome, PacketOutcome, record_digest
from tuner.search import SearchRecord, foresight
from tuner.spec import JobSpec
from tuner.trials.work import Report, Task

KEYS = ("simulated/depth", "simulated/trees")


@pytest.fixture(scope="module", autouse=True)
def _always_look():
    """The runner may spend all of its time on looking ahead, and imagines little."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foresight, "IMAGINED", 3)
        patch.setattr(ahead, "LOOKING", 1.0)
        yield


class House(Coordinator):
    """A coordinator that keeps surplus, apart from its measurements."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead: dict[str, Measurement] = {}
        self.coming: list[Measurement] = []

    def add(self, measurements, attempts, surplus=()) -> None:
        assert {m.id for m in measurements} <= self.claims()
        assert not {m.id for m in surplus} & self.claims()
        super().add(measurements, attempts)
        self.coming += surplus

    def flush(self) -> None:
        super().flush()
        for m in self.coming:
            self.ahead.setdefault(m.id, m)
        self.coming = []

    def claims(self) -> set[str]:
        return {
            i
            for step in self.steps
            for packet in step.packets
            for i in SearchRecord(JOB, step.search).ids(packet)
        }

    @property
    def unclaimed(self) -> list[Measurement]:
        return [m for i, m in self.ahead.items() if i not in self.measurements]


class Slots:
    """So many slots. Each takes what a step asked for, or else surplus; all end in any order.

    A packet takes as many seconds as its largest level. With `late`, what runs ahead
    ends after all else.
    """

    def __init__(self, table: Table, house: House, count: int, seed: int, loss=0.0, death=0.0):
        self.table = table
        self.house = house
        self.count = count
        self.chance = random.Random(seed)
        self.loss = loss
        self.death = death
        self.waiting: list[Task] = []
        self.surplus: list[Task] = []
        self.running: list[Task] = []
        self.runs: Counter[str] = Counter()
        self.spent = 0.0
        self.began_ahead = 0
        self.late = False

    def offer(self, tasks: list[Task]) -> None:
        committed = {p.id for s in self.house.steps for p in s.packets}
        assert {t.packet.id for t in tasks} <= committed
        self.waiting += tasks

    def offer_surplus(self, tasks: list[Task]) -> None:
        self.surplus += tasks

    def withdraw(self, search: str) -> list[str]:
        gone = [t.packet.id for t in self.surplus if t.search == search]
        self.surplus = [t for t in self.surplus if t.search != search]
        return gone

    def idle(self) -> int:
        return max(0, self.count - len(self.running) - len(self.waiting) - len(self.surplus))

    def retry(self, task: Task) -> None:
        self.waiting.insert(0, task)

    def hold(self, held: bool) -> None:
        raise AssertionError("nobody pauses")

    def in_flight(self) -> list[str]:
        return [task.packet.id for task in self.running]

    def collect(self, patience: float) -> list[Report]:
        if self.chance.random() < self.death:
            raise Ended
        while len(self.running) < self.count and (self.waiting or self.surplus):
            self.began_ahead += not self.waiting
            self.running.append((self.waiting or self.surplus).pop(0))
        if not self.running:
            return []
        planned = [t for t in self.running if not is_ahead(t)]
        task = self.chance.choice(planned if self.late and planned else self.running)
        self.running.remove(task)
        record = SearchRecord(task.job, task.search)
        if self.chance.random() < self.loss:
            return [lost(task)]
        self.runs.update(record.ids(task.packet))
        rows = self.table.answer(record, task.packet)
        spent = max(m.standalone_device_seconds for m in rows)
        self.spent += spent
        rows = tuple(replace(m, billed_device_seconds=spent / len(rows)) for m in rows)
        return [Report(task, rows, "node", "cpu", NOW, NOW, spent, PacketOutcome.COMPLETED)]


def is_ahead(task: Task) -> bool:
    return ":ahead:" in task.packet.id


def lost(task: Task, seconds: float = 0.0) -> Report:
    end = NOW + timedelta(seconds=seconds)
    return Report(task, (), "node", "cpu", NOW, end, 0.0, PacketOutcome.LOST, "killed")


def speculating(**more) -> JobSpec:
    return job(resources={"speculate": True}, **more)


def check_undisturbed(house: House, table: Table) -> None:
    for key in KEYS:
        undisturbed = climb(table, key, workers=1)
        assert [s for s in house.steps if s.search == key] == undisturbed.steps
        rows = [m for m in house.measurements.values() if m.search == key]
        assert record_digest(rows) == record_digest(undisturbed.measurements.values())


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 24),
    loss=st.sampled_from([0.0, 0.3]),
    death=st.sampled_from([0, 0.05]),
)
def test_whatever_runs_ahead_dies_or_is_lost_the_steps_and_the_record_stay_the_same(
    seed, count, loss, death
):
    spec = speculating()
    table = Table(spec, truth, sd=0.003)
    house = House()
    for life in range(1000):
        slots = Slots(table, house, count, seed + life, loss, death)
        try:
            run(spec, house, slots, surplus=house.unclaimed)
            break
        except Ended:
            house.pending, house.coming = [], []  # what wasn't acknowledged is gone
    house.flush()
    check_undisturbed(house, table)


def test_idle_slots_run_ahead_and_what_is_claimed_is_not_run_again():
    spec = speculating()
    house = House()
    slots = Slots(Table(spec, truth, 0.003), house, 16, seed=1)
    run(spec, house, slots)
    house.flush()
    assert slots.began_ahead
    depth = {i for i, m in house.measurements.items() if m.search == KEYS[0]}
    assert {slots.runs[i] for i in depth} == {1}
    claimed_from_surplus = set(house.ahead) & set(house.measurements)
    assert claimed_from_surplus
    for m in house.measurements.values():  # a row tells the packet that claimed it
        assert ":ahead:" not in m.packet


def test_without_the_option_nothing_runs_ahead():
    spec = job()
    house = House()
    slots = Slots(Table(spec, truth, 0.003), house, 16, seed=1)
    run(spec, house, slots)
    assert not slots.began_ahead
    assert not house.ahead
    assert all(":ahead:" not in a.packet for a in house.attempts)


def test_every_second_is_billed_and_few_are_at_stake():
    spec = speculating()
    house = House()
    slots = Slots(Table(spec, truth, 0.003), house, 24, seed=3)
    worst = []

    def add(measurements, attempts, surplus=()):
        House.add(house, measurements, attempts, surplus)
        house.flush()
        billed = sum(a.billed_device_seconds for a in house.attempts)
        worst.append((sum(m.billed_device_seconds for m in house.unclaimed), billed))

    house.add = add
    run(spec, house, slots)
    assert sum(a.billed_device_seconds for a in house.attempts) == slots.spent
    assert max(unclaimed for unclaimed, _ in worst) > 0
    for unclaimed, billed in worst:
        assert unclaimed <= foresight.UNCLAIMED * billed


def test_predictions_of_what_ran_ahead_are_kept_with_its_rows():
    spec = speculating()
    house = House()
    slots = Slots(Table(spec, truth, 0.003), house, 16, seed=1)
    collect, kept, ahead_rows = slots.collect, set(), []

    def predicting(patience):
        return [
            replace(report, predictions={m.id: b"p" for m in report.measurements})
            for report in collect(patience)
        ]

    def add(measurements, attempts, surplus=()):
        # A row that is claimed later comes again, and has been kept by then.
        assert {m.id for m in (*measurements, *surplus)} <= kept
        ahead_rows.extend(surplus)
        House.add(house, measurements, attempts, surplus)

    slots.collect, house.keep, house.add = predicting, kept.update, add
    run(spec, house, slots)
    assert ahead_rows


def test_what_ran_ahead_in_an_earlier_life_is_not_run_again():
    spec = speculating()
    table = Table(spec, truth, 0.003)
    house = House()
    first = Slots(table, house, 16, seed=1)
    collect, left = first.collect, []

    def until_something_is_unclaimed(patience):
        house.flush()
        if house.unclaimed:
            left.extend(house.unclaimed)
            raise Ended
        return collect(patience)

    first.collect = until_something_is_unclaimed
    with pytest.raises(Ended):
        run(spec, house, first)
    second = Slots(table, house, 16, seed=2)
    run(spec, house, second, surplus=house.unclaimed)
    house.flush()
    assert left
    assert not {m.id for m in left} & set(second.runs)
    assert {m.id for m in left} & set(house.measurements)
    check_undisturbed(house, table)


def test_surplus_that_was_lost_is_not_tried_again_unless_a_step_asks_for_it():
    spec = speculating()
    house = House()
    slots = Slots(Table(spec, truth, 0.003), house, 16, seed=1)
    collect, gone = slots.collect, Counter()

    def losing_surplus(patience):
        reports = [lost(r.task) if is_ahead(r.task) else r for r in collect(patience)]
        for report in reports:
            if is_ahead(report.task):
                record = SearchRecord(JOB, report.task.search)
                gone[tuple(record.ids(report.task.packet))] += 1
        return reports

    slots.collect = losing_surplus
    run(spec, house, slots, alive=True)
    house.flush()
    assert gone
    assert max(gone.values()) == 1
    assert all(m.outcome is Outcome.COMPLETED for m in house.measurements.values())
    assert not house.ahead


def test_the_budget_counts_what_ran_ahead():
    spec = speculating(budget={"device_hours": 60 / 3600})
    house = House()
    slots = Slots(Table(spec, truth, 0.003), house, 24, seed=1)
    run(spec, house, slots)
    ends = [s for s in house.steps if s.conclusion]
    assert {s.conclusion for s in ends} == {Conclusion.BUDGET}
    claimed = {p.id for s in house.steps for p in s.packets}
    tries = [a for a in house.attempts if a.packet not in claimed]
    assert tries
    # It ends at the first step after the budget, surplus counted.
    assert sum(a.billed_device_seconds for a in house.attempts) >= 60


def test_what_still_runs_ahead_at_the_end_is_ended_and_billed(monkeypatch):
    monkeypatch.setattr(foresight, "LIKELY", 0.1)  # so that something does
    spec = speculating()
    table = Table(spec, truth, 0.003)
    for seed in range(20):
        house = House()
        slots = Slots(table, house, 24, seed)
        slots.late = True
        plan = planner(spec, house, slots)
        plan.run(threading.Event(), lambda _: True)
        assert plan.done
        if plan.runs_ahead:
            break
    running = [t for t in slots.running if is_ahead(t)]
    slots.collect = lambda patience: [lost(t, seconds=3.0) for t in running]
    before = len(house.attempts)
    plan.drain(lambda _: True)
    assert [a.billed_device_seconds for a in house.attempts[before:]] == [3.0] * len(running)
    assert {a.error for a in house.attempts[before:]} == {UNWANTED}
    assert running
    assert not slots.waiting
