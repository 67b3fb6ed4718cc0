"""A ledger in PostgreSQL of many millions of payouts: a thousand that a client has paid, copied under other numbers.

So each row is one that the client wrote, with its history of three steps: begun, accepted, paid.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.constant_server import constant_server
from benchmarks.scale.client import import_payouts, pay, settle

__all__ = ["FIRST", "add_payouts", "add_planned", "quick"]

FIRST = 1000
"""Payouts that are really paid, and copied."""
_MILLION = 1_000_000
# What a crash would lose is made anew.
_QUICK = (
    "fsync = off",
    "full_page_writes = off",
    "synchronous_commit = off",
    "max_wal_size = '12GB'",
    "checkpoint_timeout = '30min'",
    "maintenance_work_mem = '1GB'",
    "autovacuum = off",
)
_NEW_NUMBER = f"'scale-' || lpad(({FIRST} * copy + substr(trade_no, 7)::bigint)::text, 9, '0')"
_NEW = {
    "trade_no": _NEW_NUMBER,
    "content": f"replace(content, trade_no, {_NEW_NUMBER})",
    "platform_trade_no": f"md5({_NEW_NUMBER})",
    "payment_key": "left(encode(sha256((payment_key || copy)::bytea), 'hex'), length(payment_key))",
    "batch_id": f"'generated-' || copy * {FIRST} / {_MILLION}",
    "position": f"copy * {FIRST} % {_MILLION} + position",
}


@contextmanager
def quick(ledger: str) -> Iterator[None]:
    """For the block the server waits for no disk, and vacuums nothing by itself."""
    with psycopg.connect(ledger, autocommit=True) as connection:
        for setting in _QUICK:
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")
        yield
        connection.execute("ALTER SYSTEM RESET ALL")
        connection.execute("ALTER SYSTEM SET autovacuum = off")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CHECKPOINT")


def add_payouts(ledger: str, count: int) -> None:
    """Fill a new ledger with so many payouts, each of them paid, in batches of a million."""
    asyncio.run(import_payouts(ledger, FIRST))
    with tempfile.TemporaryDirectory() as folder, constant_server(Path(folder), core=None) as platform:
        asyncio.run(pay(platform.url, ledger, concurrency=64))
    with psycopg.connect(ledger, autocommit=True) as connection:
        numbers = connection.execute("SELECT trade_no, platform_trade_no FROM payout").fetchall()
        asyncio.run(settle(ledger, numbers))
        connection.execute("SET session_replication_role = replica")  # no trigger looks at each row
        for table in ("payout", "event"):
            names = _names(connection, table)
            with _without_indexes(connection, table):
                _copy(connection, table, {one: _NEW.get(one, one) for one in names if one != "id"}, count)


def add_planned(ledger: str, count: int, *, first: int, shard_size: int = 250) -> None:
    """Let the batch have so many planned payouts; the numbers of those begin with *first*."""
    asyncio.run(import_payouts(ledger, FIRST, first=first, batch_id="planned", shard_size=shard_size))
    with psycopg.connect(ledger, autocommit=True) as connection:
        number = f"'scale-' || lpad(({first} + {FIRST} * copy + position)::text, 9, '0')"
        new = {
            "trade_no": number,
            "content": f"replace(content, trade_no, {number})",
            "position": f"{FIRST} * copy + position",
        }
        _copy(connection, "planned", {one: new.get(one, one) for one in _names(connection, "planned")}, count)
        new = {"low": f"{FIRST} * copy + low", "high": f"{FIRST} * copy + high"}
        where = "batch_id = 'planned'"
        _copy(connection, "shard", {one: new.get(one, one) for one in _names(connection, "shard")}, count, where=where)
        connection.execute("UPDATE batch SET total = %s, imported = %s WHERE batch_id = 'planned'", [count, count])


def _names(connection: "psycopg.Connection[Any]", table: str) -> list[str]:
    found = connection.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608  names of the schema
    return [one.name for one in found.description or ()]


def _copy(
    connection: "psycopg.Connection[Any]", table: str, values: dict[str, str], count: int, *, where: str = "true"
) -> None:
    """Add the first thousand once more, as often as it takes; *values* are those of a copy's columns."""
    connection.execute(f"CREATE TEMP TABLE first_{table} AS SELECT * FROM {table} WHERE {where}")  # noqa: S608  as above
    into, of = ", ".join(values), ", ".join(values.values())
    connection.execute(
        f"INSERT INTO {table} ({into}) SELECT {of} FROM generate_series(1, {count // FIRST - 1}) AS copies(copy), "  # noqa: S608  as above
        f"first_{table}"
    )


@contextmanager
def _without_indexes(connection: "psycopg.Connection[Any]", table: str) -> Iterator[None]:
    """For the block the table has its key alone; then its indexes are made again, as the ledger has them."""
    made = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexname NOT LIKE '%%_pkey'", [table]
    ).fetchall()
    for name, _ in made:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    yield
    for _, text in made:
        connection.execute(text)
