"""Level probabilities are the posterior's, where it can be had in another way."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from tuner.curve import Question
from tuner.returns import analyze_examples
from tuner.returns.bounds import Floats
from tuner.returns.designs import FIXED, SEQUENTIAL, Design, Resampled
from tuner.returns.evidence import Replicates
from tuner.returns.examples import Examples
from tuner.returns.probabilities import DRAWS, FEWEST, level_probabilities

pytestmark = pytest.mark.filterwarnings("error")

# A busy machine is no failure of the property.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)

OFF = 4 * 0.5 / math.sqrt(DRAWS)
"""Four standard errors of a share of the draws."""


def question(levels: tuple[float, ...], margin: float = 0.1, **changes: object) -> Question:
    asked = Question("d", "", "d", levels, "accuracy", "maximize", margin)
    return replace(asked, **changes)


def replicates(values: Floats, design: Design = FIXED) -> Replicates:
    levels = tuple(2.0**i for i in range(len(values)))
    return Replicates(levels, tuple(range(values.shape[1])), values, design)


def drawn(seed: int, levels: int, n: int, noise: float = 0.1) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.1, (levels, 1)) + rng.normal(0, 1, n) + rng.normal(0, noise, (levels, n))


@unhurried
@given(
    st.integers(0, 2**32 - 1),
    st.integers(5, 20),
    st.sampled_from([FIXED, SEQUENTIAL, Resampled(1, 4)]),
)
def test_of_two_levels_they_are_a_t_s(seed: int, n: int, design: Design) -> None:
    values = drawn(seed, 2, n)
    d = values[1] - values[0]
    error = d.std(ddof=1) * (math.sqrt(1 / n + 1 / 4) if design.name == "resampled" else n**-0.5)
    first = stats.t.cdf((0.1 - d.mean()) / error, n - 1)
    found = level_probabilities(question((1, 2)), replicates(values, design), seed=seed)
    assert found is not None
    assert found[1] == pytest.approx(first, abs=OFF)
    assert found[1] + found[2] == pytest.approx(1)


def test_of_more_levels_they_are_a_multivariate_t_s() -> None:
    n, levels = 6, (1.0, 2.0, 4.0, 8.0)
    values = drawn(35, 4, n, noise=0.2)
    means, cov = values.mean(axis=1), np.cov(values) / n
    posterior = stats.multivariate_t(means, cov, n - 1, allow_singular=True)
    worth = posterior.rvs(20_000, random_state=0) - 0.1 * np.log2(levels)
    expected = dict.fromkeys(levels, 0)
    for row in worth:
        expected[next(k for i, k in enumerate(levels) if all(row[i + 1 :] < row[i]))] += 1
    found = level_probabilities(question(levels), replicates(values))
    assert found is not None
    for k in levels:
        assert found[k] == pytest.approx(expected[k] / 20_000, abs=1.5 * OFF)
    assert min(found.values()) > 0.05  # else the comparison would say little


def test_of_two_levels_on_examples_both_sources_count() -> None:
    """Draws are the sum of a t over replicates and a t over examples."""
    rng = np.random.default_rng(1)
    r, m = 6, 20
    d = 0.1 + rng.normal(0, 0.1, (r, 1)) + rng.normal(0, 0.2, (1, m)) + rng.normal(0, 0.1, (r, m))
    common = rng.normal(0, 1, (r, m))
    of_replicates = d.mean(axis=1).std(ddof=1) / math.sqrt(r)
    of_examples = d.mean(axis=0).std(ddof=1) / math.sqrt(m)

    def density(x: float) -> float:
        rest = (0.1 - d.mean() - x) / of_examples
        return float(
            stats.t.pdf(x / of_replicates, r - 1) / of_replicates * stats.t.cdf(rest, m - 1)
        )

    first, _ = integrate.quad(density, -2, 2, points=[0])
    evidence = Examples((1, 2), np.stack([common, common + d]))
    found = level_probabilities(question((1, 2)), evidence)
    assert found is not None
    assert found[1] == pytest.approx(first, abs=OFF)


@unhurried
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 8))
def test_they_add_up_to_one_or_there_are_too_few_replicates(seed: int, levels: int, n: int) -> None:
    values = drawn(seed, levels, n)
    asked = question(tuple(2.0**i for i in range(levels)))
    found = level_probabilities(asked, replicates(values))
    if n < FEWEST:
        assert found is None
    else:
        assert found is not None
        assert list(found) == list(asked.levels)
        assert math.fsum(found.values()) == pytest.approx(1)
        assert all(0 <= chance <= 1 for chance in found.values())
        assert found == level_probabilities(asked, replicates(values))
        other = level_probabilities(asked, replicates(values), seed=1)
        assert other is not None
        assert other == {k: pytest.approx(chance, abs=1.5 * OFF) for k, chance in found.items()}


def test_another_seed_gives_other_draws() -> None:
    values = drawn(3, 2, 6)
    chances = [level_probabilities(question((1, 2)), replicates(values), seed=s) for s in range(5)]
    assert len({c[1] for c in chances if c is not None}) > 1


def test_only_replicates_that_all_levels_have_count() -> None:
    values = drawn(0, 3, 8)
    gaps = values.copy()
    gaps[0, 5] = gaps[1, 6] = gaps[2, 7] = np.nan
    asked = question((1, 2, 4))
    assert level_probabilities(asked, replicates(gaps)) == level_probabilities(
        asked, replicates(values[:, :5])
    )
    gaps[1, 0] = np.nan
    assert level_probabilities(asked, replicates(gaps)) is None


def test_nothing_pairs_unpaired_runs() -> None:
    evidence = replace(replicates(drawn(0, 3, 8)), paired=False)
    assert level_probabilities(question((1, 2, 4)), evidence) is None


def test_a_clear_truth_is_clear() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([0.1, 0.5, 0.9, 0.9, 0.9])[:, None]
    values = truth + rng.normal(0, 1, 10) + rng.normal(0, 0.01, (5, 10))
    found = level_probabilities(question((1, 2, 4, 8, 16)), replicates(values))
    assert found is not None
    assert found[4] > 0.999
    turned = question((1, 2, 4, 8, 16), direction="minimize")
    assert level_probabilities(turned, replicates(-values)) == found


def test_levels_that_never_differ_are_not_certain() -> None:
    """As their bounds do, draws reckon with a step of the metric."""
    rng = np.random.default_rng(0)
    first = 0.5 + rng.integers(-3, 4, 6) / 100
    values = np.stack([first, first, first + rng.integers(-1, 2, 6) / 100])
    d_error = 0.01 / math.sqrt(6) / math.sqrt(6)  # a step of .01 over √n, and that over √n
    found = level_probabilities(question((1, 2), margin=0.002), replicates(values[:2]))
    assert found is not None
    assert found[1] == pytest.approx(stats.t.cdf(0.002 / d_error, 5), abs=OFF)
    three = level_probabilities(question((1, 2, 4), margin=0.002), replicates(values))
    assert three is not None
    assert 0 < three[2] < 1
    # Where nothing varies anywhere the work may be deterministic: then it is as it seems.
    still = level_probabilities(question((1, 2)), replicates(np.full((2, 6), 0.5)))
    assert still == {1: 1, 2: 0}


def test_nor_are_identical_predictions() -> None:
    right = np.random.default_rng(0).random((6, 40)) < 0.5
    found = analyze_examples({1: right, 2: right}, margin=0.01)
    assert found.level_probabilities is not None
    assert found.level_probabilities[1] == pytest.approx(stats.t.cdf(0.01 * 40, 39), abs=OFF)


def test_replicates_beyond_the_levels_ask_for_no_more_draws() -> None:
    """Else two hundred thousand of them would ask for 30 GB."""
    values = drawn(35, 4, 200_000)
    values += np.array([0.0, 0.2, 0.4, 0.5])[:, None] - values.mean(axis=1, keepdims=True)
    values[2] += 0.0005  # two standard errors
    found = level_probabilities(question((1, 2, 4, 8)), replicates(values))
    assert found is not None
    d = values[3] - values[2]
    error = d.std(ddof=1) / math.sqrt(200_000)
    assert found[4] == pytest.approx(stats.norm.cdf((0.1 - d.mean()) / error), abs=OFF)
