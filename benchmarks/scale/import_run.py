"""One import in a process of its own: ``python -m benchmarks.scale.import_run LEDGER BATCH COUNT FIRST``.

It prints as JSON the seconds by the clock, of CPU and of the last step, which looks for repeated numbers and makes the
batch ready, and the most memory that was held.
"""

import asyncio
import json
import sys
import time

from benchmarks.machine import peak_bytes
from benchmarks.scale.client import open_client, payouts
from paypro_async import import_batch


async def _main(ledger: str, batch_id: str, count: int, first: int) -> dict[str, float]:
    read_at = 0.0

    def note(_: int) -> None:
        nonlocal read_at
        read_at = time.perf_counter()

    async with open_client("http://127.0.0.1:9", ledger) as client:
        began = time.perf_counter()
        await import_batch(client, payouts(count, first=first), batch_id=batch_id, on_progress=note)
        ended = time.perf_counter()
    return {
        "seconds": ended - began,
        "cpu": time.process_time(),
        "last_step": ended - read_at,
        "peak": peak_bytes(),
    }


if __name__ == "__main__":
    ledger, batch_id, count, first = sys.argv[1:]
    print(json.dumps(asyncio.run(_main(ledger, batch_id, int(count), int(first)))))
