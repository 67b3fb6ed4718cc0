"""The rows of a report, kept outside the memory that Python counts, so that a batch of any length can tell of each.

They lie in a database without a name, which SQLite removes with the process: a few megabytes of it in memory, the rest
in a temporary file that nobody else can open. They come in groups, since one statement for many costs each little.

Keeping them is a service to the reader and no part of paying. Whatever fails here, a full disk above all, is logged
once and told to whoever reads the rows; the batch goes on, and its counts and sums stay right.
"""

import threading
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Self

from paypro_async._core.items import ItemStatus
from paypro_async.errors import RowsNotKeptError
from paypro_async.log import logger
from paypro_async.report.rows import Kept, ReportRow

if TYPE_CHECKING:
    import sqlite3

__all__ = ["RowStore"]

_GROUP = 256
_PAGE = 500
_CREATE = """
    PRAGMA journal_mode = OFF;
    PRAGMA cache_size = -4096;
    CREATE TABLE kept (
        row INTEGER PRIMARY KEY, trade_no TEXT, status TEXT, amount TEXT, currency TEXT, name TEXT, bank_number TEXT,
        code TEXT, message TEXT, platform_trade_no TEXT, utr TEXT, attempts INTEGER, begun_at REAL, changed_at REAL
    );
    BEGIN
"""
# A row that comes again tells how a payout ended that was waited for; who is paid how much was said before.
_ADD = """
    INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (row) DO UPDATE SET
        status = excluded.status, code = excluded.code, message = excluded.message, utr = excluded.utr,
        platform_trade_no = coalesce(excluded.platform_trade_no, platform_trade_no), attempts = excluded.attempts,
        changed_at = coalesce(excluded.changed_at, changed_at)
"""


class RowStore:
    """Keeps rows, and gives them back in the order of their numbers, as often as it is asked and from any thread.

    A copy is the same store. Pickled, it takes its rows along, personal values as well.
    """

    def __init__(self, rows: Iterable[Kept] = (), failure: Exception | None = None) -> None:
        self._lock = threading.Lock()
        self._new: list[Kept] = []
        self._database: sqlite3.Connection | None = None
        self._failure = failure
        for row in rows:
            self.add(row)

    def add(self, row: Kept) -> None:
        """Keep a row. It never fails; what kept it from being kept is told by who reads."""
        with self._lock:
            self._new.append(row)
            if len(self._new) >= _GROUP:
                self._write()

    def __iter__(self) -> Iterator[ReportRow]:
        return self.select()

    def select(self, statuses: Collection[ItemStatus] | None = None) -> Iterator[ReportRow]:
        """The rows of these statuses, or all, in the order of their numbers.

        Raises:
            RowsNotKeptError: If they could not be kept, or not be read back.
        """
        return map(ReportRow.of_kept, self._all(statuses))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[type["RowStore"], tuple[list[Kept], Exception | None]]:
        try:
            return RowStore, (list(self._all()), None)
        except RowsNotKeptError:
            return RowStore, ([], self._failure)

    def __del__(self) -> None:
        # By itself it would be closed too, with a warning.
        if (database := getattr(self, "_database", None)) is not None:
            database.close()

    def _all(self, statuses: Collection[ItemStatus] | None = None) -> Iterator[Kept]:
        last = 0
        while page := self._page(last, statuses):
            last = page[-1][0]
            yield from page

    def _page(self, after: int, statuses: Collection[ItemStatus] | None) -> list[Kept]:
        chosen = f"AND status IN ({','.join('?' * len(statuses))})" if statuses is not None else ""
        # By the number where it ended, so that rows may come and another reader may read between two pages.
        query = f"SELECT * FROM kept WHERE row > ? {chosen} ORDER BY row LIMIT {_PAGE}"  # noqa: S608  question marks only
        with self._lock:
            self._write()
            if self._failure is None and self._database is not None:
                try:
                    return self._database.execute(query, (after, *(statuses or ()))).fetchall()
                except Exception as error:  # noqa: BLE001  told below
                    self._fail(error)
        if self._failure is not None:
            raise RowsNotKeptError(
                f"The rows of this report could not be kept ({_cause(self._failure)}). No payout was touched by that: "
                "the counts and sums of the report are right, and the ledger holds every payout that was begun. Make "
                "room where temporary files go, and look them up in the ledger ('paypro ledger show')."
            ) from self._failure
        return []

    def _write(self) -> None:
        """Take the new rows into the database; the lock is held."""
        if not self._new:
            return
        new, self._new = self._new, []
        if self._failure is not None:
            return
        try:
            (self._database or self._open()).executemany(_ADD, new)
        except Exception as error:  # noqa: BLE001  no fault of this may touch a payment; it is logged, and told to who reads
            self._fail(error)

    def _open(self) -> "sqlite3.Connection":
        import sqlite3  # noqa: PLC0415  a client that pays no batch needs none

        # Whichever thread asks, it holds the lock.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript(_CREATE)
        return self._database

    def _fail(self, error: Exception) -> None:
        self._failure = error
        if self._database is not None:
            self._database.close()
            self._database = None
        logger.warning(
            "The rows of a report are not kept any more (%s). No payout is touched by that; the counts stay right.",
            _cause(error),
        )


def _cause(error: Exception) -> str:
    # What other errors say may be of what was to be kept.
    return str(error) if type(error).__module__ == "sqlite3" else type(error).__name__
