"""What is wrong with a file of payouts, and where. Never the value itself, which may be an account number."""

from collections.abc import Sequence
from decimal import Decimal

from attrs import frozen

from paypro_async.errors import PayProError

__all__ = ["BalanceTooLowError", "FileProblem", "PayoutFileError"]


@frozen(kw_only=True)
class FileProblem:
    """One thing that is wrong.

    Args:
        line: The line of the file, from 1, as an editor counts.
        row: The payout, from 1, without the header and empty rows; None for the header or the file itself.
        field: The field's name in the model, or None for the row as a whole.
        code: Stable, for programs.
        message: How to mend it.
    """

    line: int
    row: int | None = None
    field: str | None = None
    code: str
    message: str

    def __str__(self) -> str:
        where = f"row {self.row}" if self.row else "header" if self.field else ""
        about = ", ".join(part for part in (where, self.field) if part)
        return f"{about}: {self.message} [{self.code}]" if about else f"{self.message} [{self.code}]"


class PayoutFileError(PayProError, ValueError):
    """The file cannot be paid as it is. Nothing was sent; mend every one of *problems* and begin again.

    Attributes:
        problems: Everything that is wrong, each a :class:`FileProblem`.
    """

    def __init__(self, problems: Sequence[FileProblem]) -> None:
        self.problems: tuple[FileProblem, ...] = tuple(problems)
        listed = "; ".join(f"line {problem.line}: {problem}" for problem in self.problems[:10])
        more = f"; and {len(self.problems) - 10} more" if len(self.problems) > 10 else ""
        super().__init__(f"The file cannot be paid and nothing was sent: {listed}{more}.")


class BalanceTooLowError(PayProError):
    """The balance is lower than the sum that is still to be paid. Nothing was sent; fill the account, and pay again.

    Attributes:
        needed: The sum, in major units.
        available: The balance.
        currency: ISO 4217, of both.
    """

    def __init__(self, message: str, *, needed: Decimal, available: Decimal, currency: str) -> None:
        super().__init__(message)
        self.needed: Decimal = needed
        self.available: Decimal = available
        self.currency: str = currency
