"""``paypro batch FILE --workers``: a file that workers pay, followed, paused, cancelled and taken up again."""

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.engines.workplace import Workplace, workplace
from tests.support.merchant import fields
from tests.support.postgres import Server

pytest.importorskip("procrastinate", reason="comes with the extra 'procrastinate'")

ROWS = 120


def write_file(folder: Path, *, amount: str = "300", rows: int = ROWS) -> Path:
    """A file of payouts."""
    path = folder / "july.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(fields("T0")))
        writer.writeheader()
        for number in range(rows):
            writer.writerow(fields(f"T{number}", amount=amount))
    return path


async def paypro(place: Workplace, *arguments: Any, within: float = 60) -> tuple[int, str]:
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


async def test_a_file_is_handed_out_and_followed_to_its_end(server: Server, tmp_path: Path) -> None:
    """The same questions, result file and exit code as without workers; once more pays nothing twice."""
    async with workplace(server, tmp_path, count=ROWS, faults=0.05) as place:
        path = write_file(tmp_path)
        await place.start("-m", "paypro_async", "worker")
        refused, said = await paypro(place, "batch", path, "--workers")
        assert refused == 2, said
        code, said = await paypro(place, "batch", path, "--workers", "--yes", "--shard-size", "20", "--json")
        assert code == 0, said
        place.check()
        assert progress_in(said)["rows"] == ROWS
        with (tmp_path / "july.result.csv").open(newline="") as file:
            statuses = {row["paypro_status"] for row in csv.DictReader(file)}
        assert statuses <= {"processing", "succeeded"}
        code, said = await paypro(place, "batch", path, "--workers", "--yes", "--json")
        assert code == 0, said
        place.check()


async def test_a_command_that_is_killed_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    """At whatever moment: while it imports, or while it follows."""
    async with workplace(server, tmp_path, count=ROWS, faults=0) as place:
        path = write_file(tmp_path)
        for pause in (0.9, 1.2, 1.6, 2.5):
            process = await place.start("-m", "paypro_async", "batch", path, "--workers", "--yes")
            await asyncio.sleep(pause)
            await place.kill(process)
        await place.start("-m", "paypro_async", "worker")
        code, said = await paypro(place, "batch", path, "--workers", "--yes")
        assert code == 0, said
        place.check()


async def test_it_is_paused_slowed_resumed_and_looked_at(server: Server, tmp_path: Path) -> None:
    """Each by a command that goes to the ledger alone."""
    async with workplace(server, tmp_path, count=ROWS, faults=0) as place:
        path = write_file(tmp_path)
        code, said = await paypro(place, "batch", path, "--workers", "--detach", "--yes", "--rate", "20", "--json")
        assert code == 4, said
        name = place.batch_ids()[0]
        await place.start("-m", "paypro_async", "worker")
        code, said = await paypro(place, "pause", name, "--why", "a look first", "--json")
        paused = progress_in(said)
        assert (code, paused["status"], paused["why"]) == (0, "paused", "a look first")
        code, said = await paypro(place, "batch", path, "--workers", "--yes", "--json")
        assert (code, progress_in(said)["stopped"]) == (4, "a look first"), said
        code, said = await paypro(place, "status", name)
        assert "Paused" in said, said
        assert "a look first" in said
        assert (await paypro(place, "rate", name, "none"))[0] == 0
        code, said = await paypro(place, "resume", name)
        assert code == 0, said
        code, said = await paypro(place, "batch", path, "--workers", "--yes")
        assert code == 0, said
        place.check()


async def test_one_command_goes_on_after_the_queue_has_lost_everything(server: Server, tmp_path: Path) -> None:
    """Also where no worker ran that would have noticed."""
    async with workplace(server, tmp_path, count=ROWS, faults=0) as place:
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


async def test_what_is_cancelled_is_told_as_not_sent(server: Server, tmp_path: Path) -> None:
    """In the result file too, and nothing of it is ever begun."""
    async with workplace(server, tmp_path, count=ROWS, faults=0) as place:
        path = write_file(tmp_path)
        await paypro(place, "batch", path, "--workers", "--detach", "--yes")
        name = place.batch_ids()[0]
        assert (await paypro(place, "cancel", name, "--yes"))[0] == 0
        code, said = await paypro(place, "resume", name)
        assert (code, "cancelled" in said) == (2, True), said
        code, said = await paypro(place, "batch", path, "--workers", "--yes")
        assert (code, "cancelled" in said) == (2, True), said
        assert not place.sandbox.books.bookings


async def test_what_cannot_be_handed_out_is_said_before_anything_is_stored(server: Server, tmp_path: Path) -> None:
    """A ledger that is a file; --detach alone; a batch that is not there."""
    async with workplace(server, tmp_path, count=ROWS, faults=0) as place:
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
