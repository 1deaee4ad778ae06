"""The runner-up: measured once, where the answer is, beside the winner and in no curve."""

from __future__ import annotations

import dataclasses

import pytest

from tests.search.bench import Table, climb
from tests.search.cases import plateau_at
from tuner.record import Phase, StepKind
from tuner.returns import assess, curve, standings, winners_scores
from tuner.search import SearchRecord
from tuner.search.selection import Selection
from tuner.spec import JobSpec


def spec(axis="depth", levels=(1, 2, 4, 8), space=None, **more) -> JobSpec:
    search = {"learner": "simulated", "axis": axis, "levels": levels, "space": space or {}}
    return JobSpec.parse(
        {
            "dataset": "digits",
            "margin": 0.02,
            "searches": [search],
            "tuning": {"trials": 4, "generation": 4, **more.pop("tuning", {})},
            **more,
        }
    )


def run(job: JobSpec, truth=None, **table) -> SearchRecord:
    return climb(Table(job, truth or plateau_at(2), 0.002, **table), job.searches[0].key)


def steps_of(record: SearchRecord):
    return [s for s in record.steps if any(p.phase is Phase.RUNNER_UP for p in s.packets)]


@pytest.mark.parametrize("axis", ["depth", "trees"])
@pytest.mark.parametrize(("top", "level"), [(2, 2), (10**6, 8)])
def test_it_is_measured_once_at_the_answers_level_like_the_winner(axis, top, level):
    job = spec(axis)
    record = run(job, plateau_at(top))
    (step,) = steps_of(record)
    assert step is record.steps[-2]  # the last thing before the end
    assert step.kind is StepKind.MEASURE
    rows = record.rows(Phase.RUNNER_UP, level)
    assert record.levels(Phase.RUNNER_UP) == [level]
    assert [row.replicate for row in rows] == [*range(job.measuring.min_replicates)]
    tuned = record.rows(Phase.TUNING, level)
    ranked = standings(tuned, "error", "minimize")
    assert {row.setting for row in rows} == {ranked[1]}
    measured = record.rows(Phase.MEASURING, level)
    assert {row.setting for row in measured} == {ranked[0]}
    assert {row.replicate for row in rows} <= {row.replicate for row in measured}
    assert "to see how much hangs on tuning" in step.decision


def test_a_levels_runner_up_is_no_part_of_its_scores_and_only_a_note_of_its_curve():
    job = spec()
    record = run(job, slope=0.2, best=lambda c: 0.01)
    question = job.question(record.search)
    rows = [*record.claimed()]
    without = [row for row in rows if row.phase is not Phase.RUNNER_UP]
    assert len(without) < len(rows)
    scores = winners_scores(question, rows)
    assert scores == winners_scores(question, without)
    assert scores == Selection(job, record.search).scores(record)
    whole, part = curve(question, rows), curve(question, without)
    assert (whole.verdict, whole.gains) == (part.verdict, part.gains)
    plain = [dataclasses.replace(r, billed_device_seconds=0) for r in whole.levels]
    assert [r.score for r in plain] == [r.score for r in part.levels]
    assert [r.replicates for r in plain] == [r.replicates for r in part.levels]
    assert [n for n in whole.notes if "the claim hangs on tuning" in n]
    assert not [n for n in part.notes if "the claim hangs on tuning" in n]


@pytest.mark.parametrize(
    "job",
    [
        spec(space={"learning_rate": 0.01}),
        spec(tuning={"trials": 1}),
        spec(tuning={"trials": 2, "retune": True}),
    ],
    ids=["fixed", "one trial", "retuned"],
)
def test_there_is_none_where_there_is_nothing_to_choose(job):
    record = run(job)
    assert steps_of(record) == []
    question = job.question(record.search)
    assert assess(question, winners_scores(question, record.claimed())).verdict.level == 2


def test_there_is_none_where_all_but_the_winner_failed():
    job = spec()
    first = Selection(job, "simulated/depth").default(2)

    def breaks(phase, member):
        return phase is Phase.TUNING and member.setting != first

    record = run(job, breaks=breaks)
    assert steps_of(record) == []
    assert record.steps[-1].decision.startswith("PLATEAUED at 2")


def test_there_is_none_where_there_is_no_answer():
    job = spec(levels=(1, 2))
    record = run(job, plateau_at(1))
    assert record.steps[-1].decision.startswith("INCONCLUSIVE")
    assert steps_of(record) == []


def test_one_that_fails_is_measured_no_second_time():
    job = spec()

    def breaks(phase, member):
        return phase is Phase.RUNNER_UP

    record = run(job, breaks=breaks)
    assert len(steps_of(record)) == 1
    assert record.steps[-1].decision.startswith("PLATEAUED at 2")
