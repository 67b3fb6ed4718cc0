"""Processes that pay are killed at random, on a platform that loses, lags and lies; every row is paid once."""

import pytest

from tests.soak.audit import audit
from tests.soak.crowd import Crowd
from tests.soak.payer import LAG
from tests.soak.platform import FaultyPlatform
from tests.support.fork_server import ForkServer

pytestmark = [pytest.mark.trial, pytest.mark.timeout(900)]  # a busy machine needs longer than a test of one payout


async def test_one_process_after_another_is_killed(fork_server: ForkServer, database_url: str):
    """The next one goes on where the last one died."""
    async with FaultyPlatform(seed=1, tries=1, query_faults=0.05, processing=0.02, lag=LAG) as platform:
        crowd = Crowd(fork_server, platform, {"ledger": database_url})
        await crowd.go(first=0, count=600, kills=15)
        found = audit(platform, database_url, range(600))
        assert found.clean, (found, platform.longest_stall, crowd.tally.errors)
        assert crowd.tally.kills >= 10


@pytest.mark.parametrize("processes", [4])
async def test_many_processes_pay_one_list(fork_server: ForkServer, database_url: str, processes: int):
    """Two of them are killed each second and replaced; each row is booked once, whoever sent it."""
    async with FaultyPlatform(seed=2, faults=0.1, tries=1, query_faults=0.05, processing=0.0, lag=LAG) as platform:
        crowd = Crowd(
            fork_server, platform, {"ledger": database_url, "concurrency": 15}, processes=processes, kill_every=0.5
        )
        await crowd.go(first=0, count=600, kills=10)
        found = audit(platform, database_url, range(600))
        assert found.clean, (found, platform.longest_stall, crowd.tally.errors)
        assert crowd.tally.kills >= 4
