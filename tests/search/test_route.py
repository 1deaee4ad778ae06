"""The way up: landmarks a doubling apart, and what was passed over where it is wanted."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.curve import Question
from tuner.search.route import between, beyond, landmarks, missing

LADDERS = st.lists(st.integers(1, 300), min_size=2, max_size=14, unique=True).map(sorted)


def asked(levels) -> Question:
    return Question("s", "t", "width", tuple(levels), "error", "minimize", 0.01)


@settings(deadline=None)
@given(LADDERS)
def test_landmarks_are_a_doubling_apart_and_leave_out_nothing_that_is_farther(levels):
    found = landmarks(asked(levels))
    assert found[0] == levels[0]
    assert found[-1] == levels[-1]
    assert set(found) <= set(levels)
    for below, above in itertools.pairwise(found[:-1]):
        assert above >= 2 * below
    for below, above in itertools.pairwise(found):
        assert all(k < 2 * below for k in levels if below < k < above)


def test_a_ladder_of_doublings_is_all_landmarks_whatever_rounding_does():
    assert landmarks(asked([1, 2, 4, 8, 16])) == (1, 2, 4, 8, 16)
    assert landmarks(asked([3, 6, 12, 24, 48, 96])) == (3, 6, 12, 24, 48, 96)
    assert landmarks(asked(range(1, 9))) == (1, 2, 4, 8)
    assert landmarks(asked([1, 2, 3])) == (1, 2, 3)  # the top, near as it is


@settings(deadline=None)
@given(LADDERS, st.data())
def test_one_by_one_every_level_below_an_answer_is_tried_and_none_elsewhere(levels, data):
    """While each falls short, the answer stays; what is asked for closes in on it."""
    opened = [*landmarks(asked(levels))]
    answer = data.draw(st.sampled_from(opened))
    below = max((k for k in opened if k < answer), default=answer)
    while (level := between(asked(levels), opened, answer)) is not None:
        assert below < level < answer
        assert level not in opened
        opened.append(level)
    assert not [k for k in levels if max((o for o in opened if o < answer), default=0) < k < answer]


@settings(deadline=None)
@given(LADDERS, st.data())
def test_beyond_and_missing_give_in_turn_all_that_was_passed_over_once(levels, data):
    question = asked(levels)
    for ask in (lambda o: missing(question, o), lambda o: beyond(question, o, levels[0])):
        opened = [*landmarks(question)]
        while (level := ask(opened)) is not None:
            assert level in levels
            assert level not in opened
            opened.append(level)
        assert sorted(opened) == levels
    level = data.draw(st.sampled_from(levels))
    opened = [*landmarks(question)]
    while (found := beyond(question, opened, level)) is not None:
        assert found > level
        opened.append(found)


def test_the_middle_comes_first_the_nearest_beyond_and_the_largest_where_all_count():
    question, opened = asked(range(1, 17)), [1, 2, 4, 8, 16]
    assert between(question, opened, 8) == 6
    assert between(question, opened, 4) == 3
    assert between(question, opened, 2) is None
    assert between(question, opened, 1) is None
    assert beyond(question, opened, 4) == 6
    assert beyond(question, opened, 8) == 12
    assert beyond(question, opened, 16) is None
    assert missing(question, opened) == 12
    assert missing(question, [*range(8, 17), 1, 2, 4]) == 6
