"""Spaces as Ray Tune and Optuna write them, all of their kinds, decoded to what they mean."""

from __future__ import annotations

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from ray import tune

from tuner.catalog import Choice, Number
from tuner.integrations.ascent import Task
from tuner.integrations.ray.config import Keys, placed
from tuner.integrations.ray.space import read_space
from tuner.record import Member, Phase


def values(domain: object) -> list[object]:
    """Returns all that a parameter with few values can be."""
    parameter = read_space({"x": domain}).parameters["x"]
    if isinstance(parameter.range, Choice):
        return [parameter.decode(v) for v in parameter.range.values]
    assert parameter.range.integer
    return [
        parameter.decode(i) for i in range(int(parameter.range.low), int(parameter.range.high) + 1)
    ]


def named(value: object) -> str:
    """Names a case alike in every process: what Ray's spaces show of themselves is an address."""
    return str(value) if isinstance(value, bool | int | float | str) else type(value).__name__


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        (tune.randint(1, 4), [1, 2, 3]),  # Ray's upper bounds are exclusive,
        (tune.lograndint(1, 4), [1, 2, 3]),
        (tune.qrandint(1, 4, 1), [1, 2, 3]),
        (tune.qrandint(2, 8, 2), [2, 4, 6, 8]),  # but for steps above 1
        (tune.qrandint(3, 9, 2), [4, 6, 8]),
        (tune.qlograndint(8, 32, 8), [8, 16, 24, 32]),
        (tune.quniform(0, 0.5, 0.1), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        (tune.qloguniform(0.1, 0.4, 0.1), [0.1, 0.2, 0.3, 0.4]),
        (tune.quniform(1, 3, 1), [1.0, 2.0, 3.0]),
        (tune.choice(["relu", "tanh"]), ["relu", "tanh"]),
        (tune.choice([None, [64, 64], True, 1]), [None, [64, 64], True, 1]),
        (IntDistribution(1, 3), [1, 2, 3]),
        (IntDistribution(1, 9, step=4), [1, 5, 9]),
        (FloatDistribution(0.1, 0.7, step=0.3), [0.1, 0.4, 0.7]),
        (CategoricalDistribution([8, None]), [8, None]),
    ],
    ids=named,
)
def test_every_value_and_no_other(domain, expected):
    found = values(domain)
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


@pytest.mark.parametrize(
    "domain",
    [
        tune.randint(1, 4),
        tune.lograndint(1, 40),
        tune.qrandint(3, 9, 2),
        tune.qlograndint(8, 32, 8),
        tune.quniform(0, 0.5, 0.1),
        tune.qloguniform(0.1, 0.4, 0.1),
    ],
    ids=named,
)
def test_ray_draws_nothing_else(domain):
    allowed = values(domain)
    for seed in range(300):
        drawn = domain.sample(random_state=seed)
        assert any(drawn == pytest.approx(v) for v in allowed), drawn


@pytest.mark.parametrize(
    ("domain", "log"),
    [
        (tune.uniform(0.1, 10.0), False),
        (tune.loguniform(0.1, 10.0), True),
        (FloatDistribution(0.1, 10.0), False),
        (FloatDistribution(0.1, 10.0, log=True), True),
    ],
    ids=named,
)
def test_ranges_keep_their_bounds_and_their_scale(domain, log):
    found = read_space({"x": domain}).parameters["x"].range
    middle = 1.0 if log else 5.05
    assert found == Number(0.1, 10.0, pytest.approx(middle), log, False)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"x": tune.randn()}, "'x' has no bounds"),
        ({"x": tune.sample_from(lambda config: 1)}, "'x' has no bounds"),
        ({"x": tune.grid_search([1, 2])}, "'x' is a grid"),
        ({"x": tune.randint(4, 4)}, "'x' goes from 4 to 3"),
        ({"x": tune.choice([])}, "'x' has nothing to choose from"),
        ({"a": [tune.uniform(0, 1)]}, "'a/0' is within a list"),
        ({"a/b": tune.uniform(0, 1)}, "has a slash"),
        ({"a": {"b": tune.randn()}}, "'a/b' has no bounds"),
    ],
    ids=named,
)
def test_what_can_not_be_tuned_is_named(space, said):
    with pytest.raises(ValueError, match=said):
        read_space(space)


def test_constants_stay_where_they_are():
    space = read_space({"net": {"rate": tune.uniform(0, 1), "act": "relu"}, "k": (1, 2), "e": {}})
    assert list(space.parameters) == ["net/rate"]
    assert space.constants == {"net": {"act": "relu"}, "k": (1, 2), "e": {}}
    assert placed(space.constants, {"net/rate": 0.5})["net"] == {"act": "relu", "rate": 0.5}
    assert space.constants["net"] == {"act": "relu"}  # a copy was filled in


@pytest.mark.parametrize(
    ("domain", "start"),
    [
        (tune.loguniform(1e-4, 1), 0.003),
        (tune.quniform(0, 0.5, 0.1), 0.3),
        (tune.randint(1, 9), 7),
        (tune.choice(["a", "b"]), "b"),
        (tune.choice([None, (1, 2)]), (1, 2)),
        (FloatDistribution(0.1, 0.7, step=0.3), 0.4),
    ],
    ids=named,
)
def test_a_start_is_what_comes_out_again(domain, start):
    parameter = read_space({"x": domain}).starting_at({"x": start}).parameters["x"]
    assert parameter.decode(parameter.range.default) == start


@pytest.mark.parametrize(
    ("domain", "start", "said"),
    [
        (tune.uniform(0, 1), 2.0, "from 0 to 1"),
        (tune.uniform(0, 1), "small", "give a number"),
        (tune.randint(1, 9), 9, "from 1 to 8"),
        (tune.randint(1, 9), 2.5, "a whole number"),
        (tune.quniform(0, 0.5, 0.1), 0.25, "in steps of 0.1"),
        (tune.choice(["a", "b"]), "c", "choose of 'a', 'b'"),
        (tune.choice([0, 1]), True, "choose of 0, 1"),
    ],
    ids=named,
)
def test_a_start_that_can_not_be_is_named(domain, start, said):
    with pytest.raises(ValueError, match=said):
        read_space({"x": domain}).starting_at({"x": start})


def test_a_runner_up_is_told_to_measure_on_the_winners_own_replicate():
    """A trainable scores it like the winner, so that the two can be paired."""
    keys = Keys("width", "seed", "phase", 20)
    told = {
        phase: keys.values(Task(phase, Member((), 4, 3)), read_space({"rate": tune.uniform(0, 1)}))
        for phase in Phase
    }
    assert told[Phase.RUNNER_UP] == told[Phase.MEASURING]
    assert told[Phase.MEASURING] == {"width": 4, "seed": 3, "phase": "measuring"}
    assert told[Phase.TUNING] == {"width": 4, "seed": 23, "phase": "tuning"}
