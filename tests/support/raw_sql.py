"""Whatever somebody may do to a ledger's database by hand."""

# ruff: noqa: S608  the values are the tests' own

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, intent

TRIGGERS = {
    "payout_state": "payout",
    "payout_state_first": "payout",
    "payout_fixed": "payout",
    "payout_content": "payout",
    "payout_erased": "payout",
    "payout_kept": "payout",
    "event_kept": "event",
    "event_kept_whole": "event",
}


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def run(url: str, *statements: str) -> None:
    """As its owner could."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(file_of(url), isolation_level=None)) as file:
            for statement in statements:
                file.execute(statement)
        return
    with psycopg.connect(url, autocommit=True) as server:
        for statement in statements:
            server.execute(statement)


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(file_of(url))) as file:
            return file.execute(query).fetchall()
    with psycopg.connect(url) as server:
        return server.execute(query).fetchall()


async def against_all_guards(url: str, *statements: str) -> None:
    """Run what the guards refuse, and put them back."""
    shared = not url.startswith("sqlite:")
    run(url, *(f"DROP TRIGGER IF EXISTS {name}{f' ON {table}' if shared else ''}" for name, table in TRIGGERS.items()))
    run(url, *statements)
    await SqlLedger(url).migrate()


async def fill(url: str, count: int) -> None:
    """As many payouts as a ledger of some age has, each with its history."""
    ledger = SqlLedger(url)
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T"))
    await ledger.aclose()
    # Their content is that of the first but for the number, which is no part of the fingerprint.
    new = {"trade_no": "'T' || CAST(n AS TEXT)", "content": "replace(content, '\"T\"', '\"T' || n || '\"')"}
    numbers = f"WITH RECURSIVE d(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM d WHERE n < {count - 1})"
    for table in ("payout", "event"):
        names = [name for (name,) in ask(url, _columns(url, table)) if name != "id"]
        values = ", ".join(new.get(name, name) for name in names)
        run(
            url,
            f"INSERT INTO {table} ({', '.join(names)}) {numbers} SELECT {values} FROM {table}, d WHERE trade_no = 'T'",
        )


def _columns(url: str, table: str) -> str:
    if url.startswith("sqlite:"):
        return f"SELECT name FROM pragma_table_info('{table}')"
    return f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'"
