"""Learners on features made first, and on sequences."""

from __future__ import annotations

from tuner.catalog.kinds import SAMPLES, Axis, Choice, Hyperparameter, Learner, Number

_HEAD: dict[str, Hyperparameter] = {
    "classifier": Choice(("svm", "forest"), "svm", description="what the features go into"),
    "C": Number(1e-2, 1e3, 10.0, log=True, description="svm: price of an error"),
    "kernel": Choice(("linear", "rbf"), "linear", tuned=False, description="svm: its kernel"),
    "trees": Number(
        1, 65_536, 100, log=True, integer=True, tuned=False, description="forest: trees"
    ),
}
"""Hyperparameters of the classifier that features go into."""

ALL: tuple[Learner, ...] = (
    Learner(
        "bag_of_features",
        "visual words and HOG, made by hand, into a support vector machine or a forest",
        axes=(
            Axis(
                "words",
                2,
                65_536,
                (16, 32, 64, 128, 256, 512),
                description="visual words told apart",
            ),
            SAMPLES,
        ),
        hyperparameters={
            "features": Choice(
                ("both", "words"), "both", description="HOG beside the words, or words alone"
            ),
            **_HEAD,
            "pyramid": Choice(
                (True, False), True, tuned=False, description="count words in quarters, too"
            ),
            "words": Number(
                2,
                65_536,
                128,
                log=True,
                integer=True,
                tuned=False,
                description="visual words told apart",
            ),
        },
    ),
    Learner(
        "deep_features",
        "what a trained network's convolutions see, into a support vector machine or a forest",
        axes=(
            Axis(
                "depth", 1, 256, (1, 2, 4, 8), description="convolutions that features have passed"
            ),
            SAMPLES,
        ),
        hyperparameters={
            **_HEAD,
            "pretrained": Choice(
                ("own", "digits", "kept"),
                "own",
                tuned=False,
                description="network: trained on the job's own data, on digits, or a kept model's",
            ),
            "learning_rate": Number(
                1e-4, 1e-1, 3e-3, log=True, description="network: peak of the schedule"
            ),
            "weight_decay": Number(
                1e-6, 1e-1, 1e-3, log=True, tuned=False, description="network: decoupled decay"
            ),
            "dropout": Number(
                0.0, 0.6, 0.1, tuned=False, description="network: dropped before its last layer"
            ),
            "grid": Choice(
                (1, 2, 4), 4, tuned=False, description="places a side that features are averaged at"
            ),
            "depth": Number(
                1,
                256,
                2,
                log=True,
                integer=True,
                tuned=False,
                description="convolutions that features have passed",
            ),
            "filters": Number(
                1,
                4096,
                16,
                log=True,
                integer=True,
                tuned=False,
                description="network: filters of its first stage",
            ),
            "epochs": Number(
                1, 1000, 8, log=True, integer=True, tuned=False, description="network: passes"
            ),
            "batch_size": Number(
                8,
                4096,
                64,
                log=True,
                integer=True,
                tuned=False,
                description="network: examples a step",
            ),
        },
    ),
    Learner(
        "hmm",
        "one Gaussian hidden Markov model a class; an image's rows, or a table's cells, in order",
        axes=(
            Axis("states", 1, 256, (1, 2, 4, 8, 16), description="hidden states of a class"),
            SAMPLES,
        ),
        hyperparameters={
            "min_covar": Number(
                1e-3,
                10.0,
                0.3,
                log=True,
                description="least variance in a state; 1 is the variance of all the data",
            ),
            "iterations": Number(
                1, 1000, 20, log=True, integer=True, tuned=False, description="steps of EM, at most"
            ),
            "states": Number(
                1,
                256,
                4,
                log=True,
                integer=True,
                tuned=False,
                description="hidden states of a class",
            ),
        },
    ),
)
