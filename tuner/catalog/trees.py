"""Learners made of trees."""

from __future__ import annotations

from tuner.catalog.kinds import SAMPLES, Axis, Choice, Learner, Number

ALL = (
    Learner(
        "forest",
        "random forest, or extra trees; one fit scores every smaller forest",
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
            Axis(
                "leaves",
                2,
                1_048_576,
                (4, 16, 64, 256, 1024),
                description="most leaves of a tree",
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
            "splitter": Choice(
                ("best", "random"),
                "best",
                tuned=False,
                description="thresholds of a split: the best, or drawn at random (extra trees)",
            ),
            "bootstrap": Choice(
                (True, False), True, tuned=False, description="draw each tree's examples anew"
            ),
            "criterion": Choice(
                ("gini", "entropy"),
                "gini",
                tuned=False,
                description="what a split of classes reduces",
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
            "leaves": Number(
                0,
                1_048_576,
                0,
                integer=True,
                tuned=False,
                description="most leaves of a tree; 0 for as many as it takes",
            ),
        },
        tasks=("classification", "regression"),
    ),
    Learner(
        "boosting",
        "gradient boosting on histograms; one fit scores every earlier round",
        axes=(
            Axis(
                "rounds",
                1,
                65_536,
                (4, 16, 64, 256),
                nested=True,
                description="rounds of boosting",
            ),
            Axis("leaves", 2, 65_536, (2, 4, 8, 16, 32), description="most leaves of a tree"),
            SAMPLES,
        ),
        hyperparameters={
            "learning_rate": Number(
                1e-2, 1.0, 0.1, log=True, description="share of a tree's correction that is made"
            ),
            "l2": Number(1e-6, 1e3, 1e-3, log=True, description="L2 penalty on leaves' values"),
            "min_samples_leaf": Number(
                1, 200, 10, log=True, integer=True, description="fewest examples in a leaf"
            ),
            "rounds": Number(
                1,
                65_536,
                100,
                log=True,
                integer=True,
                tuned=False,
                description="rounds of boosting",
            ),
            "leaves": Number(
                2,
                65_536,
                16,
                log=True,
                integer=True,
                tuned=False,
                description="most leaves of a tree",
            ),
        },
        tasks=("classification", "regression"),
    ),
)
