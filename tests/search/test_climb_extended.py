"""A search that had concluded goes on with more: on its record, whatever dies meanwhile."""

from __future__ import annotations

import copy
import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search import promises
from tests.search.bench import JOB, Table, climb, measured
from tests.search.cases import CLIMBING, Case, cases, plateau_at
from tuner.curve import VerdictOutcome
from tuner.record import Conclusion, Phase, StepKind, record_digest
from tuner.returns import assess
from tuner.search import Climb, SearchRecord
from tuner.search.selection import Selection
from tuner.spec import JobSpec
from tuner.wire.record import step_from_wire, step_to_wire

KEPT = (
    promises.nothing_is_claimed_twice,
    promises.packets_hold_no_more_than_they_may,
    promises.whoever_is_measured_won,
    promises.policy_and_curve_read_the_same_rows,
    promises.costs_are_fixed_once_told,
    promises.policies_name_themselves,
)


def extended(spec: JobSpec, *, levels=(), replicates=0, trials=0) -> JobSpec:
    """Returns the spec with more: levels, replicates of each, trials where they are limited."""
    data = spec.model_dump()
    search = data["searches"][0]
    search["levels"] = sorted({*search["levels"], *levels})
    data["measuring"]["max_replicates"] += replicates
    if data["budget"]["trials"] is not None:
        data["budget"]["trials"] += trials
    return JobSpec.parse(data)


def of_spec(table: Table, spec: JobSpec) -> Table:
    other = copy.copy(table)
    other.spec, other.seconds = spec, lambda level: 3600.0 * level
    return other


def ended(record: SearchRecord, spec: JobSpec, cut: float, done: float) -> SearchRecord:
    """Returns the record as somebody's stop leaves it in mid-step; whole where cut is 1."""
    last = round(cut * len(record.steps))
    if last == len(record.steps):
        return copy.deepcopy(record)
    found = SearchRecord(JOB, record.search, record.steps[: max(last, 1)])
    owed = [i for p in found.steps[-1].packets for i in found.ids(p)]
    random.Random(last).shuffle(owed)
    left = set(owed[round(done * len(owed)) :])
    claimed = {i for s in found.steps for p in s.packets for i in found.ids(p)}
    found.measurements = {
        i: record.measurements[i] for i in record.measurements if i in claimed - left
    }
    if found.steps[-1].kind is not StepKind.CONCLUDE:
        policy = Climb(spec, record.search)
        found.steps.append(policy.conclude(found, Conclusion.STOPPED, "stopped by its owner"))
    return found


MORE = st.fixed_dictionaries(
    {
        "levels": st.sampled_from([(), (), (1,), (3, 5), (32,), (6, 150)]),
        "replicates": st.sampled_from([0, 1, 4]),
        "trials": st.sampled_from([1, 6]),
    }
)


@settings(max_examples=60, deadline=None)
@given(
    case=cases(worth=None) | CLIMBING,
    more=MORE,
    cut=st.sampled_from([1.0, 1.0, 0.3, 0.7]),
    done=st.floats(0, 1),
    workers=st.integers(2, 9),
    shuffle=st.integers(0, 2**32),
    restart=st.sampled_from([0.1, 0.5]),
    ahead=st.sampled_from([0.0, 0.3]),
)
def test_an_extended_record_is_the_same_whatever_dies(
    case, more, cut, done, workers, shuffle, restart, ahead
):
    first = climb(case.table, case.key, workers=1)
    before = ended(first, case.spec, cut, done)
    spec = extended(case.spec, **more)
    table = of_spec(case.table, spec)
    records = []
    for fate in (
        {"workers": 1},
        {"workers": workers, "shuffle": shuffle, "restart": restart, "ahead": ahead},
    ):
        begun = copy.deepcopy(before)
        begun.reopen()
        assert not begun.concluded
        reread = lambda step: step_from_wire(step_to_wire(step))  # noqa: E731
        records.append(climb(table, case.key, begun=begun, reread=reread, **fate))
    undisturbed, other = records
    assert other.steps == undisturbed.steps
    assert record_digest(other.claimed()) == record_digest(undisturbed.claimed())
    # What was there stays, the conclusion included, and every claim is paid at the end.
    assert undisturbed.steps[: len(before.steps)] == before.steps
    assert before.measurements.items() <= undisturbed.measurements.items()
    last = undisturbed.steps[-1]
    assert last.number > len(before.steps)
    assert last.kind is StepKind.CONCLUDE
    assert last.conclusion is not Conclusion.STOPPED
    whole = Case(spec, table)
    for promise in KEPT:
        promise(whole, undisturbed)
    # Its last look is that of all that is measured, with as many levels as are declared now.
    if last.look and last.look.comparisons:
        scores = Selection(spec, case.key).scores(undisturbed)
        question = spec.question(case.key)
        assert question.levels == tuple(spec.searches[0].levels)
        assert last.look.comparisons == assess(question, scores).comparisons


SPEC = JobSpec.parse(
    {
        "dataset": "digits",
        "margin": 0.02,
        "baseline": None,
        "searches": [{"learner": "simulated", "axis": "depth", "levels": (1, 2, 4, 8)}],
        "tuning": {"trials": 2},
        "measuring": {"min_replicates": 3, "max_replicates": 3},
    }
)
KEY = "simulated/depth"


def verdict(record: SearchRecord, spec: JobSpec):
    return assess(spec.question(KEY), Selection(spec, KEY).scores(record)).verdict


def test_more_replicates_bring_the_verdict_that_was_missing():
    table = Table(SPEC, plateau_at(2), sd=0.004)
    record = climb(table, KEY)
    assert verdict(record, SPEC).outcome is VerdictOutcome.INCONCLUSIVE
    spec = extended(SPEC, replicates=12)
    record.reopen()
    record = climb(of_spec(table, spec), KEY, begun=record)
    found = verdict(record, spec)
    assert (found.outcome, found.level) == (VerdictOutcome.PLATEAUED, 2)
    assert record.steps[-1].decision.startswith("PLATEAUED at 2")
    rows = record.rows(Phase.MEASURING, 2)
    assert sorted(row.replicate for row in rows) == [*range(len(rows))]


def test_what_was_answered_already_is_concluded_at_once():
    spec = extended(SPEC, replicates=12)
    table = Table(spec, plateau_at(2), sd=0.002)
    record = climb(table, KEY)
    first = record.steps[-1]
    assert first.decision.startswith("PLATEAUED")
    more = extended(spec, replicates=5)
    record.reopen()
    record = climb(of_spec(table, more), KEY, begun=record)
    assert record.steps[-1] == replace(first, number=first.number + 1, look=record.steps[-1].look)


def test_more_levels_make_bounds_wider_and_are_climbed_where_they_may_matter():
    spec = extended(SPEC, replicates=12)
    table = Table(spec, plateau_at(16), sd=0.002)
    record = climb(table, KEY)
    assert verdict(record, spec).outcome is VerdictOutcome.RISING
    more = extended(spec, levels=(16, 32, 64))
    record.reopen()
    record = climb(of_spec(table, more), KEY, begun=record)
    found = verdict(record, more)
    assert (found.outcome, found.level) == (VerdictOutcome.PLATEAUED, 16)
    scores = Selection(more, KEY).scores(record)
    wide = {(c.smaller, c.larger): c for c in assess(more.question(KEY), scores).comparisons}
    for c in assess(spec.question(KEY), {k: v for k, v in scores.items() if k <= 8}).comparisons:
        other = wide[c.smaller, c.larger]
        assert other.low < c.low and c.high < other.high


def test_a_smaller_level_is_tried_where_the_smallest_was_enough():
    spec = extended(SPEC, replicates=12)
    table = Table(spec, lambda level: 0.05, sd=0.002)
    data = spec.model_dump()
    data["searches"][0]["levels"] = (2, 4, 8)
    narrow = JobSpec.parse(data)
    record = climb(of_spec(table, narrow), KEY)
    assert verdict(record, narrow).level == 2
    record.reopen()
    record = climb(of_spec(table, spec), KEY, begun=record)
    assert 1 in measured(record)
    assert verdict(record, spec).level == 1


def test_levels_that_one_fit_scores_catch_up_with_what_was_tried_at_the_others():
    data = SPEC.model_dump()
    data["searches"] = [{"learner": "simulated", "axis": "trees", "levels": (1, 2, 4, 8)}]
    spec = JobSpec.parse(data)
    key = spec.searches[0].key
    table = Table(spec, plateau_at(4), sd=0.003)
    record = climb(table, key)
    more = extended(spec, levels=(16, 32), replicates=6)
    record.reopen()
    record = climb(of_spec(table, more), key, begun=record)
    tried = {
        level: [r.setting for r in record.rows(Phase.TUNING, level)] for level in (1, 8, 16, 32)
    }
    assert tried[16] == tried[32] == tried[1] == tried[8]
    assert {1, 2, 4, 8, 16, 32} == measured(record)
