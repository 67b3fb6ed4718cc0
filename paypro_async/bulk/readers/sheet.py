"""The rows of a sheet as its XML holds them: each cell with its kind, and its text as it stands."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from attrs import frozen

from paypro_async.bulk.header.columns import column_letters
from paypro_async.bulk.readers.package import broken, too_large
from paypro_async.bulk.readers.workbook import Sheet, Workbook, unescaped

__all__ = ["Area", "Cell", "SheetRow", "read_sheet"]

_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})(?::\$?([A-Z]{1,3})\$?([0-9]{1,7}))?")
_LAST_ROW, _LAST_COLUMN = 1_048_576, 16_384
_LOWEST, _NARROWEST = 3.0, 0.5
"""Points of a row's height, and digits of a column's width, below which nobody sees what they hold."""

_MOST_AREAS = 1_000
_KINDS = {"s": "text", "str": "text", "inlineStr": "text", "b": "boolean", "e": "error", "d": "date", "n": "number"}


class Cell(NamedTuple):
    """A cell that is not empty: a tuple, since a sheet has millions.

    Args:
        column: From 0.
        kind: ``text``, ``number``, ``boolean``, ``error`` or ``date``.
        text: As it stands; of a number its digits as the file has them.
        style: The number of its style.
        is_formula: Whether it is computed.
        too_long: Whether it is longer than any cell can be.
    """

    column: int
    kind: str
    text: str
    style: int
    is_formula: bool
    too_long: bool


@frozen
class SheetRow:
    """A row that is not empty: its number from 1, whether it is hidden, and its cells in order."""

    number: int
    hidden: bool
    cells: Sequence[Cell]


@frozen
class Area:
    """Columns from 0 and rows from 1, both ends included."""

    left: int
    top: int
    right: int
    bottom: int

    def __contains__(self, place: tuple[int, int]) -> bool:
        column, row = place
        return self.left <= column <= self.right and self.top <= row <= self.bottom


def column_number(letters: str) -> int:
    """``A`` is 0, ``AA`` is 26."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def area_of(reference: str) -> Area | None:
    """The area of a reference such as ``B2:C3``; None if it is none."""
    found = _RANGE.fullmatch(reference)
    if found is None:
        return None
    left, top = column_number(found[1]), int(found[2])
    right, bottom = (column_number(found[3]), int(found[4])) if found[3] else (left, top)
    return Area(min(left, right), min(top, bottom), max(left, right), max(top, bottom))


class _Reading:
    """Turns the events of a sheet's XML into rows."""

    def __init__(
        self,
        workbook: Workbook,
        row: Callable[[SheetRow], object],
        hidden_columns: Callable[[Area], object],
        merged: Callable[[str, Area], object],
        begun: Callable[[int], object],
    ) -> None:
        self._begun = begun
        self._texts = workbook.texts
        self._limits = workbook.package.limits
        self._row, self._hidden_columns, self._merged = row, hidden_columns, merged
        self._number, self._hidden, self._cells = 0, False, list[Cell]()
        self._in_rows = False
        self._column, self._count = -1, 0
        self._kind, self._style, self._is_formula = "n", 0, False
        self._pieces: list[str] = []
        self._length, self._reads, self._in_cell, self._phonetic = 0, False, False, False
        self._holds, self.any_too_long = False, False
        self._characters = 0
        self._left, self._top, self._right, self._last = _LAST_COLUMN, 0, -1, -1
        self._farthest = ""
        self._computed: list[Area] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._in_cell:
            self._within_cell(tag, attributes)
        elif self._in_rows:
            if tag == "c":
                self._begin_cell(attributes)
            elif tag == "row":
                self._begin_row(attributes)
        elif tag == "sheetData":
            self._in_rows = True
        elif tag == "col":
            if _is_true(attributes.get("hidden")) or _is_below(attributes.get("width"), _NARROWEST):
                first, last = (int(attributes.get(name, "1")) - 1 for name in ("min", "max"))
                self._hidden_columns(Area(first, 1, last, _LAST_ROW))
        elif tag == "mergeCell":
            reference = attributes.get("ref", "")
            if (area := area_of(reference)) is not None:
                self._merged(reference, area)

    def _within_cell(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._holds = True
        if tag in ("v", "t"):
            self._reads = not self._phonetic
        elif tag == "rPh":
            self._phonetic = True
        elif tag == "f":
            self._is_formula = True
            area = area_of(attributes.get("ref", ""))
            # An array's other cells hold its results and no formula; a shared formula stands in each of its cells.
            if area is not None and attributes.get("t") != "shared":
                self._computed.append(area)
                if len(self._computed) > _MOST_AREAS:
                    raise too_large(f"with more than {_MOST_AREAS:,} formulas of several cells beside each other")

    def text(self, piece: str) -> None:
        if self._reads:
            self._length += len(piece)
            if self._length <= self._limits.cell_length:
                self._pieces.append(piece)

    def end(self, tag: str) -> None:
        if tag in ("v", "t"):
            self._reads = False
        elif tag == "c" and self._in_cell:
            self._in_cell = False
            if self._holds or self._computed:
                self._end_cell()
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "row" and self._in_rows:
            if self._last >= 0:
                self._count_between()
            if self._cells:
                self._row(SheetRow(self._number, self._hidden, self._cells))
        elif tag == "sheetData":
            self._in_rows = False

    def _begin_row(self, attributes: Mapping[str, str]) -> None:
        given = attributes.get("r", "")
        number = int(given) if given.isdecimal() and len(given) < 8 else self._number + 1
        if not self._number < number <= _LAST_ROW:
            raise broken("is damaged: its rows are in no order")
        self._begun(number)
        self._number, self._column, self._last, self._cells = number, -1, -1, []
        if self._computed:
            self._computed = [one for one in self._computed if one.bottom >= number]
        self._hidden = _is_true(attributes.get("hidden")) or _is_below(attributes.get("ht"), _LOWEST)

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if self._count > self._limits.cells:
            raise too_large(f"with more than {self._limits.cells:,} cells")
        column, given = self._column + 1, attributes.get("r")
        if given is not None:
            found = _REFERENCE.fullmatch(given)
            if found is None or int(found[2]) != self._number:
                raise broken("is damaged: a cell stands in another row than it says")
            column = ord(found[1]) - 65 if len(found[1]) == 1 else column_number(found[1])
        if not self._column < column < _LAST_COLUMN:
            raise broken("is damaged: its cells are in no order")
        style = attributes.get("s", "0")
        self._column, self._in_cell, self._is_formula, self._holds = column, True, False, False
        self._kind, self._style = attributes.get("t", "n"), int(style) if style.isdecimal() else 0
        self._pieces, self._length, self._reads = [], 0, False

    def _widen(self) -> None:
        """Note that the cell holds something, and how far it stands from the others."""
        self._last = self._column
        self._left = min(self._left, self._column)
        if self._column > self._right:
            self._right, self._farthest = self._column, f"{column_letters(self._column)}{self._number}"

    def _count_between(self) -> None:
        """Count the cells from the first that holds something to the last: a library keeps a place for each of them."""
        self._top = self._top or self._number
        if (self._right - self._left + 1) * (self._number - self._top + 1) > self._limits.area:
            where = sorted({self._farthest, f"{column_letters(self._last)}{self._number}"})
            raise too_large(
                f"whose cells stand too far apart, up to {' and '.join(where)}",
                "delete the rows and columns behind the payouts, also those that only seem to be empty",
            )

    def _end_cell(self) -> None:
        if self._holds:
            self._widen()
        text = "".join(self._pieces)
        too_long = self._length > self._limits.cell_length
        self.any_too_long = self.any_too_long or too_long
        computed = self._is_formula
        if self._computed and not computed:
            computed = any((self._column, self._number) in area for area in self._computed)
        kind = _KINDS.get(self._kind)
        if kind is None:
            raise broken("is damaged: a cell is of no known kind")
        if self._kind == "s" and text:
            number = int(text) if text.isdecimal() and len(text) < 10 else len(self._texts)
            if number >= len(self._texts):
                raise broken("is damaged: a cell refers to a text that is not there")
            text, too_long = self._texts[number], number in self._texts.too_long
        elif kind == "text":
            text = unescaped(text)
        self._characters += len(text)
        if self._characters > self._limits.cell_texts:
            raise too_large(f"with more than {self._limits.cell_texts:,} characters")
        if text.strip() or computed or too_long:
            self._cells.append(Cell(self._column, kind, text, self._style, computed, too_long))


def read_sheet(
    workbook: Workbook,
    sheet: Sheet,
    *,
    row: Callable[[SheetRow], object],
    hidden_columns: Callable[[Area], object] = lambda _: None,
    merged: Callable[[str, Area], object] = lambda _reference, _area: None,
    begun: Callable[[int], object] = lambda _: None,
) -> bool:
    """Read a sheet from its beginning; what *row* raises ends the reading.

    Args:
        workbook: What the sheet belongs to.
        sheet: The sheet.
        row: Called with each row that is not empty.
        hidden_columns: Called with columns that are hidden, before the rows.
        merged: Called with the reference and the area of cells that are merged, after the rows.
        begun: Called with the number of each row that begins, be it empty or not; what it raises ends the reading.

    Returns:
        Whether a cell holds a text longer than any can be.

    Raises:
        PayoutFileError: If it cannot be read.
    """
    reading = _Reading(workbook, row, hidden_columns, merged, begun)
    try:
        workbook.package.parse(sheet.part, reading.start, reading.end, reading.text)
    except ValueError as error:
        if isinstance(error, TypeError) or type(error) is not ValueError:
            raise
        raise broken("is damaged: a number in it is none") from None
    return reading.any_too_long


def _is_true(text: str | None) -> bool:
    return text in ("1", "true")


def _is_below(text: str | None, least: float) -> bool:
    return text is not None and float(text) < least
