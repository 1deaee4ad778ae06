"""Ranges move with capacity as the catalog says, within every limit; winners move with them."""

import math
import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tuner import catalog
from tuner.catalog import Axis, Choice, Learner, Number
from tuner.record import make_setting
from tuner.spec import Fixed, Search
from tuner.spec.scaling import moved, significant

PAGE = (Path(__file__).parents[2] / "docs" / "tuning.md").read_text()

ROUNDING = 1.001
"""By how much two numbers that agree at four significant digits may differ, and one step more."""

four_digits = st.floats(1e-6, 1e3).map(significant)
factors = st.floats(-10, 10).map(math.exp)


@st.composite
def numbers(draw: st.DrawFn) -> Number:
    """A range with room on both sides of its default, as catalogs write them."""
    low = draw(four_digits)
    default = significant(low * draw(st.floats(1.1, 1e3)))
    high = significant(default * draw(st.floats(1.1, 1e3)))
    return Number(low, high, default, log=draw(st.booleans()), scaling={"depth": -1.0})


SCALED = [
    (learner, axis.name, name)
    for learner in catalog.LEARNERS.values()
    for axis in learner.axes
    for name, known in learner.hyperparameters.items()
    if isinstance(known, Number) and axis.name in known.scaling
]
scaled = st.sampled_from(SCALED)
levels = st.integers(1, 256)


def search_of(learner: Learner, axis: str, **space: object) -> Search:
    return Search(learner.name, axis=axis, space=space)


def test_something_of_the_catalog_scales():
    assert SCALED


@given(numbers(), factors)
def test_a_moved_range_lies_within_what_it_was_and_holds_its_default(known, by):
    to = moved(known, by)
    assert known.low <= to.low <= to.default <= to.high <= known.high
    assert to.low < to.high
    assert to.log == known.log
    assert by == 1 or not to.scaling  # its default holds at one level only


@given(numbers(), factors)
def test_a_default_with_room_moves_by_just_that(known, by):
    assume(known.low <= known.default * by <= known.high)
    assert moved(known, by).default == pytest.approx(known.default * by, rel=1e-3)


@given(numbers(), factors, factors)
def test_ends_and_default_move_the_way_that_the_best_value_does(known, one, other):
    below, above = moved(known, min(one, other)), moved(known, max(one, other))
    assert below.low <= above.low
    assert below.default <= above.default
    assert below.high <= above.high


@given(scaled)
def test_nothing_moves_at_the_level_where_the_defaults_hold(what):
    learner, axis, _ = what
    search = search_of(learner, axis)
    assert search.ranges(learner.reference(axis)) == search.ranges()


@given(scaled, levels)
def test_only_what_scales_with_the_axis_moves(what, level):
    learner, axis, _ = what
    search = search_of(learner, axis)
    still, there = search.ranges(), search.ranges(level)
    assert list(still) == list(there)
    scaling = {name for found, on, name in SCALED if (found, on) == (learner, axis)}
    assert {name for name in still if still[name] != there[name]} <= scaling


@given(scaled, levels)
def test_a_range_moves_by_the_level_over_the_reference(what, level):
    learner, axis, name = what
    known = learner.hyperparameters[name]
    wanted = known.default * (level / learner.reference(axis)) ** known.scaling[axis]
    default = search_of(learner, axis).ranges(level)[name].default
    assert default == pytest.approx(min(max(wanted, known.low), known.high), rel=1e-3)


@given(scaled, levels, st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_users_range_is_kept_and_the_default_moves_within_it(what, level, shares):
    learner, axis, name = what
    known = learner.hyperparameters[name]
    low, high = sorted(known.low * (known.high / known.low) ** share for share in shares)
    low, high = max(low, known.low), min(high, known.high)
    assume(low < high)
    search = search_of(learner, axis, **{name: {"low": low, "high": high}})
    there = search.ranges(level)[name]
    assert (there.low, there.high) == (low, high)
    free = search_of(learner, axis).ranges(level)[name].default
    assert there.default == min(max(free, low), high)


@given(scaled, levels)
def test_what_the_user_fixes_or_lists_stays(what, level):
    learner, axis, name = what
    value = learner.hyperparameters[name].default
    fixed = search_of(learner, axis, **{name: value})
    assert fixed.ranges(level)[name] == Fixed(fixed=value)
    listed = search_of(learner, axis, **{name: {"choices": [value, 2 * value]}})
    assert listed.ranges(level)[name] == Choice((value, 2 * value), value)
    for search in (fixed, listed):
        setting = make_setting({name: value})
        assert search.carried(setting, 1, level) == setting


@given(scaled, levels, levels, st.floats(0, 1))
def test_a_winner_is_carried_into_the_range_at_its_new_level(what, at, to, share):
    learner, axis, name = what
    search = search_of(learner, axis)
    here, there = search.ranges(at)[name], search.ranges(to)[name]
    value = min(max(significant(here.low * (here.high / here.low) ** share), here.low), here.high)
    winner = {n: r.fixed if isinstance(r, Fixed) else r.default for n, r in search.ranges().items()}
    winner[name] = value
    start = dict(search.carried(make_setting(winner), at, to))
    carried = start[name]
    assert start == {**winner, name: carried}  # nothing else scales
    assert there.low <= carried <= there.high
    assert carried in (significant(carried), there.low, there.high)
    by = (to / at) ** learner.hyperparameters[name].scaling[axis]
    if there.low < carried < there.high:
        assert carried == pytest.approx(by * value, rel=1e-3)
        (back,) = search.carried(((name, carried),), to, at)
        if here.low < back[1] < here.high:
            assert 1 / ROUNDING <= back[1] / value <= ROUNDING


@given(scaled, levels, levels)
def test_the_default_at_one_level_is_carried_to_that_at_another(what, at, to):
    learner, axis, name = what
    search = search_of(learner, axis)
    known, there = learner.hyperparameters[name], search.ranges(to)[name]
    here = search.ranges(at)[name].default
    assume(known.low < here < known.high and known.low < there.default < known.high)
    ((_, carried),) = search.carried(((name, here),), at, to)
    assert 1 / ROUNDING <= carried / there.default <= ROUNDING


def test_a_setting_stays_as_it_is_where_nothing_scales():
    setting = make_setting({"max_features": 0.123456, "bootstrap": True, "criterion": "gini"})
    assert Search("forest").carried(setting, 1, 1024) == setting
    assert Search("forest").ranges(1024) == Search("forest").ranges()
    assert Search("perceptron").ranges(1) == Search("perceptron").ranges()


ROWS = re.findall(r"^\| `(\w+)/(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("learner", "axis", "row"), ROWS)
def test_the_ranges_in_the_docs_are_the_catalogs(learner, axis, row):
    level, *shown = map(float, row.split(" | "))
    rate = Search(learner, axis=axis).ranges(level)["learning_rate"]
    assert shown == [rate.low, rate.default, rate.high]


def test_the_docs_show_every_axis_that_moves_a_range():
    assert {row[:2] for row in ROWS} == {(known.name, axis) for known, axis, _ in SCALED}


def test_a_catalog_that_could_not_scale_is_refused():
    with pytest.raises(ValueError, match="no whole number"):
        Number(1, 100, 10, integer=True, scaling={"depth": 1.0})
    with pytest.raises(ValueError, match="low < default"):
        Number(0.1, 1.0, 0.1, scaling={"depth": 1.0})
    rate = Number(1e-4, 1e-1, 1e-3, scaling={"depth": -1.0})
    for axes, others in [((), {}), ((Axis("depth", 1, 8, (1, 2)),), {"depth": Choice((1,), 1)})]:
        with pytest.raises(ValueError, match="x: rate scales with 'depth'"):
            Learner("x", "", axes, {"rate": rate, **others})
