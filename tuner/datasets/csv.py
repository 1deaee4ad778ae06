"""A table of text: a header, then a row a line, cells between commas, semicolons or tabs."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from tuner.datasets import table
from tuner.datasets.base import Data, DataError, Request
from tuner.datasets.columns import Column, from_text
from tuner.datasets.files import Unpacked, the_file

_DELIMITERS = ",;\t"
_LONGEST_HEADER = 4 * 2**20


class Csv:
    """Reads `.csv` files in UTF-8, gzipped or not."""

    def load(self, request: Request) -> Data:
        """Reads the table.

        Raises:
            DataError: It is no such table, a column isn't there, or its cells can't serve.
        """
        file, shown = the_file(request, "csv")
        try:
            names, delimiter = _header(file, shown)

            def read(wanted: Sequence[str]) -> Mapping[str, Column]:
                return _columns(file, shown, delimiter, wanted)

            return table.load(names, read, request.options, request.task, shown)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{shown}: can't be unpacked ({error}); write the file again"
            ) from error


def _header(file: Path, shown: str) -> tuple[list[str], str]:
    """Returns the columns' names and what stands between cells."""
    with Unpacked(file, shown) as stream:
        start = stream.read(_LONGEST_HEADER)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start[:1000]:
        raise DataError(f"{shown}: is UTF-16 or no text; write it as UTF-8")
    line = start.removeprefix(b"\xef\xbb\xbf").splitlines()[:1]
    if not line or not line[0].strip():
        raise DataError(f"{shown}: its first line is empty; it must name the columns")
    if len(line[0]) >= _LONGEST_HEADER - 3:
        raise DataError(f"{shown}: its first line has no end within {_LONGEST_HEADER:,} bytes")
    text = _decoded(line[0], shown)
    delimiter = max(_DELIMITERS, key=text.count)
    return next(csv.reader([text], delimiter=delimiter)), delimiter


def _columns(file: Path, shown: str, delimiter: str, wanted: Sequence[str]) -> dict[str, Column]:
    # Types are told by all cells of a column: told by the first ones, they may be wrong.
    convert = pa.csv.ConvertOptions(
        column_types={name: pa.string() for name in wanted},
        include_columns=list(wanted),
        strings_can_be_null=False,
    )
    parse = pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    try:
        with Unpacked(file, shown) as stream:
            read = pa.csv.read_csv(stream, parse_options=parse, convert_options=convert)
    except pa.ArrowInvalid as error:
        said = str(error)
        if "UTF8" in said:
            said = "its text isn't UTF-8; write it as UTF-8 (df.to_csv(FILE, encoding='utf-8'))"
        raise DataError(f"{shown}: {said}") from error
    return {name: from_text(name, read[name]) for name in wanted}


def _decoded(line: bytes, shown: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{shown}: its header isn't UTF-8 (byte {line[error.start]:#x} after "
            f"{line[max(0, error.start - 20) : error.start].decode(errors='replace')!r}); write "
            "it as UTF-8"
        ) from error
