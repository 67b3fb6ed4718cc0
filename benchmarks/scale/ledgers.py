"""Several ledgers: which merchant's payouts lie in which, how even that is, and what moves when one is added."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from attrs import frozen

__all__ = ["Spread", "ledger_of", "spread"]


def ledger_of(merchant_no: str, names: Sequence[str]) -> str:
    """The ledger of a merchant, the same in every process: that whose digest with the merchant's number is highest.

    Args:
        merchant_no: Whose payouts they are.
        names: Of all ledgers. A name stays with its ledger for good, wherever that runs.
    """
    return max(names, key=lambda name: hashlib.sha256(f"{name} {merchant_no}".encode()).digest())


@frozen
class Spread:
    """How so many merchants are spread.

    Args:
        ledgers: How many there are.
        fewest: Merchants of the ledger with the fewest, over the mean; *most*, of that with the most.
        moved: The part of the merchants whose ledger is another one once one more ledger is there.
        astray: The part of these that did not move to the new one; it is none.
    """

    ledgers: int
    fewest: float
    most: float
    moved: float
    astray: float


def spread(merchants: int, ledgers: int) -> Spread:
    """Spread so many merchants, and once more with one ledger more."""
    names = [f"ledger-{number}" for number in range(ledgers)]
    more = [*names, f"ledger-{ledgers}"]
    numbers = [f"{number:010d}" for number in range(merchants)]
    before = {one: ledger_of(one, names) for one in numbers}
    after = {one: ledger_of(one, more) for one in numbers}
    counts, mean = Counter(before.values()), merchants / ledgers
    moved = [one for one in numbers if before[one] != after[one]]
    astray = [one for one in moved if after[one] != more[-1]]
    return Spread(
        ledgers=ledgers,
        fewest=min(counts[one] for one in names) / mean,
        most=max(counts.values()) / mean,
        moved=len(moved) / merchants,
        astray=len(astray) / max(1, len(moved)),
    )
