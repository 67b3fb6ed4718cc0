"""A batch in a real PostgreSQL, a platform with faults, and worker processes that are really killed."""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from attrs import define, field

from paypro_async import PayProClient, SharedProgress, batch_progress, import_batch
from paypro_async.errors import LedgerUnavailableError
from paypro_async.sandbox import FaultPlan, Sandbox
from tests.support.fork_server import Child, ForkServer
from tests.support.merchant import MERCHANT_NO, SIGNER, fields
from tests.support.postgres import Server
from tests.support.programs.python import PROGRAM

Process = asyncio.subprocess.Process | Child
ROOT = Path(__file__).parents[2]
BATCH = "july"
SETTLE_AFTER = 2.5
_STATES = "SELECT state, count(*) FROM payout GROUP BY state"
_PLANNED = "SELECT count(*) FROM planned"
_PAID = {"processing", "succeeded"}


@define(eq=False)
class Workplace:
    """What one test works with.

    Args:
        sandbox: The platform; it books a number as often as it is sent.
        ledger: The URL of the ledger.
        environment: The variables of every process.
        count: How many payouts the batch has.
    """

    sandbox: Sandbox
    ledger: str
    environment: dict[str, str]
    count: int
    folder: Path
    fork_server: ForkServer | None = None
    processes: list[Process] = field(factory=list)
    kills: int = 0

    @property
    def trade_nos(self) -> list[str]:
        return [f"T{number}" for number in range(self.count)]

    def client(self) -> PayProClient:
        return PayProClient(
            base_url=self.sandbox.base_url,
            merchant_no=MERCHANT_NO,
            signer=SIGNER,
            ledger=self.ledger,
            environment="sandbox",
            request_timeout=1,
            settle_after=SETTLE_AFTER,
        )

    async def import_batch(self, announce: Callable[..., object] | None = None, *, rate: float | None = None) -> None:
        async with self.client() as client:
            rows = (fields(number) for number in self.trade_nos)
            await import_batch(client, rows, batch_id=BATCH, shard_size=50, announce=announce, rate=rate)

    async def start(self, *arguments: Any, **more: str) -> Process:
        """Start Python in a group of its own; what it prints is kept in a file of the test's folder.

        With a fork server it is forked from one that has imported the package, in a fifth of the time.
        """
        words, environment = list(map(str, arguments)), {**os.environ, **self.environment, **more}
        path = self.folder / f"worker-{len(self.processes)}.log"
        process: Process
        if self.fork_server is not None:
            streams = {"out": str(path), "err": str(path)}
            process = self.fork_server.start(PROGRAM, *words, environment=environment, streams=streams, apart=True)
        else:
            with path.open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, *words),
                    cwd=ROOT,
                    env=environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        self.processes.append(process)
        return process

    async def kill(self, process: Process) -> None:
        assert process.returncode is None, self.logs()
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        self.kills += 1

    def logs(self) -> str:
        return "\n".join(log.read_text(errors="replace")[-3000:] for log in sorted(self.folder.glob("worker-*.log")))

    async def progress(self) -> SharedProgress:
        async with self.client() as client:
            return await batch_progress(client, BATCH)

    async def until(self, begun: int, *, within: float = 150) -> None:
        """Until so many payouts were begun."""
        await self._until(lambda progress: progress.begun >= begun, within=within)

    async def until_done(self, *, within: float = 240, batch: str = BATCH) -> None:
        await self._until(lambda progress: progress.done, within=within, batch=batch)

    async def _until(self, reached: Callable[[SharedProgress], bool], *, within: float, batch: str = BATCH) -> None:
        ends, progress = time.monotonic() + within, None
        async with self.client() as client:
            while True:
                with suppress(LedgerUnavailableError):
                    progress = await batch_progress(client, batch)
                    if reached(progress):
                        return
                assert time.monotonic() < ends, f"{progress}\n{self.logs()}"
                await asyncio.sleep(0.1)

    def batch_ids(self) -> list[str]:
        with psycopg.connect(self.ledger) as connection:
            return [name for (name,) in connection.execute("SELECT batch_id FROM batch ORDER BY created_at").fetchall()]

    def stored(self) -> int:
        """How many payouts are planned."""
        with psycopg.connect(self.ledger) as connection, suppress(psycopg.errors.UndefinedTable):
            return int((connection.execute(_PLANNED).fetchone() or (0,))[0])
        return 0

    def states(self) -> Counter[str]:
        with psycopg.connect(self.ledger) as connection:
            planned = connection.execute(_PLANNED).fetchone()
            assert planned == (0,)
            return Counter(dict(connection.execute(_STATES).fetchall()))

    def check(self) -> None:
        """Every row is booked once, nothing else is, and the ledger says so."""
        compared = self.sandbox.books.booked_once(self.trade_nos)
        assert compared.exact, compared
        states = self.states()
        assert set(states) <= _PAID, states
        assert states.total() == self.count

    async def end(self) -> None:
        for process in self.processes:
            # Its children too, which may have outlived it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@asynccontextmanager
async def workplace(
    server: Server,
    folder: Path,
    *,
    count: int = 200,
    faults: float = 0.1,
    database: str | None = None,
    fork_server: ForkServer | None = None,
) -> AsyncIterator[Workplace]:
    url = database or await server.ledger()
    plan = FaultPlan(rate=faults, seed=14)
    async with Sandbox(faults=plan, deduplicate=False, paid_after=0.2, booking_lag=0.5, callbacks=False) as sandbox:
        environment = {
            "PAYPRO_BASE_URL": sandbox.base_url,
            "PAYPRO_MERCHANT_NO": MERCHANT_NO,
            "PAYPRO_SECRET": "sandbox-secret",
            "PAYPRO_ENVIRONMENT": "sandbox",
            "PAYPRO_LEDGER": url,
            "PAYPRO_REQUEST_TIMEOUT": "1",
            "PAYPRO_SETTLE_AFTER": str(SETTLE_AFTER),
            "DATABASE_URL": url,
        }
        place = Workplace(sandbox, url, environment, count, folder, fork_server)
        try:
            yield place
        finally:
            await place.end()


async def terminated(process: Process, *, within: float) -> int:
    """Tell it to end, and wait until it has; its exit code."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(within):
        return await process.wait()
