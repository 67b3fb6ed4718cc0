"""One batch, many workers that are killed and replaced, and a PostgreSQL that is restarted."""

import argparse
import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from attrs import define, field

from paypro_async import Md5Signer, PayProClient, SharedProgress, batch_progress, import_batch
from paypro_async.errors import LedgerUnavailableError
from tests.many.figures import Outcome, paid_in_ledger
from tests.many.platform import load
from tests.soak.audit import audit
from tests.soak.payer import MERCHANT, payout
from tests.soak.platform import FaultyPlatform
from tests.support.postgres import Server

ROOT = Path(__file__).parents[2]
BATCH = "july"
_SECRET = "sandbox-secret"
_ENDS_WITHIN = 30.0
_MODES = ("fast", "immediate")
_DOWN_SECONDS = 0.5
_RECONCILIATIONS = 20
Say = Callable[[str], object]


@define(kw_only=True)
class Trial:
    """What one run works with.

    Args:
        options: As ``tests.many.__main__`` reads them.
        environment: The variables of each worker.
        disturbed: Whether workers are killed and PostgreSQL is restarted.
        stands: How many payouts were begun, and how many are under way.
        say: Told what happens, in words.
    """

    options: argparse.Namespace
    server: Server
    ledger: str
    platform: Process
    environment: dict[str, str]
    folder: Path
    disturbed: bool
    say: Say
    workers: list[Process] = field(factory=list)
    logs: dict[int, Path] = field(factory=dict)
    died: list[str] = field(factory=list)
    stands: tuple[int, int] = (0, 0)
    kills: int = 0
    restarts: int = 0
    dice: Random = field(factory=lambda: Random(14))

    async def run(self) -> Outcome:
        await self._import()
        began = time.monotonic()
        for _ in range(self.options.workers):
            await self._start()
        await self._pay()
        seconds = time.monotonic() - began
        await self.end()
        return await self._compare(seconds)

    def client(self) -> PayProClient:
        return PayProClient(
            base_url=self.environment["PAYPRO_BASE_URL"],
            merchant_no=MERCHANT,
            signer=Md5Signer(_SECRET),
            environment=self.environment["PAYPRO_ENVIRONMENT"],
            ledger=self.ledger,
            request_timeout=self.options.request_timeout,
            settle_after=self.options.settle_after,
        )

    async def _import(self) -> None:
        options = self.options
        async with self.client() as client:
            rows = map(payout, range(options.payouts))
            announce = await _announce(options.engine, self.ledger, self.client)
            settings: dict[str, Any] = {"shard_size": options.shard_size, "rate": options.rate}
            await import_batch(client, rows, batch_id=BATCH, announce=announce, **settings)
        self.say(f"{options.payouts:,} payouts are planned; {options.workers} workers start")

    async def _start(self) -> None:
        path = self.folder / f"worker-{len(self.logs)}.log"
        with path.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *_command(self.options)),
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(process)
        self.logs[process.pid] = path

    async def _pay(self) -> None:
        """Kill, replace and restart until nothing is open."""
        disturbing = asyncio.create_task(self._kill()) if self.disturbed and self.options.kill_every else None
        ends, told = time.monotonic() + self.options.within, 0.0
        try:
            async with self.client() as client:
                while True:
                    with suppress(LedgerUnavailableError):
                        progress = await batch_progress(client, BATCH)
                        self.stands = (progress.begun, progress.under_way)
                        if progress.done:
                            return
                        if time.monotonic() > told + 5:
                            told = time.monotonic()
                            self.say(f"{progress.begun:,} begun, {progress.under_way:,} under way")
                        await self._restart_when_due(progress)
                    assert time.monotonic() < ends, f"the batch was not paid in time: {progress}"
                    await self._replace_dead()
                    await asyncio.sleep(0.2 if self.options.payouts <= 10_000 else 1.0)
        finally:
            if disturbing is not None:
                disturbing.cancel()
                await asyncio.wait([disturbing])

    async def _kill(self) -> None:
        """Not before something has happened since the last time: on a busy machine no worker would ever stand."""
        stood = self.stands
        while True:
            await asyncio.sleep(self.options.kill_every)
            if self.stands == stood:
                continue
            stood = self.stands
            victim = self.dice.choice(self.workers)
            if victim.returncode is None:
                self.workers.remove(victim)
                os.killpg(victim.pid, signal.SIGKILL)
                await victim.wait()
                self.kills += 1
                self.say(f"worker {victim.pid} is killed, and another one takes its place")
                await self._start()

    async def _replace_dead(self) -> None:
        for one in [worker for worker in self.workers if worker.returncode is not None]:
            self.workers.remove(one)
            self.died.append(f"{one.returncode}: {self.logs[one.pid].read_text(errors='replace')[-2000:]}")
            await self._start()

    async def _restart_when_due(self, progress: SharedProgress) -> None:
        wanted = self.options.restart_postgres if self.disturbed else 0
        if self.restarts < wanted and progress.begun >= progress.total * (self.restarts + 1) // (wanted + 1):
            mode = _MODES[self.restarts % len(_MODES)]
            self.restarts += 1
            self.say(f"PostgreSQL is stopped ({mode}) and started")
            await asyncio.to_thread(self.server.stop, mode)
            await asyncio.sleep(_DOWN_SECONDS)
            await asyncio.to_thread(self.server.start)

    async def end(self) -> None:
        """Tell all workers to end, as a supervisor does, and wait for them."""
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.terminate()
        try:
            async with asyncio.timeout(_ENDS_WITHIN):
                for worker in self.workers:
                    await worker.wait()
        except TimeoutError:
            self.died.append("a worker did not end when it was told to")
            for worker in self.workers:
                with suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)
                await worker.wait()
        self.workers.clear()

    async def _compare(self, seconds: float) -> Outcome:
        async with self.client() as client:
            for _ in range(_RECONCILIATIONS):
                report = await client.reconcile(wait=True)
                if report.ended and not report.open and not report.passed_over:
                    break
        path, options = self.folder / "books.json", self.options
        assert self.platform.stdin is not None
        assert self.platform.stdout is not None
        self.platform.stdin.write(f"{path}\n".encode())
        await self.platform.stdout.readline()
        seen = FaultyPlatform(seed=options.seed)
        load(path, seen)
        bookings = [Decimal(one.amount) for all_ in seen.books.values() for one in all_]
        return Outcome(
            engine=options.engine,
            payouts=options.payouts,
            seconds=seconds,
            kills=self.kills,
            restarts=self.restarts,
            died=self.died,
            arrivals=seen.arrivals,
            questions=seen.questions,
            audit=audit(seen, self.ledger, range(options.payouts)),
            books=(len(bookings), sum(bookings, Decimal(0))),
            ledger=paid_in_ledger(self.ledger),
            rate=options.rate,
            stall=seen.longest_stall,
        )


@asynccontextmanager
async def trial(options: argparse.Namespace, folder: Path, *, disturbed: bool, say: Say) -> AsyncIterator[Trial]:
    """A server, a platform and no worker yet; all are gone after the block."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(Server(durable=options.durable))
        platform, base_url = await stack.enter_async_context(_platform(options))
        ledger = await server.ledger()
        environment = {
            "PAYPRO_BASE_URL": base_url,
            "PAYPRO_MERCHANT_NO": MERCHANT,
            "PAYPRO_SECRET": _SECRET,
            "PAYPRO_ENVIRONMENT": "soak",
            "PAYPRO_LEDGER": ledger,
            "PAYPRO_REQUEST_TIMEOUT": f"{options.request_timeout}",
            "PAYPRO_SETTLE_AFTER": f"{options.settle_after}",
            "DATABASE_URL": ledger,
        }
        one = Trial(
            options=options,
            server=server,
            ledger=ledger,
            platform=platform,
            environment=environment,
            folder=folder,
            disturbed=disturbed,
            say=say,
        )
        stack.push_async_callback(one.end)
        yield one


@asynccontextmanager
async def _platform(options: argparse.Namespace) -> AsyncIterator[tuple[Process, str]]:
    names = ("seed", "faults", "query_faults", "lag", "processing", "rejected", "slow", "latency")
    given = [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in names]
    command = [sys.executable, "-m", "tests.many.platform", *given]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE)
    try:
        assert process.stdout is not None
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


def _command(options: argparse.Namespace) -> list[str]:
    shared = f"{options.concurrency}"
    match options.engine:
        case "procrastinate":
            return ["-m", "paypro_async", "worker", "--concurrency", shared]
        case "dbos":
            return ["examples/engines/dbos_worker.py"]
        case _:
            return ["-m", "tests.many.worker", BATCH, shared]


async def _announce(engine: str, ledger: str, make_client: Callable[[], PayProClient]) -> Any:
    """What enqueues shards in the import's own transaction."""
    match engine:
        case "procrastinate":
            from paypro_async.integrations.procrastinate import add_payout_tasks, app_for

            return add_payout_tasks(app_for(ledger), make_client).announce
        case "dbos":
            from paypro_async.integrations.dbos import add_payout_workflows

            workflows = add_payout_workflows(ledger, make_client)
            await workflows.prepare()
            return workflows.announce
        case _:
            return None
