"""What a file may come to at most, and what whoever pays it expects of it; compared before anything is sent."""

from decimal import Decimal

from attrs import field, frozen

from paypro_async._core.money import amount_for_people, parse_amount
from paypro_async.bulk.file_plan import Plan
from paypro_async.bulk.problems import FileProblem
from paypro_async.errors import ConfigurationError

__all__ = ["PaymentLimits"]


def _amount(value: Decimal | int | str | None) -> Decimal | None:
    if value is None:
        return None
    amount = parse_amount(value)
    if amount is None or amount <= 0:
        raise ConfigurationError(
            "A limit or an expected sum is no amount above zero. Nothing was sent; give a plain number such as 23200 "
            "or 23200.50, in major units."
        )
    return amount


def _rows(value: int | None) -> int | None:
    if value is not None and (type(value) is not int or value < 1):
        raise ConfigurationError("The expected number of payouts is no whole number above zero. Nothing was sent.")
    return value


@frozen(kw_only=True)
class PaymentLimits:
    """What a file must not exceed, and what it must come to. Amounts are in major units: text, int or Decimal.

    Args:
        max_amount: The largest amount that a row may have.
        max_total: The largest sum that the file may have.
        expect_total: The sum that the file must have.
        expect_rows: The number of payouts that the file must have.

    Raises:
        ConfigurationError: If one of them makes no sense.
        TypeError: If an amount is a float.
    """

    max_amount: Decimal | None = field(default=None, converter=_amount)
    max_total: Decimal | None = field(default=None, converter=_amount)
    expect_total: Decimal | None = field(default=None, converter=_amount)
    expect_rows: int | None = field(default=None, converter=_rows)

    @property
    def expects(self) -> bool:
        """Whether both the sum and the number of rows are expected, which is as good as a person's yes to them."""
        return self.expect_total is not None and self.expect_rows is not None

    def problems(self, plan: Plan) -> tuple[FileProblem, ...]:
        """Where the file goes beyond what is allowed, or is not what is expected; ten rows at most."""
        found: list[tuple[str, str]] = []
        total, currency = amount_for_people(plan.total, plan.currency), plan.currency
        if self.expect_rows is not None and plan.rows != self.expect_rows:
            found.append(("UNEXPECTED_ROWS", f"has {plan.rows:,} payouts, and {self.expect_rows:,} are expected"))
        if self.expect_total is not None and plan.total != self.expect_total:
            expected = amount_for_people(self.expect_total, currency)
            found.append(("UNEXPECTED_TOTAL", f"comes to {total} {currency}, and {expected} are expected"))
        if self.max_total is not None and plan.total > self.max_total:
            most = amount_for_people(self.max_total, currency)
            found.append(("TOTAL_ABOVE_MAX", f"comes to {total} {currency}, and at most {most} are allowed"))
        problems = [FileProblem(line=1, code=code, message=message) for code, message in found]
        return (*problems, *self._too_large(plan))

    def _too_large(self, plan: Plan) -> list[FileProblem]:
        if self.max_amount is None:
            return []
        most = amount_for_people(self.max_amount, plan.currency)
        return [
            FileProblem(
                line=one.line,
                row=one.row,
                field="amount",
                code="AMOUNT_ABOVE_MAX",
                message=f"is {amount_for_people(one.amount, plan.currency)}, and at most {most} are allowed",
            )
            for one in plan.largest
            if one.amount > self.max_amount
        ]
