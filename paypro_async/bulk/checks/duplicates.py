"""Which rows of a file say the same as a row before them, for a file of any length in little memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from attrs import frozen

from paypro_async._core.trade_no import folded

__all__ = ["Again", "Seen"]

_NUMBER_AGAIN = """
    SELECT row, line, first FROM seen
    JOIN (SELECT number, min(row) AS first FROM seen GROUP BY number HAVING count(*) > 1) USING (number)
    WHERE row > first ORDER BY row
"""
# Two payments under two numbers are meant; one that has none, beside one that has any, may be a slip.
_PAYMENT_AGAIN = """
    SELECT row, line, first FROM seen
    JOIN (
        SELECT payment, min(row) AS first, min(CASE WHEN number IS NULL THEN row END) AS bare FROM seen
        GROUP BY payment HAVING count(*) > 1 AND bare IS NOT NULL
    ) USING (payment)
    WHERE row > first AND (number IS NULL OR row > bare) ORDER BY row
"""
_SAME_PAYMENT = """
    SELECT row, line, first FROM seen
    JOIN (SELECT payment, min(row) AS first FROM seen GROUP BY payment HAVING count(*) > 1) USING (payment)
    WHERE row > first ORDER BY row
"""
_MEDIAN = """
    SELECT amount FROM seen WHERE amount IS NOT NULL ORDER BY amount
    LIMIT 1 OFFSET (SELECT (count(amount) - 1) / 2 FROM seen)
"""
_FROM = "SELECT row, line, amount FROM seen WHERE amount >= ? ORDER BY row"
_LOOKS_ALIKE = """
    SELECT seen.row, seen.line, first, seen.payment = before.payment FROM seen
    JOIN (
        SELECT folded(number) AS folded, min(row) AS first FROM seen WHERE number IS NOT NULL
        GROUP BY folded(number) HAVING count(DISTINCT number) > 1
    ) ON folded(seen.number) = folded
    JOIN seen AS before ON before.row = first
    WHERE seen.row > first AND seen.number <> before.number ORDER BY seen.row
"""


@frozen
class Again:
    """A row that says the same as a row before it: its number and line, and the number of the first such row."""

    row: int
    line: int
    first: int


class Seen:
    """The rows, in a database without a name on the disk, which SQLite removes with the process."""

    def __init__(self) -> None:
        # The command line makes the plan in one thread and looks into it from another, one after the other.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.create_function("folded", 1, folded, deterministic=True)
        self._database.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA cache_size = -4096;"
            "CREATE TABLE seen"
            " (row INTEGER PRIMARY KEY, line INTEGER NOT NULL, number TEXT, payment BLOB, amount INTEGER);"
            "BEGIN"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, rows: Iterable[tuple[int, int, str | None, bytes | None, int | None]]) -> None:
        """Remember rows that come behind all others.

        Args:
            rows: Of each its number, its line, its own trade number if it has one, and if they are known a digest of
                who is paid how much, and the amount in minor units.
        """
        self._database.executemany("INSERT INTO seen VALUES (?, ?, ?, ?, ?)", rows)

    def numbers_again(self) -> list[Again]:
        """The rows whose trade number a row before them has."""
        return [Again(*found) for found in self._database.execute(_NUMBER_AGAIN)]

    def payments_again(self) -> list[Again]:
        """The rows that pay the same to the same as a row before them, unless each has a number of its own."""
        return [Again(*found) for found in self._database.execute(_PAYMENT_AGAIN)]

    def same_payments(self) -> list[Again]:
        """The rows that pay the same to the same as a row before them, whatever their numbers."""
        return [Again(*found) for found in self._database.execute(_SAME_PAYMENT)]

    def median(self) -> int | None:
        """The median of the amounts, the lower of the two in the middle; in minor units."""
        found = self._database.execute(_MEDIAN).fetchone()
        return None if found is None else int(found[0])

    def amounts_from(self, least: int) -> Iterator[tuple[int, int, int]]:
        """The rows that pay *least* minor units and more: number, line, amount."""
        return iter(self._database.execute(_FROM, (least,)))

    def numbers_alike(self) -> list[tuple[Again, bool]]:
        """The rows whose trade number looks like that of a row before them; and whether they pay the same, too."""
        rows = self._database.execute(_LOOKS_ALIKE)
        return [(Again(row, line, first), bool(same)) for row, line, first, same in rows]

    def __contains__(self, number: object) -> bool:
        self._database.execute("CREATE INDEX IF NOT EXISTS by_number ON seen (number)")
        return self._database.execute("SELECT 1 FROM seen WHERE number = ?", (number,)).fetchone() is not None
