"""Tables as workbooks, all of whose cells are text: nothing in them is a formula, a link, a date or a number."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paypro_async.bulk.writers.table import Add, Layout
from paypro_async.errors import ConfigurationError
from paypro_async.report.formulas import unchanged

__all__ = ["MOST_ROWS", "refuse_workbook", "xlsx_table"]

MOST_ROWS = 1_048_575
"""How many rows a sheet has below its header."""

_TOO_MANY = f"A sheet holds {MOST_ROWS:,} rows at most. Name a result file that ends with .csv."
_LONGEST_CELL = 32_767
_WIDEST, _NARROWEST = 60, 8
_TEXT_ALONE = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "in_memory": False,
}


@contextmanager
def xlsx_table(path: Path, layout: Layout) -> Iterator[Add]:
    """A workbook with one sheet to add rows to; its first one holds the names.

    Raises:
        ConfigurationError: If XlsxWriter is not installed.
    """
    with _library().Workbook(str(path), {**_TEXT_ALONE, "tmpdir": str(path.absolute().parent)}) as book:
        yield _rows(book, layout)


def refuse_workbook(rows: int) -> None:
    """See that a workbook of so many rows can be written.

    Raises:
        ConfigurationError: If XlsxWriter is not installed, or a sheet does not hold them.
    """
    _library()
    if rows > MOST_ROWS:
        raise ConfigurationError(_TOO_MANY)


def _library() -> Any:
    try:
        import xlsxwriter  # noqa: PLC0415  wanted for workbooks alone
    except ImportError as error:
        raise ConfigurationError(
            "A workbook is written by XlsxWriter, which is not installed: pip install 'paypro-async[xlsx]'. Nothing "
            "was written; a name that ends with .csv needs no more."
        ) from error
    return xlsxwriter


def _rows(book: Any, layout: Layout) -> Add:
    text = book.add_format({"num_format": "@"})
    bold = book.add_format({"num_format": "@", "bold": True})
    sheet = book.add_worksheet("payouts")
    for at, name in enumerate(layout.names):
        sheet.set_column(at, at, min(max(len(name) + 2, _NARROWEST), _WIDEST), text)
    sheet.freeze_panes(1, 0)
    number = 0

    def write(cells: Sequence[str], form: Any) -> None:
        nonlocal number
        if number > MOST_ROWS:
            raise ConfigurationError(_TOO_MANY)
        for at, cell in enumerate(cells):
            # What is longer, no cell can hold, and half a character (a lone surrogate) no file.
            text = unchanged(cell)[:_LONGEST_CELL].encode("utf-8", "replace").decode()
            sheet.write_string(number, at, text, form)
        number += 1

    write(layout.names, bold)
    return lambda cells: write(cells, text)
