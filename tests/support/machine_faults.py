"""Faults of the machine, made real: another process that writes, a user without rights, a disk without room."""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.processes import finished, line, program

Make = Callable[..., SqlLedger]
"""Makes a ledger for a URL; the fixture closes it."""

NOBODY = 65534
LATER = "UPDATE payout SET sent_at = sent_at - 120, sent_steady = sent_steady - 120"
"""As if every attempt had been announced two minutes earlier, on the wall clock and on the machine's steady one."""


@asynccontextmanager
async def held(path: Path, *, journal: str = "wal") -> AsyncIterator[None]:
    """Another process is writing to the file and does not end."""
    async with program("holder", path, journal) as holder:
        assert await line(holder) == "held"
        yield
        assert await finished(holder) == (0, "", "")


@contextmanager
def without_privileges() -> Iterator[None]:
    """Whoever runs the tests, rights of files hold: root takes another user's place."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def pragma(setting: str) -> Iterator[None]:
    """Every connection has it, whatever the ledger itself has set."""

    def configure(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA {setting}").close()

    event.listen(Pool, "checkout", configure)
    try:
        yield
    finally:
        event.remove(Pool, "checkout", configure)


def rows(path: Path, query: str, *values: str) -> list[tuple[Any, ...]]:
    """What a reader outside of the ledger sees in the file."""
    with closing(sqlite3.connect(path)) as file:
        return file.execute(query, values).fetchall()


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute(statement)


def numbers(path: Path) -> set[str]:
    """The trade numbers that are durable in the file."""
    return {number for (number,) in rows(path, "SELECT trade_no FROM payout")}
