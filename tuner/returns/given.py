"""What an analysis was given, judged before anything is reckoned."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tuner.returns.bounds import Floats
from tuner.returns.columns import DataError, level_of
from tuner.returns.designs import FIXED, SEQUENTIAL, Design, Noise, Resampled
from tuner.returns.sheet import Sheet


def design_of(
    design: str | None,
    noise: float | None,
    noise_runs: int | None,
    resampled: tuple[int, int] | None,
) -> tuple[Design, list[str]]:
    """Returns how replicates came about, and what there is to say of it."""
    given = [
        name for name, v in (("design", design), ("noise", noise), ("resampled", resampled)) if v
    ]
    if len(given) > 1 and not (given == ["design", "resampled"] and design == "fixed"):
        raise ValueError(f"{' and '.join(given)} can't go together; give one of them")
    if noise_runs is not None and noise is None:
        raise ValueError("noise_runs says how well noise is known; give noise, too")
    if noise is not None:
        if not (math.isfinite(noise) and noise > 0):
            raise ValueError(f"noise is {noise}; give a standard deviation above 0")
        if noise_runs is not None and noise_runs < 2:
            raise ValueError(f"noise_runs is {noise_runs}; two runs are the fewest that vary")
        how = "exact" if noise_runs is None else f"estimated from {noise_runs} runs"
        text = f"the noise of {noise:g} was given, not measured here; it is taken as {how}, the "
        return Noise(noise, noise_runs), [f"{text}same at every level, and independent"]
    if resampled is not None:
        test, train = resampled
        if test < 1 or train < 1:
            raise ValueError(f"resampled is {resampled}; give test and training examples, above 0")
        text = "replicates are splits of the same data: bounds are Nadeau and Bengio's, and no "
        return Resampled(test, train), [f"{text}number of splits brings them below a floor"]
    if design == "sequential":
        return SEQUENTIAL, []
    if design not in (None, "fixed"):
        raise ValueError(f"design is {design!r}; give 'fixed' or 'sequential'")
    if design == "fixed":
        return FIXED, []
    return FIXED, [
        "the number of replicates is taken as fixed beforehand; if you looked before you went on, "
        "say design sequential"
    ]


def judge_design(how: Design, sheet: Sheet, paired: bool, replicate: str | None) -> None:
    """Raises DataError where a design needs a column of replicates that isn't there."""
    counts = (~np.isnan(sheet.values)).sum(axis=1)
    if not paired and how is not FIXED:
        at = sheet.levels[int(counts.argmax())]
        raise DataError(
            "",
            f"level {at} has {int(counts.max())} rows and nothing says which belong together; "
            f"name the column of replicates, which design {how.name} needs",
        )


def declared_ladder(
    name: str, ladder: Sequence[float] | None, levels: tuple[float, ...]
) -> tuple[float, ...]:
    """Returns the declared levels; those of the table where none were given.

    Raises:
        DataError: The table has a level that wasn't declared.
        ValueError: A declared level can't be doubled.
    """
    if ladder is None:
        return levels
    named = [float(k) for k in ladder]
    if not named or not all(0 < k < math.inf for k in named):
        raise ValueError(f"ladder is {list(ladder)}; give finite numbers above 0")
    declared = tuple(sorted({level_of(k) for k in named}))
    strange = [k for k in levels if k not in declared]
    if strange:
        raise DataError(name, f"level {strange[0]} is not on the ladder {list(declared)}")
    return declared


def stacked(examples: Mapping[float, npt.ArrayLike]) -> tuple[list[float], Floats]:
    """Returns levels, rising, and (levels, replicates, examples)."""
    if not examples:
        raise ValueError("examples is empty; give an array for every level")
    for level in examples:
        if not (isinstance(level, numbers.Real) and 0 < level < math.inf):
            raise ValueError(f"level {level!r} can't be doubled; levels are finite numbers above 0")
    levels = sorted(examples)
    arrays: list[Floats] = []
    for level in levels:
        try:
            array = np.atleast_2d(np.asarray(examples[level], dtype=np.float64))
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(str(level), f"it is no array of numbers: {error}") from None
        if array.ndim != 2 or array.shape[1] < 2 or array.shape[0] < 1:
            raise DataError(
                str(level),
                f"its shape is {np.shape(examples[level])}; give (examples,) or (replicates, "
                "examples), with two examples at least",
            )
        if array.shape != (arrays[0].shape if arrays else array.shape):
            raise DataError(
                str(level),
                f"its shape is {array.shape} where level {levels[0]} has {arrays[0].shape}; all "
                "levels are scored on the same replicates and examples",
            )
        if not np.isfinite(array).all():
            r, m = map(int, np.argwhere(~np.isfinite(array))[0])
            raise DataError(
                str(level), f"replicate {r}, example {m} is {array[r, m]}; leave the replicate out"
            )
        arrays.append(array)
    return levels, np.stack(arrays)


def known_costs(costs: Mapping[float, float], levels: Sequence[float]) -> dict[float, float]:
    """Returns costs by level. Raises ValueError where a level or a cost is wrong."""
    for level, spent in costs.items():
        if level not in levels:
            raise ValueError(f"costs: level {level!r} is not among {list(levels)}")
        if not 0 <= spent < math.inf:
            raise ValueError(f"costs: level {level} has {spent}; give a number from 0 up")
    return {level_of(level): spent for level, spent in costs.items()}
