"""A plan is applied by processes that are killed; every row is paid once, and every sum is the same."""

from pathlib import Path

import pytest

from tests.soak.payer import LAG
from tests.soak.plans import pay_a_plan
from tests.soak.platform import FaultyPlatform
from tests.support.fork_server import ForkServer

pytestmark = [pytest.mark.trial, pytest.mark.timeout(900)]  # a busy machine needs longer than a test of one payout


async def test_a_plan_is_applied_through_kills(tmp_path: Path, fork_server: ForkServer, database_url: str) -> None:
    """Books, summary, result file and report agree to the paisa."""
    async with FaultyPlatform(seed=3, faults=0.1, tries=1, query_faults=0.05, processing=0.02, lag=LAG) as platform:
        found = await pay_a_plan(fork_server, tmp_path, platform, database_url, payouts=600, kills=5)
    assert found.clean, (str(found), found.audit)
    assert found.kills == 5
