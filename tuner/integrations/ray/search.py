"""A search algorithm that climbs, and knows when it is enough."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ray import cloudpickle
from ray.tune.search import Searcher

from tuner.curve import Curve, Verdict
from tuner.integrations.ascent import Ascent, Plan
from tuner.integrations.question import make_effort, make_question
from tuner.integrations.ray.config import Keys, placed
from tuner.integrations.ray.results import ITERATION, judged_end, seconds_of
from tuner.integrations.ray.space import Space, read_space
from tuner.record import Outcome

logger = logging.getLogger(__name__)


class ReturnsSearch(Searcher):
    """A Ray Tune search algorithm that finds how much capacity is enough.

        search = ReturnsSearch(
            "width", [8, 16, 32, 64, 128], metric="accuracy", mode="max", margin=0.01,
            space={"rate": tune.loguniform(1e-4, 1e-1)},
        )
        tune.Tuner(train, tune_config=tune.TuneConfig(search_alg=search, num_samples=-1)).fit()
        print(search.verdict.reason, search.best_config)

    It climbs the ladder from its smallest level. At each it tunes the other
    hyperparameters, beginning with the winner of the level below, and measures the
    winner on replicates that tuning never saw, the same at every level. After each
    step the bounds decide whether to go up, to add replicates where the answer hangs,
    or to end. So `num_samples` is -1: the search says itself when it has finished.

    Every trial gets the level and the replicate in its config, under the names given,
    and everything random in it should follow from the replicate, the split of the data
    included. A trial's score is what it reported last.

    What it asks for follows from the results, whatever the order they arrive in: it
    waits where a decision needs trials that are still running. A trial that raises,
    reports NaN or infinity or no metric at all, or is stopped before its end, is a
    failed fit: it is recorded as such and no average is over it.

    Tune's schedulers must not stop trials: at equal iterations early stopping is biased
    against the larger capacity. A trial that Tune ended with its last result counts as
    stopped early, for nobody can tell it from one that a scheduler cut short. Class
    trainables that say `done` themselves, and `stop={"training_iteration": n}`, need
    `iterations`.
    """

    def __init__(
        self,
        capacity: str,
        levels: Sequence[int],
        *,
        metric: str,
        mode: Literal["min", "max"],
        margin: float,
        space: Mapping[str, Any] | None = None,
        start: Mapping[str, Any] | None = None,
        replicate: str = "seed",
        phase: str | None = None,
        trials: int = 8,
        generation: int = 4,
        sampler: str = "tpe",
        min_replicates: int = 4,
        max_replicates: int = 20,
        batch: int = 2,
        alpha: float = 0.05,
        patience: int = 2,
        iterations: int | None = None,
        seed: int = 0,
    ) -> None:
        """Makes the search.

        Args:
            capacity: The key of the config that is given the level; "net/width" is the
                width in config["net"].
            levels: The ladder: whole numbers, rising.
            metric: The key of the result that trials are judged on.
            mode: Whether it is to be small ("min") or large ("max").
            margin: The least gain per doubling of capacity that is worth having, in the
                metric's units.
            space: What else is tuned, by key of the config: Ray Tune's ranges (uniform,
                loguniform, randint, choice, all of their kind) or Optuna's
                distributions; what else it holds is given to every trial. Taken from
                the tuner's `param_space` where omitted.
            start: Values that every level tries early, beside the winner of the level
                below; the middle of a range, or its first choice, where omitted.
            replicate: The key of the config that is given the replicate: from 0 below
                `max_replicates` for measuring, from there up for tuning.
            phase: A key of the config that is told "tuning" or "measuring", so that a
                trainable can score the one on its validation part and the other on its
                test.
            trials: Settings tried at every level.
            generation: Settings proposed at once. What is proposed depends on it, and
                never on how many trials run at a time.
            sampler: Optuna's sampler: "tpe", "gp", "random" or another that specs know.
            min_replicates: Replicates that each level's winner is measured on.
            max_replicates: The most that it is measured on.
            batch: Replicates that are added at a time.
            alpha: The share of verdicts that may be wrong.
            patience: Larger levels that must be measured before one can plateau.
            iterations: Training iterations of a whole trial; a trial that ends before
                was stopped early.
            seed: Everything random follows from it.

        Raises:
            ValueError: One of them is wrong; it says which and what would be right.
        """
        # Tune ends the whole experiment when a trial reports no metric that its search
        # algorithm names. Here that is a failed trial among others, so Tune isn't told.
        super().__init__(metric=None, mode=mode)
        question = make_question(capacity, levels, metric, mode, margin, alpha, patience)
        if not all(isinstance(level, int) for level in question.levels):
            raise ValueError(f"levels are {list(levels)}; give whole numbers")
        tuning, measuring = make_effort(
            {"trials": trials, "generation": generation, "sampler": sampler},
            {"min_replicates": min_replicates, "max_replicates": max_replicates, "batch": batch},
        )
        if iterations is not None and iterations < 1:
            raise ValueError(f"iterations is {iterations}; give a whole number from 1 up")
        self._question = question
        self._tuning = tuning
        self._measuring = measuring
        self._seed = seed
        self._keys = Keys(capacity, replicate, phase, max_replicates)
        self._start = dict(start or {})
        self._iterations = iterations
        self._reached: dict[str, Any] = {}
        self._warned = False
        self._of_tune = space is None
        self._space: Space | None = None if space is None else self._read_space(space)
        self._climb: Ascent | None = None

    # What Tune asks

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        """Takes the tuner's `param_space`, where no space was given, and judges the rest.

        Returns:
            Whether it took it.

        Raises:
            ValueError: It asks something else, or can't be tuned, or `num_samples` would
                end the search before any verdict.
        """
        for name, said, known in (
            ("metric", metric, self._question.metric),
            ("mode", mode, self._mode),
        ):
            if said not in (None, known):
                raise ValueError(f"TuneConfig says {name} {said!r}, ReturnsSearch {known!r}")
        samples = spec.get("num_samples")
        if samples is not None and samples < self._least():
            raise ValueError(
                f"num_samples is {samples}, and no verdict takes less than {self._least()} trials; "
                "give TuneConfig(num_samples=-1), for the search says itself when it has finished"
            )
        if not self._of_tune:
            return False
        space = self._read_space(config)
        if self._climb is not None and space.ranges != self._climb.plan.hyperparameters:
            raise ValueError("param_space is not the one that the search began with")
        self._space = space
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Returns the next trial's config, None to wait, or FINISHED."""
        climb = self._climbing()
        task = climb.ask(trial_id)
        if task is not None:
            space = self._known_space()
            given = {} if self._of_tune else space.constants
            return placed(given, self._keys.values(task, space))
        if not climb.concluded:
            return None
        logger.info("%s", climb.decision)
        return str(Searcher.FINISHED)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Notes how far a trial has come; Tune doesn't tell of a result that it ends it with."""
        self._reached[trial_id] = result.get(ITERATION)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Takes the end of a trial, however it ended."""
        reached = self._reached.pop(trial_id, None)
        score, outcome, why = None, Outcome.CRASHED, "it failed; Ray Tune has its error"
        if not error:
            score, outcome, why = judged_end(
                result or {}, self._question.metric, reached, self._iterations
            )
        if outcome is Outcome.TIMED_OUT and not self._warned:
            logger.warning("trial %s: %s", trial_id, why)
            self._warned = True
        seconds = seconds_of(result or {})
        if math.isnan(seconds):
            seconds = 0.0  # it counts for nothing in the bill
        if not self._climbing().tell(trial_id, outcome, score, seconds, why):
            logger.debug("trial %s isn't one that is waited for", trial_id)

    # What people ask

    @property
    def finished(self) -> bool:
        """Whether the search has ended, with whatever verdict."""
        return self._climb is not None and self._climb.concluded

    @property
    def curve(self) -> Curve:
        """The curve of what is measured so far; its verdict is about that."""
        return self._known_space().shown(self._so_far().curve())

    @property
    def verdict(self) -> Verdict:
        """What the curve says so far; INCONCLUSIVE until it says more."""
        found = self.curve.verdict
        assert found is not None  # there is a capacity
        return found

    @property
    def best_config(self) -> dict[str, Any] | None:
        """What was measured at the level that suffices, or seems to; without a replicate.

        None where nothing is measured.
        """
        best = self._so_far().best()
        if best is None:
            return None
        space, (level, setting) = self._known_space(), best
        values = {self._question.axis: level, **space.decode(setting)}
        return placed(space.constants, values)

    # What is kept for a restart

    def save(self, checkpoint_path: str) -> None:
        """Writes all that the rest of the search follows from."""
        state = {"space": self._space, "reached": self._reached, "climb": None}
        if self._climb is not None:
            state["climb"] = self._climb.state()
        Path(checkpoint_path).write_bytes(cloudpickle.dumps(state))

    def restore(self, checkpoint_path: str) -> None:
        """Goes on from what was saved, which also serves to read a verdict later.

        Trials that ran then are waited for, as Tune runs them again. Where it doesn't
        (`resume_unfinished=False`), they are asked for anew once nothing else is left.

        Raises:
            ValueError: It was saved by a search that asks something else.
        """
        state = cloudpickle.loads(Path(checkpoint_path).read_bytes())
        if self._of_tune and self._space is None:
            self._space = state["space"]
        self._reached = dict(state["reached"])
        if state["climb"] is None:
            return
        climb = Ascent.restored(state["climb"])
        if climb.plan != self._plan():
            raise ValueError(
                f"{checkpoint_path} was saved by a search with other arguments: "
                f"{climb.plan} there, {self._plan()} here"
            )
        self._climb = climb

    # Within

    def _read_space(self, space: Mapping[str, Any]) -> Space:
        return read_space(space, set_elsewhere=self._keys.names).starting_at(self._start)

    def _known_space(self) -> Space:
        return Space({}, {}) if self._space is None else self._space

    def _plan(self) -> Plan:
        ranges = self._known_space().ranges
        return Plan(self._question, ranges, self._tuning, self._measuring, self._seed)

    def _so_far(self) -> Ascent:
        return Ascent(self._plan()) if self._climb is None else self._climb

    def _climbing(self) -> Ascent:
        if self._climb is None:
            if self._space is None:
                self._space = self._read_space({})  # the tuner has no param_space
            self._climb = Ascent(self._plan())
        return self._climb

    def _least(self) -> int:
        """Returns the fewest trials that any verdict takes."""
        levels = min(self._question.patience + 1, len(self._question.levels))
        return levels * self._measuring.min_replicates
