"""The same payouts in every kind of file, and what the caller says of it."""

from collections.abc import Callable

import pytest

from paypro_async.bulk import PayoutFileError
from tests.support.payout_files import open_file, plan_of, row
from tests.support.workbooks import HEADER, PAYOUT, Raw, book, cells, changed, csv_of, line, lines, sheet, workbook

RIGHT = row()
SAME = csv_of(RIGHT, row("1500.50"))
AS_TEXT = [PAYOUT, changed(amount="1500.50")]
ROUND = changed(amount=Raw("<v>1500.5</v>"), mobile=8234567890)

READ: dict[str, bytes | Callable[[], bytes]] = {
    "bom": b"\xef\xbb\xbf" + SAME,
    "semicolons": SAME.replace(b",", b";"),
    "tabs": SAME.replace(b",", b"\t"),
    "bars": SAME.replace(b",", b"|"),
    "sep=": b"sep=;\r\n" + SAME.replace(b",", b";"),
    "sep= behind a bom": b"\xef\xbb\xbfsep=|\n" + SAME.replace(b",", b"|"),
    "a title above": b"Salaries of November,,,,,\n,,,,,\n\n" + SAME,
    "notes above": b"Company: A & B\nPlease check each account number and IFSC\n" + SAME,
    "carriage returns": SAME.replace(b"\n", b"\r"),
    "names of the trade": SAME.replace(
        ",".join(HEADER).encode(), "Amount (\u20b9),Beneficiary Name,Mobile No.,E-mail ID,A/c Number,IFSC Code".encode()
    ),
    "names of the platform": SAME.replace(b"bank_number,bank_code", b"bankNumber,bankNCode"),
    "invisible in the header": SAME.replace(b"bank_number", b"\xe2\x80\x8bBank\xc2\xa0Number "),
    "json": lines(line(), line(amount="1500.50")),
    "json with numbers": lines(line(amount=300, mobile=8234567890), line(amount="1500.50", remark=None)),
    "json behind a bom": b"\xef\xbb\xbf\n" + lines(line(), line(amount="1500.50", note=7)),
    "workbook": book(*AS_TEXT),
    "workbook of shared texts": book(
        [*PAYOUT[:1], Raw("<v>0</v>", "s"), *PAYOUT[2:]],
        AS_TEXT[1],
        shared=['<r><t>Asha</t></r><r><t xml:space="preserve"> Rao</t></r>'],
    ),
    "phonetic hints": book(
        [*PAYOUT[:1], Raw("<v>0</v>", "s"), *PAYOUT[2:]], AS_TEXT[1], shared=["<t>Asha Rao</t><rPh><t>x</t></rPh>"]
    ),
    "workbook with numbers": book(changed(amount=300), ROUND),
    "rupee formats": book(
        changed(amount=Raw("<v>300</v>", style=1)),
        changed(amount=Raw("<v>1500.5</v>", style=2)),
        formats=["[$\u20b9-4009]\\ #,##0.00", '_ "Rs." * #,##0.00_ ;_ "Rs." * \\-#,##0.00_ '],
    ),
    "a title in a workbook": workbook(
        sheet(
            ["Salaries of November"],
            cells(5, HEADER),
            cells(6, PAYOUT),
            cells(9, AS_TEXT[1]),
            after='<mergeCells><mergeCell ref="A1:F1"/></mergeCells>',
        )
    ),
    "other sheets": workbook(sheet(["note"]), sheet(HEADER, *AS_TEXT), sheet(["amount"], ["name"])),
    "a list of employees beside it": workbook(
        sheet(["Name", "Email", "Mobile", "Department"], ["Asha", "a@example.com", "8234567890", "Sales"]),
        sheet(HEADER, *AS_TEXT),
        sheet(["Name", "Amount"], ["Asha", "300"]),
        names=["Employees", "Pay", "Summary"],
    ),
    "a header far below": workbook(sheet(cells(4000, HEADER), cells(5000, AS_TEXT[0]), cells(9000, AS_TEXT[1]))),
    "rows that only have a format": workbook(
        sheet(
            HEADER,
            AS_TEXT[0],
            *(f'<row r="{number}"><c r="A{number}" s="0"/></row>' for number in range(3, 3000)),
            cells(3000, AS_TEXT[1]),
        )
    ),
    "hidden copies": workbook(sheet(HEADER, *AS_TEXT), sheet(HEADER, PAYOUT), states={1: "hidden"}),
    "prefixes": lambda: book(*AS_TEXT, parts={"xl/worksheets/sheet1.xml": prefixed(sheet(HEADER, *AS_TEXT))}),
}


def prefixed(xml: str) -> str:
    """As the SDK of Open XML writes it."""
    return xml.replace("<", "<x:").replace("<x:/", "</x:").replace("xmlns=", "xmlns:x=")


@pytest.mark.parametrize("name", READ)
def test_a_file_that_is_right_is_read_as_what_it_says(name: str) -> None:
    """In whatever kind of file: the same payouts, the same content, so the same trade numbers."""
    made = READ[name]
    with open_file(SAME) as file:
        same = plan_of(file)
    with open_file(made() if callable(made) else made) as file:
        found = plan_of(file)

    assert (found.problems, found.rows, found.total) == ((), 2, same.total)
    assert found.digest == same.digest


def test_the_caller_names_columns_and_the_sheet() -> None:
    """Also those that would be taken for another field; what does not exist is refused with what does."""
    given = {"Betrag": "amount", "Konto": "bank_number", "Account No": ""}
    text = csv_of(f"{RIGHT},1", header="Betrag,name,mobile,email,KONTO,bank_code,Account No")
    with open_file(text, columns=given) as file:
        assert plan_of(file).problems == ()
        assert file.columns.others == ("Account No",)
    for wrong, code in (({"Konto": "account"}, "MAP_FIELD"), ({"Ziel": "bank_number"}, "MAP_COLUMN")):
        with pytest.raises(PayoutFileError) as caught:
            open_file(text, columns=given | wrong)
        assert code in [one.code for one in caught.value.problems]
        assert "'KONTO'" in str(caught.value) or "bank_number" in str(caught.value)
    both = workbook(sheet(HEADER, PAYOUT), sheet(HEADER, PAYOUT, PAYOUT), names=["June", "July"])
    with open_file(both, sheet="july") as file:
        assert plan_of(file).rows == 2
    for data, name in ((both, "May"), (SAME, "July")):
        with pytest.raises(PayoutFileError) as caught:
            open_file(data, sheet=name)
        assert [one.code for one in caught.value.problems] == ["SHEET_MISSING"]


def test_a_file_that_is_wrong_from_end_to_end_fits_into_memory_and_onto_a_screen() -> None:
    """A thousand problems of a kind are kept, the others are counted."""
    with open_file(csv_of(*[row("1e3")] * 5_000)) as file:
        found = plan_of(file).problems

    assert len(found) == 1_001
    assert found[-1].more == 3_999
    text = str(PayoutFileError(found))
    assert "and 4,995 more rows with AMOUNT_FORMAT (amount), the last in line 5,001" in text
    assert len(text) < 2_000
