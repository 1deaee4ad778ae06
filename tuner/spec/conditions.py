"""Which conditions a search is measured under, and which of them can't be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from tuner import catalog
from tuner.errors import Violation
from tuner.spec.parts import Robustness
from tuner.spec.search import Search


def conditions_of(search: Search, robustness: Robustness) -> tuple[catalog.Condition, ...]:
    """Returns what a search is measured under: the job's, its own, and that of its metric."""
    judged = condition_of(search.metric)
    names = [*robustness.conditions, *search.conditions, *([judged.name] if judged else [])]
    return tuple(catalog.Condition.parse(name) for name in dict.fromkeys(names))


def condition_of(metric: str) -> catalog.Condition | None:
    """Returns the condition of a metric; None where it has none, or is of clean examples."""
    _, condition = catalog.split_metric(metric)
    return catalog.Condition.parse(condition) if condition not in ("", catalog.CLEAN) else None


def check_conditions(
    searches: Sequence[Search],
    baseline: Search | None,
    robustness: Robustness,
    inputs: catalog.Inputs | Literal[""],
    task: catalog.Task,
) -> list[Violation]:
    """Returns what is wrong with the conditions of a job, each at the field that asks for it.

    Args:
        searches: The job's searches.
        baseline: The baseline's, where it is none of them.
        robustness: The job's.
        inputs: What examples are; empty where that is known only when the data is read.
        task: What is predicted.
    """
    found: list[Violation] = []
    everyone = [*searches, *([] if baseline is None else [baseline])]
    sloped = all(search.known.gradients for search in everyone)
    shared = [("", name) for name in robustness.conditions]

    def can(asked: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        # Of what nobody could measure here it needn't be said that a learner can't.
        parsed = ((at, name, catalog.Condition.parse(name)) for at, name in asked)
        return [(at, name) for at, name, known in parsed if not problem_with(known, inputs, task)]

    for place, name in enumerate(robustness.conditions):
        problem = problem_with(catalog.Condition.parse(name), inputs, task, sloped)
        found += [Violation(f"robustness.conditions[{place}]", problem)] if problem else []
    for number, search in enumerate(searches):
        judged = condition_of(search.metric)
        own = [(f".conditions[{place}]", name) for place, name in enumerate(search.conditions)]
        own += [(".metric", judged.name)] if judged else []
        for field, name in own:
            condition = catalog.Condition.parse(name)
            if problem := problem_with(condition, inputs, task, search.known.gradients):
                found.append(Violation(f"searches[{number}]{field}", problem))
        found += _without_gradients(f"searches[{number}]", search, can(shared), can(own))
    if baseline is not None:
        judged = condition_of(baseline.metric)
        own = [("", judged.name)] if judged else []
        wrong = _without_gradients("", baseline, can(shared), can(own))
        found += [Violation("baseline", violation.problem) for violation in wrong]
    return list(dict.fromkeys(found))


def problem_with(
    condition: catalog.Condition,
    inputs: catalog.Inputs | Literal[""],
    task: catalog.Task,
    gradients: bool = True,
) -> str:
    """Says why a condition can't be of such data, and what could be; "" where it can.

    Args:
        condition: The condition.
        inputs: What examples are; empty where that isn't known yet.
        task: What is predicted.
        gradients: Whether all who would be measured under it tell gradients.
    """
    known = condition.known

    def able(fits: Iterable[catalog.Perturbation]) -> str:
        return ", ".join(other.name for other in fits)

    others = [o for o in catalog.PERTURBATIONS.values() if gradients or not o.gradients]
    if task not in known.tasks:
        can = able(other for other in others if task in other.tasks)
        return f"{condition.name} can't be where the task is {task}; {can} can"
    if inputs and inputs not in known.inputs:
        can = able(other for other in others if inputs in other.inputs and task in other.tasks)
        return f"{condition.name} is for {known.inputs[0]}, and these are {inputs}; {can} can be"
    return ""


def _without_gradients(
    at: str,
    search: Search,
    shared: Iterable[tuple[str, str]],
    own: Iterable[tuple[str, str]],
) -> list[Violation]:
    """Refuses attacks by gradients on a learner whose models have none."""
    if search.known.gradients:
        return []
    found = []
    for field, name in (*shared, *own):
        condition = catalog.Condition.parse(name)
        if not condition.known.gradients:
            continue
        strength = name.partition(":")[2]
        problem = (
            f"{search.learner} tells no gradients, so {name} can't be measured; "
            f"transfer:{strength} and decision:{strength} can"
        )
        if not field:
            problem += f"; or name {name} in the `conditions` of the searches that have them"
        found.append(Violation(f"{at}{field or '.learner'}", problem))
    return found
