import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from paypro_async import batch_progress, import_batch, open_shards, pause_batch, resume_batch
from paypro_async.errors import ConfigurationError
from tests.engines.workplace import BATCH, Workplace, terminated, workplace
from tests.support.fork_server import ForkServer
from tests.support.merchant import payouts
from tests.support.postgres import Server

pytest.importorskip("procrastinate", reason="comes with the extra 'procrastinate'")

from procrastinate import App

from paypro_async.integrations.procrastinate import PayoutTasks, add_payout_tasks, connector_for

WORKER = "examples/engines/procrastinate_worker.py"
OWN_COMMAND = (
    *("-m", "procrastinate", "--app=examples.engines.procrastinate_worker.app", "worker"),
    *("--concurrency=4", "--shutdown-graceful-timeout=0"),
)
_JOBS = "SELECT queueing_lock, args FROM procrastinate_jobs WHERE status = %s AND task_name = 'paypro:shard'"
_DROP = """
DO $$ DECLARE one record; BEGIN
FOR one IN SELECT format('DROP TABLE %s CASCADE', oid::regclass) AS run FROM pg_class
  WHERE relname LIKE 'procrastinate%' AND relkind = 'r' LOOP EXECUTE one.run; END LOOP;
FOR one IN SELECT format('DROP FUNCTION %s CASCADE', oid::regprocedure) AS run FROM pg_proc
  WHERE proname LIKE 'procrastinate%' LOOP EXECUTE one.run; END LOOP;
FOR one IN SELECT format('DROP TYPE %s CASCADE', oid::regtype) AS run FROM pg_type
  WHERE typname LIKE 'procrastinate%' AND typtype IN ('e', 'c') LOOP EXECUTE one.run; END LOOP;
END $$
"""


def carrier(place: Workplace) -> PayoutTasks:
    return add_payout_tasks(App(connector=connector_for(place.ledger)), place.client)


def jobs(place: Workplace, status: str) -> list[tuple[str, dict[str, object]]]:
    with psycopg.connect(place.ledger) as connection:
        return connection.execute(_JOBS, [status]).fetchall()


async def test_a_worker_that_is_killed_leaves_its_shards_to_the_living(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """Two workers, one killed and not replaced: the other one takes over, and nobody is paid twice."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=400) as place:
        await place.import_batch(carrier(place).announce)
        doomed, _ = await place.start(WORKER), await place.start(WORKER)
        await place.until(place.count // 4)
        await place.kill(doomed)
        await place.until_done()
        place.check()


async def test_all_workers_are_killed_and_a_new_one_goes_on(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """What they were at is noticed by how long nobody was at it."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=400) as place:
        await place.import_batch(carrier(place).announce)
        doomed = [await place.start(WORKER), await place.start(WORKER)]
        await place.until(place.count // 4)
        for process in doomed:
            await place.kill(process)
        await place.start(WORKER)
        await place.until_done()
        place.check()


async def test_the_engines_own_command_is_a_worker_too(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """It ends at SIGTERM in the time of one exchange, and its jobs go back into the queue."""
    async with workplace(server, tmp_path, fork_server=fork_server) as place:
        await place.import_batch(carrier(place).announce, rate=100)
        worker = await place.start(*OWN_COMMAND)
        await place.until(50)
        assert await terminated(worker, within=60) == 0, place.logs()
        async with place.client() as client:
            still_open = {shard.key for shard in await open_shards(client, BATCH)}
        assert {lock.removeprefix("paypro:") for lock, _ in jobs(place, "todo")} >= still_open
        await place.start(*OWN_COMMAND)
        await place.until_done()
        place.check()


async def test_told_to_end_a_worker_gives_its_shards_back(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """Nothing waits for its death to be noticed."""
    async with workplace(server, tmp_path, fork_server=fork_server, faults=0) as place:
        await place.import_batch(carrier(place).announce, rate=50)
        worker = await place.start(WORKER)
        await place.until(50)
        assert await terminated(worker, within=60) == 0, place.logs()
        # Where the machine was so busy that a shard seemed to have no worker, a second job for it waits already.
        waiting = jobs(place, "todo")
        assert [one for one in jobs(place, "doing") if one not in waiting] == []
        assert (await place.progress()).under_way == 0
        await place.start(WORKER)
        await place.until_done()
        place.check()


async def test_every_shard_delivered_twice_at_the_same_time_pays_once(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """As an engine does that takes a living worker for dead."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=400) as place:
        await place.import_batch(carrier(place).announce)
        with psycopg.connect(place.ledger) as connection:
            connection.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args) "
                "SELECT queue_name, task_name, args FROM procrastinate_jobs WHERE task_name = 'paypro:shard'"
            )
        await place.start(WORKER)
        await place.start(WORKER)
        await place.until_done()
        place.check()


async def test_its_tables_are_dropped_in_the_middle(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """The workers make them anew by themselves, and enqueue what is open."""
    async with workplace(server, tmp_path, fork_server=fork_server) as place:
        await place.import_batch(carrier(place).announce, rate=100)
        await place.start(WORKER)
        await place.start(WORKER)
        await place.until(100)
        with psycopg.connect(place.ledger) as connection:
            connection.execute(_DROP)
        await place.until_done()
        place.check()


async def test_the_server_is_restarted_while_workers_pay(fork_server: ForkServer, tmp_path: Path) -> None:
    """They wait for it and go on, each in its own process."""
    with Server() as server:
        async with workplace(server, tmp_path, fork_server=fork_server) as place:
            await place.import_batch(carrier(place).announce, rate=100)
            workers = [await place.start(WORKER), await place.start(WORKER)]
            for begun in (60, 130):
                await place.until(begun)
                await asyncio.to_thread(server.restart, pause=0.5)
            await place.until_done()
            assert [worker.returncode for worker in workers] == [None, None], place.logs()
            place.check()


async def test_a_paused_batch_goes_on_once_it_is_resumed(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """Its jobs have ended meanwhile; what repairs a loss brings them back."""
    async with workplace(server, tmp_path, fork_server=fork_server) as place:
        await place.import_batch(carrier(place).announce, rate=100)
        await place.start(WORKER)
        await place.until(20)
        async with place.client() as client:
            await pause_batch(client, BATCH)
            await asyncio.sleep(2)
            before = (await batch_progress(client, BATCH)).begun
            await asyncio.sleep(1)
            assert (await batch_progress(client, BATCH)).begun == before < place.count
            await resume_batch(client, BATCH)
        await place.until_done()
        place.check()


async def test_jobs_stand_or_fall_with_the_import_and_hold_no_payout(server: Server, tmp_path: Path) -> None:
    """A job carries a name and a range; an import that fails leaves none."""
    async with workplace(server, tmp_path, count=120) as place:
        announce: Callable[..., object] = carrier(place).announce

        def fail(*given: object) -> None:
            announce(*given)
            raise OSError("the disk of the engine is full")

        with pytest.raises(OSError, match="disk of the engine"):
            await place.import_batch(fail)
        with pytest.raises(psycopg.errors.UndefinedTable):
            jobs(place, "todo")
        await place.import_batch(announce)
        await place.import_batch(announce)
        assert sorted(lock for lock, _ in jobs(place, "todo")) == ["paypro:july:0", "paypro:july:100", "paypro:july:50"]
        assert {name for _, args in jobs(place, "todo") for name in args} == {"batch_id", "low", "high"}


async def test_what_is_open_is_enqueued_through_its_own_connector(server: Server, tmp_path: Path) -> None:
    """As for an engine in another database; a shard whose job waits gets no second one."""
    async with workplace(server, tmp_path, count=120) as place:
        carried = carrier(place)
        async with place.client() as client:
            await import_batch(client, payouts(120), batch_id=BATCH, shard_size=50, announce=carried.announce)
            async with carried.app.open_async():
                assert await carried.enqueue(client, BATCH) == 0
                with psycopg.connect(place.ledger) as connection:
                    connection.execute("DELETE FROM procrastinate_jobs WHERE queueing_lock LIKE '%:0'")
                assert await carried.enqueue(client, BATCH) == 1
        assert len(jobs(place, "todo")) == 3


def test_a_ledger_in_a_file_is_refused(tmp_path: Path) -> None:
    """It says what to use."""
    with pytest.raises(ConfigurationError, match="postgresql://"):
        connector_for(f"sqlite:///{tmp_path / 'ledger.db'}")


async def test_a_repair_asks_once_for_the_jobs_of_all_shards(server: Server, tmp_path: Path) -> None:
    """Of thousands of shards it looks for all jobs at one time, and adds what is missing at one time."""
    async with workplace(server, tmp_path, count=400) as place:
        payouts = carrier(place)
        await place.import_batch(payouts.announce)
        before = jobs(place, "todo")
        assert len(before) == 8
        async with payouts.app.open_async(), place.client() as client:
            asked = Counter[str]()
            for name in ("execute_query_all_async", "execute_query_one_async"):
                counted(payouts.app.connector, name, asked)
            assert await payouts.repair(client) == 0
            assert jobs(place, "todo") == before
            with psycopg.connect(place.ledger) as connection:
                connection.execute("DELETE FROM procrastinate_jobs WHERE id % 2 = 0")
            assert await payouts.repair(client) == 4
            assert sorted(jobs(place, "todo")) == sorted(before)
            # For dead workers, for what waits, and for what is added.
            assert sum(asked.values()) <= 5, asked


def counted(connector: Any, name: str, asked: Counter[str]) -> None:
    """Count the calls of one of its methods."""
    method = getattr(connector, name)

    async def call(*arguments: Any, **named: Any) -> Any:
        asked[name] += 1
        return await method(*arguments, **named)

    setattr(connector, name, call)
