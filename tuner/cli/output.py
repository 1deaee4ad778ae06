"""Data in the formats that people and programs ask for."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from tuner.cli.console import data
from tuner.cli.options import Format
from tuner.errors import invalid

if TYPE_CHECKING:
    from rich.console import RenderableType

Row = Mapping[str, Any]


def emit_list(
    output: Format,
    rows: Sequence[Row],
    table: Callable[[], RenderableType],
    name: str,
    csv_rows: Sequence[Row] | None = None,
) -> None:
    """Writes a list.

    Args:
        output: The format.
        rows: What JSON and YAML hold.
        table: Makes the table.
        name: The key whose value names a row.
        csv_rows: What CSV holds, where that isn't the rows themselves.
    """
    if output is Format.TABLE:
        data().print(table())
    elif output is Format.CSV:
        write(as_csv([flat(row) for row in (rows if csv_rows is None else csv_rows)]))
    elif output is Format.NAME:
        write("".join(f"{row[name]}\n" for row in rows))
    else:
        write(dump(output is Format.JSON, list(rows)))


def emit_one(output: Format, row: Row, table: Callable[[], RenderableType], name: str) -> None:
    """Writes a single object; as `emit_list`, without the list around it."""
    if output in (Format.JSON, Format.YAML):
        write(dump(output is Format.JSON, row))
    else:
        emit_list(output, [row], table, name)


def check_picture(output: str) -> None:
    """Judges whether a picture, if it is one, can be written, before anything is waited for.

    Raises:
        TunerError: INVALID_ARGUMENT where a PNG would go to a terminal;
            FAILED_PRECONDITION where what draws pictures is not installed.
    """
    if output in ("svg", "png"):
        from tuner.report import chart

        chart.check_installed()
    if output == "png" and sys.stdout.isatty():
        raise invalid("--output", "png is no text for a terminal; write it to a file: > FILE.png")


def dump(as_json: bool, value: object) -> str:
    """Returns the value as JSON or YAML, its keys in their own order."""
    if as_json:
        return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def as_csv(rows: Sequence[Row]) -> str:
    """Returns rows as CSV under every key that any of them has."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, keys, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def flat(row: Row, before: str = "") -> dict[str, Any]:
    """Returns a row whose inner mappings are spread over keys with a dot."""
    spread: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            spread |= flat(value, f"{before}{key}.")
        elif isinstance(value, list | tuple):
            spread[before + key] = " ".join(map(str, value))
        else:
            spread[before + key] = value
    return spread


def write(text: str) -> None:
    """Writes text to stdout as it is."""
    data().out(text, end="", highlight=False)
