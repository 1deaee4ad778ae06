"""Learners on features made first, and on sequences."""

from __future__ import annotations

from tuner.catalog.kinds import SAMPLES, Axis, Learner, Number

ALL: tuple[Learner, ...] = (
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
