"""What holds of any record that a climb leaves, whatever was asked and whatever was found."""

from __future__ import annotations

import math
from collections import Counter

from tests.search.cases import Case
from tuner import catalog
from tuner.catalog import Choice
from tuner.record import Conclusion, Phase, StepKind
from tuner.returns import assess, winners_scores
from tuner.search import SearchRecord
from tuner.search.selection import Selection
from tuner.search.spec import is_nested
from tuner.spec import Fixed


def check(case: Case, record: SearchRecord) -> None:
    """Asserts all of them."""
    for promise in PROMISES:
        promise(case, record)


def steps_are_numbered_and_only_the_last_concludes(case: Case, record: SearchRecord) -> None:
    assert [step.number for step in record.steps] == [*range(1, len(record.steps) + 1)]
    kinds = [step.kind for step in record.steps]
    assert kinds.count(StepKind.CONCLUDE) == 1
    assert kinds[-1] is StepKind.CONCLUDE
    for step in record.steps:
        assert bool(step.packets) == (step.kind is not StepKind.CONCLUDE), step.decision
        assert step.decision


def nothing_is_claimed_twice(case: Case, record: SearchRecord) -> None:
    ids = [i for step in record.steps for packet in step.packets for i in record.ids(packet)]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(record.measurements)
    names = [packet.id for step in record.steps for packet in step.packets]
    assert len(names) == len(set(names))


def packets_hold_no_more_than_they_may(case: Case, record: SearchRecord) -> None:
    learner = catalog.LEARNERS[case.spec.searches[0].learner]
    for step in record.steps:
        for packet in step.packets:
            members = len(packet.settings) * len(packet.replicates) * len(packet.levels)
            assert members <= max(case.spec.resources.fuse, len(packet.levels))
            kept = {tuple(p for p in s if p[0] not in learner.fused) for s in packet.settings}
            assert len(kept) == 1
            assert len(packet.settings) == 1 or len(packet.replicates) == 1


def settings_are_within_their_levels_ranges(case: Case, record: SearchRecord) -> None:
    search = case.spec.search(case.key)
    for row in record.claimed():
        # On a nested axis one setting serves all levels: it is made for the largest.
        level = search.levels[-1] if is_nested(case.spec, case.key) else row.level
        ranges = search.ranges(level)
        assert {name for name, _ in row.setting} == set(ranges)
        for name, value in row.setting:
            known = ranges[name]
            if isinstance(known, Fixed):
                assert value == known.fixed
            elif isinstance(known, Choice):
                assert value in known.values
            else:
                assert known.low <= value <= known.high
                assert isinstance(value, int) or not known.integer


def levels_have_equal_budgets(case: Case, record: SearchRecord) -> None:
    """As many settings were tried everywhere, on every replicate's run; a search that a
    budget ends breaks off anywhere."""
    tuning, levels = case.spec.tuning, record.levels(Phase.TUNING)
    if record.steps[-1].conclusion is Conclusion.BUDGET:
        return
    search = case.spec.search(case.key)
    for level in levels:
        trials = tuning.trials
        if all(isinstance(r, Fixed | Choice) for r in search.ranges().values()):
            trials = min(trials, math.prod(len(r.values) for r in search.ranges().values()
                                           if isinstance(r, Choice)))  # fmt: skip
        splits = Counter(row.replicate for row in record.rows(Phase.TUNING, level))
        first = set(splits.values()) if tuning.retune else {splits[0]}
        keeps = level == levels[-1] != search.levels[-1] and tuning.trials >= 4
        assert first <= ({trials, trials - 1} if keeps else {trials})


def a_race_halves_what_it_compares(case: Case, record: SearchRecord) -> None:
    tuning = case.spec.tuning
    if tuning.retune:
        return
    for level in record.levels(Phase.TUNING):
        rows = record.rows(Phase.TUNING, level)
        by_split = {
            split: {row.setting for row in rows if row.replicate == split}
            for split in range(max(row.replicate for row in rows) + 1)
        }
        assert len(by_split) <= tuning.race
        for split in range(1, len(by_split)):
            assert by_split[split] <= by_split[split - 1]


def whoever_is_measured_won(case: Case, record: SearchRecord) -> None:
    """Its rows are on replicates 0, 1, ... and no other candidate was measured longer."""
    selection = Selection(case.spec, case.key)
    least, most = case.spec.measuring.min_replicates, case.spec.measuring.max_replicates
    for level in record.levels(Phase.MEASURING):
        rows = selection.measured(record, level)
        replicates = [row.replicate for row in rows]
        assert len(replicates) == len(set(replicates)) <= most
        if selection.retuned:
            continue
        assert sorted(replicates) == [*range(len(rows))]
        if record.steps[-1].conclusion is not Conclusion.BUDGET:
            assert len(rows) >= least


def policy_and_curve_read_the_same_rows(case: Case, record: SearchRecord) -> None:
    """At every step, but while a new winner waits to be measured."""
    question = case.spec.question(case.key)
    selection = Selection(case.spec, case.key)
    for n in range(1, len(record.steps) + 1):
        before = up_to(record, n)
        mine = selection.scores(before)
        # Not in the order of claims, which a curve isn't given.
        rows = sorted(before.claimed(), key=lambda row: row.id)
        theirs = {k: row for k, row in winners_scores(question, rows).items() if row}
        for level, row in theirs.items():
            waits = not selection.measured(before, int(level))
            assert waits or mine.get(level, {}) == row
        assert mine.keys() <= theirs.keys()


def looks_are_those_of_the_rows_that_were_there(case: Case, record: SearchRecord) -> None:
    question, selection = case.spec.question(case.key), Selection(case.spec, case.key)
    for n, step in enumerate(record.steps):
        before = up_to(record, n)
        if n == 0:
            assert step.look is None
            continue
        assert step.look is not None
        assert step.look.measurements == len([*before.claimed()])
        if step.look.comparisons:
            scores = selection.scores(before)
            look = assess(question.with_costs(step.costs).with_barred(step.barred), scores)
            assert step.look.comparisons == look.comparisons


def costs_are_fixed_once_told(case: Case, record: SearchRecord) -> None:
    if case.spec.worth is None:
        assert all(step.costs == () for step in record.steps)
        return
    selection = Selection(case.spec, case.key)
    told: dict[tuple[int, object], float] = {}
    for n, step in enumerate(record.steps):
        before = up_to(record, n)
        costs = dict(step.costs)
        assert [*costs] == sorted(costs)
        assert len(costs) == len(step.costs)
        assert costs.keys() == selection.scores(before).keys()
        for level, cost in costs.items():
            assert 0.5 < cost / case.table.seconds(level) < 2
            # With `retune` there may be no single winner, but the first rows stay the same.
            winner = None if selection.retuned else selection.winner(before, level)
            assert told.setdefault((level, winner), cost) == cost


def no_more_is_tried_than_the_budget_allows(case: Case, record: SearchRecord) -> None:
    most = case.spec.budget.trials
    if most is None:
        assert record.steps[-1].conclusion is not Conclusion.BUDGET
        return
    nested = is_nested(case.spec, case.key)
    tried = {(row.setting, None if nested else row.level) for row in record.claimed()}
    assert len(tried) <= most


def a_runner_up_is_measured_once_and_where_the_answer_is(case: Case, record: SearchRecord) -> None:
    steps = [s for s in record.steps if any(p.phase is Phase.RUNNER_UP for p in s.packets)]
    levels = {k for s in steps for p in s.packets for k in p.levels}
    assert len(levels) == len(steps)
    selection = Selection(case.spec, case.key)
    for level in levels:
        rows = record.rows(Phase.RUNNER_UP, level)
        assert len(rows) == case.spec.measuring.min_replicates
        winner, second = selection.winner(record, level), selection.runner_up(record, level)
        assert {row.setting for row in rows} == {second} != {winner}


def policies_name_themselves(case: Case, record: SearchRecord) -> None:
    assert len({step.policy for step in record.steps}) == 1


PROMISES = (
    steps_are_numbered_and_only_the_last_concludes,
    nothing_is_claimed_twice,
    packets_hold_no_more_than_they_may,
    settings_are_within_their_levels_ranges,
    levels_have_equal_budgets,
    a_race_halves_what_it_compares,
    whoever_is_measured_won,
    policy_and_curve_read_the_same_rows,
    looks_are_those_of_the_rows_that_were_there,
    costs_are_fixed_once_told,
    no_more_is_tried_than_the_budget_allows,
    a_runner_up_is_measured_once_and_where_the_answer_is,
    policies_name_themselves,
)


def up_to(record: SearchRecord, steps: int) -> SearchRecord:
    """Returns what there was once so many steps were done."""
    return SearchRecord(
        record.job, record.search, record.steps[:steps], record.measurements, _ids=record._ids
    )
