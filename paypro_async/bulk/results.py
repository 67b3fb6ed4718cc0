"""What became of every row of a file, from the ledger; and the file that says so."""

import csv
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define, field, frozen

from paypro_async._core.lifecycle import Entry
from paypro_async._core.report import ItemStatus
from paypro_async._core.tally import Tally
from paypro_async.bulk.columns import RESULT_COLUMNS
from paypro_async.bulk.plan import Plan, Prepare, numbered, pages
from paypro_async.bulk.readers.csv import PayoutFile, Row
from paypro_async.ledger import Ledger

__all__ = ["Count", "ResultFile", "RowOutcome", "defused", "row_outcomes"]

_CONFLICT = "The trade number was used before for another amount or beneficiary; nothing was sent."
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@frozen(kw_only=True)
class RowOutcome:
    """A row and what is known of it.

    Args:
        status: What is known of it; never ``invalid``, since a file with such a row is not paid.
        amount: In major units.
        entry: The ledger's, or None if it holds none for this row.
    """

    row: Row
    trade_no: str
    status: ItemStatus
    amount: Decimal
    entry: Entry | None = None

    def cells(self) -> list[str]:
        """The result file's own columns."""
        if self.entry is None:
            return [self.trade_no, self.status, "", _CONFLICT if self.status is ItemStatus.CONFLICT else "", "", "", ""]
        entry = self.entry
        said = (entry.code, entry.message, entry.platform_trade_no, entry.utr)
        return [self.trade_no, self.status, *(defused(text) for text in said), str(entry.attempt)]


async def row_outcomes(
    file: PayoutFile, plan: Plan, prepare_row: Prepare, ledger: Ledger, merchant_no: str
) -> AsyncIterator[RowOutcome]:
    """Every row in the order of the file.

    Raises:
        LedgerUnavailableError: If the ledger cannot be read.
    """
    for page in pages(numbered(file, plan)):
        entries = await ledger.get_many(merchant_no, [trade_no for _, trade_no in page])
        for row, trade_no in page:
            intent, entry = prepare_row(row.values, trade_no), entries.get(trade_no)
            status = ItemStatus.of(entry.state) if entry else ItemStatus.NOT_SENT
            if entry and entry.fingerprint != intent.fingerprint:
                # Another payout has this number, and what became of that one is not this row's news.
                status, entry = ItemStatus.CONFLICT, None
            yield RowOutcome(row=row, trade_no=trade_no, status=status, amount=intent.amount, entry=entry)


@define
class Count:
    """How many rows, and how much money, by status; and the platform's codes of those that were not accepted."""

    tally: Tally[ItemStatus] = field(factory=Tally)
    codes: Counter[str] = field(factory=Counter)

    def add(self, outcome: RowOutcome) -> None:
        """Count one row."""
        status = outcome.status
        self.tally.add(status, outcome.amount)
        # What was not sent may still have the code of an older try, which explains nothing any more.
        explained = status.accepted or status is ItemStatus.NOT_SENT
        if not explained and outcome.entry and outcome.entry.code:
            self.codes[outcome.entry.code] += 1


class ResultFile:
    """Writes a result file beside its place and puts it there whole, or not at all. Only its owner can read it.

    Args:
        path: Its place; what stands there is replaced.
        file: The input, whose columns and separator it keeps.

    Raises:
        OSError: If it cannot be written.
    """

    def __init__(self, path: Path, file: PayoutFile) -> None:
        self._path = path
        self._dropped = file.columns.results
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        self._part = Path(name)
        self._text = os.fdopen(handle, "w", encoding="utf-8", newline="")
        # With other line ends, Python before 3.13 would leave a carriage return in a cell without quotes.
        self._writer = csv.writer(self._text, delimiter=file.delimiter, lineterminator="\r\n")
        self._write(file.columns.names, RESULT_COLUMNS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            with self._text:
                if error is None:
                    self._text.flush()
                    os.fsync(self._text.fileno())
            if error is None:
                self._part.replace(self._path)
        finally:
            self._part.unlink(missing_ok=True)

    def write(self, outcome: RowOutcome) -> None:
        """Add a row."""
        self._write(outcome.row.cells, outcome.cells())

    def _write(self, cells: "tuple[str, ...]", added: "tuple[str, ...] | list[str]") -> None:
        kept = [cell for position, cell in enumerate(cells) if position not in self._dropped]
        self._writer.writerow([*kept, *added])


def defused(text: str | None) -> str:
    """Text of somebody else's, which a spreadsheet must not take for a formula."""
    text = text or ""
    return f"'{text}" if text.startswith(_FORMULA) else text
