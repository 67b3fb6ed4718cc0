"""A second witness of what a workbook says: python-calamine reads the sheet too, and both must agree before it is paid.

The reading of the XML tells what a library for spreadsheets does not, such as formulas, hidden rows and the digits of a
number. The library is what very many others read their workbooks with. Where the two differ, the file has two meanings.
"""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from paypro_async.bulk.header.columns import column_letters
from paypro_async.bulk.readers.kept_rows import Wrong
from paypro_async.bulk.readers.package import broken
from paypro_async.bulk.readers.sheet import Cell, SheetRow
from paypro_async.errors import ConfigurationError

__all__ = ["SecondReading"]

_TWO_WAYS = "is read in two ways by two programs, so nobody knows what is meant; enter it anew, and save the workbook"
_END: tuple[int, list[Any]] = (0, [])


class SecondReading:
    """A sheet as python-calamine reads it, row by row beside the first reading.

    Args:
        data: The workbook.
        sheet: The sheet's name.

    Raises:
        ConfigurationError: If python-calamine is not installed.
        PayoutFileError: If it cannot read the workbook.
    """

    def __init__(self, data: BinaryIO, sheet: str) -> None:
        try:
            import python_calamine  # noqa: PLC0415  an extra that only workbooks need
        except ImportError:
            raise ConfigurationError(
                "Workbooks need python-calamine, which is not installed. Nothing was sent; install it with: "
                "pip install 'paypro-async[xlsx]', or save the file as CSV UTF-8."
            ) from None
        try:
            found = python_calamine.CalamineWorkbook.from_filelike(data).get_sheet_by_name(sheet)
        except (python_calamine.CalamineError, OSError, ValueError):
            raise broken("cannot be read by python-calamine, so only one program could tell what it says") from None
        self._left = found.start[1] if found.start else 0
        self._rows: Iterator[tuple[int, list[Any]]] = iter(enumerate(found.iter_rows(), 1))

    def compare(self, row: SheetRow, names: Mapping[int, str]) -> list[Wrong]:
        """The cells of a row of which it says something else, if they are in columns that have a field.

        Args:
            row: As it was read first. Rows are given in their order.
            names: The field of each column.
        """
        number, values = next((one for one in self._rows if one[0] >= row.number), _END)
        if number != row.number:
            values = []
        return [
            Wrong(names[one.column], f"{column_letters(one.column)}{row.number}", "READ_IN_TWO_WAYS", _TWO_WAYS)
            for one in row.cells
            if one.column in names and not _agrees(one, _at(values, one.column - self._left))
        ]


def _at(values: list[Any], position: int) -> Any:
    return values[position] if 0 <= position < len(values) else ""


def _agrees(one: Cell, value: Any) -> bool:
    if one.too_long or one.is_formula:
        return True  # It is refused as it is.
    if one.kind == "text":
        return isinstance(value, str) and value.strip() == one.text.strip()
    if one.kind != "number" or isinstance(value, bool) or not isinstance(value, int | float):
        return not isinstance(value, str) or one.kind != "number"
    try:
        return float(one.text) == value
    except ValueError:
        return False
