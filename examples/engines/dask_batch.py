"""A batch by Dask: python examples/engines/dask_batch.py BATCH. If this process dies Dask forgets all: run it again."""

import asyncio
import sys

from dask.distributed import Client, LocalCluster, wait

from paypro_async import PayProClient, Shard, open_shards, run_shard


def pay(batch_id: str, low: int, high: int) -> None:
    async def once() -> None:
        async with PayProClient.from_env() as client:  # in this process and this event loop
            await run_shard(client, batch_id, low, high)

    asyncio.run(once())


async def still_open(batch_id: str) -> list[Shard]:
    async with PayProClient.from_env() as client:
        return await open_shards(client, batch_id)


def main(batch_id: str) -> None:
    with LocalCluster(n_workers=2, threads_per_worker=4, dashboard_address=None) as cluster, Client(cluster) as client:
        while shards := asyncio.run(still_open(batch_id)):
            # Not pure: a shard that was carried once may be carried again.
            wait([client.submit(pay, shard.batch_id, shard.low, shard.high, pure=False) for shard in shards])


if __name__ == "__main__":
    main(sys.argv[1])
