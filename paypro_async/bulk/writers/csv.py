"""Result files as CSV: the columns of the input, and behind them what became of each row."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from paypro_async._core.items import ItemStatus
from paypro_async.bulk.columns import RESULT_COLUMNS
from paypro_async.bulk.formulas import defused
from paypro_async.bulk.readers.csv import PayoutFile
from paypro_async.bulk.results import RowOutcome
from paypro_async.bulk.whole_file import put_whole

__all__ = ["ResultFile", "write_results"]

_NOT_BEGUN = "Not begun: the run ended before this row; nothing was sent."
_CONFLICT = "The trade number was used before for another amount or beneficiary; nothing was sent."


@contextmanager
def write_results(path: Path, file: PayoutFile) -> Iterator["ResultFile"]:
    """A result file to write to, which stands at *path* once the block has ended without an error.

    Args:
        path: Where it shall be; a file that is there is replaced.
        file: The input, whose columns and separator it keeps.

    Raises:
        OSError: If it cannot be written.
    """
    with put_whole(path, replace=True) as part, part.open("w", encoding="utf-8", errors="replace", newline="") as text:
        yield ResultFile(text, file)


class ResultFile:
    """Writes a file's rows with what became of each. What a spreadsheet would take for a formula is written as text.

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
        self._write(outcome.row.cells, _cells(outcome))

    def _write(self, cells: Sequence[str], added: Sequence[str]) -> None:
        kept = [cell for position, cell in enumerate(cells) if position not in self._dropped]
        self._writer.writerow([*map(defused, kept), *map(defused, added)])


def _cells(outcome: RowOutcome) -> list[str]:
    """The result file's own columns."""
    trade_no, status, entry = outcome.trade_no, outcome.status, outcome.entry
    if entry is None:
        message = _CONFLICT if status is ItemStatus.CONFLICT else _NOT_BEGUN
        if outcome.paid_as is not None:
            known = f"{outcome.paid_as} ({outcome.paid_status})"
            message = f"Left out: the ledger holds the same amount to the same account as {known}."
        return [trade_no, status, "", message, "", "", ""]
    texts = (entry.code, entry.message, entry.platform_trade_no, entry.utr)
    return [trade_no, status, *(text or "" for text in texts), str(entry.attempt)]
