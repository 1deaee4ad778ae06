"""What curves and comparisons are asked for instead of what a job asks itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from tuner import catalog
from tuner.curve import Direction, Question
from tuner.errors import invalid
from tuner.spec import JobSpec
from tuner.spec.search import direction_of, known_metric


@dataclass(frozen=True)
class Other:
    """What a curve is asked for instead of what its search asked.

    Attributes:
        metric: What its levels are scored on; empty for the search's own, "@pgd:0.1" for
            the search's own under a condition.
        margin: The least gain per doubling that is worth having; None for the job's own.
        examples: Whether the verdict has to survive other test examples, too.
        direction: Which way a metric of the user's own is better; empty where that follows
            from the metric, or from the search.
    """

    metric: str
    margin: float | None = None
    examples: bool = False
    direction: Direction | Literal[""] = ""

    @property
    def condition(self) -> str:
        """The condition that the metric is under, or "clean"; empty where it says nothing."""
        return catalog.split_metric(self.metric)[1]

    def metric_of(self, own: Question) -> str:
        """Returns what the levels of a search are scored on."""
        metric, condition = catalog.split_metric(self.metric)
        if not condition:
            return metric or own.metric
        return catalog.under(metric or catalog.split_metric(own.metric)[0], condition)

    def question(self, own: Question) -> Question:
        """Returns the search's question with these in place of its own.

        Its price goes, unless the metric is in the same units and no margin replaces it.
        """
        metric = self.metric_of(own)
        if metric == own.metric and self.margin is None:
            return own
        direction = direction_of(metric, self.direction) or own.direction
        asked = replace(own, metric=metric, direction=direction)
        if self.margin is None and _alike(metric, own.metric):
            return asked
        margin = own.margin if self.margin is None else self.margin
        return replace(asked, margin=margin, price=0.0, costs=())

    def nothing_else(self, own: Question) -> bool:
        """Tells whether it asks a search for no more than what that asks itself."""
        return not self.examples and self.question(own) == own

    def predicted(self, own: Question) -> bool:
        """Tells whether scores have to be taken again, from predictions.

        What was predicted under a condition isn't kept, so scores under one are as they were
        measured.
        """
        return not self.condition and self.metric_of(own) != own.metric

    def note(self, own: Question) -> str:
        """Returns what has to be known of a curve under another metric; "" where it is its own."""
        metric = self.metric_of(own)
        if metric == own.metric:
            return ""
        whence = "taken again from stored predictions" if self.predicted(own) else "as measured"
        return (
            f"scores are {metric}, {whence}; hyperparameters are those chosen under {own.metric}, "
            "and the search climbed and stopped by that"
        )

    def searches(self, spec: JobSpec) -> list[str]:
        """Returns the keys of the searches that it can be asked of, in the spec's order."""
        keys = [search.key for search in spec.all_searches()]
        return [key for key in keys if not self.condition or _measured(spec, key, self.condition)]


def _measured(spec: JobSpec, key: str, condition: str) -> bool:
    """Tells whether a search is measured under a condition: under "clean" where under any."""
    names = [known.name for known in spec.conditions(key)]
    return bool(names) if condition == catalog.CLEAN else condition in names


def other_question(
    spec: JobSpec, metric: str, margin: float | None, examples: bool
) -> Other | None:
    """Returns what the curves are asked for instead of what the job asks; None for that.

    Args:
        spec: What was submitted.
        metric: As a request has it: of the catalog, alone or under a condition; of the
            user's own under a condition; or a condition alone, "@pgd:0.1".
        margin: As a request has it; None where it has none.
        examples: Whether the verdict has to survive other test examples, too.

    Raises:
        TunerError: INVALID_ARGUMENT where there is no such metric of the job's task, no
            search is measured under that condition, or the margin is none.
    """
    if not (metric or examples) and margin is None:
        return None
    metric = _judged(spec, metric)
    if margin is not None and not (0 < margin < math.inf):
        raise invalid("margin", f"{margin} can't be a margin; give a number above 0")
    if examples:
        _check_examples(spec, metric)
    other = Other(metric, margin, examples, _direction(spec, metric))
    if margin is None and spec.worth is not None:
        _check_price(spec, other)
    return other


def compared_metric(spec: JobSpec, metric: str) -> str:
    """Returns what searches are compared on, where a request names that metric, or none.

    Without one it is what the job is judged on, else its first search; a condition alone,
    "@pgd:0.1", is that under the condition.

    Raises:
        TunerError: INVALID_ARGUMENT where there is no such metric, or no search is measured
            under that condition.
    """
    own = spec.metric or spec.searches[0].metric
    if not metric:
        return own
    named, at, condition = metric.partition("@")
    try:
        named = known_metric(named) or catalog.split_metric(own)[0]
    except ValueError as error:
        raise invalid("metric", str(error)) from error
    if named not in catalog.METRICS and named not in spec.own_metrics:
        raise invalid("metric", f"{named!r} is no metric of the job's; no search asks for it")
    return catalog.under(named, _condition(spec, condition)) if at else named


def _judged(spec: JobSpec, metric: str) -> str:
    """Returns the metric of a request for curves, as it is written."""
    named, at, condition = metric.partition("@")
    able = [name for name, known in catalog.METRICS.items() if known.task == spec.task]
    # The coordinator has none of the user's code: it can't score predictions by it.
    known = [*able, *spec.own_metrics] if at else able
    if named and named not in known:
        problem = f"{named[:100]!r} is no score of a {spec.task}; {', '.join(known)} are"
        raise invalid("metric", problem)
    return catalog.under(named, _condition(spec, condition)) if at else named


def _condition(spec: JobSpec, text: str) -> str:
    """Returns the condition as it is written; one that a search of the job is measured under."""
    there = spec.all_conditions()
    if not there:
        problem = (
            f"asks for {text[:100]!r}, and no search of the job is measured under any condition; "
            "name them in `robustness` when you submit a job"
        )
        raise invalid("metric", problem)
    there = (catalog.CLEAN, *there)
    try:
        _, name = catalog.split_metric(catalog.canonical_metric(catalog.under("", text)))
    except ValueError:
        name = ""
    if name not in there:
        problem = f"no search of the job is measured under {text[:100]!r}; there are "
        raise invalid("metric", problem + ", ".join(there))
    return name


def _check_examples(spec: JobSpec, metric: str) -> None:
    """Refuses other examples where what was predicted of each isn't kept, or can't be scored."""
    judged = {search.metric for search in spec.all_searches()} if not metric else {metric}
    for name in sorted(judged):
        _, condition = catalog.split_metric(name)
        if condition:
            problem = (
                f"can't be with {name}: what is predicted of each example is kept only of "
                "undisturbed tests; leave this out, or give a metric without a condition"
            )
            raise invalid("examples", problem)
    if not judged <= catalog.METRICS.keys():
        able = ", ".join(n for n, known in catalog.METRICS.items() if known.task == spec.task)
        problem = f"is missing, and the job's own isn't taken by example; {able} are"
        raise invalid("metric", problem)


def _check_price(spec: JobSpec, other: Other) -> None:
    """Refuses to go by the job's price where that is in another metric's units."""
    for key in other.searches(spec):
        own = spec.question(key)
        metric = other.metric_of(own)
        if not _alike(metric, own.metric):
            problem = (
                "is missing, and the job is judged at a price in units of its own metric; give "
                f"the least gain in {metric} per doubling that is worth having"
            )
            raise invalid("margin", problem)


def _direction(spec: JobSpec, metric: str) -> Direction | Literal[""]:
    """Returns which way a metric of the user's own is better: as its searches say."""
    if not catalog.split_metric(metric)[0]:
        return ""
    said = (search.direction for search in spec.all_searches() if _alike(search.metric, metric))
    return next(said, "")


def _alike(one: str, other: str) -> bool:
    """Tells whether two metrics are one, under whatever conditions: their units are the same."""
    return catalog.split_metric(one)[0] == catalog.split_metric(other)[0]
