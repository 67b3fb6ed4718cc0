"""A second witness of what a workbook says: python-calamine reads the sheet too, and both must agree before it is paid.

The reading of the XML tells what a library for spreadsheets does not, such as formulas, hidden rows and the digits of a
number. The library is what very many others read their workbooks with. Where the two differ, the file has two meanings.

The library unpacks everything at once and keeps a place for every cell of the sheet, so it is asked last, when the
first reading has found the sheet to be within the limits; and it is given that sheet and its texts alone.
"""

import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from paypro_async.bulk.header.columns import column_letters
from paypro_async.bulk.readers.kept_rows import KeptRows, Wrong
from paypro_async.bulk.readers.package import Package, broken
from paypro_async.errors import ConfigurationError

__all__ = ["differences"]

_TWO_WAYS = "is read in two ways by two programs, so nobody knows what is meant; enter it anew, and save the workbook"
_ONE_PROGRAM = "cannot be read by python-calamine, so only one program could tell what it says"
_IN_MEMORY = 8 * 1024 * 1024
_FAST = 1
_END: tuple[int, Sequence[Any]] = (1 << 30, ())
"""Behind the last row."""
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_SHEET, _TEXTS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
_FRAME = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
    f'<Override PartName="/{_SHEET}" ContentType="{_KIND}.worksheet+xml"/>'
    f'<Override PartName="/{_TEXTS}" ContentType="{_KIND}.sharedStrings+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets><sheet name="payouts" sheetId="1" r:id="r1"/>'
    "</sheets></workbook>",
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="r2" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
}


def differences(
    package: Package, parts: tuple[str, str | None], kept: KeptRows, names: Mapping[int, str], *, header: int
) -> Iterator[tuple[int, Wrong]]:
    """The cells of which python-calamine says something else, each with its row.

    Args:
        package: The workbook.
        parts: The part that holds the sheet, which was read to its end, and the one that holds its texts, if any does.
        kept: The rows below the header, as they were read first. Of those with other problems nothing is said.
        names: The field of each column that has one.
        header: The row of the header.

    Raises:
        ConfigurationError: If python-calamine is not installed.
        PayoutFileError: If it cannot read the workbook.
    """
    with _errors_as_broken():
        theirs = enumerate(_rows_of(package, *parts), 1)
        at, values = next(theirs, _END)
        for line, record in chain(_right_rows(kept), [_END]):
            while at < line:
                if at > header and at not in kept.wrong:
                    yield from _differing(at, (), values, names)
                at, values = next(theirs, _END)
            yield from _differing(line, record, values if at == line else (), names)
            if at == line:
                at, values = next(theirs, _END)


def _right_rows(kept: KeptRows) -> Iterator[tuple[int, Sequence[Any]]]:
    for stretch in kept.stretches():
        for place, row in enumerate(zip(stretch.lines, stretch.records, strict=True)):
            if place not in stretch.problems:
                yield row


def _differing(
    line: int, ours: Sequence[str], theirs: Sequence[Any], names: Mapping[int, str]
) -> Iterator[tuple[int, Wrong]]:
    for column, name in names.items():
        text = ours[column] if column < len(ours) else ""
        value = theirs[column] if column < len(theirs) else ""
        if text != value and not _agrees(name, text, value):
            yield line, Wrong(name, f"{column_letters(column)}{line}", "READ_IN_TWO_WAYS", _TWO_WAYS)


def _rows_of(package: Package, sheet: str, texts: str | None) -> Iterator[Sequence[Any]]:
    try:
        from python_calamine import CalamineWorkbook  # noqa: PLC0415  an extra that only workbooks need
    except ImportError:
        raise ConfigurationError(
            "Workbooks need python-calamine, which is not installed. Nothing was sent; install it with: "
            "pip install 'paypro-async[xlsx]', or save the file as CSV UTF-8."
        ) from None
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as alone:
        with zipfile.ZipFile(alone, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as archive:
            for name, xml in _FRAME.items():
                archive.writestr(name, xml)
            for name, part in ((_SHEET, sheet), (_TEXTS, texts)):
                with archive.open(name, "w") as copy:
                    for piece in package.pieces(part) if part else (f"<sst {_MAIN}/>".encode(),):
                        copy.write(piece)
        alone.seek(0)
        try:
            found = CalamineWorkbook.from_filelike(alone).get_sheet_by_index(0)
        except (OSError, ValueError):
            raise broken(_ONE_PROGRAM) from None
    left = [""] * (found.start[1] if found.start else 0)
    return (left + row for row in found.iter_rows())


@contextmanager
def _errors_as_broken() -> Iterator[None]:
    """Its errors share no class with each other, and that of a panic in its Rust is no Exception."""
    try:
        yield
    except BaseException as error:
        if type(error).__module__.partition(".")[0] in ("python_calamine", "pyo3_runtime"):
            raise broken(_ONE_PROGRAM) from None
        raise


def _agrees(name: str, text: str, value: Any) -> bool:
    if isinstance(value, str):
        return value.strip() == text.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if name != "amount":
        return name == "mobile" and text == f"{value:.0f}"
    try:
        return float(text) == value
    except ValueError:
        return False
