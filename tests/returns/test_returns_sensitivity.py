"""Whatever flips a verdict is found, and nothing is said of what doesn't."""

import itertools
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuner.curve import Question, VerdictOutcome
from tuner.returns import analyze, analyze_examples, assess
from tuner.returns.bounds import Floats
from tuner.returns.designs import FIXED, Design
from tuner.returns.evidence import Replicates
from tuner.returns.examples import Examples
from tuner.returns.sensitivity import MOST_REPLICATES, sensitivity

pytestmark = pytest.mark.filterwarnings("error")

# A busy machine is no failure of the property.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

LEVELS = (1, 2, 4, 8)
QUESTION = Question("d", "", "d", LEVELS, "accuracy", "maximize", 0.1)

# Two in three of the spread of six values, so that all is about the same at every level.
WAVE = np.array([1, -1, 1, -1, 1, -1.0])
OTHER = np.array([1, 1, -1, -1, 1, -1.0])


def notes_of(values: Floats, question: Question = QUESTION, **changes: Any) -> list[str]:
    levels = question.levels[: len(values)]
    evidence = Replicates(levels, tuple(range(values.shape[1])), values, FIXED)
    scores = {
        k: {i: float(x) for i, x in enumerate(row) if not math.isnan(x)}
        for k, row in zip(levels, values, strict=True)
    }
    return sensitivity(question, evidence, assess(question, scores, FIXED).verdict, **changes)


def outcome_of(values: Floats, question: Question = QUESTION) -> tuple[VerdictOutcome, Any]:
    scores = {k: dict(enumerate(row.tolist())) for k, row in zip(LEVELS, values, strict=False)}
    return assess(question, scores, FIXED).verdict.answer


def rows(*means: float, noise: float = 0.001) -> Floats:
    """Returns six replicates of each mean, each level with a noise of its own."""
    waves = [WAVE, OTHER, -WAVE, -OTHER]
    return np.array([m + noise * wave for m, wave in zip(means, waves, strict=False)])


def test_a_clear_verdict_hangs_on_nothing() -> None:
    clear = rows(0.5, 0.5, 0.5, 0.5)
    assert outcome_of(clear) == (VerdictOutcome.PLATEAUED, 1)
    assert notes_of(clear) == []
    rising = rows(0.0, 0.5, 1.0, 1.5)
    assert outcome_of(rising) == (VerdictOutcome.RISING, None)
    assert notes_of(rising) == []


def test_a_plateau_with_no_level_to_spare_is_no_news() -> None:
    """A search that stops as soon as patience lets it has just so many levels above."""
    values = rows(0.0, 0.5, 0.5, 0.5)
    assert outcome_of(values) == (VerdictOutcome.PLATEAUED, 2)
    assert notes_of(values) == []


def test_a_decline_that_only_the_top_shows() -> None:
    values = rows(0.0, 0.5, 0.5, 0.2)
    assert outcome_of(values) == (VerdictOutcome.DECLINING, 2)
    assert notes_of(values) == []  # without it patience lacks a level
    impatient = replace(QUESTION, patience=1)
    assert notes_of(values, impatient) == ["without level 8 the verdict would be PLATEAUED at 2"]


def test_a_top_that_alone_keeps_a_verdict_open() -> None:
    values = rows(0.5, 0.5, 0.5, 0.5)
    values[3] += 0.6 * WAVE
    assert outcome_of(values) == (VerdictOutcome.INCONCLUSIVE, None)
    assert "without level 8 the verdict would be PLATEAUED at 1" in notes_of(values)


def test_the_top_is_the_largest_that_was_measured() -> None:
    longer = replace(QUESTION, levels=(*LEVELS, 16, 32))
    values = rows(0.0, 0.5, 0.5, 0.2)
    assert notes_of(values, replace(longer, patience=1)) == [
        "without level 8 the verdict would be PLATEAUED at 2"
    ]
    capacities = replace(longer, patience=1, per="size", capacities=(1, 2, 4, 8, 16, 32))
    assert notes_of(values, capacities) == notes_of(values, replace(longer, patience=1))


def test_one_replicate_that_turns_the_verdict_is_named() -> None:
    values = rows(0.0, 0.5, 0.5, 0.5)
    values[2, 3] += 0.6  # once, 4 was far better than 2
    assert outcome_of(values) == (VerdictOutcome.INCONCLUSIVE, None)
    assert "without replicate 3 the verdict would be PLATEAUED at 2" in notes_of(values)
    assert "without replicate d the verdict would be PLATEAUED at 2" in notes_of(
        values, names=list("abcdef")
    )
    table = {
        "d": [k for k in LEVELS for _ in range(6)],
        "seed": [10 * i for _ in LEVELS for i in range(6)],
        "s": values.ravel().tolist(),
    }
    found = analyze(table, level="d", score="s", direction="maximize", margin=0.1, replicate="seed")
    assert "without replicate 30 the verdict would be PLATEAUED at 2" in found.notes


def test_runs_that_nothing_pairs_are_named_by_their_score() -> None:
    values = rows(0.0, 0.5, 0.5, 0.5)
    values[2, 3] += 0.6
    table = {"d": [k for k in LEVELS for _ in range(6)], "s": values.ravel().tolist()}
    found = analyze(table, level="d", score="s", direction="maximize", margin=0.1)
    said = "without the run of 1.1 at 4 the verdict would be PLATEAUED at 2"
    assert said in found.notes


@pytest.mark.parametrize(
    ("noise", "which"),
    [
        (0.05, "replicate 0 or 4"),
        (0.055, "replicate 0, 3, 4 or 5"),
        (0.06, "any one of 5 of the 6 replicates"),
    ],
)
def test_several_that_turn_it_are_listed_or_counted(noise: float, which: str) -> None:
    values = rows(0.5, 0.5, 0.5, 0.5, noise=noise)
    assert outcome_of(values) == (VerdictOutcome.PLATEAUED, 1)
    assert f"without {which} the verdict would be INCONCLUSIVE" in notes_of(values)


def test_where_each_replicate_turns_it_they_are_all_meant() -> None:
    level = rows(0.5, 0.5, 0.5, 0.5)[:, :4]
    turned = {}
    for noise in np.linspace(0.001, 0.2, 100):
        values = level.copy()
        values[3] += noise * np.array([1.0, -1, 1, -1])
        turned[noise] = notes_of(values)
    said = "without any one of the 4 replicates the verdict would be INCONCLUSIVE"
    assert any(said in notes for notes in turned.values())
    assert turned[0.001] == []


def test_a_verdict_that_hangs_on_the_margin() -> None:
    # .07 a doubling: worth it at .05, not at .1; nothing else changes at .2.
    values = rows(0.0, 0.07, 0.14, 0.21)
    assert outcome_of(values) == (VerdictOutcome.PLATEAUED, 1)
    assert notes_of(values) == ["at half the margin the verdict would be RISING"]
    # .15 a doubling: worth it at .05 and .1, not at .2.
    values = rows(0.0, 0.15, 0.30, 0.45)
    assert outcome_of(values) == (VerdictOutcome.RISING, None)
    assert notes_of(values) == ["at twice the margin the verdict would be PLATEAUED at 1"]


def test_a_margin_of_zero_is_neither_halved_nor_doubled() -> None:
    values = rows(0.5, 0.4, 0.3, 0.2)
    assert notes_of(values, replace(QUESTION, margin=0.0)) == []


def test_two_replicates_or_very_many_are_not_taken_out() -> None:
    many = np.tile(rows(0.0, 0.5, 0.5, 0.5), 20)
    assert many.shape[1] > MOST_REPLICATES
    many[2, 0] += 10.0
    assert not any("replicate" in note for note in notes_of(many))
    assert not any("replicate" in note for note in notes_of(rows(0.0, 0.5, 0.5, 0.5)[:, :2]))


def answers(
    values: Floats, question: Question, design: Design
) -> tuple[tuple[VerdictOutcome, float | None], set[str]]:
    """Returns the verdict and all notes but those of replicates, by taking it all again."""

    def verdict(rows: Floats, asked: Question) -> Any:
        scores = {
            k: {i: float(x) for i, x in enumerate(row) if not math.isnan(x)}
            for k, row in zip(asked.levels, rows, strict=True)
        }
        return assess(asked, scores, design).verdict

    def said(of: Any) -> str:
        return of.outcome.value + (f" at {of.level}" if of.level is not None else "")

    own = verdict(values, question)
    found = set()
    if len(question.levels) > 2:
        top = verdict(values[:-1], replace(question, levels=question.levels[:-1]))
        above = [k for k in question.levels[:-1] if own.level is not None and k > own.level]
        impatient = own.level is not None and len(above) < question.patience
        if top.answer != own.answer and not (
            impatient and top.outcome is VerdictOutcome.INCONCLUSIVE
        ):
            found.add(f"without level {question.levels[-1]} the verdict would be {said(top)}")
    for word, factor in (("half", 0.5), ("twice", 2.0)):
        other = verdict(values, replace(question, margin=factor * question.margin))
        if other.answer != own.answer:
            found.add(f"at {word} the margin the verdict would be {said(other)}")
    turned: dict[str, list[int]] = {}
    for i in range(values.shape[1]):
        other = verdict(np.delete(values, i, axis=1), question)
        if other.answer != own.answer:
            turned.setdefault(said(other), []).append(i)
    for answer, which in turned.items():
        found.add(f"{len(which)} -> {answer}")
    return own.answer, found


@unhurried
@given(
    st.integers(2, 4),
    st.integers(3, 7),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.06, 0.11, 0.18]),
    st.sampled_from([0.005, 0.05, 0.2]),
    st.integers(1, 2),
)
def test_notes_are_all_the_flips_and_no_others(
    levels: int, n: int, seed: int, slope: float, noise: float, patience: int
) -> None:
    rng = np.random.default_rng(seed)
    asked = replace(QUESTION, levels=LEVELS[:levels], patience=patience)
    values = slope * np.log2(asked.levels)[:, None] + rng.normal(0, 1, n)
    values = values + rng.normal(0, noise, values.shape)
    values[rng.random(values.shape) < 0.05] = np.nan
    if np.isnan(values).all(axis=1).any():
        return
    _, expected = answers(values, asked, FIXED)
    found = set()
    for note in notes_of(values, asked):
        match = re.match(
            r"without (replicate (.*)|any one of (.*)) the verdict would be (.*)", note
        )
        if match is None:
            found.add(note)
            continue
        if match[2]:
            count = len(re.split(r", | or ", match[2]))
        else:
            count = int(re.findall(r"\d+", match[3])[0])
        found.add(f"{count} -> {match[4]}")
    assert found == expected


def test_predictions_are_taken_again_as_well() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 1, (1, 1, 200))
    values = hard + rng.normal(0, 0.01, (4, 6, 200))
    values -= values.mean(axis=2, keepdims=True)
    values += rows(0.0, 0.5, 0.5, 0.5)[:, :, None]
    values[2, 3] += 0.6
    found = analyze_examples(dict(zip(LEVELS, values, strict=True)), margin=0.1)
    assert "without replicate 3 the verdict would be PLATEAUED at 2" in found.notes
    evidence = Examples(LEVELS, values)
    rest = evidence.without_replicate(3)
    assert rest.replicates == (0, 1, 2, 4, 5)
    assert rest.without_replicate(0).replicates == (1, 2, 4, 5)
    assert np.array_equal(rest.values, np.delete(values, 3, axis=1))
    assert evidence.without_level(4).levels == (1, 2, 8)


def test_what_is_left_of_scores() -> None:
    values = rows(0.0, 0.5, 0.5, 0.5)
    values[0, 1:] = np.nan
    evidence = Replicates(LEVELS, tuple(range(6)), values)
    assert evidence.without_replicate(0).levels == (2, 4, 8)  # 1 has no other
    assert evidence.without_level(2).levels == (1, 4, 8)
    unpaired = replace(evidence, paired=False)
    assert unpaired.replicates == tuple(range(19))
    for i, (level, score) in enumerate(
        (k, x) for k, row in zip(LEVELS, values, strict=True) for x in row if not math.isnan(x)
    ):
        rest = unpaired.without_replicate(i)
        count = {
            k: int((~np.isnan(row)).sum()) for k, row in zip(rest.levels, rest.values, strict=True)
        }
        expected = {1: 1, 2: 6, 4: 6, 8: 6}
        expected[level] -= 1
        assert count == {k: n for k, n in expected.items() if n}
        left = sorted(itertools.chain.from_iterable(rest.values.tolist()), key=str)
        assert str(score) not in map(str, left) or (values == score).sum() > 1
