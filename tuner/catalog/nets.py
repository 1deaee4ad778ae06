"""Neural networks."""

from __future__ import annotations

from tuner.catalog.kinds import SAMPLES, Axis, Choice, Learner, Number

_WEIGHT_DECAY = Number(1e-6, 1e-1, 1e-3, log=True, description="decoupled decay")

_BATCH_SIZE = Number(
    8, 4096, 64, log=True, integer=True, tuned=False, description="examples a step"
)

_FILTERS = Number(
    1,
    4096,
    16,
    log=True,
    integer=True,
    tuned=False,
    description="filters of the first stage",
)

ALL = (
    Learner(
        "mlp",
        "multilayer perceptron: hidden layers of ReLU units, by backpropagation",
        axes=(
            Axis("depth", 1, 64, (1, 2, 4, 8), description="hidden layers"),
            Axis("units", 1, 65536, (8, 16, 32, 64, 128), description="units of a hidden layer"),
            Axis(
                "epochs",
                1,
                1000,
                (5, 10, 20, 40),
                nested=True,
                description="passes over the data; the schedule knows no end",
            ),
            SAMPLES,
        ),
        hyperparameters={
            "learning_rate": Number(
                1e-4,
                1e-1,
                3e-3,
                log=True,
                description="constant after 50 steps",
                scaling={"depth": -0.5, "units": -0.5},
            ),
            "weight_decay": _WEIGHT_DECAY,
            "dropout": Number(0.0, 0.6, 0.1, description="share dropped of each hidden layer"),
            "normalisation": Choice(
                ("batch", "layer", "none"), "batch", description="before each ReLU"
            ),
            "depth": Number(
                1, 64, 2, log=True, integer=True, tuned=False, description="hidden layers"
            ),
            "units": Number(
                1,
                65536,
                128,
                log=True,
                integer=True,
                tuned=False,
                description="units of a hidden layer",
            ),
            "epochs": Number(
                1, 1000, 20, log=True, integer=True, tuned=False, description="passes over the data"
            ),
            "batch_size": _BATCH_SIZE,
        },
        tasks=("classification", "regression"),
        gradients=True,
    ),
    Learner(
        "rbm",
        "Bernoulli restricted Boltzmann machines, stacked, and softmax regression on top",
        axes=(
            Axis("units", 1, 65536, (32, 64, 128, 256, 512), description="units of a layer"),
            Axis("depth", 1, 16, (1, 2, 3, 4), description="machines, one on the other"),
            SAMPLES,
        ),
        hyperparameters={
            "learning_rate": Number(1e-3, 1.0, 0.1, log=True, description="of every machine"),
            "C": Number(
                1e-3, 1e3, 1.0, log=True, description="of the classifier: less pulls weights to 0"
            ),
            "algorithm": Choice(
                ("contrastive", "persistent"),
                "contrastive",
                tuned=False,
                description="where what the machine dreams begins: at the data, or where it was",
            ),
            "weight_decay": Number(
                1e-6, 1e-1, 1e-4, log=True, tuned=False, description="pulls weights to 0"
            ),
            "units": Number(
                1, 65536, 256, log=True, integer=True, tuned=False, description="units of a layer"
            ),
            "depth": Number(
                1, 16, 1, integer=True, tuned=False, description="machines, one on the other"
            ),
            "epochs": Number(
                1,
                1000,
                30,
                log=True,
                integer=True,
                tuned=False,
                description="passes over the data of each machine",
            ),
            "batch_size": Number(
                1, 4096, 32, log=True, integer=True, tuned=False, description="examples a step"
            ),
        },
        gradients=True,
    ),
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
                1e-2,
                log=True,
                description="peak of the schedule",
                scaling={"depth": -0.5, "filters": -0.5},
            ),
            "weight_decay": _WEIGHT_DECAY,
            "dropout": Number(0.0, 0.6, 0.1, description="share dropped before the last layer"),
            "depth": Number(
                1, 256, 2, log=True, integer=True, tuned=False, description="convolution layers"
            ),
            "filters": _FILTERS,
            "epochs": Number(
                1, 1000, 8, log=True, integer=True, tuned=False, description="passes over the data"
            ),
            "batch_size": _BATCH_SIZE,
        },
        fused=("learning_rate", "weight_decay", "dropout"),
        gradients=True,
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
            "weight_decay": _WEIGHT_DECAY,
            "preactivation": Choice(
                (False, True),
                False,
                tuned=False,
                description="normalise before convolutions, not after them",
            ),
            "depth": Number(
                8, 1202, 14, log=True, integer=True, tuned=False, description="layers, 6n+2"
            ),
            "filters": _FILTERS,
            "epochs": Number(
                1, 1000, 8, log=True, integer=True, tuned=False, description="passes over the data"
            ),
            "batch_size": _BATCH_SIZE,
        },
        gradients=True,
    ),
)
