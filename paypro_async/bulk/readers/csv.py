"""A CSV file of payouts, row by row, as often as needed, in constant memory."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from attrs import field, frozen

from paypro_async._core.regions import RegionSpec
from paypro_async._core.trade_no import retry_trade_no
from paypro_async.bulk.columns import Columns, read_header
from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.bulk.readers.snapshot import Snapshot

__all__ = ["PayoutFile", "Row", "Stretch"]

_STRETCH = 1000
_HEADER = 0
"""The header's number, since rows are counted from 1."""


@frozen(kw_only=True)
class Row:
    """One payout of a file.

    Args:
        number: From 1, without the header and empty rows.
        line: Where it begins in the file, from 1.
        cells: As they stand in the file; of a result file, as they stood in the file that was paid.
        retry_of: The number of the failed payout that it makes good, or None.
        values: Fields by their names in the model, without surrounding blanks; an empty cell is no value.
        problem: What is wrong with the row as a whole, or None.
    """

    number: int
    line: int
    cells: tuple[str, ...] = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    retry_of: str | None = None
    problem: FileProblem | None = None


@frozen
class Stretch:
    """Rows that follow each other, as they stand in the file.

    Args:
        first: The number of the first one.
        lines: Where each begins.
        records: The cells of each.
        problem: What is wrong with the file from here on, or None.
    """

    first: int
    lines: Sequence[int]
    records: Sequence[Sequence[str]] = field(repr=False)
    problem: str | None = None


_EMPTY = Stretch(_HEADER, [1], [[]], "is empty: no payouts in it")


_IF_WHOLE = "if the file is whole as it is, say so with --file-complete (in a program: complete=True)"


class PayoutFile:
    """A file of payouts, held as a snapshot that no other program can change.

    The separator is a comma; or a semicolon or a tab, as spreadsheets of some countries write, if the header shows it.

    Args:
        source: Open for reading bytes; read to its end at once.
        spec: The region, whose fields are looked for.
        defaults: Fields that need no column, since the client has a value for all payouts.

    Raises:
        PayoutFileError: If it is not CSV in UTF-8, or its header lacks fields, or it was written while it was read.

    Attributes:
        kind: What it is: ``csv``.
        delimiter: What stands between two cells.
        line_end: What stands behind a row.
        bom: Whether the mark of the encoding stands in front.
        columns: Its header, understood.
        incomplete: Signs that the file is not whole yet, which only those who write it can rule out.
        held: What is closed with the file.
    """

    def __init__(self, source: BinaryIO, *, spec: RegionSpec, defaults: Mapping[str, str]) -> None:
        self.spec = spec
        self._snapshot = Snapshot(source)
        self.incomplete: tuple[FileProblem, ...] = _incomplete(self._snapshot)
        with ExitStack() as held:
            held.callback(self._snapshot.close)
            self.delimiter: str = self._find_delimiter()
            self.kind, self.bom, self.line_end = "csv", self._snapshot.has_mark, self._snapshot.line_end
            line, names = self._find_header()
            self.columns: Columns = read_header(names, line=line, spec=spec, defaults=defaults)
            self.held: ExitStack[bool | None] = held.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the snapshot."""
        self.held.close()

    def has_grown(self, path: Path) -> bool:
        """Whether more was written behind what was read of the file, which stood at *path* then."""
        return self._snapshot.has_grown(path)

    def rows(self) -> Iterator[Row]:
        """All rows that are not empty, from the first one."""
        return (row for stretch in self.stretches() for row in self.rows_of(stretch))

    def stretches(self) -> Iterator[Stretch]:
        """The same in stretches, for callers that look at many rows at a time."""
        for stretch in self._stretches(self.delimiter):
            if stretch.first > _HEADER:
                yield stretch
            elif len(stretch.lines) > 1:
                yield Stretch(_HEADER + 1, stretch.lines[1:], stretch.records[1:])

    def rows_of(self, stretch: Stretch) -> Iterator[Row]:
        """The rows of a stretch, one by one."""
        for number, (line, cells) in enumerate(zip(stretch.lines, stretch.records, strict=True), stretch.first):
            yield self._row(number, line, tuple(map(self.columns.read, cells)), stretch.problem)

    def _row(self, number: int, line: int, cells: tuple[str, ...], problem: str | None) -> Row:
        code, width = "CSV_FORMAT", len(self.columns.names)
        if problem is None and len(cells) != width:
            code = "CELL_COUNT"
            problem = (
                f"has {len(cells)} cells and the header has {width}; a separator is missing, or a quote around one"
            )
        values = {} if problem else self._values(cells)
        if problem is None and values and "trade_no" not in values and self._has_result(cells):
            code = "TRADE_NO_LOST"
            problem = "is a row of a result file that has lost its trade number; put it back, or it would be paid anew"
        if problem is None and values is None:
            code = "TRADE_NO_TWICE"
            problem = "has two different trade numbers, in trade_no and in paypro_trade_no; keep one of them"
        retried = self._retried(cells) if values else None
        if retried and values and values.setdefault("trade_no", due := retry_trade_no(retried)) != due:
            code = "RETRY_NUMBER"
            problem = (
                f"makes good the failed payout in retry_of, so its trade_no must be {due}; put that back, or empty "
                "retry_of if it is another payment"
            )
        wrong = FileProblem(line=line, row=number, code=code, message=problem) if problem else None
        return Row(number=number, line=line, cells=cells, values=values or {}, retry_of=retried, problem=wrong)

    def _retried(self, cells: tuple[str, ...]) -> str | None:
        at = self.columns.retried
        return None if at is None else cells[at].strip() or None

    def _values(self, cells: tuple[str, ...]) -> dict[str, str] | None:
        values = {name: cells[at].strip() for name, at in self.columns.fields.items() if cells[at].strip()}
        numbered = cells[self.columns.numbered].strip() if self.columns.numbered is not None else ""
        if numbered and values.setdefault("trade_no", numbered) != numbered:
            return None
        return values

    def _has_result(self, cells: Sequence[str]) -> bool:
        return any(cells[at].strip() for at in self.columns.results)

    def _find_delimiter(self) -> str:
        header = next(self._stretches(",", size=1), _EMPTY).records[0]
        found = [one for one in (";", "\t") if len(header) == 1 and one in header[0]]
        return found[0] if found else ","

    def _find_header(self) -> tuple[int, tuple[str, ...]]:
        stretch = next(self._stretches(self.delimiter, size=1), _EMPTY)
        line, names = stretch.lines[0], tuple(stretch.records[0])
        if stretch.problem is not None:
            code = "NOT_CSV" if names else "EMPTY_FILE"
            raise PayoutFileError([FileProblem(line=line, code=code, message=stretch.problem)])
        return line, names

    def _stretches(self, delimiter: str, size: int = _STRETCH) -> Iterator[Stretch]:
        """Every record that is not empty; the header has the number 0."""
        first, line, broken = _HEADER, 1, None
        lines: list[int] = []
        records: list[list[str]] = []
        with self._snapshot.text() as text:
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            try:
                for cells in reader:
                    if any(map(str.strip, cells)):
                        lines.append(line)
                        records.append(cells)
                        if len(lines) == size:
                            yield Stretch(first, lines, records)
                            first, lines, records = first + size, [], []
                    line = reader.line_num + 1
            except csv.Error as error:
                # What follows a broken quote cannot be told apart, so the reading ends here.
                broken = f"is not CSV ({error}); is a quote missing or one too many? Rows below were not read"
        if lines:
            yield Stretch(first, lines, records)
        if broken:
            yield Stretch(first + len(lines), [line], [[""]], broken)


def _incomplete(snapshot: Snapshot) -> tuple[FileProblem, ...]:
    found: list[FileProblem] = []
    if snapshot.being_written:
        message = f"is open for writing in another program; wait until that has closed it, or, {_IF_WHOLE}"
        found.append(FileProblem(line=1, code="FILE_OPEN", message=message))
    if snapshot.cut_in_line is not None:
        message = (
            "has no line end, as the last line of a file that is still being written, or was cut off; its last cell "
            f"may be a part of what was meant. Add the line end, or, {_IF_WHOLE}"
        )
        found.append(FileProblem(line=snapshot.cut_in_line, code="NO_LINE_END", message=message))
    return tuple(found)
