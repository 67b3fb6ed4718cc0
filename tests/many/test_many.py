"""The trials of many workers, small: whatever is killed, books and ledger are equal in the end."""

import asyncio
import signal
from pathlib import Path

import pytest

from paypro_async import open_shards, run_shard
from tests.engines.workplace import BATCH, workplace
from tests.many.__main__ import options_of, run
from tests.many.figures import most_in_a_second, used
from tests.support.postgres import Server

_RUNNER = "tests.many.worker"


pytestmark = pytest.mark.filterwarnings("ignore:amount has decimals")  # of which some are paid here


@pytest.mark.trial
async def test_workers_are_killed_and_the_server_is_restarted(capsys: pytest.CaptureFixture[str]) -> None:
    """Each row is booked once, none is lost, the ledger says so; and it is all told in words.

    Without an engine; `nox -s many` has Procrastinate.
    """
    assert await run(options_of(["--engine", "none", "--payouts", "600", "--shard-size", "50"])) == 0
    told = capsys.readouterr().out
    assert "Books and ledger are equal: every payout once." in told
    assert "PostgreSQL is stopped (immediate)" in told
    assert "another one takes its place" in told


@pytest.mark.trial
async def test_a_worker_that_stood_still_pays_nothing_twice(server: Server, tmp_path: Path) -> None:
    """It is stopped in the middle of its shards, the others finish these, and then it goes on."""
    async with workplace(server, tmp_path) as place:
        await place.import_batch()
        frozen = await place.start("-m", _RUNNER, BATCH, "20")
        await place.until(40)
        frozen.send_signal(signal.SIGSTOP)
        await place.start("-m", _RUNNER, BATCH, "20")
        await place.until_done()
        frozen.send_signal(signal.SIGCONT)
        await asyncio.sleep(3)
        assert frozen.returncode is None, place.logs()
        place.check()


async def test_every_shard_is_run_twice_at_the_same_time(server: Server, tmp_path: Path) -> None:
    """By two clients, as two workers have them."""
    async with workplace(server, tmp_path, count=200) as place:
        await place.import_batch()
        async with place.client() as one, place.client() as other:
            shards = await open_shards(one, BATCH)
            runs = [run_shard(client, BATCH, shard.low, shard.high) for shard in shards for client in (one, other)]
            await asyncio.gather(*runs)
        place.check()


def test_the_fullest_second_is_found_wherever_it_begins() -> None:
    """And the share of the rate is that of the time in which there was work."""
    arrivals = [0.0, 0.9, 0.95, 1.5, 1.85, 1.95, 5.0]
    assert most_in_a_second(arrivals) == 4
    assert used([n / 10 for n in range(101)], 10) == pytest.approx(1.0)
