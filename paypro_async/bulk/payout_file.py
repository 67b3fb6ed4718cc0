"""A file of payouts, whatever its kind: its columns, and its rows as often as needed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import BinaryIO, Self

from attrs import evolve, field, frozen

from paypro_async._core.regions import RegionSpec
from paypro_async.bulk.header.columns import Columns, HeaderReader
from paypro_async.bulk.problems import FileProblem
from paypro_async.bulk.readers.base import Kind, Reader, Stretch
from paypro_async.bulk.readers.opening import open_reader
from paypro_async.bulk.readers.row_checks import RowChecks
from paypro_async.bulk.readers.snapshot import Snapshot

__all__ = ["PayoutFile", "Row"]

_IF_WHOLE = "if the file is whole as it is, say so with --file-complete (in a program: complete=True)"
_NOTHING: Mapping[str, str] = MappingProxyType({})


@frozen(kw_only=True)
class Row:
    """One payout of a file.

    Args:
        number: From 1, without the header and empty rows.
        line: Where it begins in the file, from 1.
        cells: As they stand in the file; of a result file, as they stood in the file that was paid.
        values: Fields by their names in the model, without surrounding blanks; an empty cell is no value.
        retry_of: The number of the failed payout that it makes good, or None.
        problems: What is wrong with the row or its cells, before its fields are looked at.
    """

    number: int
    line: int
    cells: tuple[str, ...] = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    retry_of: str | None = None
    problems: tuple[FileProblem, ...] = ()

    @property
    def problem(self) -> FileProblem | None:
        """The first of its problems."""
        return self.problems[0] if self.problems else None


class PayoutFile:
    """A file of payouts, held as a snapshot that no other program can change.

    Its kind is told by what is in it: CSV, a workbook (XLSX), or JSON lines, an object on each line.

    Args:
        source: Open for reading bytes; read to its end at once.
        spec: The region, whose fields are looked for.
        defaults: Fields that need no column, since the client has a value for all payouts.
        columns: The field of each column that is called otherwise than docs/bulk.md lists; an empty one means that the
            column is no field.
        sheet: The sheet of a workbook, if several hold payouts.

    Raises:
        PayoutFileError: If it is no such file, or its header lacks fields, or it was written while it was read.

    Attributes:
        kind: ``csv``, ``xlsx`` or ``jsonl``.
        sheets: The names of a workbook's sheets, the one that is read before the others; none of another file.
        delimiter: What stands between two cells of a CSV file.
        bom: Whether a byte order mark stands before its text.
        line_end: What ends the first line of its text.
        columns: Its header, understood.
        incomplete: Signs that the file is not whole yet, which only those who write it can rule out.
        held: What is closed with the file.
    """

    def __init__(
        self,
        source: BinaryIO,
        *,
        spec: RegionSpec,
        defaults: Mapping[str, str],
        columns: Mapping[str, str] = _NOTHING,
        sheet: str | None = None,
    ) -> None:
        self.spec = spec
        self._snapshot = Snapshot(source)
        self.incomplete: tuple[FileProblem, ...] = _incomplete(self._snapshot)
        with ExitStack() as held:
            held.callback(self._snapshot.close)
            headers = HeaderReader(spec, defaults, columns)
            self._reader: Reader = open_reader(self._snapshot, headers, held, sheet=sheet)
            self.kind: Kind = self._reader.kind
            self.sheets: Sequence[str] = self._reader.sheets
            self.delimiter: str = self._reader.delimiter
            self.bom: bool = self._snapshot.has_mark
            self.line_end: str = self._snapshot.line_end
            # No spreadsheet opens JSON lines, so they were written as they are.
            found = self._reader.columns
            self.columns: Columns = evolve(found, read=str) if self.kind == "jsonl" else found
            self._checks = RowChecks(self.columns)
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
        return self._reader.stretches()

    def rows_of(self, stretch: Stretch) -> Iterator[Row]:
        """The rows of a stretch, one by one."""
        for at, (line, cells) in enumerate(zip(stretch.lines, stretch.records, strict=True)):
            written = self._checks.fitted(tuple(map(self.columns.read, cells)))
            yield self._row(stretch.first + at, line, written, stretch.problems.get(at, ()))

    def problems(self) -> Sequence[FileProblem]:
        """What is wrong with the file as a whole, known once its rows were read."""
        return self._reader.problems()

    def cell(self, line: int, field: str | None) -> str | None:
        """What a spreadsheet calls the cell of a field, as ``B7``; None if the file has no such names."""
        at = self.columns.fields.get(field or "")
        return None if at is None else self._reader.cell(line, at)

    def _row(self, number: int, line: int, cells: tuple[str, ...], found: Sequence[FileProblem]) -> Row:
        if any(one.field is None for one in found):
            return Row(number=number, line=line, cells=cells, values={}, problems=tuple(found))
        values, wrong = self._checks.look(cells, known={one.field for one in found})
        problems = (*found, *(evolve(one, line=line, row=number, cell=self.cell(line, one.field)) for one in wrong))
        retried = self._checks.retried(cells) if values else None
        return Row(number=number, line=line, cells=cells, values=values, retry_of=retried, problems=problems)


def _incomplete(snapshot: Snapshot) -> tuple[FileProblem, ...]:
    found: list[FileProblem] = []
    if snapshot.being_written:
        message = f"is open for writing in another program; wait until that has closed it, or, {_IF_WHOLE}"
        found.append(FileProblem(line=1, code="FILE_OPEN", message=message))
    if snapshot.cut_in_line is not None:
        message = (
            "has no line end, as the last line of a file that is still being written, or was cut off; its last cell "
            "may be a part of what was meant. See that the last row is whole, and make a plan of it (`paypro plan` "
            f"takes it so); or, {_IF_WHOLE}"
        )
        found.append(FileProblem(line=snapshot.cut_in_line, code="NO_LINE_END", message=message))
    return tuple(found)
