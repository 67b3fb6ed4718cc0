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
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import anyio

from paypro_async._core.stopping import Watch
from paypro_async.batch.source import END, NOTHING, Source, SourceReader
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
        source: Source,
        make: Callable[[int, Any], T],
        *,
        concurrency: int,
        rate: Rate | NoRate,
        watch: Watch,
        runtime: Runtime,
    ) -> None:
        self._changed = asyncio.Event()
        self.source: SourceReader = SourceReader(source, on_item=self._changed.set)
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
        self._make = make
        self._concurrency = concurrency
        self._rate = rate
        self._watch = watch
        self._runtime = runtime
        self._positions = itertools.count()
        self._slots = asyncio.Semaphore(concurrency)
        self._seeking: set[T] = set()
        self._unbegun: set[T] = set()
        self._waiting: list[tuple[float, int, T]] = []
        self._order = itertools.count()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    def wake(self) -> None:
        """Something has changed: look once more for what can be done."""
        self._changed.set()

    def stop(self, why: str) -> None:
        """Begin no more; the first reason stays, unless it turns out that the caller was refused and not the rows."""
        if self.stopped is None or (self.stopped, why) == ("same_refusal_in_a_row", "bad_credentials"):
            self.stopped = why
        self._changed.set()

    def cancel(self) -> None:
        """Begin no more, and leave what waits."""
        self.cancelled = True
        self.stop("cancelled")

    async def next(self) -> T | None:
        """The next job that can go on now, which has a slot then; waits for one. None when there will be none."""
        await self._slots.acquire()
        job: T | None = None
        while job is None:
            self._changed.clear()
            if self.cancelled:
                return None
            if self.stopped and self._unbegun:
                self._drop_unbegun()
            now = self._runtime.steady()
            if self._waiting and self._waiting[0][0] <= now:
                job = heapq.heappop(self._waiting)[2]
                self._unbegun.discard(job)
                continue
            item = self.source.take() if self._may_begin() else NOTHING
            if item is END and self.source.interrupted:
                self.cancel()
                continue
            if item is not NOTHING and item is not END:
                job = self._make(next(self._positions), item)
                self._seeking.add(job)
                continue
            if not self._waiting and not self.active and (item is END or self.stopped):
                return None
            due = self._waiting[0][0] - now if self._waiting else None
            with anyio.move_on_after(due):
                await self._changed.wait()
        self.active.add(job)
        self.holding.add(job)
        return job

    def give_back(self, job: T) -> None:
        """The job's slot is free for another; more than once is once."""
        if job in self.holding:
            self.holding.remove(job)
            self._slots.release()

    def seen_turn(self, job: T) -> None:
        """A new job has its turn in the rate, or needs none: another one may look for its own."""
        self._seeking.discard(job)
        self._changed.set()

    def put_off(self, job: T, delay: float, *, begun: bool) -> None:
        """Let the job wait for so many seconds; one that has not *begun* yet holds back those behind it."""
        if not begun:
            self._unbegun.add(job)
        heapq.heappush(self._waiting, (self._runtime.steady() + delay, next(self._order), job))

    def leave(self, job: T) -> None:
        """The job is not worked on any more, since it waits or has ended."""
        self.active.remove(job)
        self.give_back(job)
        self._changed.set()

    def left_waiting(self) -> list[T]:
        """The jobs that still wait, once there is no next one: only a batch that was cancelled leaves any."""
        waiting, self._waiting = self._waiting, []
        return [job for _, _, job in waiting]

    def _drop_unbegun(self) -> None:
        self._waiting = [one for one in self._waiting if one[2] not in self._unbegun]
        heapq.heapify(self._waiting)
        self._unbegun.clear()

    def _may_begin(self) -> bool:
        # While nothing gets through, those that wait are the probes, and more of them would only press harder.
        hopeless = self._watch.unsent_in_a_row >= self._concurrency and (self._waiting or self.active)
        # A process that takes turns in the rate far ahead keeps them from others, and wastes them in a crash.
        ahead = self._unbegun or len(self._seeking) >= self._rate.seekers
        full = len(self._waiting) >= _MOST_WAITING
        # A slow reader of the results holds the batch back, or they would pile up.
        piled_up = self.results is not None and self.results.qsize() >= self._concurrency
        return not (self.stopped or piled_up or hopeless or full or ahead)
