from decimal import Decimal

import pytest

from paypro_async.bulk.file_plan import Plan
from tests.support.payout_files import ACCOUNT, HEADER, csv_text, open_file, plan_of, row, rows_of, trade_nos

NUMBERED = f"{HEADER},trade_no"


def plan(*lines: str, header: str = HEADER, run: str | None = None) -> Plan:
    with open_file(csv_text(*lines, header=header)) as file:
        return plan_of(file, run=run)


def numbers(data: str | bytes, *, run: str | None = None) -> list[str]:
    with open_file(data) as file:
        return trade_nos(file, run=run)


def test_a_good_file_is_summed() -> None:
    """Rows and their sum, exact, and what is advised against."""
    found = plan(row("300"), row("0.10"), row("0.20"))

    assert (found.rows, found.total, found.currency) == (3, Decimal("300.30"), "INR")
    assert found.with_decimals == 2
    assert found.problems == ()


def test_every_problem_of_every_row_is_found() -> None:
    """Each with its line, row, field and code; never with the value."""
    found = plan(row("1e3", mobile="919876543210"), row(), row("0", "1.00941E+10", bank_code="nope"))

    assert [(one.line, one.row, one.field, one.code) for one in found.problems] == [
        (2, 1, "amount", "AMOUNT_FORMAT"),
        (2, 1, "mobile", "MOBILE_COUNTRY_CODE"),
        (4, 3, "amount", "AMOUNT_NOT_POSITIVE"),
        (4, 3, "bank_number", "ACCOUNT_SCIENTIFIC"),
        (4, 3, "bank_code", "IFSC_FORMAT"),
    ]
    assert not any(value in str(one) for one in found.problems for value in ("919876543210", "1.00941E+10", "nope"))


def test_an_amount_with_thousands_separators_is_refused() -> None:
    """In quotes, as a spreadsheet writes it."""
    (problem,) = plan(row('"1,25,000"')).problems
    assert problem.code == "AMOUNT_FORMAT"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("amount", ["1.500", "100.000", "1.5000", "0.100", "25.000000", "1.234"])
@pytest.mark.parametrize("rows_before", [0, 2_000], ids=["row by row", "columnwise"])
def test_an_amount_that_is_written_with_more_decimals_is_refused(amount: str, separator: str, rows_before: int) -> None:
    """Zeros or not: where a dot is a thousands separator, 1.50 is not what was meant by 1.500."""
    lines = [*[row("300.00")] * rows_before, row(amount), row("1.50")]
    with open_file(csv_text(*lines).replace(",", separator)) as file:
        (problem,) = plan_of(file).problems

    assert (problem.row, problem.field, problem.code) == (rows_before + 1, "amount", "AMOUNT_DECIMALS")
    assert amount not in problem.message


def test_a_header_alone_pays_nobody() -> None:
    """That is a mistake, not a success."""
    (problem,) = plan().problems
    assert problem.code == "NO_PAYOUTS"


def test_a_trade_number_may_stand_in_one_row_only() -> None:
    """The later row is wrong, and it names the first."""
    found = plan(f"{row('1')},T1", f"{row('2')},T2", f"{row('3')},T1", header=f"{HEADER},tradeNo")

    (problem,) = found.problems
    assert (problem.line, problem.row, problem.code) == (4, 3, "DUPLICATE_TRADE_NO")
    assert "row 1" in problem.message


def test_identical_rows_are_a_warning() -> None:
    """Two equal payouts may be meant; with numbers of their own they certainly are."""
    assert plan(row(), row(), row("301")).identical == (3,)
    assert plan(f"{row()},A", f"{row()},B", header=f"{HEADER},trade_no").identical == ()


def test_rows_that_pay_the_same_are_found_whatever_else_they_say() -> None:
    """By amount and account; two that have each a number of their own are meant, unless the numbers look alike."""
    lines = [row(), row("300.00", name="A. Rao"), row("300", ACCOUNT.lstrip("0"), mobile="9234567890"), row("1")]
    assert plan(*lines).identical == (3, 4)
    found = plan(*(f"{one},{at}" for at, one in zip(["000123", "X", "123", "x"], lines, strict=True)), header=NUMBERED)
    assert (found.identical, found.alike) == ((), (5,))
    assert [(one.line, one.code) for one in found.twins] == [(4, "TRADE_NO_TWIN")]
    assert found.problems == ()


def test_derived_numbers_follow_from_the_content_alone() -> None:
    """A byte order mark, line ends, quotes, another separator or order of columns, other columns: all the same."""
    plain = csv_text(row("300"), row("301"))
    again = [
        b"\xef\xbb\xbf" + plain.encode(),
        plain.replace("\n", "\r\n"),
        plain.replace("Asha Rao", '" Asha Rao "'),
        plain.replace(",", ";"),
        plain.replace("\n", ",x\n").replace(",x", ",note", 1),
        "\n".join(",".join(reversed(line.split(","))) for line in plain.split("\n")),
        plain.rstrip("\n") + "\n,,,,,\n\n",
    ]
    first = numbers(plain)

    assert len(set(first)) == 2
    assert all(numbers(other) == first for other in again)


def test_derived_numbers_change_with_the_content_and_the_name_of_the_run() -> None:
    """One other cell anywhere, another order of rows, or another run gives all rows new numbers."""
    first = set(numbers(csv_text(row("300"), row("301"))))

    for other in (csv_text(row("300"), row("302")), csv_text(row("301"), row("300")), csv_text(row("300"))):
        assert not first & set(numbers(other))
    named = set(numbers(csv_text(row("300"), row("301")), run="again"))
    assert not first & named
    assert named != set(numbers(csv_text(row("300"), row("301")), run="once more"))


def test_derived_numbers_never_change_from_release_to_release() -> None:
    """A half-paid file must be continued by any later release, so this number is frozen."""
    assert numbers(csv_text(row(email="asha@example.com"))) == ["8586bd650e5396da6be5-0000001"]


def test_a_plan_knows_its_own_numbers() -> None:
    """Given and derived ones; not those of the same digest beyond its rows, nor any other."""
    with open_file(csv_text(f"{row()},GIVEN", f"{row('2')},", header=f"{HEADER},trade_no")) as file:
        found = plan_of(file)
        own = trade_nos(file)

        assert own[0] == "GIVEN"
        assert all(found.owns(one) for one in own)
        beyond = own[1].replace("0000002", "0000003")
        assert not any(found.owns(one) for one in (beyond, "other", "other-0000001", "other-²", ""))


def test_a_row_is_prepared_as_the_client_prepares_any_payout() -> None:
    """Under its number, with the client's values, and with no other column."""
    with open_file(csv_text(f"{row()},ops", header=f"{HEADER},department")) as file:
        ((_, intent),) = rows_of(file)
        assert plan_of(file).owns(intent.trade_no)

    assert set(intent.content) == {
        "tradeNo",
        "amount",
        "name",
        "mobile",
        "email",
        "bankNumber",
        "bankCode",
        "ipAddress",
        "notifyUrl",
    }
