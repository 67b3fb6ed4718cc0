"""Batches that many workers pay, carried by DBOS (extra ``dbos``).

::

    payouts = add_payout_workflows("postgresql://…/ledger", PayProClient.from_env)

    async with PayProClient.from_env() as client:  # where batches are imported
        await payouts.prepare()
        await import_batch(client, rows, batch_id="july", announce=payouts.announce)

    async with payouts.launch():  # each worker
        await asyncio.Event().wait()

DBOS runs a workflow once for each id, for ever, so the id of a shard's workflow ends with a number: a shard that must
be run again is a new workflow with the next one, which holds no slot while it waits. What a dead executor leaves,
DBOS by itself gives to nobody else (its Conductor would); here the executors that live take it (see ``executors``).
"""

import asyncio
import math
import os
import socket
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any

from attrs import define, field

# First, since some of ours need what it brings.
try:
    from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, WorkflowStatus
except ImportError as _error:
    raise ImportError("DBOS is not installed: pip install 'paypro-async[dbos]'") from _error

from paypro_async.batch.shards import open_shards, unfinished_batches
from paypro_async.client import PayProClient
from paypro_async.errors import ConfigurationError
from paypro_async.integrations.executors import Executors
from paypro_async.integrations.shard_worker import SHORTEST_PAUSE, opened, pay_patiently
from paypro_async.ledger.shared import Shard
from paypro_async.log import logger

__all__ = ["PayoutWorkflows", "add_payout_workflows", "payout_config"]

_WORKFLOW = "paypro.run_shard"
_VERSION = "paypro-shards-1"
"""DBOS gives a workflow back only to executors of its own version, so this one stays when the code changes."""
_LOOK_SECONDS = 1.0
_DEAD_AFTER = 2.0
_LOST_AFTER = 5.0
"""Seconds after which a workflow that DBOS gave this process has begun, or was lost on its way."""
_POLL_SECONDS = 0.25
_LAUNCHES = 5
_NO_TABLES = (
    "The ledger's database has no tables of DBOS, so the %d shards of batch %s are not enqueued with its import. "
    "Workers find them in the ledger; or call 'payouts.prepare()' before an import, or 'payouts.enqueue(…)' after it."
)


def payout_config(database_url: str, *, name: str = "paypro") -> DBOSConfig:
    """A configuration of DBOS for workers: a fixed application version, and an executor id that no other process has.

    Args:
        database_url: ``postgresql://…``: where DBOS has its tables, best the ledger's own database.
        name: Of the application.
    """
    executor = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    return DBOSConfig(
        name=name,
        system_database_url=database_url.replace("postgres://", "postgresql://", 1),
        application_version=_VERSION,
        executor_id=executor,
        log_level="WARNING",
    )


def add_payout_workflows(
    database: "str | DBOSConfig",  # in quotes, since documentation is built without DBOS
    make_client: Callable[[], PayProClient],
    *,
    queue: str = "paypro",
    shards_at_once: int = 4,
    concurrency: int = 20,
    repair_every: float = 15.0,
    idle_for: float = 30.0,
) -> "PayoutWorkflows":
    """Register the workflow that pays a shard; before DBOS is launched, and once in a process.

    Args:
        database: The URL of DBOS's tables, or a whole configuration; then start from :func:`payout_config`.
        make_client: Makes the client of a worker, such as ``PayProClient.from_env``.
        queue: The queue's name; each merchant account needs one of its own.
        shards_at_once: How many shards one worker pays at one time.
        concurrency: How many payouts of each shard may be under way at one time.
        repair_every: Seconds between two looks for shards that are open in the ledger and that nobody carries.
        idle_for: Seconds after which a shard at which no worker was counts as such.
    """
    config = payout_config(database) if isinstance(database, str) else database
    if not (config.get("system_database_url") or "").startswith(("postgresql:", "postgresql+psycopg:")):
        raise ConfigurationError(
            "Workers need DBOS's tables in PostgreSQL: which of them are dead is decided under its locks. Nothing was "
            "sent. Give 'postgresql://…'."
        )
    if not (config.get("executor_id") and config.get("application_version")):
        raise ConfigurationError(
            "The configuration of DBOS needs an executor_id that no other process has, and an application_version that "
            "stays, or what a dead worker leaves is never taken up. Nothing was sent. Start from payout_config()."
        )
    workflows = PayoutWorkflows(
        config=config,
        make_client=make_client,
        queue=queue,
        shards_at_once=shards_at_once,
        concurrency=concurrency,
        repair_every=repair_every,
        idle_for=idle_for,
    )

    # Infrastructure that fails is tried again for ever; a payout's failure is none.
    @DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=None)
    async def pay_shard(batch_id: str, low: int, high: int) -> None:
        await workflows._carry(Shard(batch_id, low, high))  # noqa: SLF001  its own

    return workflows


@define(kw_only=True, eq=False)
class PayoutWorkflows:
    """Enqueues shards, and works at them; :func:`add_payout_workflows` makes it."""

    config: DBOSConfig = field(repr=False)
    make_client: Callable[[], PayProClient] = field(repr=False)
    queue: str
    shards_at_once: int
    concurrency: int
    repair_every: float
    idle_for: float
    _client: PayProClient | None = field(default=None, init=False, repr=False)
    _running: dict[str, asyncio.Task[float | None]] = field(factory=dict, init=False, repr=False)
    _unbegun: dict[str, float] = field(factory=dict, init=False, repr=False)
    _draining: bool = field(default=False, init=False)
    _ended: threading.Event = field(factory=threading.Event, init=False, repr=False)

    async def prepare(self) -> None:
        """Make DBOS's tables, or bring them up to date; a worker does it too. It takes some seconds the first time."""
        await asyncio.to_thread(DBOS.migrate, self._url, schema=self._schema)

    def announce(self, connection: Any, shards: Sequence[Shard]) -> None:
        """Enqueue shards in the transaction of *connection*, which is SQLAlchemy's: for ``import_batch(announce=…)``.

        Where DBOS's tables are in another database, or not there yet, a warning is logged: then workers look for these
        shards in the ledger, as they do now and then in any case.
        """
        found = connection.exec_driver_sql("SELECT to_regclass(%s)", (f'"{self._schema}".workflow_status',))
        if found.scalar() is None:
            logger.warning(_NO_TABLES, len(shards), shards[0].batch_id if shards else "")
            return
        origin = f"{time.time():.0f}"
        with self._engine() as engine:
            for shard in shards:
                engine.enqueue_in_transaction(
                    connection, self._options(f"{self._name(shard)}:{origin}:0"), *_arguments(shard)
                )

    async def enqueue(self, client: PayProClient, batch_id: str) -> int:
        """Enqueue what is open of a batch and nobody carries; how many shards that were.

        This is what repairs any loss of DBOS, its tables included. A worker does it now and then by itself.
        """
        return await asyncio.to_thread(self._give, await open_shards(client, batch_id))

    async def repair(self, client: PayProClient) -> int:
        """Enqueue what is open of all batches, had no worker for ``idle_for`` seconds, and nobody carries; how many."""
        count = 0
        for batch in await unfinished_batches(client):
            shards = await open_shards(client, batch.batch_id, idle_for=self.idle_for)
            count += await asyncio.to_thread(self._give, shards, idle_for=self.idle_for)
        return count

    @asynccontextmanager
    async def launch(self, *, drain: float = 30.0) -> AsyncIterator[PayProClient]:
        """Work at shards while the block runs, in the event loop that runs; the worker's client, open.

        It waits for a database that is down. At the end nothing more is begun, what is under way is recorded, and open
        shards are given back to the queue.

        Args:
            drain: Seconds that may take at most.
        """
        executors = Executors(
            self._url.replace("+psycopg", "", 1), self.config["executor_id"] or "", dead_after=_DEAD_AFTER
        )
        await executors.wait()
        async with opened(self.make_client) as client:
            self._client, self._draining = client, False
            self._ended.clear()
            await self._launch(executors)
            watch = threading.Thread(target=self._watch, args=[executors], name="paypro-dbos-watch", daemon=True)
            watch.start()
            repairs = asyncio.create_task(self._repair_for_ever(client), name="paypro-dbos-repair")
            try:
                yield client
            finally:
                repairs.cancel()
                await asyncio.wait([repairs])
                await self._drain(drain)
                self._ended.set()
                await asyncio.to_thread(watch.join)

    async def _carry(self, shard: Shard) -> None:
        """Pay what can be paid of a shard now, and enqueue it anew if it must be run again."""
        workflow_id = DBOS.workflow_id or ""
        task = asyncio.create_task(self._pay(shard), name=f"paypro-shard {shard.key}")
        self._running[workflow_id] = task
        if self._draining:
            task.cancel()
        try:
            again_in = await task
        except asyncio.CancelledError:
            if not self._draining:
                raise
            again_in = 0.0
        finally:
            if self._running.get(workflow_id) is task:
                del self._running[workflow_id]
        if again_in is not None:
            origin, _, number = workflow_id.rpartition(":")
            again = self._options(f"{origin}:{int(number) + 1}")
            if again_in > 0:
                again["delay_seconds"] = again_in
            await DBOS.enqueue_workflow_with_options_async(again, *_arguments(shard))

    async def _pay(self, shard: Shard) -> float | None:
        if self._client is None:
            raise ConfigurationError("Shards are paid inside 'async with payouts.launch()'. Nothing was sent.")
        return await pay_patiently(self._client, shard, concurrency=self.concurrency)

    @property
    def _url(self) -> str:
        return self.config.get("system_database_url") or ""

    @property
    def _schema(self) -> str:
        return self.config.get("dbos_system_schema") or "dbos"

    @contextmanager
    def _engine(self) -> Iterator[DBOSClient]:
        """What speaks to DBOS's tables from outside; it connects when it is used."""
        engine = DBOSClient(
            system_database_url=self._url,
            dbos_system_schema=self._schema,
            application_name=self.config["name"],
            lazy=True,
            retry_connection_errors=False,
        )
        try:
            yield engine
        finally:
            engine.destroy()

    def _name(self, shard: Shard) -> str:
        return f"{self.queue}:{shard.key}"

    def _options(self, workflow_id: str) -> EnqueueOptions:
        return EnqueueOptions(workflow_name=_WORKFLOW, queue_name=self.queue, workflow_id=workflow_id)

    def _give(self, shards: Sequence[Shard], *, idle_for: float = math.inf) -> int:
        """Enqueue those that no workflow carries, and those whose workflow has run for so long that it is stuck."""
        if not shards:
            return 0
        with self._engine() as engine:
            carried: dict[str, list[WorkflowStatus]] = {}
            for workflow in self._workflows(engine, ["PENDING", "ENQUEUED", "DELAYED"]):
                carried.setdefault(workflow.workflow_id.rsplit(":", 2)[0], []).append(workflow)
            origin, count = f"{time.time():.0f}", 0
            for shard in shards:
                if (workflows := carried.get(self._name(shard))) is None:
                    engine.enqueue(self._options(f"{self._name(shard)}:{origin}:0"), *_arguments(shard))
                    count += 1
                elif stuck := [one.workflow_id for one in workflows if _runs_for(one) > idle_for]:
                    engine.resume_workflows(stuck, queue_name=self.queue)
                    count += 1
            return count

    def _workflows(self, engine: DBOSClient, status: list[str]) -> list[WorkflowStatus]:
        """Those that an executor of this version can take, or has taken."""
        found = engine.list_workflows(status=status, queue_name=self.queue, load_input=False, load_output=False)
        return [one for one in found if one.app_version in {None, self.config.get("application_version")}]

    # --- what the living do for the dead, and for what was lost

    def _watch(self, executors: Executors) -> None:
        """In a thread of its own: the lock is held, and looks are taken, whatever the event loop does."""
        with closing(executors), self._engine() as engine:
            while not self._ended.wait(_LOOK_SECONDS):
                try:
                    executors.hold()
                    self._look(engine, executors)
                except ConfigurationError as error:
                    logger.error("%s", error)  # noqa: TRY400  where it came from says nothing
                except Exception as error:  # noqa: BLE001  a look that fails for whatever reason is followed by another
                    logger.warning("What became of other workers could not be looked at: %s", type(error).__name__)

    def _look(self, engine: DBOSClient, executors: Executors) -> None:
        pending = self._workflows(engine, ["PENDING"])
        with executors.dead({one.executor_id for one in pending if one.executor_id}) as dead:
            if dead:
                # Read anew, since only now nobody else decides.
                left = [one for one in self._workflows(engine, ["PENDING"]) if one.executor_id in dead]
                self._resume(engine, left, "of a worker that is dead")
        # DBOS may have been cut off from its database between the claim of a workflow and its start.
        mine = {one.workflow_id for one in pending if one.executor_id == executors.me} - set(self._running)
        now = time.monotonic()
        self._unbegun = {workflow_id: self._unbegun.get(workflow_id, now) for workflow_id in mine}
        lost = {workflow_id for workflow_id, since in self._unbegun.items() if now - since > _LOST_AFTER}
        self._resume(engine, [one for one in pending if one.workflow_id in lost], "that this worker never began")

    def _resume(self, engine: DBOSClient, workflows: Iterable[WorkflowStatus], which: str) -> None:
        if ids := [one.workflow_id for one in workflows]:
            logger.warning("%d shards %s are enqueued again.", len(ids), which)
            engine.resume_workflows(ids, queue_name=self.queue)

    async def _repair_for_ever(self, client: PayProClient) -> None:
        while True:
            pause = self.repair_every
            try:
                if count := await self.repair(client):
                    logger.warning("%d open shards that nobody carried are enqueued.", count)
            except Exception as error:  # noqa: BLE001  whatever is broken, the next repair may find it mended
                logger.warning("Open shards could not be enqueued again: %s", type(error).__name__)
                pause = SHORTEST_PAUSE if await self._mend() else pause
            await asyncio.sleep(pause)

    async def _mend(self) -> bool:
        """Make DBOS's tables, and the queue in them, if they are gone; whether they are there."""
        try:
            await self.prepare()
            await self._register()
        except Exception as error:  # noqa: BLE001  as above
            logger.warning("DBOS's tables could not be made: %s", type(error).__name__)
            return False
        return True

    # --- launching and draining

    async def _launch(self, executors: Executors) -> None:
        for attempt in range(1, _LAUNCHES + 1):
            DBOS(config=self.config)
            try:
                # In this thread, so that workflows run in this event loop.
                DBOS.launch()
                await self._register()
            except Exception as error:
                await asyncio.to_thread(DBOS.destroy)
                if attempt == _LAUNCHES:
                    raise
                logger.warning("DBOS did not start: %s", type(error).__name__)
                await asyncio.sleep(SHORTEST_PAUSE)
                await executors.wait()
            else:
                return

    async def _register(self) -> None:
        await DBOS.register_queue_async(
            self.queue,
            worker_concurrency=self.shards_at_once,
            polling_interval_sec=_POLL_SECONDS,
            on_conflict="always_update",
        )

    async def _drain(self, seconds: float) -> None:
        self._draining = True
        # First DBOS takes no more from the queue, then what runs is told to end.
        destroyed = asyncio.create_task(
            asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=max(1, round(seconds)))
        )
        await asyncio.sleep(0)
        for task in list(self._running.values()):
            task.cancel()
        await destroyed
        # DBOS gave the loop a pool of threads of its own, and has closed it.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())


def _arguments(shard: Shard) -> tuple[str, int, int]:
    return shard.batch_id, shard.low, shard.high


def _runs_for(workflow: WorkflowStatus) -> float:
    """For how many seconds DBOS says that it runs."""
    began = workflow.dequeued_at
    return 0.0 if workflow.status != "PENDING" or began is None else time.time() - began / 1000
