"""Neural networks."""

from __future__ import annotations

from tuner.catalog.kinds import SAMPLES, Axis, Choice, Learner, Number

ALL = (
    Learner(
        "cnn",
        "plain stack of convolutions with normalisation, no shortcuts",
        axes=(
            Axis("depth", 1, 256, (1, 2, 4, 8), description="convolution layers"),
            Axis("filters", 1, 4096, (4, 8, 16, 32, 64), description="filters of the first stage"),
            Axis("epochs", 1, 1000, (2, 4, 8, 16, 32), description="passes over the data"),
            SAMPLES,
        ),
        hyperparameters={
            "learning_rate": Number(
                1e-4,
                1e-1,
                3e-3,
                log=True,
                description="peak of the schedule",
                scaling={"depth": -0.5, "filters": -0.5},
            ),
            "weight_decay": Number(1e-6, 1e-1, 1e-3, log=True, description="decoupled decay"),
            "dropout": Number(0.0, 0.6, 0.1, description="share dropped before the last layer"),
            "depth": Number(
                1, 256, 2, log=True, integer=True, tuned=False, description="convolution layers"
            ),
            "filters": Number(
                1,
                4096,
                16,
                log=True,
                integer=True,
                tuned=False,
                description="filters of the first stage",
            ),
            "epochs": Number(
                1, 1000, 8, log=True, integer=True, tuned=False, description="passes over the data"
            ),
            "batch_size": Number(
                8, 4096, 64, log=True, integer=True, tuned=False, description="examples a step"
            ),
        },
        fused=("learning_rate", "weight_decay", "dropout"),
    ),
    Learner(
        "resnet",
        "residual network of 6n+2 layers: convolutions with shortcuts around every two",
        axes=(
            Axis("depth", 8, 1202, (8, 14, 20, 32), description="layers", step=6, offset=2),
            Axis("filters", 1, 4096, (4, 8, 16, 32), description="filters of the first stage"),
            Axis("epochs", 1, 1000, (2, 4, 8, 16, 32), description="passes over the data"),
            SAMPLES,
        ),
        hyperparameters={
            "learning_rate": Number(1e-4, 1e-1, 1e-2, log=True, description="peak of the schedule"),
            "weight_decay": Number(1e-6, 1e-1, 1e-3, log=True, description="decoupled decay"),
            "preactivation": Choice(
                (False, True),
                False,
                tuned=False,
                description="normalise before convolutions, not after them",
            ),
            "depth": Number(
                8, 1202, 14, log=True, integer=True, tuned=False, description="layers, 6n+2"
            ),
            "filters": Number(
                1,
                4096,
                16,
                log=True,
                integer=True,
                tuned=False,
                description="filters of the first stage",
            ),
            "epochs": Number(
                1, 1000, 8, log=True, integer=True, tuned=False, description="passes over the data"
            ),
            "batch_size": Number(
                8, 4096, 64, log=True, integer=True, tuned=False, description="examples a step"
            ),
        },
    ),
)
