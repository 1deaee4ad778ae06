"""Foresight: likely next packets, from what is claimed and final; no step hangs on them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.bench import JOB, Table
from tuner.record import Packet, Phase, record_digest
from tuner.search import Climb, SearchRecord
from tuner.search.foresight import LIKELY, UNCLAIMED, Foreseen, Foresight, worth_running
from tuner.search.imagination import Known
from tuner.search.simulation import WorldSpec, simulate
from tuner.search.simulation.tables import find_world
from tuner.spec import JobSpec, Measuring, Resources, Tuning

KEY = "simulated/depth"


def job(axis: str = "depth", **more) -> JobSpec:
    return JobSpec.parse(
        {
            "dataset": "digits",
            "margin": 0.02,
            "baseline": None,
            "searches": [{"learner": "simulated", "axis": axis, "levels": (1, 2, 4, 8)}],
            "tuning": {"trials": 4, "generation": 2},
            **more,
        }
    )


def truth(level: int) -> float:
    return 0.05 + 0.1 * max(0, 2 - level)


def played(spec: JobSpec, key: str, steps: int) -> tuple[Table, SearchRecord]:
    """Plays so many steps, the last of which has begun and has no result."""
    table, record = Table(spec, truth, sd=0.003), SearchRecord(JOB, key)
    while len(record.steps) < steps:
        for packet in record.unfinished():
            record.measurements |= {m.id: m for m in table.answer(record, packet)}
        step = Climb(spec, key).next_step(record)
        assert step is not None
        record.steps.append(step)
    return table, record


def finished(table: Table, record: SearchRecord) -> SearchRecord:
    done = SearchRecord(JOB, record.search, list(record.steps), dict(record.measurements))
    for packet in record.unfinished():
        done.measurements |= {m.id: m for m in table.answer(record, packet)}
    return done


def test_what_is_nearly_sure_is_foreseen_and_then_asked_for():
    hits = seen = 0
    for steps in range(2, 12):
        spec = job()
        table, record = played(spec, KEY, steps)
        if record.concluded:
            break
        foreseen = Foresight(spec, KEY, Climb(spec, KEY)).next(record)
        assert foreseen == sorted(foreseen, key=lambda f: -f.chance)
        step = Climb(spec, KEY).next_step(finished(table, record))
        asked = {tuple(record.ids(p)) for p in step.packets} if step else set()
        sure = [f for f in foreseen if f.chance >= LIKELY]
        seen += len(sure)
        hits += sum(f.ids in asked for f in sure)
    assert seen >= 5
    assert hits / seen > 0.6


@pytest.mark.parametrize("axis", ["depth", "trees"])
def test_it_looks_at_nothing_that_no_step_claims_and_changes_nothing(axis):
    spec, key = job(axis), f"simulated/{axis}"
    table, record = played(spec, key, 3)
    foresight = Foresight(spec, key, Climb(spec, key))
    before = foresight.next(record)
    assert before
    steps, measurements = list(record.steps), dict(record.measurements)
    spoiled = dict(record.measurements)
    for f in before:  # results of what no step asked for, and absurd ones at that
        for m in Table(spec, lambda level: 1e6, sd=0.0).answer(record, f.packet):
            spoiled.setdefault(m.id, m)
    other = SearchRecord(JOB, key, list(record.steps), spoiled)
    assert foresight.next(other) == before
    assert foresight.next(record) == before
    assert (record.steps, record.measurements) == (steps, measurements)
    assert Climb(spec, key).next_step(finished(table, other)) == Climb(spec, key).next_step(
        finished(table, record)
    )


def test_results_of_the_running_step_sharpen_it():
    spec = job(tuning={"trials": 4, "generation": 4})
    table, record = played(spec, KEY, 2)
    foresight = Foresight(spec, KEY, Climb(spec, KEY))
    vague = foresight.next(record)
    *most, last = record.steps[-1].packets
    for packet in most:
        record.measurements |= {m.id: m for m in table.answer(record, packet)}
    sharp = foresight.next(record)
    assert record.unfinished() == [last]
    assert max(f.chance for f in sharp) >= max(f.chance for f in vague)
    assert len(sharp) <= len(vague)


def test_nothing_is_foreseen_before_a_result_or_after_the_end():
    spec = job()
    _, record = played(spec, KEY, 1)
    foresight = Foresight(spec, KEY, Climb(spec, KEY))
    assert foresight.next(SearchRecord(JOB, KEY)) == []
    assert foresight.next(record) == []
    table, record = played(spec, KEY, 3)
    done = finished(table, record)
    done.steps.append(Climb(spec, KEY).conclude(done, "ANSWERED", "enough"))
    assert foresight.next(done) == []


def a_packet(*levels: int, replicates=(0,)) -> Packet:
    return Packet("s:2:0", Phase.TUNING, ((),), levels, replicates)


def foreseen(name: str, chance: float, seconds: float) -> Foreseen:
    return Foreseen(a_packet(1), (name,), chance, seconds)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 50)), max_size=12),
    st.floats(0, 100),
    st.floats(0, 500),
)
def test_only_what_is_likely_runs_ahead_and_little_of_it_is_ever_at_stake(some, unclaimed, billed):
    offered = [foreseen(str(i), chance, seconds) for i, (chance, seconds) in enumerate(some)]
    chosen = list(worth_running(offered, unclaimed, billed))
    assert [f for f in offered if f in chosen] == chosen
    assert all(f.chance >= LIKELY for f in chosen)
    if chosen:
        total = unclaimed + sum(f.device_seconds for f in chosen)
        assert total <= UNCLAIMED * billed * (1 + 1e-12)


def test_a_fit_is_expected_to_take_what_the_dearest_took_or_as_much_by_its_capacity():
    spec = job()
    _, record = played(spec, KEY, 2)
    rows = list(record.measurements.values())
    assert {m.level for m in rows} >= {1, 2}
    known = Known(rows, "error")
    assert known.seconds(a_packet(2, replicates=(0, 1))) == 2 * 2.0
    assert known.seconds(a_packet(8)) == 8.0
    assert Known(rows, "error", nested=True).seconds(a_packet(1, 2)) == 2.0
    assert known.seconds(a_packet(1, 2)) == 3.0
    assert Known([], "error").seconds(a_packet(1)) == float("inf")


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    table=st.sampled_from(["simulated/plateau_early", "simulated/noisy", "simulated/rising"]),
    workers=st.integers(1, 32),
    margin=st.sampled_from([0.005, 0.02]),
)
def test_a_simulated_run_has_the_same_steps_record_and_answer_with_speculation(
    seed, table, workers, margin
):
    few = {"tuning": Tuning(trials=3), "measuring": Measuring(min_replicates=3, max_replicates=6)}
    spec = {
        on: WorldSpec(find_world(table), margin, seed, resources=Resources(speculate=on), **few)
        for on in (False, True)
    }
    plain, ahead = (simulate(Climb, spec[on], workers) for on in (False, True))
    assert ahead.record.steps == plain.record.steps
    assert record_digest(ahead.record.claimed()) == record_digest(plain.record.claimed())
    assert ahead.record.measurements.keys() == plain.record.measurements.keys()
    assert ahead.answers == plain.answers
    assert plain.surplus_seconds == 0.0
    assert ahead.device_seconds == pytest.approx(plain.device_seconds + ahead.surplus_seconds)


def test_idle_workers_bring_the_end_forward():
    spec = {
        on: WorldSpec(
            find_world("simulated/plateau_late"), 0.01, 3, resources=Resources(speculate=on)
        )
        for on in (False, True)
    }
    plain, ahead = (simulate(Climb, spec[on], 16) for on in (False, True))
    assert ahead.wall_clock_seconds < 0.9 * plain.wall_clock_seconds
    assert 0 < ahead.surplus_seconds <= UNCLAIMED * ahead.device_seconds
    alone = simulate(Climb, spec[True], 1)
    assert alone.surplus_seconds == 0.0
