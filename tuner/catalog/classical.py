"""Learners that fit in seconds: linear ones, neighbours, support vectors."""

from __future__ import annotations

from tuner.catalog.kinds import SAMPLES, Choice, Learner, Number

ALL = (
    Learner(
        "perceptron",
        "Rosenblatt's perceptron, one a class: the cheap baseline",
        axes=(SAMPLES,),
        hyperparameters={
            "passes": Number(
                1, 200, 20, log=True, integer=True, tuned=False, description="passes over the data"
            ),
            "averaged": Choice(
                (True, False), True, description="answer with the average of all weights seen"
            ),
            "learning_rate": Number(
                1e-4,
                1.0,
                1e-2,
                log=True,
                tuned=False,
                description="size of a correction; scales all weights, so it changes no answer",
            ),
        },
        baseline=True,
    ),
)
