"""OpenML's data sets by their number, over its REST interface and ARFF files (openml.org)."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from tuner.datasets import table
from tuner.datasets.base import Data, DataError, Request
from tuner.datasets.columns import Column, from_text
from tuner.datasets.download import download
from tuner.datasets.files import Unpacked

SERVER = "TUNER_OPENML_SERVER"
"""The environment variable of the cluster's nodes that names another server."""

_PUBLIC = "https://www.openml.org"
_MISSING = ("", "?")


class OpenMl:
    """Looks a data set up, fetches its file and reads it as a table."""

    def load(self, request: Request) -> Data:
        """Reads the data set.

        Raises:
            DataError: There is no such data set, the server can't be reached, it is no
                dense table, a column isn't there, or its cells can't serve.
        """
        shown = f"openml:{request.name}"
        if not (request.name.isascii() and request.name.isdigit()):
            raise DataError(f"{shown}: is no number; write openml:61")
        server = os.environ.get(SERVER, "").rstrip("/") or _PUBLIC
        with tempfile.TemporaryDirectory(prefix="tuner-openml-") as folder:
            answer = Path(folder) / "answer"
            about = _asked(f"{server}/api/v1/json/data/{request.name}", answer, shown)
            told = _asked(f"{server}/api/v1/json/data/features/{request.name}", answer, shown)
            try:
                about = about["data_set_description"]
                columns = told["data_features"]["feature"]
                kinds = {column["name"]: column["data_type"] for column in columns}
                unused = [
                    column["name"]
                    for column in columns
                    if "true" in (column.get("is_ignore"), column.get("is_row_identifier"))
                ]
                url, file_format = about["url"], about["format"].lower()
            except (KeyError, TypeError, AttributeError) as error:
                raise DataError(f"{shown}: the server's answer lacks {error}") from error
            options = _options(request.options, about, unused, shown)
            if file_format != "arff":
                raise DataError(f"{shown}: is {about['format']}, no dense table in ARFF")
            file = Path(folder) / "data.arff"
            download(url, file, shown, redirects=True, md5=about.get("md5_checksum") or "")
            quote = _quote(file, shown)

            def read(wanted: Sequence[str]) -> Mapping[str, Column]:
                return _read(file, shown, kinds, quote, wanted)

            return table.load(list(kinds), read, options, request.task, shown)


def _asked(url: str, file: Path, shown: str) -> Any:
    download(url, file, shown, redirects=True)
    try:
        return json.loads(file.read_bytes())
    except ValueError as error:
        raise DataError(f"{shown}: the server's answer is no JSON ({error})") from error


def _options(
    options: Mapping[str, str], about: Mapping[str, Any], unused: Sequence[str], shown: str
) -> dict[str, str]:
    """Returns the options with what the data set says of itself."""
    target = options.get("target") or about.get("default_target_attribute") or ""
    if not target or "," in target:
        said = f"names {target}" if target else "names none"
        raise DataError(f"{shown}: {said} as its target; say which one: target=COLUMN")
    roles = {target, options.get("group"), options.get("time")}
    named = [*options.get("features", "").split(","), *options.get("drop", "").split(",")]
    drop = [name for name in unused if name not in roles and name not in named]
    return {**options, "target": target, "drop": ",".join([options.get("drop", ""), *drop])}


def _quote(file: Path, shown: str) -> str:
    """Returns what text is quoted by. Raises DataError where the table isn't dense."""
    with Unpacked(file, shown) as stream:
        content = stream.read()
    start = content.lower().find(b"\n@data")
    if start < 0:
        raise DataError(f"{shown}: its file has no @DATA: it is no ARFF file")
    cells = content[start + len("\n@data") :].split(b"\n", 1)[-1]
    if cells.lstrip().startswith(b"{"):
        raise DataError(f"{shown}: is a sparse table; dense ones are read")
    # The file is replaced by its cells alone, without comments and empty lines.
    lines = (line for line in cells.splitlines() if line.strip() and not line.startswith(b"%"))
    file.write_bytes(b"\n".join(lines) + b"\n")
    return '"' if cells.count(b'"') > cells.count(b"'") else "'"


def _read(
    file: Path, shown: str, kinds: Mapping[str, str], quote: str, wanted: Sequence[str]
) -> dict[str, Column]:
    convert = pa.csv.ConvertOptions(
        column_types={name: pa.string() for name in wanted},
        include_columns=list(wanted),
        strings_can_be_null=False,
    )
    try:
        rows = pa.csv.read_csv(
            file,
            read_options=pa.csv.ReadOptions(column_names=list(kinds)),
            parse_options=pa.csv.ParseOptions(quote_char=quote, escape_char="\\"),
            convert_options=convert,
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"{shown}: {error}") from error
    return {
        name: from_text(name, rows[name], _MISSING, text=kinds[name] in ("nominal", "string"))
        for name in wanted
    }
