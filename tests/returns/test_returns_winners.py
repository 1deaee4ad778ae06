"""Which candidate stands for a level: the same whatever the order of rows, for policy and curve."""

from __future__ import annotations

import dataclasses
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.curve import Question
from tuner.record import Measurement, Outcome, Phase, measurement_id
from tuner.returns import has_score, standings, winners_scores

QUESTION = Question("s", "t", "depth", (1, 2, 4), "error", "minimize", 0.01)


def row(
    setting: int,
    score: float,
    *,
    phase=Phase.TUNING,
    level=1,
    replicate=0,
    step=1,
    index=0,
    outcome=Outcome.COMPLETED,
) -> Measurement:
    name = (("rate", setting),)
    scores = {"error": score} if outcome is Outcome.COMPLETED else {}
    i = measurement_id("j", "s", phase, level, name, replicate)
    packet = f"s:{step}:{index}" if step else ""
    return Measurement(i, "s", phase, level, name, replicate, outcome, scores, packet=packet)


def ranked(rows, direction="minimize") -> list[int]:
    return [dict(setting)["rate"] for setting in standings(rows, "error", direction)]


def test_those_on_the_most_splits_stand_first_and_their_mean_decides():
    rows = [
        row(0, 0.10),  # the best of the first split didn't come through the race
        row(1, 0.20), row(1, 0.40, replicate=1),
        row(2, 0.30), row(2, 0.20, replicate=1),
        row(3, 0.15),
    ]  # fmt: skip
    assert ranked(rows) == [2, 1, 0, 3]
    assert ranked(rows, "maximize") == [1, 2, 3, 0]


def test_who_failed_anywhere_is_out():
    broken = row(1, 0.0, replicate=1, outcome=Outcome.DIVERGED)
    assert ranked([row(1, 0.1), broken, row(2, 0.5)]) == [2]
    assert ranked([row(1, math.nan), row(2, 0.5), row(3, math.inf)]) == [2]
    assert ranked([row(1, 0.1, outcome=Outcome.TIMED_OUT)]) == []
    assert ranked([]) == []


def test_of_equals_the_earlier_wins_by_step_then_place_as_numbers():
    rows = [row(1, 0.1, step=10), row(2, 0.1, step=9, index=10), row(3, 0.1, step=9, index=9)]
    assert ranked(rows) == [3, 2, 1]
    # Those of which nobody knows come last, in the order given.
    rows = [row(1, 0.1, step=0), row(2, 0.1, step=0), row(3, 0.1, step=99)]
    assert ranked(rows) == [3, 1, 2]


@st.composite
def tables(draw) -> list[Measurement]:
    """Draws a search's rows as a climb leaves them, with many ties and some failures."""
    rows = []
    fused = draw(st.booleans())  # then all of a step came in one packet
    for level in (1, 2, 4):
        settings_of = draw(st.lists(st.integers(0, 9), min_size=1, max_size=6, unique=True))
        for index, setting in enumerate(settings_of):
            for replicate in range(draw(st.integers(1, 3))):
                score = draw(st.sampled_from([0.1, 0.2, 0.3, math.nan]))
                outcome = draw(st.sampled_from([Outcome.COMPLETED] * 4 + [Outcome.CRASHED]))
                rows.append(
                    row(
                        setting, score, level=level, replicate=replicate, outcome=outcome,
                        step=1 + replicate, index=0 if fused else index,
                    )
                )  # fmt: skip
        measured = draw(st.lists(st.sampled_from(settings_of), max_size=2, unique=True))
        for setting in measured:
            for replicate in range(draw(st.integers(1, 4))):
                score = draw(st.sampled_from([0.1, 0.2, 0.3, math.nan]))
                rows.append(
                    row(setting, score, level=level, replicate=replicate, phase=Phase.MEASURING)
                )
    return rows


@settings(deadline=None, max_examples=200)
@given(tables(), st.integers(0, 2**32))
def test_no_answer_depends_on_the_order_of_rows(rows, shuffle):
    mixed = [*rows]
    random.Random(shuffle).shuffle(mixed)
    for level in (1, 2, 4):
        own, other = (
            [r for r in some if r.level == level and r.phase is Phase.TUNING]
            for some in (rows, mixed)
        )
        assert ranked(own) == ranked(other)
        assert sorted(ranked(own)) == sorted(
            {
                dict(r.setting)["rate"]
                for r in own
                if all(has_score(o, "error") for o in own if o.setting == r.setting)
            }
        )
    assert winners_scores(QUESTION, rows) == winners_scores(QUESTION, mixed)


def test_a_later_winner_takes_the_place_of_the_one_that_was_measured():
    rows = [row(1, 0.2), row(2, 0.1, step=4)]
    rows += [row(1, 0.5, replicate=i, phase=Phase.MEASURING) for i in range(6)]
    old = winners_scores(QUESTION, rows)
    assert len(old[1]) == 6
    rows += [row(2, 0.4, replicate=i, phase=Phase.MEASURING) for i in range(4)]
    assert winners_scores(QUESTION, rows) == {1: dict.fromkeys(range(4), 0.4)}


def test_a_runner_up_counts_for_nothing():
    rows = [row(1, 0.1), row(2, 0.2)]
    rows += [row(1, 0.5, replicate=i, phase=Phase.MEASURING) for i in range(4)]
    before = winners_scores(QUESTION, rows)
    rows += [row(2, 0.1, replicate=i, phase=Phase.RUNNER_UP) for i in range(4)]
    rows += [row(1, 0.1, replicate=i, phase=Phase.RUNNER_UP, level=2) for i in range(4)]
    assert winners_scores(QUESTION, rows) == before


def test_where_every_replicate_was_tuned_anew_all_rows_count():
    rows = [row(i, 0.1, replicate=i) for i in range(4)]
    rows += [row(i, 0.5 + i, replicate=i, phase=Phase.MEASURING) for i in range(4)]
    assert winners_scores(QUESTION, rows) == {1: {i: 0.5 + i for i in range(4)}}


def test_one_replicate_twice_from_two_jobs_is_refused():
    first = row(1, 0.5, phase=Phase.MEASURING)
    with pytest.raises(ValueError, match="is there twice under different ids"):
        winners_scores(QUESTION, [first, dataclasses.replace(first, id="0" * 64)])
