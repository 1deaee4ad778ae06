"""For an Optuna study: a callback that ends it once its trials answer the question."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tuner.integrations.question import make_question
from tuner.integrations.sweep import Answering, Sweep

_ENDED = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)


class ReturnsCallback(Answering):
    """Stops a study once its trials say how much capacity is enough.

        enough = ReturnsCallback("width", [8, 16, 32, 64], margin=0.01)
        study.optimize(objective, n_trials=80, callbacks=[enough])
        print(enough.verdict.reason)

    The study has one objective, and its direction is the study's. Every trial says
    its capacity and its replicate, as a parameter or as a user attribute: replicate i
    is the same seed and split at every level, so that differences are paired. Each
    level has one setting of everything else.

    Trials that failed or were pruned are failed replicates: they are counted and
    shown, and no average is over them. (Pruning what feeds the curve is biased: at
    equal steps, the larger capacity looks worse than it is.) Only the study is ever
    stopped; trials that run beside end as they would. What ends later isn't read.

    The first call reads the whole study, so one that goes on from a storage is
    answered from all of its trials.
    """

    def __init__(
        self,
        capacity: str,
        levels: Sequence[float],
        *,
        margin: float,
        replicate: str = "seed",
        metric: str = "value",
        min_replicates: int = 4,
        alpha: float = 0.05,
        patience: int = 2,
    ) -> None:
        """Makes the callback.

        Args:
            capacity: The parameter or user attribute that holds the level.
            levels: The ladder, rising; all of it, for bounds are corrected for it.
            margin: The least gain per doubling that is worth having, in the objective's
                units.
            replicate: The parameter or user attribute that holds the replicate.
            metric: What the objective is called.
            min_replicates: Trials of every level up to the sufficient one before it stops.
            alpha: The share of verdicts that may be wrong.
            patience: Larger levels that must be measured before one can plateau.

        Raises:
            ValueError: One of them is wrong.
        """
        self._arguments = (capacity, levels, metric, margin, alpha, patience)
        self._replicate = replicate
        self._min = min_replicates
        self._study = ""
        self._seen: set[int] = set()
        self._sweep = self._empty("max")
        # Optuna calls from every thread of n_jobs.
        self._lock = threading.Lock()

    def _empty(self, mode: str) -> Sweep:
        capacity, levels, metric, margin, alpha, patience = self._arguments
        question = make_question(capacity, levels, metric, mode, margin, alpha, patience)
        return Sweep(question, self._replicate, self._min)

    def __call__(self, study: Study, trial: FrozenTrial) -> None:
        """Reads what has ended since it was called last, and stops the study where that answers.

        Raises:
            ValueError: A finished trial doesn't say its level, which is one of the
                ladder, and its replicate; or this is another study than before.
            RuntimeError: The study has several objectives.
        """
        with self._lock:
            if not self._study:
                minimised = study.direction is StudyDirection.MINIMIZE
                self._sweep = self._empty("min" if minimised else "max")
                self._study = study.study_name
            if study.study_name != self._study:
                raise ValueError(f"this callback reads {self._study!r}; make one for each study")
            ended = study.get_trials(deepcopy=False, states=_ENDED)
            # As they came, so that a study that is read again stops where it stopped.
            for done in sorted(ended, key=lambda t: (t.datetime_complete, t.number)):
                if done.number not in self._seen:
                    self._seen.add(done.number)
                    self._read(done)
            if self._sweep.answered:
                study.stop()

    def _read(self, trial: FrozenTrial) -> None:
        level, replicate = self._told(trial, self._sweep.question.axis, self._replicate)
        if level is None or replicate is None:
            return
        score = trial.value if trial.state is TrialState.COMPLETE else None
        seconds = trial.duration.total_seconds() if trial.duration else math.nan
        self._sweep.add(level, replicate, math.nan if score is None else score, seconds)

    def _told(self, trial: FrozenTrial, *names: str) -> list[Any]:
        """Returns what a trial says; None for what it didn't live to say."""
        said = {**trial.user_attrs, **trial.params}
        for name in names:
            if name not in said and trial.state is TrialState.COMPLETE:
                raise ValueError(
                    f"trial {trial.number} has no {name!r} among its parameters and user "
                    "attributes; suggest it, or say trial.set_user_attr"
                )
        return [said.get(name) for name in names]
