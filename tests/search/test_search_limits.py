"""Limits in the climb: what breaks one is left alone, and nothing above it is tried."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.coordinator.api.judging import judged_step
from tests.search import promises
from tests.search.bench import Table, climb, measured, noise
from tests.search.cases import CLIMBING, COARSE, FINE, Case, cases, climbing, plateau_at
from tuner.record import Conclusion, Footprint, Member, Phase, StepKind, record_digest
from tuner.returns import assess, curve, winners_scores
from tuner.returns.limits import ceiling
from tuner.search import Climb, SearchRecord
from tuner.spec import JobSpec
from tuner.wire.record import step_from_wire, step_to_wire

KEY = "simulated/depth"


def spec(levels=(1, 2, 4, 8, 16), axis="depth", limits=None, **more) -> JobSpec:
    return JobSpec.parse(
        {
            "dataset": "digits",
            "margin": 0.02,
            "baseline": None,
            "limits": {"latency_ms": 5.0} if limits is None else limits,
            "searches": [{"learner": "simulated", "axis": axis, "levels": levels}],
            "tuning": {"trials": 4, "generation": 4},
            **more,
        }
    )


def slower(member: Member) -> Footprint:
    """A millisecond for every unit of capacity, a replicate a little more or less."""
    return Footprint(member.level * (1 + 0.01 * (member.replicate % 3)), 1.0, 1000 * member.level)


def run(job: JobSpec, truth, needs=slower, **how) -> SearchRecord:
    return climb(Table(job, truth, sd=0.002, needs=needs), job.searches[0].key, **how)


def asked(job: JobSpec, record: SearchRecord):
    """Returns the question as the last decision had it."""
    question = job.question(record.search).with_costs(record.steps[-1].costs)
    return question.with_barred(record.steps[-1].barred)


def verdict_of(job: JobSpec, record: SearchRecord):
    question = asked(job, record)
    return assess(question, winners_scores(question, record.claimed())).verdict


def test_it_climbs_to_the_largest_level_within_the_limits_and_says_that_returns_still_rise_there():
    job = spec()
    record = run(job, plateau_at(10**6))
    assert measured(record) == {1, 2, 4, 8}
    assert [level for level, _ in record.steps[-1].barred] == [8]
    verdict = verdict_of(job, record)
    assert verdict.outcome == "RISING"
    assert "still rising at 4, the largest level within the limits" in verdict.reason
    end = record.steps[-1]
    assert end.conclusion is Conclusion.ANSWERED
    assert end.decision.startswith("RISING: still rising at 4, the largest level within the limits")
    assert end.decision.endswith("16 isn't tried: 8 breaks a limit already")
    # Without the limit the same truth goes on to the top.
    free = spec(limits={})
    assert measured(run(free, plateau_at(10**6))) == {1, 2, 4, 8, 16}


def test_the_decision_that_first_knows_of_a_broken_limit_says_how_it_is_broken():
    record = run(spec(), plateau_at(10**6))
    first = next(step for step in record.steps if step.barred)
    assert first.barred == ((8, "a prediction takes 8 ms, more than 5 ms"),)
    assert "; limits are broken at 8 (a prediction takes 8 ms, more than 5" in first.decision
    assert not any(step.barred for step in record.steps[: first.number - 1])


def test_what_would_be_enough_but_is_too_slow_is_no_answer():
    """Patience would wait for two larger levels; within the limits there is one."""
    job = spec(levels=(1, 2, 4))
    record = run(job, plateau_at(1), needs=lambda m: slower(replace(m, level=2 * m.level)))
    assert [level for level, _ in record.steps[-1].barred] == [4]
    assert verdict_of(job, record).answer == ("PLATEAUED", 1)
    assert record.steps[-1].decision.startswith("PLATEAUED at 1")


def clocked(*pace: tuple[int, tuple[float, ...]]):
    """Returns needs by level and replicate, in milliseconds; elsewhere one."""
    told = dict(pace)

    def needs(member: Member) -> Footprint:
        times = told.get(member.level, (1.0,))
        return Footprint(times[member.replicate % len(times)], 1.0, 1000)

    return needs


def test_a_level_that_a_busy_machine_slowed_is_timed_by_the_replicate_that_it_left_alone():
    record = run(spec(), plateau_at(10**6), needs=clocked((2, (5.2, 5.1, 0.3))))
    assert not any(step.barred for step in record.steps)
    assert measured(record) == {1, 2, 4, 8, 16}
    assert verdict_of(spec(), record).outcome == "RISING"


def test_a_level_that_is_slow_by_every_clock_ends_no_ladder_beside_a_larger_one_that_is_not():
    job = spec()
    record = run(job, plateau_at(10**6), needs=clocked((2, (5.2, 5.1, 5.3))))
    assert measured(record) == {1, 2, 4, 8, 16}
    assert [level for level, _ in record.steps[-1].barred] == [2]
    assert "tried" not in record.steps[-1].decision
    drawn = curve(asked(job, record), record.claimed())
    assert drawn.verdict is not None
    assert drawn.verdict.outcome == "RISING"
    assert not any("tried" in note for note in drawn.notes)
    # Another one further up ends it, and is the one that is named.
    record = run(job, plateau_at(10**6), needs=clocked((2, (5.2,)), (8, (6.0,))))
    assert measured(record) == {1, 2, 4, 8}
    assert record.steps[-1].decision.endswith("16 isn't tried: 8 breaks a limit already")


def test_where_all_levels_break_a_limit_the_end_says_so_after_the_first_levels():
    record = run(spec(limits={"model_mb": 0.0005}), plateau_at(1))
    assert measured(record) == {1, 2, 4}
    end = record.steps[-1]
    assert end.conclusion is Conclusion.ANSWERED
    assert end.decision.startswith("INCONCLUSIVE: no level within the limits is measured")
    assert "8, 16 aren't tried: 1 breaks a limit already" in end.decision
    assert "; limits are broken at 1 (the model has 0.001 MB, more than 0.0005" in end.decision


def test_where_one_level_is_left_it_is_named_and_gets_no_replicates_to_compare():
    job = spec(limits={"latency_ms": 1.5})
    record = run(job, plateau_at(1))
    found = verdict_of(job, record)
    assert found.answer == ("INCONCLUSIVE", None)
    assert found.not_excluded == (1,)
    assert "1 is the only level within the limits, so it is the one to choose" in found.reason
    assert len(record.rows(Phase.MEASURING, 1)) == job.measuring.min_replicates


def test_levels_that_were_passed_over_are_tried_up_to_the_largest_that_keeps_the_limits():
    """Of 1, 2, 4, 8 the last is too slow; 5 is within the limits and 6 isn't."""
    job = spec(levels=FINE, limits={"latency_ms": 5.5})
    record = run(job, plateau_at(10**6))
    assert measured(record) == {*FINE} - {7}
    assert [level for level, _ in record.steps[-1].barred] == [6, 8]
    verdict = verdict_of(job, record)
    assert verdict.outcome == "RISING"
    assert "still rising at 5" in verdict.reason


def test_a_learner_without_an_axis_says_that_it_breaks_a_limit():
    job = spec(baseline="perceptron", limits={"latency_ms": 0.5})
    record = climb(Table(job, plateau_at(1), sd=0.002, needs=slower), "perceptron")
    assert record.steps[-1].conclusion is Conclusion.ANSWERED
    assert "; it breaks a limit: a prediction takes 1 ms" in record.steps[-1].decision


def test_on_a_nested_axis_barred_levels_get_no_more_replicates():
    job = spec(axis="trees", levels=(1, 4, 16, 64), limits={"latency_ms": 20.0})
    table = Table(job, plateau_at(4), sd=0.01, needs=slower)
    record = climb(table, "simulated/trees")
    counts = {k: len(record.rows(Phase.MEASURING, k)) for k in (1, 4, 16, 64)}
    assert counts[64] == job.measuring.min_replicates
    assert max(counts.values()) > counts[64]
    assert [level for level, _ in record.steps[-1].barred] == [64]


def test_an_end_from_outside_keeps_the_bars_that_are_known():
    job = spec()
    whole = run(job, plateau_at(10**6))
    place = next(n for n, step in enumerate(whole.steps) if step.barred)
    record = SearchRecord(whole.job, KEY, whole.steps[: place + 1], dict(whole.measurements))
    packets = whole.steps[place].packets
    if packets:  # while its results are outstanding, what it was decided on stands
        record.measurements.pop(record.ids(packets[-1])[0])
    end = Climb(job, KEY).conclude(record, Conclusion.BUDGET, "the bill is reached")
    assert end.barred == whole.steps[place].barred != ()
    final = SearchRecord(whole.job, KEY, whole.steps[:place], dict(whole.measurements))
    assert Climb(job, KEY).conclude(final, Conclusion.BUDGET, "now").barred == end.barred


def test_without_a_footprint_nothing_is_barred():
    job = spec()
    record = run(job, plateau_at(2), needs=None)
    assert all(step.barred == () for step in record.steps)
    free = spec(limits={})
    same = climb(Table(free, plateau_at(2), sd=0.002), KEY)
    assert record.steps == same.steps


@st.composite
def bound(draw, wavering=(0.0, 0.05, 0.5)) -> Case:
    """Draws a search with a limit that some of its levels may break, by a clock that wavers."""
    limit = draw(st.sampled_from([0.5, 1.5, 2.5, 5.0, 6.0, 12.0]))
    drawn = cases(
        axes=(("simulated", "depth"), ("simulated", "trees")),
        ladders=(COARSE, FINE, (3, 4, 6, 9, 13)),
        limits={"latency_ms": limit},
    )
    far = climbing((("simulated", "depth"),), limits={"latency_ms": limit})
    case = draw(drawn | far)
    shaky = draw(st.sampled_from(wavering))

    def needs(member: Member) -> Footprint:
        wavers = math.exp(shaky * noise("clock", member.level, member.replicate))
        return Footprint(member.level * wavers, 2.0, 100)

    case.table.needs = needs
    return case


@settings(max_examples=40, deadline=None)
@given(case=bound())
def test_promises_hold_and_nothing_above_a_broken_limit_is_opened_or_tried_further(case):
    record = climb(case.table, case.key, workers=1)
    promises.check(case, record)
    question = case.spec.question(case.key)
    for step in record.steps:
        levels = [level for level, _ in step.barred]
        assert levels == sorted(set(levels))
        before = promises.up_to(record, step.number - 1)
        seen = winners_scores(question, before.claimed())
        top = ceiling(question.with_barred(step.barred), seen.keys())
        opened = {*before.levels(Phase.TUNING), *before.levels(Phase.MEASURING)}
        for packet in step.packets:
            assert all(k < top or k in opened for k in packet.levels)
            if packet.phase is not Phase.TUNING:
                assert not set(packet.levels) & set(levels)
            elif len(packet.levels) == 1:
                assert not set(packet.levels) <= set(levels)
    # What is barred stays so, and the curve of the same rows bars the same.
    bars = [{level for level, _ in step.barred} for step in record.steps]
    assert all(set(a) <= set(b) for a, b in itertools.pairwise(bars))
    asks = question.with_costs(record.steps[-1].costs)
    drawn = curve(asks, record.claimed())
    assert {row.level for row in drawn.levels if row.barred} == bars[-1]
    end = record.steps[-1]
    if end.conclusion is Conclusion.ANSWERED:
        assert drawn.verdict is not None
        assert end.decision.startswith(drawn.verdict.outcome)
        assert drawn.verdict.level not in bars[-1]


@settings(max_examples=20, deadline=None)
@given(
    case=bound(),
    workers=st.integers(1, 9),
    shuffle=st.integers(0, 2**32),
    restart=st.sampled_from([0.0, 0.2]),
)
def test_a_replay_decides_alike_from_the_bars_that_stand_in_the_steps(
    case, workers, shuffle, restart
):
    """Over the wire, in any order; a step is taken anew from the record before it."""
    whole = climb(case.table, case.key, workers=1)
    other = climb(
        case.table,
        case.key,
        workers=workers,
        shuffle=shuffle,
        restart=restart,
        reread=lambda step: step_from_wire(step_to_wire(step)),
    )
    assert other.steps == whole.steps
    assert record_digest(other.claimed()) == record_digest(whole.claimed())
    for n, step in enumerate(whole.steps):
        if step.look is not None and step.look.comparisons:
            question = case.spec.question(case.key).with_costs(step.costs)
            before = promises.up_to(whole, n)
            scores = winners_scores(question, before.claimed())
            seen = assess(question.with_barred(step.barred), scores).comparisons
            assert step.look.comparisons == seen


@settings(max_examples=20, deadline=None)
@given(case=bound(wavering=(0.0,)), shaky=st.floats(0.0, 3.0))
def test_another_clock_that_bars_the_same_levels_gives_the_same_record(case, shaky):
    """What a decision takes from a clock is which levels are barred, and nothing else of it."""
    limit = case.spec.limits.latency_ms
    first = climb(case.table, case.key, workers=1)

    def needs(member: Member) -> Footprint:
        more = 1e-9 + shaky * abs(noise("another clock", member.level, member.replicate))
        return Footprint(limit * math.exp(more if member.level > limit else -more), 2.0, 100)

    case.table.needs = needs
    second = climb(case.table, case.key, workers=1)
    assert record_digest(first.claimed()) == record_digest(second.claimed())
    for one, other in zip(first.steps, second.steps, strict=True):
        assert one.packets == other.packets
        assert [k for k, _ in one.barred] == [k for k, _ in other.barred]


@settings(max_examples=12, deadline=None)
@given(case=CLIMBING)
def test_limits_that_nothing_breaks_change_no_step(case):
    loose = case.spec.model_copy(
        update={"limits": type(case.spec.limits)(latency_ms=1e9, model_mb=1e9)}
    )
    plain = climb(case.table, case.key, workers=1)
    case.table.needs = slower
    bound_one = climb(case.table, case.key, workers=1)
    case.table.spec = loose
    loosely = climb(case.table, case.key, workers=1)
    assert plain.steps == bound_one.steps == loosely.steps


def test_every_step_passes_the_coordinators_judgement_and_the_wire():
    record = run(spec(), plateau_at(10**6))
    assert any(step.barred for step in record.steps)
    assert record.steps[-1].kind is StepKind.CONCLUDE
    for step in record.steps:
        assert judged_step(step_to_wire(step)) == step


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_asks_for_no_more_than_the_limits_leave(patience):
    job = spec(levels=(1, 2, 4, 8), patience=patience, limits={"latency_ms": 3.0})
    record = run(job, plateau_at(1))
    assert verdict_of(job, record).answer == ("PLATEAUED", 1)
