"""One measurement of one case is one process, which prints its figures as JSON:
``python -m benchmarks.load {full,offered} CASE URL CONCURRENCY SECONDS POSTGRES FOLDER``.

``full`` keeps all workers busy. ``offered`` begins calls evenly, whether or not earlier ones have ended, so many that
the process computes for 60 % of the time.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from attrs import define, field

from benchmarks.cases import CASES, Load, Target
from benchmarks.threads import ThreadSeconds, thread_seconds

__all__ = ["SHARE", "full", "offered"]

SHARE = 0.6


@define
class _Count:
    """Where a measurement stands."""

    cold: int
    done: int = 0
    running: bool = True
    counting: bool = False
    took: list[float] = field(factory=list)

    def now(self) -> tuple[float, ThreadSeconds, int]:
        return time.perf_counter(), thread_seconds(), self.done

    async def call(self, load: Load) -> None:
        began = time.perf_counter()
        await load.once()
        self.done += 1
        if self.counting:
            self.took.append(time.perf_counter() - began)


async def full(load: Load, concurrency: int, seconds: float) -> dict[str, float]:
    """Keep all workers busy, and count for *seconds* once each has its connection and the pace is steady.

    CPU seconds are those of this process alone, which a busy machine changes less.
    """
    count = _Count(cold=concurrency)

    async def worker() -> None:
        await count.call(load)
        count.cold -= 1
        while count.running:
            await count.call(load)

    settled = time.process_time() + load.settle
    async with asyncio.TaskGroup() as workers:
        for _ in range(concurrency - 1):
            workers.create_task(worker())
        # This task is a worker too, and the one that looks at the clock: workers tend to walk in step, so that only
        # from one of its own calls to another a whole number of steps goes by.
        count.cold -= 1
        while (count.cold and load.fair) or time.process_time() < settled:
            await count.call(load)
        began, cpu_began, done_before = count.now()
        count.counting = True
        while time.perf_counter() < began + seconds:
            await count.call(load)
        ended, cpu_ended, done = count.now()
        count.counting = count.running = False
    calls = done - done_before
    return {
        "calls": count.done,
        "rate": calls / (ended - began),
        "cpu_us": 1e6 * (cpu_ended["whole"] - cpu_began["whole"]) / calls,
        **{
            f"{name}_us": 1e6 * (cpu_ended[name] - cpu_began[name]) / calls
            for name in ("loop", "ledger")
            if name in cpu_ended
        },
        **_latency(count.took),
    }


async def offered(load: Load, concurrency: int, seconds: float) -> dict[str, float]:
    """Begin calls evenly, so many that the process computes for 60 % of the time.

    Calls that come one by one cost more than those of workers that are always busy, whose replies are read many at a
    time; 60 % of what such workers can do may be more than there is time for. So the pace is found by trying.
    """
    capacity = await full(load, concurrency, min(0.5, seconds))
    rate = SHARE * capacity["rate"]
    for _ in range(2):
        rate = SHARE * 1e6 / (await _evenly(load, rate, seconds / 3))["cpu_us"]
    return {"capacity": capacity["rate"], "calls": capacity["calls"], **await _evenly(load, rate, seconds)}


async def _evenly(load: Load, rate: float, seconds: float) -> dict[str, float]:
    """Begin *rate* calls a second, whether or not earlier ones have ended; each counts from when it was due."""
    loop = asyncio.get_running_loop()
    took: list[float] = []
    running: set[asyncio.Task[None]] = set()

    async def one(due: float) -> None:
        await load.once()
        took.append(loop.time() - due)

    cpu_began, began = time.process_time(), loop.time()
    total = int(seconds * rate)
    for number in range(total):
        due = began + number / rate
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
        task = loop.create_task(one(due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    elapsed, cpu = loop.time() - began, time.process_time() - cpu_began
    return {"rate": total / elapsed, "cpu_us": 1e6 * cpu / total, "busy": cpu / elapsed, **_latency(took)}


def _latency(took: list[float]) -> dict[str, float]:
    in_order = sorted(took)
    return {f"p{part}": in_order[min(len(in_order) - 1, len(in_order) * part // 100)] for part in (50, 99)}


async def _main() -> dict[str, float]:
    kind, name, url, concurrency, seconds, postgres, folder = sys.argv[1:]
    target = Target(url, int(concurrency), Path(folder), postgres)
    async with CASES[name](target) as load:
        figures = await (full if kind == "full" else offered)(load, target.concurrency, float(seconds))
    # For each payout from the first to the last one, warm-up included.
    for counted, total in load.counts().items():
        figures[counted] = total / figures["calls"]
    return figures


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_main())))
