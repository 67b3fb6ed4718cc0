"""The ledger's own statements on tables in parts: payouts by a hash of the merchant, their history by the month."""

import asyncio
import tempfile
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.constant_server import constant_server
from benchmarks.processes import FailedError
from benchmarks.scale.client import BATCH, import_payouts, open_client, pay, payouts, settle
from benchmarks.scale.table import table as as_table
from paypro_async import PayProWarning, batch_progress

__all__ = ["partition", "parts", "trial"]

_MONTH = 30 * 86_400.0

_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexname NOT LIKE '%%_pkey'"
_PARTS = """
SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
WHERE inhparent = %s::regclass ORDER BY 1
"""


def trial(ledger: str, count: int) -> str:
    """Import, pay, pay again and settle on tables in parts; how many rows and scans each part has had.

    Raises:
        FailedError: If anything came out otherwise than it does on whole tables.
    """
    from paypro_async.ledger.sql.ledger import SqlLedger

    now = time.time()
    partition(
        ledger,
        parts=4,
        months=[("last", now - 1.5 * _MONTH, now - _MONTH / 2), ("this", now - _MONTH / 2, now + _MONTH)],
    )
    asyncio.run(SqlLedger(ledger).migrate())  # the triggers, which went with the whole tables
    with warnings.catch_warnings():
        # That its tables are others than it was made with: what was put together anew by hand is not trusted unasked.
        warnings.simplefilter("ignore", PayProWarning)
        asyncio.run(_end_restored(ledger))
    asyncio.run(import_payouts(ledger, count))
    with tempfile.TemporaryDirectory() as folder, constant_server(Path(folder), core=None) as platform:
        if (paid := asyncio.run(pay(platform.url, ledger, concurrency=64))) != count:
            raise FailedError(f"{paid} of {count} payouts were paid")
        asyncio.run(_pay_again(platform.url, ledger, count))
    with psycopg.connect(ledger) as connection:
        numbers = connection.execute("SELECT trade_no, platform_trade_no FROM payout").fetchall()
    asyncio.run(settle(ledger, numbers))
    with psycopg.connect(ledger) as connection:
        found = connection.execute("SELECT state, count(*) FROM payout GROUP BY state").fetchall()
        if found != [("succeeded", count)]:
            raise FailedError(f"the payouts came to {found}")
        for statement in _REFUSED:
            _see_refused(connection, statement)
    sizes = {**parts(ledger, "payout"), **parts(ledger, "event")}
    return as_table(("part", "kB"), [(name, f"{size / 1024:,.0f}") for name, size in sizes.items()])


_REFUSED = (
    "UPDATE payout SET state = 'new'",
    "DELETE FROM payout",
    "DELETE FROM event",
    "INSERT INTO payout SELECT * FROM payout LIMIT 1",
)


def _see_refused(connection: "psycopg.Connection[Any]", statement: str) -> None:
    try:
        with connection.transaction():
            _run(connection, statement)
    except psycopg.Error:
        return
    raise FailedError(f"not refused: {statement}")


async def _end_restored(ledger: str) -> None:
    from paypro_async.ledger.sql.ledger import SqlLedger

    opened = SqlLedger(ledger)
    await opened.open_to_maintain()
    await opened.end_restored()
    await opened.aclose()


async def _pay_again(url: str, ledger: str, count: int) -> None:
    """Give a payout once more that is paid: it is not paid again."""
    async with open_client(url, ledger) as client:
        await client.payout(**next(payouts(1)))
        progress = await batch_progress(client, BATCH)
    with psycopg.connect(ledger) as connection:
        begun = connection.execute("SELECT count(*) FROM event WHERE from_state IS NULL").fetchone()
    if progress.total != count or begun != (count,):
        raise FailedError(f"{count} payouts, of which the ledger holds {progress.total}, were begun {begun} times")


def partition(ledger: str, *, parts: int, months: Iterable[tuple[str, float, float]]) -> None:
    """Put the two tables of a ledger, which nobody has open, into parts.

    Args:
        ledger: Its URL.
        parts: Into how many the payouts go.
        months: Of the history: a name, its first second and the one behind its last, both since 1970.
    """
    with psycopg.connect(ledger) as connection:
        _in_parts(connection, "payout", "HASH (merchant_no)", key="merchant_no, trade_no")
        for number in range(parts):
            part = f"MODULUS {parts}, REMAINDER {number}"
            _run(connection, f"CREATE TABLE payout_{number} PARTITION OF payout FOR VALUES WITH ({part})")
        _in_parts(connection, "event", "RANGE (at)", key="id, at")
        for name, first, end in months:
            _run(connection, f"CREATE TABLE event_{name} PARTITION OF event FOR VALUES FROM ({first}) TO ({end})")
        _run(connection, "CREATE TABLE event_else PARTITION OF event DEFAULT")
        for table in ("payout", "event"):
            _run(connection, f"INSERT INTO {table} SELECT * FROM whole_{table}")  # noqa: S608  names of the schema
            _run(connection, f"DROP TABLE whole_{table}")


def parts(ledger: str, table: str) -> dict[str, int]:
    """The parts of a table, and the bytes of each with its indexes."""
    with psycopg.connect(ledger) as connection:
        return dict(connection.execute(_PARTS, [table]).fetchall())


def _in_parts(connection: "psycopg.Connection[Any]", table: str, by: str, *, key: str) -> None:
    """Put an empty table in parts in the place of one, which is kept under another name."""
    indexes = connection.execute(_INDEXES, [table]).fetchall()
    _run(connection, f"ALTER TABLE {table} RENAME TO whole_{table}")
    for name, _ in indexes:
        _run(connection, f"ALTER INDEX {name} RENAME TO whole_{name}")
    _run(
        connection,
        f"CREATE TABLE {table} (LIKE whole_{table} INCLUDING DEFAULTS, PRIMARY KEY ({key})) PARTITION BY {by}",
    )
    for _, text in indexes:
        _run(connection, text)
    if table == "event":
        _run(connection, "ALTER SEQUENCE event_id_seq OWNED BY event.id")


def _run(connection: "psycopg.Connection[Any]", text: str) -> None:
    connection.execute(text)  # type: ignore[call-overload]  # names of the schema
