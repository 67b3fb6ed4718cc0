import asyncio
import itertools
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from paypro_async import batch_progress, open_shards, pause_batch, resume_batch
from paypro_async.errors import ConfigurationError
from tests.engines.workplace import BATCH, Workplace, terminated, workplace
from tests.support.postgres import Server

pytest.importorskip("dbos", reason="DBOS is large; 'nox -s engines' has it")

from paypro_async.integrations import dbos

WORKER = "examples/engines/dbos_worker.py"
QUICK = "tests/engines/programs/quick_dbos.py"
_ROWS = "SELECT workflow_uuid, status, executor_id FROM dbos.workflow_status WHERE queue_name = 'paypro'"


def carrier(place: Workplace, **settings: float) -> "dbos.PayoutWorkflows":
    return dbos.add_payout_workflows(place.ledger, place.client, **settings)


async def announcing(place: Workplace) -> Callable[..., None]:
    carriers = carrier(place)
    await carriers.prepare()
    return carriers.announce


def rows(place: Workplace, status: str) -> list[tuple[str, ...]]:
    with psycopg.connect(place.ledger) as connection:
        return [row for row in connection.execute(_ROWS).fetchall() if row[1] == status]


async def test_a_worker_that_is_killed_leaves_its_shards_to_the_living(server: Server, tmp_path: Path) -> None:
    """Two workers, one killed and not replaced: the other one takes over within seconds, and nobody is paid twice."""
    async with workplace(server, tmp_path, count=400) as place:
        await place.import_batch(await announcing(place))
        doomed, _ = await place.start(WORKER), await place.start(WORKER)
        await place.until(place.count // 4)
        await place.kill(doomed)
        await place.until_done()
        place.check()


@pytest.mark.trial
async def test_all_workers_are_killed_and_a_new_one_goes_on(server: Server, tmp_path: Path) -> None:
    """The new one has another name, by which DBOS itself would leave all of it where it is."""
    async with workplace(server, tmp_path, count=400) as place:
        await place.import_batch(await announcing(place))
        doomed = [await place.start(WORKER), await place.start(WORKER)]
        await place.until(place.count // 4)
        for process in doomed:
            await place.kill(process)
        await place.start(WORKER)
        await place.until_done()
        place.check()


async def test_every_shard_delivered_twice_at_the_same_time_pays_once(server: Server, tmp_path: Path) -> None:
    async with workplace(server, tmp_path, count=400) as place:
        announce = await announcing(place)
        await place.import_batch(announce)
        with psycopg.connect(place.ledger) as connection:
            connection.execute("UPDATE dbos.workflow_status SET workflow_uuid = workflow_uuid || ':7'")
            connection.execute("UPDATE dbos.workflow_input SET workflow_uuid = workflow_uuid || ':7'")
        await place.import_batch(announce)
        assert len(rows(place, "ENQUEUED")) >= 2 * place.count // 50
        await place.start(WORKER)
        await place.start(WORKER)
        await place.until_done()
        place.check()


@pytest.mark.trial
async def test_told_to_end_a_worker_gives_its_shards_back(server: Server, tmp_path: Path) -> None:
    """Nothing waits for its death to be noticed: what is open stands in the queue when the process is gone."""
    async with workplace(server, tmp_path) as place:
        await place.import_batch(await announcing(place), rate=100)
        worker = await place.start(WORKER)
        await place.until(40)
        assert await terminated(worker, within=60) == 0, place.logs()
        assert rows(place, "PENDING") == []
        async with place.client() as client:
            still_open = await open_shards(client, BATCH)
        assert len({row[0].rsplit(":", 2)[0] for row in rows(place, "ENQUEUED") + rows(place, "DELAYED")}) >= len(
            still_open
        )
        await place.start(WORKER)
        await place.until_done()
        place.check()


@pytest.mark.trial
async def test_the_tables_of_dbos_are_dropped_while_it_works(server: Server, tmp_path: Path) -> None:
    """The workers themselves make them anew and enqueue what is open."""
    async with workplace(server, tmp_path) as place:
        await place.import_batch(await announcing(place), rate=100)
        await place.start(QUICK)
        await place.start(QUICK)
        await place.until(100)
        with psycopg.connect(place.ledger) as connection:
            connection.execute("DROP SCHEMA dbos CASCADE")
        await place.until_done()
        place.check()


@pytest.mark.trial
async def test_a_worker_that_stands_still_is_overtaken_and_does_no_harm_when_it_goes_on(
    server: Server, tmp_path: Path
) -> None:
    """It holds its lock, so it counts as alive; but its shards have nobody, and the repair gives them to the others."""
    async with workplace(server, tmp_path) as place:
        await place.import_batch(await announcing(place), rate=100)
        frozen = await place.start(QUICK)
        await place.start(QUICK)
        await place.until(100)
        frozen.send_signal(signal.SIGSTOP)
        await place.until_done()
        frozen.send_signal(signal.SIGCONT)
        await asyncio.sleep(2)
        assert frozen.returncode is None
        place.check()


@pytest.mark.trial
async def test_kills_and_crashes_of_the_database_pay_each_row_once(tmp_path: Path) -> None:
    """One of four workers is killed every two seconds and replaced, and PostgreSQL crashes twice."""
    with Server() as server:
        async with workplace(server, tmp_path, count=1500) as place:
            await place.import_batch(await announcing(place), rate=150)
            workers = [await place.start(WORKER) for _ in range(4)]
            storm = asyncio.create_task(kill_and_crash(place, server, workers))
            try:
                await place.until_done()
            finally:
                storm.cancel()
            assert place.kills >= 4
            place.check()


async def kill_and_crash(place: Workplace, server: Server, workers: list[asyncio.subprocess.Process]) -> None:
    for number in itertools.count():
        await asyncio.sleep(2)
        await place.kill(workers[number % len(workers)])
        workers[number % len(workers)] = await place.start(WORKER)
        if number in (1, 3):
            await asyncio.to_thread(server.restart, pause=0.3)


async def test_shards_are_found_where_the_import_could_not_enqueue_them(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first batch is imported before any worker has made DBOS's tables, or these stand in another database."""
    async with workplace(server, tmp_path, count=100) as place:
        await place.import_batch(carrier(place).announce)
        assert "2 shards of batch july are not enqueued" in caplog.text
        await place.start(WORKER, DATABASE_URL=server.database())
        await place.until_done()
        place.check()


async def test_one_call_enqueues_what_is_open_and_nothing_twice(server: Server, tmp_path: Path) -> None:
    """It repairs any loss; where nothing was lost it does nothing."""
    async with workplace(server, tmp_path, count=100) as place:
        await place.import_batch()
        carriers = carrier(place)
        await carriers.prepare()
        async with place.client() as client:
            assert await carriers.enqueue(client, BATCH) == 2
            assert await carriers.enqueue(client, BATCH) == 0
        await place.start(WORKER)
        await place.until_done()
        place.check()


@pytest.mark.trial
async def test_a_claim_that_was_lost_on_its_way_is_taken_up(server: Server, tmp_path: Path) -> None:
    """The database was gone between the claim of a workflow and its start: its worker lives, and does nothing."""
    async with workplace(server, tmp_path) as place:
        await place.import_batch(await announcing(place), rate=100)
        await place.start(WORKER)
        await place.until(20)
        ((_, _, executor), *_) = rows(place, "PENDING")
        with psycopg.connect(place.ledger) as connection:
            connection.execute(
                "UPDATE dbos.workflow_status SET status = 'PENDING', executor_id = %s, application_version = %s "
                "WHERE status = 'ENQUEUED'",
                [executor, "paypro-shards-1"],
            )
        await place.until_done()
        place.check()


@pytest.mark.trial
async def test_a_paused_batch_goes_on_once_it_is_resumed(server: Server, tmp_path: Path) -> None:
    async with workplace(server, tmp_path) as place:
        await place.import_batch(await announcing(place), rate=100)
        await place.start(QUICK)
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


async def test_two_workers_of_one_name_are_refused(server: Server, tmp_path: Path) -> None:
    """DBOS would let each take the other's workflows for its own."""
    async with workplace(server, tmp_path, count=50) as place:
        await place.import_batch()
        first = dbos.Executors(place.ledger, "worker-1", dead_after=2)
        second = dbos.Executors(place.ledger, "worker-1", dead_after=2)
        await first.wait()
        with pytest.raises(ConfigurationError, match="calls itself 'worker-1' too"):
            await second.wait()
        first.close()
        await second.wait()
        second.close()


def test_a_configuration_that_no_dead_worker_survives_is_refused() -> None:
    config = dbos.payout_config("postgresql://localhost/ledger")
    for missing in ("executor_id", "application_version"):
        with pytest.raises(ConfigurationError, match="payout_config"):
            dbos.add_payout_workflows({**config, missing: None}, lambda: None)
    with pytest.raises(ConfigurationError, match="postgresql://"):
        dbos.add_payout_workflows("sqlite:///dbos.db", lambda: None)
