"""A batch by Ray: python examples/engines/ray_batch.py BATCH. If this process dies Ray forgets all: run it again."""

import asyncio
import sys

import ray

from paypro_async import PayProClient, Shard, open_shards, run_shard


@ray.remote(max_retries=-1)
def pay(batch_id: str, low: int, high: int) -> None:
    async def once() -> None:
        async with PayProClient.from_env() as client:  # in this process and this event loop
            await run_shard(client, batch_id, low, high)

    asyncio.run(once())


async def main(batch_id: str) -> None:
    async with PayProClient.from_env() as client:
        while shards := await open_shards(client, batch_id):
            await asyncio.gather(*(carried(shard) for shard in shards), return_exceptions=True)


async def carried(shard: Shard) -> None:
    await pay.remote(shard.batch_id, shard.low, shard.high)


if __name__ == "__main__":
    ray.init()
    asyncio.run(main(sys.argv[1]))
