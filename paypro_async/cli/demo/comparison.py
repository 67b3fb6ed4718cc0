"""The sandbox's books set against the ledger, row by row."""

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.request import ProxyHandler, build_opener

from attrs import define, field, frozen

from paypro_async._core.lifecycle import Entry, State
from paypro_async._core.regions import region_named
from paypro_async.bulk.plan import make_plan, numbered, pages, preparer
from paypro_async.bulk.readers.csv import PayoutFile
from paypro_async.cli.demo.payer import MERCHANT_NO, SHARED, Payer
from paypro_async.ledger import Account, open_ledger

__all__ = ["Verdict", "compare"]

_STATES = {"0000": State.SUCCEEDED, "0015": State.PROCESSING}


@frozen(kw_only=True)
class _Books:
    orders: Mapping[str, Mapping[str, Any]]
    bookings: int
    faults: Mapping[str, int]


@define
class Verdict:
    """What the comparison found; the lists name rows that are not as they should be."""

    rows: int = 0
    once: int = 0
    missing: list[str] = field(factory=list)
    twice: list[str] = field(factory=list)
    unexpected: list[str] = field(factory=list)
    differing: list[str] = field(factory=list)
    faults: Mapping[str, int] = field(factory=dict)
    bookings: int = 0

    @property
    def right(self) -> bool:
        """Every row booked exactly once, nothing else booked, and the ledger knows it all."""
        wrong = self.missing or self.twice or self.unexpected or self.differing
        return not wrong and self.rows == self.once == self.bookings

    def lines(self) -> list[str]:
        """The numbers."""
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
            f"ledger agrees   {self.rows - len(self.differing):,} of {self.rows:,}",
        ]

    def findings(self, limit: int = 20) -> list[str]:
        """What is not as it should be, in words."""
        found = [f"missing from the books: {trade_no}" for trade_no in self.missing]
        found += [f"booked more than once: {trade_no}" for trade_no in self.twice]
        found += [f"booked, and in no row of the file: {trade_no}" for trade_no in self.unexpected]
        found += self.differing
        return [*found[:limit], *([f"and {len(found) - limit:,} more"] if len(found) > limit else [])]


async def compare(payer: Payer) -> Verdict:
    """Ask the sandbox over HTTP, as anybody could, and compare each row of the file with its order and its entry."""
    books = await asyncio.to_thread(_books, payer.base_url)
    verdict = Verdict(faults=books.faults, bookings=books.bookings)
    spec = region_named("india")
    ledger = open_ledger(str(payer.ledger))
    await ledger.open(Account(merchant_no=MERCHANT_NO, region=spec.name, environment="local"))
    expected: set[str] = set()
    try:
        with payer.sample.open("rb") as source, PayoutFile(source, spec=spec, defaults=SHARED) as file:
            prepare = preparer(spec, merchant_no=MERCHANT_NO, defaults=SHARED)
            plan = make_plan(file, prepare, currency=spec.currency)
            for page in pages(numbered(file, plan)):
                numbers = [trade_no for _, trade_no in page]
                expected.update(numbers)
                entries = await ledger.get_many(MERCHANT_NO, numbers)
                for row, trade_no in page:
                    amount = Decimal(row.values["amount"])
                    _judge(verdict, trade_no, amount, books.orders.get(trade_no), entries.get(trade_no))
    finally:
        await ledger.aclose()
    verdict.unexpected = sorted(set(books.orders) - expected)
    return verdict


def _judge(
    verdict: Verdict, trade_no: str, amount: Decimal, order: Mapping[str, Any] | None, entry: Entry | None
) -> None:
    verdict.rows += 1
    if order is None:
        verdict.missing.append(trade_no)
    elif order["booked_count"] != 1:
        verdict.twice.append(trade_no)
    else:
        verdict.once += 1
    booked = None if order is None else (Decimal(order["amount"]), _STATES.get(order["status"], State.FAILED))
    known = None if entry is None else (entry.amount, entry.state)
    if booked != known or known is None or known[0] != amount:
        verdict.differing.append(f"{trade_no}: the books say {_words(booked)}, the ledger says {_words(known)}")


def _words(found: tuple[Decimal, State] | None) -> str:
    return "nothing" if found is None else f"{found[0]} {found[1]}"


def _books(base_url: str) -> _Books:
    # A proxy of this machine has no business between two programs on it.
    opener = build_opener(ProxyHandler({}))
    with opener.open(f"{base_url}/sandbox/books", timeout=30) as reply:
        books = json.load(reply)
    orders = {order["tradeNo"]: order for order in books["orders"]}
    return _Books(orders=orders, bookings=books["bookings"], faults=books["faults"])
