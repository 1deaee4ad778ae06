"""Files that people bring: tables with a header, and archives of predictions."""

from __future__ import annotations

import csv
import re
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.errors import TunerError, invalid

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

DELIMITERS = ",;\t"
"""What may stand between cells; the one that the header has most of does."""

GROUPS = "groups"
"""The array of an archive that says what each example belongs to."""

_csv_limit = 2**24


@dataclass(frozen=True)
class TableFile:
    """A table as it stands in its file.

    Attributes:
        name: The file's name.
        columns: Cells by column.
        lines: The line of the file that each row stands on.
    """

    name: str
    columns: dict[str, list[str]]
    lines: list[int]

    def where(self, conditions: dict[str, str]) -> TableFile:
        """Returns the rows whose cells are as asked; numbers count by their value.

        Raises:
            TunerError: INVALID_ARGUMENT where there is no such column, or no such row.
        """
        keep = list(range(len(self.lines)))
        for column, wanted in conditions.items():
            if column not in self.columns:
                raise invalid("--where", f"{self.name} has no column {column!r}; {self.named()}")
            cells = self.columns[column]
            keep = [i for i in keep if _same(cells[i], wanted)]
            if not keep:
                seen = ", ".join(sorted(set(cells))[:8])
                raise invalid("--where", f"no row has {column}={wanted}; among its cells: {seen}")
        columns = {name: [cells[i] for i in keep] for name, cells in self.columns.items()}
        return TableFile(self.name, columns, [self.lines[i] for i in keep])

    def named(self) -> str:
        """Returns the columns' names in a sentence."""
        return f"its columns are {', '.join(map(repr, self.columns))}"


def read_table(path: str) -> TableFile:
    """Reads a file of cells between commas, semicolons or tabs, its header first.

    Args:
        path: The file; - for standard input.

    Raises:
        TunerError: INVALID_ARGUMENT where it can't be read or is no such table.
    """
    name = "standard input" if path == "-" else path
    try:
        text = Path(path).read_bytes().decode("utf-8-sig") if path != "-" else sys.stdin.read()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable("TABLE", name, error) from error
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    csv.field_size_limit(_csv_limit)
    reader = csv.reader(text.splitlines(), delimiter=delimiter)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise _unreadable("TABLE", name, error) from error
    if not rows:
        raise invalid("TABLE", f"{name} is empty; give a table with a header")
    names = [cell.strip() for cell in rows[0][1]]
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise invalid("TABLE", f"{name} has the column {repeated[0]!r} twice")
    for line, row in rows[1:]:
        if len(row) != len(names):
            raise invalid(
                "TABLE", f"{name}, line {line}: {len(row)} cells where the header has {len(names)}"
            )
    cells = zip(*(row for _, row in rows[1:]), strict=True) if rows[1:] else ([] for _ in names)
    columns = {column: list(values) for column, values in zip(names, cells, strict=True)}
    return TableFile(name, columns, [line for line, _ in rows[1:]])


def read_correct(
    path: Path,
) -> tuple[str, dict[float, npt.NDArray[np.bool_]], npt.NDArray[np.generic] | None]:
    """Reads an archive of NumPy arrays, one of booleans a level: whether each example was right.

    An array is named by its level, alone or behind a name: "8", "depth=8", "depth_8". One
    called "groups" says what each example belongs to.

    Returns:
        What levels are called, level to array, and the groups.

    Raises:
        TunerError: INVALID_ARGUMENT where it can't be read or holds something else.
    """
    import numpy as np

    field = "--correct"
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise invalid(field, f"{path} is one array; save one a level with numpy.savez")
        with archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _unreadable(field, str(path), error) from error
    groups = arrays.pop(GROUPS, None)
    found: dict[float, npt.NDArray[np.bool_]] = {}
    called = set()
    for name, array in arrays.items():
        match = re.fullmatch(r"(.*?)[=_ -]?(\d+(?:\.\d+)?)", name)
        if match is None:
            raise invalid(
                field, f"array {name!r} names no level; call it by it, such as '8' or 'depth=8'"
            )
        level = float(match[2])
        if level in found:
            raise invalid(field, f"array {name!r}: level {match[2]} is there twice")
        if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
            raise invalid(
                field,
                f"array {name!r} holds {array.dtype}; give booleans, true where it was right",
            )
        found[level] = array.astype(np.bool_)
        called.add(match[1])
    if not found:
        raise invalid(field, f"{path} holds no array; save one a level with numpy.savez")
    only = called.pop() if len(called) == 1 else ""
    return only or "level", found, groups


def _same(cell: str, wanted: str) -> bool:
    if cell.strip() == wanted:
        return True
    try:
        return float(cell) == float(wanted)
    except ValueError:
        return False


def _unreadable(field: str, name: str, error: Exception) -> TunerError:
    said = getattr(error, "strerror", None) or str(error)
    return invalid(field, f"{name} can't be read: {said}")
