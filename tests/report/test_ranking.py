"""The ranking: letters, costs against the cheapest, scores under conditions, several jobs."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console
from synthetic import measurements, result

from tuner import JobSpec, report
from tuner.report import ranking, standings, summary

SPEC = JobSpec.parse(
    {
        "dataset": "digits",
        "metric": "error",
        "margin": 0.02,
        "baseline": None,
        "robustness": ["noise:3", "label_noise:0.2"],
        "searches": [
            {"learner": "forest", "axis": "trees", "levels": [4, 16, 64, 256]},
            {"learner": "mlp", "axis": "depth", "levels": [1, 2, 4, 8]},
            {"learner": "perceptron"},
        ],
    }
)
TRUTH = {
    "forest/trees": {
        "clean": {4: 0.10, 16: 0.03, 64: 0.03, 256: 0.03},
        "noise:3": {4: 0.40, 16: 0.25, 64: 0.15, 256: 0.15},
        "label_noise:0.2": {4: 0.3, 16: 0.12, 64: 0.12, 256: 0.12},
    },
    "mlp/depth": {
        "clean": {1: 0.08, 2: 0.03, 4: 0.03, 8: 0.03},
        "noise:3": {1: 0.2, 2: 0.12, 4: 0.12, 8: 0.12},
        "label_noise:0.2": {1: 0.2, 2: 0.15, 4: 0.15, 8: 0.15},
    },
    "perceptron": {"clean": {1: 0.09}, "noise:3": {1: 0.2}, "label_noise:0.2": {1: 0.3}},
}


@pytest.fixture(scope="module")
def found():
    return result(SPEC, measurements(SPEC, TRUTH, replicates=12))


def shown(renderable, width=100):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def test_those_that_cannot_be_told_apart_share_a_letter(found):
    ranked = ranking.rank(found)
    assert {rank.search: rank.letters for rank in ranked.ranks} == {
        "forest/trees": "a",
        "mlp/depth": "a",
        "perceptron": "b",
    }
    assert {rank.search for rank in ranked.best} == {"forest/trees", "mlp/depth"}
    assert [rank.score for rank in ranked.ranks] == sorted(rank.score for rank in ranked.ranks)


def test_a_search_may_have_several_letters_and_there_are_letters_for_many_groups(found):
    comparison = replace(found.comparison, groups=(("a", "b"), ("b", "c")))
    assert [ranking.letters(comparison, name) for name in "abc"] == ["a", "ab", "b"]
    many = replace(found.comparison, groups=tuple((f"s{i}",) for i in range(60)))
    assert len({ranking.letters(many, f"s{i}") for i in range(60)}) == 60


def test_costs_are_told_against_the_cheapest_and_the_cheapest_good_enough_is_marked(found):
    ranked = ranking.rank(found)
    by_search = {rank.search: rank for rank in ranked.ranks}
    # A fit takes .25 s a level: 16 trees, depth 2, and the perceptron's one.
    assert by_search["perceptron"].ratio == 1
    assert by_search["mlp/depth"].ratio == pytest.approx(2)
    assert by_search["forest/trees"].ratio == pytest.approx(16)
    assert ranked.good_enough == by_search["mlp/depth"]


def test_scores_under_conditions_are_those_of_the_same_level(found):
    ranked = ranking.rank(found)
    forest = next(rank for rank in ranked.ranks if rank.search == "forest/trees")
    assert ranked.conditions == ("noise:3", "label_noise:0.2")
    assert (forest.level, forest.shown) == (16, True)
    assert forest.under["noise:3"] == found.robustness["noise:3"]["forest/trees"].at(16).score
    assert forest.under["noise:3"] == pytest.approx(0.25, abs=0.01)  # 64 trees would have .15


def test_what_is_compared_under_a_condition_stands_beside_its_clean_score(found):
    metric = "error@noise:3"
    judged = replace(
        found,
        curves=found.robustness["noise:3"],
        comparison=found.comparisons_under["noise:3"],
    )
    ranked = ranking.rank(judged)
    assert (ranked.metric, ranked.conditions) == (metric, ("clean", "label_noise:0.2"))
    mlp = next(rank for rank in ranked.ranks if rank.search == "mlp/depth")
    assert mlp.under["clean"] == found.robustness["clean"]["mlp/depth"].at(mlp.level).score
    assert f"| {metric} | interval |" in report.markdown(judged)
    assert "| clean | under label_noise:0.2 |" in report.markdown(judged)


def test_the_interval_is_that_of_the_searchs_own_curve(found):
    for rank in ranking.rank(found).ranks:
        row = found.curves[rank.search].at(rank.level or 1)
        assert (rank.low, rank.high) == (row.low, row.high)
        assert rank.low < rank.score < rank.high


def test_what_is_judged_on_another_metric_has_no_interval_and_no_score_of_that(found):
    curves = {k: replace(c, metric="brier") for k, c in found.curves.items()}
    under = {
        name: {k: replace(c, metric=f"brier@{name}") for k, c in by_search.items()}
        for name, by_search in found.robustness.items()
    }
    other = replace(found, curves=curves, robustness=under, comparisons_under={})
    for rank in ranking.rank(other).ranks:
        assert (rank.low, rank.high) == (None, None)
        assert set(rank.under.values()) == {None}
    # Where the comparison under the condition is at the same level, that has it.
    known = ranking.rank(replace(other, comparisons_under=found.comparisons_under))
    mlp = next(rank for rank in known.ranks if rank.search == "mlp/depth")
    assert mlp.under["noise:3"] == pytest.approx(0.12, abs=0.01)


def test_what_has_no_score_is_named_as_left_out(found):
    contenders = [c for c in found.comparison.contenders if c.search != "perceptron"]
    lacking = replace(found, comparison=replace(found.comparison, contenders=tuple(contenders)))
    assert ranking.rank(lacking).left_out == ("perceptron",)
    assert "Without a place, for want of scores: perceptron." in report.markdown(lacking)


def test_where_nothing_can_be_compared_there_is_no_ranking(found):
    assert ranking.rank(replace(found, comparison=None)) is None
    assert report.to_dict(replace(found, comparison=None))["ranking"] is None


def test_the_ranking_in_the_terminal(found):
    text = shown(report.table(found))
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    lines = {line.split()[1]: line.split() for line in text.splitlines() if " ×" in line}
    assert lines["mlp/depth"][:4] == ["a", "mlp/depth", "✓", "2"]
    assert lines["forest/trees"][-3] == "×16"
    assert "b  perceptron" in text
    assert "Those that share a letter can't be told apart" in text


def test_a_ranking_with_many_conditions_and_long_names_fits_100_columns(found):
    ranked = ranking.rank(found)
    names = tuple(f"label_noise:{i / 10}" for i in range(1, 10))
    ranks = tuple(
        replace(r, search=f"bag_of_features/{r.search}", under=dict.fromkeys(names, 0.123))
        for r in ranked.ranks
    )
    hard = replace(ranked, conditions=names, ranks=ranks)
    text = "".join(map(shown, standings.ranking(hard)))
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    assert text.count("0.123") == 9 * len(ranks)  # each condition once


def test_the_ranking_in_the_report(found):
    text = report.markdown(found)
    header = "| group | search | level | error | interval | cost of a fit | × cheapest |"
    assert f"{header} under noise:3 | under label_noise:0.2 |" in text
    assert "| a | **mlp/depth** | 2 | 0.0" in text


def test_the_ranking_as_an_object(found):
    got = json.loads(json.dumps(report.to_dict(found)["ranking"], allow_nan=False))
    assert got["conditions"] == ["noise:3", "label_noise:0.2"]
    assert [row["good_enough"] for row in got["ranks"]].count(True) == 1
    perceptron = got["ranks"][-1]
    assert (perceptron["search"], perceptron["level"], perceptron["letters"]) == (
        "perceptron",
        None,
        "b",
    )
    assert set(perceptron["under"]) == {"noise:3", "label_noise:0.2"}


def other_job(winner):
    """The same searches on other data, where one of them is far ahead."""
    truth = {
        key: {"clean": dict.fromkeys(by["clean"], 0.02 if key == winner else 0.3)}
        for key, by in TRUTH.items()
    }
    data = SPEC.model_dump(mode="json", exclude_defaults=True, exclude={"robustness"})
    spec = JobSpec.parse({**data, "name": "other"})
    return result(spec, measurements(spec, truth, replicates=12))


def test_a_summary_says_who_is_best_where_and_that_none_is_everywhere(found):
    results = [found, other_job("perceptron")]
    jobs = summary.entries(results)
    assert [job.name for job in jobs] == ["digits", "other"]
    assert set(jobs[0].best) == {"forest", "mlp"}
    assert jobs[1].best == ("perceptron",)
    assert summary.best_everywhere(jobs) == summary.never_worse(jobs) == []
    text = summary.markdown(results)
    assert "- None is best everywhere: " in text
    assert "- other: perceptron has the best mean." in text
    got = json.loads(json.dumps(summary.summary_to_dict(results), allow_nan=False))
    assert got["jobs"][0]["good_enough"]["search"] == "mlp/depth"
    assert got["jobs"][0]["breaks_most"]["condition"] == "label_noise:0.2"
    assert got["jobs"][1]["breaks_most"] is None


def test_a_summary_says_who_is_best_everywhere(found):
    results = [found, other_job("mlp/depth")]
    assert summary.best_everywhere(summary.entries(results)) == ["mlp"]
    text = shown(summary.tables(results))
    assert "mlp has the best mean everywhere." in text
    assert "never told apart" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_not_told_apart_from_the_best_is_no_win(found):
    results = [found, other_job("forest/trees")]
    assert summary.best_everywhere(summary.entries(results)) == []
    assert summary.never_worse(summary.entries(results)) == ["forest"]
    text = summary.markdown(results)
    assert "- None is best everywhere" in text
    assert "- forest is never told apart from the best." in text


def test_names_of_a_summary_are_told_apart_and_many_jobs_fit(found):
    many = [found] * 8
    assert [job.name for job in summary.entries(many)][:2] == ["digits", "digits (2)"]
    text = shown(summary.tables(many))
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text


def test_a_summary_of_jobs_that_found_nothing_says_so(found):
    empty = replace(found, curves={}, comparison=None, robustness={}, comparisons_under={})
    text = summary.markdown([empty, found])
    assert "Nothing could be compared in digits." in text
    assert "none is shown to be" in text
    assert "In none of the jobs" in summary.markdown([empty])
    shown(summary.tables([empty]))
