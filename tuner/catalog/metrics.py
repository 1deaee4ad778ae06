"""Scores of predictions."""

from __future__ import annotations

from tuner.catalog.kinds import Metric, Task

ALL = (
    Metric("error", "minimize", "share of the test cases that are answered wrongly", span=1),
    Metric("accuracy", "maximize", "share of the test cases that are answered rightly", span=1),
    Metric(
        "brier",
        "minimize",
        "squared distance of the probabilities from the truth, 0 to 2",
        span=2,
    ),
    Metric("log_loss", "minimize", "mean negative log probability of the truth, in nats"),
    Metric(
        "auc",
        "maximize",
        "area under the ROC curve; of more than two classes the mean of each against the rest",
        span=1,
        mean=False,
    ),
    Metric(
        "balanced_accuracy",
        "maximize",
        "share of a class's test cases that are answered rightly, averaged over classes",
        span=1,
        mean=False,
    ),
    Metric("mae", "minimize", "mean absolute error, in the target's units", task="regression"),
    Metric(
        "rmse",
        "minimize",
        "root of the mean squared error, in the target's units",
        task="regression",
        mean=False,
    ),
    Metric(
        "r2",
        "maximize",
        "share of the target's variance that is explained; below 0 where its mean does better",
        task="regression",
        mean=False,
    ),
)

USUAL: dict[Task, str] = {"classification": "error", "regression": "r2"}
"""What a search is judged on where neither the spec nor the axis says."""
