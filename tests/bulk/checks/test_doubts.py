"""What is allowed and seldom meant is found, with its row and why; what is usual is not."""

from decimal import Decimal

import pytest

from paypro_async.bulk.file_plan import Plan
from tests.support.payout_files import HEADER, csv_text, open_file, plan_of, row


def plan(*lines: str, header: str = HEADER) -> Plan:
    with open_file(csv_text(*lines, header=header)) as file:
        return plan_of(file)


def doubts(*lines: str, header: str = HEADER) -> list[tuple[int | None, str | None, str]]:
    found = plan(*lines, header=header)
    assert found.problems == ()
    return [(one.row, one.field, one.code) for one in found.doubts]


USUAL = [row(str(300 + at), f"{10**11 + at}") for at in range(6)]
MANY = [row(str(300 + at), f"{10**11 + at}") for at in range(2_000)]


def test_a_usual_file_leaves_no_doubt() -> None:
    """Names with accents and in other scripts, accounts of 9 to 18 digits."""
    names = ["José Nuñez", "आशा राव", "Ng", "A. B. C. D'Souza", "Testaferri Ltd", "3M India", "Nan Kumari"]
    lines = [row(str(300 + at), "9" * (9 + at), name=name) for at, name in enumerate(names)]
    assert doubts(*lines, *USUAL) == []


@pytest.mark.parametrize("rows", [USUAL, MANY], ids=["row by row", "columnwise"])
def test_each_is_found_in_a_short_file_and_in_a_long_one(rows: list[str]) -> None:
    """Whichever way the rows are checked."""
    odd = [
        row("301", "1234567"),
        row("302", "1" * 19),
        row("303", "123456789012", name="TRUE"),
        row("99999", "987654321"),
    ]
    at = len(rows)
    assert doubts(*rows, *odd) == [
        (at + 1, "bank_number", "ACCOUNT_LENGTH"),
        (at + 2, "bank_number", "ACCOUNT_LENGTH"),
        (at + 3, "name", "NAME_UNLIKELY"),
        (at + 4, "amount", "AMOUNT_FAR_ABOVE"),
    ]


def test_accounts_that_a_spreadsheet_rounded() -> None:
    """Most accounts of 16 digits and more end in zeros behind the 15th; one alone may be so."""
    rounded = [row(str(300 + at), f"{501000000000017 + at}0") for at in range(3)]
    assert doubts(*rounded) == [(at, "bank_number", "ACCOUNT_ROUNDED") for at in (1, 2, 3)]
    whole = [row(str(400 + at), f"{501000000000099 + at}7") for at in range(4)]
    assert doubts(*rounded[:1], *whole) == []


@pytest.mark.parametrize(
    "name",
    [
        "???",
        "#N/A",
        "#REF!",
        "#NAME?",
        "TRUE",
        "false",
        "NULL",
        "nan",
        "N/A",
        "-",
        "test",
        "Test User 2",
        "12345",
        "xxx",
    ],
)
def test_what_is_no_name(name: str) -> None:
    """A spreadsheet or a database has left it."""
    assert doubts(*USUAL, row("305", "123456789", name=name))[-1:] == [(7, "name", "NAME_UNLIKELY")]


@pytest.mark.parametrize("name", ["JosÃ© Rao", "RÃ¤o", "à¤†à¤¶à¤¾", "Jos\ufffd Rao", "Oâ€™Brien"])
def test_a_name_that_was_read_in_another_encoding(name: str) -> None:
    """Before it came into this file."""
    assert doubts(*USUAL, row("305", "123456789", name=name)) == [(7, "name", "NAME_GARBLED")]


def test_letters_in_accounts() -> None:
    """Where the others are digits; and two that differ only by case or by what looks like a digit."""
    assert doubts(*USUAL, row("305", "1O0100940382")) == [(7, "bank_number", "ACCOUNT_LETTERS")]
    lettered = [row(str(300 + at), f"AB{10**9 + at}") for at in range(4)]
    assert doubts(*lettered) == []
    assert doubts(*lettered, row("309", "ab1000000001")) == [(5, "bank_number", "ACCOUNT_ALIKE")]


def test_the_same_payment_twice_whatever_the_numbers() -> None:
    """Also where each has a number of its own."""
    assert doubts(*USUAL, USUAL[0]) == [(7, None, "SAME_PAYMENT_TWICE")]
    numbered = [f"{one},N{at}" for at, one in enumerate([*USUAL, USUAL[0]])]
    assert doubts(*numbered, header=f"{HEADER},trade_no") == [(7, None, "SAME_PAYMENT_TWICE")]


def test_trade_numbers_that_look_alike() -> None:
    """Which are two payouts."""
    lines = [f"{USUAL[0]},abc-1", f"{USUAL[1]},ABC-1"]
    assert doubts(*lines, header=f"{HEADER},trade_no") == [(2, "trade_no", "TRADE_NO_ALIKE")]


def test_an_amount_far_above_the_others_is_shown_beside_their_median() -> None:
    """An amount is nobody's secret."""
    found = plan(row("1000", "123456789"), row("1200.50", "123456780"), row("250000", "123456781"))
    (doubt,) = found.doubts
    assert found.median == Decimal("1200.50")
    assert (doubt.row, doubt.code) == (3, "AMOUNT_FAR_ABOVE")
    assert "is 2,50,000.00 INR, 208 times the median of the file (1,200.50)" in doubt.message
    assert plan(row("1"), row("250000", "123456781")).doubts == ()


def test_no_doubt_holds_a_personal_value() -> None:
    """Names and accounts stay in the file."""
    odd = [row("301", "1234567"), row("305", "1O0100940382"), row("303", "123456789012", name="TRUE"), USUAL[0]]
    text = " ".join(map(str, plan(*USUAL, *odd).doubts))
    assert not any(value in text for value in ("1234567", "1O01", "1234567890", "TRUE", "Asha", "100000000000"))
