"""A worker on Temporal: python examples/engines/temporal_worker.py."""

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from paypro_async import PayProClient, Shard, run_shard


@activity.defn
async def pay(batch_id: str, low: int, high: int) -> float | None:
    async def stay() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(2)

    staying = asyncio.create_task(stay())
    try:
        async with PayProClient.from_env() as client:
            return (await run_shard(client, batch_id, low, high, wait=False)).again_in
    finally:
        staying.cancel()


@workflow.defn
class PayShard:
    @workflow.run
    async def run(self, batch_id: str, low: int, high: int) -> None:
        while True:
            again_in = await workflow.execute_activity(  # by default it is tried again for ever
                pay,
                args=[batch_id, low, high],
                start_to_close_timeout=timedelta(hours=6),
                heartbeat_timeout=timedelta(seconds=10),
            )
            if again_in is None:
                return
            await workflow.sleep(again_in)


async def enqueue(shards: Sequence[Shard]) -> None:
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    for shard in shards:
        await client.start_workflow(
            PayShard.run,
            args=[shard.batch_id, shard.low, shard.high],
            id=shard.key,  # a shard that waits or runs is not started again
            task_queue="paypro",
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )


async def main() -> None:
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    await Worker(client, task_queue="paypro", workflows=[PayShard], activities=[pay], max_concurrent_activities=4).run()


if __name__ == "__main__":
    asyncio.run(main())
