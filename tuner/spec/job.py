"""The job spec: what a person submits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import pydantic
from pydantic import Field, field_validator, model_validator

from tuner import catalog
from tuner.curve import CostUnit, Question
from tuner.curve import Limits as Most
from tuner.errors import Violation
from tuner.spec import file
from tuner.spec.conditions import check_conditions, condition_of, conditions_of
from tuner.spec.dataset import BlobFile, Dataset
from tuner.spec.own import Code, Own, Refit, is_own, with_entries
from tuner.spec.parts import (
    Budget,
    Limits,
    Measuring,
    Notify,
    Part,
    Resources,
    Robustness,
    Split,
    Tuning,
    Worth,
)
from tuner.spec.problems import Problems, spec_error
from tuner.spec.search import Search, direction_of, known_metric, wrong_direction
from tuner.spec.tasks import no_learner, no_metric

MAX_SEARCHES = 64

_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


class JobSpec(Part):
    """What a person submits: one data set, some searches, a budget.

    The shortest spec is a data set and one search.

    Attributes:
        name: What people call it; need not be unique.
        namespace: Whose it is.
        margin: The least gain per doubling of capacity that is worth having,
            in the metric's units; across learners, the least difference that matters.
        worth: A price on device time, which replaces the margin per doubling where
            levels are judged.
        alpha: The share of verdicts that may be wrong.
        patience: Larger levels that must be measured before one can plateau.
        task: What is predicted: one of a few classes, or a number.
        metric: What every search is judged on; each axis's usual one if omitted. Your own
            is "module:function", called as function(truth, predictions).
        direction: Which way is better; follows from the metric, but for your own.
        seed: Everything random follows from it.
        baseline: The cheap learner that runs beside the searches: the task's usual one if
            omitted; None for none.
        code: Your own learners and metrics; None where there are none.
        robustness: What every learner is made to bear, to see what breaks it.
        limits: What a model must not exceed to be chosen.
        priority: Jobs of a higher one go first, those of other namespaces too.
        notify: Who is told that it has ended.
        refit: The model that is fitted in place of searching; None in all jobs but exports.
    """

    name: str = Field("", max_length=100)
    namespace: str = Field("default", pattern=_NAME)
    dataset: Dataset
    split: Split = Split()
    protocol: Literal["holdout"] = "holdout"
    task: catalog.Task = "classification"
    margin: float = Field(0.01, gt=0, le=1e12)
    worth: Worth | None = None
    alpha: float = Field(0.05, gt=0, lt=0.5)
    patience: int = Field(2, ge=1, le=10)
    metric: str = ""
    direction: Literal["", "minimize", "maximize"] = ""
    seed: int = Field(0, ge=0, lt=2**63)
    searches: tuple[Search, ...] = Field(min_length=1, max_length=MAX_SEARCHES)
    tuning: Tuning = Tuning()
    measuring: Measuring = Measuring()
    robustness: Robustness = Robustness()
    limits: Limits = Limits()
    resources: Resources = Resources()
    budget: Budget = Budget()
    baseline: str | None = ""
    code: Code | None = None
    priority: int = Field(0, ge=-100, le=100)
    notify: Notify = Notify()
    refit: Refit | None = None

    @field_validator("metric")
    @classmethod
    def _known_metric(cls, value: str) -> str:
        return known_metric(value)

    @field_validator("baseline")
    @classmethod
    def _known_baseline(cls, value: str | None) -> str | None:
        cheap = [name for name, learner in catalog.LEARNERS.items() if learner.baseline]
        if value and value not in cheap:
            raise ValueError(f"{value!r} is no baseline; there are {', '.join(cheap)}, or null")
        return value

    @field_validator("searches")
    @classmethod
    def _distinct(cls, value: tuple[Search, ...]) -> tuple[Search, ...]:
        seen: dict[str, int] = {}
        for index, search in enumerate(value):
            if search.key in seen:
                problem = (
                    f"searches[{seen[search.key]}] is called {search.key!r} too; "
                    "give one of them another key"
                )
                raise Problems([Violation(f"[{index}].key", problem)])
            seen[search.key] = index
        return value

    @model_validator(mode="after")
    def _hand_down(self) -> Self:
        """Gives every search its metric and direction: its own, the job's, or the usual one."""
        problems = []
        if wrong := wrong_direction(self.metric, self.direction):
            problems.append(Violation("direction", wrong))
        searches = []
        for index, search in enumerate(self.searches):
            at = f"searches[{index}]"
            metric = search.metric or self.metric or search.usual_metric(self.task)
            # Beside a metric the job's direction is that metric's, and no other's.
            shared = self.direction if self.metric in ("", metric) else ""
            wanted = search.direction or shared
            if self.task not in search.known.tasks:
                problems.append(Violation(f"{at}.learner", no_learner(self.task, search.learner)))
            if wrong := wrong_direction(metric, wanted):
                problems.append(Violation(f"{at}.direction", wrong))
            if wrong := no_metric(self.task, metric):
                field = "metric" if metric == self.metric else f"{at}.metric"
                problems.append(Violation(field, wrong))
            direction = direction_of(metric, wanted)
            if not direction:
                problem = f"must be minimize or maximize: {metric} is a metric of your own"
                problems.append(Violation(f"{at}.direction", problem))
            searches.append(search.model_copy(update={"metric": metric, "direction": direction}))
        if self.refit is not None and [s.key for s in self.searches] != [self.refit.search]:
            problem = f"is of {self.refit.search}, which must be the one search of the job"
            problems.append(Violation("refit.search", problem))
        if self.baseline and self.task not in catalog.LEARNERS[self.baseline].tasks:
            problems.append(Violation("baseline", no_learner(self.task, self.baseline)))
        if problems:
            raise Problems(list(dict.fromkeys(problems)))
        object.__setattr__(self, "searches", tuple(searches))
        if self.baseline == "":
            object.__setattr__(self, "baseline", catalog.USUAL_BASELINE[self.task])
        return self

    @model_validator(mode="after")
    def _check_conditions(self) -> Self:
        """Refuses what can't be done to a learner, or to this data."""
        inputs = catalog.SOURCES[self.dataset.source].inputs
        if problems := check_conditions(
            self.searches, self.baseline_search, self.robustness, inputs, self.task
        ):
            raise Problems(problems)
        return self

    @model_validator(mode="after")
    def _check_margin(self) -> Self:
        """Refuses a margin that no two scores can differ by."""
        known = (catalog.metric_named(search.metric) for search in self.searches)
        spans = {metric.name: metric.span for metric in known if metric is not None}
        for metric, span in spans.items():
            if self.margin >= span:
                problem = f"must be less than {span:g}: no two values of {metric} differ by more"
                raise Problems([Violation("margin", problem)])
        return self

    @property
    def baseline_search(self) -> Search | None:
        """The search of the baseline, or None where there is none or it is searched anyway."""
        if not self.baseline or any(s.learner == self.baseline for s in self.searches):
            return None
        metric = self.metric or self.searches[0].metric
        key = self.baseline
        while any(search.key == key for search in self.searches):
            key += "-baseline"
        asked = next((s.direction for s in self.searches if s.metric == metric), self.direction)
        direction = direction_of(metric, asked)
        return Search(self.baseline, metric=metric, direction=direction, key=key)

    def blobs(self) -> tuple[BlobFile, ...]:
        """Returns all that was uploaded for the job."""
        brought = [self.code, *(search.model for search in self.searches)]
        archives = [part.archive for part in brought if part is not None]
        return (*self.dataset.files, *(archive for archive in archives if archive is not None))

    @property
    def own_learners(self) -> tuple[str, ...]:
        """The user's own learners, each once, as "module:Class"."""
        return tuple(dict.fromkeys(s.learner for s in self.searches if is_own(s.learner)))

    @property
    def own_metrics(self) -> tuple[str, ...]:
        """The user's own metrics, each once, as "module:function"."""
        named = (catalog.split_metric(search.metric)[0] for search in self.all_searches())
        return tuple(dict.fromkeys(metric for metric in named if is_own(metric)))

    @property
    def footprint(self) -> bool:
        """Whether it is measured how long models take to predict and how large they are."""
        return self.measuring.footprint or self.limits.any

    def conditions(self, key: str) -> tuple[catalog.Condition, ...]:
        """Returns what a search is measured under. Raises KeyError where there is none such."""
        return conditions_of(self.search(key), self.robustness)

    def tuned_under(self, key: str) -> catalog.Condition | None:
        """Returns the condition of the metric that a search is judged on, and so tuned on.

        None where it has none. Raises KeyError where there is no such search.
        """
        return condition_of(self.search(key).metric)

    def all_conditions(self) -> tuple[str, ...]:
        """Returns the names of all conditions that any search is measured under."""
        names = (c.name for s in self.all_searches() for c in conditions_of(s, self.robustness))
        return tuple(dict.fromkeys(names))

    def all_searches(self) -> tuple[Search, ...]:
        """Returns the searches and the baseline's."""
        baseline = self.baseline_search
        return self.searches if baseline is None else (*self.searches, baseline)

    def search(self, key: str) -> Search:
        """Returns the search of that key. Raises KeyError where there is none."""
        for search in self.all_searches():
            if search.key == key:
                return search
        raise KeyError(key)

    def question(self, key: str) -> Question:
        """Returns what the search of that key asks. Raises KeyError where there is none."""
        search = self.search(key)
        return Question(
            search=search.key,
            learner=search.learner,
            axis=search.axis,
            levels=search.levels,
            metric=search.metric,
            direction=search.direction or "minimize",
            margin=self.margin,
            alpha=self.alpha,
            patience=self.patience,
            baseline=search == self.baseline_search,
            limits=Most(**self.limits.model_dump()),
            **({} if self.worth is None else _priced(self.worth)),
        )

    @classmethod
    def parse(cls, data: object, own: Own | None = None) -> JobSpec:
        """Judges plain data.

        Args:
            data: The spec as a mapping.
            own: Returns what a learner of the user's own says of itself, for those that the
                data names and doesn't describe.

        Raises:
            TunerError: INVALID_ARGUMENT, with the path of every field at fault.
        """
        try:
            return cls.model_validate(data if own is None else with_entries(data, own))
        except pydantic.ValidationError as error:
            raise spec_error(error) from error

    @classmethod
    def from_file(cls, path: str | Path, own: Own | None = None) -> JobSpec:
        """Reads a spec from a YAML or JSON file; paths in it are relative to its folder.

        Args:
            path: The file.
            own: As for `parse`.

        Raises:
            TunerError: INVALID_ARGUMENT where it can't be read or isn't valid, or holds
                several jobs (see `tuner.spec.study`).
        """
        path = Path(path)
        return cls.beside(path, file.of_one_job(path, file.read(path)), own)

    @classmethod
    def beside(cls, path: Path, data: Mapping[str, Any], own: Own | None = None) -> JobSpec:
        """Judges plain data; paths in it are relative to the folder of the file at `path`.

        Raises:
            TunerError: As `parse` does.
        """
        return file.with_paths_beside(path, cls.parse(file.with_code_beside(path, data), own))


def _priced(worth: Worth) -> dict[str, Any]:
    unit = CostUnit("device-hours", 3600.0, worth.device_hours)
    return {"price": worth.price, "cost_unit": unit}
