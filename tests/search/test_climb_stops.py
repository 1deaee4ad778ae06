"""Where a climb stops: at the level that suffices, at the top, or where going on is futile."""

from __future__ import annotations

import pytest

from tests.search.bench import Table, climb, measured
from tests.search.cases import plateau_at
from tuner.record import Conclusion, Phase
from tuner.returns import assess, winners_scores
from tuner.search import Climb, SearchRecord
from tuner.search import climb as climbing
from tuner.search.outlook import TIE
from tuner.spec import JobSpec

KEY = "simulated/depth"
FINE = (1, 2, 3, 4, 5, 6, 7, 8)


def spec(levels=(1, 2, 4, 8, 16, 32), axis="depth", **more) -> JobSpec:
    return JobSpec.parse(
        {
            "dataset": "digits",
            "margin": 0.02,
            "searches": [{"learner": "simulated", "axis": axis, "levels": levels}],
            "tuning": {"trials": 4, "generation": 4},
            **more,
        }
    )


def look_at(job: JobSpec, record: SearchRecord):
    question = job.question(record.search)
    return assess(question, winners_scores(question, record.claimed()))


def opened(record: SearchRecord) -> list[int]:
    """Returns the levels in the order in which they were begun."""
    claims = (k for s in record.steps for p in s.packets for k in p.levels)
    return list(dict.fromkeys(claims))


def fits(record: SearchRecord) -> int:
    return len([*record.claimed(Phase.MEASURING)])


# Between landmarks


@pytest.mark.parametrize("patience", [1, 2])
def test_a_plateau_between_landmarks_is_found_and_nothing_is_opened_that_did_not_help(patience):
    job = spec(FINE, patience=patience)
    record = climb(Table(job, plateau_at(3), sd=0.003), KEY)
    look = look_at(job, record)
    assert (look.verdict.outcome, look.verdict.level) == ("PLATEAUED", 3)
    # One more level above 4 only where patience asks for it; 5 and 7 never.
    assert opened(record) == ([1, 2, 4, 8, 3] if patience == 1 else [1, 2, 4, 8, 6, 3])


def test_skipped_levels_stay_closed_where_the_answer_is_a_landmark_far_below_them():
    job = spec((1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16))
    record = climb(Table(job, plateau_at(2), sd=0.002), KEY)
    assert look_at(job, record).verdict.level == 2
    assert opened(record) == [1, 2, 4, 8]


def test_a_level_just_below_the_answer_that_falls_short_is_tried_and_left():
    job = spec((1, 2, 3, 4, 8, 16), margin=0.05)
    record = climb(Table(job, plateau_at(4, gain=0.3), sd=0.002), KEY)
    assert look_at(job, record).verdict.level == 4
    assert opened(record) == [1, 2, 4, 8, 16, 3]


def test_a_fine_ladder_that_rises_to_its_top_is_measured_whole_and_said_to_rise():
    job = spec(FINE)
    record = climb(Table(job, plateau_at(10**6), sd=0.002), KEY)
    assert look_at(job, record).verdict.outcome == "RISING"
    assert sorted(opened(record)) == [*FINE]
    said = " ".join(step.decision for step in record.steps)
    assert "depth 6 was passed over, and every measured level below the largest falls short" in said


@pytest.mark.parametrize("axis", ["depth", "trees"])
def test_a_nested_axis_has_no_way_up_all_levels_are_there_from_the_start(axis):
    job = spec(FINE, axis=axis, patience=1)
    record = climb(Table(job, plateau_at(2), sd=0.001), f"simulated/{axis}")
    first = {k for p in record.steps[0].packets for k in p.levels}
    assert first == ({*FINE} if axis == "trees" else {1, 2})
    assert look_at(job, record).verdict.level == 2


# Up


@pytest.mark.parametrize(("patience", "highest"), [(1, 4), (2, 8), (3, 16)])
def test_as_many_larger_levels_are_measured_as_patience_asks_for(patience, highest):
    job = spec(patience=patience)
    record = climb(Table(job, plateau_at(2), sd=0.002), KEY)
    assert look_at(job, record).verdict.answer == ("PLATEAUED", 2)
    assert max(measured(record)) == highest


def test_patience_sees_the_rise_behind_a_dip():
    def dips(c):
        return {1: 0.3, 2: 0.32, 4: 0.1}.get(c, 0.1)

    short, long = (spec(patience=patience) for patience in (1, 2))
    first, second = (climb(Table(job, dips, sd=0.002), KEY) for job in (short, long))
    assert look_at(short, first).verdict.level == 1  # DECLINING, as far as it can see
    assert look_at(long, second).verdict.answer == ("PLATEAUED", 4)


def test_returns_that_rise_all_the_way_end_at_the_declared_top():
    job = spec((1, 2, 4, 8, 16))
    record = climb(Table(job, plateau_at(10**6), sd=0.002), KEY)
    assert look_at(job, record).verdict.answer == ("RISING", None)
    assert record.steps[-1].conclusion is Conclusion.ANSWERED
    assert measured(record) == {1, 2, 4, 8, 16}


def test_what_does_harm_is_said_to():
    job = spec()
    record = climb(Table(job, lambda c: 0.1 + 0.02 * c, sd=0.002), KEY)
    assert look_at(job, record).verdict.answer == ("DECLINING", 1)
    assert measured(record) == {1, 2, 4}


def test_of_two_levels_one_may_rise_and_none_may_plateau_where_patience_is_two():
    """A ladder that can't answer isn't measured to its last replicate."""
    rising = spec((1, 2))
    record = climb(Table(rising, plateau_at(10**6), sd=0.002), KEY)
    assert look_at(rising, record).verdict.outcome == "RISING"
    flat = climb(Table(rising, plateau_at(1), sd=0.002), KEY)
    look = look_at(rising, flat)
    assert look.verdict.outcome == "INCONCLUSIVE"
    assert any("declare a larger one" in what for what in look.verdict.missing)
    assert fits(flat) < 2 * 20
    assert "hardly tell" not in flat.steps[-1].decision  # levels are missing, not replicates


# Futility


@pytest.mark.parametrize("luck", range(6))
def test_noise_that_no_replicates_settle_ends_soon_and_says_what_it_would_take(luck):
    """The true gains are the margin itself: no level is enough, and none too little."""
    job = spec((1, 2, 4, 8))
    record = climb(Table(job, plateau_at(8, gain=0.02), sd=0.06, luck=luck), KEY)
    look = look_at(job, record)
    assert look.verdict.outcome == "INCONCLUSIVE"
    assert record.steps[-1].conclusion is Conclusion.ANSWERED
    assert fits(record) < 4 * 20 / 2
    assert look.verdict.missing
    assert any("replicate" in what for what in look.verdict.missing)
    assert look.needed.replicates is None or look.needed.replicates[0] > 4


def test_noise_on_a_nested_axis_ends_soon_too():
    job = spec((1, 2, 4, 8, 16), axis="trees")
    record = climb(Table(job, plateau_at(16, gain=0.02), sd=0.06), "simulated/trees")
    assert look_at(job, record).verdict.outcome == "INCONCLUSIVE"
    replicates = {m.replicate for m in record.claimed(Phase.MEASURING)}
    assert len(replicates) < 20


@pytest.mark.parametrize("luck", range(6))
def test_what_more_replicates_may_well_settle_is_gone_on_with(luck):
    """No gain, and noise of half a margin: four replicates say nothing, and twenty all."""
    job = spec((1, 2, 4))
    record = climb(Table(job, plateau_at(1), sd=0.008, luck=luck), KEY)
    look = look_at(job, record)
    assert look.verdict.answer in [("PLATEAUED", 1), ("DECLINING", 1)]
    first = {
        k: {i: row[i] for i in range(4)}
        for k, row in winners_scores(job.question(KEY), record.claimed()).items()
    }
    assert assess(job.question(KEY), first).verdict.outcome == "INCONCLUSIVE"


def test_one_pair_that_ties_is_no_reason_to_give_up_below_a_rise():
    """Level 2 gains just the margin over 1, so neither is shown for long; 4 shows both."""
    job = spec((1, 2, 4, 8), patience=1)

    def truth(c):
        return {1: 0.5, 2: 0.48}.get(c, 0.2)

    record = climb(Table(job, truth, sd=0.01), KEY)
    assert look_at(job, record).verdict.answer == ("PLATEAUED", 4)
    assert len(record.rows(Phase.MEASURING, 1)) < 20


def test_nothing_is_concluded_by_a_forecast(monkeypatch):
    """An outlook that hopes for everything, or for nothing, changes what is spent, and no
    bound: whatever a search ends with is what the rows alone say."""
    job = spec((1, 2, 4, 8), measuring={"max_replicates": 8})
    table = Table(job, plateau_at(2, gain=0.05), sd=0.01)

    class Hopeful(climbing.Outlook):
        def candidate(self):
            return min(self._levels)

    class Hopeless(climbing.Outlook):
        def candidate(self):
            return None

    for outlook in (Hopeful, Hopeless):
        monkeypatch.setattr(climbing, "Outlook", outlook)
        record = climb(table, KEY)
        look = look_at(job, record)
        said = record.steps[-1].decision
        assert said.startswith(look.verdict.outcome)
        assert record.steps[-1].look.comparisons == look.comparisons
    assert look.verdict.outcome == "INCONCLUSIVE"  # the hopeless one gave up


@pytest.mark.parametrize("axis", ["depth", "trees"])
def test_every_verdict_is_what_the_bounds_say_at_the_end(axis):
    """Over many noises: no PLATEAUED, DECLINING or RISING without the bound that shows it."""
    seen = set()
    for luck in range(40):
        where, gain, sd = (
            (1, 2, 4, 64)[luck % 4],
            (0.03, 0.1)[luck % 2],
            (0.004, 0.015)[luck % 3 % 2],
        )
        job = spec((1, 2, 4, 8), axis=axis, patience=1 + luck % 2)
        record = climb(Table(job, plateau_at(where, gain), sd, luck=luck), f"simulated/{axis}")
        look = look_at(job, record)
        verdict = look.verdict
        seen.add(verdict.outcome)
        above = [c for c in look.comparisons if c.smaller == verdict.level]
        if verdict.outcome in ("PLATEAUED", "DECLINING"):
            assert len(above) >= job.patience
            assert all(c.high < 0 for c in above)
        if verdict.outcome == "RISING":
            for level in look.levels[:-1]:
                assert any(c.low > 0 for c in look.comparisons if c.smaller == level)
        assert record.steps[-1].decision.startswith(verdict.outcome)
        assert record.steps[-1].look.comparisons == look.comparisons
    assert {"PLATEAUED", "RISING", "INCONCLUSIVE"} <= seen


def test_no_answer_rather_than_one_that_noise_below_favours():
    """Level 1 looks better than 2 and 4, but is too noisy to be shown: 2 isn't taken for it.

    A record is made by hand: loud level 1, quiet levels above.
    """
    job = spec((1, 2, 4, 8), measuring={"max_replicates": 6}, tuning={"trials": 1})

    def made(ahead: float) -> SearchRecord:
        """Level 1 looks better than its margin allows by so many margins."""
        table = Table(job, plateau_at(1), sd=0.0)
        noisy = (1.0, -1.0, 1.0, -1.0)

        def error(phase, member):
            if member.level > 1:
                return 0.1 + 0.0001 * (member.replicate % 2) * (member.level % 3)
            return 0.1 + 0.02 - ahead * 0.02 + 0.2 * noisy[member.replicate % 4]

        table.error = error
        return climb(table, KEY)

    abstains, answers = made(2 * TIE), made(TIE / 2)
    assert look_at(job, abstains).estimated_sufficient == 1
    assert abstains.steps[-1].decision.startswith("INCONCLUSIVE")
    assert measured(abstains) == {1, 2, 4}
    assert answers.steps[-1].decision.startswith("PLATEAUED at 2")
    assert measured(answers) == {1, 2, 4, 8}


# What is asked of a policy that can't decide yet


def test_an_end_from_outside_needs_nothing_to_be_final():
    job = spec()
    policy, record = Climb(job, KEY), SearchRecord("j", KEY)
    step = policy.conclude(record, Conclusion.BUDGET, "the bill is reached")
    assert (step.number, step.conclusion, step.decision, step.look) == (
        1, Conclusion.BUDGET, "the bill is reached", None,
    )  # fmt: skip
    record.steps.append(policy.next_step(record))
    late = policy.conclude(record, Conclusion.BUDGET, "the bill is reached")
    assert (late.number, late.packets) == (2, ())
    record.steps.append(late)
    assert policy.next_step(record) is None
