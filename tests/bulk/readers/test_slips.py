"""Slips of hand and of programs: formulas, quotes, separators at the end, notes."""

import pytest

from paypro_async.bulk import PayoutFileError
from tests.bulk.readers.test_lost_rows import codes_of
from tests.support.payout_files import ACCOUNT, HEADER, csv_text, open_file, plan_of, row


@pytest.mark.parametrize(
    "name", ["=A1", '"=HYPERLINK(""http://x"")"', "\uff1dA1", "@SUM(A1)", "+Asha", "-Asha", "\u2212Asha"]
)
def test_a_formula_is_no_name(name: str) -> None:
    """Wherever in the file it stands, in whatever width."""
    right = [row()] * 1100
    assert codes_of(csv_text(row(name=name))) == [(2, "CELL_FORMULA")]
    assert codes_of(csv_text(*right, row(name=name))) == [(1102, "CELL_FORMULA")]


@pytest.mark.parametrize(
    ("remark", "wrong"), [("=1+1", True), ("@x", True), ("-", False), ("+5 days", False), ("- rent", False)]
)
def test_a_remark_may_begin_with_a_sign(remark: str, *, wrong: bool) -> None:
    """But not as a formula does."""
    text = csv_text(f"{row()},{remark}", header=f"{HEADER},remark")
    assert codes_of(text) == ([(2, "CELL_FORMULA")] if wrong else [])


def test_quotes_behind_a_blank_are_no_part_of_a_name() -> None:
    """CSV takes them for text, and the beneficiary's bank would see them."""
    assert codes_of(csv_text(row(name=' "Asha Rao"'))) == [(2, "CELL_QUOTED")]


def test_what_is_empty_at_the_end_may_be_missing_or_too_much() -> None:
    """Behind an IFSC nothing can have moved, and the row is the same payout."""
    header = f"{HEADER},remark,Dept"
    whole, short, long = (csv_text(row() + end, header=header) for end in (",,", "", ",,,,"))

    with open_file(whole) as first, open_file(short) as second, open_file(long) as third:
        assert [one.cells for one in second.rows()] == [one.cells for one in first.rows()]
        assert [one.cells for one in third.rows()] == [one.cells for one in first.rows()]
        assert plan_of(first).digest == plan_of(second).digest == plan_of(third).digest


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        (f"{HEADER},remark", f"{row()},rent,more"),
        (f"{HEADER},remark,trade_no", f"{row()},A17"),
        (
            "name,mobile,email,bank_number,bank_code,Dept,amount,remark",
            f"Asha,8234567890,a@x.com,{ACCOUNT},IDFB0043121,300,5",
        ),
        (
            "name,mobile,email,bank_number,bank_code,Bonus,amount,remark",
            f"Asha,8234567890,a@x.com,{ACCOUNT},IDFB0043121,,1,3,",
        ),
        (HEADER, row().rpartition(",")[0]),
    ],
)
def test_a_row_whose_cells_may_have_moved_is_refused(header: str, cells: str) -> None:
    """A separator too few would make another column the amount or the trade number."""
    assert codes_of(csv_text(cells, header=header)) == [(2, "CELL_COUNT")]


def test_a_note_is_called_a_note() -> None:
    """Also in the column of the amounts; a number there alone is a sum."""
    assert codes_of(csv_text(row(), "Prepared by: Meena,,,,,", "600,,,,,")) == [(3, "NOTE_ROW"), (4, "TOTALS_ROW")]


@pytest.mark.parametrize("name", ["র\u200d\u09cdযাব", "ಸೂರ\u200d\u0ccdಯ", "ക്\u200dഷ"])
def test_scripts_of_india_write_joiners(name: str) -> None:
    """Before the sign that joins two letters, or behind it; elsewhere a joiner is refused."""
    assert codes_of(csv_text(row(name=name))) == []
    assert codes_of(csv_text(row(name=f"Asha\u200d{name}"))) == [(2, "INVISIBLE_CHARACTER")]


def test_more_rounded_accounts_than_chance_makes_are_asked_about() -> None:
    """Although most of the file's long accounts are no such ones; a few among many are no sign."""
    right = [row(account=f"5010000000001{number:04}") for number in range(1101, 1116)]
    rounded = [row(account=f"501000000000{number:03}00") for number in range(110, 120)]
    with open_file(csv_text(*right, *rounded)) as file:
        assert [one.code for one in plan_of(file).doubts].count("ACCOUNT_ROUNDED") == 10
    by_chance = [row(account=f"501000000001{number:04}") for number in range(1000, 1100)]
    with open_file(csv_text(*by_chance)) as file:
        assert "ACCOUNT_ROUNDED" not in [one.code for one in plan_of(file).doubts]


def test_an_old_file_of_carriage_returns_has_lines_too() -> None:
    """The place of what is no UTF-8 is the line that a person sees."""
    for end in (b"\r", b"\n", b"\r\n"):
        data = end.join([HEADER.encode(), row().encode(), row(name="Jos").encode().replace(b"Jos", b"Jos\xe9"), b""])
        with pytest.raises(PayoutFileError) as caught:
            open_file(data)
        assert [(one.line, one.code) for one in caught.value.problems] == [(3, "ENCODING")]


def test_payouts_in_a_list_of_one_object_are_no_json_lines() -> None:
    """And the words say what to write instead."""
    assert codes_of('{"payouts": [{"amount": "300"}], "count": 1}\n') == [(1, "NOT_JSON_LINES")]
