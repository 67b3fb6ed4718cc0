"""A ledger's file of millions of payouts, made in seconds.

A ledger writes the first of them itself, and the database copies those under other numbers. So each row is one that a
ledger wrote: what is paid to whom, its fingerprint and its payment key belong together, as wages of the same people do.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.ledger import open_ledger, write_groups

__all__ = ["make_large", "spread_number"]

PEOPLE = 50_000
"""Payouts that the ledger writes itself: about as many as an index of five million payments has pages."""
_SCATTERED = ("payout_payment", "payout_platform_no")
_FAST = (
    "PRAGMA journal_mode=OFF",
    "PRAGMA synchronous=OFF",
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-500000",
    "PRAGMA threads=2",
)


def spread_number(copy: int, number: int, end: str = "") -> str:
    """A trade number; the first one of a copy comes after the last one of the copy before."""
    return f"{copy:04d}-{number:08d}{end}"


def make_large(path: Path, count: int) -> None:
    """Make a ledger of *count* payouts, each of them paid."""
    people = min(PEOPLE, count)
    asyncio.run(_begin(path, people))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in _FAST:
            connection.execute(pragma)
        with _without_triggers(connection):
            _copy(connection, people, count)
        connection.execute("PRAGMA journal_mode=WAL")


async def _begin(path: Path, people: int) -> None:
    ledger = await open_ledger(f"sqlite:///{path}")
    await write_groups(ledger, [spread_number(0, number) for number in range(people)], group=64)
    await ledger.aclose()


@contextmanager
def _without_triggers(connection: sqlite3.Connection) -> Iterator[None]:
    """Drops the triggers, and those indexes that a row in order does not stand at the end of.

    They are made again, as the ledger made them, when all rows are there.
    """
    made = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE type = 'trigger' OR name IN (?, ?)", _SCATTERED
    ).fetchall()
    connection.execute("BEGIN")
    for kind, name, _ in made:
        connection.execute(f"DROP {kind} {name}")
    yield
    for _, _, statement in made:
        connection.execute(statement)
    connection.execute("COMMIT")


def _copy(connection: sqlite3.Connection, people: int, count: int) -> None:
    for table in ("payout", "event"):
        names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})") if name != "id"]
        connection.execute(f"CREATE TEMP TABLE first AS SELECT * FROM {table} ORDER BY trade_no, rowid")  # noqa: S608  as below
        for copy in range(1, -(-count // people)):
            number = f"'{copy:04d}' || substr(trade_no, 5)"
            new = {
                "trade_no": number,
                "content": f"replace(content, trade_no, {number})",
                "platform_trade_no": "lower(hex(randomblob(16)))",
            }
            values = ", ".join(new.get(name, name) for name in names)
            beyond = spread_number(0, count - copy * people)
            connection.execute(
                f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM first"  # noqa: S608  names of the schema
                f" WHERE trade_no < '{beyond}' ORDER BY rowid"
            )
        connection.execute("DROP TABLE temp.first")
