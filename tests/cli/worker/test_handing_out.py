"""``paypro batch FILE --workers``: a file that workers pay, followed, paused, cancelled and taken up again."""

import asyncio
import csv
import json
import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.engines.workplace import Workplace, workplace
from tests.support.fork_server import ForkServer
from tests.support.merchant import fields
from tests.support.postgres import Server

pytest.importorskip("procrastinate", reason="comes with the extra 'procrastinate'")

ROWS = 40
PAGE = 1000  # so many rows are stored at once
# Whoever stores the second page waits for who holds this lock.
HOLD = f"""
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$;
    CREATE TRIGGER held BEFORE INSERT ON planned FOR EACH ROW WHEN (NEW.position = {PAGE}) EXECUTE FUNCTION wait();
"""


def write_file(folder: Path, *, amount: str = "300", rows: int = ROWS, number: str = "T{}") -> Path:
    """A file of payouts."""
    folder.mkdir(exist_ok=True)
    path = folder / "july.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(fields("T0")))
        writer.writeheader()
        for position in range(rows):
            writer.writerow(fields(number.format(position), amount=amount))
    return path


async def paypro(place: Workplace, *arguments: Any, within: float = 200) -> tuple[int, str]:
    """Run one command to its end; its exit code, and what it said."""
    process = await place.start("-m", "paypro_async", *arguments)
    log = place.folder / f"worker-{len(place.processes) - 1}.log"
    async with asyncio.timeout(within):
        code = await process.wait()
    return code, await asyncio.to_thread(log.read_text)


def progress_in(text: str) -> dict[str, Any]:
    """The object that a command with --json has printed."""
    found: dict[str, Any] = json.loads(text[text.index("{") :])
    return found


async def test_a_file_is_handed_out_and_followed_to_its_end(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """The same questions, result file and exit code as without workers; once more pays nothing twice."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=ROWS, faults=0.1) as place:
        path = write_file(tmp_path)
        await place.start("-m", "paypro_async", "worker")
        refused, said = await paypro(place, "batch", path, "--workers")
        assert refused == 2, said
        code, said = await paypro(place, "batch", path, "--workers", "--yes", "--shard-size", "10", "--json")
        assert code == 0, said
        place.check()
        assert progress_in(said)["rows"] == ROWS
        with (tmp_path / "july.result.csv").open(newline="") as file:
            statuses = {row["paypro_status"] for row in csv.DictReader(file)}
        assert statuses <= {"processing", "succeeded"}
        code, said = await paypro(place, "batch", path, "--workers", "--yes", "--json")
        assert code == 0, said
        place.check()


async def test_a_command_that_is_killed_goes_on_where_it_was(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """At whatever moment: while it imports, or while it follows."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=ROWS, faults=0) as place:
        path = write_file(tmp_path)
        for pause in (0.1, 0.2, 0.4, 1.5):
            process = await place.start("-m", "paypro_async", "batch", path, "--workers", "--yes")
            await asyncio.sleep(pause)
            await place.kill(process)
        await place.start("-m", "paypro_async", "worker")
        code, said = await paypro(place, "batch", path, "--workers", "--yes")
        assert code == 0, said
        place.check()


async def test_it_is_paused_slowed_resumed_and_looked_at(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """Each by a command that goes to the ledger alone."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=ROWS, faults=0) as place:
        path = write_file(tmp_path)
        code, said = await paypro(place, "batch", path, "--workers", "--detach", "--yes", "--rate", "5", "--json")
        assert code == 0, said
        name = place.batch_ids()[0]
        await place.start("-m", "paypro_async", "worker")
        code, said = await paypro(place, "pause", name, "--why", "a look first", "--json")
        paused = progress_in(said)
        assert (code, paused["status"], paused["why"]) == (0, "paused", "a look first")
        code, said = await paypro(place, "batch", path, "--workers", "--yes", "--json")
        assert (code, progress_in(said)["stopped"]) == (4, "paused"), said
        assert "a look first" in said
        code, said = await paypro(place, "status", name)
        assert "Paused" in said, said
        assert "a look first" in said
        assert (await paypro(place, "rate", name, "none"))[0] == 0
        code, said = await paypro(place, "resume", name)
        assert code == 0, said
        code, said = await paypro(place, "batch", path, "--workers", "--yes")
        assert code == 0, said
        place.check()


async def test_one_command_goes_on_after_the_queue_has_lost_everything(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """Also where no worker ran that would have noticed."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=ROWS, faults=0) as place:
        path = write_file(tmp_path)
        await paypro(place, "batch", path, "--workers", "--detach", "--yes")
        with psycopg.connect(place.ledger) as connection:
            connection.execute("DROP TABLE procrastinate_jobs CASCADE")
            connection.execute("DROP TABLE procrastinate_events, procrastinate_periodic_defers, procrastinate_workers")
        code, said = await paypro(place, "resume", place.batch_ids()[0])
        assert code == 0, said
        await place.start("-m", "paypro_async", "worker")
        await place.until_done(batch=place.batch_ids()[0])
        place.check()


async def test_what_is_cancelled_is_told_as_not_sent(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """In the result file too, and nothing of it is ever begun."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=ROWS, faults=0) as place:
        path = write_file(tmp_path)
        await paypro(place, "batch", path, "--workers", "--detach", "--yes")
        name = place.batch_ids()[0]
        assert (await paypro(place, "cancel", name, "--yes"))[0] == 0
        code, said = await paypro(place, "resume", name)
        assert (code, "cancelled" in said) == (2, True), said
        code, said = await paypro(place, "batch", path, "--workers", "--yes")
        assert (code, "cancelled" in said) == (2, True), said
        assert not place.sandbox.books.bookings


async def test_what_cannot_be_handed_out_is_said_before_anything_is_stored(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """A ledger that is a file; --detach alone; a batch that is not there."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=ROWS, faults=0) as place:
        path = write_file(tmp_path)
        for arguments, words in (
            (["batch", path, "--workers", "--yes", "--ledger", tmp_path / "own.db"], "PostgreSQL"),
            (["batch", path, "--detach", "--yes"], "--workers too"),
            (["pause", "nothing"], "holds no batch"),
            (["rate", "nothing", "fast"], "no rate"),
        ):
            code, said = await paypro(place, *arguments)
            assert (code, words in said) == (2, True), said
        assert not (tmp_path / "own.db").exists()


async def test_without_workers_nothing_of_it_is_sent_until_they_have_ended(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """A process by itself would heed neither a pause nor a cancellation."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=ROWS, faults=0) as place:
        path = write_file(tmp_path)
        await paypro(place, "batch", path, "--workers", "--detach", "--yes")
        name = place.batch_ids()[0]
        for change, words in ((None, "given to workers"), ("pause", "given to workers"), ("cancel", "was cancelled")):
            if change is not None:
                assert (await paypro(place, change, name, *(["--yes"] if change == "cancel" else [])))[0] == 0
            code, said = await paypro(place, "batch", path, "--yes")
            assert (code, words in said) == (2, True), said
        assert not place.sandbox.books.bookings

    async with workplace(server, tmp_path, fork_server=fork_server, count=ROWS, faults=0) as place:
        await place.start("-m", "paypro_async", "worker")
        assert (await paypro(place, "batch", path, "--workers", "--yes", "--replace-result"))[0] == 0
        code, said = await paypro(place, "batch", path, "--yes", "--wait")
        assert code == 0, said
        place.check()


@pytest.mark.parametrize("what", [(), ("july.csv",)])
async def test_resume_gives_it_to_its_workers_however_it_is_named(
    what: tuple[str, ...], server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """Also as the only batch that has not ended, of which nothing was begun."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=ROWS, faults=0) as place:
        path = write_file(tmp_path)
        await paypro(place, "batch", path, "--workers", "--detach", "--yes")
        await paypro(place, "pause", place.batch_ids()[0])
        assert "paused" in (await paypro(place, "status"))[1]
        assert "its workers are paused" in (await paypro(place, "ledger", "show"))[1]
        code, said = await paypro(place, "resume", *what)
        assert (code, "1 open shards are with the workers" in said) == (0, True), said
        assert not place.sandbox.books.bookings


async def test_what_was_left_out_may_change_from_one_command_to_the_next(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """Rows that were paid before are left out; one that is to be paid after all is not dropped without a word."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=ROWS, faults=0) as place:
        path = write_file(tmp_path)
        before = write_file(tmp_path / "june", number="U{}", rows=3)
        assert (await paypro(place, "batch", before, "--yes"))[0] == 0
        hand_out = ("batch", path, "--workers", "--detach", "--yes", "--json")
        code, said = await paypro(place, *hand_out, "--skip-paid")
        assert (code, progress_in(said)["left_out"]["rows"]) == (0, 3), said
        code, said = await paypro(place, *hand_out, "--pay-again")
        assert (code, "with 37 of its rows, and 40 are to be paid" in said) == (2, True), said
        await place.start("-m", "paypro_async", "worker")
        code, said = await paypro(place, "batch", path, "--workers", "--yes", "--skip-paid")
        assert code == 0, said
        code, said = await paypro(place, "batch", path, "--yes", "--pay-again")
        assert (code, "3 rows were sent now" in said) == (0, True), said
        assert place.sandbox.books.booked_once([*place.trade_nos, "U0", "U1", "U2"]).exact


async def test_a_signal_while_rows_are_stored_leaves_nothing_with_workers(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """The same command goes on; a new rate that it says holds from then on."""
    rows = 2 * PAGE + 1
    async with workplace(server, tmp_path, fork_server=fork_server, count=rows, faults=0) as place:
        path = write_file(tmp_path, rows=rows)
        async with place.client():  # it makes the tables
            pass
        with psycopg.connect(place.ledger) as held:
            held.execute(HOLD)
            held.commit()
            held.execute("SELECT pg_advisory_xact_lock(1)")
            process = await place.start("-m", "paypro_async", "batch", path, "--workers", "--yes", "--rate", "50")
            async with asyncio.timeout(60):
                while not place.stored():  # noqa: ASYNC110  another process stores them
                    await asyncio.sleep(0.02)
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            assert await process.wait() == 130
        log = (tmp_path / "worker-0.log").read_text()
        assert "Stopped while the rows were stored" in log, log
        assert 0 < place.stored() < rows
        await paypro(place, "batch", path, "--workers", "--detach", "--yes")
        code, said = await paypro(place, "batch", path, "--workers", "--detach", "--yes", "--rate", "70")
        assert code == 0, said
        assert place.stored() == rows
        assert "70 a second at most" in (await paypro(place, "status", place.batch_ids()[0]))[1]
