"""Which trade numbers a batch has counted, so that a payout that its source gives twice is counted once."""

from typing import TYPE_CHECKING

from attrs import frozen

from paypro_async._core.trade_no import folded

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Numbers", "SameNumber"]


@frozen
class SameNumber:
    """An item that was counted before under the same number, or one that looks like it.

    Args:
        trade_no: Its number.
        position: Of that item in the source.
        exact: Whether the two numbers are equal, and so the payout is the same.
    """

    trade_no: str
    position: int
    exact: bool


class Numbers:
    """The numbers, in a database without a name on the disk, which SQLite removes with the process.

    In memory they would grow with the batch, which may be of any length.
    """

    def __init__(self) -> None:
        self._database: sqlite3.Connection | None = None

    def add(self, trade_no: str, position: int) -> SameNumber | None:
        """Remember an item's number; the one that was there before, if it is the same or looks like it."""
        key = folded(trade_no)
        database = self._database or self._open()
        before = database.execute("SELECT number, position FROM seen WHERE folded = ?", (key,)).fetchall()
        for number, at in before:
            if number == trade_no:
                return SameNumber(number, at, exact=True)
        database.execute("INSERT INTO seen VALUES (?, ?, ?)", (key, trade_no, position))
        return SameNumber(before[0][0], before[0][1], exact=False) if before else None

    def close(self) -> None:
        """Forget them."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _open(self) -> "sqlite3.Connection":
        import sqlite3  # noqa: PLC0415  a client that pays no batch needs none

        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA cache_size = -4096;"
            "CREATE TABLE seen (folded TEXT, number TEXT, position INTEGER, PRIMARY KEY (folded, number)) "
            "WITHOUT ROWID; BEGIN"
        )
        return self._database
