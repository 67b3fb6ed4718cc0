"""A worker on Celery and Redis: celery -A examples.engines.celery_worker worker --pool threads --concurrency 4."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from celery import Celery

from paypro_async import LedgerUnavailableError, PayProClient, Shard, run_shard

app = Celery("paypro", broker=os.environ["REDIS_URL"])
app.conf.update(
    task_acks_late=True,  # a shard whose worker dies goes to another one,
    task_reject_on_worker_lost=True,
    broker_transport_options={"visibility_timeout": 60},  # after so many seconds, once Celery looks
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
)


@app.task(bind=True, max_retries=None)
def pay(self: Any, batch_id: str, low: int, high: int) -> None:
    async def once() -> float | None:
        async with PayProClient.from_env() as client:  # in this process and this event loop
            return (await run_shard(client, batch_id, low, high, wait=False)).again_in

    try:
        again_in = asyncio.run(once())
    except LedgerUnavailableError:
        again_in = 5.0
    if again_in is not None:
        raise self.retry(countdown=again_in)


async def enqueue(shards: Sequence[Shard]) -> None:
    for shard in shards:
        pay.delay(shard.batch_id, shard.low, shard.high)
