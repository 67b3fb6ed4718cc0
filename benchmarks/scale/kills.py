"""A rate kept by several workers of which one is killed again and again: the busiest second, and how much is used."""

import asyncio
import tempfile
import time
from pathlib import Path

from attrs import frozen

from benchmarks.constant_server import arrivals_in, late_server
from benchmarks.scale.carrier import Carrier, carrier
from benchmarks.scale.client import import_payouts

__all__ = ["Kept", "busiest_second", "measured"]

_SHARD = 250
_WARM_SECONDS = 3.0


@frozen
class Kept:
    """What was kept of a rate.

    Args:
        rate: Payouts a second that were allowed.
        busiest: Requests in the busiest second, wherever it begins.
        used: The part of the rate that was used.
        kills: How many workers were killed, each replaced at once.
    """

    rate: float
    busiest: int
    used: float
    kills: int

    def __str__(self) -> str:
        return (
            f"of {self.rate:,.0f}/s the busiest second had {self.busiest:,} requests, and {self.used:.1%} of the rate "
            f"was used, through {self.kills} kills"
        )


def measured(
    ledger: str, *, rate: float, workers: int, seconds: float, latency: float, every: float, concurrency: int
) -> Kept:
    """Pay at a rate for so many seconds, and kill a worker *every* so many."""
    return asyncio.run(_measure(ledger, rate, workers, seconds, latency, every, concurrency))


async def _measure(
    ledger: str, rate: float, workers: int, seconds: float, latency: float, every: float, concurrency: int
) -> Kept:
    count = int(rate * (seconds + 4 * _WARM_SECONDS))
    await import_payouts(ledger, count, shard_size=_SHARD, rate=rate)
    shards = [(low, min(low + _SHARD, count)) for low in range(0, count, _SHARD)]
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "arrivals"
        with late_server(latency, core=None, arrivals=note) as platform:
            async with carrier(
                platform.url, ledger, shards, workers=workers, concurrency=concurrency, at_once=2
            ) as engine:
                await asyncio.sleep(_WARM_SECONDS)
                began = time.monotonic()
                kills = await _kill(engine, seconds, every)
        came = [one for one in arrivals_in(note) if began <= one < began + seconds]
    return Kept(rate, busiest_second(came), len(came) / seconds / rate, kills)


async def _kill(engine: Carrier, seconds: float, every: float) -> int:
    """Kill the oldest worker every so many seconds, and start another at once; how many were killed."""
    kills, began = 0, time.monotonic()
    async with asyncio.TaskGroup() as starting:
        while (due := (kills + 1) * every) < seconds:
            await asyncio.sleep(began + due - time.monotonic())
            await engine.kill()
            starting.create_task(engine.start())  # which takes a second or two, while the others go on
            kills += 1
        await asyncio.sleep(began + seconds - time.monotonic())
    return kills


def busiest_second(times: "list[float]") -> int:
    """The most of these moments, in order, that lie within one second, wherever that begins."""
    most = first = 0
    for index, moment in enumerate(times):
        while times[first] <= moment - 1.0:
            first += 1
        most = max(most, index + 1 - first)
    return most
