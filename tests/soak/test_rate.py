"""Processes that share one ledger share one rate."""

import asyncio
import signal

import pytest

from tests.soak.audit import audit
from tests.soak.crowd import Crowd
from tests.soak.payer import LAG
from tests.soak.platform import FaultyPlatform
from tests.support.fork_server import ForkServer

RATE = 50
COUNT = 300
ALLOWED = 1.07

pytestmark = [pytest.mark.trial, pytest.mark.timeout(900)]  # a busy machine needs longer than a test of one payout


def most_in_a_second(arrivals: list[float]) -> int:
    """The largest number of arrivals in any second."""
    most = first = 0
    for last, arrived in enumerate(arrivals):
        while arrived - arrivals[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


async def test_processes_keep_one_rate_together(fork_server: ForkServer, database_url: str):
    """Three pay a list each, one of them dies in the middle; in no second does the platform see more than the rate."""
    async with FaultyPlatform(seed=5, faults=0.0, query_faults=0.0, processing=0.0, slow=0.0, lag=LAG) as platform:
        crowd = Crowd(fork_server, platform, {"ledger": database_url, "rate": RATE})
        running = [crowd.start(first=one * COUNT // 3, count=COUNT // 3) for one in range(3)]
        while len(platform.arrivals) < COUNT // 3:  # noqa: ASYNC110  other processes bring it about
            await asyncio.sleep(0.01)
        running[0].signal(signal.SIGKILL)
        for child in running:
            await child.ended(within=60)
        began, ended = platform.arrivals[0], platform.arrivals[-1]
        sent = len(platform.arrivals)
        await crowd.finish(first=0, count=COUNT)
        found = audit(platform, database_url, range(COUNT))
    assert found.clean, found
    assert most_in_a_second(platform.arrivals) <= RATE * ALLOWED
    # Turns that were taken ahead are lost with the one that dies, and a busy machine takes more of them ahead.
    assert sent / (ended - began) >= RATE * 0.4
