"""CSV: read row by row from the snapshot, as often as needed, in constant memory."""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from paypro_async.bulk.header.columns import Columns, HeaderReader
from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.bulk.readers.base import FIRST_ROW, STRETCH, Header, Kind, Score, Stretch
from paypro_async.bulk.readers.headers import (
    LOOKED_AT,
    best_header,
    refuse_empty,
    refuse_headless,
    refuse_payouts_above,
)
from paypro_async.bulk.readers.snapshot import Snapshot

__all__ = ["CsvReader"]

_DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'"?sep=(?P<separator>[^"\w\s]|\t)"?,*\s*', re.IGNORECASE)

_Record = tuple[int, list[str]]


class CsvReader:
    """A CSV file, whose header shows what stands between two cells: a comma, a semicolon, a tab or a bar.

    Args:
        snapshot: The file.
        headers: Tells the header from other rows.

    Raises:
        PayoutFileError: If no header is found, or it lacks fields.
    """

    kind: Kind = "csv"
    sheets: Sequence[str] = ()

    def __init__(self, snapshot: Snapshot, headers: HeaderReader) -> None:
        self._snapshot = snapshot
        self._skipped, told = self._separator_line()
        delimiter, self._header = self._find_header(told, headers.score)
        self.delimiter: str = delimiter
        self.columns: Columns = headers.read(self._header.names, line=self._header.line)
        refuse_payouts_above(self._header, self.columns)

    def stretches(self) -> Iterator[Stretch]:
        """All rows below the header that are not empty, up to a broken quote."""
        first = FIRST_ROW
        records = self._records(self.delimiter)
        lines: list[int] = []
        cells: list[list[str]] = []
        try:
            for line, record in records:
                if line <= self._header.line:
                    continue
                lines.append(line)
                cells.append(record)
                if len(lines) == STRETCH:
                    yield Stretch(first, lines, cells)
                    first, lines, cells = first + STRETCH, [], []
        except _BrokenError as error:
            # What follows a broken quote cannot be told apart, so the reading ends here.
            if lines:
                yield Stretch(first, lines, cells)
            first += len(lines)
            problem = FileProblem(line=error.line, row=first, code="CSV_FORMAT", message=str(error))
            yield Stretch(first, [error.line], [[""]], {0: [problem]})
            return
        if lines:
            yield Stretch(first, lines, cells)

    def problems(self) -> Sequence[FileProblem]:
        """Nothing is known of the file as a whole."""
        return ()

    def cell(self, line: int, position: int) -> None:  # noqa: ARG002  every reader is asked the same
        """A line of text is no row of a spreadsheet."""
        return

    def _separator_line(self) -> tuple[int, str | None]:
        """How many lines say what separates the cells, and what they say; Excel reads and writes such a line."""
        with self._snapshot.text() as text:
            found = _SEPARATOR_LINE.fullmatch(text.readline(20))
        return (1, found["separator"]) if found else (0, None)

    def _find_header(self, told: str | None, score: Score) -> tuple[str, Header]:
        found: list[tuple[int, str, Header]] = []
        error: _BrokenError | None = None
        for delimiter in told or _DELIMITERS:
            try:
                rows = [*islice(self._records(delimiter), LOOKED_AT)]
            except _BrokenError as broken:
                rows, error = broken.before, error or broken
                if not rows:
                    continue
            else:
                if not rows:
                    refuse_empty()
            header, best = best_header(rows, score)
            found.append((best, delimiter, header))
        best, delimiter, header = max(found, key=lambda one: one[0], default=(0, ",", Header(1, [])))
        if not best and error is not None:
            raise PayoutFileError([FileProblem(line=error.line, code="NOT_CSV", message=str(error))])
        refuse_headless(header, best)
        return delimiter, header

    def _records(self, delimiter: str) -> Iterator[_Record]:
        """Every record that is not empty, with the line where it begins."""
        before: list[_Record] = []
        with self._snapshot.text() as text:
            line = 1 + self._skipped
            for _ in range(self._skipped):
                text.readline()
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            try:
                for cells in reader:
                    if any(map(str.strip, cells)):
                        yield line, cells
                        if len(before) < LOOKED_AT:
                            before.append((line, cells))
                    line = reader.line_num + 1 + self._skipped
            except csv.Error as error:
                raise _BrokenError(line, error, before) from None


class _BrokenError(Exception):
    """A record that is not CSV.

    Attributes:
        line: Where it begins.
        before: The first records of the file.
    """

    def __init__(self, line: int, error: csv.Error, before: list[_Record]) -> None:
        super().__init__(f"is not CSV ({error}); is a quote missing or one too many? Rows below were not read")
        self.line = line
        self.before = before
