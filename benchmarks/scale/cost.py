"""What a payout costs the ledger: transactions, bytes of its log, and bytes of its tables and indexes."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from attrs import frozen

from benchmarks.constant_server import late_server
from benchmarks.scale.client import import_payouts, pay, settle
from benchmarks.scale.table import table

__all__ = ["Cost", "as_table", "measured"]

_COUNTED = """
SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),
       wal_records, wal_fpi, wal_bytes::bigint, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint FROM pg_stat_wal
"""
_BYTES = """
SELECT sum(pg_relation_size(oid)) FILTER (WHERE relkind = 'r'), sum(pg_relation_size(oid)) FILTER (WHERE relkind = 'i'),
       sum(pg_relation_size(oid)) FILTER (WHERE relkind = 't')
FROM pg_class WHERE relkind IN ('r', 'i', 't') AND oid >= 16384
"""
_STATISTICS_SECONDS = 1.5


@frozen
class Cost:
    """What one phase has cost, for each of its payouts.

    Args:
        commits: Transactions; *log*, bytes of the write-ahead log, *records*, its records, and *pages*, whole pages in
            it, which follow each checkpoint.
        heap: Bytes by which the tables have grown; *indexes*, their indexes, *toast*, what is kept beside a row.
    """

    phase: str
    commits: float
    log: float
    records: float
    pages: float
    heap: float
    indexes: float
    toast: float


def measured(ledger: str, count: int, *, latency: float, concurrency: int) -> Iterator[Cost]:
    """Import, pay and settle so many payouts."""
    asyncio.run(import_payouts(ledger, 1000, batch_id="warm-up", first=10**8))
    yield _cost("import", ledger, count, lambda: asyncio.run(import_payouts(ledger, count)))
    with tempfile.TemporaryDirectory() as folder, late_server(latency, core=None, arrivals=Path(folder) / "a") as one:
        yield _cost("paying", ledger, count, lambda: asyncio.run(pay(one.url, ledger, concurrency=concurrency)))
    with psycopg.connect(ledger) as connection:
        numbers = connection.execute("SELECT trade_no, platform_trade_no FROM payout ORDER BY trade_no").fetchall()
    yield _cost("a callback each", ledger, count, lambda: asyncio.run(settle(ledger, numbers)))


def _cost(phase: str, ledger: str, count: int, work: Callable[[], object]) -> Cost:
    # A page is written whole to the log after a checkpoint, so that each phase begins with one.
    with psycopg.connect(ledger, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    before = _counted(ledger)
    work()
    commits, records, pages, _, log, heap, indexes, toast = (
        (after - one) / count for after, one in zip(_counted(ledger), before, strict=True)
    )
    return Cost(phase, commits, log, records, pages, heap, indexes, toast)


def _counted(ledger: str) -> tuple[int, ...]:
    time.sleep(_STATISTICS_SECONDS)  # A server process that has ended has told by then what it counted.
    with psycopg.connect(ledger, autocommit=True) as connection:
        counted, sizes = connection.execute(_COUNTED).fetchone(), connection.execute(_BYTES).fetchone()
    return (*map(int, counted or ()), *(int(one or 0) for one in sizes or ()))


def as_table(costs: list[Cost]) -> str:
    """The phases, and their sum."""
    rows = [(one.phase, *(getattr(one, name) for name in _FIGURES)) for one in costs]
    rows.append(("together", *(sum(getattr(one, name) for one in costs) for name in _FIGURES)))
    head = ("a payout's", "transactions", "log bytes", "log records", "whole pages", "tables", "indexes", "TOAST")
    formats = ("{}", "{:.3f}", "{:,.0f}", "{:.1f}", "{:.2f}", "{:,.0f}", "{:,.0f}", "{:,.0f}")
    return table(head, [[one.format(value) for one, value in zip(formats, row, strict=True)] for row in rows])


_FIGURES = ("commits", "log", "records", "pages", "heap", "indexes", "toast")
