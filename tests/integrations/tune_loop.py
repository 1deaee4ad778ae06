"""What Ray Tune does to a search algorithm, without Ray: asks, results and ends in any order."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune

from tuner.integrations.ray import ReturnsSearch

Config = dict[str, Any]
Result = dict[str, Any]
Trainable = Callable[[Config], list[Result]]
"""From a config to what a trial reports, one after the other. It may raise."""


def noise(*parts: object) -> float:
    return random.Random(repr(parts)).gauss(0.0, 1.0)


def error_of(config: Config, plateau: int = 4, sd: float = 0.002) -> float:
    """Error: a tenth less for each doubling up to the plateau, and noise that seeds share."""
    rate = config.get("rate", 0.01)
    shared, own = noise(config["seed"]), noise(config["width"], config["seed"])
    gain = 0.1 * max(0.0, math.log2(plateau / config["width"]))
    return 0.05 + gain + 0.01 * math.log10(rate / 0.01) ** 2 + sd * (5 * shared + own)


def train(config: Config) -> list[Result]:
    return [{"error": 0.9}, {"error": error_of(config)}]


def frail_here(config: Config) -> list[Result]:
    """Fails at three places, in three ways."""
    if (config["width"], config["seed"]) == (2, 1):
        raise RuntimeError("out of luck")
    if (config["width"], config["seed"]) == (1, 2):
        return [{"another": 1.0}]
    if (config["width"], config["seed"]) == (4, 3):
        return [{"error": 0.9}, {"error": math.nan}]
    return train(config)


def reporting(config: Config) -> None:
    """Is the same to Ray Tune, which looks for it by its module's name."""
    for result in frail_here(config):
        tune.report(result)


class Died(Exception):
    """The loop took too long."""


def fit(
    make: Callable[[], ReturnsSearch],
    train: Trainable = train,
    *,
    slots: int = 3,
    shuffle: int = 0,
    restart: float = 0.0,
    resume: bool = True,
    folder: Path | None = None,
) -> tuple[ReturnsSearch, list[Config]]:
    """Runs a search to its end on so many slots; the order of ends is drawn from a seed.

    With a chance of `restart`, after any end all is thrown away but what the search
    saved. What ran then runs again under its old names, or, without `resume`, never.

    Returns:
        The search, and every config that it asked for, in the order of asking.
    """
    chance = random.Random(shuffle)
    search = make()
    asked: list[Config] = []
    running: dict[str, Config] = {}
    for number in range(10_000):
        config = search.suggest(f"t{number}") if len(running) < slots else None
        if config == "FINISHED":
            return search, asked
        if config is not None:
            asked.append(config)
            running[f"t{number}"] = config
            continue
        assert running, "it waits for nothing"
        name = chance.choice(sorted(running))
        end(search, name, train, running.pop(name))
        if folder is not None and chance.random() < restart:
            search.save(str(folder / "state"))
            search = make()
            search.restore(str(folder / "state"))
            running = running if resume else {}
    raise Died


def end(search: ReturnsSearch, name: str, train: Trainable, config: Config) -> None:
    """Runs a function trainable to its end, as Tune tells of it."""
    last: Result | None = None
    try:
        for i, reported in enumerate(train(config), start=1):
            last = {**reported, "training_iteration": i, "time_total_s": float(config["width"])}
            search.on_trial_result(name, last)
    except RuntimeError:
        search.on_trial_complete(name, None, error=True)
        return
    search.on_trial_complete(name, last)
