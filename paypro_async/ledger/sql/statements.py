"""Statements of the ledger's busiest way: their text is made once, and the driver itself executes them.

SQLAlchemy makes each statement's text and the order of its values anew, and describes each result, for every group;
here that is done once, and a group hands over rows. Many rows are one statement: Python gives its lock away once for
all of them and not at each, so that the database works while the event loop does.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, cast

from attrs import frozen
from sqlalchemy import Column, Connection, CursorResult, Dialect, Table, exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import ClauseElement

__all__ = ["ONCE", "Insert", "Statement", "Update", "driven", "insert_into", "wrapped"]

_POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
# An older SQLite takes no rows for an UPDATE.
_UPDATES_FROM_ROWS = sqlite3.sqlite_version_info >= (3, 33)


def driven(connection: Connection, text: str, values: Any = None, *, many: bool = False) -> Any:
    """Execute *text* with these values, or once for each row of *many*, in the driver itself; its cursor.

    Raises:
        sqlalchemy.exc.DBAPIError: Whatever the driver raises.
    """
    driver: Any = connection.connection.dbapi_connection
    try:
        if not many:
            return driver.execute(text) if values is None else driver.execute(text, values)
        (cursor := driver.cursor()).executemany(text, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise wrapped(connection, error, text) from error
    return cursor


def wrapped(connection: Connection, error: Exception, text: str | None = None) -> exc.DBAPIError:
    """What the driver has raised at *text*, as SQLAlchemy raises it; it says whether the connection is lost."""
    dialect = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)  # type: ignore[arg-type]
    errors = dialect.loaded_dbapi.Error
    found = exc.DBAPIError.instance(
        text, None, error, errors, hide_parameters=True, connection_invalidated=lost, dialect=dialect
    )
    return cast("exc.DBAPIError", found)  # which it is for an error of the driver


def insert_into(connection: Connection, table: Table) -> Any:
    """SQLAlchemy's INSERT of this database, which can say ON CONFLICT."""
    return (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(table)


@frozen(eq=False)
class Statement:
    """One statement, or one for each database where they differ.

    Args:
        clauses: By the name of the dialect.
    """

    clauses: Mapping[str, ClauseElement]

    @classmethod
    def everywhere(cls, clause: ClauseElement) -> "Statement":
        """The same for both databases."""
        return cls({"sqlite": clause, "postgresql": clause})

    def run(self, connection: Connection, **values: Any) -> CursorResult[Any]:
        """Execute it with these *values*, by their names."""
        text, order = _compiled(self, connection.dialect)
        return connection.exec_driver_sql(text, tuple(values[name] for name in order) if order else values)

    def first(self, connection: Connection, **values: Any) -> tuple[Any, ...]:
        """The one row that it finds, without the names of its columns."""
        text, order = _compiled(self, connection.dialect)
        given = [values[name] for name in order] if order else values
        row: tuple[Any, ...] = driven(connection, text, given or None).fetchone()
        return row


@lru_cache(maxsize=64)
def _compiled(statement: Statement, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    compiled = statement.clauses[dialect.name].compile(dialect=dialect)
    # SQLite counts its values, PostgreSQL names them.
    return str(compiled), tuple(getattr(compiled, "positiontup", None) or ())


_ONCE = "WHERE true ON CONFLICT DO NOTHING"
ONCE = MappingProxyType({"sqlite": _ONCE, "postgresql": _ONCE})
"""An end of :class:`Insert`: a row that is there stays as it is."""


@frozen(eq=False)
class Insert:
    """Rows to add.

    Args:
        columns: Of one table, in the order of a row's values.
        end: What stands behind the rows, by the name of the dialect.
    """

    columns: Sequence[Column[Any]]
    end: Mapping[str, str] = MappingProxyType({})

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> Any:
        """Add them; the cursor."""
        text = _insert(self, connection.dialect.name, _size(connection, rows))
        return driven(connection, text, _values(connection, rows))


@frozen(eq=False)
class Update:
    """Rows to change.

    Args:
        sets: The columns that get the first values of a row.
        where: The columns that must hold the values behind them, be they null.
    """

    sets: Sequence[Column[Any]]
    where: Sequence[Column[Any]]

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> int:
        """Change them; how many were as they had to be."""
        dialect = connection.dialect.name
        if dialect == "sqlite" and _UPDATES_FROM_ROWS:
            done = driven(connection, _update(self, dialect, len(rows)), _values(connection, rows))
        else:
            # PostgreSQL, which knows nothing of a new table's size, would join the rows with all of it; and its driver
            # sends them without waiting in between.
            done = driven(connection, _update(self, dialect, 0), rows, many=True)
        changed: int = done.rowcount
        return changed


def _size(connection: Connection, rows: Sequence[Sequence[Any]]) -> int:
    # In PostgreSQL they are one value, so that the text is the same however many there are.
    return len(rows) if connection.dialect.name == "sqlite" else 1


def _values(connection: Connection, rows: Sequence[Sequence[Any]]) -> list[Any]:
    if connection.dialect.name == "sqlite":
        return [value for row in rows for value in row]
    return [json.dumps(rows)]


@lru_cache(maxsize=256)
def _insert(statement: Insert, dialect: str, count: int) -> str:
    source, values = _rows(statement.columns, dialect, count)
    names = ", ".join(column.name for column in statement.columns)
    table, end = statement.columns[0].table.name, statement.end.get(dialect, "")
    return f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM {source} {end}"  # noqa: S608  names of the schema


@lru_cache(maxsize=256)
def _update(statement: Update, dialect: str, count: int) -> str:
    source, values = _rows([*statement.sets, *statement.where], dialect, count)
    same = "IS" if dialect == "sqlite" else "IS NOT DISTINCT FROM"
    table = statement.sets[0].table.name
    sets = ", ".join(f"{column.name} = {value}" for column, value in zip(statement.sets, values, strict=False))
    held = zip(statement.where, values[len(statement.sets) :], strict=True)
    where = " AND ".join(f"{table}.{one.name} {same if one.nullable else '='} {value}" for one, value in held)
    return f"UPDATE {table} SET {sets}{f' FROM {source}' if source else ''} WHERE {where}"  # noqa: S608  as above


def _rows(columns: Sequence[Column[Any]], dialect: str, count: int) -> tuple[str, list[str]]:
    """What a statement reads *count* rows from, and their values there; for one row at a time the values alone."""
    if not count:
        return "", ["?" if dialect == "sqlite" else "%s"] * len(columns)
    if dialect == "sqlite":
        row = f"({', '.join('?' * len(columns))})"
        return f"(VALUES {', '.join([row] * count)}) AS new", [f"new.column{n}" for n in range(1, len(columns) + 1)]
    types = [column.type.compile(dialect=_POSTGRESQL) for column in columns]
    return "jsonb_array_elements(%s::jsonb) AS new(value)", [
        f"(new.value ->> {n})::{one}" for n, one in enumerate(types)
    ]
