"""An empty file of payouts to fill in: the columns of a region, a sample row that pays nobody, and notes."""

import csv
import importlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

from paypro_async._core.regions import Region, RegionSpec, region_named
from paypro_async.bulk.cells.sample import SAMPLE
from paypro_async.errors import ConfigurationError
from paypro_async.report.whole_file import put_whole

__all__ = ["TemplateKind", "write_template"]

TemplateKind = Literal["csv", "xlsx"]

_WIDTHS = {"name": 34, "email": 34, "bank_number": 26, "remark": 30, "notify_url": 34}
_WIDTH = 18
_LAST_ROW = 1_048_575
_NOTES = {
    "amount": "In rupees, as 1500 or 1500.50. No commas, no currency sign, at most two decimals.",
    "name": "The beneficiary's name, as the bank has it.",
    "mobile": "10 digits that begin with 6, 7, 8 or 9, without +91.",
    "email": "One e-mail address.",
    "bank_number": "The account number with its zeros in front, as text: a spreadsheet destroys long numbers.",
    "bank_code": "The IFSC of the branch: 11 characters, the fifth is a zero.",
    "remark": "May stay empty. Goes with the payout; say which month or bill it is for.",
    "trade_no": (
        "May stay empty, and then a number is made that follows from the file. A number of your own, 1 to 64 letters, "
        "digits, - and _, is paid once, ever."
    ),
}
_USE = (
    "Write your payouts over the sample row and below it, one on each row. The sample row itself is refused.",
    "All cells are text already. Paste with 'values only', or the format is lost and long numbers with it.",
    "Columns of your own may stand beside these; they come back in the result file.",
    "Then: paypro plan FILE shows what would be paid, and paypro batch FILE pays it, each row once.",
)


def write_template(
    target: str | os.PathLike[str] | BinaryIO,
    *,
    kind: TemplateKind | None = None,
    region: Region = "india",
    replace: bool = False,
) -> None:
    """Write a template.

    Args:
        target: A path, or a file that is open for writing bytes.
        kind: ``csv`` or ``xlsx``; by default what the path ends with.
        region: Whose columns.
        replace: Whether a file that is there is replaced.

    Raises:
        FileExistsError: If a file is there, and *replace* is not set.
        ConfigurationError: If the kind is not clear, or a workbook is wanted and ``paypro-async[xlsx]`` is not there.
        OSError: If it cannot be written.
    """
    kind = kind or _kind_of(target)
    spec = region_named(region)
    data = _workbook(spec) if kind == "xlsx" else _text(spec)
    with _opened(target, replace=replace) as file:
        file.write(data)


def _kind_of(target: object) -> TemplateKind:
    name = str(target).lower() if isinstance(target, str | os.PathLike) else ""
    if name.endswith(".xlsx"):
        return "xlsx"
    if name.endswith(".csv"):
        return "csv"
    raise ConfigurationError("A template is a .csv or an .xlsx file; name it so. Nothing was written.")


@contextmanager
def _opened(target: str | os.PathLike[str] | BinaryIO, *, replace: bool) -> Iterator[BinaryIO]:
    if not isinstance(target, str | os.PathLike):
        yield target
        return
    with put_whole(Path(target), replace=replace) as part, part.open("wb") as file:
        yield file


def _columns(spec: RegionSpec) -> list[str]:
    """What a payout of the region needs and a client has not for all; then what may stay empty."""
    needed = [one.name for one in spec.fields if one.required and not one.default_by_client]
    # The name first, as in a list of people; then what is paid, and where to.
    needed.insert(1, "amount")
    return [*needed, *(one.name for one in spec.fields if not one.required), "trade_no"]


def _text(spec: RegionSpec) -> bytes:
    columns = _columns(spec)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([columns, _sample(columns)])
    # With the mark of its encoding, without which Excel takes it for another.
    return text.getvalue().encode("utf-8-sig")


def _sample(columns: Sequence[str]) -> list[str]:
    return [SAMPLE.get(name, "") for name in columns]


def _workbook(spec: RegionSpec) -> bytes:
    try:
        xlsxwriter: Any = importlib.import_module("xlsxwriter")
    except ImportError:
        raise ConfigurationError(
            "Workbooks are written by XlsxWriter, which is not there. Nothing was written. "
            "Say pip install 'paypro-async[xlsx]', or write a .csv."
        ) from None
    data = io.BytesIO()
    with xlsxwriter.Workbook(data, {"in_memory": True, "strings_to_numbers": False, "strings_to_urls": False}) as book:
        _payouts(book, _columns(spec))
        _notes(book, _columns(spec))
    return data.getvalue()


def _payouts(book: Any, columns: Sequence[str]) -> None:
    as_text = book.add_format({"num_format": "@"})
    heading = book.add_format({"bold": True, "num_format": "@", "bottom": 1})
    sample = book.add_format({"num_format": "@", "italic": True, "font_color": "#777777"})
    sheet = book.add_worksheet("Payouts")
    for at, name in enumerate(columns):
        sheet.set_column(at, at, _WIDTHS.get(name, _WIDTH), as_text)
        sheet.write_string(0, at, name, heading)
        sheet.write_comment(0, at, _NOTES[name], {"x_scale": 2})
    for at, text in enumerate(_sample(columns)):
        sheet.write_string(1, at, text, sample) if text else sheet.write_blank(1, at, None, as_text)
    sheet.freeze_panes(1, 0)
    # Else a spreadsheet marks each number that is text as a mistake.
    sheet.ignore_errors({"number_stored_as_text": f"A1:{chr(ord('A') + len(columns) - 1)}{_LAST_ROW}"})


def _notes(book: Any, columns: Sequence[str]) -> None:
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    heading = book.add_format({"bold": True, "valign": "top"})
    sheet = book.add_worksheet("Notes")
    sheet.set_column(0, 0, 100, wrapped)
    for at, text in enumerate(_USE):
        sheet.write_string(at, 0, text, wrapped)
    for at, name in enumerate(columns, len(_USE) + 1):
        sheet.write_rich_string(at, 0, heading, f"{name}: ", wrapped, _NOTES[name], wrapped)
