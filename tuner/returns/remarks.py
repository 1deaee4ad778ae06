"""What a reader of an analysis should know beside its verdict."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tuner.returns import words
from tuner.returns.assessment import Assessment
from tuner.returns.columns import level_of
from tuner.returns.designs import Design, Noise
from tuner.returns.evidence import Replicates
from tuner.returns.examples import Examples
from tuner.returns.sensitivity import MOST_REPLICATES
from tuner.returns.sheet import Sheet
from tuner.returns.single_fits import mcnemar

Break = tuple[float, float, str]
"""Two neighbouring levels between which something else than capacity changes, and what."""


def of_failures(sheet: Sheet) -> list[str]:
    """Says which levels have runs that failed."""
    notes = []
    for level, row, values in zip(sheet.levels, sheet.failed, sheet.values, strict=True):
        if row.any():
            failed, completed = int(row.sum()), int((~np.isnan(values)).sum())
            said = words.failures(failed, completed, "no finite score")
            notes.append(f"level {level}: {said}")
    return notes


def of_breaks(breaks: Sequence[Break], levels: tuple[float, ...]) -> list[str]:
    """Says where something else than capacity changes.

    Raises:
        ValueError: Two levels of a break are no neighbours.
    """
    notes = []
    for below, level, what in breaks:
        if (level_of(below), level_of(level)) not in itertools.pairwise(levels):
            raise ValueError(f"break {below:g} to {level:g}: these are no neighbouring levels")
        notes.append(
            f"between {below:g} and {level:g} {what or 'something else'} changes, so that step is "
            f"not of capacity alone; levels below {level:g} are not extrapolated from"
        )
    return notes


def names_of_runs(evidence: Replicates) -> list[str]:
    """Returns what runs that have no name are called, in the order of their numbers."""
    if len(evidence.replicates) > MOST_REPLICATES:
        return []  # none of them is taken out, so none is named
    return [
        f"{words.number(score)} at {level}"
        for level, row in zip(evidence.levels, evidence.values.tolist(), strict=True)
        for score in row
        if not math.isnan(score)
    ]


def of_replicates(evidence: Replicates, look: Assessment, how: Design, paired: bool) -> list[str]:
    """Says where replicates, or their pairing, are lacking."""
    if not paired:
        return [
            "no column says which runs belong together: levels are compared unpaired, and what "
            "two levels share, such as a lucky split, doesn't cancel"
        ]
    few = max(look.replicates.values(), default=0) < 2
    if few and not isinstance(how, Noise) and len(look.levels) > 1:
        return [
            "there are no replicates: this describes the table, and significance can't be had from "
            "it; give the noise between runs if you know it"
        ]
    return []


def of_examples(
    examples: Mapping[float, npt.ArrayLike], evidence: Examples, grouped: bool
) -> list[str]:
    """Says what single fits can't tell, and McNemar's tests of them, which know no groups."""
    if len(evidence.replicates) > 1:
        return []
    notes = [
        "each level is a single fit: the verdict is of these fits on other examples, and nothing "
        "is known of other seeds"
    ]
    rows = {k: np.atleast_2d(np.asarray(examples[k]))[0] for k in sorted(examples)}
    if not grouped and all(row.dtype == np.bool_ for row in rows.values()):
        for (below, first), (level, second) in itertools.pairwise(rows.items()):
            found = mcnemar(first, second)
            notes.append(
                f"McNemar, {below:g} against {level:g}: only {below:g} is right on "
                f"{found.only_first}, only {level:g} on {found.only_second}; p = {found.p:.2g} "
                "of no difference at all"
            )
    return notes
