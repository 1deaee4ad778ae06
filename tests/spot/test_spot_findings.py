"""What is said of families follows from bounds, and none hides another."""

import io
import math
import random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from spot_record import FACTS, found, rows_of, spot_of

from tuner.curve import Gain, SearchState
from tuner.record import Outcome
from tuner.returns import compare_record
from tuner.spec import JobSpec
from tuner.spot import Decision, following, following_as_yaml, words
from tuner.spot.shown import markdown, table, to_dict

REFUSED = (
    SearchState.FAILED,
    "cnn can't learn from this data: cnn needs images, shape (n, channels, height, width); this is "
    "a table of shape (2000, 12). Use forest or perceptron for it",
)
OVER = (SearchState.CONCLUDED, "the budget of 0.07 hours is over")

FAMILIES = ("naive_bayes", "perceptron", "svm", "mlp", "forest", "rbm", "cnn", "resnet")


@pytest.fixture(scope="module")
def usual():
    """A spot test as it comes: a best one, a tie, a bad one, a slow one, a broken one."""
    spec = spot_of(*FAMILIES)
    means = {
        "naive_bayes": (0.30,),
        "perceptron": (0.145,),
        "svm": (0.30, 0.14, 0.104),
        "mlp": (0.11, 0.105, 0.15),
        "forest": (0.13, 0.105, 0.1),
        "rbm": (0.1, 0.1, 0.1),
    }
    fails = {("mlp", 4, i): Outcome.TIMED_OUT for i in range(8)}
    rows = rows_of(spec, means, replicates={"rbm": 3}, fails=fails)
    states = {"cnn": REFUSED, "rbm": OVER, "resnet": OVER}
    return found(spec, rows, states)


def family(findings, learner):
    return next(f for f in findings.families if f.learner == learner)


def test_the_best_and_what_ties_with_it_are_worth_a_search(usual):
    worth = usual.decided(Decision.WORTH)
    assert {f.learner for f in worth} == {"forest", "svm", "mlp"}
    best, *tied = worth
    assert best.best
    assert best.behind is None
    assert words.why(best, usual.spec) == "has the best mean"
    for other in tied:
        assert other.behind.low <= 0 or other.behind.high < usual.spec.margin
        assert "the best: " in words.why(other, usual.spec)


def test_what_is_worse_by_the_margin_is_not_worth_it_and_by_how_much_is_said(usual):
    bad = family(usual, "naive_bayes")
    assert bad.decision is Decision.NOT_WORTH
    assert 0.17 < bad.behind.low < bad.behind.estimate < bad.behind.high < 0.22
    assert words.why(bad, usual.spec).startswith(f"at least {bad.behind.low:.4f} worse than the")
    assert words.score(bad).startswith("0.3")


def test_who_ran_out_of_time_hides_nobody(usual):
    slow, never = family(usual, "rbm"), family(usual, "resnet")
    assert slow.decision is never.decision is Decision.UNKNOWN
    assert "ran out of time: 3 of 8 replicates" in words.why(slow, usual.spec)
    assert "before any of it was measured" in words.why(never, usual.spec)
    assert {d.replicates for d in usual.comparison.differences} == {8}
    assert "rbm/units" not in {c.search for c in usual.comparison.contenders}


def test_who_cant_learn_says_why_in_a_clause(usual):
    unable = family(usual, "cnn")
    assert unable.decision is Decision.UNABLE
    assert words.why(unable, usual.spec) == (
        "needs images, shape (n, channels, height, width); this is a table of shape (2000, 12)"
    )


def test_a_level_that_was_cut_off_leaves_the_others(usual):
    cut = family(usual, "mlp")
    assert cut.decision is Decision.WORTH
    assert cut.level.level in (1, 2)
    assert words.capacity(cut.curve).endswith("4 had no score")
    assert "256 is better than 64" in words.capacity(family(usual, "svm").curve)
    assert "64 is better than 16 by 0.1" in words.capacity(family(usual, "svm").curve)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome.DIVERGED, "fits failed: 2 diverged (the loss was nan)"),
        (Outcome.CRASHED, "fits failed: 2 broke (the loss was nan)"),
        (Outcome.OUT_OF_MEMORY, "fits failed: 2 ran out of memory (the loss was nan)"),
        (Outcome.TIMED_OUT, "too slow for a spot test: fits failed: 2 cut off after 10 s"),
    ],
)
def test_a_family_that_fails_says_how_and_the_others_are_judged(outcome, said):
    spec = spot_of("perceptron", "logistic", "neighbors")
    fails = {("neighbors", 1, i): outcome for i in (2, 5)}
    means = {"perceptron": (0.2,), "logistic": (0.1,), "neighbors": (0.05,)}
    findings = found(spec, rows_of(spec, means, fails=fails))
    broken = family(findings, "neighbors")
    assert broken.decision is Decision.UNKNOWN
    assert words.why(broken, spec) == said
    assert family(findings, "logistic").best
    assert family(findings, "perceptron").decision is Decision.NOT_WORTH


def test_worse_by_less_than_the_margin_is_not_decided():
    spec = spot_of("perceptron", "logistic", margin=0.05)
    means = {"perceptron": (0.15,), "logistic": (0.1,)}
    unsure = family(found(spec, rows_of(spec, means, noise=0.004)), "perceptron")
    assert 0 < unsure.behind.low < 0.05 <= unsure.behind.high
    assert unsure.decision is Decision.UNKNOWN
    assert "maybe by less than the margin of 0.05" in words.why(unsure, spec)


def test_one_family_alone_has_nothing_to_be_compared_with(tmp_path):
    spec = spot_of("perceptron", "logistic")
    findings = found(spec, rows_of(spec, {"logistic": (0.1,)}))
    assert findings.comparison is None
    assert family(findings, "logistic").decision is Decision.UNKNOWN
    assert "nothing to compare it with" in words.why(family(findings, "logistic"), spec)
    assert "nothing can be told" in words.headline(findings)
    assert following(findings) is None
    assert following_as_yaml(findings, "spot-1", tmp_path) is None


def test_data_that_cant_be_used_is_said_once():
    spec = spot_of("perceptron", "forest")
    bad = (SearchState.FAILED, "dataset: 1.png has 28 by 28 pixels, 2.png 39 by 20")
    findings = found(spec, [], {"perceptron": bad, "forest": bad})
    assert words.headline(findings) == f"Nothing was measured: {bad[1]}."
    assert markdown(findings, "spot-1", None, None).count(bad[1]) == 1


def test_nothing_known_is_said_as_such():
    spec = spot_of("perceptron", "forest")
    findings = found(spec, [], {"perceptron": OVER, "forest": OVER})
    assert {f.decision for f in findings.families} == {Decision.UNKNOWN}
    assert {words.score(f) for f in findings.families} == {"–"}


@settings(max_examples=60, deadline=None)
@given(
    means=st.lists(st.floats(0.02, 0.6), min_size=4, max_size=4),
    noise=st.sampled_from([0.0, 0.002, 0.02, 0.1]),
    margin=st.sampled_from([0.001, 0.01, 0.1]),
    short=st.sets(st.integers(0, 3)),
    seed=st.integers(0, 99),
)
def test_decisions_are_those_of_the_bounds_whatever_the_order(means, noise, margin, short, seed):
    names = ("naive_bayes", "perceptron", "logistic", "neighbors")
    spec = spot_of(*names, margin=margin, seed=seed)
    rows = rows_of(
        spec,
        {n: (mean,) for n, mean in zip(names, means, strict=True)},
        replicates={names[i]: 4 for i in short},
        noise=noise,
    )
    findings = found(spec, rows)
    whole = [n for i, n in enumerate(names) if i not in short]
    compared = compare_record(
        [spec.question(n) for n in whole],
        [r for r in rows if r.search in whole],
        metric="error",
        margin=margin,
    )
    assert findings.comparison == compared
    leads = {d.worse: d for d in compared.differences[: len(whole) - 1]} if compared else {}
    for f in findings.families:
        if compared is None or f.learner not in whole:
            assert f.decision is Decision.UNKNOWN
        elif f.best:
            assert f.learner == compared.contenders[0].search
            assert f.decision is Decision.WORTH
        else:
            low, high = leads[f.learner].low, leads[f.learner].high
            assert math.isfinite(low)
            assert (f.decision is Decision.NOT_WORTH) == (low >= margin)
            assert (f.decision is Decision.WORTH) == (low < margin and (low <= 0 or high < margin))
        assert words.why(f, spec)
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert found(spec, shuffled) == findings


def test_the_real_search_holds_what_is_worth_it_and_runs(usual, tmp_path):
    spec = following(usual)
    assert [s.learner for s in spec.searches] == [f.learner for f in usual.decided(Decision.WORTH)]
    assert spec.tuning.trials > 1
    assert spec.split.train_limit is None
    assert spec.budget.wall_clock_hours is None
    text = following_as_yaml(usual, "spot-1", tmp_path)
    assert JobSpec.parse(yaml.safe_load(text)) == spec
    # What couldn't be told of is there to be searched, too, once the # is out.
    more = JobSpec.parse(yaml.safe_load(text.replace("\n#- ", "\n- ")))
    assert {s.learner for s in more.searches} - {s.learner for s in spec.searches} == {
        f.learner for f in usual.decided(Decision.UNKNOWN)
    }
    assert "# resnet" in text


def test_the_file_finds_the_data_from_where_it_is(usual, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cells.csv").write_text("kind\n")
    folder = tmp_path / "results" / "spot-1"
    folder.mkdir(parents=True)
    file = folder / "search.yaml"
    file.write_text(following_as_yaml(usual, "spot-1", folder))
    monkeypatch.chdir("/")
    path = JobSpec.from_file(file).dataset.path
    assert (tmp_path / "cells.csv").samefile(path)


def test_every_format_says_the_same(usual):
    from rich.console import Console

    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table(usual, FACTS))
    shown = " ".join(console.export_text().split())
    page = markdown(usual, "spot-1", FACTS, "dataset: digits\n")
    object_ = to_dict(usual, "spot-1", FACTS, "dataset: digits\n")
    assert [f["learner"] for f in object_["families"]] == [f.learner for f in usual.families]
    for f in usual.families:
        why = words.why(f, usual.spec)
        assert why in shown
        assert why in page
    assert "500 test examples; each fit learnt from 1,350 of 1,500 others" in shown
    assert "0.25 ms a prediction, 2 MB" in shown
    assert "```yaml\ndataset: digits\n```" in page
    slow = next(f for f in object_["families"] if f["learner"] == "rbm")
    assert slow["decision"] == "unknown"
    assert slow["behind"] is None


def test_remarks_warn_where_nothing_can_be_told_apart_and_where_the_baseline_does():
    spec = spot_of("perceptron", "logistic", "naive_bayes")
    means = dict.fromkeys(("perceptron", "logistic", "naive_bayes"), (0.1,))
    findings = found(spec, rows_of(spec, means, noise=0.05))
    assert "no family can be told from it" in words.headline(findings)
    said = words.remarks(findings, FACTS)
    assert any("would tell families apart" in line for line in said)
    assert any("look at the data before" in line for line in said)


def test_a_level_with_too_few_replicates_is_said_so_and_given_no_bounds():
    gain = Gain(1, 2, 0.01, -math.inf, math.inf, 1.0)
    assert words._gain(gain) == "2 has too few replicates to be told from 1"
