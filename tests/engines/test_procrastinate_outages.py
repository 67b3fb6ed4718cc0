"""Procrastinate's workers, while what they stand on is away or stands still."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from paypro_async.errors import ConfigurationError
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.engines.workplace import Workplace, terminated, workplace
from tests.support.fork_server import ForkServer
from tests.support.pooler import Pooler, needs_pgbouncer
from tests.support.postgres import Server

pytest.importorskip("procrastinate", reason="comes with the extra 'procrastinate'")

from procrastinate import App
from procrastinate.schema import SchemaManager

from paypro_async.integrations.procrastinate import PayoutTasks, add_payout_tasks, connector_for
from paypro_async.integrations.queue_tables import make_tables

WORKER = ("-m", "paypro_async", "worker")


def carrier(place: Workplace) -> PayoutTasks:
    return add_payout_tasks(App(connector=connector_for(place.ledger)), place.client)


@pytest.mark.trial
async def test_a_worker_that_stands_still_is_taken_for_dead_and_goes_on_later(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """Others take its shards meanwhile; what it wakes up with is paid by nobody twice, and it works on."""
    async with workplace(server, tmp_path, fork_server=fork_server) as place:
        await place.import_batch(carrier(place).announce, rate=40)
        still, _ = await place.start(*WORKER), await place.start(*WORKER)
        await place.until(40)
        os.killpg(still.pid, signal.SIGSTOP)
        await asyncio.sleep(14)
        os.killpg(still.pid, signal.SIGCONT)
        await place.until_done()
        place.check()
        assert await terminated(still, within=60) == 0, place.logs()


@needs_pgbouncer
@pytest.mark.trial
async def test_a_pooler_stands_before_the_server(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """In transaction mode it passes no LISTEN on: workers see so by themselves, and go on when it is restarted."""
    with Pooler(server, pool_mode="transaction") as pooler:
        url = pooler.url(await server.ledger())
        async with workplace(server, tmp_path, fork_server=fork_server, database=url) as place:
            await place.import_batch(carrier(place).announce, rate=100)
            workers = [await place.start(*WORKER, PAYPRO_LOG="info") for _ in range(2)]
            await place.until(100)
            pooler.restart()
            await place.until_done()
            assert [worker.returncode for worker in workers] == [None, None], place.logs()
            assert "pooler stands before the queue" in (tmp_path / "worker-0.log").read_text()
            place.check()


@pytest.mark.trial
async def test_the_server_is_away_for_long(fork_server: ForkServer, tmp_path: Path) -> None:
    """For longer than Procrastinate waits for it; the workers are there still, and go on."""
    with Server() as server:
        async with workplace(server, tmp_path, fork_server=fork_server, count=200) as place:
            await place.import_batch(carrier(place).announce, rate=100)
            workers = [await place.start(*WORKER) for _ in range(2)]
            await place.until(80)
            await asyncio.to_thread(server.stop, "fast")
            await asyncio.sleep(33)
            await asyncio.to_thread(server.start)
            await place.until_done()
            assert [worker.returncode for worker in workers] == [None, None], place.logs()
            place.check()


async def test_the_ledger_stands_in_a_schema_of_its_own(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """The queue's tables stand beside it, for whoever enqueues and for whoever works."""
    database = server.database()
    server.run('CREATE SCHEMA "of payments"', url=database)
    path = r'-csearch_path="of\ payments"'
    url = f"{database}&options={quote(path)}"
    await SqlLedger(url).migrate()
    async with workplace(server, tmp_path, fork_server=fork_server, database=url, count=100) as place:
        await place.import_batch(carrier(place).announce)
        await place.start(*WORKER)
        await place.until_done()
        place.check()
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'procrastinate_jobs'")
        assert tables.fetchall() == [("of payments",)]


async def test_a_second_signal_ends_a_worker_at_once(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """However long it was to go on; what was under way is asked about by the next one."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=150) as place:
        await place.import_batch(carrier(place).announce, rate=30)
        worker = await place.start(*WORKER, "--drain", "60")
        await place.until(20)
        worker.terminate()
        await asyncio.sleep(1)
        assert worker.returncode is None
        assert await terminated(worker, within=10) == 130
        await place.start(*WORKER)
        await place.until_done()
        place.check()


async def test_tables_that_others_use_are_left_alone(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """Those of an older version are there in part; whoever imports or works is told so, and nothing is removed."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=5) as place:
        with psycopg.connect(place.ledger) as connection:
            make_tables(connection, SchemaManager.get_schema())
            connection.execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('default', 'mail')")
            connection.execute("DROP TABLE procrastinate_workers CASCADE")
        with pytest.raises(ConfigurationError, match="jobs of other tasks"):
            await place.import_batch(carrier(place).announce)
        worker = await place.start(*WORKER)
        async with asyncio.timeout(60):
            assert await worker.wait() == 2
        assert "apply Procrastinate's migrations" in place.logs()
        with psycopg.connect(place.ledger) as connection:
            assert connection.execute("SELECT task_name FROM procrastinate_jobs").fetchall() == [("mail",)]
            connection.execute("DELETE FROM procrastinate_jobs")
        await place.import_batch(carrier(place).announce)
        await place.start(*WORKER)
        await place.until_done()


async def test_a_worker_that_lacks_a_right_says_so_and_ends(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """Trying again would not help."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=5) as place:
        role = f"r{place.ledger.partition('@/')[2].partition('?')[0]}"
        for statement in (
            f"CREATE ROLE {role} LOGIN",
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
            f"GRANT USAGE ON SCHEMA public TO {role}",
        ):
            server.run(statement, url=place.ledger)
        worker = await place.start(*WORKER, PAYPRO_LEDGER=place.ledger.replace("postgres@", f"{role}@"))
        async with asyncio.timeout(60):
            assert await worker.wait() == 2
        assert "Procrastinate's tables cannot be used: " in place.logs()


async def test_a_queue_that_is_not_reached_in_time_is_tried_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after half a minute without a server."""
    opened, late = AsyncConnectionPool.open, [PoolTimeout("no connection after 30 s")]

    async def open_late(pool: Any, *given: Any, **more: Any) -> None:
        if late:
            raise late.pop()
        await opened(pool, *given, **more)

    async with workplace(server, tmp_path, count=5) as place:
        carried, stop = carrier(place), asyncio.Event()
        await place.import_batch(carried.announce)
        monkeypatch.setattr(AsyncConnectionPool, "open", open_late)
        working = asyncio.create_task(carried.work(stop))
        await place.until_done()
        stop.set()
        await working
        assert late == []
