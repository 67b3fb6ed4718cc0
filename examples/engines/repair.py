"""Repairs any loss of an engine: python -m examples.engines.repair examples.engines.nats_worker, beside the workers."""

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable, Sequence

from paypro_async import PayProClient, Shard, open_shards, unfinished_batches


async def repair(enqueue: Callable[[Sequence[Shard]], Awaitable[None]], *, idle_for: float = 60) -> None:
    async with PayProClient.from_env() as client:
        for batch in await unfinished_batches(client):
            idle = await open_shards(client, batch.batch_id, idle_for=idle_for)
            # While workers are at some, the others may just wait for their turn in the queue.
            if idle and len(idle) == len(await open_shards(client, batch.batch_id)):
                await enqueue(idle)


async def main(worker: str) -> None:
    while True:
        await repair(importlib.import_module(worker).enqueue)
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
