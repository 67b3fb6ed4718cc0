"""The result of an earlier run, as it stands on the disk: whose it is, and what it says was sent."""

import csv
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from paypro_async._core.items import ItemStatus
from paypro_async._core.regions import REGIONS
from paypro_async.bulk.file_plan import Plan
from paypro_async.bulk.header.columns import Columns
from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.bulk.problems import PayoutFileError
from paypro_async.report.formulas import original

__all__ = ["is_foreign", "numbers_in", "sent_in", "sent_of"]

_NUMBER, _STATUS = "paypro_trade_no", "paypro_status"
_UNSENT = frozenset({ItemStatus.NOT_SENT, ItemStatus.CONFLICT, ItemStatus.INVALID})
_SEPARATORS = ",;\t"
_ZIP, _OBJECT = b"PK", b"{"
_HEADER_BYTES = 1_000_000
_ROWS_LOOKED_AT = 1000


def is_foreign(path: Path, plan: Plan, columns: Columns, *, own: bool = False) -> bool:
    """Whether a file stands there that is not the result of the file that is paid, and would be lost.

    Args:
        path: Where the result goes.
        plan, columns: Of the file that is paid.
        own: Whether the place belongs to that file by its name alone, whatever run the result there is of.
    """
    try:
        if not path.stat().st_size:
            return False
    except OSError:
        return False  # There is none.
    numbers = numbers_in(path, columns)
    if numbers is None:
        return True
    # Its own place may hold the result of what the file was before it was edited, or of last week's.
    return not own and not any(map(plan.owns, islice(numbers, _ROWS_LOOKED_AT)))


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


def numbers_in(path: Path, input_columns: Columns) -> Iterator[str] | None:
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
