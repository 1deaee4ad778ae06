"""Many rows, or many keys, in one statement that is the same text whatever their number.

Both databases then parse and plan it once, and what is done for each row in Python is
what the column's type asks for.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement


def insert(
    connection: sa.Connection, table: sa.Table, columns: tuple[str, ...], rows: Sequence[Any]
) -> None:
    """Inserts rows.

    Args:
        connection: A transaction that writes.
        table: The table.
        columns: Names of the columns that are given.
        rows: A tuple a row, with a value for each of those columns.
    """
    if not rows:
        return
    statement, processors = _insertion(connection.dialect, table, columns)
    by_column = [
        list(values) if process is None else [process(value) for value in values]
        for process, values in zip(processors, zip(*rows, strict=True), strict=True)
    ]
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(statement, tuple(by_column))
    else:
        connection.exec_driver_sql(statement, list(zip(*by_column, strict=True)))


@functools.cache
def _insertion(
    dialect: sa.Dialect, table: sa.Table, columns: tuple[str, ...]
) -> tuple[str, list[Callable[[Any], Any] | None]]:
    """Returns the statement, and what turns each column's values into the driver's."""
    types = [table.c[name].type for name in columns]
    quote = dialect.identifier_preparer.quote
    into = f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, columns))})"
    if dialect.name == "postgresql":
        arrays = ", ".join(f"%s::{kind.compile(dialect)}[]" for kind in types)
        statement = f"{into} SELECT * FROM unnest({arrays})"
    else:
        statement = f"{into} VALUES ({', '.join('?' * len(columns))})"
    return statement, [kind.dialect_impl(dialect).bind_processor(dialect) for kind in types]


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    adding: Collection[str] = (),
) -> None:
    """Inserts rows; one whose key is there already changes that one.

    Args:
        connection: A transaction that writes.
        table: The table.
        rows: Values by column, of the same columns in each row; one at least.
        adding: Columns whose value is added to what is there, in place of following it.
    """
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement: Any = dialect.insert(table)
    key = [column.name for column in table.primary_key.columns]
    new = statement.excluded
    changes = {
        name: table.c[name] + new[name] if name in adding else new[name]
        for name in rows[0]
        if name not in key
    }
    connection.execute(
        statement.on_conflict_do_update(index_elements=key, set_=changes), list(rows)
    )


class _Keys(sa.TypeDecorator[Sequence[Any]]):
    """Keys of a column's type as one value: an array on PostgreSQL, JSON on SQLite."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, of: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.ARRAY(self.of))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: Sequence[Any] | None, dialect: sa.Dialect) -> Any:
        keys = list(value or ())
        return keys if dialect.name == "postgresql" else json.dumps(keys)


class among(FunctionElement[bool]):
    """`among(column, name)`: the column is one of the keys that the parameter `name` holds."""

    type = sa.Boolean()
    inherit_cache = True

    def __init__(self, column: sa.ColumnElement[Any], name: str) -> None:
        super().__init__(column, sa.bindparam(name, type_=_Keys(column.type)))

    def self_group(self, against: Any = None) -> Any:
        """Returns itself: compared with true, as functions are on SQLite, it uses no index."""
        return self


@compiles(among)
def _among(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = (compiler.process(part, **options) for part in element.clauses)
    if compiler.dialect.name == "postgresql":
        return f"{column} = ANY ({keys})"
    return f"{column} IN (SELECT value FROM json_each({keys}))"
