"""The sandbox's books set against the ledger, row by row."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.request import ProxyHandler, build_opener

from attrs import define, field, frozen

from paypro_async._core.lifecycle import State
from paypro_async.bulk import Disbursement, RowOutcome
from paypro_async.cli.demo.payer import Payer
from paypro_async.sandbox.orders import account_digest

__all__ = ["Comparison", "compare"]

_STATES = {"0000": State.SUCCEEDED, "0015": State.PROCESSING}


@frozen(kw_only=True)
class _Books:
    orders: Mapping[str, Mapping[str, Any]]
    bookings: int
    faults: Mapping[str, int]


@define
class Comparison:
    """What the comparison found; the lists name rows that are not as they should be."""

    rows: int = 0
    once: int = 0
    paid: int = 0
    missing: list[str] = field(factory=list)
    twice: list[str] = field(factory=list)
    unexpected: list[str] = field(factory=list)
    differing: list[str] = field(factory=list)
    overpaid: list[str] = field(factory=list)
    faults: Mapping[str, int] = field(factory=dict)
    bookings: int = 0

    @property
    def right(self) -> bool:
        """Every row booked exactly once, nothing else booked, and the ledger knows it all."""
        wrong = self.missing or self.twice or self.unexpected or self.differing or self.overpaid
        return not wrong and self.rows == self.once == self.bookings

    def lines(self) -> list[str]:
        """What was counted, a line for each count."""
        hit = [f"{fault} {count:,}" for fault, count in sorted(self.faults.items())]
        half = (len(hit) + 1) // 2
        return [
            f"requests hit    {sum(self.faults.values()):,}",
            *(f"                ({', '.join(part)})" for part in (hit[:half], hit[half:]) if part),
            f"rows            {self.rows:,}",
            f"booked once     {self.once:,}",
            f"missing         {len(self.missing):,}",
            f"booked twice    {len(self.twice):,}",
            f"not in the file {len(self.unexpected):,}",
            f"paid too often  {len(self.overpaid):,} beneficiaries",
            f"ledger agrees   {self.rows - len(self.differing):,} of {self.rows:,}",
            f"known as paid   {self.paid:,}",
        ]

    def findings(self, limit: int = 20) -> list[str]:
        """What is not as it should be, a sentence for each row, and at most *limit* of them."""
        found = [f"missing from the books: {trade_no}" for trade_no in self.missing]
        found += [f"booked more than once: {trade_no}" for trade_no in self.twice]
        found += [f"booked, and in no row of the file: {trade_no}" for trade_no in self.unexpected]
        found += [f"paid more often than the file says, under whatever numbers: account {one}" for one in self.overpaid]
        found += self.differing
        return [*found[:limit], *([f"and {len(found) - limit:,} more"] if len(found) > limit else [])]


async def compare(payer: Payer) -> Comparison:
    """Ask the sandbox over HTTP, as any program can, and compare each row of the file with its order and its entry."""
    books = await asyncio.to_thread(_books, payer.base_url)
    comparison = Comparison(faults=books.faults, bookings=books.bookings)
    client = payer.client()
    expected: set[str] = set()
    owed: Counter[str] = Counter()
    async with client:
        with Disbursement(client, payer.sample) as sample:
            async for outcome in sample.outcomes():
                expected.add(outcome.trade_no)
                owed[account_digest(outcome.row.values["bank_number"], outcome.row.values["bank_code"])] += 1
                _compare_row(comparison, outcome, books.orders.get(outcome.trade_no))
    comparison.unexpected = sorted(set(books.orders) - expected)
    paid: Counter[str] = Counter()
    for order in books.orders.values():
        paid[order["account"]] += order["booked_count"]
    comparison.overpaid = sorted((paid - owed).keys())
    return comparison


def _compare_row(comparison: Comparison, outcome: RowOutcome, order: Mapping[str, Any] | None) -> None:
    comparison.rows += 1
    if order is None:
        comparison.missing.append(outcome.trade_no)
    elif order["booked_count"] != 1:
        comparison.twice.append(outcome.trade_no)
    else:
        comparison.once += 1
    entry = outcome.entry
    comparison.paid += entry is not None and entry.state is State.SUCCEEDED
    booked = None if order is None else (Decimal(order["amount"]), _STATES.get(order["status"], State.FAILED))
    known = None if entry is None else (entry.amount, entry.state)
    if booked != known or known is None or known[0] != outcome.amount:
        comparison.differing.append(
            f"{outcome.trade_no}: the books say {_shown(booked)}, the ledger says {_shown(known)}"
        )


def _shown(found: tuple[Decimal, State] | None) -> str:
    return "nothing" if found is None else f"{found[0]} {found[1]}"


def _books(base_url: str) -> _Books:
    # A proxy of this machine has no business between two programs on it.
    opener = build_opener(ProxyHandler({}))
    with opener.open(f"{base_url}/sandbox/books", timeout=30) as reply:
        books = json.load(reply)
    orders = {order["tradeNo"]: order for order in books["orders"]}
    return _Books(orders=orders, bookings=books["bookings"], faults=books["faults"])
