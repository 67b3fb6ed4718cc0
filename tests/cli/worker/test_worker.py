"""``paypro worker``: as a supervisor starts it, looks after it and ends it."""

import asyncio
import json
import re
from pathlib import Path

import httpx
import pytest

from tests.engines.workplace import Workplace, terminated, workplace
from tests.support.fork_server import ForkServer
from tests.support.postgres import Server

pytest.importorskip("procrastinate", reason="comes with the extra 'procrastinate'")

from paypro_async.integrations.procrastinate import add_payout_tasks, app_for

WORKER = ("-m", "paypro_async", "worker")


async def said(place: Workplace, pattern: str, *, within: float = 90) -> re.Match[str]:
    """Wait until a worker has said that."""
    async with asyncio.timeout(within):
        while (found := re.search(pattern, place.logs())) is None:  # noqa: ASYNC110  it stands in a file
            await asyncio.sleep(0.05)
    return found


async def test_it_pays_and_tells_how_far_it_is(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """A line of JSON for each unfinished batch, with counts and sums that add up; and it ends as it said it would."""
    async with workplace(server, tmp_path, fork_server=fork_server) as place:
        await place.import_batch(add_payout_tasks(app_for(place.ledger), place.client).announce, rate=150)
        worker = await place.start(*WORKER, "--progress", "0.3")
        await place.until_done()
        place.check()
        assert await terminated(worker, within=30) == 0, place.logs()
        lines = [json.loads(line) for line in place.logs().splitlines() if line.startswith("{")]
        assert {line["batch_id"] for line in lines} == {"july"}
        assert all(sum(line["counts"].values()) == line["total"] == place.count for line in lines)
        assert "The worker has ended" in place.logs()


async def test_its_health_says_whether_it_can_work(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """Alive at all times; ready while it takes jobs and its ledger answers, and not once it was told to end."""
    async with workplace(server, tmp_path, fork_server=fork_server, faults=0) as place:
        await place.import_batch(add_payout_tasks(app_for(place.ledger), place.client).announce, rate=20)
        worker = await place.start(*WORKER, "--health", "127.0.0.1:0", "--drain", "3")
        port = (await said(place, r"on port (\d+)"))[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            await place.until(5)
            ready = await http.get("/ready")
            assert (ready.status_code, ready.json()["ledger"], ready.json()["queue"]) == (200, "ok", "ok")
            assert (await http.get("/live")).json()["shards"]
            assert (await http.get("/")).status_code == 404
            assert (await http.head("/live")).status_code == 200
            worker.terminate()
            await said(place, "Told to end")
            stopping = await http.get("/ready")
            assert (stopping.status_code, stopping.json()["status"]) == (503, "stopping")
        async with asyncio.timeout(60):
            assert await worker.wait() == 0


async def test_it_is_not_ready_while_its_server_is_away(fork_server: ForkServer, tmp_path: Path) -> None:
    """It stays alive, says why, and is ready again by itself."""
    with Server() as server:
        async with workplace(server, tmp_path, fork_server=fork_server, faults=0) as place:
            await place.import_batch(add_payout_tasks(app_for(place.ledger), place.client).announce, rate=50)
            await place.start(*WORKER, "--health", "127.0.0.1:0")
            port = (await said(place, r"on port (\d+)"))[1]
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
                await place.until(5)
                server.stop()
                assert (await http.get("/live")).status_code == 200
                assert (await http.get("/ready")).status_code == 503
                server.start()
                await place.until_done()
                assert (await http.get("/ready")).status_code == 200
            place.check()


async def test_what_it_lacks_is_said_before_it_begins(server: Server, fork_server: ForkServer, tmp_path: Path) -> None:
    """A ledger that is a file, none at all, a port that is taken: each with what to do."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=1) as place:
        for arguments, words in (
            (["--ledger", str(tmp_path / "ledger.db")], "postgresql://"),
            (["--health", "nonsense"], "HOST:PORT"),
            (["--shards", "0"], "shards"),
        ):
            worker = await place.start(*WORKER, *arguments)
            async with asyncio.timeout(60):
                assert await worker.wait() == 2
            await said(place, words)
