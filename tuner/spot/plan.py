"""What a spot test runs: one job with every family that can, each at a small budget."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass

from tuner import catalog
from tuner.catalog import Learner, Task
from tuner.errors import invalid
from tuner.spec import JobSpec, Split

USUAL_MARGIN = 0.01

FEWEST_MINUTES, MOST_MINUTES = 0.5, 60.0
"""Starting a job takes some ten seconds; above an hour a search of its own is the better use."""

REPLICATES = 8
"""Replicates of every level: with a dozen families and fewer, no difference is bounded."""

LEVELS = 3
"""Levels of every family: its usual one, the next smaller and the next larger."""

FEWER_LEVELS = {"deep_features": 2, "hmm": 2, "bag_of_features": 2, "resnet": 2}
"""Families whose fits take long on images: the larger level is left out."""

TRAINED_ON = {"tables": 400, "images": 200, "": 200}
"""By what examples are, how many outside the test are used for every minute there is."""

FEWEST_TRAINED_ON = 100

PACKETS = 30
"""A fit may take this part of the time: one that takes more would leave none for the others."""

LEAST_PACKET_SECONDS = 10.0
"""What a fit may take in any case: the first of a worker takes some seconds more to begin."""

FROM_CHEAP_TO_DEAR = (
    "naive_bayes",
    "linear",
    "perceptron",
    "logistic",
    "neighbors",
    "svm",
    "mlp",
    "rbm",
    "cnn",
    "deep_features",
    "forest",
    "boosting",
    "hmm",
    "bag_of_features",
    "resnet",
)
"""Families in the order in which they are run, as measured on tables and images of 10,000 rows
(docs/spot.md): what runs out of time is the dearest. One that isn't here comes last."""


@dataclass(frozen=True)
class Asked:
    """What a person asks of a spot test.

    Attributes:
        dataset: As a spec has it: "csv:cells.csv?target=kind".
        task: What is predicted.
        metric: What families are judged on; the task's usual one where empty.
        margin: The least difference between families that matters; None for the usual one.
        minutes: How long it may take from the first to the last word.
        families: The learners to look at; all that can predict such where empty.
        seed: Everything random follows from it.
    """

    dataset: str
    task: Task = "classification"
    metric: str = ""
    margin: float | None = None
    minutes: float = 5.0
    families: tuple[str, ...] = ()
    seed: int = 0


def check(asked: Asked) -> None:
    """Judges what is asked, before anything is started for it.

    Raises:
        TunerError: INVALID_ARGUMENT, with the option or the spec's field at fault.
    """
    if not FEWEST_MINUTES <= asked.minutes <= MOST_MINUTES:
        raise invalid(
            "--minutes",
            f"can't be {asked.minutes:g}; give a number from {FEWEST_MINUTES:g} to "
            f"{MOST_MINUTES:g}",
        )
    for name in asked.families:
        _check_family(name, asked.task)
    plan(asked, 60 * asked.minutes)
    metric = catalog.metric_named(asked.metric or catalog.USUAL_METRIC[asked.task])
    usual = metric is None or metric.name == catalog.USUAL_METRIC[asked.task]
    if asked.margin is None and not usual and math.isinf(metric.span if metric else 0):
        raise invalid(
            "--margin",
            f"is missing: what difference in {asked.metric} matters hangs on its units; give "
            "the least that does",
        )


def plan(asked: Asked, seconds: float) -> JobSpec:
    """Returns the job of a spot test.

    Nothing is tuned: every family is measured at its defaults, at a few levels of its usual
    axis, on the same replicates. Support vector machines learn on a map of few components,
    for an exact fit on many examples can't be broken off.

    Args:
        asked: What is asked.
        seconds: How long the job may run.

    Raises:
        TunerError: INVALID_ARGUMENT, with the fields of the spec at fault.
    """
    learners = [catalog.LEARNERS[name] for name in families(asked.task, asked.families)]
    spec = JobSpec.parse(
        {
            "dataset": asked.dataset,
            "task": asked.task,
            "metric": asked.metric or catalog.USUAL_METRIC[asked.task],
            "margin": USUAL_MARGIN if asked.margin is None else asked.margin,
            "seed": asked.seed,
            "searches": [_search(learner) for learner in learners],
            "tuning": {"trials": 1},
            "measuring": {
                "min_replicates": REPLICATES,
                "max_replicates": REPLICATES,
                "footprint": True,
            },
            "resources": {"packet_timeout_seconds": max(seconds / PACKETS, LEAST_PACKET_SECONDS)},
            "budget": {"wall_clock_hours": max(seconds, 1.0) / 3600},
        }
    )
    by_the_minute = TRAINED_ON[catalog.SOURCES[spec.dataset.source].inputs]
    limit = max(round(by_the_minute * asked.minutes), FEWEST_TRAINED_ON)
    return spec.model_copy(
        update={"name": f"spot {spec.dataset}"[:100], "split": Split(train_limit=limit)}
    )


def families(task: Task, chosen: tuple[str, ...] = ()) -> list[str]:
    """Returns the learners that can predict such, or the chosen ones, from cheap to dear."""
    able = chosen or [n for n, known in catalog.LEARNERS.items() if known.listed]
    place = {name: i for i, name in enumerate(FROM_CHEAP_TO_DEAR)}
    there = dict.fromkeys(name for name in able if task in catalog.LEARNERS[name].tasks)
    return sorted(there, key=lambda name: place.get(name, len(place)))


def ladder(learner: Learner) -> tuple[int, ...]:
    """Returns the few levels of a learner's usual axis that are looked at; none without one.

    The usual one, where the other hyperparameters' defaults hold, those below it, and the
    next above where that is less than two doublings away. Where none is usual, the smallest.
    """
    axis = learner.axis(learner.usual_axis)
    if axis is None:
        return ()
    levels, count = axis.default_levels, FEWER_LEVELS.get(learner.name, LEVELS)
    usual = learner.reference(axis.name)
    up_to = [level for level in levels if usual and level <= usual]
    above = [level for level in levels[len(up_to) :] if usual and level < 4 * usual]
    above = above[: max(0, count - 2)]
    found = (*up_to[-(count - len(above)) :], *above)
    return found if len(found) > 1 else levels[: 2 if up_to else count]


def _search(learner: Learner) -> dict[str, object]:
    levels = ladder(learner)
    return {"learner": learner.name, **({"levels": levels} if levels else {})}


def _check_family(name: str, task: Task) -> None:
    listed = [n for n, known in catalog.LEARNERS.items() if known.listed]
    if name not in listed:
        near = difflib.get_close_matches(name, listed, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise invalid(
            "--families", f"there is no family {name!r}; there are {', '.join(listed)}{hint}"
        )
    if task not in catalog.LEARNERS[name].tasks:
        able = ", ".join(families(task))
        raise invalid("--families", f"{name} can't be used where the task is {task}; {able} can")
