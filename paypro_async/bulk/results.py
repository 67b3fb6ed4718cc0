"""What became of every row of a file, from the ledger; and the file that says so."""

import csv
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from attrs import define, field, frozen

from paypro_async._core.lifecycle import Entry
from paypro_async._core.report import ItemStatus
from paypro_async._core.tally import Tally
from paypro_async.bulk.columns import RESULT_COLUMNS
from paypro_async.bulk.plan import Planned, pages
from paypro_async.bulk.readers.csv import PayoutFile, Row
from paypro_async.bulk.whole_file import put_whole
from paypro_async.ledger import Ledger

__all__ = ["FileReport", "ResultFile", "RowOutcome", "defused", "row_outcomes", "write_results"]

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


async def row_outcomes(rows: Iterator[Planned], ledger: Ledger, merchant_no: str) -> AsyncIterator[RowOutcome]:
    """Every row in the order of the file.

    Raises:
        LedgerUnavailableError: If the ledger cannot be read.
    """
    for page in pages(rows):
        entries = await ledger.get_many(merchant_no, [intent.trade_no for _, intent in page])
        for row, intent in page:
            entry = entries.get(intent.trade_no)
            status = ItemStatus.of(entry.state) if entry else ItemStatus.NOT_SENT
            if entry and entry.fingerprint != intent.fingerprint:
                # Another payout has this number, and what became of that one is not this row's news.
                status, entry = ItemStatus.CONFLICT, None
            yield RowOutcome(row=row, trade_no=intent.trade_no, status=status, amount=intent.amount, entry=entry)


@define(kw_only=True)
class FileReport:
    """What became of the rows of a whole file, sent or not.

    Args:
        tally: How many rows, and how much money, by status.
        codes: The platform's codes of those that were not accepted, and how often each came.
    """

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


@contextmanager
def write_results(path: Path, file: PayoutFile) -> Iterator["ResultFile"]:
    """A result file to write to, which stands at *path* once the block has ended without an error.

    Args:
        path: Where it shall be; a file that is there is replaced.
        file: The input, whose columns and separator it keeps.

    Raises:
        OSError: If it cannot be written.
    """
    with put_whole(path, replace=True) as part, part.open("w", encoding="utf-8", newline="") as text:
        yield ResultFile(text, file)


class ResultFile:
    """Writes a file's rows with what became of each.

    Args:
        text: Where to.
        file: The input.
    """

    def __init__(self, text: TextIO, file: PayoutFile) -> None:
        self._dropped = file.columns.results
        # With other line ends, Python before 3.13 would leave a carriage return in a cell without quotes.
        self._writer = csv.writer(text, delimiter=file.delimiter, lineterminator="\r\n")
        self._write(file.columns.names, RESULT_COLUMNS)

    def write(self, outcome: RowOutcome) -> None:
        """Add a row."""
        self._write(outcome.row.cells, outcome.cells())

    def _write(self, cells: Sequence[str], added: Sequence[str]) -> None:
        kept = [cell for position, cell in enumerate(cells) if position not in self._dropped]
        self._writer.writerow([*kept, *added])


def defused(text: str | None) -> str:
    """Text that others wrote, which a spreadsheet must not take for a formula."""
    text = text or ""
    return f"'{text}" if text.startswith(_FORMULA) else text
