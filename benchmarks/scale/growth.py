"""A ledger of millions of payouts, and a batch of millions that are planned: sizes, times, and what is vacuumed."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import psycopg
from attrs import define, field

from benchmarks.constant_server import constant_server
from benchmarks.ledger import MERCHANT_NO
from benchmarks.processes import run_python
from benchmarks.scale.client import NOWHERE, open_client, pay
from benchmarks.scale.generated import add_payouts, add_planned, quick
from benchmarks.scale.table import table
from paypro_async import LedgerUnavailableError, batch_progress, open_shards, unfinished_batches
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = ["Growth"]

_BATCH = "planned"
_LARGE = ("payout", "event", "planned", "shard")
_SIZES = """
SELECT c.relname, pg_relation_size(c.oid), pg_table_size(c.oid) - pg_relation_size(c.oid), c.relkind = 'i'
FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_class t ON t.oid = i.indrelid
WHERE coalesce(t.relname, c.relname) = ANY(%s) AND c.relkind IN ('r', 'i') ORDER BY coalesce(t.relname, c.relname), 4, 1
"""
_SCANS = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname = ANY(%s)"
_DEAD = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'planned'"
_STATISTICS_SECONDS = 1.2  # after which a server process has told what it has counted


@define
class Growth:
    """The measurement.

    Args:
        ledger: Of a new server.
        rows: Payouts that the ledger holds, and as many that are planned.
    """

    ledger: str
    rows: int
    times: list[tuple[str, str, str]] = field(factory=list, init=False)
    sizes: str = field(default="", init=False)

    def run(self) -> Iterator[str]:
        """Do it all; how far it is, in words."""
        began = time.perf_counter()
        with quick(self.ledger):
            add_payouts(self.ledger, self.rows)
            yield f"{self.rows:,} payouts made in {time.perf_counter() - began:.0f} s"
            add_planned(self.ledger, self.rows, first=2 * self.rows)
            yield f"and {self.rows:,} planned, in {time.perf_counter() - began:.0f} s"
            for name in ("payout", "event", "planned"):
                self._vacuum(name, "first")
        self.sizes = self._sizes()
        yield "sizes are taken"
        self._import()
        yield "imported"
        self._questions("all planned")
        yield "asked"
        self._pay()
        yield "paid some"
        self._drain()
        yield "drained"
        self._questions("half drained, not vacuumed")
        self._vacuum("planned", "half of it dead")
        self._questions("half drained, vacuumed")

    def as_text(self) -> str:
        """The tables."""
        head = ("what", "seconds", "sequential scans of large tables")
        return f"{self.sizes}\n\n{table(head, self.times)}"

    def _sizes(self) -> str:
        with psycopg.connect(self.ledger) as connection:
            found = connection.execute(_SIZES, [list(_LARGE)]).fetchall()
        rows = [
            (name, f"{size / 2**20:,.0f}", f"{size / self.rows:,.0f}", f"{size * 100_000_000 / self.rows / 2**30:,.1f}")
            for name, size, _, _ in found
        ]
        return table(("table or index", "MB", "bytes a payout", "GB at 100 million"), rows)

    def _note(self, what: str, seconds: float | str, scans: str = "") -> None:
        self.times.append((what, seconds if isinstance(seconds, str) else f"{seconds:,.3f}", scans))

    def _timed(self, what: str, work: Callable[[], object]) -> None:
        before, began = self._scans(), time.perf_counter()
        try:
            work()
            took: float | str = time.perf_counter() - began
        except LedgerUnavailableError as error:
            took = f"none after {time.perf_counter() - began:.0f} s: {error}"
        time.sleep(_STATISTICS_SECONDS)
        after = self._scans()
        grown = [f"{name} {after[name] - before[name]}" for name in after if after[name] > before[name]]
        self._note(what, took, ", ".join(grown) or "none")

    def _scans(self) -> dict[str, int]:
        with psycopg.connect(self.ledger) as connection:
            return dict(connection.execute(_SCANS, [list(_LARGE)]).fetchall())

    def _vacuum(self, name: str, what: str) -> None:
        with psycopg.connect(self.ledger, autocommit=True) as connection:
            began = time.perf_counter()
            connection.execute(f"VACUUM (ANALYZE) {name}")
            self._note(f"VACUUM (ANALYZE) {name}, {what}", time.perf_counter() - began)

    def _import(self) -> None:
        count = min(100_000, self.rows)
        words = ("-m", "benchmarks.scale.import_run", self.ledger, "added", str(count), str(4 * self.rows))
        found: dict[str, float] = {}
        self._timed(f"import of {count:,} more", lambda: found.update(run_python(words, core=None, timeout=600.0)))
        self._note("of this, the last transaction", found["last_step"])

    def _questions(self, when: str) -> None:
        calls: dict[str, Callable[[Any], Coroutine[Any, Any, object]]] = {
            "open_shards": lambda client: open_shards(client, _BATCH),
            "open_shards, idle for 60 s": lambda client: open_shards(client, _BATCH, idle_for=60.0),
            "batch_progress": lambda client: batch_progress(client, _BATCH),
            "unfinished_batches": unfinished_batches,
        }
        for name, call in calls.items():
            self._timed(f"{name}, {when}", lambda call=call: asyncio.run(self._ask(call)))
        self._timed(f"a page of open_entries, {when}", lambda: asyncio.run(self._open_entries()))

    async def _ask(self, call: Callable[[Any], Coroutine[Any, Any, object]]) -> None:
        async with open_client(NOWHERE, self.ledger) as client:
            await call(client)

    async def _open_entries(self) -> None:
        ledger = SqlLedger(self.ledger)
        await ledger.open_to_read()
        await ledger.open_entries(MERCHANT_NO)
        await ledger.aclose()

    def _pay(self) -> None:
        shards = min(40, self.rows // 500)
        with tempfile.TemporaryDirectory() as folder, constant_server(Path(folder), core=None) as platform:
            work = pay(platform.url, self.ledger, batch_id=_BATCH, most=shards)
            self._timed(f"{shards * 250:,} payouts of the planned, paid by one worker", lambda: asyncio.run(work))

    def _drain(self) -> None:
        """What workers leave of half of a plan: rows that are dead, and ranges with nothing open."""
        half = [self.rows // 2]
        with psycopg.connect(self.ledger, autocommit=True) as connection:
            began = time.perf_counter()
            connection.execute("DELETE FROM planned WHERE batch_id = 'planned' AND position < %s", half)
            connection.execute(
                "UPDATE shard SET worked_at = 1, ended_at = 1 WHERE batch_id = 'planned' AND low < %s", half
            )
            self._note("DELETE of half of the planned, by hand", time.perf_counter() - began)
        time.sleep(_STATISTICS_SECONDS)
        with psycopg.connect(self.ledger) as connection:
            dead = connection.execute(_DEAD).fetchone()
        self._note("dead rows of planned", f"{dead[0] if dead else 0:,}")
