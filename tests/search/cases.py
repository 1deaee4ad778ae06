"""Searches of every kind that a spec allows, drawn by hypothesis."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.search.bench import Table
from tuner.record import Member, Phase, seed_of
from tuner.spec import JobSpec

COARSE = (1, 2, 4, 8, 16)
FINE = (1, 2, 3, 4, 5, 6, 7, 8)
LADDERS = (COARSE, FINE, (1, 2), (2, 3), (3, 4, 6, 9, 13), (1, 10, 11, 200))
AXES = (("simulated", "depth"), ("simulated", "trees"), ("cnn", "depth"))


@dataclass(frozen=True)
class Case:
    """A search to run.

    Attributes:
        spec: Its spec, of one search.
        table: What answers its packets.
    """

    spec: JobSpec
    table: Table

    @property
    def key(self) -> str:
        return self.spec.searches[0].key

    def __repr__(self) -> str:
        said = self.spec.model_dump(exclude_defaults=True)
        fate = {k: v for k, v in vars(self.table).items() if k not in ("spec", "truth", "breaks")}
        return f"Case({said}, {fate})"


def breaking(share: float, luck: int):
    """Returns which fits diverge: so many of all, some replicates more often than others."""

    def breaks(phase: Phase, member: Member) -> bool:
        chance = random.Random(seed_of(phase.value, repr(member), luck)).random()
        often = random.Random(seed_of(member.level, member.replicate, luck)).random()
        return chance < share * 2 * often

    return breaks


def plateau_at(level: int, gain: float = 0.1):
    return lambda c: 0.05 + gain * max(0.0, math.log2(level / c))


@st.composite
def cases(draw, axes=AXES, ladders=LADDERS, calm=False, **given) -> Case:
    """Draws a search; what is given isn't drawn. A calm one has little noise and no failures."""
    learner, axis = draw(st.sampled_from(axes))
    search = {"learner": learner, "axis": axis, "levels": draw(st.sampled_from(ladders))}
    kind = draw(st.sampled_from(["tuned"] * 6 + ["fixed", "few values"]))
    if kind != "tuned":
        space = {"weight_decay": 0.001, "dropout": 0.1} if learner == "cnn" else {}
        few_values = {"choices": [0.01, 0.02, 0.05]}
        search["space"] = {**space, "learning_rate": 0.02 if kind == "fixed" else few_values}
    few = draw(st.integers(2, 5))
    retune = draw(st.sampled_from([False, False, False, True]))
    tuning = {
        "trials": draw(st.sampled_from([4, 1, 2, 3, 5, 6, 7])),
        "generation": draw(st.integers(1, 4)),
        "sampler": draw(st.sampled_from(["random", "random", "tpe", "cmaes", "genetic"])),
        "race": 1 if retune else draw(st.integers(1, 3)),
        "retune": retune,
    }
    data = {
        "dataset": "digits",
        "margin": 0.02,
        "baseline": None,
        "searches": [search],
        "patience": draw(st.integers(1, 3)),
        "seed": draw(st.integers(0, 9)),
        "tuning": tuning,
        "measuring": {
            "min_replicates": few,
            "max_replicates": few + draw(st.integers(0, 6)),
            "batch": draw(st.integers(1, 3)),
        },
        "resources": {"fuse": draw(st.integers(1, 4))},
        "budget": {"trials": draw(st.sampled_from([None, None, None, None, 1, 5, 9, 20]))},
        "worth": draw(st.sampled_from([None, None, {"gain": 0.02, "device_hours": 1.0}])),
        **given,
    }
    spec = JobSpec.parse(data)
    luck = draw(st.integers(0, 999))
    costs = {k: 3600.0 * k * draw(st.floats(0.4, 2.0)) for k in search["levels"]}
    where = draw(st.sampled_from([3, 1, 2, 4, 7, 8, 10**4]))
    table = Table(
        spec,
        plateau_at(where, draw(st.sampled_from([0.1, 0.05, 0.02, -0.02]))),
        sd=draw(st.sampled_from([0.002, 0.0, 0.001, 0.005] + [0.01, 0.1] * (not calm))),
        fails=() if calm else draw(st.sampled_from([(), (), (), (2,), (3, 4), (1, 2, 3, 4, 8)])),
        best=draw(st.sampled_from([lambda level: 0.002, lambda level: 0.02 / level, None])),
        slope=draw(st.sampled_from([0.05, 0.01])),
        scatter=draw(st.sampled_from([0.0, 0.002, 0.01])),
        breaks=None if calm else breaking(draw(st.sampled_from([0.0, 0.0, 0.1, 0.5])), luck),
        digits=draw(st.sampled_from([15, 15, 2])),
        seconds=costs.__getitem__,
        jitter=0.05,
        luck=luck,
    )
    return Case(spec, table)


def climbing(axes, **given):
    """Draws searches that get far: winners change and levels that were passed over are opened."""
    return cases(
        axes=axes,
        ladders=(COARSE, FINE),
        calm=True,
        patience=1,
        tuning={"trials": 5, "generation": 3},
        budget={},
        worth=None,
        **given,
    )


CLIMBING = climbing((("simulated", "depth"), ("cnn", "depth")))
