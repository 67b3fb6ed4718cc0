"""Which job is next: who may begin, who waits until when, and who holds a slot.

::

    source ─▶ new ─▶ seeks its turn in the rate ─▶ steps of the engine, in a slot ─▶ ended
                                  ▲                          │
                                  └── waiting, by due time ◀─┘   a job that must wait gives its slot back

A slot is held until an attempt has its answer: while that is stored the next payout has the slot, and its intent waits
for the same commit or a later one. What waits for a back-off, a query or its settle window lies in a heap by due time;
it is in the ledger anyway, so a crash loses nothing of it.
"""

import asyncio
import heapq
import itertools
import math
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import anyio

from paypro_async._core.stopping import Watch
from paypro_async.batch.source import Items, SourceReader
from paypro_async.engine.rate import NoRate, Rate
from paypro_async.runtime import Runtime

__all__ = ["Scheduler"]

T = TypeVar("T")
_MOST_WAITING = 10_000


class Scheduler(Generic[T]):
    """Hands out the jobs of one batch.

    Args:
        source: Where items come from.
        make: A job of an item's position and the item.
        concurrency: How many slots there are.
        rate: The rate to keep.
        watch: Says when the batch begins no more.
        runtime: The clock.
    """

    def __init__(
        self,
        source: Items,
        make: Callable[[int, Any], T],
        *,
        concurrency: int,
        rate: Rate | NoRate,
        watch: Watch,
        runtime: Runtime,
    ) -> None:
        self._changed = asyncio.Event()
        self.source: SourceReader = SourceReader(source)
        self.stopped: str | None = None
        """Why the batch begins no more, or None."""
        self.cancelled: bool = False
        """Whether even what has begun goes no further than it must."""
        self.active: set[T] = set()
        """Jobs that are being worked on, with a slot or without."""
        self.holding: set[T] = set()
        """Jobs that hold a slot, without which they may begin nothing."""
        self.results: asyncio.Queue[Any] | None = None
        """What has ended and waits to be read, if the caller reads the results one by one."""
        self.may_leave: Callable[[T], bool] | None = None
        """Whether a job that waits need not be waited for, once all others have ended."""
        self._make = make
        self._concurrency = concurrency
        self._rate = rate
        self._watch = watch
        self._runtime = runtime
        self._positions = itertools.count()
        self._idle: list[asyncio.Future[T | None]] = []  # of the tasks that have nothing to do
        self._ended = False
        self._seeking: set[T] = set()
        self._unbegun: set[T] = set()
        self._waiting: list[tuple[float, int, T]] = []
        self._order = itertools.count()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    async def run(self, work: Callable[[T], Awaitable[None]]) -> None:
        """Read the source, and have its jobs worked on by tasks that take one after the other; return at their end.

        Args:
            work: Works on a job until it waits or has ended, and has it leave then.
        """
        self.source.start(on_item=self.wake, on_end=self._see_end)
        async with asyncio.TaskGroup() as tasks:
            try:
                while not self._is_over():
                    self._changed.clear()
                    due = self._waiting[0][0] - self._runtime.steady() if self._waiting else math.inf
                    if self._idle:
                        self.wake()
                    elif len(self.holding) < self._concurrency and (self.source.ready or due <= 0):
                        tasks.create_task(self._work(work))
                    # What is due and has no slot goes on when one is given back.
                    with anyio.move_on_after(due if due > 0 else math.inf):
                        await self._changed.wait()
            finally:
                self._ended = True
                for idle in self._idle:
                    if not idle.done():
                        idle.set_result(None)

    def wake(self) -> None:
        """Something has changed: hand out what can go on now."""
        while len(self.holding) < self._concurrency:
            if not self._idle:
                self._changed.set()  # It takes one more task.
                return
            if self._idle[-1].done():  # Of a task that is being cancelled.
                del self._idle[-1]
            elif (job := self._next()) is not None:
                self._idle.pop().set_result(job)
            else:
                return

    def stop(self, why: str) -> None:
        """Begin no more; the first reason stays, unless it turns out that the caller was refused and not the rows."""
        if self.stopped is None or (self.stopped, why) == ("same_refusal_in_a_row", "bad_credentials"):
            self.stopped = why
        if self._unbegun:
            self._waiting = [one for one in self._waiting if one[2] not in self._unbegun]
            heapq.heapify(self._waiting)
            self._unbegun.clear()
        self._changed.set()

    def cancel(self) -> None:
        """Begin no more, and leave what waits."""
        self.cancelled = True
        self.stop("cancelled")

    def give_back(self, job: T) -> None:
        """The job's slot is free for another; more than once is once."""
        if job in self.holding:
            self.holding.remove(job)
            self.wake()

    def seen_turn(self, job: T) -> None:
        """A new job has its turn in the rate, or needs none: another one may look for its own."""
        self._seeking.discard(job)
        if self._rate.limited:
            self.wake()

    def put_off(self, job: T, delay: float, *, begun: bool) -> None:
        """Let the job wait for so many seconds; one that has not *begun* yet holds back those behind it."""
        if not begun:
            if self.stopped:
                return
            self._unbegun.add(job)
        heapq.heappush(self._waiting, (self._runtime.steady() + delay, next(self._order), job))
        self._changed.set()

    def leave(self, job: T) -> None:
        """The job is not worked on any more, since it waits or has ended. Its task looks for another one next."""
        self.active.remove(job)
        self.holding.discard(job)

    def left_waiting(self) -> list[T]:
        """The jobs that still wait, once there is no next one: only a batch that may leave them, or must, has any."""
        waiting, self._waiting = self._waiting, []
        return [job for _, _, job in waiting]

    def _is_over(self) -> bool:
        done = not self.active and (self.source.over or self.stopped is not None) and self._waits_for_none()
        return done or self.cancelled

    def _waits_for_none(self) -> bool:
        may_leave = self.may_leave
        return not self._waiting or (may_leave is not None and all(may_leave(job) for _, _, job in self._waiting))

    def _see_end(self) -> None:
        if self.source.interrupted:
            self.cancel()
        self._changed.set()

    async def _work(self, work: Callable[[T], Awaitable[None]]) -> None:
        try:
            while (job := await self._given()) is not None:
                await work(job)
        finally:
            self._changed.set()  # One that was cut off has left what others may take.

    async def _given(self) -> T | None:
        """A job that can go on now, once there is one; None when there will be none."""
        if self._ended:
            return None
        given: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        # Last in, first out: who asks gets what there is, and there are no more tasks than are needed.
        self._idle.append(given)
        self.wake()
        if given.done():
            await asyncio.sleep(0)  # Whoever was given an earlier one begins first.
        elif not self.active:
            self._changed.set()  # This may be the end.
        return await given

    def _next(self) -> T | None:
        """The next job, which has a slot then, if one can go on now."""
        if self.cancelled:
            return None
        if self._waiting and self._waiting[0][0] <= self._runtime.steady():
            job = heapq.heappop(self._waiting)[2]
            self._unbegun.discard(job)
            self._changed.set()  # Another one is due next.
        elif self.source.ready and self._may_begin():
            job = self._make(next(self._positions), self.source.take())
            self._seeking.add(job)
        else:
            return None
        self.active.add(job)
        self.holding.add(job)
        return job

    def _may_begin(self) -> bool:
        # While nothing gets through, those that wait and those under way are the probes, and more of them would only
        # press harder.
        probes = self._watch.unsent_in_a_row + (len(self.holding) if self._watch.trouble else 0)
        hopeless = probes >= self._concurrency and (self._waiting or self.active)
        # A process that takes turns in the rate far ahead keeps them from others, and wastes them in a crash.
        ahead = self._unbegun or len(self._seeking) >= self._rate.seekers
        full = len(self._waiting) >= _MOST_WAITING
        # A slow reader of the results holds the batch back, or they would pile up.
        piled_up = self.results is not None and self.results.qsize() >= self._concurrency
        return not (self.stopped or piled_up or hopeless or full or ahead)
