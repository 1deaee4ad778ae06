"""A table in Parquet's format, which says what its cells are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet

from tuner.datasets import table
from tuner.datasets.base import Data, DataError, Request
from tuner.datasets.columns import Column, from_arrow
from tuner.datasets.content import MAX_BYTES
from tuner.datasets.files import the_file

_INDEX = "__index_level_"


class Parquet:
    """Reads `.parquet` files. An index that pandas has written along isn't learnt from."""

    def load(self, request: Request) -> Data:
        """Reads the table.

        Raises:
            DataError: It is no such table, declares more than `MAX_BYTES`, a column isn't
                there, or its cells can't serve.
        """
        path, shown = the_file(request, "parquet")
        try:
            schema = pa.parquet.read_schema(path)
            # As numbered values, so that a long text that is repeated is held once.
            texts = [field.name for field in schema if pa.types.is_string(field.type)]
            with pa.parquet.ParquetFile(path, read_dictionary=texts) as file:
                names = [name for name in schema.names if not name.startswith(_INDEX)]

                def read(wanted: Sequence[str]) -> Mapping[str, Column]:
                    _judge(file.metadata, len(wanted), shown)
                    rows = file.read(columns=list(wanted), use_pandas_metadata=False)
                    return {name: from_arrow(name, rows[name], shown) for name in wanted}

                return table.load(names, read, request.options, request.task, shown)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{shown}: is no whole Parquet file ({error})") from error


def _judge(metadata: pa.parquet.FileMetaData, columns: int, shown: str) -> None:
    """Raises DataError where more is declared than is read; a run of a value packs to nothing."""
    packed = range(metadata.num_row_groups)
    declared = sum(metadata.row_group(group).total_byte_size for group in packed)
    held = max(declared, 8 * metadata.num_rows * columns)
    if held > MAX_BYTES:
        raise DataError(
            f"{shown}: {metadata.num_rows:,} rows of {columns} columns take {held:,} bytes; at "
            f"most {MAX_BYTES:,} are read"
        )
