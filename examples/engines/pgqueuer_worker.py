"""A worker on pgqueuer: python examples/engines/pgqueuer_worker.py. Once before: pgq install."""

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import timedelta

from pgqueuer import Job, PgQueuer, PsycopgDriver, Queries, RetryRequested
from psycopg import AsyncConnection

from paypro_async import LedgerUnavailableError, PayProClient, Shard, run_shard


async def enqueue(shards: Sequence[Shard]) -> None:
    async with await AsyncConnection.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        jobs = [json.dumps([shard.batch_id, shard.low, shard.high]).encode() for shard in shards]
        keys: list[str | None] = [shard.key for shard in shards]  # a shard that waits or runs is not enqueued again
        queries = Queries(PsycopgDriver(connection))
        await queries.enqueue(["pay"] * len(jobs), [*jobs], [0] * len(jobs), dedupe_key=keys, on_conflict="skip")


async def main() -> None:
    url = os.environ["DATABASE_URL"]
    async with await AsyncConnection.connect(url, autocommit=True) as connection, PayProClient.from_env() as client:
        queue = PgQueuer(PsycopgDriver(connection))

        @queue.entrypoint("pay")
        async def pay(job: Job) -> None:
            try:
                report = await run_shard(client, *json.loads(job.payload or b""), wait=False)
            except LedgerUnavailableError as error:
                raise RetryRequested(timedelta(seconds=5)) from error
            if report.again_in is not None:
                raise RetryRequested(timedelta(seconds=report.again_in))

        await queue.run(batch_size=2, max_concurrent_tasks=4, heartbeat_timeout=timedelta(seconds=5))


if __name__ == "__main__":
    asyncio.run(main())
