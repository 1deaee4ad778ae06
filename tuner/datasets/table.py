"""From a table's columns to examples: what is chosen, how cells become numbers."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuner.catalog import Task
from tuner.datasets.base import Data, DataError
from tuner.datasets.columns import Column
from tuner.datasets.content import MAX_BYTES, AnyArray, Beside, make_data

MAX_COLUMNS = 20_000
"""Most columns that a table may have."""

_DAY = 86_400.0
_NAMED = 20

Read = Callable[[Sequence[str]], Mapping[str, Column]]
"""Returns columns by their names."""


@dataclass(frozen=True)
class Chosen:
    """Which columns serve as what; "" where none does."""

    target: str
    features: tuple[str, ...]
    group: str = ""
    time: str = ""
    part: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        beside = (self.target, self.group, self.time, self.part)
        return tuple(dict.fromkeys(n for n in (*self.features, *beside) if n))


def load(
    names: Sequence[str], read: Read, options: Mapping[str, str], task: Task, where: str
) -> Data:
    """Reads the columns that the options name and makes examples of them.

    Args:
        names: The table's columns.
        read: Reads some of them.
        options: The source's options.
        task: What is predicted.
        where: The file, for error messages.

    Raises:
        DataError: A column isn't there, or its cells can't serve.
    """
    chosen = choose(names, options, where)
    columns = read(chosen.names)
    return examples(chosen, columns, options, task, where)


def choose(names: Sequence[str], options: Mapping[str, str], where: str) -> Chosen:
    """Judges the columns that the options name, against those that the table has.

    Raises:
        DataError: The table is too wide, has two columns of one name, or hasn't one
            that is named.
    """
    if len(names) > MAX_COLUMNS:
        raise DataError(f"{where}: has {len(names):,} columns; at most {MAX_COLUMNS:,} are read")
    seen: set[str] = set()
    for place, name in enumerate(names, 1):
        if not name.strip():
            raise DataError(
                f"{where}: column {place} has no name; name it in the header, or leave it out "
                "(pandas writes its index so: df.to_csv(FILE, index=False))"
            )
        if name in seen:
            raise DataError(f"{where}: has two columns {name!r}; each needs a name of its own")
        seen.add(name)

    def known(option: str, name: str) -> str:
        if name and name not in seen:
            raise DataError(f"{where}: {option}={name}: {_no_column(name, names)}")
        return name

    single = {
        role: known(role, options.get(role, "")) for role in ("target", "group", "time", "part")
    }
    taken: dict[str, str] = {}
    for role, name in single.items():
        if name and name in taken:
            raise DataError(
                f"{where}: {taken[name]} and {role} are both {name!r}; name two columns"
            )
        taken[name] = role
    dropped = {known("drop", name) for name in _listed(options.get("drop", ""))}
    asked = [known("features", name) for name in _listed(options.get("features", ""))]
    for name in asked:
        if taken.get(name, "time") != "time" or name in dropped:
            role = taken.get(name, "drop")
            raise DataError(f"{where}: features={name}: it is the {role} column already")
    features = asked or [n for n in names if n not in taken and n not in dropped]
    if not features:
        raise DataError(f"{where}: no column is left to learn from; there are {_list(names)}")
    return Chosen(features=tuple(dict.fromkeys(features)), **single)


def examples(
    chosen: Chosen,
    columns: Mapping[str, Column],
    options: Mapping[str, str],
    task: Task,
    where: str,
) -> Data:
    """Makes examples of the columns.

    Raises:
        DataError: A cell that is needed is missing, or cells can't serve.
    """
    target = columns[chosen.target]
    if not len(target.cells):
        raise DataError(f"{where}: has a header and no rows")
    y = _target(target, task, where)
    notes: list[str] = []
    width = sum(_width(columns[name], options, where) for name in chosen.features)
    if 4 * width * len(y) > MAX_BYTES:
        raise DataError(
            f"{where}: {len(y):,} rows of {width:,} numbers take more than the {MAX_BYTES:,} bytes "
            "that are read; choose columns (features=...), or fewer categories"
        )
    encoded = [
        made for name in chosen.features for made in _encoded(columns[name], where, options, notes)
    ]
    if not encoded:
        raise DataError(f"{where}: no column is left to learn from. {' '.join(notes)}")
    x = np.stack([cells for _, cells in encoded], axis=1)
    groups = _groups(columns[chosen.group], where) if chosen.group else None
    times = _times(columns[chosen.time], where) if chosen.time else None
    test = _test(columns[chosen.part], where) if chosen.part else np.zeros(len(y), dtype=bool)
    beside = Beside(
        task=task,
        features=tuple(name for name, _ in encoded),
        groups=None if groups is None else groups[~test],
        groups_test=groups[test] if groups is not None and chosen.part else None,
        times=None if times is None else times[~test],
        missing=True,
        notes=tuple(notes),
    )
    x_test, y_test = (x[test], y[test]) if chosen.part else (None, None)
    goal = f"target {chosen.target!r}"
    shown = ("its features", goal, "its features of the test", f"{goal} of the test")
    return make_data(x[~test], y[~test], x_test, y_test, where, shown, beside)


def _target(column: Column, task: Task, where: str) -> AnyArray:
    """Returns classes or values."""
    _all_there(column, "target", where)
    if column.kind == "date" or (task == "regression" and column.kind != "number"):
        able = "numbers" if task == "regression" else "text, truth values or whole numbers"
        held = f"{column.kind}s" if column.kind == "date" else "text or truth values"
        shown = f" such as {column.values[0]!r}" if column.values else ""
        raise DataError(
            f"{where}: target {column.name!r} holds {held}{shown}; task: {task} needs {able}"
        )
    if task == "regression":
        return column.cells
    if column.kind == "text":
        return column.texts()
    if column.kind == "boolean":
        return column.cells.astype(bool)
    return _whole(column, "target", where, "; to predict numbers, say task: regression")


def _groups(column: Column, where: str) -> AnyArray:
    _all_there(column, "group", where)
    return column.texts() if column.kind == "text" else _whole(column, "group", where)


def _times(column: Column, where: str) -> AnyArray:
    _all_there(column, "time", where)
    if column.kind not in ("number", "date"):
        shown = f" such as {column.values[0]!r}" if column.values else ""
        raise DataError(
            f"{where}: time {column.name!r} holds text or truth values{shown}; give numbers, or "
            "dates such as 2024-05-31 or 2024-05-31 13:45:00"
        )
    return column.cells


def _test(column: Column, where: str) -> npt.NDArray[np.bool_]:
    """Returns which rows are the data's own test."""
    _all_there(column, "part", where)
    values = [value.lower() for value in column.values]
    if column.kind != "text" or set(values) != {"train", "test"}:
        held = _list(column.values) if column.kind == "text" else f"{column.kind}s"
        raise DataError(
            f"{where}: part {column.name!r} must say train or test in each row, and both must be "
            f"there; it holds {held}"
        )
    said = np.array(values)[column.cells.astype(np.int64)]
    return np.asarray(said == "test")


def _whole(column: Column, role: str, where: str, hint: str = "") -> AnyArray:
    broken = column.cells != np.round(column.cells)
    if broken.any():
        raise DataError(
            f"{where}: {role} {column.name!r} holds {column.cells[broken][0]:g}, which is no whole "
            f"number{hint}"
        )
    return column.cells.astype(np.int64)


def _all_there(column: Column, role: str, where: str) -> None:
    if column.missing.any():
        row = int(np.flatnonzero(column.missing)[0]) + 1
        count = int(column.missing.sum())
        raise DataError(
            f"{where}: {role} {column.name!r} is missing in {count} of {len(column.cells)} rows, "
            f"first in row {row} below the header; leave these rows out"
        )


def _width(column: Column, options: Mapping[str, str], where: str) -> int:
    """Returns how many numbers the column becomes at most. Raises DataError: too many."""
    most = int(options["categories"])
    if len(column.values) > most:
        raise DataError(
            f"{where}: column {column.name!r} is text with {len(column.values):,} different values "
            f"(such as {column.values[0]!r}); at most {most} are told apart: leave it out "
            f"(drop={column.name}), or raise categories"
        )
    return len(column.values) + 1 if column.kind == "text" else 2


def _encoded(
    column: Column, where: str, options: Mapping[str, str], notes: list[str]
) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Yields the column's names and numbers, NaN where a number is missing."""
    missing = column.missing
    if missing.any() and options["missing"] == "refuse":
        row = int(np.flatnonzero(missing)[0]) + 1
        raise DataError(
            f"{where}: column {column.name!r} lacks {int(missing.sum())} of {len(missing)} cells, "
            f"first in row {row} below the header; fill them, leave the column out "
            f"(drop={column.name}), or say missing=impute"
        )
    there = column.cells[~missing]
    if not len(there) or (len(there) == len(missing) and (there == there[0]).all()):
        says = "is the same in every row" if len(there) else "has no cell that isn't missing"
        notes.append(f"Column {column.name!r} {says}, and is left out.")
        return
    if column.kind == "text":
        for place, value in enumerate(column.values):
            yield f"{column.name}={value}", (column.cells == place).astype(np.float32)
        if missing.any():
            yield f"{column.name}=(missing)", missing.astype(np.float32)
        return
    with np.errstate(over="ignore"):  # beyond float32 is infinite, which is refused by name
        cells = (column.cells / (_DAY if column.kind == "date" else 1.0)).astype(np.float32)
    if np.isinf(cells).any():
        row = int(np.flatnonzero(np.isinf(cells))[0]) + 1
        raise DataError(
            f"{where}: column {column.name!r} is infinite in row {row} below the header; keep "
            "numbers within float32's range"
        )
    yield column.name, cells
    if missing.any():
        yield f"{column.name}=(missing)", missing.astype(np.float32)


def _listed(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]


def _no_column(name: str, names: Sequence[str]) -> str:
    folded = {other.strip().lower(): other for other in names}
    near = difflib.get_close_matches(name.strip().lower(), folded, n=1, cutoff=0.5)
    hint = f"did you mean {folded[near[0]]!r}? " if near else ""
    numbers = all(_is_number(other) for other in names)
    header = " (the first line holds numbers: is the header missing?)" if numbers else ""
    return f"there is no such column; {hint}There are {_list(names)}{header}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _list(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest
