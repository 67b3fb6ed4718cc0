"""A ledger's file of millions of payouts, made in seconds.

A ledger writes the first of them itself, and the database copies those under other numbers. So each row is one that a
ledger wrote: what is paid to whom, its fingerprint and its payment key belong together, as wages of the same people do.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.ledger import open_ledger, write_groups

__all__ = ["make_large", "spread_number"]

PEOPLE = 50_000
"""Payouts that the ledger writes itself: about as many as an index of five million payments has pages."""
_ONE_BY_ONE = 0.2
"""The share of the copies that is added while the indexes are there: what is built at once is packed so tightly that
each page would be split by the next claim, and what has grown is not."""
_FAST = (
    "PRAGMA journal_mode=OFF",
    "PRAGMA synchronous=OFF",
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-1000000",
    "PRAGMA threads=2",
)


def spread_number(copy: int, number: int, end: str = "") -> str:
    """A trade number; the first one of a copy comes after the last one of the copy before."""
    return f"{copy:04d}-{number:08d}{end}"


async def make_large(path: Path, count: int, *, people: int = PEOPLE) -> None:
    """Make a ledger of *count* payouts to *people*, each of them paid."""
    await _begin(path, people)
    copies = count // people
    at_once = round(copies * (1 - _ONE_BY_ONE))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in _FAST:
            connection.execute(pragma)
        for table in ("payout", "event"):
            connection.execute(f"CREATE TEMP TABLE first_{table} AS SELECT * FROM {table} ORDER BY trade_no, rowid")  # noqa: S608  two names from above
        connection.execute("BEGIN")
        with _without(connection, "type = 'trigger'"):
            with _without(connection, "name IN ('payout_payment', 'payout_platform_no')"):
                for copy in range(1, at_once):
                    _copy(connection, f"'{copy:04d}' || substr(trade_no, 5)")
            for copy in range(at_once, copies):
                # Behind the same person's in another copy, so that they come to lie all over the index.
                other = f"printf('%04d', (CAST(substr(trade_no, 6) AS INTEGER) * 7 + {copy}) % {at_once})"
                _copy(connection, f"{other} || substr(trade_no, 5) || '-{copy:04d}'")
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")


async def _begin(path: Path, people: int) -> None:
    ledger = await open_ledger(f"sqlite:///{path}")
    await write_groups(ledger, [spread_number(0, number) for number in range(people)], group=64)
    await ledger.aclose()


@contextmanager
def _without(connection: sqlite3.Connection, which: str) -> Iterator[None]:
    """Drops these triggers or indexes for the block; then they are made again, as the ledger made them."""
    made = connection.execute(f"SELECT type, name, sql FROM sqlite_master WHERE {which}").fetchall()  # noqa: S608  a text from above
    for kind, name, _ in made:
        connection.execute(f"DROP {kind} {name}")
    yield
    for _, _, statement in made:
        connection.execute(statement)


def _copy(connection: sqlite3.Connection, number: str) -> None:
    """Add the first payouts once more; *number* makes the trade number of each from its own."""
    new = {
        "trade_no": number,
        "content": f"replace(content, trade_no, {number})",
        "platform_trade_no": "lower(hex(randomblob(16)))",
    }
    for table in ("payout", "event"):
        names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})") if name != "id"]
        values = ", ".join(new.get(name, name) for name in names)
        connection.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM first_{table} ORDER BY rowid"  # noqa: S608  names of the schema
        )
