"""A level whose models break a limit is shown and not judged; the rest is judged as ever."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuner.curve import Limits, Question, SearchState, VerdictOutcome
from tuner.record import (
    FOOTPRINT,
    Footprint,
    Measurement,
    Outcome,
    Phase,
    Stress,
    measurement_id,
)
from tuner.returns import assess, compare_record, curve
from tuner.returns.limits import broken, ceiling, judged, ladder, larger_wanted, needs_of
from tuner.returns.over_examples import curve_over_examples


def unhurried(examples: int) -> settings:
    """A busy machine is no failure of the property."""
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )


LEVELS = (1, 2, 4, 8, 16)
PLAIN = Question("mlp/depth", "mlp", "depth", LEVELS, "error", "minimize", 0.02)
FAST = replace(PLAIN, limits=Limits(latency_ms=5.0))
RISING = {1: 0.5, 2: 0.4, 4: 0.3, 8: 0.2, 16: 0.1}
FLAT = dict.fromkeys(LEVELS, 0.3)


def row(level: int, replicate: int, score: float | None, **changes: object) -> Measurement:
    search = str(changes.get("search", PLAIN.search))
    phase = changes.get("phase", Phase.MEASURING)
    name = measurement_id("namespaces/n/jobs/j", search, phase, level, (), replicate)
    outcome = Outcome.DIVERGED if score is None else Outcome.COMPLETED
    scores = {} if score is None else {"error": score}
    plain = Measurement(
        name,
        search,
        phase,
        level,
        (),
        replicate,
        outcome,
        scores,
        standalone_device_seconds=float(level),
        billed_device_seconds=2.0 * level,
        footprint=Footprint(level * (1 + replicate / 100), 10.0 * level, 1000 * level, 0.5),
    )
    return replace(plain, **changes)


def measured(truth: dict[int, float], replicates: int = 8, **changes: object) -> list[Measurement]:
    rng = np.random.default_rng(5)
    luck = rng.normal(0, 0.02, replicates)
    return [
        row(level, i, mean + luck[i] + rng.normal(0, 0.001), **changes)
        for level, mean in truth.items()
        for i in range(replicates)
    ]


def test_a_level_over_a_limit_is_shown_and_the_verdict_is_of_the_rest() -> None:
    found = curve(FAST, measured(RISING), SearchState.CONCLUDED)
    assert [r.level for r in found.levels] == [*LEVELS]
    assert [r.level for r in found.levels if r.barred] == [8, 16]
    eight = found.at(8)
    assert eight.barred == "a prediction takes 8 ms, more than 5 ms"
    assert eight.latency_ms == 8.0
    assert (eight.batch_latency_ms, eight.model_bytes) == (80.0, 8000.0)
    assert eight.robustness_device_seconds == 8 * 0.5
    assert eight.score == pytest.approx(0.2, abs=0.05)
    assert (eight.gain, eight.margin_supported, eight.forgone) == (None, None, None)
    assert found.verdict is not None
    assert found.verdict.outcome is VerdictOutcome.RISING
    assert found.verdict.reason.startswith("still rising at 4, the largest level within the limits")
    assert found.verdict.reason.endswith("8 and 16 break a limit and aren't judged")
    assert {k for c in found.comparisons for k in (c.smaller, c.larger)} == {1, 2, 4}
    assert found.level_probabilities is not None
    assert found.level_probabilities.keys() == {1, 2, 4}
    assert found.next_doubling is None
    assert found.unmeasured == ()
    assert found.notes[:2] == (
        "level 8 isn't judged: a prediction takes 8 ms, more than 5 ms",
        "level 16 isn't judged: a prediction takes 16 ms, more than 5 ms",
    )


def test_what_was_measured_within_the_limits_is_bounded_as_before() -> None:
    """K is the declared ladder's: no bound moves because a level is out."""
    rows = measured(RISING)
    before, after = curve(PLAIN, rows), curve(FAST, rows)
    for level in (1, 2, 4):
        assert after.at(level) == replace(
            before.at(level),
            margin_supported=after.at(level).margin_supported,
            forgone=after.at(level).forgone,
        )
    assert set(after.comparisons) < set(before.comparisons)


def test_patience_waits_for_no_level_that_could_not_be_chosen() -> None:
    rows = measured({k: FLAT[k] for k in (1, 2, 4, 8)})
    found = curve(replace(FAST, limits=Limits(latency_ms=2.5)), rows)
    assert found.verdict is not None
    assert found.verdict.answer == ("PLATEAUED", 1)
    asked = FAST.with_barred([(4, "slow")])
    assert [larger_wanted(asked, (1, 2, 4), k) for k in (1, 2)] == [1, 1]
    assert [larger_wanted(PLAIN, LEVELS, k) for k in LEVELS] == [2] * 5
    # Below a bar that lies far up, patience is what it was.
    assert larger_wanted(FAST.with_barred([(16, "slow")]), (1, 2), 1) == 2


def test_levels_above_a_barred_one_count_where_a_measured_one_keeps_the_limits() -> None:
    """No axis need be monotone, and no clock be right: what was measured speaks for itself."""
    asked = PLAIN.with_barred([(4, "slow")])
    assert ceiling(asked, (1, 4)) == 4
    assert ladder(asked, (1, 4)) == (1, 2)
    assert ceiling(asked, (1, 4, 8)) == math.inf
    assert ladder(asked, (1, 4, 8)) == (1, 2, 8, 16)
    twice = PLAIN.with_barred([(2, "slow"), (8, "slow")])
    assert ceiling(twice, (1, 2, 4, 8)) == 8
    assert ladder(twice, (1, 2, 4, 8)) == (1, 4)
    assert ceiling(twice, (1, 2, 8)) == 2
    assert ceiling(PLAIN, LEVELS) == math.inf
    assert judged(asked, LEVELS) == (1, 2, 8, 16)
    rows = measured({1: 0.5, 2: 0.4, 4: 0.3, 8: 0.2})
    rows = [replace(r, footprint=Footprint(9.0 if r.level == 4 else 1.0, 1.0, 1)) for r in rows]
    found = curve(FAST, rows)
    assert found.verdict is not None
    assert found.verdict.outcome is VerdictOutcome.INCONCLUSIVE  # 16 may still be measured
    assert found.at(8).gain is not None
    assert found.at(8).gain.below == 2
    assert not any("wasn't tried" in note for note in found.notes)
    below = curve(FAST, [r for r in rows if r.level < 8])
    assert (
        "levels 8 and 16 weren't tried: 4 breaks a limit already, and capacity makes no model"
        in (" ".join(below.notes))
    )


def test_where_all_levels_or_all_but_one_are_barred_nothing_is_compared() -> None:
    rows = measured(RISING)
    none = curve(replace(PLAIN, limits=Limits(model_mb=0.0001)), rows).verdict
    assert none is not None
    assert none.answer == ("INCONCLUSIVE", None)
    assert none.reason.startswith("no level within the limits is measured; 1, 2, 4, 8 and 16 break")
    assert none.missing == (
        "the limits leave no level (1: the model has 0.001 MB, more than 0.0001 MB): declare "
        "smaller levels, or looser limits",
    )
    one = curve(replace(PLAIN, limits=Limits(batch_latency_ms=15.0)), rows).verdict
    assert one is not None
    assert one.answer == ("INCONCLUSIVE", None)
    assert one.reason.startswith(
        "1 is the only level within the limits, so it is the one to choose"
    )
    assert one.not_excluded == (1,)
    assert one.missing[0].startswith(
        "the limits leave one level (2: 256 predictions at once take 20 ms, more than 15 ms)"
    )


def test_an_older_record_without_footprints_bars_nothing_and_says_that_it_could_not_be_judged():
    rows = [replace(r, footprint=None) for r in measured(RISING)]
    found = curve(FAST, rows)
    assert not any(r.barred for r in found.levels)
    assert found.at(8).latency_ms is None
    assert found.verdict == curve(PLAIN, rows).verdict
    assert found.notes[0].startswith("the limits couldn't be judged: no replicate tells how long")
    assert curve(PLAIN, rows).notes == found.notes[1:]
    some = [replace(r, footprint=None) if r.level == 2 else r for r in measured(RISING)]
    notes = " ".join(curve(FAST, some).notes)
    assert "level 2: whether the limits are kept isn't known" in notes


def test_what_a_level_needs_is_the_least_latency_and_the_mean_size_of_all_its_models() -> None:
    rows = [
        row(1, i, 0.1, footprint=Footprint(latency, 2 * latency, size))
        for i, (latency, size) in enumerate([(2.0, 10), (1.0, 20), (90.0, 60)])
    ]
    found = needs_of([*rows, row(1, 9, None, footprint=None)])
    assert found is not None
    assert (found.latency_ms, found.batch_latency_ms, found.model_bytes) == (1.0, 2.0, 30.0)
    assert needs_of([row(1, 0, 0.1, footprint=None)]) is None


def test_a_model_that_could_not_be_saved_is_judged_by_its_latency_and_the_note_says_why() -> None:
    unsaved = [row(1, i, 0.1, footprint=Footprint(7.0, 9.0, None)) for i in range(3)]
    needs = needs_of(unsaved)
    assert needs is not None
    assert needs.model_bytes is None
    assert broken(Limits(latency_ms=5, model_mb=1), needs) == (
        "a prediction takes 7 ms, more than 5 ms"
    )
    saved = row(1, 3, 0.1, footprint=Footprint(8.0, 9.0, 500))
    with_one = needs_of([*unsaved, saved])
    assert with_one is not None
    assert with_one.model_bytes == 500.0
    assert curve(FAST, unsaved).notes == curve(FAST, [*unsaved, saved]).notes
    small = replace(PLAIN, limits=Limits(model_mb=1))
    assert "level 1: whether the limits are kept isn't known" in curve(small, unsaved).notes[0]


def test_why_a_limit_could_not_be_judged_is_told_by_the_first_error() -> None:
    def failed(error: str, condition: str = FOOTPRINT) -> tuple[Stress, ...]:
        return (Stress(condition, Outcome.CRASHED, error=error),)

    rows = [replace(r, footprint=None) for r in measured(RISING)]
    told = {
        (1, 0): failed("out of reach", "pgd:0.1"),
        (2, 1): failed("it can't be pickled"),
        (2, 2): failed("no space left"),
        (4, 0): failed("later"),
    }
    rows = [replace(r, stresses=told.get((r.level, r.replicate), ())) for r in rows]
    random.Random(4).shuffle(rows)
    assert curve(FAST, rows).notes[0] == (
        "the limits couldn't be judged: no replicate tells how long its model predicts, or how "
        "large it is (it can't be pickled); nothing is barred"
    )
    some = [replace(r, footprint=Footprint(1.0, 1.0, 1)) if r.level != 4 else r for r in rows]
    assert (
        "level 4: whether the limits are kept isn't known, for no replicate tells all that is "
        "limited (later); what isn't told counts as kept" in curve(FAST, some).notes
    )


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(), ""),
        (Limits(latency_ms=7.25), ""),  # up to the limit, it is kept
        (Limits(latency_ms=7.2499999), "a prediction takes 7.25 ms, more than 7.2499999 ms"),
        (Limits(latency_ms=5), "a prediction takes 7.25 ms, more than 5 ms"),
        (Limits(batch_latency_ms=80), "256 predictions at once take 81 ms, more than 80 ms"),
        (Limits(model_mb=1), "the model has 2.4 MB, more than 1 MB"),
        (
            Limits(5, 50, 3),
            "a prediction takes 7.25 ms, more than 5 ms; 256 predictions at once take 81 ms, "
            "more than 50 ms",
        ),
    ],
)
def test_a_broken_limit_is_told_with_its_number(limits: Limits, said: str) -> None:
    needs = needs_of([row(1, 0, 0.1, footprint=Footprint(7.25, 81.0, 2_400_000))])
    assert broken(limits, needs) == said


def test_a_number_just_over_a_limit_has_the_digits_that_show_it() -> None:
    needs = needs_of([row(1, 0, 0.1, footprint=Footprint(5.0004, 1.0, 1))])
    assert broken(Limits(latency_ms=5), needs) == "a prediction takes 5.0004 ms, more than 5 ms"


def test_learners_that_break_the_limits_are_left_out_of_the_comparison_with_a_note() -> None:
    tree = Question("forest", "forest", "", (1,), "error", "minimize", 0.02, limits=FAST.limits)
    other = replace(tree, search="svm", learner="svm")
    slow = replace(FAST, search="cnn/depth", learner="cnn", limits=Limits(latency_ms=0.5))
    rows = measured(RISING)
    rows += [replace(r, footprint=None) for r in measured({1: 0.2}, search="forest")]
    rows += [replace(r, footprint=Footprint(9.0, 1, 1)) for r in measured({1: 0.1}, search="svm")]
    rows += measured({1: 0.1, 2: 0.1}, search="cnn/depth")
    asked = [FAST, tree, other, slow]
    found = compare_record(asked, rows, metric="error", margin=0.02)
    assert found is not None
    assert {c.search for c in found.contenders} == {"mlp/depth", "forest"}
    assert {c.search: c.level for c in found.contenders}["mlp/depth"] == 4
    assert found.notes[-2:] == (
        "left out, for it breaks the limits: cnn/depth (a prediction takes 1 ms, more than "
        "0.5 ms; a prediction takes 2 ms, more than 0.5 ms)",
        "left out, for it breaks the limits: svm (a prediction takes 9 ms, more than 5 ms)",
    )
    shown = curve(other, [r for r in rows if r.search == "svm"])
    assert shown.verdict is None
    assert shown.at(1).barred
    assert shown.notes == ("it breaks a limit: a prediction takes 9 ms, more than 5 ms",)


def test_over_examples_barred_levels_are_shown_and_take_no_replicate_from_the_others() -> None:
    rows = [r for r in measured(RISING) if r.level < 8 or r.replicate < 3]
    rng = np.random.default_rng(1)
    values = {r.id: rng.normal(r.scores["error"], 0.01, 200) for r in rows}
    found = curve_over_examples(FAST, rows, values, state=SearchState.CONCLUDED)
    assert [r.level for r in found.levels if r.barred] == [8, 16]
    assert found.at(4).replicates == 8
    assert found.at(8).replicates == 3
    assert found.at(8).score == pytest.approx(0.2, abs=0.05)
    assert found.unmeasured == ()
    assert found.verdict is not None
    assert found.verdict.answer == ("RISING", None)


def test_a_barred_level_has_no_say_in_what_a_verdict_hangs_on() -> None:
    """Its failures and scores are no one's, and leaving the top out means the top that counts."""
    rows = measured({1: 0.5, 2: 0.4, 4: 0.4, 8: 0.4, 16: 0.1})
    limits = Limits(latency_ms=10.0)
    rows = [replace(r, outcome=Outcome.CRASHED, scores={})
            if (r.level, r.replicate) == (16, 3) else r for r in rows]  # fmt: skip
    found = curve(replace(PLAIN, limits=limits), rows, SearchState.CONCLUDED)
    assert found.verdict is not None
    assert found.verdict.answer == ("PLATEAUED", 2)
    assert not [n for n in found.notes if "depends on" in n or "without level" in n]
    assert any(n.startswith("level 16: 1 of 8 replicates failed") for n in found.notes)


@st.composite
def tables(draw) -> list[Measurement]:
    """Draws a record of scores on a coarse grid, with gaps, failures and needs of any order."""
    replicates = draw(st.integers(1, 7))
    rows = []
    for level in draw(st.sets(st.sampled_from(LEVELS), min_size=1)):
        for i in range(replicates):
            score = draw(st.none() | st.integers(0, 40))
            latency = draw(st.sampled_from([0.5, 1.0, 4.0, 6.0, 30.0]))
            told = draw(st.booleans()) or i == 0
            rows.append(
                row(
                    level,
                    i,
                    None if score is None else score / 100,
                    footprint=Footprint(latency, 2.0, 1000 * level) if told else None,
                )
            )
    return rows


QUESTIONS = st.builds(
    lambda patience, price: replace(
        PLAIN,
        patience=patience,
        price=price,
        costs=tuple((k, float(k)) for k in LEVELS) if price else (),
    ),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.0, 0.01]),
)
MOST = st.sampled_from([0.2, 0.7, 2.0, 5.0, 20.0])


@unhurried(60)
@given(tables(), QUESTIONS, MOST)
def test_barring_changes_no_score_and_never_answers_with_a_barred_level(rows, question, most):
    asked = replace(question, limits=Limits(latency_ms=most))
    before, after = curve(question, rows), curve(asked, rows)
    barred = {r.level for r in after.levels if r.barred}
    for one, other in zip(before.levels, after.levels, strict=True):
        below_too = other.gain is None or one.gain is None or one.gain.below == other.gain.below
        aside = {"margin_supported": None, "forgone": None, "barred": ""}
        aside |= {} if below_too and other.gain else {"gain": None}
        assert replace(one, **aside) == replace(other, **aside)
        over = other.latency_ms is not None and other.latency_ms > most
        assert bool(other.barred) == over
    verdict = after.verdict
    assert verdict is not None
    assert verdict.level not in barred
    assert not barred & set(verdict.not_excluded)
    assert not barred & {k for c in after.comparisons for k in (c.smaller, c.larger)}
    assert {c for c in before.comparisons if not {c.smaller, c.larger} & barred} == set(
        after.comparisons
    )
    for level in after.level_probabilities or ():
        assert level not in barred
    if not barred:
        assert after.verdict == before.verdict


@unhurried(60)
@given(tables(), QUESTIONS, MOST, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_repeats_make_no_difference(rows, question, most, chance):
    """A repeat is the same result, told by another clock."""
    asked = replace(question, limits=Limits(latency_ms=most))
    again = [replace(r, footprint=Footprint(77.0, 1.0, 1)) for r in rows[:2]]
    told = [*rows, *again]
    first = curve(asked, told, SearchState.CONCLUDED)
    for _ in range(2):
        chance.shuffle(told)
        assert curve(asked, told, SearchState.CONCLUDED) == first


@unhurried(40)
@given(tables(), QUESTIONS)
def test_limits_that_nothing_breaks_change_nothing_and_without_limits_nothing_is_new(
    rows, question
):
    loose = replace(question, limits=Limits(1e6, 1e6, 1e6))
    plain = curve(question, rows, SearchState.CONCLUDED)
    held = curve(loose, rows, SearchState.CONCLUDED)
    known = [n for n in held.notes if "whether the limits" not in n and "limits couldn" not in n]
    assert replace(held, notes=tuple(known)) == plain
    silent = [replace(r, footprint=None) for r in rows]
    without = curve(question, silent, SearchState.CONCLUDED)
    hidden = {"latency_ms": None, "batch_latency_ms": None, "model_bytes": None}
    hidden["robustness_device_seconds"] = 0.0
    assert replace(plain, levels=tuple(replace(r, **hidden) for r in plain.levels)) == without


@unhurried(40)
@given(
    st.lists(st.sampled_from(LEVELS), unique=True),
    st.integers(0, 10**6),
    st.sampled_from([RISING, FLAT, {1: 0.5, 2: 0.3, 4: 0.3, 8: 0.3, 16: 0.4}]),
)
def test_a_verdict_is_that_of_its_own_pairs(barred, seed, truth):
    """Whatever is barred, the answer is the rule's over the pairs that are left."""
    chance = random.Random(seed)
    luck = [chance.gauss(0, 0.02) for _ in range(6)]
    scores = {
        k: {i: mean + x + chance.gauss(0, 0.004) for i, x in enumerate(luck)}
        for k, mean in truth.items()
    }
    whole = assess(PLAIN, scores)
    look = assess(PLAIN.with_barred((k, "slow") for k in sorted(barred)), scores)
    left = [k for k in LEVELS if k not in barred]
    assert look.levels == tuple(left)
    assert look.means == whole.means
    assert look.intervals == whole.intervals
    above = {k: [c for c in look.comparisons if c.smaller == k] for k in left}
    for k in left:
        assert above[k] == [whole.compare(k, j) for j in left if j > k]
    enough = [k for k in left if above[k] and all(c.high < 0 for c in above[k])]
    short = [k for k in left if any(c.low > 0 for c in above[k])]
    if look.verdict.outcome in ("PLATEAUED", "DECLINING"):
        assert look.verdict.level in enough
    elif look.verdict.outcome is VerdictOutcome.RISING:
        assert short == left[:-1]
        assert len(left) > 1
    else:
        assert not (len(left) > 1 and short == left[:-1])


def test_what_a_condition_said_is_told_level_by_level_and_alike_remarks_once() -> None:
    metric = "error@pgd:0.1"
    question = replace(PLAIN, metric=metric)

    def under(level: int, i: int, stress: Stress, score: float | None) -> Measurement:
        scores = {"error": 0.1} | ({} if score is None else {metric: score})
        return replace(row(level, i, 0.1), scores=scores, stresses=(stress,))

    done, late = Outcome.COMPLETED, Outcome.TIMED_OUT
    rows = [
        under(1, 0, Stress("pgd:0.1", done, note="zero at 3 of 9 examples"), 0.5),
        under(1, 1, Stress("pgd:0.1", done, note="zero at 12 of 90 examples"), 0.6),
        under(1, 2, Stress("pgd:0.1", done, note="another attack got more"), 0.6),
        under(1, 3, Stress("pgd:0.1", done), 0.6),
        under(2, 0, Stress("pgd:0.1", late, error="ran past 60 s"), None),
        under(2, 1, Stress("pgd:0.1", late, error="ran past 61 s"), None),
        under(2, 2, Stress("fgsm:0.1", done, note="of another condition"), 0.4),
    ]
    random.Random(3).shuffle(rows)
    notes = curve(question, rows).notes
    assert "level 1 under pgd:0.1, 2 of 4 replicates: zero at 3 of 9 examples" in notes
    assert "level 1 under pgd:0.1, 1 of 4 replicates: another attack got more" in notes
    assert "level 2 under pgd:0.1: 2 of 2 replicates TIMED_OUT: ran past 60 s" in notes
    assert not any("another condition" in note for note in notes)
    assert not any("pgd" in note for note in curve(PLAIN, rows).notes)
