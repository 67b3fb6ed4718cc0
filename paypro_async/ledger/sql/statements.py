"""Statements of the ledger's busiest way, compiled once for each database.

SQLAlchemy makes each statement's text and the order of its values anew for every group; here that is done once, and a
group hands over rows. What is sent is what Core compiles: one source for both databases.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, CursorResult, Dialect
from sqlalchemy.sql.expression import ClauseElement

__all__ = ["Statement"]

Row = Mapping[str, Any]


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

    def run_many(self, connection: Connection, rows: Sequence[Row]) -> CursorResult[Any]:
        """Execute it for each row, by the names of its columns."""
        text, order = _compiled(self, connection.dialect)
        if order:
            return connection.exec_driver_sql(text, [tuple([row[name] for name in order]) for row in rows])
        return connection.exec_driver_sql(text, [dict(row) for row in rows])


@lru_cache(maxsize=64)
def _compiled(statement: Statement, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    compiled = statement.clauses[dialect.name].compile(dialect=dialect)
    # SQLite counts its values, PostgreSQL names them.
    return str(compiled), tuple(getattr(compiled, "positiontup", None) or ())
