"""Files as people and programs really make them: each is read exactly right, or refused with the right place and words.

Nothing of a refused file is paid, and no error holds a personal value.
"""

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable

import pytest

from paypro_async.bulk import FileProblem, PayoutFileError
from tests.support.payout_files import csv_text, open_file, plan_of, row
from tests.support.workbooks import HEADER, PAYOUT, Raw, book, cells, changed, csv_of, line, lines, sheet, workbook

PERSONAL = ("Asha", "Rao", "8234567890", "asha@example.com", "00100940382920001", "50100000000017", "5010000", "José")


def formatted(code: str, number: float = 1500.75) -> bytes:
    return book(changed(amount=Raw(f"<v>{number}</v>", style=1)), formats=[code])


def bomb() -> bytes:
    zeros = f"<worksheet><sheetData>{' ' * 40_000_000}</sheetData></worksheet>"
    return workbook(sheet(), parts={"xl/worksheets/sheet1.xml": zeros})


def lying(offset: int, value: bytes) -> bytes:
    """A workbook whose directory says something else of a part than is so."""
    data = bytearray(book(PAYOUT))
    at = data.rfind(b"PK\x01\x02")
    data[at + offset : at + offset + len(value)] = value
    return bytes(data)


def twice() -> bytes:
    data = io.BytesIO(book(PAYOUT))
    with zipfile.ZipFile(data, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("xl/worksheets/sheet1.xml", sheet(HEADER, PAYOUT))
    return data.getvalue()


def with_large_end(data: bytes, *, size: int | None = None, moved: bool = True) -> bytes:
    """The same archive with the larger form of an end (zip64), which may say another size of its directory."""
    at = data.rfind(b"PK\5\6")
    count, found, offset = struct.unpack("<HII", data[at + 10 : at + 20])
    large = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size or found, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 65535, 65535, *[0xFFFFFFFF] * 2, 0) if moved else data[at:]
    return data[:at] + large + locator + end


def archive_of(**parts: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return data.getvalue()


ENTITIES = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]><worksheet>&d;</worksheet>'
HTML = b"<html><table><tr><td>amount</td></tr></table></html>"
RIGHT = row()

REFUSED: dict[str, tuple[bytes | Callable[[], bytes], list[tuple[int, str | None, str | None, str]], str]] = {
    # What is no file of ours.
    "old xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), [(1, None, None, "NOT_CSV")], ".xls"),
    "password": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le") + bytes(600),
        [(1, None, None, "NOT_CSV")],
        "password",
    ),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", [(1, None, None, "NOT_CSV")], "PDF"),
    "html as xls": (HTML, [(1, None, None, "NOT_CSV")], "HTML"),
    "xml of 2003": (b'<?xml version="1.0"?><Workbook/>', [(1, None, None, "NOT_CSV")], "Excel 2003"),
    "gzip": (lambda: gzip.compress(csv_of(RIGHT)), [(1, None, None, "NOT_CSV")], "gzip"),
    "rtf": (b"{\\rtf1 amount}", [(1, None, None, "NOT_CSV")], "RTF"),
    "ods": (archive_of(mimetype="x", content_xml="<a/>"), [(1, None, None, "NOT_CSV")], "OpenDocument"),
    "numbers": (archive_of(Index__Document_iwa="x"), [(1, None, None, "NOT_CSV")], "Numbers"),
    "xlsb": (archive_of(xl__workbook_bin="x"), [(1, None, None, "NOT_CSV")], ".xlsb"),
    "docx": (archive_of(word__document_xml="<a/>"), [(1, None, None, "NOT_CSV")], "Word"),
    "zip": (archive_of(payouts_csv="amount"), [(1, None, None, "NOT_CSV")], "archive"),
    "utf-16": (csv_text(RIGHT).encode("utf-16"), [(1, None, None, "NOT_CSV")], "UTF-16"),
    "utf-16 without its mark": (csv_text(RIGHT).encode("utf-16-le"), [(1, None, None, "ENCODING")], "UTF-16"),
    "utf-32": (csv_text(RIGHT).encode("utf-32"), [(1, None, None, "NOT_CSV")], "UTF-32"),
    "latin-1": (csv_text(RIGHT, row(name="José")).encode("latin-1"), [(3, None, None, "ENCODING")], "Windows-1252"),
    "empty": (b"", [(1, None, None, "EMPTY_FILE")], "no payouts"),
    "header alone": (csv_of(), [(1, None, None, "NO_PAYOUTS")], "header only"),
    # CSV.
    "no header": (csv_of(header=RIGHT), [(1, None, None, "NO_HEADER")], "paypro template"),
    "paise": (
        csv_of(RIGHT, header="Amount (paise),name,mobile,email,bank_number,bank_code"),
        [(1, "amount", None, "COLUMN_UNIT")],
        "in paise",
    ),
    "dollars": (
        csv_of(RIGHT, header="Amount (USD),name,mobile,email,bank_number,bank_code"),
        [(1, "amount", None, "COLUMN_UNIT")],
        "in usd",
    ),
    "two accounts": (
        csv_of(f"{RIGHT},1", header=f"{','.join(HEADER)},Account No"),
        [(1, "bank_number", None, "COLUMN_TWICE")],
        "--map",
    ),
    "two notes": (
        csv_of(f"{RIGHT},1,2", header=f"{','.join(HEADER)},Dept,dept"),
        [(1, None, None, "COLUMN_TWICE")],
        "two columns 'dept'",
    ),
    "scientific account": (
        csv_of(row(account="5.01E+13")),
        [(2, "bank_number", None, "ACCOUNT_SCIENTIFIC")],
        "as text",
    ),
    "scientific amount": (csv_of(row("1.5E+05")), [(2, "amount", None, "AMOUNT_FORMAT")], "scientific notation"),
    "indian grouping": (csv_of(row('"1,25,000.50"')), [(2, "amount", None, "AMOUNT_FORMAT")], "write 125000.50"),
    "decimal comma": (csv_of(row('"1.250,50"')), [(2, "amount", None, "AMOUNT_FORMAT")], "write 1250.50"),
    "rupee sign": (csv_of(row("\u20b9300")), [(2, "amount", None, "AMOUNT_FORMAT")], "currency sign"),
    "Rs.": (csv_of(row("Rs. 300/-")), [(2, "amount", None, "AMOUNT_FORMAT")], "currency sign"),
    "brackets": (csv_of(row("(300.00)")), [(2, "amount", None, "AMOUNT_FORMAT")], "brackets"),
    "minus": (csv_of(row("-300")), [(2, "amount", None, "AMOUNT_FORMAT")], "sign"),
    "arabic digits": (csv_of(row("\u0663\u0660\u0660")), [(2, "amount", None, "AMOUNT_FORMAT")], "Arabic-Indic digits"),
    "devanagari digits": (csv_of(row("\u0969\u0966\u0966")), [(2, "amount", None, "AMOUNT_FORMAT")], "write 300"),
    "nbsp in amount": (
        csv_of(row("1\u00a0500")),
        [(2, "amount", None, "INVISIBLE_CHARACTER")],
        "no-break space, U+00A0) at position 2",
    ),
    "nbsp behind": (csv_of(row("300\u00a0")), [(2, "amount", None, "INVISIBLE_CHARACTER")], "at position 4"),
    "zero width": (
        csv_of(row(account="0010\u200b0940382920001")),
        [(2, "bank_number", None, "INVISIBLE_CHARACTER")],
        "zero width space, U+200B) at position 5",
    ),
    "direction mark": (csv_of(row(name="\u202eAsha")), [(2, "name", None, "INVISIBLE_CHARACTER")], "U+202E"),
    "tag character": (csv_of(row(name="Asha\U000e0041")), [(2, "name", None, "INVISIBLE_CHARACTER")], "U+E0041"),
    "filler": (csv_of(row(name="Asha\u3164Rao")), [(2, "name", None, "INVISIBLE_CHARACTER")], "hangul filler"),
    "mark within": (csv_of(row(name="\ufeffAsha")), [(2, "name", None, "INVISIBLE_CHARACTER")], "U+FEFF"),
    "a payout above the header": (
        (RIGHT + "\n").encode() + csv_of(RIGHT),
        [(1, None, None, "ROW_ABOVE_HEADER")],
        "move it below",
    ),
    "header again": (csv_of(RIGHT, ",".join(HEADER), RIGHT), [(3, None, None, "HEADER_AGAIN")], "joined"),
    "totals": (csv_of(RIGHT, "Total,,,,,"), [(3, None, None, "TOTALS_ROW")], "line of totals"),
    "totals alone": (csv_of(RIGHT, "300,,,,,"), [(3, None, None, "TOTALS_ROW")], "line of totals"),
    "totals, cut short": (csv_of(RIGHT, "Grand Total,300"), [(3, None, None, "TOTALS_ROW")], "line of totals"),
    "signature": (csv_of(RIGHT, ",Prepared by the office,,,,"), [(3, None, None, "NOTE_ROW")], "note"),
    "lost separator": (csv_of(RIGHT, RIGHT.replace(",", " ", 1)), [(3, None, None, "CELL_COUNT")], "separator"),
    "broken quote": (csv_of(RIGHT, f'"{RIGHT}'), [(3, None, None, "CSV_FORMAT")], "quote"),
    "ten megabytes": (csv_of(row(name="A" * 10_000_000)), [(2, None, None, "NOT_CSV")], "million characters"),
    # JSON lines.
    "json array": (b"[\n" + lines(line()), [(1, None, None, "NOT_JSON_LINES")], "one object on each line"),
    "json over lines": (json.dumps({"a": 1}, indent=1).encode(), [(1, None, None, "NOT_JSON_LINES")], "one object"),
    "json number account": (lines(line(bank_number=501)), [(1, "bank_number", None, "VALUE_NUMBER")], "in quotes"),
    "json float": (lines(line(amount=300.1)), [(1, "amount", None, "AMOUNT_FLOAT")], "in quotes"),
    "json nan": (lines(line(amount=float("nan"))), [(1, "amount", None, "AMOUNT_FLOAT")], "in quotes"),
    "json bool": (lines(line(name=True)), [(1, "name", None, "VALUE_BOOLEAN")], "true or false"),
    "json nested": (lines(line(name=["Asha"])), [(1, "name", None, "VALUE_NESTED")], "list"),
    "json twice": (
        lines(line()[:-1] + ', "amount": "900"}'),
        [(1, "amount", None, "NAME_TWICE")],
        "'amount' twice",
    ),
    "json alias twice": (lines(line(**{"Account No": "1"})), [(1, "bank_number", None, "COLUMN_TWICE")], "Account No"),
    "json cut": (lines(line(), line()[:-9]), [(2, None, None, "NOT_JSON")], "bracket"),
    "json deep": (lines(line(), "[" * 100_000), [(2, None, None, "NOT_JSON_LINES")], "one object"),
    "json surrogate": (lines(line(name="\ud800")), [(1, "name", None, "NOT_UNICODE")], "surrogate"),
    # Workbooks.
    "number account": (
        book(changed(bank_number=50100000000017)),
        [(2, "bank_number", "E2", "CELL_NUMBER")],
        "format the column as Text",
    ),
    "17 digits": (
        book(PAYOUT, changed(bank_number=50100000000017123)),
        [(3, "bank_number", "E3", "CELL_NUMBER")],
        "behind the 15th",
    ),
    "formula": (
        book(changed(amount=Raw("<f>A9*2</f><v>300</v>"))),
        [(2, "amount", "A2", "CELL_FORMULA")],
        "values only",
    ),
    "formula not computed": (book(changed(amount=Raw("<f>A9</f>"))), [(2, "amount", "A2", "CELL_FORMULA")], "values"),
    "array formula": (
        book(changed(amount=Raw('<f t="array" ref="A2:A3">B1:B2</f><v>1</v>')), changed(amount=2)),
        [(2, "amount", "A2", "CELL_FORMULA"), (3, "amount", "A3", "CELL_FORMULA")],
        "values only",
    ),
    "a payout above the header of a sheet": (
        workbook(sheet(PAYOUT, HEADER, PAYOUT)),
        [(1, None, None, "ROW_ABOVE_HEADER")],
        "move it below",
    ),
    "error": (book(changed(bank_code=Raw("<v>#N/A</v>", "e"))), [(2, "bank_code", "F2", "CELL_ERROR")], "error"),
    "boolean": (book(changed(name=Raw("<v>1</v>", "b"))), [(2, "name", "B2", "CELL_BOOLEAN")], "TRUE"),
    "date": (
        book(changed(amount=Raw("<v>45991</v>", style=1)), formats=["dd/mm/yyyy"]),
        [(2, "amount", "A2", "CELL_DATE")],
        "date",
    ),
    "computed digits": (book(changed(amount=0.1 + 0.2)), [(2, "amount", "A2", "AMOUNT_DIGITS")], "15 digits"),
    "three decimals": (book(changed(amount=1500.125)), [(2, "amount", "A2", "AMOUNT_DECIMALS")], "decimals"),
    "hidden decimals": (formatted("#,##0"), [(2, "amount", "A2", "AMOUNT_SHOWN")], "shown rounded"),
    "shown in thousands": (formatted("0.00,"), [(2, "amount", "A2", "AMOUNT_SHOWN")], "in thousands"),
    "shown in dollars": (formatted('"$"#,##0.00'), [(2, "amount", "A2", "AMOUNT_SHOWN")], "another currency"),
    "shown in euros": (formatted("#,##0.00 [$\u20ac-407]"), [(2, "amount", "A2", "AMOUNT_SHOWN")], "another currency"),
    "shown in per cent": (formatted("0.00%"), [(2, "amount", "A2", "AMOUNT_SHOWN")], "percentage"),
    "not shown": (formatted(";;;"), [(2, "amount", "A2", "AMOUNT_SHOWN")], "hides it"),
    "digits that are not there": (formatted('0.00"000"'), [(2, "amount", "A2", "AMOUNT_SHOWN")], "digits"),
    "hidden row": (
        workbook(sheet(HEADER, PAYOUT, cells(3, changed(amount="900"), attributes='hidden="1"'))),
        [(3, None, "A3", "HIDDEN_ROW")],
        "filter",
    ),
    "row without height": (
        workbook(sheet(HEADER, cells(2, PAYOUT, attributes='ht="0" customHeight="1"'))),
        [(2, None, "A2", "HIDDEN_ROW")],
        "hidden",
    ),
    "row of no height to speak of": (
        workbook(sheet(HEADER, cells(2, PAYOUT, attributes='ht="0.1" customHeight="1"'))),
        [(2, None, "A2", "HIDDEN_ROW")],
        "hidden",
    ),
    "column of no width to speak of": (
        workbook(sheet(HEADER, PAYOUT, before='<cols><col min="5" max="5" width="0.08" customWidth="1"/></cols>')),
        [(2, "bank_number", "E2", "HIDDEN_COLUMN")],
        "hidden column",
    ),
    "text that is not shown": (
        book(changed(bank_number=Raw("<is><t>50100000000017</t></is>", "inlineStr", 1)), formats=[";;;"]),
        [(2, "bank_number", "E2", "TEXT_SHOWN")],
        "hides it",
    ),
    "text with more than is there": (
        book(changed(name=Raw("<v>0</v>", "s", 1)), shared=["<t>Asha Rao</t>"], formats=['@" Traders"']),
        [(2, "name", "B2", "TEXT_SHOWN")],
        "adds to it",
    ),
    "hidden column": (
        workbook(sheet(HEADER, PAYOUT, before='<cols><col min="5" max="5" hidden="1"/></cols>')),
        [(2, "bank_number", "E2", "HIDDEN_COLUMN")],
        "hidden column",
    ),
    "merged": (
        workbook(sheet(HEADER, PAYOUT, PAYOUT, after='<mergeCells><mergeCell ref="F2:F3"/></mergeCells>')),
        [(2, "bank_code", "F2:F3", "MERGED_CELLS")],
        "unmerge",
    ),
    "beside the columns": (book([*PAYOUT, "", "more"]), [(2, None, "H2", "CELL_COUNT")], "name the column"),
    "totals in a workbook": (
        book(PAYOUT, [Raw("<f>SUM(A2:A2)</f><v>300</v>"), "Total"]),
        [(3, None, None, "TOTALS_ROW")],
        "totals",
    ),
    "long cell": (book(changed(name="A" * 10_000_000)), [(2, "name", "B2", "CELL_TOO_LONG")], "longer"),
    "two sheets": (
        workbook(sheet(HEADER, PAYOUT), sheet(HEADER, PAYOUT), names=["June", "July"]),
        [(1, None, None, "SHEET_UNCLEAR")],
        "'June', 'July'",
    ),
    "two sheets, one of which calls its accounts otherwise": (
        workbook(sheet(HEADER, PAYOUT), sheet([*HEADER[:4], "Konto", "BLZ"], PAYOUT), names=["June", "July"]),
        [(1, None, None, "SHEET_UNCLEAR")],
        "'June', 'July'",
    ),
    "hidden sheet alone": (
        workbook(sheet(["note"]), sheet(HEADER, PAYOUT), states={1: "veryHidden"}),
        [(1, None, None, "SHEET_HIDDEN")],
        "hidden sheet",
    ),
    "zip bomb": (bomb, [(1, None, None, "WORKBOOK_TOO_LARGE")], "times its size"),
    "a cell far away": (
        workbook(sheet(HEADER, PAYOUT, '<row r="1048576"><c r="XFD1048576" t="str"><v>x</v></c></row>')),
        [(1, None, None, "WORKBOOK_TOO_LARGE")],
        "up to XFD1048576; delete",
    ),
    "a blank far away": (
        workbook(sheet(cells(1, HEADER).replace("</row>", '<c r="XFD1" t="str"><v> </v></c></row>'), *[PAYOUT] * 1300)),
        [(1, None, None, "WORKBOOK_TOO_LARGE")],
        "up to F1221 and XFD1; delete",
    ),
    "a sheet that says it is small": (
        workbook(
            sheet(HEADER, PAYOUT, '<row r="9000"><c r="XFD9000"><v>1</v></c></row>', before='<dimension ref="A1:F2"/>')
        ),
        [(1, None, None, "WORKBOOK_TOO_LARGE")],
        "up to XFD9000; delete",
    ),
    "a long text beside the columns": (
        workbook(sheet([*HEADER, "note"], [*PAYOUT, "A" * 40_000])),
        [(2, None, "G2", "CELL_TOO_LONG")],
        "longer",
    ),
    "a long text nowhere": (
        workbook(sheet(HEADER, PAYOUT), shared=[f"<t>{'A' * 40_000}</t>"]),
        [(1, None, None, "WORKBOOK_BROKEN")],
        "longer than a cell",
    ),
    "half a character": (book(changed(name="Asha_xD800_")), [(2, "name", "B2", "NOT_UNICODE")], "surrogate"),
    "half a character in a shared text": (
        book(PAYOUT, changed(name=Raw("<v>0</v>", "s")), shared=["<t>Asha _xDFFF_</t>"]),
        [(3, "name", "B3", "NOT_UNICODE")],
        "surrogate",
    ),
    "half a character in a column that is no field": (
        workbook(sheet([*HEADER, "dept"], [*PAYOUT, "_xd83d_"])),
        [(2, None, "G2", "NOT_UNICODE")],
        "surrogate",
    ),
    "half a character in a header": (
        workbook(sheet([*HEADER, "dept_xD800_"], [*PAYOUT, "x"])),
        [(1, None, "G1", "NOT_UNICODE")],
        "surrogate",
    ),
    "half a character in the header of a field": (
        workbook(sheet(["amount_xD800_", *HEADER[1:]], PAYOUT)),
        [(1, None, "A1", "NOT_UNICODE")],
        "surrogate",
    ),
    "truncated": (lambda: book(PAYOUT)[:-200], [(1, None, None, "WORKBOOK_BROKEN")], "cut off"),
    "half": (lambda: book(*[PAYOUT] * 500)[:3000], [(1, None, None, "WORKBOOK_BROKEN")], "cut off"),
    "lying size": (lambda: lying(24, b"\x10\0\0\0"), [(1, None, None, "WORKBOOK_BROKEN")], "damaged"),
    "lying checksum": (lambda: lying(16, b"\1\2\3\4"), [(1, None, None, "WORKBOOK_BROKEN")], "damaged"),
    "encrypted part": (lambda: lying(8, b"\1\0"), [(1, None, None, "WORKBOOK_BROKEN")], "password"),
    "large end": (
        with_large_end(book(PAYOUT), size=2_000_000),
        [(1, None, None, "WORKBOOK_TOO_LARGE")],
        "more parts",
    ),
    "large end behind a small one": (
        with_large_end(book(PAYOUT), size=2_000_000, moved=False),
        [(1, None, None, "WORKBOOK_TOO_LARGE")],
        "more parts",
    ),
    "two parts of a name": (twice, [(1, None, None, "WORKBOOK_BROKEN")], "two parts"),
    "entities": (
        workbook(sheet(), parts={"xl/worksheets/sheet1.xml": ENTITIES}),
        [(1, None, None, "WORKBOOK_BROKEN")],
        "DTD",
    ),
    "not xml": (
        workbook(sheet(), parts={"xl/worksheets/sheet1.xml": "<a"}),
        [(1, None, None, "WORKBOOK_BROKEN")],
        "XML",
    ),
    "rows in no order": (
        workbook(sheet(HEADER, cells(3, PAYOUT), cells(2, PAYOUT))),
        [(1, None, None, "WORKBOOK_BROKEN")],
        "no order",
    ),
    "missing text": (
        book(changed(name=Raw("<v>7</v>", "s"))),
        [(1, None, None, "WORKBOOK_BROKEN")],
        "not there",
    ),
}


def problems_of(data: bytes) -> tuple[FileProblem, ...]:
    try:
        with open_file(data) as file:
            return plan_of(file).problems
    except PayoutFileError as error:
        return error.problems


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_not_right_is_refused_with_its_place(name: str) -> None:
    """The line, the cell and a code for programs, words for people; and never a personal value."""
    made, expected, said = REFUSED[name]
    found = problems_of(made() if callable(made) else made)
    text = str(PayoutFileError(found))

    assert [(one.line, one.field, one.cell, one.code) for one in found] == expected
    assert said in text
    assert not any(value in text for value in PERSONAL)


def test_a_workbook_with_the_larger_form_of_an_end_is_read() -> None:
    """Some programs write it always."""
    with open_file(with_large_end(book(PAYOUT))) as file:
        assert plan_of(file).rows == 1
