import pytest

from paypro_async.bulk.problems import FileProblem, PayoutFileError
from tests.support.payout_files import ACCOUNT, HEADER, SHARED, csv_text, open_file, row


def problems_of(data: str | bytes, **settings) -> tuple[FileProblem, ...]:
    with pytest.raises(PayoutFileError) as caught:
        open_file(data, **settings)
    return caught.value.problems


def codes(problems: tuple[FileProblem, ...]) -> list[tuple[int, str | None, str]]:
    return [(problem.line, problem.field, problem.code) for problem in problems]


def test_cells_are_stripped_and_empty_ones_are_no_values() -> None:
    """Blanks around a cell are not part of it; an empty cell is the same as none; leading zeros stay."""
    with open_file(
        csv_text(f" 300 ,Asha Rao, 8234567890,asha@example.com,{ACCOUNT} ,IDFB0043121,  ", header=f"{HEADER},remark")
    ) as file:
        (found,) = file.rows()

    assert found.values["amount"] == "300"
    assert found.values["bank_number"] == ACCOUNT
    assert "remark" not in found.values
    assert found.cells[0] == " 300 "


@pytest.mark.parametrize(
    "header",
    [
        "Amount,NAME,Mobile,E-Mail,Bank Number,bank-code",
        "amount,name,mobile,email,bankNumber,bankCode",
        "\ufeffamount,name,mobile,email,bank_number,bank_code",
        "amount , name, mobile, email , BANK_NUMBER , BankCode",
    ],
)
def test_columns_have_the_models_names_or_the_platforms(header: str) -> None:
    """Case, blanks, hyphens and a byte order mark make no difference."""
    with open_file(csv_text(row(), header=header)) as file:
        assert set(file.columns.fields) == {"amount", "name", "mobile", "email", "bank_number", "bank_code"}


@pytest.mark.parametrize("separator", [";", "\t"])
def test_spreadsheets_of_other_countries_write_another_separator(separator: str) -> None:
    """A header with semicolons or tabs shows the separator of the whole file."""
    with open_file(csv_text(row()).replace(",", separator)) as file:
        assert next(file.rows()).values["bank_number"] == ACCOUNT
        assert file.delimiter == separator


def test_empty_rows_are_skipped_and_lines_still_counted() -> None:
    """The line is the one that an editor shows; the row counts payouts, also when a cell holds a line break."""
    folded = '300,"Asha\r\nRao",8234567890,asha@example.com,1,IDFB0043121'
    lines = [HEADER, "", row(), ",,,,,", folded, row(), ""]
    data = "\r\n".join(lines)
    with open_file(data) as file:
        assert [(one.line, one.number) for one in file.rows()] == [(3, 1), (5, 2), (7, 3)]


def test_rows_can_be_read_again_while_an_earlier_reading_is_left_in_the_middle() -> None:
    """Each reading has a place of its own, and leaving one does not end the others."""
    with open_file(csv_text(row("1"), row("2"), row("3"))) as file:
        first = file.rows()
        assert next(first).values["amount"] == "1"
        assert [one.values["amount"] for one in file.rows()] == ["1", "2", "3"]
        assert next(first).values["amount"] == "2"
        first.close()
        assert sum(1 for _ in file.rows()) == 3


def test_a_file_that_is_saved_while_it_is_read_changes_nothing(tmp_path) -> None:
    """What is paid is what was checked."""
    path = tmp_path / "payouts.csv"
    path.write_text(csv_text(row("300")))
    with path.open("rb") as source:
        file = open_file(source.read())
    path.write_text(csv_text(row("999")))

    assert next(file.rows()).values["amount"] == "300"
    file.close()


def test_long_files_leave_the_memory_for_a_temporary_file() -> None:
    """Beyond a few megabytes the snapshot lies on disk, and reads the same."""
    with open_file(csv_text(*[row(str(number + 1)) for number in range(120_000)])) as file:
        assert sum(1 for _ in file.rows()) == 120_000


@pytest.mark.parametrize(("line", "cells"), [(row() + ",more", 7), (row().rpartition(",")[0], 5)])
def test_a_row_with_a_cell_too_many_or_too_few_is_wrong(line: str, cells: int) -> None:
    """Whatever stands in it: a lost separator shifts amounts into account numbers."""
    with open_file(csv_text(row(), line, row())) as file:
        found = [one.problem for one in file.rows()]

    assert found[0] is found[2] is None
    assert (found[1].line, found[1].row, found[1].code) == (3, 2, "CELL_COUNT")
    assert f"{cells} cells" in found[1].message


def test_a_broken_quote_ends_the_reading_with_its_line() -> None:
    """What follows it cannot be told apart, so the file is refused there."""
    with open_file(csv_text(row(), '300,"Asha" Rao,1,2,3,4', row())) as file:
        found = list(file.rows())

    assert [one.line for one in found] == [2, 3]
    assert found[1].problem.code == "CSV_FORMAT"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", (1, None, "EMPTY_FILE")),
        (b"\n\n,,\n", (1, None, "EMPTY_FILE")),
        (b"PK\x03\x04" + bytes(100), (1, None, "WORKBOOK_BROKEN")),
        (b"\xd0\xcf\x11\xe0" + bytes(100), (1, None, "NOT_CSV")),
        (csv_text(row()).encode("utf-16"), (1, None, "NOT_CSV")),
        (csv_text(row(), row(name="José")).encode("latin-1"), (3, None, "ENCODING")),
        (csv_text(row()).encode() + b"\xc3", (3, None, "ENCODING")),
        (csv_text(row(), "a\0b").encode(), (3, None, "ENCODING")),
        (b"x" * 1_200_000, (1, None, "NOT_CSV")),
        (b'"amount" x,name\n', (1, None, "NOT_CSV")),
    ],
    ids=["empty", "blank", "xlsx", "xls", "utf-16", "latin-1", "cut", "nul", "one-line", "quote"],
)
def test_what_is_no_csv_in_utf8_is_refused_with_its_place(data: bytes, expected: tuple) -> None:
    """The line is named, and what to do; nothing of the content is."""
    (problem,) = found = problems_of(data)

    assert codes(found) == [expected]
    assert "Jos" not in str(problem)


def test_an_encoding_error_far_into_the_file_is_counted_right() -> None:
    """The byte and the line are those of the file, not of a part of it."""
    lines = csv_text(*[row()] * 2000).encode()
    (problem,) = problems_of(lines + b"\xff\n")

    assert problem.line == 2002
    assert f"byte {len(lines) + 1} " in problem.message


def test_everything_wrong_with_a_header_is_said_at_once() -> None:
    """A missing column, two for one field, and one that looks like a field."""
    found = problems_of(csv_text(row(), header="amount,Amount,mobil,email,bank_number,name"))

    assert set(codes(found)) == {
        (1, "amount", "COLUMN_TWICE"),
        (1, "mobile", "COLUMN_UNCLEAR"),
        (1, "bank_code", "COLUMN_MISSING"),
    }


def test_a_remark_column_with_a_slip_of_the_hand_is_not_lost_in_silence() -> None:
    """An optional field would be missed by nobody until the money has gone out without it."""
    found = problems_of(csv_text(row() + ",salary", header=f"{HEADER},remrak"))

    assert codes(found) == [(1, "remark", "COLUMN_UNCLEAR")]


def test_other_columns_are_carried_through() -> None:
    """A department is nobody's business here; a second mobile is one when the first is there."""
    with open_file(csv_text(row() + ",ops,1", header=f"{HEADER},department,mobile2")) as file:
        assert file.columns.others == ("department", "mobile2")
        assert next(file.rows()).problem is None


def test_a_field_that_the_client_has_for_all_needs_no_column() -> None:
    """Without one, the message names the option and the variable."""
    (problem,) = problems_of(csv_text(row()), defaults={"ip_address": SHARED["ip_address"]})

    assert (problem.field, problem.code) == ("notify_url", "COLUMN_MISSING")
    assert "--notify-url" in problem.message
    assert "PAYPRO_NOTIFY_URL" in problem.message


def test_a_result_file_can_be_fed_back() -> None:
    """Its trade number is taken as the row's; a contradiction between two is an error of the row."""
    header = f"{HEADER},trade_no,paypro_trade_no,paypro_status"
    with open_file(
        csv_text(f"{row()},,A-1,failed", f"{row()},B,B,failed", f"{row()},C,D,failed", header=header)
    ) as file:
        first, second, third = file.rows()

    assert first.values["trade_no"] == "A-1"
    assert second.values["trade_no"] == "B"
    assert third.problem.code == "TRADE_NO_TWICE"
