"""Counting payouts and money."""

from collections import Counter
from collections.abc import Hashable
from decimal import Decimal
from typing import Generic, TypeVar

from attrs import define, field

from paypro_async._core.money import total

__all__ = ["Tally"]

K = TypeVar("K", bound=Hashable)


@define(kw_only=True, eq=False)
class Tally(Generic[K]):
    """How many payouts, and how much money, by a key such as their status; in a space that does not grow with them.

    Args:
        counts: How many, by key.
        amounts: Their exact sums, by key, in major units of one currency for each key.
    """

    counts: Counter[K] = field(factory=Counter)
    amounts: dict[K, Decimal] = field(factory=dict)

    def add(self, key: K, amount: Decimal) -> None:
        """Count one payout."""
        self.counts[key] += 1
        self.amounts[key] = total([self.amounts.get(key, Decimal(0)), amount])

    @property
    def total(self) -> Decimal:
        """The sum over all keys, which makes sense if they have one currency."""
        return total(self.amounts.values())
