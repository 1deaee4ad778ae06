"""What a job's data turned out to be, in words and under stable keys."""

from __future__ import annotations

import dataclasses
from typing import Any

from tuner.jobs import DatasetFacts

DIGITS = 12
"""So many digits of a digest tell it from any other that a person meets."""


def data_line(facts: DatasetFacts) -> str:
    """Returns it in a line: examples, values, classes, the test's size, the digest."""
    kind = f"{facts.classes:,} classes" if facts.classes else "a number to predict"
    return (
        f"{facts.examples:,} examples of {facts.features:,} "
        f"{'value' if facts.features == 1 else 'values'} each, {kind}, {facts.test_examples:,} of "
        f"them the test (content {facts.digest[:DIGITS]})"
    )


def facts_to_dict(facts: DatasetFacts | None) -> dict[str, Any] | None:
    """Returns it as one object that JSON can hold; None before the data was read."""
    if facts is None:
        return None
    return {**dataclasses.asdict(facts), "notes": list(facts.notes)}


def section(facts: DatasetFacts | None) -> list[str]:
    """Returns the report's lines of it; none before the data was read."""
    if facts is None:
        return []
    line = f"Data: {data_line(facts)}."
    notes = [f"- {note}" for note in facts.notes]
    return [line, "", *notes, ""] if notes else [line, ""]
