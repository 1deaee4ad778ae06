"""Learners made of trees."""

from __future__ import annotations

from tuner.catalog.kinds import SAMPLES, Axis, Choice, Learner, Number

ALL = (
    Learner(
        "forest",
        "random forest; one fit scores every smaller forest",
        axes=(
            Axis(
                "trees",
                1,
                65_536,
                (1, 4, 16, 64, 256, 1024),
                metric="brier",
                nested=True,
                description="trees in the forest",
            ),
            SAMPLES,
        ),
        hyperparameters={
            "max_features": Number(
                0.01,
                1.0,
                0.125,
                log=True,
                description="share of the features that a split looks at",
            ),
            "min_samples_leaf": Number(
                1, 64, 1, log=True, integer=True, description="fewest examples in a leaf"
            ),
            "bootstrap": Choice(
                (True, False), True, tuned=False, description="draw each tree's examples anew"
            ),
            "criterion": Choice(
                ("gini", "entropy"), "gini", tuned=False, description="what a split reduces"
            ),
            "trees": Number(
                1,
                65_536,
                256,
                log=True,
                integer=True,
                tuned=False,
                description="trees in the forest",
            ),
        },
    ),
)
