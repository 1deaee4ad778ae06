"""A budget of trials: it ends a search before the step that would exceed it, every time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.bench import Table, climb
from tests.search.cases import cases, plateau_at
from tuner.record import Conclusion, Phase, StepKind
from tuner.returns import assess, winners_scores
from tuner.search import SearchRecord
from tuner.search.spec import is_nested
from tuner.spec import JobSpec


def spec(axis="depth", trials=None, levels=(1, 2, 4, 8, 16), **more) -> JobSpec:
    return JobSpec.parse(
        {
            "dataset": "digits",
            "margin": 0.02,
            "searches": [{"learner": "simulated", "axis": axis, "levels": levels}],
            "tuning": {"trials": 5, "generation": 2},
            "budget": {"trials": trials},
            **more,
        }
    )


def run(job: JobSpec, **more) -> SearchRecord:
    return climb(Table(job, plateau_at(4), sd=0.002), job.searches[0].key, **more)


def tried(job: JobSpec, record: SearchRecord) -> int:
    """Returns the candidates that were tried: on a nested axis one fit serves all levels."""
    nested = is_nested(job, record.search)
    return len({(row.setting, None if nested else row.level) for row in record.claimed()})


@settings(max_examples=60, deadline=None)
@given(cases(budget={}), st.integers(1, 40), st.integers(1, 8), st.integers(0, 2**32))
def test_up_to_its_end_a_search_with_a_budget_is_the_one_without(case, trials, workers, shuffle):
    whole = climb(case.table, case.key)
    short = case.spec.model_copy(
        update={"budget": case.spec.budget.model_copy(update={"trials": trials})}
    )
    case.table.spec = short
    record = climb(case.table, case.key, workers=workers, shuffle=shuffle, restart=0.1)
    assert tried(short, record) <= trials
    if record.steps[-1].conclusion is not Conclusion.BUDGET:
        assert record.steps == whole.steps
        assert tried(short, whole) <= trials
        return
    done = len(record.steps) - 1
    assert record.steps[:done] == whole.steps[:done]
    next_one = SearchRecord(whole.job, whole.search, whole.steps[: done + 1], whole.measurements)
    assert tried(short, next_one) > trials  # the step that wasn't taken would have been too many
    last = record.steps[-1]
    assert (last.kind, last.packets) == (StepKind.CONCLUDE, ())
    assert f"the budget of {trials} trials is spent" in last.decision
    assert whole.steps[done].decision in last.decision


def test_the_end_is_no_guess():
    job = spec(trials=14)
    record = run(job)
    assert record.steps[-1].conclusion is Conclusion.BUDGET
    question = job.question(record.search)
    assert assess(question, winners_scores(question, record.claimed())).verdict.outcome == (
        "INCONCLUSIVE"
    )


def test_the_first_step_may_be_too_much_already():
    record = run(spec(trials=1))
    assert [step.kind for step in record.steps] == [StepKind.CONCLUDE]
    assert record.steps[0].conclusion is Conclusion.BUDGET
    assert record.steps[0].look is None
    assert record.measurements == {}


@pytest.mark.parametrize(("trials", "ends"), [(4, Conclusion.BUDGET), (5, Conclusion.ANSWERED)])
def test_on_a_nested_axis_a_setting_counts_once_for_all_levels(trials, ends):
    record = run(spec("trees", trials))
    assert record.steps[-1].conclusion is ends


def test_measuring_and_the_runner_up_need_no_more_trials():
    job = spec()
    record = run(job)
    assert any(p.phase is Phase.RUNNER_UP for s in record.steps for p in s.packets)
    enough = spec(trials=tried(job, record))
    assert run(enough).steps == record.steps
    assert run(spec(trials=tried(job, record) - 1)).steps[-1].conclusion is Conclusion.BUDGET


def test_where_nothing_is_tuned_levels_are_what_counts():
    fixed = {"learner": "simulated", "axis": "depth", "levels": (1, 2, 4, 8, 16)}
    fixed["space"] = {"learning_rate": 0.01}
    assert run(spec(trials=3, searches=[fixed])).steps[-1].conclusion is Conclusion.BUDGET
    assert run(spec(trials=5, searches=[fixed])).steps[-1].conclusion is Conclusion.ANSWERED
