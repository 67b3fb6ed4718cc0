"""Workbooks: the sheet that holds the payouts, read once, each cell as the file has it and none as a guess.

The XML is read as it stands. A library for spreadsheets would give a number as a floating point number, and would not
tell a formula from a text, or a hidden row from one that was seen. It is asked too, and must agree.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, time, timedelta
from decimal import Decimal

from paypro_async._core.money import amount_text
from paypro_async.bulk.header.columns import Columns, HeaderReader, column_letters, is_no_header, listed
from paypro_async.bulk.problems import FileProblem, PayoutFileError, Problems
from paypro_async.bulk.readers.base import Header, Kind, Stretch
from paypro_async.bulk.readers.headers import (
    LOOKED_AT,
    best_header,
    refuse_empty,
    refuse_headless,
    refuse_payouts_above,
)
from paypro_async.bulk.readers.kept_rows import KeptRows, Wrong
from paypro_async.bulk.readers.number_formats import shown_as, shows_text
from paypro_async.bulk.readers.package import Package, broken
from paypro_async.bulk.readers.row_checks import TOTALS_ROW, is_totals
from paypro_async.bulk.readers.second_reading import differences
from paypro_async.bulk.readers.sheet import Area, Cell, SheetRow, read_sheet
from paypro_async.bulk.readers.snapshot import Snapshot
from paypro_async.bulk.readers.workbook import NO_CHARACTER, Sheet, Workbook, open_workbook

__all__ = ["XlsxReader"]

_DIGITS = 15
_LAST_LOOKED_AT = 1_000
"""The last row in which the header is looked for, if a row was found before it."""

_WHERE = frozenset({"bank_number", "bank_code"})
_BANK_CODE = re.compile("[A-Z]{4}0[A-Z0-9]{6}", re.IGNORECASE)
_AS_TEXT = "format the column as Text and enter the value again from its source"
_NUMBER = (
    "is a number, not text: a spreadsheet drops zeros in front of a number and every digit behind the 15th, for good; "
    f"{_AS_TEXT}"
)


class XlsxReader:
    """A workbook.

    Args:
        snapshot: The file.
        headers: Tells the header from other rows.
        sheet: The name of the sheet, if the caller chose one.

    Raises:
        PayoutFileError: If it cannot be read, or which sheet is meant is not clear.
    """

    kind: Kind = "xlsx"
    delimiter = ","

    def __init__(self, snapshot: Snapshot, headers: HeaderReader, *, sheet: str | None) -> None:
        self._book = open_workbook(Package(snapshot.data(), snapshot.size))
        self._sheet, self._header = _choose(self._book, headers, sheet)
        others = [one.name for one in self._book.sheets if one is not self._sheet]
        self.sheets: Sequence[str] = (self._sheet.name, *others)
        places = [f"{column_letters(at)}{self._header.line}" for at in range(len(self._header.names))]
        self.columns: Columns = headers.read(self._header.names, line=self._header.line, cells=places)
        refuse_payouts_above(self._header, self.columns)
        self._cells = _CellReader(self._book, self.columns)
        self._kept = KeptRows()
        self._problems = Problems()
        self._hidden: list[Area] = []
        self._last = self._header.line
        self._told: set[int] = set()
        try:
            any_too_long = read_sheet(
                self._book, self._sheet, row=self._take, hidden_columns=self._hidden.append, merged=self._refuse_merged
            )
            self._kept.end()
            self._ask_the_library(any_too_long=any_too_long or bool(self._book.texts.too_long))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Forget the rows."""
        self._kept.close()

    def stretches(self) -> Iterator[Stretch]:
        """All rows below the header that are not empty."""
        return self._kept.stretches()

    def problems(self) -> Sequence[FileProblem]:
        """Columns that nobody sees, and cells that are merged."""
        return self._problems.sorted()

    def cell(self, line: int, position: int) -> str:
        """What a spreadsheet calls a cell."""
        return f"{column_letters(position)}{line}"

    def _take(self, row: SheetRow) -> None:
        if row.number <= self._header.line:
            if row.number == self._header.line:
                _refuse_no_characters(row)
            return
        self._last = row.number
        texts, wrong = self._cells.read(row)
        for one in row.cells if self._hidden else ():
            self._refuse_hidden_column(one.column, row.number)
        if row.hidden and any(one.column in self._cells.names for one in row.cells):
            message = "is hidden, by hand or by a filter, so nobody has seen it; show it, or take it out of the file"
            wrong = [Wrong(None, f"A{row.number}", "HIDDEN_ROW", message), *wrong]
        elif wrong and is_totals(texts, self.columns):
            wrong = [Wrong(None, None, TOTALS_ROW.code, TOTALS_ROW.message)]
        self._kept.add(row.number, texts, wrong)

    def _ask_the_library(self, *, any_too_long: bool) -> None:
        """A text longer than a cell can be is refused as it is, before a library would unpack it."""
        if any_too_long:
            if not self._kept.wrong:
                raise broken("holds a text longer than a cell can be")
            return
        parts = self._sheet.part, self._book.texts_part
        package, names = self._book.package, self._cells.names
        for line, wrong in differences(package, parts, self._kept, names, header=self._header.line):
            self._problems.add(
                FileProblem(line=line, field=wrong.field, cell=wrong.cell, code=wrong.code, message=wrong.message)
            )

    def _refuse_hidden_column(self, column: int, line: int) -> None:
        if column not in self._cells.names or column in self._told:
            return
        if any((column, line) in area for area in self._hidden):
            self._told.add(column)
            message = "stands in a hidden column, so nobody has seen it; show the column, or take it out of the file"
            where = f"{column_letters(column)}{line}"
            self._problems.add(
                FileProblem(
                    line=line, field=self._cells.names[column], cell=where, code="HIDDEN_COLUMN", message=message
                )
            )

    def _refuse_merged(self, reference: str, area: Area) -> None:
        columns = [at for at in self._cells.names if area.left <= at <= area.right]
        if columns and area.bottom >= self._header.line and area.top <= self._last:
            message = "are merged, so their value may be meant for several payouts; unmerge them, and fill each"
            self._problems.add(
                FileProblem(
                    line=area.top,
                    field=self._cells.names[columns[0]],
                    cell=reference,
                    code="MERGED_CELLS",
                    message=f"has cells that {message}",
                )
            )


class _CellReader:
    """The cells of a row as text, and what is wrong with them.

    Attributes:
        names: The field of each column that holds one, or another name for what must be text as well.
    """

    def __init__(self, book: Workbook, columns: Columns) -> None:
        self._book = book
        self._width = len(columns.names)
        self._changing = {style for style, code in enumerate(book.formats) if not shows_text(code)}
        self.names: dict[int, str] = {at: name for name, at in columns.fields.items()}
        for at, name in ((columns.numbered, "trade_no"), (columns.retried, "retry_of")):
            if at is not None:
                self.names[at] = name

    def read(self, row: SheetRow) -> tuple[list[str], list[Wrong]]:
        """One row."""
        texts = [""] * self._width
        wrong: list[Wrong] = []
        for one in row.cells:
            if one.kind == "text" and not one.is_formula and not one.too_long and one.column < self._width:
                texts[one.column] = one.text  # as nearly all are
                if NO_CHARACTER in one.text:
                    wrong.append(Wrong(self.names.get(one.column), _place(one, row), *_NOT_UNICODE))
                elif one.style in self._changing and one.column in self.names:
                    wrong.append(Wrong(self.names[one.column], _place(one, row), *_TEXT_SHOWN))
                continue
            where = _place(one, row)
            if one.column >= self._width:
                message = "holds a value, and its column has no name in the header; name the column, or empty the cell"
                wrong.append(Wrong(None, where, "CELL_COUNT", message))
                continue
            name = self.names.get(one.column)
            text, problem = self._other(one) if name is None else self._field(name, one)
            texts[one.column] = text
            if problem:
                wrong.append(Wrong(name, where, *problem))
        return texts, wrong

    def _field(self, name: str, one: Cell) -> tuple[str, tuple[str, str] | None]:
        if one.too_long:
            return "", _TOO_LONG
        if one.is_formula:
            return one.text, ("CELL_FORMULA", "is a formula, not a value; copy the column and paste it as values only")
        if one.kind == "text":
            return one.text, None
        if one.kind == "number":
            return self._number(name, one)
        return one.text, _OTHER_KINDS[one.kind]

    def _number(self, name: str, one: Cell) -> tuple[str, tuple[str, str] | None]:
        number = _decimal(one.text)
        shown = shown_as(self._format(one))
        if number is None:
            return "", ("CELL_ERROR", f"is no number that can be read; {_AS_TEXT}")
        if shown.is_date:
            return "", _OTHER_KINDS["date"]
        whole, _, fraction = f"{number:f}".partition(".")
        if name == "mobile" and not fraction.strip("0") and len(whole) <= _DIGITS:
            return whole, None
        if name != "amount":
            return "", ("CELL_NUMBER", _NUMBER)
        if len(f"{whole}{fraction}".strip("0")) > _DIGITS:
            message = "has more than 15 digits, as computed ones have; round it to two decimals, and paste it as value"
            return "", ("AMOUNT_DIGITS", message)
        problem = shown.problem(number)
        return amount_text(number), ("AMOUNT_SHOWN", problem) if problem else None

    def _other(self, one: Cell) -> tuple[str, tuple[str, str] | None]:
        """A cell that is carried through: as it stands, and a day as one."""
        if one.too_long:
            return "", _TOO_LONG
        if one.kind == "boolean":
            return "FALSE" if one.text == "0" else "TRUE", None
        if one.kind != "number" or (number := _decimal(one.text)) is None:
            return one.text, None
        if shown_as(self._format(one)).is_date:
            return _day(number, since_1904=self._book.since_1904) or one.text, None
        return (f"{number:f}".removesuffix(".0") if -6 < number.adjusted() < _DIGITS else str(number)), None

    def _format(self, one: Cell) -> str:
        return self._book.formats[one.style] if one.style < len(self._book.formats) else "General"


_NOT_UNICODE = ("NOT_UNICODE", "holds a broken character (a lone surrogate); write the text again")
_TEXT_SHOWN = (
    "TEXT_SHOWN",
    "is not shown as it is: its number format hides it, or adds to it; format the column as Text, and look at it again",
)
_TOO_LONG = ("CELL_TOO_LONG", "is longer than any cell of a spreadsheet can be; shorten it")
_OTHER_KINDS = {
    "boolean": ("CELL_BOOLEAN", f"is TRUE or FALSE, not text; {_AS_TEXT}"),
    "error": ("CELL_ERROR", f"holds an error of a formula, such as #N/A; {_AS_TEXT}"),
    "date": ("CELL_DATE", f"is a date, which a spreadsheet may have made of other text; {_AS_TEXT}"),
}


def _decimal(text: str) -> Decimal | None:
    """The number that a spreadsheet holds: the nearest floating point number, in the fewest digits that mean it."""
    try:
        number = Decimal(repr(float(text)))
    except ValueError:
        return None
    return number if number.is_finite() else None


def _day(number: Decimal, *, since_1904: bool) -> str | None:
    start = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30)  # noqa: DTZ001  a sheet has no zones
    try:
        found = start + timedelta(days=float(number))
    except OverflowError:
        return None
    return found.date().isoformat() if found.time() == time() else found.isoformat(" ", "seconds")


def _place(one: Cell, row: SheetRow) -> str:
    return f"{column_letters(one.column)}{row.number}"


def _refuse_no_characters(header: SheetRow) -> None:
    problems = [
        FileProblem(line=header.number, cell=_place(one, header), code=_NOT_UNICODE[0], message=_NOT_UNICODE[1])
        for one in header.cells
        if NO_CHARACTER in one.text
    ]
    if problems:
        raise PayoutFileError(problems)


class _EnoughError(Exception):
    """The first rows were seen."""


def _first_rows(book: Workbook, sheet: Sheet) -> list[tuple[int, list[str]]]:
    rows: list[tuple[int, list[str]]] = []

    def take(row: SheetRow) -> None:
        cells = [""] * (row.cells[-1].column + 1)
        for one in row.cells:
            cells[one.column] = one.text
        rows.append((row.number, cells))
        if len(rows) == LOOKED_AT:
            raise _EnoughError

    def begun(number: int) -> None:
        # Sheets may have a million rows that were given a format and nothing else.
        if rows and number > _LAST_LOOKED_AT:
            raise _EnoughError

    with suppress(_EnoughError):
        read_sheet(book, sheet, row=take, begun=begun)
    return rows


def _choose(book: Workbook, headers: HeaderReader, name: str | None) -> tuple[Sheet, Header]:
    """The sheet that holds the payouts, and its header."""
    found: list[tuple[int, Sheet, Header]] = []
    accounts: set[str] = set()
    for sheet in [_named(book, name)] if name is not None else book.sheets:
        rows = _first_rows(book, sheet)
        if rows:
            header, best = best_header(rows, headers.score)
            found.append((best, sheet, header))
            if _holds_accounts(header, rows, headers):
                accounts.add(sheet.part)
    if not found:
        refuse_empty()
    seen = [one for one in found if not one[1].hidden]
    with_header = [one for one in seen if not is_no_header(one[0])]
    # A list of employees, or a summary, beside the payouts: it says not where the money goes.
    with_header = [one for one in with_header if one[1].part in accounts] or with_header
    if len(with_header) > 1:
        names = listed([sheet.name for _, sheet, _ in with_header], "sheets with payouts")
        message = (
            f"holds payouts in {len(with_header)} sheets; say which one is meant with "
            f'--sheet "NAME" (in a program: sheet="NAME") ({names})'
        )
        raise _refused("SHEET_UNCLEAR", message)
    if not with_header and any(sheet.hidden and not is_no_header(best) for best, sheet, _ in found):
        raise _refused("SHEET_HIDDEN", "holds payouts in a hidden sheet only, which nobody has seen; show it in Excel")
    best, sheet, header = max(with_header or seen or found, key=lambda one: one[0])
    refuse_headless(header, best)
    return sheet, header


def _holds_accounts(header: Header, rows: Sequence[tuple[int, Sequence[str]]], headers: HeaderReader) -> bool:
    """Whether a sheet says where money goes, by the names of its columns or, if those are unknown, by its cells."""
    fields = {found[0] for name in header.names if (found := headers.names.field_of(name))}
    if not _WHERE.isdisjoint(fields):
        return True
    return any(_BANK_CODE.fullmatch(cell.strip()) for _, cells in rows for cell in cells)


def _named(book: Workbook, name: str) -> Sheet:
    for sheet in book.sheets:
        if sheet.name.strip().casefold() == name.strip().casefold():
            return sheet
    found = listed([sheet.name for sheet in book.sheets if not sheet.hidden], "sheets")
    raise _refused("SHEET_MISSING", f"has no sheet of the name that --sheet (in a program: sheet=) gives ({found})")


def _refused(code: str, message: str) -> PayoutFileError:
    return PayoutFileError([FileProblem(line=1, code=code, message=message)])
