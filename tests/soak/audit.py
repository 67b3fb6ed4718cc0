"""The platform's books beside the ledger, read without any code of the product."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg
from attrs import frozen

from tests.soak.payer import amount, number
from tests.soak.platform import FaultyPlatform

_ENDS = {"paid": "succeeded", "failed": "failed", "refused": "failed"}


@frozen
class Audit:
    """What was found; a payout is named at most once in each list.

    Args:
        doubles: Booked more than once; and accounts paid more often than there are rows for them.
        lost: To be paid, and not booked, or not in the ledger.
        differing: The ledger says something else than the books, or its history something else than its state.
        open: Without an end in the ledger.
        rewritten: Sent with different contents under one number.
        sent_again: How many payouts were sent more than once.
    """

    payouts: int
    doubles: list[str]
    lost: list[str]
    differing: list[str]
    open: list[str]
    rewritten: list[str]
    sent_again: int

    @property
    def clean(self) -> bool:
        return not (self.doubles or self.lost or self.differing or self.open or self.rewritten)


def audit(platform: FaultyPlatform, url: str, rows: Iterable[int]) -> Audit:
    """Compare."""
    stored = {row[0]: row[1:] for row in _read(url, "SELECT trade_no, state, amount, platform_trade_no FROM payout")}
    history = dict(_read(url, "SELECT trade_no, to_state FROM event ORDER BY id"))
    wanted = {number(row): amount(row) for row in rows}
    lost, differing, still_open = [], [], []
    for trade_no, money in wanted.items():
        bookings = platform.books.get(trade_no, [])
        end = _ENDS[platform.fate(trade_no)]
        if trade_no not in stored or (end == "succeeded" and not bookings):
            lost.append(trade_no)
            continue
        state, stored_amount, platform_trade_no = stored[trade_no]
        if state in ("new", "sending", "processing", "review"):
            still_open.append(f"{trade_no} {state}")
        elif (
            state != end
            or history.get(trade_no) != state
            or Decimal(stored_amount) != Decimal(money)
            or (bookings and Decimal(bookings[0].amount) != Decimal(money))
            or (
                bookings
                and platform_trade_no not in {one.platform_trade_no for one in bookings} | {f"P-late-{trade_no}"}
            )
        ):
            differing.append(f"{trade_no} {state} {platform_trade_no} {bookings}")
    strangers = set(stored) - set(wanted) | set(platform.books) - set(wanted)
    return Audit(
        payouts=len(wanted),
        doubles=[one for one, bookings in platform.books.items() if len(bookings) > 1]
        + _paid_too_often(platform, wanted),
        lost=lost,
        differing=differing + sorted(strangers),
        open=still_open,
        rewritten=[one for one, contents in platform.contents.items() if len(contents) > 1],
        sent_again=sum(times > 1 for times in platform.sent.values()),
    )


def _paid_too_often(platform: FaultyPlatform, wanted: Iterable[str]) -> list[str]:
    """Accounts that were paid more often than there are rows for them, under whatever numbers."""

    def accounts(trade_nos: Iterable[str]) -> Iterator[str]:
        for trade_no in trade_nos:
            yield from {json.loads(content)["bankNumber"] for content in platform.contents.get(trade_no, ())}

    booked = (trade_no for trade_no, bookings in platform.books.items() for _ in bookings)
    return [f"account {one}" for one in Counter(accounts(booked)) - Counter(accounts(wanted))]


def states(url: str) -> Counter[str]:
    """How many payouts are in each state."""
    return Counter(dict(_read(url, "SELECT state, count(*) FROM payout GROUP BY state")))


def _read(url: str, query: str) -> list[tuple[Any, ...]]:
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            return file.execute(query).fetchall()
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()
