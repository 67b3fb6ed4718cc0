"""What the reading commands say of a batch that workers have not ended: every row of it, begun or not."""

from pathlib import Path

from paypro_async import cancel_batch, run_shard
from tests.cli.worker.test_handing_out import paypro, progress_in
from tests.engines.workplace import BATCH, workplace
from tests.support.fork_server import ForkServer
from tests.support.postgres import Server


async def test_rows_that_nobody_has_begun_are_counted_and_reported(
    server: Server, fork_server: ForkServer, tmp_path: Path
) -> None:
    """By its status, in the ledger at a glance, and in a report, in the order of the source."""
    async with workplace(server, tmp_path, fork_server=fork_server, count=100, faults=0) as place:
        await place.import_batch()
        async with place.client() as client:
            assert (await run_shard(client, BATCH, 50, 70)).done
        code, said = await paypro(place, "status", BATCH, "--json")
        statuses = progress_in(said)["statuses"]
        assert (code, statuses["not_sent"]["rows"], progress_in(said)["rows"]) == (4, 80, 100), said
        assert "80 more are planned for workers, and not begun." in (await paypro(place, "ledger", "show"))[1]
        page = tmp_path / "july.html"
        code, said = await paypro(place, "report", BATCH, "--json", "-o", page)
        assert (code, progress_in(said)["payouts"]) == (0, 100), said
        text = page.read_text()
        numbers = [text.index(f"T{number}") for number in (10, 49, 50, 69, 70, 99)]
        assert numbers == sorted(numbers)
        assert "This batch has not ended" in text
        async with place.client() as client:
            await cancel_batch(client, BATCH)
        assert "cancelled" in (await paypro(place, "status"))[1]
        await paypro(place, "report", BATCH, "-o", page, "--force")
        assert "This batch was cancelled" in page.read_text()
