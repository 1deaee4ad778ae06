"""A price on device time: costs are fixed in the steps, and it stops where a gain is too dear."""

from __future__ import annotations

import itertools

import pytest

from services.coordinator.api.judging import judged_step
from tests.search.bench import Table, climb, measured
from tests.search.cases import plateau_at
from tuner.record import Conclusion, Phase
from tuner.returns import assess, curve, winners_scores
from tuner.search import Climb, SearchRecord
from tuner.spec import JobSpec
from tuner.wire.record import step_to_wire

HOUR = 3600.0
WORTH = {"gain": 0.02, "device_hours": 1.0}


def spec(axis="depth", levels=(1, 2, 4, 8, 16, 32), worth=WORTH, **more) -> JobSpec:
    return JobSpec.parse(
        {
            "dataset": "digits",
            "margin": 0.02,
            "worth": worth,
            "searches": [{"learner": "simulated", "axis": axis, "levels": levels}],
            "tuning": {"trials": 4, "generation": 4},
            **more,
        }
    )


def priced(job: JobSpec, record: SearchRecord):
    """Returns the question as a curve asks it: with the costs that the last step fixed."""
    costs = [step.costs for step in record.steps if step.costs]
    return job.question(record.search).with_costs(costs[-1] if costs else ())


def look_at(job: JobSpec, record: SearchRecord):
    question = priced(job, record)
    return assess(question, winners_scores(question, record.claimed()))


def hours(level: int) -> float:
    return level * HOUR


@pytest.mark.parametrize("axis", ["depth", "trees"])
def test_it_stops_where_the_next_levels_gain_is_not_worth_its_device_hours(axis):
    """Each doubling gains .05. At .02 a device-hour, 1 to 2 costs .02, 2 to 4 .04, 4 to 8 .08."""
    job, key = spec(axis), f"simulated/{axis}"
    table = Table(job, plateau_at(10**6, gain=0.05), sd=0.002, seconds=hours)
    record = climb(table, key)
    assert look_at(job, record).verdict.answer == ("PLATEAUED", 4)
    if axis == "depth":
        assert measured(record) == {1, 2, 4, 8, 16}
    # The same truth with a margin of .02 a doubling goes on to the top.
    plain = spec(axis, worth=None)
    risen = climb(Table(plain, table.truth, sd=0.002, seconds=hours), key)
    assert look_at(plain, risen).verdict.outcome == "RISING"
    assert measured(risen) == {1, 2, 4, 8, 16, 32}


def test_a_lower_price_goes_further():
    levels = []
    for device_hours in (0.5, 1.0, 2.0):
        job = spec(worth={"gain": 0.02, "device_hours": device_hours})
        record = climb(
            Table(job, plateau_at(10**6, 0.05), sd=0.002, seconds=hours), "simulated/depth"
        )
        levels.append(look_at(job, record).verdict.level)
    assert levels == [2, 4, 8]


def test_costs_are_in_the_steps_that_used_them_equal_on_replay_and_no_clocks():
    job = spec()
    table = Table(job, plateau_at(10**6, 0.05), sd=0.002, seconds=hours, jitter=0.1)
    record = climb(table, "simulated/depth")
    again = climb(table, "simulated/depth", workers=7, shuffle=3, restart=0.3)
    assert [step.costs for step in again.steps] == [step.costs for step in record.steps]
    assert record.steps[0].costs == ()
    told = [dict(step.costs) for step in record.steps]
    for before, after in itertools.pairwise(told):
        shared = before.keys() & after.keys()
        assert {k: before[k] for k in shared} == {k: after[k] for k in shared}
    first = [
        row.standalone_device_seconds
        for row in record.rows(Phase.MEASURING, 2)
        if row.replicate < job.measuring.min_replicates
    ]
    assert told[-1][2] == pytest.approx(sum(first) / len(first))
    # A decision's bounds are those at the costs that stand in it.
    for n, step in enumerate(record.steps):
        before = SearchRecord(record.job, record.search, record.steps[:n], record.measurements)
        if step.look and step.look.comparisons:
            question = job.question(record.search).with_costs(step.costs)
            scores = winners_scores(question, before.claimed())
            assert step.look.comparisons == assess(question, scores).comparisons


@pytest.mark.parametrize(
    "seconds",
    [
        hours,
        lambda c: HOUR * {2: 4.0, 4: 1.0}.get(c, c),  # a larger level that costs less
        lambda c: HOUR,  # all the same
        lambda c: 0.0,  # too little to be measured
        lambda c: HOUR * 40 / c,  # falling
    ],
    ids=["rising", "uneven", "equal", "nothing", "falling"],
)
def test_the_coordinator_takes_every_step_whatever_levels_cost(seconds):
    """It asks that levels rise, and that costs are finite and not below 0: not that they rise."""
    job = spec(levels=(1, 2, 4, 8))
    table = Table(job, plateau_at(4, 0.05), sd=0.002, seconds=seconds)
    record = climb(table, "simulated/depth")
    for step in record.steps:
        assert judged_step(step_to_wire(step)) == step
    look = look_at(job, record)
    assert record.steps[-1].decision.startswith(look.verdict.outcome)
    drawn = curve(priced(job, record), record.claimed())
    assert drawn.verdict == look.verdict


def test_a_larger_level_that_costs_less_is_worth_more_even_where_it_gains_nothing():
    """No level gains anything; 2 takes four hours, and 4 and 8 a quarter of one."""
    job = spec(levels=(1, 2, 4, 8, 16), patience=1)
    costs = {1: 2.0, 2: 4.0, 4: 0.25, 8: 2.0, 16: 4.0}
    table = Table(job, plateau_at(1), sd=0.002, seconds=lambda c: HOUR * costs[c])
    record = climb(table, "simulated/depth")
    look = look_at(job, record)
    # Of 1 and 2 the smaller is enough; that 4 is cheaper still is never looked at.
    assert look.verdict.answer == ("PLATEAUED", 1)
    patient = spec(levels=(1, 2, 4, 8, 16), patience=2)
    table = Table(patient, plateau_at(1), sd=0.002, seconds=lambda c: HOUR * costs[c])
    record = climb(table, "simulated/depth")
    assert look_at(patient, record).verdict.answer == ("PLATEAUED", 4)


def test_failed_replicates_leave_a_cost_as_it_was_first_told():
    job = spec(levels=(1, 2, 4))

    def breaks(phase, member):
        return phase is Phase.MEASURING and (member.level, member.replicate) in {(1, 1), (2, 3)}

    table = Table(
        job, plateau_at(1), sd=0.012, seconds=lambda c: 0.1 * HOUR, jitter=0.3, breaks=breaks
    )
    record = climb(table, "simulated/depth")
    told: dict[int, set[float]] = {}
    for step in record.steps:
        for level, cost in step.costs:
            told.setdefault(level, set()).add(cost)
    assert max(len(record.rows(Phase.MEASURING, k)) for k in told) > 4  # more came later
    assert {level: len(some) for level, some in told.items()} == dict.fromkeys((1, 2, 4), 1)


def test_an_end_from_outside_fixes_the_costs_of_all_that_is_final():
    """Else a curve could not be priced that has all it needs."""
    job = spec()
    key = "simulated/depth"
    whole = climb(Table(job, plateau_at(2), sd=0.002, seconds=hours), key)
    first = next(n for n, s in enumerate(whole.steps) if s.packets[0].phase is Phase.MEASURING)
    record = SearchRecord(whole.job, key, whole.steps[: first + 1], dict(whole.measurements))
    end = Climb(job, key).conclude(record, Conclusion.BUDGET, "the bill is reached")
    assert dict(end.costs) == pytest.approx({1: HOUR, 2: 2 * HOUR, 4: 4 * HOUR})
    # While some are outstanding it is what the last decision was taken on.
    record = SearchRecord(whole.job, key, whole.steps[: first + 1], dict(whole.measurements))
    record.measurements.pop(record.ids(whole.steps[first].packets[-1])[0])
    end = Climb(job, key).conclude(record, Conclusion.BUDGET, "the bill is reached")
    assert end.costs == whole.steps[first].costs == ()


def test_without_a_price_no_step_holds_costs():
    job = spec(worth=None)
    record = climb(Table(job, plateau_at(2), sd=0.002, seconds=hours), "simulated/depth")
    assert {step.costs for step in record.steps} == {()}
