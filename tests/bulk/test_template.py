"""The template: what a finance person fills in."""

import io
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from paypro_async.bulk import PayoutFileError, write_template
from paypro_async.bulk.file_plan import Plan
from paypro_async.errors import ConfigurationError
from tests.support.payout_files import open_file, plan_of


def template(kind: str) -> bytes:
    data = io.BytesIO()
    write_template(data, kind=kind)  # type: ignore[arg-type]
    return data.getvalue()


def plan(data: bytes) -> Plan:
    with open_file(data) as file:
        return plan_of(file)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_sample_row_pays_nobody(kind: str) -> None:
    """It is read back, and refused with words of its own."""
    (problem,) = plan(template(kind)).problems
    assert (problem.row, problem.code) == (1, "SAMPLE_ROW")
    assert "sample row" in problem.message


@pytest.mark.parametrize("left", ["SAMPLE - write over this row", "sample.payee@example.com", "00000000000000"])
def test_a_sample_row_that_was_half_written_over_pays_nobody(left: str) -> None:
    """A payment to the sample's account, or under its name, is a slip of the hand; also among a thousand others."""
    values = {"name": "Asha Rao", "email": "asha@example.com", "account": "10094038292"}
    values["email" if "@" in left else "account" if left.isdigit() else "name"] = left
    head = "name,amount,mobile,email,bank_number,bank_code\n"
    right = "".join(
        f"Asha Rao,{100 + at},8234567890,asha@example.com,{10**11 + at},IDFB0043121\n" for at in range(1500)
    )
    row = "{name},100,8234567890,{email},{account},IDFB0043121\n".format(**values)
    assert [one.code for one in plan((head + right + row).encode()).problems] == ["SAMPLE_ROW"]


def test_a_filled_template_is_paid() -> None:
    """The sample row written over."""
    text = template("csv").decode("utf-8-sig").split("\r\n")[0]
    found = plan(f"\ufeff{text}\r\nAsha Rao,1500,8234567890,asha@example.com,00120304,IDFB0043121,,\r\n".encode())
    assert (found.rows, found.problems) == (1, ())


def test_a_workbook_has_text_cells_and_notes() -> None:
    """As another library reads it: two sheets, and each cell of the first is text."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(template("xlsx")))
    assert book.sheet_names == ["Payouts", "Notes"]
    cells = [cell for row in book.get_sheet_by_name("Payouts").to_python() for cell in row]
    assert all(isinstance(cell, str) for cell in cells)


def test_a_file_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    """Unless it is said; and a name must tell the kind."""
    path = tmp_path / "out.csv"
    write_template(path)
    with pytest.raises(FileExistsError):
        write_template(path)
    write_template(path, replace=True)
    with pytest.raises(ConfigurationError, match=r"\.xlsx"):
        write_template(tmp_path / "out.ods")


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a template as CSV needs none."""
    monkeypatch.setitem(__import__("sys").modules, "xlsxwriter", None)
    with pytest.raises(ConfigurationError, match=r"paypro-async\[xlsx\]"):
        template("xlsx")
    with pytest.raises(PayoutFileError):
        raise PayoutFileError(plan(template("csv")).problems)
