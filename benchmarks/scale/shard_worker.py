"""A worker that is told on its standard input which shards to run, one a line, and says of each what came of it:
``python -m benchmarks.scale.shard_worker PLATFORM LEDGER CONCURRENCY``.
"""

import asyncio
import sys

from benchmarks.scale.client import BATCH, open_client
from paypro_async import LedgerUnavailableError, PayProClient, run_shard

_AGAIN_SECONDS = 0.5


async def _main(url: str, ledger: str, concurrency: int) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    async with open_client(url, ledger) as client, asyncio.TaskGroup() as running:
        print("open", flush=True)
        while order := await orders.readline():
            low, high = map(int, order.split())
            running.create_task(_run(client, low, high, concurrency))


async def _run(client: PayProClient, low: int, high: int, concurrency: int) -> None:
    try:
        report = await run_shard(client, BATCH, low, high, concurrency=concurrency, wait=False)
        again_in = report.again_in
    except LedgerUnavailableError:
        again_in = _AGAIN_SECONDS
    print(low, high, "done" if again_in is None else again_in, flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
