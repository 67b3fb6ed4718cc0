"""Rows that were read once and are looked at several times, in a temporary file without a name."""

import json
import tempfile
from collections.abc import Iterator, Sequence

from attrs import frozen

from paypro_async.bulk.problems import FileProblem
from paypro_async.bulk.readers.base import FIRST_ROW, STRETCH, Stretch

__all__ = ["KeptRows", "Wrong"]

_IN_MEMORY = 8 * 1024 * 1024


@frozen
class Wrong:
    """What is wrong with a row or a cell: the field, what a spreadsheet calls the cell, a code and how to mend it."""

    field: str | None
    cell: str | None
    code: str
    message: str


class KeptRows:
    """Takes the rows one by one, and gives them back in stretches as often as it is asked.

    Attributes:
        wrong: The lines of those with problems.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  close() closes it
        self._first = FIRST_ROW
        self._lines: list[int] = []
        self._records: list[Sequence[str]] = []
        self._wrong: list[tuple[int, tuple[str | None, str | None, str, str]]] = []
        self._places: list[int] = []
        self._later: list[tuple[int, Wrong]] = []
        self.wrong: set[int] = set()

    def add(self, line: int, cells: Sequence[str], wrong: Sequence[Wrong]) -> None:
        """Take one more row."""
        place = len(self._lines)
        self._lines.append(line)
        self._records.append(cells)
        if wrong:
            self.wrong.add(line)
        self._wrong += [(place, (one.field, one.cell, one.code, one.message)) for one in wrong]
        if len(self._lines) == STRETCH:
            self.end()

    def end(self) -> None:
        """Put what was taken into the file."""
        if not self._lines:
            return
        self._places.append(self._file.tell())
        text = json.dumps([self._first, self._lines, self._records, self._wrong])
        self._file.write(text.encode() + b"\n")
        self._first += len(self._lines)
        self._lines, self._records, self._wrong = [], [], []

    def stretches(self) -> Iterator[Stretch]:
        """All rows."""
        for place in self._places:
            self._file.seek(place)
            first, lines, records, wrong = json.loads(self._file.readline())
            problems: dict[int, list[FileProblem]] = {}
            for at, (field, cell, code, message) in wrong:
                problems.setdefault(at, []).append(
                    FileProblem(line=lines[at], row=first + at, field=field, cell=cell, code=code, message=message)
                )
            yield Stretch(first, lines, records, problems)

    def close(self) -> None:
        """Forget the rows."""
        self._file.close()
