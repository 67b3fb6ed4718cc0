"""Result files: the columns of the input, and behind them what became of each row."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from paypro_async.bulk.header.columns import RESULT_COLUMNS
from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.bulk.results import RowOutcome
from paypro_async.bulk.writers.columns import COUNTED, added_cells
from paypro_async.bulk.writers.csv import csv_rows
from paypro_async.bulk.writers.jsonl import jsonl_rows
from paypro_async.bulk.writers.opening import kind_named, open_table
from paypro_async.bulk.writers.table import Add, Layout
from paypro_async.report.whole_file import put_whole

__all__ = ["ResultFile", "kept_layout", "write_results"]


class ResultFile:
    """Writes a file's rows with what became of each.

    Args:
        add: Adds a row to a table with the columns of :meth:`layout`.
        file: The input.
    """

    def __init__(self, add: Add, file: PayoutFile) -> None:
        self._add = add
        self._kept = _kept(file)

    @classmethod
    def on(cls, text: TextIO, file: PayoutFile) -> "ResultFile":
        """One in a text that is open with ``newline=""``: JSON lines if the input is that, else CSV."""
        rows = jsonl_rows if file.kind == "jsonl" else csv_rows
        return cls(rows(text, _layout(file)), file)

    def write(self, outcome: RowOutcome) -> None:
        """Add a row."""
        cells = outcome.row.cells
        self._add([*(cells[at] for at in self._kept), *added_cells(outcome)])


@contextmanager
def write_results(path: Path, file: PayoutFile) -> Iterator[ResultFile]:
    """A result file to write to, which stands at *path* once the block has ended without an error.

    Args:
        path: Where it shall be; a file that is there is replaced. Its kind is that of its ending, or that of the input.
        file: The input, whose columns it keeps, and of CSV the separator, the line ends and the mark of the encoding.

    Raises:
        ConfigurationError: If it is a workbook, and what writes those is not installed.
        OSError: If it cannot be written.
    """
    kind = kind_named(path, otherwise=file.kind)
    with put_whole(path, replace=True) as part, open_table(part, kind, _layout(file)) as add:
        yield ResultFile(add, file)


def kept_layout(file: PayoutFile, kept: Sequence[int], added: Sequence[str], *, counted: Sequence[int] = ()) -> Layout:
    """A table with some columns of the input and others behind them, written as the input is.

    Args:
        file: The input.
        kept: The positions of its columns.
        added: The names of the others.
        counted: The positions of those among the others that hold numbers.
    """
    names = [*(file.columns.names[at] for at in kept), *added]
    amount = kept.index(file.columns.fields["amount"])
    numbers = {amount, *(len(kept) + at for at in counted)}
    return Layout(names=names, numbers=numbers, delimiter=file.delimiter, line_end=file.line_end, bom=file.bom)


def _kept(file: PayoutFile) -> list[int]:
    return [at for at in range(len(file.columns.names)) if at not in file.columns.results]


def _layout(file: PayoutFile) -> Layout:
    return kept_layout(file, _kept(file), RESULT_COLUMNS, counted=[COUNTED])
