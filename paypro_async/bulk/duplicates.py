"""Which keys of a file's rows occur twice, for a file of any length in little memory."""

import sqlite3
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from attrs import frozen

__all__ = ["Again", "Seen"]

_TWICE = "SELECT key, min(row) AS first FROM seen GROUP BY key HAVING count(*) > 1"
_AGAIN = "SELECT row, line, key, first FROM seen JOIN twice USING (key) WHERE row > first ORDER BY row"

Key = str | bytes
"""A trade number as text, or a digest of what is paid to whom."""


@frozen
class Again:
    """A row whose key a row before it has too: their numbers, and the line of the later one."""

    row: int
    line: int
    key: Key
    first: int


class Seen:
    """The keys, in a database without a name on the disk, which SQLite removes with the process."""

    def __init__(self) -> None:
        # The command line makes the plan in one thread and looks into it from another, one after the other.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA cache_size = -4096;"
            "CREATE TABLE seen (row INTEGER PRIMARY KEY, line INTEGER NOT NULL, key NOT NULL);"
            "BEGIN"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, rows: Iterable[tuple[int, int, Key]]) -> None:
        """Remember rows that come behind all others: their numbers, lines and keys."""
        self._database.executemany("INSERT INTO seen VALUES (?, ?, ?)", rows)

    def again(self) -> list[Again]:
        """The rows whose key occurs before them, in their order."""
        self._database.execute(f"CREATE TEMPORARY TABLE twice AS {_TWICE}")
        return [Again(*found) for found in self._database.execute(_AGAIN)]

    def __contains__(self, key: object) -> bool:
        self._database.execute("CREATE INDEX IF NOT EXISTS by_key ON seen (key)")
        return self._database.execute("SELECT 1 FROM seen WHERE key = ?", (key,)).fetchone() is not None
