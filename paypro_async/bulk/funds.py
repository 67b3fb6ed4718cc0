"""Whether the balance covers what is still to be paid of a file."""

from decimal import Decimal

from attrs import frozen

from paypro_async._core.money import amount_for_people
from paypro_async.bulk.problems import BalanceTooLowError

__all__ = ["Funds"]


@frozen(kw_only=True)
class Funds:
    """The balance, beside the sum that is still to be paid.

    Args:
        needed: The sum, in major units.
        currency: ISO 4217, of both.
        available: The balance; None if it was not asked for or could not be had.
        unknown: Why it could not be had, or None.
    """

    needed: Decimal
    currency: str
    available: Decimal | None = None
    unknown: str | None = None

    @property
    def low(self) -> bool:
        """Whether the balance is known to be lower than the sum."""
        return self.available is not None and self.available < self.needed

    def __str__(self) -> str:
        if self.unknown is not None:
            return f"The balance could not be had, so it was not compared with the sum. {self.unknown}"
        if self.available is None:
            return "Nothing is left to be paid, so the balance was not asked for."
        balance, needed = (amount_for_people(one, self.currency) for one in (self.available, self.needed))
        return f"The balance is {balance} {self.currency}, and {needed} {self.currency} are still to be paid."

    def check(self) -> None:
        """See that the balance suffices, as far as it is known.

        Raises:
            BalanceTooLowError: If it does not.
        """
        if self.available is not None and self.available < self.needed:
            raise BalanceTooLowError(
                f"{self} Nothing was sent. Fill the account and pay the file again, or pay as far as the balance goes "
                "with StopRules(low_balance=False).",
                needed=self.needed,
                available=self.available,
                currency=self.currency,
            )
