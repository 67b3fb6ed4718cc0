"""Batches that many workers pay, carried by Procrastinate (extra ``procrastinate``).

::

    app = app_for("postgresql://…/ledger")
    payouts = add_payout_tasks(app, PayProClient.from_env)

    async with PayProClient.from_env() as client:  # where batches are imported
        await import_batch(client, rows, batch_id="july", announce=payouts.announce)

    await payouts.work(stop)  # each worker; or Procrastinate's own command: procrastinate --app=module.app worker

A job is one call of ``run_shard`` and carries the batch's name and a range, nothing else. Each shard has at most one
job that waits (its ``queueing_lock``). A job of a worker that died is thrown away by the living, and what is open in
the ledger and has no worker is enqueued again: so nothing depends on what these tables hold.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from attrs import define, field

# First, since some of ours need what it brings.
try:
    from procrastinate import App, PsycopgConnector, RetryDecision, SyncPsycopgConnector
    from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
    from procrastinate.jobs import DEFAULT_PRIORITY, Job, Status
    from procrastinate.manager import JobManager
    from procrastinate.retry import BaseRetryStrategy
    from procrastinate.schema import SchemaManager
    from psycopg import Error as PsycopgError
    from psycopg.errors import InsufficientPrivilege
except ImportError as _error:
    raise ImportError("Procrastinate is not installed: pip install 'paypro-async[procrastinate]'") from _error

from paypro_async.batch.shards import open_shards, run_shard, unfinished_batches
from paypro_async.client import PayProClient
from paypro_async.errors import ConfigurationError, LedgerUnavailableError
from paypro_async.integrations.queue_tables import make_tables, make_tables_async
from paypro_async.integrations.shard_worker import opened
from paypro_async.ledger.shared import Shard
from paypro_async.ledger.sql.server.address import ServerAddress
from paypro_async.ledger.sql.server.messages import is_hopeless, message_of
from paypro_async.log import logger

__all__ = ["PayoutTasks", "add_payout_tasks", "app_for", "connector_for"]

_SHARD, _REPAIR, _RECONCILE = "paypro:shard", "paypro:repair", "paypro:reconcile"
_FIRST_OF_ALL = 100
"""The priority of the repair, which must not wait behind ten thousand shards."""
_WAITING = "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = ANY(%(locks)s)"
_LONGEST_PAUSE = 30.0
_RESTART_SECONDS = 0.5
_POLL_SECONDS = 1.0
_HEARTBEAT_SECONDS = 3.0
_DEAD_AFTER = 10.0
"""Seconds without a heartbeat after which a worker's jobs are thrown away."""
_IDLE_SECONDS = 6.0
"""Seconds without a worker after which an open shard is enqueued again: a worker says each 1.5 s that it is there."""


def connector_for(ledger: str) -> PsycopgConnector:
    """A connector to the ledger's own database, where its settings are a pooler's in transaction mode too.

    Args:
        ledger: ``postgresql://user:password@host/database``, as a client takes it.

    Raises:
        ConfigurationError: If that is no server.
    """
    if not ledger.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
        raise ConfigurationError(
            "Procrastinate keeps its jobs in PostgreSQL, and this ledger is none. Nothing was sent. Give "
            "'postgresql://user@host/database'; or pay the file in one process, without workers."
        )
    address = ServerAddress.read(ledger)
    # What is prepared belongs to one process of the server, and a pooler hands out others.
    settings: dict[str, Any] = {**address.parameters, "prepare_threshold": None}
    if address.settings:
        # The ledger's search_path above all: its tables and these stand in one place.
        settings["options"] = " ".join(f"-c {name}={_escaped(value)}" for name, value in address.settings.items())
    settings.setdefault("application_name", "paypro-worker")
    settings.setdefault("connect_timeout", "5")
    return PsycopgConnector(kwargs=settings, min_size=1, max_size=6, timeout=10.0)


def app_for(ledger: str) -> App:
    """An app whose jobs stand in the ledger's own database."""
    return App(connector=connector_for(ledger))


def add_payout_tasks(
    app: App,
    make_client: Callable[[], PayProClient] = PayProClient.from_env,
    *,
    queue: str = "paypro",
    concurrency: int = 20,
    repair_every: int = 3,
    reconcile_every: int = 300,
) -> "PayoutTasks":
    """Register the task that pays a shard, and what repairs and reconciles now and then; once for an app.

    Args:
        app: Procrastinate's, with a connector to any database; best that of the ledger, see :func:`connector_for`.
        make_client: Makes the client of a worker.
        queue: The queue's name; each merchant account needs one of its own.
        concurrency: How many payouts of one shard may be under way at one time.
        repair_every: Seconds between two looks for shards that nobody carries, 1 to 59.
        reconcile_every: Seconds between two reconciliations, in whole minutes.
    """
    payouts = PayoutTasks(app=app, make_client=make_client, queue=queue, concurrency=concurrency)
    again = _Always()

    @app.task(name=_SHARD, queue=queue, retry=again)
    async def pay_shard(batch_id: str, low: int, high: int) -> str:
        return await payouts.pay(Shard(batch_id, low, high))

    @app.periodic(cron=f"* * * * * */{repair_every}", queueing_lock=f"{queue}:repair", priority=_FIRST_OF_ALL)
    @app.task(name=_REPAIR, queue=queue)
    async def repair(timestamp: int) -> str:  # noqa: ARG001  Procrastinate gives it
        return f"{await payouts.repair(await payouts.client())} shards enqueued again"

    @app.periodic(
        cron=f"*/{max(1, reconcile_every // 60)} * * * *", queueing_lock=f"{queue}:reconcile", priority=_FIRST_OF_ALL
    )
    @app.task(name=_RECONCILE, queue=queue, lock=f"{queue}:reconcile")
    async def reconcile(timestamp: int) -> str:  # noqa: ARG001  as above
        report = await (await payouts.client()).reconcile(deadline=60.0, older_than=60.0)
        return f"{report.checked} payouts asked about"

    return payouts


@define(kw_only=True, eq=False)
class PayoutTasks:
    """Enqueues shards, and works at them; :func:`add_payout_tasks` makes it."""

    app: App = field(repr=False)
    make_client: Callable[[], PayProClient] = field(repr=False)
    queue: str
    concurrency: int
    _opening: asyncio.Lock = field(factory=asyncio.Lock, init=False, repr=False)
    _client: PayProClient | None = field(default=None, init=False, repr=False)
    _resources: AsyncExitStack = field(factory=AsyncExitStack, init=False, repr=False)
    _told_of_pooler: bool = field(default=False, init=False, repr=False)
    running: set[Shard] = field(factory=set, init=False)
    """The shards that this process works at just now."""
    is_listening: bool = field(default=False, init=False)
    """Whether the worker of this process takes jobs just now."""

    def announce(self, connection: Any, shards: Sequence[Shard]) -> None:
        """Enqueue shards in the transaction of *connection*, which is SQLAlchemy's: for ``import_batch(announce=…)``.

        Procrastinate's tables are made beside the ledger's if they are not there. A shard whose job waits already gets
        no second one.

        Raises:
            ConfigurationError: If the ledger is no PostgreSQL.
        """
        if connection.dialect.name != "postgresql":
            raise ConfigurationError(
                "Procrastinate keeps its jobs in PostgreSQL, and this ledger is a file. Nothing was sent. Use a ledger "
                "in PostgreSQL; or pay without workers."
            )
        driver = connection.connection.dbapi_connection
        make_tables(driver, SchemaManager.get_schema())
        by_lock = self._by_lock(shards)
        waiting = {lock for (lock,) in driver.execute(_WAITING, {"locks": [*by_lock]})}
        jobs = [self._job(shard) for lock, shard in by_lock.items() if lock not in waiting]
        if jobs:
            # Of a connector that is never opened: it only speaks through the connection that it is given.
            JobManager(SyncPsycopgConnector()).batch_defer_jobs(jobs, connection=driver)

    async def enqueue(self, client: PayProClient, batch_id: str, *, idle_for: float = 0.0) -> int:
        """Enqueue what is open of a batch and no job waits for, through the app's own connector; how many shards.

        For an app in another database than the ledger's, and for what repairs the loss of that database.
        """
        by_lock = self._by_lock(await open_shards(client, batch_id, idle_for=idle_for))
        # All at one time: of a large batch thousands wait, and their jobs with them.
        rows = await self.app.connector.execute_query_all_async(_WAITING, locks=[*by_lock])
        waiting = {row["queueing_lock"] for row in rows}
        missing = [shard for lock, shard in by_lock.items() if lock not in waiting]
        if not missing:
            return 0
        try:
            return len(await self.app.job_manager.batch_defer_jobs_async([self._job(shard) for shard in missing]))
        except AlreadyEnqueued:  # one of them, by somebody else just now
            return sum([await self._defer(shard) for shard in missing])

    async def repair(self, client: PayProClient) -> int:
        """Throw away the jobs of dead workers, and enqueue what is open and has no worker; how many shards that were.

        Whatever Procrastinate has lost, its tables included: what is open stands in the ledger.
        """
        manager = self.app.job_manager
        for job in await manager.get_stalled_jobs(queue=self.queue, seconds_since_heartbeat=_DEAD_AFTER):
            await manager.finish_job(job, status=Status.ABORTED, delete_job=True)
        count = 0
        for batch in await unfinished_batches(client):
            if batch.may_run:
                count += await self.enqueue(client, batch.batch_id, idle_for=_IDLE_SECONDS)
        if count:
            logger.info("%d open shards without a worker are enqueued again.", count)
        return count

    async def pay(self, shard: Shard) -> str:
        """Pay what can be paid of a shard now, and enqueue it for later if it must be run again."""
        client = await self.client()
        self.running.add(shard)
        try:
            report = await run_shard(
                client, shard.batch_id, shard.low, shard.high, concurrency=self.concurrency, wait=False
            )
        finally:
            self.running.discard(shard)
        if report.again_in is not None:
            await self._defer(shard, after=report.again_in)
        counts = ", ".join(f"{count} {status}" for status, count in report.counts.items())
        return f"{counts or 'nothing to do'}; {report.open} open{f' ({report.stopped})' if report.stopped else ''}"

    async def client(self) -> PayProClient:
        """The client of this process, opened when it is first needed and closed by :meth:`aclose`."""
        async with self._opening:
            if self._client is None:
                self._client = await self._resources.enter_async_context(opened(self.make_client))
            return self._client

    async def aclose(self) -> None:
        """Close the client: what is under way is recorded, in the time of one exchange and five seconds more."""
        self._client = None
        await self._resources.aclose()

    async def work(self, stop: asyncio.Event, *, shards: int = 4, drain: float = 0.0) -> None:
        """Work at shards until *stop* is set, whatever happens to the database meanwhile.

        Then it takes no more; shards that are not done after *drain* seconds are interrupted, which lets what is under
        way be recorded in the time of one exchange and five seconds more, and their jobs go back into the queue.

        Args:
            stop: Ends it.
            shards: How many this worker pays at one time.
            drain: Seconds for which shards that were begun go on after *stop*.
        """
        client = await self.client()
        try:
            while not stop.is_set():
                try:
                    await self._work_once(client, stop, shards=shards, drain=drain)
                except (ConnectorException, PsycopgError, OSError, LedgerUnavailableError) as error:
                    # The server is away, or its tables are: what this worker was at is open in the ledger.
                    _refuse_what_stays(cause := _first_cause(error))
                    logger.warning("The worker begins anew, since its queue failed: %s", message_of(cause))
                if not stop.is_set():
                    await _wait(stop, _RESTART_SECONDS)
        finally:
            await self.aclose()

    async def _work_once(self, client: PayProClient, stop: asyncio.Event, *, shards: int, drain: float) -> None:
        async with self.app.open_async():
            await self._prepare(client)
            listen = not await self._is_pooled()
            working = asyncio.create_task(
                self.app.run_worker_async(
                    queues=[self.queue],
                    concurrency=shards,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                    listen_notify=listen,
                    shutdown_graceful_timeout=drain,
                    fetch_job_polling_interval=_POLL_SECONDS,
                    abort_job_polling_interval=30.0,
                    update_heartbeat_interval=_HEARTBEAT_SECONDS,
                    stalled_worker_timeout=_DEAD_AFTER,
                ),
                name="paypro-worker",
            )
            stopping = asyncio.create_task(stop.wait(), name="paypro-worker-stop")
            self.is_listening = True
            try:
                await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
                if stop.is_set():
                    working.cancel()
                await asyncio.wait([working])
                if not working.cancelled():
                    working.result()
            finally:
                self.is_listening = False
                stopping.cancel()

    async def _prepare(self, client: PayProClient) -> None:
        """Make the tables if they are not there, and enqueue what was lost with them."""
        connector: Any = self.app.connector
        async with connector.pool.connection() as connection, connection.transaction():
            if not await make_tables_async(connection, SchemaManager.get_schema()):
                return
        logger.warning("Procrastinate's tables were not there; they are made, and open shards are enqueued.")
        for batch in await unfinished_batches(client):
            await self.enqueue(client, batch.batch_id)

    async def _is_pooled(self) -> bool:
        """Whether a pooler stands before the server: it does not pass on what LISTEN waits for, in transaction mode."""
        connector: Any = self.app.connector
        async with connector.pool.connection() as connection:
            (process,) = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
            # A pooler answers a connection itself, with a number of its own.
            pooled: bool = process != connection.info.backend_pid
        if pooled and not self._told_of_pooler:
            self._told_of_pooler = True
            logger.info("A pooler stands before the queue's server: jobs are looked for each second.")
        return pooled

    async def _defer(self, shard: Shard, *, after: float = 0.0) -> bool:
        """Enqueue one shard; whether there was no job that waits for it."""
        deferrer = self.app.configure_task(
            _SHARD, queue=self.queue, queueing_lock=self._lock(shard), schedule_in={"seconds": math.ceil(after)}
        )
        try:
            await deferrer.defer_async(batch_id=shard.batch_id, low=shard.low, high=shard.high)
        except AlreadyEnqueued:
            return False
        return True

    def _by_lock(self, shards: Sequence[Shard]) -> dict[str, Shard]:
        return {self._lock(shard): shard for shard in shards}

    def _lock(self, shard: Shard) -> str:
        return f"{self.queue}:{shard.key}"

    def _job(self, shard: Shard) -> Job:
        return Job(
            id=None,
            queue=self.queue,
            priority=DEFAULT_PRIORITY,
            lock=None,
            queueing_lock=self._lock(shard),
            task_name=_SHARD,
            task_kwargs={"batch_id": shard.batch_id, "low": shard.low, "high": shard.high},
        )


class _Always(BaseRetryStrategy):
    """A job that was interrupted goes back at once; what failed otherwise is tried again, ever more rarely."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})
        return RetryDecision(retry_in={"seconds": int(min(2.0 ** min(job.attempts, 10), _LONGEST_PAUSE))})


def _escaped(value: str) -> str:
    """As PostgreSQL's command line takes it, where blanks part words."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _first_cause(error: BaseException) -> BaseException:
    """The innermost error; a connector's own says only that there was one."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _refuse_what_stays(error: BaseException) -> None:
    """Raise for what a person has to mend before a worker can use its queue, such as a right that it lacks."""
    if is_hopeless(error) or isinstance(error, InsufficientPrivilege):
        raise ConfigurationError(
            f"Procrastinate's tables cannot be used: {message_of(error)}. Nothing is sent by this worker; what it was "
            "at stands in the ledger."
        ) from error


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
