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
from benchmarks.subject import Found, Goal, Measurement, Section, Setting, Subject

__all__ = ["SUBJECT"]

ROW = "paypro, batch of a generator"
MEBIBYTE = 2**20


def _sizes(setting: Setting) -> tuple[tuple[int, int], ...]:
    """Items, and how many rounds there is time for."""
    few = (1_000, 5), (10_000, 5)
    return (*few, (50_000, 1)) if setting.quick else (*few, (100_000, 1), (1_000_000, 1))


def _measurements(setting: Setting) -> Iterator[Measurement]:
    for count, rounds in _sizes(setting):
        arguments = ("-m", "benchmarks.memory", str(count))
        yield Measurement(row=ROW, column=count, arguments=arguments, rounds=rounds, timeout=600)


def _section(found: Found) -> Section:
    tables = [
        found.table("Peak memory in MiB", "items", "peak", "{:.1f}", scale=1 / MEBIBYTE),
        found.table("Microseconds for each item, by the clock", "items", "wall_us", "{:.1f}"),
        found.table("Microseconds for each item, by CPU", "items", "cpu_us", "{:.1f}"),
    ]
    counts = sorted(count for _, count in found.figures)
    goals = []
    if counts:
        # A thousand are too few to tell what an item costs.
        least, most = counts[1 if len(counts) > 1 else 0], counts[-1]
        peaks = [found.median("peak", ROW, count) for count in (least, most)]
        growth = None if None in peaks else (peaks[1] - peaks[0]) / MEBIBYTE
        by_clock, by_cpu = (found.ratio(figure, (ROW, most), (ROW, least)) for figure in ("wall_us", "cpu_us"))
        goals = [
            Goal(f"MiB more at {most:,} than at {least:,} items", growth, at_most=30.0),
            Goal(f"cost of an item, at {most:,} over at {least:,}", by_clock, by_cpu=by_cpu, at_most=1.05),
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
        began, cpu_began = time.perf_counter(), time.process_time()
        report = await client.batch_payout(payouts("bench", count))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    if report.accepted != count:
        raise RuntimeError(f"not every payout was accepted: {report}")
    return {"peak": peak_bytes(), "wall_us": 1e6 * wall / count, "cpu_us": 1e6 * cpu / count}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_pay(int(sys.argv[1])))))
