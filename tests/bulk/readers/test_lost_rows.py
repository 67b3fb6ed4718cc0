"""What would be lost or paid wrongly in silence is refused: rows above a header or in a cell, gross pay, dollars."""

import pytest

from paypro_async.bulk import PayoutFileError
from tests.support.payout_files import HEADER, csv_text, open_file, plan_of, row


def codes_of(text: str, **settings) -> list[tuple[int, str]]:
    try:
        with open_file(text, **settings) as file:
            return [(one.line, one.code) for one in plan_of(file).problems]
    except PayoutFileError as error:
        return [(one.line, one.code) for one in error.problems]


OTHER = "name,mobile,email,bank_number,bank_code,amount"


@pytest.mark.parametrize(
    "above",
    [
        pytest.param(f"{OTHER}\nAsha,8234567890,a@example.com,50100000000017,IDFB0043121,1500", id="another table"),
        pytest.param("Fifteen hundred,Asha Rao,8234567890,asha@example.com,50100000000017,IDFB0043121", id="in words"),
        pytest.param("Asha Rao,17,IDFB0043121,asha@example.com", id="in another order"),
        pytest.param("Employee Name,Net Pay\nAsha,1500", id="a table without accounts"),
    ],
)
def test_no_payout_above_the_header_is_lost(above: str) -> None:
    """Neither one that is written otherwise than the header says nor one of another table."""
    found = codes_of(f"{above}\n{csv_text(f'{row()},rent', header=f'{HEADER},remark')}")

    assert {code for _, code in found} == {"ROW_ABOVE_HEADER"}


@pytest.mark.parametrize(
    "above",
    [
        "Salaries of November",
        "Prepared by,Meena,meena@example.com",
        "Date,28-11-2026,Batch,17",
        "Debit account,00110022003300",
        "Beneficiary,,,,Account,",
        "[Confidential] Salaries",
        "{draft}",
        "<Company> salaries",
        "< 50000 list",
    ],
)
def test_a_title_is_no_payout(above: str) -> None:
    """With a date, an address or one account in it too, and whatever its brackets look like."""
    assert codes_of(f"{above}\n{csv_text(row())}") == []


def test_a_quote_that_nobody_closed_takes_no_payouts() -> None:
    """Also where it stands in a column that is no field, and where thousands of rows were right before it."""
    right = [f"{row('300')},ok" for _ in range(1100)]
    broken = [f'{row("1500")},"sal', f"{row('1700')},sal", f'{row("1600")},inv 5"']

    assert codes_of(csv_text(*broken, header=f"{HEADER},Notes")) == [(2, "ROWS_IN_CELL")]
    assert codes_of(csv_text(*right, *broken, header=f"{HEADER},Notes")) == [(1102, "ROWS_IN_CELL")]


def test_a_note_of_several_lines_is_no_row() -> None:
    """An address with commas holds no payouts."""
    note = '"Flat 5, Hill Road,\n Mumbai, India, 400050"'
    assert codes_of(csv_text(f"{row()},{note}", header=f"{HEADER},Note")) == []


REST = "Beneficiary Name,Mobile No,Email ID,Account No,IFSC"
PAYEE = "Asha Rao,8234567890,asha@example.com,50100000000017,IDFB0043121"


@pytest.mark.parametrize(
    ("columns", "cells"),
    [
        ("Amount,TDS,Net Amount", "10000,1000,9000"),
        ("Amount,TDS,Net Payable", "10000,1000,9000"),
        ("Salary (INR),PF,Net Pay", "10000,1000,9000"),
        ("Transaction Amount,Deductions,Net Salary", "10000,1000,9000"),
        ("Amount,Tax,Net Amt (after tax)", "10000,1000,9000"),
        ("Amount,Final Payable", "10000,9000"),
        ("Amount,Take Home", "10000,9000"),
    ],
)
def test_gross_is_not_paid_for_net(columns: str, cells: str) -> None:
    """Where two columns may hold what is paid, the file says nothing of which; --map does."""
    text = csv_text(f"{PAYEE},{cells}", header=f"{REST},{columns}")
    paid = columns.rpartition(",")[2]

    assert codes_of(text) == [(1, "COLUMN_TWICE")]
    with open_file(text, columns={paid: "amount"}) as file:
        assert str(plan_of(file).total) == "9000"


@pytest.mark.parametrize(
    "other", ["TDS Payable", "Payable at", "Net Banking", "Amount in Words", "Gross", "Payable Date"]
)
def test_what_holds_no_amount_is_no_second_one(other: str) -> None:
    """A word of money in the name of a column is not enough."""
    assert codes_of(csv_text(f"{PAYEE},900,x", header=f"{REST},Amount,{other}")) == []


@pytest.mark.parametrize("name", ["Currency", "Payment Currency", "CCY", "currency_code"])
def test_another_currency_beside_the_amount_is_refused(name: str) -> None:
    """Rupees under any of their names are paid, and so is an empty cell; dollars are not, wherever they stand."""
    header = f"{HEADER},{name}"
    right = [f"{row()},{one}" for one in ("INR", "inr", "Rs.", "", "₹")]

    assert codes_of(csv_text(*right, header=header)) == []
    assert codes_of(csv_text(*right * 300, f"{row()},USD", header=header)) == [(1502, "CURRENCY_OTHER")]


@pytest.mark.parametrize("text", ["$15", "€ 20", "USD 15", "15 usd", "AED15", "15 dollars"])
def test_nobody_is_told_to_pay_dollars_as_rupees(text: str) -> None:
    """The message does not offer the bare number."""
    with open_file(csv_text(row(text))) as file:
        (problem,) = plan_of(file).problems
    assert "another currency" in problem.message
    assert "write" not in problem.message


@pytest.mark.parametrize("remark", ["Salary", "Purpose", "Narration", "Contact"])
def test_a_payout_is_not_taken_for_a_header(remark: str) -> None:
    """Although its remark is the name of a column; and nothing of it is shown."""
    with pytest.raises(PayoutFileError) as caught:
        open_file(f"{row()},{remark}\n{row()},x\n")
    assert [one.code for one in caught.value.problems] == ["NO_HEADER"]
    assert "Asha" not in str(caught.value)
