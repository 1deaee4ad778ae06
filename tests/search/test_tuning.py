"""Settings to try next: every sampler learns, repeats itself exactly, and stays in its ranges."""

import math
import warnings

import pytest

from tuner.catalog import Choice, Number
from tuner.record import Setting
from tuner.search.tuning import default_setting, propose
from tuner.spec import Fixed

RANGES = {
    "rate": Number(1e-4, 1e-1, 3e-3, log=True),
    "dropout": Number(0.0, 0.6, 0.1),
    "layers": Number(1, 8, 2, integer=True),
    "loss": Choice(("hinge", "log"), "log"),
    "momentum": Fixed(fixed=0.9),
}
SAMPLERS = ("tpe", "gp", "cmaes", "genetic", "random")


def score(setting: Setting) -> float:
    """Lowest at a rate of .01 and a dropout of .2."""
    values = dict(setting)
    rate, dropout = values["rate"], values["dropout"]
    assert isinstance(rate, float)
    assert isinstance(dropout, float)
    return abs(math.log10(rate) + 2) + (dropout - 0.2) ** 2


def search(sampler: str, steps: int, seed: int = 0) -> list[tuple[Setting, float | None]]:
    tried: list[tuple[Setting, float | None]] = []
    for step in range(steps):
        found = propose(
            RANGES, tried=tried, first=[], count=4, sampler=sampler, seed=100 * seed + step
        )
        assert len(found) == 4
        tried += [(setting, score(setting)) for setting in found]
    return tried


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_arguments_give_the_same_settings_in_their_ranges(sampler: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steps = 2 if sampler == "gp" else 4  # it takes seconds for what the others do at once
        tried = search(sampler, steps)
        assert tried == search(sampler, steps)
    assert tried[:4] != search(sampler, 1, seed=1)
    assert len({setting for setting, _ in tried}) == 4 * steps
    for setting, _ in tried:
        values = dict(setting)
        assert 1e-4 <= values["rate"] <= 1e-1
        assert 0 <= values["dropout"] <= 0.6
        assert values["layers"] in range(1, 9)
        assert values["loss"] in ("hinge", "log")
        assert values["momentum"] == 0.9


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "genetic"])
def test_a_sampler_that_learns_ends_nearer_to_the_best_than_chance(sampler: str) -> None:
    """The mean of the last two generations of six, over five seeds."""

    def late(name: str) -> float:
        ends = [s for seed in range(5) for _, s in search(name, 6, seed)[-8:] if s is not None]
        return sum(ends) / len(ends)

    assert late(sampler) < 0.7 * late("random")


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_failures_are_told_and_warm_starts_come_first(sampler: str) -> None:
    first = default_setting(RANGES)
    found = propose(RANGES, tried=[], first=[first], count=3, sampler=sampler, seed=0)
    assert found[0] == first
    tried: list[tuple[Setting, float | None]] = [(setting, None) for setting in found]
    again = propose(RANGES, tried=tried, first=[first], count=3, sampler=sampler, seed=1)
    assert not set(again) & set(found)


def test_a_space_that_is_used_up_gives_fewer() -> None:
    few = {"loss": Choice(("hinge", "log"), "log")}
    assert len(propose(few, tried=[], first=[], count=5, sampler="tpe", seed=0)) == 2
