"""The smallest engine: shards are handed to worker processes, and those of a worker that died to another one.

It keeps nothing on a disk and asks nothing of the database, so that what is measured is the core alone.
"""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from attrs import define, field

from benchmarks.processes import FailedError, environment

__all__ = ["Carrier", "carrier"]

Range = tuple[int, int]
_LATE_SECONDS = 60.0


@define(eq=False)
class Carrier:
    """Worker processes and what they have to do.

    Args:
        command: Of one worker.
        at_once: How many shards each is given at one time.
        shards: Those that nobody is at.
    """

    command: tuple[str, ...]
    at_once: int
    shards: deque[Range]
    ended: asyncio.Event = field(factory=asyncio.Event, init=False)
    workers: "list[asyncio.subprocess.Process]" = field(factory=list, init=False)
    _changed: asyncio.Condition = field(factory=asyncio.Condition, init=False)
    _running: int = field(default=0, init=False)
    _tasks: set[asyncio.Task[None]] = field(factory=set, init=False)

    async def start(self) -> None:
        """Start one more worker; it has its first shards when this returns."""
        process = await asyncio.create_subprocess_exec(
            *self.command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment()
        )
        assert process.stdout is not None
        if not (await asyncio.wait_for(process.stdout.readline(), _LATE_SECONDS)).startswith(b"open"):
            raise FailedError("a worker did not start")
        self.workers.append(process)
        self._begin(self._lead(process))

    async def kill(self) -> None:
        """Kill the worker that was started first, as ``kill -9`` does; its shards are given to others."""
        process = self.workers.pop(0)
        process.kill()
        await process.wait()

    def _begin(self, work: "asyncio.coroutines.Coroutine[object, object, None]") -> None:  # type: ignore[name-defined]
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _lead(self, process: "asyncio.subprocess.Process") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        mine: set[Range] = set()
        giving = asyncio.create_task(self._give(process.stdin, mine))
        try:
            while answer := await process.stdout.readline():
                low, high, said = answer.decode().split()
                await self._take_back(mine, (int(low), int(high)), said)
        finally:
            giving.cancel()
            await self._put_back(mine)

    async def _give(self, orders: asyncio.StreamWriter, mine: set[Range]) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self.shards) and len(mine) < self.at_once)
                mine.add(shard := self.shards.popleft())
                self._running += 1
            with suppress(ConnectionError):  # then the shard is put back by whoever reads that it has ended
                orders.write(f"{shard[0]} {shard[1]}\n".encode())
                await orders.drain()

    async def _take_back(self, mine: set[Range], shard: Range, said: str) -> None:
        async with self._changed:
            mine.discard(shard)
            if said == "done":
                self._running -= 1
            else:
                self._begin(self._later(shard, float(said)))
            self._see_whether_ended()
            self._changed.notify_all()

    async def _later(self, shard: Range, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._put_back({shard})

    async def _put_back(self, shards: Iterable[Range]) -> None:
        async with self._changed:
            back = sorted(shards)
            self._running -= len(back)
            self.shards.extendleft(reversed(back))
            self._changed.notify_all()

    def _see_whether_ended(self) -> None:
        if not self.shards and not self._running:
            self.ended.set()

    async def end(self) -> None:
        """End all that it has started."""
        for task in list(self._tasks):
            task.cancel()
        for process in self.workers:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@asynccontextmanager
async def carrier(
    url: str, ledger: str, shards: Iterable[Range], *, workers: int, concurrency: int, at_once: int = 1
) -> AsyncIterator[Carrier]:
    """Workers that pay these shards, ended with the block.

    Args:
        url: The platform's.
        ledger: The ledger's.
        shards: From which position to before which.
        workers: How many processes.
        concurrency: Payouts under way in a shard.
        at_once: Shards that a worker runs at one time.
    """
    command = (sys.executable, "-m", "benchmarks.scale.shard_worker", url, ledger, str(concurrency))
    made = Carrier(command, at_once, deque(shards))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(made.end)
        await asyncio.gather(*(made.start() for _ in range(workers)))
        yield made
