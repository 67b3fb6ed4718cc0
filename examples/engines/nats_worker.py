"""A worker on NATS JetStream: python examples/engines/nats_worker.py."""

import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import suppress

import nats
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, RetentionPolicy

from paypro_async import LedgerUnavailableError, PayProClient, Shard, run_shard

FOR_EVER = ConsumerConfig(ack_wait=5, max_deliver=-1)  # a shard without a sign of life for 5 s goes to another worker


async def enqueue(shards: Sequence[Shard]) -> None:
    async with await nats.connect(os.environ["NATS_URL"]) as server:
        stream = server.jetstream()
        await stream.add_stream(name="paypro", subjects=["paypro.shards"], retention=RetentionPolicy.WORK_QUEUE)
        for shard in shards:
            await stream.publish("paypro.shards", json.dumps([shard.batch_id, shard.low, shard.high]).encode())


async def pay(client: PayProClient, message: Msg) -> None:
    async def stay() -> None:
        while True:
            await asyncio.sleep(1)
            await message.in_progress()

    staying = asyncio.create_task(stay())
    try:
        again_in = (await run_shard(client, *json.loads(message.data), wait=False)).again_in
    except LedgerUnavailableError:
        again_in = 5.0
    finally:
        staying.cancel()
    await (message.ack() if again_in is None else message.nak(delay=again_in))


async def main() -> None:
    async with PayProClient.from_env() as client, await nats.connect(os.environ["NATS_URL"]) as server:
        shards = await server.jetstream().pull_subscribe("paypro.shards", "workers", config=FOR_EVER)

        async def work() -> None:
            while True:
                with suppress(nats.errors.TimeoutError):
                    (message,) = await shards.fetch(1)
                    await pay(client, message)

        await asyncio.gather(*(work() for _ in range(4)))


if __name__ == "__main__":
    asyncio.run(main())
