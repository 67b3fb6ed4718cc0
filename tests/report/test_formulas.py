"""What a spreadsheet would carry out, in whatever file it stands."""
# ruff: noqa: RUF001  signs that look alike are the subject

import csv
import io
import sys
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.bulk.results import row_outcomes
from paypro_async.bulk.writers.result_file import write_results
from paypro_async.ledger import MemoryLedger
from paypro_async.report.formulas import defused, defused_number, original, original_number, unchanged
from tests.support.payout_files import HEADER, MERCHANT_NO, open_file, row, rows_of

SIGNS = "=+-@|%＝＋－＠﹦﹢﹣﹫−"
UNSEEN = [
    " ",
    "\t",
    "\r",
    "\n",
    "\xa0",
    "\u200b",
    "\ufeff",
    "\u202e",
    "\u3164",
    "\x00",
    "\x1b",
    "'",
    '"',
    "“",
    "\u2028",
]
VALUES = ["0", "15", "1E5", "e", "E+", "T", "TRUE", "Dec", "2026-11-01", "10:30", "p", "#N/A", "₹", "½", "５", "नवंबर"]
PIECES = st.sampled_from([*SIGNS, *UNSEEN, *VALUES, ",", ";", "a", "1", "DDE (", "(", "cmd|' /C calc'!A0", "Asha Rao"])
TEXTS = st.lists(PIECES | st.characters(), max_size=12).map("".join)


def beginnings(cell: str) -> list[str]:
    """The cell, and what a spreadsheet makes of it that is set to another separator, or does not heed its quotes."""
    found = [cell]
    for separator in ",;\t\r\n":
        found = [part for one in found for part in one.split(separator)]
    return found


def is_formula(part: str) -> bool:
    seen = part
    while seen and (
        seen[0].isspace() or unicodedata.category(seen[0]) in {"Cc", "Cf", "Zs", "Zl", "Zp"} or seen[0] in '"“'
    ):
        seen = seen[1:]
    return unicodedata.normalize("NFKC", seen[:1]).replace("−", "-") in {"=", "+", "-", "@", "|", "%"}


@given(TEXTS)
@example("=1+1")
@example("''=1")
@example(";;'=1")
@example("'0015")
@example("5'E5")
def test_no_part_of_a_cell_is_a_formula_and_nothing_is_lost(text: str):
    """However it is cut, no part begins with a sign; and the text comes back to the letter."""
    cell = defused(text)
    assert not any(map(is_formula, beginnings(cell)))
    assert cell[:1] not in {"\t", "\r", "\n", "\x00"}
    assert original(cell) == text
    assert original(unchanged(text)) == text
    assert original_number(defused_number(text)) == text


CONVERTED = [
    *("0015", "50100000000017", "000123", "1E5", "1e-5", "1.5E+3", "12345678901234567890", "1,234.50", "12,34,567"),
    *("1.234,50", "1 234", "1\u202f234", "(123)", "123-", "5%", "₹5", "Rs. 500", "500 INR", "€ 3", "1/2", "1 1/2", "½"),
    *("2026-11-01", "1-2", "1/2/2026", "1.2.2026", "01/02", "Dec1", "DEC 2026", "1-Mar", "26 Nov 2026", "Nov 26, 2026"),
    *("5. März", "१ नवंबर 2026", "Monday, November 2, 2026", "2026年11月1日", "2026-11-01T10:00:00Z"),
    *(
        "10:30",
        "10:30:15.5",
        "10:30 PM",
        "5 p",
        "5pm",
        "TRUE",
        "true",
        "False",
        "WAHR",
        "#N/A",
        "#REF!",
        "１２３",
        "१२३",
    ),
]
LEFT = [
    *("INV-1", "T1", "P-1", "SO-123", "IDFB0043121", "A1E5", "Asha Rao", "12, MG Road; Pune", "rent, 5-2026", "May"),
    *(
        "succeeded",
        "2026-11-26 18:00:05 IST",
        "file-1234",
        "O'Neil",
        "",
        "#1 Store",
        "asha@example.com",
        "true story",
        "••••8292",
        "1_2",
        "*5*",
    ),
]


@pytest.mark.parametrize("text", CONVERTED)
def test_what_a_spreadsheet_would_convert_is_text(text: str):
    """A number, a date, a time, a boolean, in any spelling that Excel, LibreOffice or Sheets knows, somewhere."""
    assert defused(text) == f"'{text}"
    assert original(f"'{text}") == text


@pytest.mark.parametrize("text", LEFT)
def test_what_no_spreadsheet_converts_stays_as_it_is(text: str):
    """Names, addresses, codes with letters, and our own times."""
    assert (defused(text), unchanged(text)) == (text, text)


def test_an_amount_stays_a_number():
    """A spreadsheet may add amounts up; a formula in their place is none."""
    assert [*map(defused_number, ("300.50", "1E5", "=1"))] == ["300.50", "1E5", "'=1"]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        *(
            ("Asha Rao", "Asha Rao"),
            ("asha@example.com", "asha@example.com"),
            ("12, MG Road; Pune", "12, MG Road; Pune"),
        ),
        *(("rent, 5-2026", "rent, 5-2026"), ("O'Neil", "O'Neil"), ("", ""), ("a\r\nb", "a\r\nb")),
        *(("=1+1", "'=1+1"), ("+919876543210", "'+919876543210"), ("-5", "'-5"), ("@SUM(1)", "'@SUM(1)")),
        *(("\tx", "'\tx"), ("\rx", "'\rx"), ("\nx", "'\nx"), ("＝1", "'＝1"), (" \u200b\ufeff=1", "' \u200b\ufeff=1")),
        *((";=1", "';'=1"), ("cmd|' /C calc'!A0", "'cmd|' /C calc'!A0"), ('DDE ("cmd")A0', '\'DDE ("cmd")A0')),
        *(("'=1", "''=1"), ('"=1"', '\'"=1"'), ("|calc", "'|calc"), ("%0a=1", "'%0a=1"), ("\x1b[2J", "'\x1b[2J")),
        *(("rent;=1", "rent;'=1"), ("rent\t @x", "rent\t' @x"), ("a\n-1", "a\n'-1"), ("a,＋1", "a,'＋1")),
    ],
)
def test_what_is_written(text: str, cell: str):
    """Ordinary texts stay as they are; every spelling of a formula gets an apostrophe where it begins."""
    assert (defused(text), original(cell)) == (cell, text)


def test_every_blank_and_every_mark_that_is_not_seen_is_known():
    """All of Unicode's: a sign behind any of them is defused."""
    unseen = filter(
        lambda one: unicodedata.category(one) in {"Cc", "Cf", "Zs", "Zl", "Zp"}, map(chr, range(sys.maxunicode))
    )
    assert [hex(ord(one)) for one in unseen if defused(f"{one}=1") != f"'{one}=1" and one not in "\t\r\n"] == []


def test_a_long_cell_takes_no_longer_than_its_length():
    """A cell of nothing but separators and blanks, as large as the format allows."""
    pieces = ("\t", ";", " ", "'", ";'", "\t=", ",\n", "5", "5e", "5 ", "#a", "a5", "नं")
    cells = [one * (131_000 // len(one)) for one in pieces]
    began = time.process_time()  # what other processes take is not the function's fault
    assert [original(defused(cell)) for cell in cells] == cells
    assert time.process_time() - began < 5


async def result_of(file: PayoutFile, path) -> str:
    with write_results(path, file) as result:
        async for outcome in row_outcomes(rows_of(file), MemoryLedger(), MERCHANT_NO):
            result.write(outcome)
    return path.read_bytes().decode()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
async def test_a_result_file_holds_no_formula_and_is_read_as_its_input(separator: str, tmp_path):
    """In what is carried through too, headers included; fed back, it means the same payouts, and gives itself again."""
    hostile = ["=1+1", "+91 98765", "-5", "\t=x", " @x", "a;=1", "b\n＋1", "c,-1", "''=1", "|x", "\x1b]0;x\x07"]
    header = [*HEADER.split(","), "trade_no", "=HYPERLINK(1)", *(f"note {n}" for n in range(len(hostile)))]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerow([*row("300", name="-Asha").split(","), "-7", "x", *hostile])
    with open_file(text.getvalue()) as file:
        (first,) = file.rows()
        result = await result_of(file, tmp_path / "r.csv")
    for cells in csv.reader(io.StringIO(result, newline=""), delimiter=separator):
        assert not [part for cell in cells for part in beginnings(cell) if is_formula(part)]
    with open_file(result) as file:
        (again,) = file.rows()
        assert again.values == first.values
        assert again.cells[: len(header)] == first.cells
        assert file.columns.names[: len(header)] == tuple(header)
        assert await result_of(file, tmp_path / "r2.csv") == result


def test_a_file_that_is_no_result_means_what_it_says():
    """An apostrophe that its author wrote is a part of the text."""
    data = f"{HEADER},remark\n{row('300')},'=1\n"
    with open_file(data) as file:
        assert [one.values["remark"] for one in file.rows()] == ["'=1"]
