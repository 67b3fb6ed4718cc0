"""Where the result of a file goes, and whose result stands there already."""

import csv
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import click
from attrs import frozen

from paypro_async._core.items import ItemStatus
from paypro_async._core.regions import REGIONS
from paypro_async.bulk.file_plan import Plan
from paypro_async.bulk.header.columns import Columns
from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.bulk.problems import PayoutFileError
from paypro_async.cli.batch.questions import agreed
from paypro_async.cli.output import readable
from paypro_async.report.formulas import original

__all__ = ["ResultPlace", "result_beside", "results_before", "sent_in", "sent_of"]

_NUMBER, _STATUS = "paypro_trade_no", "paypro_status"
_UNSENT = frozenset({ItemStatus.NOT_SENT, ItemStatus.CONFLICT, ItemStatus.INVALID})
_SEPARATORS = ",;\t"
_KINDS = (".csv", ".xlsx", ".jsonl")
_ZIP, _OBJECT = b"PK", b"{"
_HEADER_BYTES = 1_000_000
_ROWS_LOOKED_AT = 1000


def result_beside(file: Path) -> Path:
    """Where the result of a file goes if nothing else is said; no two files of a folder share one."""
    if file.suffix in _KINDS:
        return file.with_name(f"{file.stem}.result{file.suffix}")
    return file.with_name(f"{file.name}-result.csv")


def results_before(file: Path) -> list[Path]:
    """Where the result of an earlier run may lie, as this release or the one before it named it."""
    places = [result_beside(file)]
    # It gave a.csv and a.txt the same one, and wrote no other kind.
    if file.suffix != ".csv" and not file.with_suffix(".csv").exists():
        places.append(file.with_name(f"{file.stem}.result.csv"))
    return places


@frozen(kw_only=True)
class ResultPlace:
    """Where the result goes, and what stood there before anything was sent.

    Args:
        path: Of the result file.
        plan: Of the file that is paid, which knows its trade numbers.
        columns: Of that file.
        own: Whether the place belongs to that file by its name alone.
        found: What tells the file that stood there from any later one; None if there was none.
    """

    path: Path
    plan: Plan
    columns: Columns
    own: bool
    found: tuple[int, ...] | None

    @classmethod
    def look(cls, path: Path, source: Path, plan: Plan, columns: Columns) -> "ResultPlace":
        """The place as it is now."""
        own = str(source) != "-" and path.absolute() == result_beside(source).absolute()
        return cls(path=path, plan=plan, columns=columns, own=own, found=_state(path))

    def refuse_foreign(self, *, ask: bool) -> None:
        """Nothing but the result of this file is replaced, unless a person agrees.

        Raises:
            click.UsageError: If another file stands there.
        """
        if not self._is_foreign():
            return
        kind = (
            "is no result file"
            if _numbers(self.path, self.columns) is None
            else "is the result of another file, or of another run"
        )
        if ask and agreed(f"{readable(self.path)} {kind}. Replace it?"):
            return
        raise click.UsageError(
            f"{readable(self.path)} is there, and {kind}; it was not replaced. Nothing was sent. Name another one with "
            "--result, move it away, or say --replace-result."
        )

    def taken_meanwhile(self) -> bool:
        """Whether another program has put a file there since, which is not this file's result."""
        return _state(self.path) != self.found and self._is_foreign()

    def _is_foreign(self) -> bool:
        try:
            if not self.path.stat().st_size:
                return False
        except OSError:
            return False  # There is none.
        numbers = _numbers(self.path, self.columns)
        if numbers is None:
            return True
        # Its own place may hold the result of what the file was before it was edited, or of last week's.
        return not self.own and not any(map(self.plan.owns, islice(numbers, _ROWS_LOOKED_AT)))


def sent_in(path: Path, input_columns: Columns) -> Iterator[str] | None:
    """The numbers that a result file says were sent, or None if it is not understood."""
    found = _read(path, input_columns)
    return None if found is None else sent_of(*found)


def sent_of(names: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str] | None:
    """The same of a file that was read already: its header, and its rows."""
    if _NUMBER not in names or _STATUS not in names:
        return None
    number, status = names.index(_NUMBER), names.index(_STATUS)
    return (
        original(row[number]).strip()
        for row in rows
        if len(row) > max(number, status) and row[number].strip() and row[status].strip() not in _UNSENT
    )


def _numbers(path: Path, input_columns: Columns) -> Iterator[str] | None:
    """Every trade number of a result file, or None if it is none."""
    found = _read(path, input_columns)
    if found is None or _NUMBER not in found[0] or _STATUS not in found[0]:
        return None
    at = found[0].index(_NUMBER)
    return (original(row[at]).strip() for row in found[1] if len(row) > at)


def _read(path: Path, input_columns: Columns) -> tuple[list[str], Iterator[Sequence[str]]] | None:
    """The header and the rows of a file of whatever kind; None if it cannot be read."""
    try:
        with path.open("rb") as data:
            beginning = data.read(3).lstrip()
        if beginning.startswith(_ZIP):
            return _of_workbook(path, input_columns)
        if beginning.startswith(_OBJECT):
            return _of_json_lines(path)
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
            header = text.readline(_HEADER_BYTES)
        separator = max(_SEPARATORS, key=header.count)
        return next(csv.reader([header], delimiter=separator), []), _rows(path, separator)
    except (OSError, ValueError, csv.Error, PayoutFileError):
        return None


def _of_workbook(path: Path, columns: Columns) -> tuple[list[str], Iterator[Sequence[str]]]:
    spec = next(iter(REGIONS.values()))
    every = {one.name: "" for one in spec.fields}
    given = {columns.names[at]: name for name, at in columns.fields.items()}
    with path.open("rb") as data, PayoutFile(data, spec=spec, defaults=every, columns=given) as file:
        # What it was written from is as large, and was read whole too.
        return list(file.columns.names), iter([row.cells for row in file.rows()])


def _of_json_lines(path: Path) -> tuple[list[str], Iterator[Sequence[str]]]:
    with path.open(encoding="utf-8") as text:
        names = list(json.loads(text.readline(_HEADER_BYTES)))
    return names, _json_rows(path, names)


def _json_rows(path: Path, names: Sequence[str]) -> Iterator[Sequence[str]]:
    with path.open(encoding="utf-8") as text:
        for line in text:
            found = json.loads(line)
            yield [str(found.get(name) or "") for name in names]


def _rows(path: Path, separator: str) -> Iterator[Sequence[str]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        rows = csv.reader(text, delimiter=separator)
        next(rows, None)
        yield from rows


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
