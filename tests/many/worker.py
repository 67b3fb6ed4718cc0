"""A worker without an engine: it takes any open shard of the ledger, in no order, and runs it.

Two workers are often at one shard, as under an engine that gives one out twice.
"""

import asyncio
import random
import signal
import sys

from paypro_async import PayProClient, open_shards, run_shard
from paypro_async.errors import LedgerUnavailableError
from paypro_async.integrations.shard_worker import opened

_LANES = 4
_PAUSE = 0.5
_IDLE = 2.0


async def _lane(client: PayProClient, batch_id: str, concurrency: int) -> None:
    while True:
        try:
            # What nobody is at comes first, and then anything.
            shards = await open_shards(client, batch_id, idle_for=_IDLE) or await open_shards(client, batch_id)
            if not shards:
                await asyncio.sleep(_PAUSE)
                continue
            one = random.choice(shards)
            report = await run_shard(client, batch_id, one.low, one.high, concurrency=concurrency, wait=False)
            if report.again_in is not None:
                await asyncio.sleep(min(report.again_in, _PAUSE))
        except LedgerUnavailableError:
            await asyncio.sleep(_PAUSE)


async def _main(batch_id: str, concurrency: int) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with opened(PayProClient.from_env) as client:
        lanes = [asyncio.create_task(_lane(client, batch_id, concurrency)) for _ in range(_LANES)]
        ending = asyncio.create_task(ended.wait())
        done, _ = await asyncio.wait([*lanes, ending], return_when=asyncio.FIRST_COMPLETED)
        for task in lanes:
            task.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        for task in done:
            task.result()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
