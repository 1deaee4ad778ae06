"""The knee is where Kneedle finds it, moves with the range, and needs a bend to be found."""

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.returns.knee import knee

CURVES = Path(__file__).parents[2].parent / "shared" / "data" / "curves"


@pytest.mark.parametrize(("top", "named"), [(56, 32), (110, 44), (1202, 110)])
def test_on_he_s_table_it_moves_with_the_range(top: int, named: int) -> None:
    table = CURVES / "resnet_cifar10_depth.csv"
    if not table.exists():
        pytest.skip("the published curves are not beside this checkout")
    with table.open() as lines:
        rows = [row for row in csv.DictReader(lines) if int(row["depth"]) <= top]
    depths = [int(row["depth"]) for row in rows]
    assert depths[-1] == top
    assert knee(depths, [float(row["test_error_percent"]) for row in rows], "minimize") == named


def test_a_known_bend() -> None:
    """Rises to level 3 and stays: normalised it is there a score of 1 over a level of 1/4."""
    assert knee([1, 3, 5, 7, 9], [0.2, 0.9, 0.9, 0.9, 0.9], "maximize") == 3
    assert knee([1, 3, 5, 7, 9], [0.8, 0.1, 0.1, 0.1, 0.1], "minimize") == 3


@pytest.mark.parametrize(
    ("levels", "scores"),
    [
        ([], []),
        ([1], [0.5]),
        ([1, 2], [0.5, 0.6]),
        ([1, 2, 3], [0.5, 0.5, 0.5]),
        ([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4]),  # straight, but for rounding
        ([1, 2, 4, 8], [0.1, 0.2, 0.4, 0.8]),
        ([1, 2, 3, 4], [1, 2, 4, 8]),  # bends the other way
        ([1, 2, 3], [3, 2, 1]),  # falls
    ],
)
def test_where_nothing_bends_there_is_none(levels: list[float], scores: list[float]) -> None:
    assert knee(levels, scores, "maximize") is None


def test_of_two_equal_bends_it_is_the_smaller_level() -> None:
    # Above the diagonal by 1/4 at both 2 and 3.
    assert knee([1, 2, 3, 5], [0, 2, 3, 4], "maximize") == 2
    # By 1/3 at both, where rounding puts 3 above 2.
    assert knee([1, 2, 3, 4], [0, 2, 3, 0], "maximize") == 2


@settings(deadline=None)
@given(
    points=st.lists(
        st.tuples(st.integers(1, 500), st.integers(-50, 50)),
        min_size=3,
        max_size=9,
        unique_by=lambda point: point[0],
    ),
    data=st.data(),
)
def test_units_direction_and_order_make_no_difference(
    points: list[tuple[int, int]], data: st.DataObject
) -> None:
    levels, scores = [x for x, _ in points], [y for _, y in points]
    found = knee(levels, scores, "maximize")
    assert found is None or found in sorted(levels)[1:-1]
    assert knee(levels, [-y for y in scores], "minimize") == found
    assert knee(levels, [4 * y + 100 for y in scores], "maximize") == found
    mixed = data.draw(st.permutations(points))
    assert knee([x for x, _ in mixed], [y for _, y in mixed], "maximize") == found


@pytest.mark.parametrize(
    ("levels", "scores", "direction", "message"),
    [
        ([1, 2, 3], [1, 2], "maximize", "scores: there are 2 for 3"),
        ([1, 2, 2], [1, 2, 3], "maximize", "levels: one is there twice"),
        ([1, 2, 3], [1, math.nan, 3], "maximize", "must be finite"),
        ([1, 2, math.inf], [1, 2, 3], "maximize", "must be finite"),
        ([1, 2, 3], [1, 2, 3], "up", "direction is 'up'"),
    ],
)
def test_what_is_wrong_is_named(
    levels: list[float], scores: list[float], direction: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        knee(levels, scores, direction)  # type: ignore[arg-type]
