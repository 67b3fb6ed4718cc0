"""What a file may come to at most, and what it must come to."""

from decimal import Decimal
from typing import Any

import pytest

from paypro_async import ConfigurationError
from paypro_async.bulk import PaymentLimits, Plan, RowAmount


def plan(*amounts: str) -> Plan:
    found = [RowAmount(Decimal(one), number, number + 1) for number, one in enumerate(amounts, 1)]
    largest = tuple(sorted(found, key=lambda one: (-one.amount, one.row))[:10])
    total = sum((one.amount for one in found), Decimal(0))
    return Plan(rows=len(amounts), total=total, currency="INR", digest=b"", given=(), largest=largest)


def codes(limits: PaymentLimits, *amounts: str) -> list[str]:
    return [one.code for one in limits.problems(plan(*amounts))]


@pytest.mark.parametrize("name", ["max_amount", "max_total", "expect_total"])
@pytest.mark.parametrize("value", ["0", "-1", "", " ", "1e5", "nan", "inf", "1,000", "ten", "0x10", Decimal(0), -5])
def test_a_limit_that_makes_no_sense_is_refused(name: str, value: Any) -> None:
    """It would be taken for no limit, or for another one."""
    with pytest.raises(ConfigurationError, match="Nothing was sent"):
        PaymentLimits(**{name: value})


@pytest.mark.parametrize("name", ["max_amount", "max_total", "expect_total"])
@pytest.mark.parametrize("value", [1.5, True])
def test_a_float_is_no_limit(name: str, value: Any) -> None:
    """It is another sum than what was typed."""
    with pytest.raises(TypeError):
        PaymentLimits(**{name: value})


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "10"])
def test_a_number_of_rows_is_a_whole_number(value: Any) -> None:
    """Of one payout at least."""
    with pytest.raises(ConfigurationError, match="number of payouts"):
        PaymentLimits(expect_rows=value)


@pytest.mark.parametrize("value", ["300.50", Decimal("300.500"), Decimal("3.005E+2")])
def test_a_limit_itself_is_allowed(value: Any) -> None:
    """To the paisa: one more is refused."""
    assert not codes(PaymentLimits(max_amount=value, max_total=value, expect_total=value, expect_rows=1), "300.50")
    assert codes(PaymentLimits(max_amount=value), "300.51") == ["AMOUNT_ABOVE_MAX"]
    assert codes(PaymentLimits(max_total=value), "300", "0.51") == ["TOTAL_ABOVE_MAX"]
    assert codes(PaymentLimits(expect_total=value), "300.49") == ["UNEXPECTED_TOTAL"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    """With the sums as people write them, and the line of each row that is too large."""
    limits = PaymentLimits(max_amount=100, max_total="150", expect_total=200, expect_rows=3)
    found = limits.problems(plan("1234567", "90"))
    assert [one.code for one in found] == ["UNEXPECTED_ROWS", "UNEXPECTED_TOTAL", "TOTAL_ABOVE_MAX", "AMOUNT_ABOVE_MAX"]
    assert found[0].message == "has 2 payouts, and 3 are expected"
    assert found[1].message == "comes to 12,34,657.00 INR, and 200.00 are expected"
    assert found[3].message == "is 12,34,567.00, and at most 100.00 are allowed"
    assert (found[3].row, found[3].line, found[3].field) == (1, 2, "amount")


@pytest.mark.parametrize(
    ("limits", "expects"),
    [
        (PaymentLimits(), False),
        (PaymentLimits(expect_total=1), False),
        (PaymentLimits(expect_rows=1), False),
        (PaymentLimits(max_total=1, max_amount=1), False),
        (PaymentLimits(expect_total=1, expect_rows=1), True),
    ],
)
def test_only_sum_and_rows_together_are_an_expectation(*, limits: PaymentLimits, expects: bool) -> None:
    """A limit from a variable is no yes to this file."""
    assert limits.expects is expects
