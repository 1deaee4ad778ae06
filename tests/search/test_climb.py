"""The climb: right on known truths, honest when it fails, told what each decision rests on."""

import math

import pytest

from tests.search.bench import Table, climb, measured
from tuner.record import Conclusion, Phase, StepKind
from tuner.returns import assess, winners_scores
from tuner.search import Climb, SearchRecord, words
from tuner.search.outlook import HOPE, Outlook
from tuner.spec import JobSpec


def spec(axis: str = "depth", levels: tuple[int, ...] = (1, 2, 4, 8, 16, 32), **more) -> JobSpec:
    return JobSpec.parse(
        {
            "dataset": "digits",
            "margin": 0.02,
            "searches": [{"learner": "simulated", "axis": axis, "levels": levels}],
            "tuning": {"trials": 5, "generation": 2},
            **more,
        }
    )


def plateau_at(level: int, gain: float = 0.1):
    return lambda c: 0.05 + gain * max(0.0, math.log2(level / c))


def verdict_of(job: JobSpec, record: SearchRecord):
    question = job.question(record.search)
    return assess(question, winners_scores(question, record.claimed())).verdict


@pytest.mark.parametrize("level", [1, 2, 4])
def test_it_finds_the_plateau_and_leaves_the_levels_beyond_patience_alone(level):
    job = spec()
    record = climb(Table(job, plateau_at(level), sd=0.002), "simulated/depth")
    verdict = verdict_of(job, record)
    assert (verdict.outcome, verdict.level) == ("PLATEAUED", level)
    assert max(measured(record)) == 4 * level  # two larger levels, and no more


def test_a_smaller_level_is_passed_over_only_where_more_replicates_would_not_help_it():
    """Level 2 saves 1.4 margins over 1: enough for a plateau at 2 before 1 is excluded."""
    question = spec().question("simulated/depth")
    passed_over = 0
    for seed in range(12):
        job = spec(seed=seed)
        table = Table(job, plateau_at(2, gain=0.028), sd=0.012, luck=seed)
        record = climb(table, "simulated/depth")
        scores = winners_scores(question, record.claimed())
        look = assess(question, scores)
        assert record.steps[-1].conclusion is Conclusion.ANSWERED
        if not look.settled or look.verdict.level is None:
            continue
        most = job.measuring.max_replicates
        left = {k: most - len(record.rows(Phase.MEASURING, k)) for k in look.levels}
        outlook = Outlook(question, scores, look, left)
        for level in [k for k in look.levels if k < look.verdict.level]:
            excluded = any(c.low > 0 for c in look.comparisons if c.smaller == level)
            futile = min(p.bounded for p in outlook.above(level)) < HOPE
            assert excluded or futile
            first = {k: {i: row[i] for i in range(4)} for k, row in scores.items()}
            early = assess(question, first)
            passed_over += not any(c.low > 0 for c in early.comparisons if c.smaller == level)
    assert passed_over > 0  # or nothing was put to the test


def test_a_smaller_level_that_may_do_as_well_is_named_as_the_reason_to_go_on():
    """Level 2 is shown to be enough, and level 1 may be, for all that is known."""
    question = spec(levels=(1, 2, 4, 8)).question("simulated/depth")
    scores = {k: {i: 0.05 + 0.001 * (i % 3) for i in range(8)} for k in (2, 4, 8)}
    scores[1] = {i: 0.055 + 0.03 * (i % 2) for i in range(8)}
    look = assess(question, scores)
    assert look.verdict.level == 2
    assert words.add(question, look, {1: 10, 2: 10}) == (
        "depth 1, 2: go on to 10 replicates, for 2 is enough, and 1 may be, too"
    )


def test_it_climbs_a_rising_curve_to_its_top():
    job = spec(levels=(1, 2, 4, 8))
    record = climb(Table(job, plateau_at(10**6, gain=0.04), sd=0.002), "simulated/depth")
    assert verdict_of(job, record).outcome == "RISING"
    assert measured(record) == {1, 2, 4, 8}


def test_replicates_are_paired_over_levels():
    record = climb(Table(spec(), plateau_at(2), sd=0.002), "simulated/depth")
    by_level = {
        level: {m.replicate for m in record.claimed(Phase.MEASURING) if m.level == level}
        for level in measured(record)
    }
    for replicates in by_level.values():
        assert replicates == set(range(len(replicates)))


def test_all_levels_get_their_first_replicate_before_any_gets_its_second():
    """Workers take packets in their order, and pairs are what says something."""
    record = climb(Table(spec(), plateau_at(2), sd=0.002), "simulated/depth")
    step = next(step for step in record.steps if step.kind is StepKind.MEASURE)
    order = [(packet.replicates[0], packet.levels[0]) for packet in step.packets]
    assert order == [(i, level) for i in range(4) for level in (1, 2, 4)]


def test_one_fit_of_a_nested_axis_tunes_all_levels():
    job = spec("trees")
    record = climb(Table(job, plateau_at(4), sd=0.002), "simulated/trees")
    tuning = [p for s in record.steps if s.kind is StepKind.TUNE for p in s.packets]
    assert len(tuning) == 5
    assert {p.levels for p in tuning} == {(1, 2, 4, 8, 16, 32)}
    for step in record.steps:
        if step.kind is StepKind.MEASURE:
            fits = {(p.settings, p.replicates) for p in step.packets}
            assert len(fits) == len(step.packets)  # a winner of several levels is fitted once


def test_a_level_that_always_fails_is_passed_over_and_stays_in_the_record():
    job = spec()
    record = climb(Table(job, plateau_at(2), sd=0.002, fails=[2]), "simulated/depth")
    assert 2 not in measured(record)
    assert len(record.rows(Phase.TUNING, 2)) == 5
    assert verdict_of(job, record).level == 4


def test_a_search_whose_every_fit_fails_says_so():
    job = spec(levels=(1, 2))
    record = climb(Table(job, plateau_at(2), sd=0.002, fails=[1, 2]), "simulated/depth")
    last = record.steps[-1]
    assert last.conclusion is Conclusion.FAILED
    assert "the loss became NaN" in last.decision


def test_a_search_that_tunes_and_cannot_measure_says_that():
    job = spec(levels=(1, 2))
    table = Table(job, plateau_at(2), sd=0.002, breaks=lambda phase, _: phase is Phase.MEASURING)
    last = climb(table, "simulated/depth").steps[-1]
    assert last.conclusion is Conclusion.FAILED
    assert last.decision.startswith("no level could be measured: 8 of 18 fits failed; the first: ")


def test_scores_that_are_no_numbers_are_failures_and_said_to_be():
    job = spec(levels=(1, 2))
    table = Table(job, lambda level: math.nan, sd=0.0)
    last = climb(table, "simulated/depth").steps[-1]
    assert last.conclusion is Conclusion.FAILED
    assert last.decision.endswith("the first: COMPLETED, without a finite score")


def test_fixed_hyperparameters_need_no_tuning():
    job = spec(levels=(1, 2, 4))
    search = {
        "learner": "simulated",
        "axis": "depth",
        "levels": (1, 2, 4),
        "space": {"learning_rate": 0.01},
    }
    job = JobSpec.parse({"dataset": "digits", "margin": 0.02, "searches": [search]})
    record = climb(Table(job, plateau_at(1), sd=0.002), "simulated/depth")
    assert all(step.kind is not StepKind.TUNE for step in record.steps)


def test_a_learner_without_an_axis_is_tuned_and_measured_and_that_is_all():
    job = spec()
    record = climb(Table(job, plateau_at(1), sd=0.002), "perceptron")
    kinds = [step.kind for step in record.steps]
    assert kinds == [StepKind.TUNE, StepKind.MEASURE, StepKind.CONCLUDE]
    assert len(record.rows(Phase.TUNING, 1)) == 2  # it averages or not: there is no third
    assert len(record.rows(Phase.MEASURING, 1)) == 4
    assert record.steps[-1].decision.startswith("perceptron: 0.")
    assert record.steps[-1].conclusion is Conclusion.ANSWERED


def test_a_decision_waits_for_what_was_claimed():
    job = spec()
    record = SearchRecord("namespaces/default/jobs/test", "simulated/depth")
    policy = Climb(job, "simulated/depth")
    step = policy.next_step(record)
    assert step is not None
    record.steps.append(step)
    with pytest.raises(KeyError):
        policy.next_step(record)


def test_each_decision_after_the_first_names_what_it_was_taken_on():
    record = climb(Table(spec(), plateau_at(2), sd=0.002), "simulated/depth")
    assert record.steps[0].look is None
    looks = [step.look for step in record.steps[1:]]
    counts = [look.measurements for look in looks if look]
    assert len(counts) == len(looks)
    assert counts == sorted(counts)
    assert looks[-1] is not None
    assert looks[-1].comparisons
