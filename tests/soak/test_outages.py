"""PostgreSQL crashes under load: no outcome is lost, nothing is paid twice, and no call outlives its deadline."""

import pytest

from tests.soak.audit import audit
from tests.soak.crowd import Crowd
from tests.soak.outages import BEYOND_SECONDS, CALL_SECONDS, pay_through_outages
from tests.soak.payer import LAG
from tests.soak.platform import FaultyPlatform
from tests.support.fork_server import ForkServer
from tests.support.postgres import Server

pytestmark = [pytest.mark.trial, pytest.mark.timeout(900)]  # a busy machine needs longer than a test of one payout


async def test_the_server_crashes_and_comes_back(fork_server: ForkServer):
    """Three times, with a batch and single calls under way; the same command once more finds every row at its end."""
    with Server(durable=True) as server:
        url = await server.ledger()
        async with FaultyPlatform(seed=3, faults=0.05, tries=1, processing=0.0, lag=LAG) as platform:
            crowd = Crowd(fork_server, platform, {"ledger": url})
            tally = await pay_through_outages(crowd, server, first=0, count=300, restarts=3)
            found = audit(platform, url, range(300))
    assert found.clean, (found, platform.longest_stall, tally.errors)
    assert (tally.runs, tally.stops) == (1, [])
    assert tally.longest <= CALL_SECONDS + BEYOND_SECONDS
