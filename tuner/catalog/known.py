"""Learners whose answer is known beforehand."""

from __future__ import annotations

from tuner.catalog.kinds import Axis, Learner, Number

ALL = (
    Learner(
        "simulated",
        "a returns curve that is known beforehand, for trying out policies and clusters",
        axes=(
            Axis("depth", 1, 1_048_576, (1, 2, 4, 8, 16), description="levels of the known curve"),
            Axis(
                "trees",
                1,
                1_048_576,
                (1, 2, 4, 8, 16),
                nested=True,
                description="the same, scored from one fit",
            ),
        ),
        hyperparameters={
            "learning_rate": Number(
                1e-4, 1.0, 1e-2, log=True, description="best at 0.01, quadratic in its log"
            ),
            "floor": Number(
                0.0, 1.0, 0.05, tuned=False, description="error that no capacity goes below"
            ),
            "gain": Number(-1.0, 1.0, 0.1, tuned=False, description="error saved by each doubling"),
            "plateau": Number(
                1, 1_048_576, 4, log=True, tuned=False, description="level where gains end"
            ),
            "noise": Number(
                0.0, 1.0, 0.005, tuned=False, description="standard deviation between replicates"
            ),
            "seconds": Number(
                0.0, 3600.0, 0.0, tuned=False, description="time that a fit takes at any level"
            ),
            "failures": Number(
                0.0, 1.0, 0.0, tuned=False, description="share of the fits that diverge"
            ),
        },
        listed=False,
    ),
)
