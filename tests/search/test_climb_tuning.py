"""Tuning in a climb: equal budgets, warm starts both ways, races, retuning, moved ranges."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.bench import Table, climb
from tests.search.cases import plateau_at
from tuner.errors import TunerError
from tuner.record import Measurement, Outcome, Packet, Phase, PlanStep, Setting, StepKind
from tuner.returns import curve, standings, winners_scores
from tuner.search import SearchRecord
from tuner.search.selection import Selection
from tuner.search.trials import Trials
from tuner.spec import JobSpec

KEY = "simulated/depth"


def spec(learner="simulated", axis="depth", levels=(1, 2, 4, 8, 16, 32), **more) -> JobSpec:
    return JobSpec.parse(
        {
            "dataset": "digits",
            "margin": 0.02,
            "searches": [{"learner": learner, "axis": axis, "levels": levels}],
            "tuning": {"trials": 5, "generation": 2, **more.pop("tuning", {})},
            **more,
        }
    )


def settings_of(record: SearchRecord, level: int, split: int = 0) -> list[Setting]:
    return [r.setting for r in record.rows(Phase.TUNING, level) if r.replicate == split]


def best_of(rows: list[Measurement]) -> Setting:
    return standings(rows, "error", "minimize")[0]


def rate(setting: Setting) -> float:
    found = dict(setting)["learning_rate"]
    assert isinstance(found, float)
    return found


def rising_to_its_top(levels=(1, 2, 4, 8), **more) -> tuple[JobSpec, SearchRecord]:
    job = spec(levels=levels, **more)
    return job, climb(Table(job, plateau_at(10**6), sd=0.002, slope=0.002), KEY)


# Budgets


def test_every_level_gets_the_same_trials_but_the_highest_open_one_keeps_one_back():
    job = spec()
    record = climb(Table(job, plateau_at(4), sd=0.002), KEY)
    # It ends at 16: 32 was never open, and what would have won there has no place to go.
    assert {k: len(settings_of(record, k)) for k in record.levels(Phase.TUNING)} == {
        1: 5, 2: 5, 4: 5, 8: 5, 16: 4,
    }  # fmt: skip


def test_the_declared_top_keeps_nothing_back():
    _, record = rising_to_its_top()
    assert {k: len(settings_of(record, k)) for k in (1, 2, 4, 8)} == dict.fromkeys((1, 2, 4, 8), 5)


@pytest.mark.parametrize("trials", [2, 3])
def test_of_few_trials_none_is_kept_back(trials):
    job = spec(tuning={"trials": trials})
    record = climb(Table(job, plateau_at(2), sd=0.002), KEY)
    levels = record.levels(Phase.TUNING)
    assert {len(settings_of(record, k)) for k in levels} == {trials}


def test_one_trial_is_no_tuning():
    job = spec(tuning={"trials": 1})
    record = climb(Table(job, plateau_at(2), sd=0.002), KEY)
    assert record.levels(Phase.TUNING) == []
    default = Selection(job, KEY).default(1)
    assert {row.setting for row in record.claimed()} == {default}


# Warm starts


@pytest.mark.parametrize("luck", range(3))
def test_what_won_below_is_tried_above_and_what_won_above_is_tried_below(luck):
    job = spec(seed=luck, patience=1)
    table = Table(job, plateau_at(16), sd=0.002, best=lambda level: 0.02, slope=0.05, luck=luck)
    record = climb(table, KEY)
    levels = record.levels(Phase.TUNING)
    assert len(levels) >= 5
    for below, level in itertools.pairwise(levels):
        # Up: what had won before the upper level's first trial.
        first = next(n for n, s in enumerate(record.steps) if level in levels_of(s))
        before = SearchRecord(record.job, record.search, record.steps[:first], record.measurements)
        rows = [*before.rows(Phase.TUNING, below)]
        if rows:
            assert settings_of(record, level)[0] == best_of(rows)
        # Down: what has won above by the time that the lower level spends its last trial.
        assert len(settings_of(record, below)) == 5
    carried = [
        settings_of(record, below)[-1] == best_of(record.rows(Phase.TUNING, level))
        or best_of(record.rows(Phase.TUNING, level)) in settings_of(record, below)
        for below, level in itertools.pairwise(levels[:-1])
    ]
    assert any(carried)


def levels_of(step) -> set[int]:
    return {k for packet in step.packets for k in packet.levels if packet.phase is Phase.TUNING}


def replaced(luck: int) -> tuple[JobSpec, SearchRecord, list[int]]:
    """Returns a search and the levels whose measured winner lost its place to a later trial."""
    job = spec(seed=luck, patience=1, tuning={"sampler": "random"})
    table = Table(job, plateau_at(8), sd=0.002, best=lambda level: 0.001, slope=0.05, luck=luck)
    record = climb(table, KEY)
    levels = [
        k
        for k in record.levels(Phase.MEASURING)
        if len({row.setting for row in record.rows(Phase.MEASURING, k)}) > 1
    ]
    return job, record, levels


def test_a_winner_from_above_takes_the_place_of_the_one_that_was_measured():
    """It is measured afresh on replicates 0, 1, ..., and nobody reads the old one's rows."""
    found = downward = 0
    for luck in range(8):
        job, record, levels = replaced(luck)
        question, selection = job.question(KEY), Selection(job, KEY)
        found += len(levels)
        drawn = curve(question, record.claimed())
        theirs = winners_scores(question, record.claimed())
        for level in levels:
            winner = selection.winner(record, level)
            assert winner == settings_of(record, level)[-1]  # the trial that was kept
            above = next(k for k in (*record.levels(Phase.TUNING), 0) if k > level or not k)
            downward += winner in settings_of(record, above)
            rows = [r for r in record.rows(Phase.MEASURING, level) if r.setting == winner]
            assert [r.replicate for r in rows] == [*range(len(rows))]
            assert len(rows) >= 4
            scores = {r.replicate: r.scores["error"] for r in rows}
            assert theirs[level] == scores == selection.scores(record)[level]
            at = drawn.at(level)
            assert (at.setting, at.replicates) == (winner, len(rows))
            assert at.score == pytest.approx(sum(scores.values()) / len(scores))
    assert found >= downward >= 3  # or nothing was put to the test


def test_a_level_that_is_measured_more_than_others_has_spent_what_it_kept():
    """Else a later trial could take its winner's place, and many replicates were for nothing."""
    for luck in range(6):
        _, record, _ = replaced(luck)
        for n, step in enumerate(record.steps):
            before = SearchRecord(record.job, KEY, record.steps[:n], record.measurements)
            for level in {k for p in step.packets for k in p.levels}:
                old = {r.setting for r in before.rows(Phase.MEASURING, level)}
                new = {s for p in step.packets if level in p.levels for s in p.settings}
                if step.kind is StepKind.MEASURE and old & new:  # more of the same winner
                    assert len(settings_of(before, level)) == 5


# Ranges that move with the level


def test_at_depth_eight_a_cnn_begins_with_moved_defaults_and_moved_winners():
    job = spec("cnn", levels=(1, 2, 4, 8), seed=3, tuning={"generation": 1, "trials": 4})
    table = Table(job, plateau_at(10**6), sd=0.002, best=lambda d: 0.004 / d**0.5, slope=0.01)
    record = climb(table, "cnn/depth")
    search = job.search("cnn/depth")
    rates = {k: [rate(s) for s in settings_of(record, k)] for k in (1, 2, 4, 8)}
    # The catalog's default of .01 holds at depth 2, and the best rate falls with the root.
    assert Selection(job, "cnn/depth").default(8) in settings_of(record, 8)
    assert 0.005 in rates[8]
    assert 0.01 in rates[2]
    opened = next(n for n, s in enumerate(record.steps) if 8 in levels_of(s))
    before = SearchRecord(record.job, "cnn/depth", record.steps[:opened], record.measurements)
    won = best_of([*before.rows(Phase.TUNING, 4)])
    assert settings_of(record, 8)[0] == search.carried(won, 4, 8)
    assert rates[8][0] == pytest.approx(rate(won) / 2**0.5, rel=1e-3)
    # Down, too: what won at 8 is tried at 4 with the larger rate that suits it.
    assert search.carried(best_of(record.rows(Phase.TUNING, 8)), 8, 4) in settings_of(record, 4)


def test_what_is_not_tuned_moves_with_the_level_too():
    job = spec("cnn", levels=(1, 2, 4, 8), tuning={"trials": 1})
    record = climb(Table(job, plateau_at(10**6), sd=0.002), "cnn/depth")
    rates = {k: {rate(r.setting) for r in record.rows(Phase.MEASURING, k)} for k in (1, 2, 4, 8)}
    assert rates == {1: {0.01414}, 2: {0.01}, 4: {0.007071}, 8: {0.005}}


def test_what_was_carried_up_and_won_is_not_tried_again_below_a_rounding_off():
    """1.931 divided by the root of 2, and multiplied by it, is 1.93 at four digits."""
    for seed in range(20):
        job = spec("cnn", levels=(1, 2, 4, 8), seed=seed, tuning={"trials": 6})
        table = Table(job, plateau_at(10**6), sd=0.002, best=lambda d: 0.004 / d**0.5, slope=0.01)
        record = climb(table, "cnn/depth")
        for level in record.levels(Phase.TUNING):
            tried = [dict(setting) for setting in settings_of(record, level)]
            for one, other in itertools.combinations(tried, 2):
                apart = {name for name in one if one[name] != other[name]}
                ratio = one["learning_rate"] / other["learning_rate"]
                assert apart != {"learning_rate"} or abs(ratio - 1) > 1e-3


@settings(max_examples=25, deadline=None)
@given(
    low=st.floats(1e-4, 1e-3),
    high=st.floats(2e-3, 1e-1),
    seed=st.integers(0, 99),
    sampler=st.sampled_from(["tpe", "random", "cmaes", "genetic"]),
)
def test_no_setting_leaves_a_range_that_a_person_narrowed(low, high, seed, sampler):
    search = {
        "learner": "cnn",
        "axis": "depth",
        "levels": (1, 4, 16, 64),
        "space": {"learning_rate": {"low": low, "high": high}},
    }
    job = spec(searches=[search], seed=seed, tuning={"sampler": sampler, "trials": 5})
    record = climb(Table(job, plateau_at(10**6), sd=0.002), "cnn/depth")
    assert record.levels(Phase.TUNING) == [1, 4, 16, 64]
    for row in record.claimed():
        assert low <= rate(row.setting) <= high


# Races


@pytest.mark.parametrize("luck", range(4))
def test_the_better_half_goes_on_and_only_finalists_have_rows_on_the_last_split(luck):
    job = spec(levels=(1, 2, 4), tuning={"trials": 8, "race": 3, "generation": 4}, seed=luck)
    record = climb(Table(job, plateau_at(10**6), sd=0.002, scatter=0.01, luck=luck), KEY)
    for level in (1, 2, 4):
        rows = record.rows(Phase.TUNING, level)
        split = [[r for r in rows if r.replicate == i] for i in range(3)]
        assert [len(some) for some in split] == [8, 4, 2]
        first = {r.setting: r.scores["error"] for r in split[0]}
        ahead = {r.setting for r in split[1]}
        assert max(first[s] for s in ahead) <= min(v for s, v in first.items() if s not in ahead)
        second = {r.setting: (first[r.setting] + r.scores["error"]) / 2 for r in split[1]}
        last = {r.setting for r in split[2]}
        assert max(second[s] for s in last) <= min(v for s, v in second.items() if s not in last)
        # The best mean of those that came through, and not the best score of all.
        mean = {r.setting: (2 * second[r.setting] + r.scores["error"]) / 3 for r in split[2]}
        assert Selection(job, KEY).winner(record, level) == min(mean, key=mean.__getitem__)
        assert len({(r.setting, r.replicate) for r in rows}) == len(rows)  # each trained once


def test_a_race_may_turn_the_first_split_over():
    """Or it would be for nothing."""
    turned = 0
    for luck in range(4):
        job = spec(levels=(1, 2, 4), tuning={"trials": 8, "race": 3}, seed=luck)
        record = climb(Table(job, plateau_at(10**6), sd=0.002, scatter=0.01, luck=luck), KEY)
        for level in (1, 2, 4):
            rows = record.rows(Phase.TUNING, level)
            lead = best_of([r for r in rows if r.replicate == 0])
            turned += lead != Selection(job, KEY).winner(record, level)
    assert turned > 0


def test_who_comes_late_runs_only_against_those_that_are_still_ahead():
    """A level's last trial comes after its race: it displaces one, who is trained no further."""
    job = spec(levels=(1, 2), tuning={"trials": 5, "race": 3, "generation": 8})
    names = [(("learning_rate", 0.01 + i / 100),) for i in range(5)]
    # Of the first four 0 and 1 lead on split 0; on both, 1 is ahead of 0. The last beats both.
    scores = {
        (0, 0): 0.10, (1, 0): 0.11, (2, 0): 0.20, (3, 0): 0.21, (4, 0): 0.05,
        (0, 1): 0.15, (1, 1): 0.11, (2, 1): 0.01,
    }  # fmt: skip
    record = SearchRecord("j", KEY)

    def run(*tried: tuple[int, int]) -> None:
        number = len(record.steps) + 1
        packets = [
            Packet(f"{KEY}:{number}:{i}", Phase.TUNING, (names[name],), (1,), (split,))
            for i, (name, split) in enumerate(tried)
        ]
        record.steps.append(PlanStep(KEY, number, StepKind.TUNE, "", "", tuple(packets)))
        for packet, which in zip(packets, tried, strict=True):
            (i,), (member,) = record.ids(packet), packet.members()
            record.measurements[i] = Measurement(
                i, KEY, Phase.TUNING, 1, member.setting, member.replicate, Outcome.COMPLETED,
                {"error": scores[which]}, packet=packet.id,
            )  # fmt: skip

    def owed() -> list[tuple[int, int]]:
        trials = Trials(job, KEY).next(record, [(1,)], settled=[(1,)])
        return [(names.index(t.setting), t.split) for t in trials]

    run((0, 0), (1, 0), (2, 0), (3, 0), (4, 0))
    assert owed() == [(4, 1), (0, 1), (1, 1)]
    record = SearchRecord("j", KEY)
    run((0, 0), (1, 0), (2, 0), (3, 0))
    run((0, 1), (1, 1), (2, 1))  # 2 was ahead then, say
    run((4, 0))
    # The better half of five is 4, 0 and 1. Best as it is on two splits, 2 isn't in it any more.
    assert owed() == [(4, 1)]
    scores[4, 1] = 0.50
    run((4, 1))
    assert owed() == [(1, 2), (0, 2)]


def test_who_fails_on_a_later_split_is_out_and_the_rest_is_still_compared_alike():
    job = spec(levels=(1, 2, 4), tuning={"trials": 8, "race": 2})
    plain = climb(Table(job, plateau_at(10**6), sd=0.002, scatter=0.01), KEY)
    lost = Selection(job, KEY).winner(plain, 2)

    def breaks(phase, member):
        return phase is Phase.TUNING and member.replicate == 1 and member.setting == lost

    record = climb(Table(job, plateau_at(10**6), sd=0.002, scatter=0.01, breaks=breaks), KEY)
    rows = record.rows(Phase.TUNING, 2)
    assert any(r.setting == lost and r.replicate == 1 for r in rows)
    winner = Selection(job, KEY).winner(record, 2)
    assert winner != lost
    assert [r.replicate for r in rows if r.setting == winner] == [0, 1]


@pytest.mark.parametrize(("trials", "splits"), [(2, [2]), (3, [3, 2]), (4, [4, 2]), (7, [7, 4, 2])])
def test_nobody_races_alone(trials, splits):
    """There would be nothing to compare its score with."""
    job = spec(levels=(1, 2), tuning={"trials": trials, "race": 5, "generation": 8})
    record = climb(Table(job, plateau_at(10**6), sd=0.002, scatter=0.01), KEY)
    counts = Counter(r.replicate for r in record.rows(Phase.TUNING, 2))
    assert [counts[i] for i in range(5)] == splits + [0] * (5 - len(splits))


def test_a_race_on_a_nested_axis_compares_fits_over_all_levels():
    job = spec(axis="trees", levels=(1, 2, 4, 8), tuning={"trials": 6, "race": 3})
    record = climb(Table(job, plateau_at(2), sd=0.002, scatter=0.01), "simulated/trees")
    splits = Counter(
        packet.replicates[0]
        for step in record.steps
        for packet in step.packets
        if packet.phase is Phase.TUNING
    )
    assert splits == {0: 6, 1: 3, 2: 2}
    for level in (1, 2, 4, 8):
        assert Counter(r.replicate for r in record.rows(Phase.TUNING, level)) == splits


def test_a_decision_names_the_splits_where_there_are_more_than_the_usual_one():
    race = spec(levels=(1, 2), tuning={"trials": 4, "race": 2, "generation": 4})
    said = [s.decision for s in climb(Table(race, plateau_at(1), sd=0.002), KEY).steps]
    assert "depth 1, 2: try 7 settings" in said
    assert "depth 1: try 1 settings" in said  # the trial that was kept
    assert "depth 1, 2: try 4 settings on split 1" in said
    again = spec(levels=(1, 2), tuning={"trials": 2, "retune": True})
    first = climb(Table(again, plateau_at(1), sd=0.002), KEY).steps[0]
    assert first.decision == "depth 1, 2: try 16 settings on splits 0, 1, 2, 3"


def test_racing_and_retuning_together_are_refused():
    with pytest.raises(TunerError, match="retune"):
        spec(tuning={"race": 2, "retune": True})


# Retuning


def test_with_retune_each_replicate_has_its_own_tuning_its_own_winner_and_one_row():
    job = spec(levels=(1, 2, 4, 8), tuning={"trials": 3, "retune": True})
    table = Table(job, plateau_at(2), sd=0.004, scatter=0.004, best=lambda c: 0.02, slope=0.005)
    record = climb(table, KEY)
    winners = set()
    for level in record.levels(Phase.MEASURING):
        tuning, rows = record.rows(Phase.TUNING, level), record.rows(Phase.MEASURING, level)
        assert [r.replicate for r in rows] == [*range(len(rows))]
        assert {r.replicate for r in tuning} == {r.replicate for r in rows}
        for row in rows:
            own = [r for r in tuning if r.replicate == row.replicate]
            assert len(own) == 3
            assert row.setting == best_of(own)
            winners.add((level, row.setting))
    assert len(winners) > len(record.levels(Phase.MEASURING))  # or nothing was retuned
    question = job.question(KEY)
    scores = winners_scores(question, record.claimed())
    assert scores == Selection(job, KEY).scores(record)
    assert all(len(scores[k]) == len(record.rows(Phase.MEASURING, k)) for k in scores)


def test_a_tuning_run_is_made_only_for_replicates_that_are_measured():
    job = spec(levels=(1, 2, 4), tuning={"trials": 2, "retune": True})
    record = climb(Table(job, plateau_at(1), sd=0.012, scatter=0.004), KEY)
    assert any("on splits 4, 5" in step.decision for step in record.steps)
    for level in record.levels(Phase.TUNING):
        runs = {r.replicate for r in record.rows(Phase.TUNING, level)}
        assert runs == {r.replicate for r in record.rows(Phase.MEASURING, level)}


@pytest.mark.parametrize("axis", ["depth", "trees"])
def test_a_replicate_whose_tuning_failed_is_missing_and_holds_nobody_up(axis):
    job = spec(axis=axis, levels=(1, 2, 4), tuning={"trials": 2, "retune": True})

    def breaks(phase, member):
        return phase is Phase.TUNING and member.replicate in (1, 4, 5) and member.level == 2

    key = f"simulated/{axis}"
    record = climb(Table(job, plateau_at(1), sd=0.012, breaks=breaks), key)
    rows = {k: record.rows(Phase.MEASURING, k) for k in (1, 2, 4)}
    assert not {1, 4, 5} & {r.replicate for r in rows[2]}
    for some in rows.values():
        assert len({r.replicate for r in some}) == len(some)
    failed = [r for r in record.claimed(Phase.TUNING) if r.outcome is not Outcome.COMPLETED]
    nan = [r for r in record.claimed(Phase.TUNING) if r.scores.get("error", 0) != 0]
    assert {r.level for r in failed} <= {2}
    assert nan
    assert max(r.replicate for r in rows[1]) > 4  # it went on all the same
