"""Workbooks made by hand, as programs write them and as nobody should."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from attrs import frozen

from tests.support import payout_files

__all__ = ["HEADER", "PAYOUT", "Raw", "book", "cells", "changed", "csv_of", "line", "lines", "sheet", "workbook"]

HEADER = payout_files.HEADER.split(",")
PAYOUT = payout_files.row().split(",")

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELATIONS = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


@frozen
class Raw:
    """A cell's inner XML, its type and its style."""

    xml: str
    kind: str = "n"
    style: int = 0


def cells(number: int, values: Sequence[object], *, attributes: str = "") -> str:
    """A row: text as text, numbers as numbers, None as no cell."""
    found = []
    for at, value in enumerate(values):
        place = f"{chr(65 + at)}{number}"
        if isinstance(value, Raw):
            found.append(f'<c r="{place}" t="{value.kind}" s="{value.style}">{value.xml}</c>')
        elif isinstance(value, str):
            found.append(f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>')
        elif value is not None:
            found.append(f'<c r="{place}"><v>{value!r}</v></c>')
    return f'<row r="{number}" {attributes}>{"".join(found)}</row>'


def sheet(*rows: str | Sequence[object], before: str = "", after: str = "") -> str:
    """A sheet of rows: XML, or the values of the next row."""
    made = [one if isinstance(one, str) else cells(number, one) for number, one in enumerate(rows, 1)]
    return f"<worksheet {_MAIN}>{before}<sheetData>{''.join(made)}</sheetData>{after}</worksheet>"


def workbook(
    *sheets: str,
    names: Sequence[str] = (),
    states: Mapping[int, str] | None = None,
    shared: Sequence[str] = (),
    formats: Sequence[str] = (),
    parts: Mapping[str, bytes | str] | None = None,
) -> bytes:
    """The bytes of a workbook.

    Args:
        sheets: XML of each.
        names: Of the sheets.
        states: Of hidden ones, by their place.
        shared: The inner XML of texts that cells refer to.
        formats: Codes of the number formats of styles 1, 2, …
        parts: What replaces a part, or is one more.
    """
    found: dict[str, bytes | str] = {"_rels/.rels": _relations({"r1": ("officeDocument", "xl/workbook.xml")})}
    entries, targets = [], {}
    for at, xml in enumerate(sheets):
        name = names[at] if at < len(names) else f"Sheet{at + 1}"
        state = (states or {}).get(at, "visible")
        entries.append(f'<sheet name="{escape(name)}" sheetId="{at + 1}" state="{state}" r:id="s{at}"/>')
        targets[f"s{at}"] = ("worksheet", f"worksheets/sheet{at + 1}.xml")
        found[f"xl/worksheets/sheet{at + 1}.xml"] = xml
    targets |= {"t": ("sharedStrings", "sharedStrings.xml"), "f": ("styles", "styles.xml")}
    found["xl/workbook.xml"] = f'<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets>{"".join(entries)}</sheets></workbook>'
    found["xl/_rels/workbook.xml.rels"] = _relations(targets)
    found["xl/sharedStrings.xml"] = f"<sst {_MAIN}>{''.join(f'<si>{one}</si>' for one in shared)}</sst>"
    codes = "".join(
        f'<numFmt numFmtId="{200 + at}" formatCode="{escape(one, {chr(34): "&quot;"})}"/>'
        for at, one in enumerate(formats)
    )
    styles = "".join(f'<xf numFmtId="{200 + at}"/>' for at in range(len(formats)))
    found["xl/styles.xml"] = (
        f'<styleSheet {_MAIN}><numFmts>{codes}</numFmts><cellXfs><xf numFmtId="0"/>{styles}</cellXfs></styleSheet>'
    )
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (found | dict(parts or {})).items():
            archive.writestr(name, content)
    return data.getvalue()


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    found = "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for name, (kind, target) in targets.items()
    )
    return f"<Relationships {_RELATIONS}>{found}</Relationships>"


def changed(**values: object) -> list[object]:
    """A right payout but for these cells."""
    return [values.get(name, cell) for name, cell in zip(HEADER, PAYOUT, strict=True)]


def book(*rows: object, **more: object) -> bytes:
    return workbook(sheet(HEADER, *rows), **more)  # type: ignore[arg-type]


def line(**values: object) -> str:
    return json.dumps(dict(zip(HEADER, PAYOUT, strict=True)) | values)


def lines(*found: str) -> bytes:
    return "".join(f"{one}\n" for one in found).encode()


def csv_of(*rows: str, header: str = ",".join(HEADER)) -> bytes:
    return payout_files.csv_text(*rows, header=header).encode()
