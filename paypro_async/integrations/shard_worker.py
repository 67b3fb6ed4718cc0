"""What a worker does under any engine: it waits for a ledger that is down, and never gives a shard up for that."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from paypro_async.batch.shards import run_shard
from paypro_async.client import PayProClient
from paypro_async.errors import LedgerUnavailableError
from paypro_async.ledger.shared import Shard
from paypro_async.log import logger

__all__ = ["SHORTEST_PAUSE", "opened", "pay_patiently"]

SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


@asynccontextmanager
async def opened(make_client: Callable[[], PayProClient]) -> AsyncIterator[PayProClient]:
    """A client for the time of the block, open as soon as there is a ledger."""
    while True:
        client = make_client()
        try:
            await client.open()
        except LedgerUnavailableError as error:
            logger.warning("The worker waits for its ledger: %s", error)
            await asyncio.sleep(SHORTEST_PAUSE)
            continue
        try:
            yield client
        finally:
            await client.aclose()
        return


async def pay_patiently(client: PayProClient, shard: Shard, *, concurrency: int) -> float | None:
    """Pay what can be paid of a shard now.

    Returns:
        The seconds after which the shard must be run again; None if there is nothing to be done for it.
    """
    pause = SHORTEST_PAUSE
    while True:
        try:
            report = await run_shard(client, shard.batch_id, shard.low, shard.high, concurrency=concurrency, wait=False)
        except LedgerUnavailableError as error:
            logger.warning("Shard %s waits %.0f s for the ledger: %s", shard.key, pause, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        else:
            return report.again_in
