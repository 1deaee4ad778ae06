"""McNemar's test is the sign test of the examples on which two fits disagree."""

import numpy as np
import pytest
from scipy import stats

from tuner.returns.single_fits import McNemar, mcnemar


def rights(
    both: int, only_first: int, only_second: int, neither: int
) -> tuple[list[bool], list[bool]]:
    first = [True] * both + [True] * only_first + [False] * only_second + [False] * neither
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return first, second


def test_counts_and_an_exact_p_by_hand() -> None:
    """One of six for the first: 2·(1 + 6)/64."""
    result = mcnemar(*rights(80, 1, 5, 14))
    assert result == McNemar(80, 1, 5, 14, pytest.approx(14 / 64))
    assert result.difference == pytest.approx(0.04)
    swapped = mcnemar(*reversed(rights(80, 1, 5, 14)))
    assert swapped == McNemar(80, 5, 1, 14, result.p)
    assert swapped.difference == -result.difference


def test_examples_on_which_they_agree_do_not_matter() -> None:
    assert mcnemar(*rights(0, 3, 12, 0)).p == mcnemar(*rights(5000, 3, 12, 700)).p


def test_fits_that_never_disagree_are_not_told_apart() -> None:
    assert mcnemar(*rights(9, 0, 0, 3)).p == 1
    assert mcnemar(*rights(9, 4, 4, 3)).p == 1


def test_the_level_holds_and_a_difference_is_found() -> None:
    """Of 500 pairs of fits: equal ones at most 5 % by chance, unequal ones nearly all."""
    rng = np.random.default_rng(1)
    false = found = 0
    for _ in range(500):
        hard = rng.random(400)
        fits = [hard + rng.normal(0, 0.2, 400) < 0.7 for _ in range(2)]
        better = hard + rng.normal(0, 0.2, 400) < 0.82
        false += mcnemar(*fits).p <= 0.05
        found += mcnemar(fits[0], better).p <= 0.05
    assert 0 < false <= stats.binom.ppf(0.99, 500, 0.05)
    assert found >= 450


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([], [], "first has the shape"),
        ([1, 0], [True, False], "first has the shape"),
        ([True, False], [[True, False]], "second has the shape"),
        ([True, False], [True], "second has 1 examples and first has 2"),
    ],
)
def test_what_is_wrong_is_named(first: list[bool], second: list[bool], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mcnemar(first, second)
