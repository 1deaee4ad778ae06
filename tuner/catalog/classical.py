"""Learners that fit in seconds: linear ones, neighbours, support vectors."""

from __future__ import annotations

from tuner.catalog.kinds import SAMPLES, Axis, Choice, Learner, Number

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
        gradients=True,
    ),
    Learner(
        "logistic",
        "multinomial logistic regression: the linear classifier that says how sure it is",
        axes=(SAMPLES,),
        hyperparameters={
            "C": Number(1e-4, 1e4, 1.0, log=True, description="inverse of the L2 penalty"),
            "iterations": Number(
                1, 10_000, 200, log=True, integer=True, tuned=False, description="most L-BFGS steps"
            ),
        },
        baseline=True,
        gradients=True,
    ),
    Learner(
        "linear",
        "ridge regression, for numbers",
        axes=(SAMPLES,),
        hyperparameters={
            "alpha": Number(
                1e-4, 1e5, 1.0, log=True, description="L2 penalty on weights of scaled features"
            ),
        },
        baseline=True,
        tasks=("regression",),
    ),
    Learner(
        "naive_bayes",
        "Gaussian naive Bayes: every feature by itself",
        axes=(SAMPLES,),
        hyperparameters={
            "var_smoothing": Number(
                1e-12,
                1.0,
                1e-6,
                log=True,
                description="share of the largest variance that is added to all",
            ),
        },
        baseline=True,
    ),
    Learner(
        "neighbors",
        "nearest neighbours on scaled features",
        axes=(SAMPLES,),
        hyperparameters={
            "neighbors": Number(
                1, 200, 5, log=True, integer=True, description="training examples that are asked"
            ),
            "weights": Choice(
                ("uniform", "distance"), "uniform", description="whether nearer ones count more"
            ),
            "metric": Choice(
                ("euclidean", "manhattan"), "euclidean", description="what near means"
            ),
        },
        baseline=True,
        tasks=("classification", "regression"),
    ),
    Learner(
        "svm",
        "support vector machine, linear or RBF, exact or on a Nyström map",
        axes=(
            Axis(
                "components",
                1,
                65_536,
                (16, 64, 256, 1024),
                description="features of the map that stands for the kernel",
            ),
            SAMPLES,
        ),
        hyperparameters={
            "C": Number(1e-3, 1e3, 1.0, log=True, description="price of a margin's violation"),
            "kernel": Choice(("rbf", "linear"), "rbf", description="what likeness is"),
            "gamma": Number(
                1e-3, 1e2, 1.0, log=True, description="RBF's, in units of 1 / features"
            ),
            "components": Number(
                0,
                65_536,
                0,
                integer=True,
                tuned=False,
                description="features of the Nyström map; 0 takes the kernel itself",
            ),
        },
        tasks=("classification", "regression"),
    ),
)
