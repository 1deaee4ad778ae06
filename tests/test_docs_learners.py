"""The page on learners agrees with the catalog."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tuner.catalog import LEARNERS, Learner

PAGE = (Path(__file__).parents[1] / "docs" / "learners.md").read_text()
LISTED = {name: known for name, known in LEARNERS.items() if known.listed}
TABLE = PAGE.split("## What there is")[1].split("\n## ")[0]
ROWS = {row[0]: row for row in re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", TABLE, re.M)}
PREDICTS = {"classification": "classes", "regression": "numbers"}


def test_every_learner_is_there_and_no_other() -> None:
    assert set(ROWS) == set(LISTED)


@pytest.mark.parametrize("name", LISTED)
def test_its_row_says_its_axes_and_what_it_predicts(name: str) -> None:
    known: Learner = LISTED[name]
    _, axes, predicts = ROWS[name]
    assert re.findall(r"`(\w+)`", axes) == [axis.name for axis in known.axes]
    nested = re.findall(r"`(\w+)` \(nested\)", axes)
    assert nested == [axis.name for axis in known.axes if axis.nested]
    assert predicts == ", ".join(PREDICTS[task] for task in known.tasks)


def test_it_says_which_are_baselines() -> None:
    rows = [line for line in TABLE.splitlines() if line.startswith("| `")]
    told = {re.match(r"\| `(\w+)`", row)[1] for row in rows if "A baseline |" in row}
    assert told == {name for name, known in LISTED.items() if known.baseline}
