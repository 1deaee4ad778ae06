"""A search: one learner swept along one axis."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tuner import catalog
from tuner.curve import Direction
from tuner.errors import Violation
from tuner.record import Setting
from tuner.spec.own import KeptModel, is_own, problem_with_model
from tuner.spec.parts import Conditions, Part
from tuner.spec.problems import Problems
from tuner.spec.scaling import clipped, significant
from tuner.spec.space import Fixed, Range, misfit, narrowed, problem_with

MAX_LEVELS = 64
MAX_OF_A_LEARNER = 64
"""Hyperparameters, and axes, of a learner of the user's own."""


class Search(Part):
    """One learner swept along one axis.

    Attributes:
        learner: A learner of the catalog.
        axis: The capacity being searched; the learner's first where omitted.
        levels: The ladder, rising; the axis's usual one where omitted.
        space: Narrows or fixes hyperparameters: `3` fixes, `{low:, high:}`
            narrows, `{choices: [...]}` lists.
        metric: What this search is judged on; the job's where omitted, else the
            axis's usual one. Always set in the searches of a job spec.
        direction: Which way is better; follows from the metric.
        key: How the search is called in results; "learner/axis" unless given.
        conditions: What this search is measured under beside the job's `robustness`.
        model: The kept model that the learner starts from; None where there is none.
        entry: What a learner of the user's own, "module:Class", says of itself; filled in
            by the client. None where the catalog knows it.
    """

    learner: str = Field(max_length=200)
    axis: str = ""
    levels: tuple[Annotated[int, Field(ge=1)], ...] = ()
    space: Mapping[str, Range] = Field(default_factory=dict)
    metric: str = ""
    direction: Literal["", "minimize", "maximize"] = ""
    key: str = Field("", max_length=100, pattern=r"^[A-Za-z0-9_./-]*$")
    conditions: Conditions = ()
    model: KeptModel | None = None
    entry: catalog.Learner | None = None

    def __init__(self, learner: Any = None, /, **data: Any) -> None:
        """Takes the learner by position or by name: its name, or a class of your own."""
        if isinstance(learner, type):
            data["learner"] = f"{learner.__module__}:{learner.__qualname__}"
            data.setdefault("entry", getattr(learner, "entry", None))
        elif learner is not None:
            data["learner"] = learner
        super().__init__(**data)

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        data = dict(value)
        name = str(data.get("learner"))
        entry = data.get("entry")
        learner = entry if isinstance(entry, catalog.Learner) else catalog.LEARNERS.get(name)
        if learner is None:
            return data
        if not data.get("axis"):
            data["axis"] = learner.usual_axis
        axis = learner.axis(str(data["axis"]))
        if not data.get("levels"):
            data["levels"] = axis.default_levels if axis else (1,)
        if not data.get("key"):
            short = name.rpartition(":")[2]
            data["key"] = f"{short}/{data['axis']}" if data["axis"] else short
        return data

    @field_validator("learner")
    @classmethod
    def _known_learner(cls, value: str) -> str:
        if value not in catalog.LEARNERS and not is_own(value):
            raise ValueError(
                f"there is no learner {value!r}; there are {_listed()}, and your own as "
                "module:Class"
            )
        return value

    @field_validator("metric")
    @classmethod
    def _known_metric(cls, value: str) -> str:
        return known_metric(value)

    @field_validator("entry")
    @classmethod
    def _bounded(cls, value: catalog.Learner | None) -> catalog.Learner | None:
        if value is not None:
            for what, found in (("hyperparameters", value.hyperparameters), ("axes", value.axes)):
                if len(found) > MAX_OF_A_LEARNER:
                    raise ValueError(f"has {len(found)} {what}; at most {MAX_OF_A_LEARNER} fit")
        return value

    @field_validator("levels")
    @classmethod
    def _ladder(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(value) > MAX_LEVELS:
            raise ValueError(f"{len(value)} levels are too many; give at most {MAX_LEVELS}")
        for below, above in itertools.pairwise(value):
            if above == below:
                raise ValueError(f"{above} is repeated; give each level once")
            if above < below:
                raise ValueError(
                    f"{above} stands behind {below}; give the levels from small to large: "
                    f"{sorted(set(value))}"
                )
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.entry is None and is_own(self.learner):
            problem = (
                f"{self.learner} is a learner of your own, and nothing says what it is; submit it "
                "by the client or the command line from where it can be imported"
            )
            raise Problems([Violation("entry", problem)])
        learner = self.known
        problems = []
        axis = learner.axis(self.axis)
        if axis is None and (self.axis or learner.capacities):
            known = ", ".join(a.name for a in learner.axes) or "none: leave the axis out"
            problems.append(
                Violation("axis", f"{self.learner} has no axis {self.axis!r}; it has {known}")
            )
        elif axis is None:
            if self.levels != (1,):
                hint = "name the axis that they are of" if learner.axes else "leave them out"
                problems.append(
                    Violation("levels", f"{self.learner} is searched along no axis; {hint}")
                )
        else:
            problems += _check_levels(axis, self.levels)
        if wrong := wrong_direction(self.metric, self.direction):
            problems.append(Violation("direction", wrong))
        for name, entry in self.space.items():
            known_range = learner.hyperparameters.get(name)
            if known_range is None or name == self.axis:
                names = ", ".join(n for n in learner.hyperparameters if n != self.axis)
                problem = f"{self.learner} has no hyperparameter {name!r} here; it has {names}"
                problems.append(Violation(f"space.{name}", problem))
            elif wrong := problem_with(entry, known_range) or misfit(entry, learner.axis(name)):
                problems.append(Violation(f"space.{name}", wrong))
        if not problems:
            pretrained = self.ranges().get("pretrained")
            wrong_model = problem_with_model(learner, pretrained, self.model is not None)
            problems += [wrong_model] if wrong_model else []
        if problems:
            raise Problems(problems)
        return self

    @property
    def known(self) -> catalog.Learner:
        """What is known of the learner: by the catalog, or by its own word."""
        return self.entry or catalog.LEARNERS[self.learner]

    def usual_metric(self, task: catalog.Task) -> str:
        """Returns the metric that the axis is judged on where nobody names one."""
        axis = self.known.axis(self.axis)
        if axis is not None and catalog.METRICS[axis.metric].task == task:
            return axis.metric
        return catalog.USUAL_METRIC[task]

    def ranges(self, level: float | None = None) -> dict[str, Fixed | catalog.Hyperparameter]:
        """Returns what every hyperparameter may be: a fixed value or a range to tune in.

        Args:
            level: Where it will be tuned: what scales with the axis, such as the learning
                rate with depth, is moved there. Ends move within what the learner allows;
                of a range in `space` only the default does, within it. None moves nothing.
        """
        learner = self.known
        reference = learner.reference(self.axis)
        return {
            name: narrowed(
                known,
                self.space.get(name),
                1.0 if level is None or reference is None else self._by(name, reference, level),
            )
            for name, known in sorted(learner.hyperparameters.items())
            if name != self.axis
        }

    def carried(self, setting: Setting, from_level: float, to_level: float) -> Setting:
        """Returns what a setting that won at one level suggests for another: a warm start.

        What scales with the axis is multiplied, recorded at four significant digits and
        kept within the ranges at `to_level`. What is fixed or one of a few values stays.

        Args:
            setting: Every hyperparameter but the axis.
            from_level: Where it won.
            to_level: Where it will be tried.
        """
        ranges = self.ranges(to_level)

        def carry(name: str, value: catalog.Value) -> catalog.Value:
            known, by = ranges[name], self._by(name, from_level, to_level)
            if by == 1 or not isinstance(known, catalog.Number) or isinstance(value, str):
                return value
            return clipped(significant(by * value), known)

        return tuple((name, carry(name, value)) for name, value in setting)

    def _by(self, name: str, from_level: float, to_level: float) -> float:
        """Returns what the best value of a hyperparameter is multiplied by between levels."""
        known = self.known.hyperparameters[name]
        exponent = known.scaling.get(self.axis, 0.0) if isinstance(known, catalog.Number) else 0.0
        # A level of 0 can be a default, and means something else than a little of it.
        return float((to_level / from_level) ** exponent) if exponent else 1.0


def _check_levels(axis: catalog.Axis, levels: tuple[int, ...]) -> list[Violation]:
    if len(levels) < 2:
        return [Violation("levels", "a search compares levels; give at least two")]
    outside = [level for level in levels if not axis.low <= level <= axis.high]
    if outside:
        allowed = f"{axis.low} to {axis.high}"
        return [
            Violation("levels", f"{outside[0]} is outside of what {axis.name} can be: {allowed}")
        ]
    wrong = next(filter(None, map(axis.misfit, levels)), None)
    return [Violation("levels", wrong)] if wrong else []


def _listed() -> str:
    return ", ".join(name for name, known in catalog.LEARNERS.items() if known.listed)


def known_metric(value: str) -> str:
    """Returns the metric's name, judged and as it is written under a condition.

    Raises:
        ValueError: There is none such, or no such condition, or nothing can be judged on it.
    """
    metric, condition = catalog.split_metric(value)
    if value and metric not in catalog.METRICS and not is_own(metric):
        raise ValueError(
            f"there is no metric {metric!r}; there are {', '.join(catalog.METRICS)}, and your own "
            "as module:function; METRIC@CONDITION is one under a condition"
        )
    if condition == catalog.CLEAN:
        raise ValueError(
            f"{value} is there to be read beside conditions, and nothing is tuned on it; judge on "
            f"{metric}, which is of undisturbed examples, too"
        )
    return catalog.canonical_metric(value)


def wrong_direction(metric: str, direction: str) -> str | None:
    """Says what is wrong with a direction for this metric, either of which may be empty."""
    known = catalog.metric_named(metric)
    if known is not None and direction not in ("", known.direction):
        return f"{metric} is better when you {known.direction} it"
    return None


def direction_of(metric: str, direction: Direction | Literal[""]) -> Direction | Literal[""]:
    """Returns which way is better: the catalog's word, or what was said of a metric of one's own.

    Empty where nobody knows.
    """
    known = catalog.metric_named(metric)
    return known.direction if known else direction
