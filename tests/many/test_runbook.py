"""What docs/runbook.md says to do is done here, with real servers, real workers and the commands of the page."""

import asyncio
import re
from pathlib import Path

import psycopg
import pytest

from paypro_async import ItemStatus
from tests.engines.workplace import BATCH, ROOT, Workplace, workplace
from tests.many.gate import Gate
from tests.support.fork_server import ForkServer
from tests.support.pooler import Pooler, needs_pgbouncer
from tests.support.postgres import Server

pytest.importorskip("procrastinate", reason="comes with the extra 'procrastinate'")

from paypro_async.integrations.procrastinate import add_payout_tasks, app_for

PAGE = ROOT / "docs" / "runbook.md"
# Few at one time: what is tried here is what a person does, and on a busy machine all of it is slow.
WORKER = ("-m", "paypro_async", "worker", "--shards", "2", "--concurrency", "8")
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
_FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON event EXECUTE FUNCTION full_disk();
"""
pytestmark = pytest.mark.trial


async def planned(place: Workplace, *, rate: float | None = 100) -> None:
    await place.import_batch(add_payout_tasks(app_for(place.ledger), place.client).announce, rate=rate)


async def paypro(place: Workplace, *arguments: str) -> str:
    """Run a command as a person does; what it said."""
    process = await place.start("-m", "paypro_async", *arguments)
    async with asyncio.timeout(60):
        code = await process.wait()
    said = place.logs()
    assert code in (0, 4, 5), said
    return said


async def test_all_workers_and_the_queues_tables_are_gone(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """A worker that is started makes the tables, and finishes what stands in the ledger as open."""
    async with workplace(server, tmp_path, fork_server=fork_server) as place:
        await planned(place)
        doomed = await place.start(*WORKER)
        await place.until(100)
        await place.kill(doomed)
        with psycopg.connect(place.ledger) as connection:
            connection.execute(_DROP)
        await paypro(place, "resume", BATCH, "--detach")
        await place.start(*WORKER)
        await place.until_done()
        place.check()


async def test_the_platform_is_away(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """Nothing is sent meanwhile; when it is back the workers go on by themselves within half a minute."""
    async with (
        workplace(server, tmp_path, fork_server=fork_server, faults=0) as place,
        Gate(place.sandbox.base_url) as gate,
    ):
        place.environment["PAYPRO_BASE_URL"] = gate.url
        await planned(place)
        await place.start(*WORKER)
        await place.until(80)
        await gate.shut()
        await asyncio.sleep(1)
        before = len(place.sandbox.books.bookings)
        await asyncio.sleep(4)
        assert len(place.sandbox.books.bookings) == before < place.count
        await gate.open()
        await place.until_done()
        place.check()


async def test_credentials_are_refused(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """The batch is paused for all workers, says why, and goes on when it is told to."""
    async with workplace(server, tmp_path, fork_server=fork_server, faults=0) as place:
        await planned(place)
        place.environment["PAYPRO_SECRET"] = "the old secret"
        wrong = await place.start(*WORKER)
        await place._until(lambda progress: progress.batch.status == "paused", within=60)
        assert (await place.progress()).batch.why == "bad_credentials"
        assert place.sandbox.books.bookings == []
        await place.kill(wrong)
        place.environment["PAYPRO_SECRET"] = "sandbox-secret"
        await place.start(*WORKER)
        await paypro(place, "resume", BATCH, "--detach")
        await place.until_done()
        compared = place.sandbox.books.booked_once(place.trade_nos)
        # What was refused may have failed for good; then the ledger says so, and it stands in no books.
        assert (compared.twice, compared.unexpected) == ((), ())
        assert len(compared.missing) == place.states()["failed"]


async def test_the_rate_is_wrong(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """It is changed while workers pay."""
    async with workplace(server, tmp_path, fork_server=fork_server) as place:
        await planned(place, rate=2)
        await place.start(*WORKER)
        await place.until(4)
        await paypro(place, "rate", BATCH, "200")
        await place.until_done()
        place.check()


async def test_a_batch_is_paused_and_cancelled(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """What was not begun never is; what was begun is booked once."""
    async with workplace(server, tmp_path, fork_server=fork_server, faults=0) as place:
        await planned(place, rate=40)
        await place.start(*WORKER)
        await place.until(40)
        await paypro(place, "pause", BATCH, "--why", "a wrong list")
        await asyncio.sleep(3)
        await paypro(place, "cancel", BATCH, "--yes")
        # What was begun and did not arrive is asked about first.
        await place._until(lambda progress: progress.under_way == 0, within=60)
        before = place.sandbox.books.bookings[:]
        await asyncio.sleep(4)
        assert place.sandbox.books.bookings == before
        paid = [one.trade_no for one in before]
        assert len(set(paid)) == len(paid) < place.count
        assert (await place.progress()).counts[ItemStatus.NOT_SENT] == place.count - len(paid)


async def test_the_servers_disk_is_full(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """Nothing is begun that cannot be written down; with room again the workers go on by themselves."""
    async with workplace(server, tmp_path, fork_server=fork_server) as place:
        place.environment["PAYPRO_LOG"] = "warning"
        await planned(place)
        worker = await place.start(*WORKER)
        await place.until(80)
        with psycopg.connect(place.ledger) as connection:
            connection.execute(_FULL)
        await asyncio.sleep(2)
        before = len(place.sandbox.books.requests)
        await asyncio.sleep(4)
        assert len([one for one in place.sandbox.books.requests[before:] if one.path.endswith("/payout")]) == 0
        async with asyncio.timeout(60):
            while "disk is full" not in place.logs():  # noqa: ASYNC110  it stands in a file
                await asyncio.sleep(0.2)
        with psycopg.connect(place.ledger) as connection:
            connection.execute("DROP TRIGGER full_disk ON event")
        await place.until_done()
        assert worker.returncode is None
        place.check()


@needs_pgbouncer
async def test_a_pooler_in_transaction_mode_stands_in_the_way(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """Workers pay behind it, and look for jobs each second."""
    async with workplace(server, tmp_path, fork_server=fork_server) as place:
        await planned(place)
        with Pooler(server, pool_mode="transaction") as pooler:
            place.environment["PAYPRO_LEDGER"] = pooler.url(place.ledger)
            await place.start(*WORKER)
            await place.until_done()
            place.check()
            await place.end()


async def test_a_backup_from_the_middle_of_a_batch_is_put_back(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """Of what it has forgotten the platform is asked first, and nobody is paid twice."""
    async with workplace(server, tmp_path, fork_server=fork_server, faults=0) as place:
        await planned(place)
        worker = await place.start(*WORKER)
        await place.until(50)
        dump = await asyncio.to_thread(server.dump, place.ledger)
        await place.until(150)
        await place.kill(worker)
        place.ledger = await asyncio.to_thread(server.database)
        await asyncio.to_thread(server.restore, place.ledger, dump)
        place.environment["PAYPRO_LEDGER"] = place.ledger
        await paypro(place, "ledger", "restored", "--begin")
        await place.start(*WORKER)
        await paypro(place, "resume", BATCH, "--detach")
        await place.until_done()
        place.check()
        await paypro(place, "ledger", "restored", "--end", "--yes")


def test_each_entry_names_a_test_that_exists() -> None:
    """A page whose rehearsal was renamed would not be rehearsed any more."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())
    assert len(named) >= PAGE.read_text().count("\n## ") - 1
    for path, name in named:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"
