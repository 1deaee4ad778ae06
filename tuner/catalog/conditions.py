"""Conditions, a perturbation at a strength, and the names of metrics under them.

A condition is written `pgd:0.1`, a metric under it `error@pgd:0.1`. `error@clean` is the
metric without any, on the very examples that conditions are measured on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from tuner.catalog import metrics, perturbations
from tuner.catalog.kinds import Metric, Perturbation

PERTURBATIONS: Mapping[str, Perturbation] = MappingProxyType(
    {known.name: known for known in perturbations.ALL}
)

CLEAN = "clean"
"""Stands behind the @ of a metric where nothing is disturbed."""

_METRICS = {known.name: known for known in metrics.ALL}


@dataclass(frozen=True)
class Condition:
    """A perturbation at a strength.

    Attributes:
        perturbation: The perturbation's name.
        strength: How strong, in the perturbation's unit.
    """

    perturbation: str
    strength: float

    @property
    def name(self) -> str:
        """How it is written; equal conditions are written alike."""
        return f"{self.perturbation}:{self.strength:.9g}"

    @property
    def known(self) -> Perturbation:
        """What the catalog says of the perturbation."""
        return PERTURBATIONS[self.perturbation]

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Reads `pgd:0.1`; without a strength it is the perturbation's default.

        Raises:
            ValueError: There is no such perturbation, or the strength is none; the message
                says what would be right.
        """
        name, _, said = text.strip().partition(":")
        known = PERTURBATIONS.get(name)
        if known is None:
            raise ValueError(
                f"there is no condition {name!r}; there are {', '.join(PERTURBATIONS)}, each "
                "as NAME or NAME:STRENGTH"
            )
        try:
            strength = float(said or known.default)
        except ValueError:
            strength = float("nan")
        whole = not known.integer or strength.is_integer()
        if not known.low <= strength <= known.high or not whole:
            kind = "a whole number" if known.integer else "a number"
            raise ValueError(
                f"{name} can't be of the strength {said!r}; give {kind} from {known.low:g} to "
                f"{known.high:g} ({known.unit})"
            )
        # As it is written, so that what is run is what its name says.
        return cls(name, float(f"{strength:.9g}"))


def split_metric(name: str) -> tuple[str, str]:
    """Returns a metric's own name and that of its condition; the latter is "" without one."""
    metric, _, condition = name.partition("@")
    return metric, condition


def under(metric: str, condition: str) -> str:
    """Returns the name of a metric under a condition, named as it is written."""
    return f"{metric}@{condition}"


def canonical_metric(name: str) -> str:
    """Returns a metric's name with its condition written as `Condition.name` does.

    Raises:
        ValueError: There is no such condition.
    """
    metric, at, condition = name.partition("@")
    if not at:
        return name
    return under(metric, condition if condition == CLEAN else Condition.parse(condition).name)


def metric_named(name: str) -> Metric | None:
    """Returns the catalog's metric of that name, alone or under a condition; None for no such."""
    metric, condition = split_metric(name)
    known = _METRICS.get(metric)
    if known is None or "@" not in name:
        return known
    try:
        same = canonical_metric(name) == name
    except ValueError:
        return None
    if not same:
        return None
    how = "with nothing disturbed" if condition == CLEAN else f"under {condition}"
    return replace(known, name=name, description=f"{known.description}, {how}")
