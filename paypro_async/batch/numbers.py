"""Which trade numbers a batch has counted, so that a payout that its source gives twice is counted once."""

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from paypro_async._core.items import BatchItem, ItemStatus
from paypro_async._core.trade_no import folded
from paypro_async.log import logger

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Numbers", "SameNumber"]

_NO_PAYOUT = (ItemStatus.INVALID, ItemStatus.CONFLICT)


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

    Args:
        batch_id: The batch, for the log.
    """

    def __init__(self, *, batch_id: str) -> None:
        self._batch_id = batch_id
        self._told: set[bool] = set()  # by whether the numbers were equal
        self._lost = False
        self._database: sqlite3.Connection | None = None

    def once(self, item: BatchItem) -> BatchItem:
        """Mark an item whose payout was counted before; those of which none is made have no say in that."""
        if item.trade_no is None or item.status in _NO_PAYOUT:
            return item
        if (before := self._before(item.trade_no, item.position)) is None:
            return item
        if before.exact not in self._told:
            self._told.add(before.exact)
            self._tell(before, item)
        return evolve(item, repeats=before.position) if before.exact else item

    def _before(self, trade_no: str, position: int) -> SameNumber | None:
        if self._lost:
            return None
        try:
            return self.add(trade_no, position)
        except Exception as error:  # noqa: BLE001  a full disk, above all, must not keep a payout from its end
            self._lost = True
            self.close()
            logger.warning(
                "Batch %s cannot tell any more whether its source gives a trade_no twice (%s: %s). Each is still paid "
                "once; one that comes again may be counted again. Make room where temporary files go.",
                *(self._batch_id, type(error).__name__, error),
            )
            return None

    def _tell(self, before: SameNumber, item: BatchItem) -> None:
        if before.exact:
            logger.warning(
                "Batch %s has the trade_no %s twice, at positions %d and %d. Each number is paid once and counted "
                "once; the report counts the others as repeated.",
                *(self._batch_id, item.trade_no, before.position, item.position),
            )
        else:
            logger.warning(
                "Batch %s has the trade numbers %s and %s, which differ only by case, zeros or number format. They are "
                "two payouts here; a platform that takes them for one may refuse or confuse them.",
                *(self._batch_id, before.trade_no, item.trade_no),
            )

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
