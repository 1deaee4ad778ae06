"""What runs, and what befalls it: the short storm and the long one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.chaos.faults import TARGETS, Fault
from tuner import JobSpec

MINUTE = 60.0


def _simulated(seconds: float, levels: Sequence[int], **more: float) -> dict[str, object]:
    space = {"seconds": seconds, **more}
    return {"learner": "simulated", "axis": "depth", "levels": tuple(levels), "space": space}


def short_jobs() -> dict[str, JobSpec]:
    """Returns, by name, jobs that take some seconds."""
    plan = {
        "tuning": {"trials": 2, "generation": 2},
        "measuring": {"min_replicates": 4, "max_replicates": 5},
        "resources": {"slots": 2},
        "baseline": None,
    }
    return {
        "squall": JobSpec(
            dataset="digits", searches=[_simulated(1.0, (1, 2, 4, 8))], seed=1, **plan
        ),
        "gust": JobSpec(
            dataset="digits",
            searches=[
                _simulated(0.8, (1, 2, 4), failures=0.2),
                {"learner": "forest", "levels": (1, 4, 16)},
            ],
            seed=2,
            **plan,
        ),
    }


def short_faults() -> list[Fault]:
    """Returns the short storm's faults, in order."""
    return [
        Fault("runner", waits=False),
        Fault("leader", away=0.5, waits=False),
        Fault("trial worker"),
        Fault("PostgreSQL", way="immediate"),
    ]


def long_jobs(data: str) -> dict[str, JobSpec]:
    """Returns, by name, jobs that take a minute or two each.

    Args:
        data: A data set of a file, which is uploaded.
    """
    plan = {
        "tuning": {"trials": 4, "generation": 2},
        "measuring": {"min_replicates": 4, "max_replicates": 8},
        "resources": {"slots": 2},
    }
    return {
        "typhoon": JobSpec(
            dataset="digits",
            searches=[
                _simulated(1.5, (1, 2, 4, 8, 16, 32)),
                {"learner": "forest", "levels": (1, 4, 16)},
            ],
            seed=11,
            **plan,
        ),
        "cyclone": JobSpec(
            dataset=data,
            searches=[_simulated(2.0, (1, 2, 4, 8, 16), failures=0.1)],
            seed=12,
            **plan,
        ),
        "tornado": JobSpec(
            dataset=data,
            searches=[
                _simulated(1.5, (1, 2, 4, 8), noise=0.02),
                {"learner": "boosting", "levels": (1, 2, 4)},
            ],
            seed=13,
            **plan,
        ),
        "monsoon": JobSpec(
            dataset="digits",
            searches=[
                _simulated(1.0, (1, 2, 4, 8, 16)),
                {**_simulated(2.0, (1, 2, 4), gain=0.05), "key": "second"},
            ],
            seed=14,
            **plan,
        ),
    }


def long_faults(seed: int) -> list[Fault]:
    """Draws the long storm's faults: everyone killed, and frozen for seconds and for a minute."""
    rng = np.random.default_rng([seed, 3])
    kills = {"leader": 4, "follower": 2, "runner": 5, "trial worker": 5, "raylet": 3}

    def away() -> float:
        return float(rng.uniform(0, 3))

    faults = [
        Fault(target, away=away(), waits=bool(rng.random() < 0.7))
        for target, count in kills.items()
        for _ in range(count)
    ]
    faults += [Fault("head node", away=away()) for _ in range(2)]
    faults += [
        Fault("PostgreSQL", away=float(rng.uniform(1, 10)), way=way)
        for way in ("postmaster", "immediate", "all")
    ]
    faults += [
        Fault(target, frozen=float(rng.uniform(2, 12)), waits=bool(rng.random() < 0.7))
        for target in TARGETS
    ]
    # Others are struck while these stand still, where that leaves anything to strike.
    alone = ("leader", "head node", "PostgreSQL")
    faults += [
        Fault(target, frozen=MINUTE, waits=target in alone)
        for target in TARGETS
        if target != "follower"
    ]
    return [faults[i] for i in rng.permutation(len(faults))]
