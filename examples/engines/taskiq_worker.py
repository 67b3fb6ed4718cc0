"""A worker on taskiq and Redis: taskiq worker --workers 1 --max-async-tasks 4 examples.engines.taskiq_worker:broker."""

import os
from collections.abc import Sequence

from taskiq import TaskiqEvents, TaskiqState
from taskiq_redis import RedisStreamBroker

from paypro_async import PayProClient, Shard, run_shard

# A shard that was not acknowledged for so many milliseconds goes to another worker: longer than a shard takes.
broker = RedisStreamBroker(
    os.environ["REDIS_URL"], consumer_id="0", xread_count=1, idle_timeout=20_000, unacknowledged_lock_timeout=5
)


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def start(state: TaskiqState) -> None:
    state.client = PayProClient.from_env()
    await state.client.open()


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def stop(state: TaskiqState) -> None:
    await state.client.aclose()


@broker.task
async def pay(batch_id: str, low: int, high: int) -> None:
    await run_shard(broker.state.client, batch_id, low, high)


async def enqueue(shards: Sequence[Shard]) -> None:
    await broker.startup()
    for shard in shards:
        await pay.kiq(shard.batch_id, shard.low, shard.high)
    await broker.shutdown()
