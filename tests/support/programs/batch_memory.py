"""Runs batches of several lengths, alone in its process, and prints how much memory each kept and took at its peak."""

import gc
import json
import tracemalloc

from tests.test_costs import client, items


async def main(*counts: int) -> None:
    kept, peaks = [], []
    async with client() as payer:
        await payer.batch_payout(items("first", 300))
        tracemalloc.start()
        for number, count in enumerate(counts):
            gc.collect()
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            report = await payer.batch_payout(items(f"batch{number}", count))
            assert report.accepted == count
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
            gc.collect()
            kept.append(tracemalloc.get_traced_memory()[0] - before)
    print(json.dumps({"kept": kept, "peaks": peaks}))
