"""Whether a batch of any length fits: peak memory, and the cost of one item, by the number of items.

``python -m benchmarks.memory COUNT`` takes a generator, a transport that answers at once, and a ledger that forgets
each payout once it is final, so that what grows is the batch itself.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.cases import FIELDS
from benchmarks.machine import peak_bytes
from benchmarks.null import ForgetfulLedger, NullTransport
from benchmarks.subject import Found, Goal, Measurement, Section, Setting, Subject, divided

__all__ = ["SUBJECT"]

ROW = "paypro, batch of a generator"
MEBIBYTE = 2**20


def _sizes(setting: Setting) -> tuple[tuple[int, int], ...]:
    """Items, and how many rounds there is time for."""
    return ((1_000, 5), (10_000, 5), (50_000, 1)) if setting.quick else ((10_000, 5), (100_000, 5), (1_000_000, 2))


def _measurements(setting: Setting) -> Iterator[Measurement]:
    for count, rounds in _sizes(setting):
        arguments = ("-m", "benchmarks.memory", str(count))
        yield Measurement(row=ROW, column=count, arguments=arguments, rounds=rounds, timeout=600)


def _section(found: Found) -> Section:
    tables = [
        found.table("Peak memory in MiB", "items", "peak", "{:.1f}", scale=1 / MEBIBYTE),
        found.table("Microseconds of CPU for each item", "items", "cpu_us", "{:.1f}"),
    ]
    counts = sorted(count for _, count in found.figures)
    goals = []
    if counts:
        least, most = counts[0], counts[-1]
        peaks = [found.median("peak", ROW, count) for count in (least, most)]
        growth = None if None in peaks else (peaks[1] - peaks[0]) / MEBIBYTE
        costs = divided(found.median("cpu_us", ROW, most), found.median("cpu_us", ROW, least))
        goals = [
            Goal(f"MiB more at {most:,} than at {least:,} items", growth, at_most=30.0),
            Goal(f"cost of an item, at {most:,} over at {least:,}", costs, at_most=1.05),
        ]
    return Section("memory", "Batch memory", [one for one in tables if one], goals)


SUBJECT = Subject(name="memory", title="Batch memory", measurements=_measurements, section=_section)


async def _pay(count: int) -> dict[str, float]:
    from paypro_async import Md5Signer, PayProClient

    def payouts(name: str, number: int) -> Iterator[dict[str, Any]]:
        return ({**FIELDS, "trade_no": f"{name}-{one}"} for one in range(number))

    async with PayProClient(
        base_url="http://127.0.0.1:9",
        merchant_no="0000000001",
        signer=Md5Signer("not-a-secret"),
        ledger=ForgetfulLedger(),
        transport=NullTransport(),
    ) as client:
        await client.batch_payout(payouts("warm", 1_000))
        began = time.process_time()
        report = await client.batch_payout(payouts("bench", count))
        cpu = time.process_time() - began
    if report.accepted != count:
        raise RuntimeError(f"not every payout was accepted: {report}")
    return {"peak": peak_bytes(), "cpu_us": 1e6 * cpu / count}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_pay(int(sys.argv[1])))))
