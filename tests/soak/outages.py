"""PostgreSQL is stopped in the middle of everything and started again, while payouts go out."""

import asyncio

from attrs import evolve

from tests.soak.crowd import Crowd, Tally
from tests.support.postgres import Server

CALL_SECONDS = 5.0
# A call may take so long beyond its deadline to store an answer that has come (engine/payout.py); machines are busy.
BEYOND_SECONDS = 5.0 + 2.0


async def pay_through_outages(
    crowd: Crowd, server: Server, *, first: int, count: int, restarts: int, within: float = 300.0
) -> Tally:
    """One process pays half of the rows by a batch, another one the rest by calls with a deadline."""
    half = count // 2
    pace = {"rate": 40.0} if count <= 1000 else {}
    batch = crowd.start(first=first, count=half, **pace)
    calls = crowd.start(first=first + half, count=count - half, calls=CALL_SECONDS, pause=0.1)
    random, arrivals = crowd.platform.random, crowd.platform.arrivals
    for _ in range(restarts):
        seen = len(arrivals)
        async with asyncio.timeout(60):
            while len(arrivals) < seen + 10 and None in (batch.poll(), calls.poll()):  # noqa: ASYNC110  other processes
                await asyncio.sleep(0.02)
        await asyncio.sleep(random.random() * 0.5)
        await asyncio.to_thread(server.restart, pause=random.random())
    for child in (batch, calls):
        await child.ended(within=within)
        crowd.tally.take(child)
    await crowd.finish(first=first, count=count)
    return evolve(crowd.tally, kills=restarts)
