"""Many payouts with bounded concurrency, in constant memory.

::

    source ─▶ feeder ─▶ launch (rate) ─▶ a place ─▶ engine steps ─▶ result
                             ▲                          │
                             └── waiting, by due time ◀─┘   whoever must wait gives its place back

A place is held until an attempt has its answer: while that is stored the next payout has the place, and its intent
waits for the same commit or a later one. What waits for a back-off, a question or its settle window lies in a heap by
due time; it is in the ledger anyway, so a crash loses nothing of it.
"""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Generator
from types import MappingProxyType, TracebackType
from typing import Any, Self

import anyio
from attrs import define, evolve, frozen

from paypro_async._core.field_checks import Problem
from paypro_async._core.intent import Intent
from paypro_async._core.outcome import Codes
from paypro_async._core.report import BatchItem, BatchProgress, BatchReport, Tally
from paypro_async._core.retry import Action
from paypro_async._core.stopping import StopRules, Watch
from paypro_async.batch.source import END, NOTHING, Feed, Source
from paypro_async.engine.flight import Flight
from paypro_async.engine.limits import Limits
from paypro_async.engine.payout import Engine
from paypro_async.errors import (
    ClientStateError,
    InvalidPayoutError,
    LedgerUnavailableError,
    OutcomeUnknownError,
    PayProError,
)
from paypro_async.ledger import BatchRecord
from paypro_async.log import logger

__all__ = ["Batch", "BatchOptions"]


_MOST_WAITING, _MOST_PLACING = 10_000, 4
_DRAIN_SECONDS = 5.0


@frozen(kw_only=True, eq=False)
class BatchOptions:
    """How a batch runs; see ``PayProClient.batch_payout``."""

    batch_id: str
    concurrency: int
    limits: Limits
    stop: StopRules
    on_progress: Callable[[BatchProgress], object] | None = None


@define(eq=False)
class _Job:
    position: int
    payout: Any
    intent: Intent | None = None
    paced: bool = False
    placed: bool = False
    place: float | None = None
    flight: Flight | None = None
    action: Action | None = None
    holds_place: bool = True


class Batch:
    """A running batch: iterate over it for the items as they end, or await it for the report.

    Args:
        prepare: Makes an intent of one item of *source*; raises for one that is wrong.
        running: Where the batch enters itself while it runs.
        check: Raises if the client cannot be used, which may have come about since the batch was made.
    """

    def __init__(
        self,
        source: Source,
        *,
        engine: Engine,
        prepare: Callable[[Any], Intent],
        codes: Codes,
        options: BatchOptions,
        running: "dict[Batch, None]",
        check: Callable[[], object],
    ) -> None:
        self._engine = engine
        self._prepare = prepare
        self._options = options
        self._running = running
        self._check = check
        self._tally = Tally()
        self._watch = Watch(rules=options.stop, codes=codes)
        self._stopped: str | None = None
        self._cancelled = False
        self._positions = itertools.count()
        self._changed = asyncio.Event()
        self._feed = Feed(source, on_item=self._changed.set)
        self._waiting: list[tuple[float, int, _Job]] = []
        self._order = itertools.count()
        self._places = asyncio.Semaphore(options.concurrency)
        self._active = 0
        self._unbegun = 0  # of those that wait, how many wait for their place in the rate
        self._placing = 0  # how many look for one
        self._ended: asyncio.Queue[Any] | None = None
        self._runner: asyncio.Task[None] | None = None
        self._began = 0.0
        self._elapsed: float | None = None

    @property
    def report(self) -> BatchReport:
        """The report so far; complete once the batch has ended."""
        elapsed = self._elapsed if self._elapsed is not None else self._engine.runtime.steady() - self._began
        return self._tally.report(elapsed=elapsed, stopped=self._stopped)

    def __await__(self) -> Generator[Any, None, BatchReport]:
        return self._wait().__await__()

    def __aiter__(self) -> AsyncIterator[BatchItem]:
        return self._items()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Begin no more, let what is in flight be recorded, and end. What waits stays unknown in the ledger."""
        runner = self._runner
        if runner is None or runner.done():
            return
        self._cancelled = True
        self._stop("cancelled")
        with anyio.CancelScope(shield=True):
            await asyncio.wait([runner], timeout=self._engine.request_timeout + _DRAIN_SECONDS)
            runner.cancel()
            await asyncio.wait([runner])

    async def _wait(self) -> BatchReport:
        runner = self._runner or self._start()
        try:
            # Shielded: cancelling the one who waits stops the batch in order, and not in the middle of a step.
            await asyncio.shield(runner)
        finally:
            await self.aclose()
        return self.report

    async def _items(self) -> AsyncIterator[BatchItem]:
        if self._runner is not None:
            raise ClientStateError(
                "This batch has been started. Make a new one; payouts that are done are not repeated."
            )
        ended = self._ended = asyncio.Queue()
        runner = self._start()
        runner.add_done_callback(lambda _: ended.put_nowait(END))
        try:
            while (item := await ended.get()) is not END:
                self._changed.set()
                yield item
            await runner
        finally:
            await self.aclose()

    def _start(self) -> asyncio.Task[None]:
        self._check()
        self._began = self._engine.runtime.steady()
        self._runner = asyncio.create_task(self._run(), name="paypro-batch")
        self._running[self] = None
        return self._runner

    def _stop(self, why: str | None) -> None:
        if why is not None:
            self._stopped = self._stopped or why
            self._changed.set()

    async def _run(self) -> None:
        self._feed.start()
        await self._record()
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await self._places.acquire()
                    job = await self._next_job()
                    if job is None:
                        break
                    self._active += 1
                    job.holds_place = True
                    group.create_task(self._work(job))
            self._leave_waiting()
        finally:
            self._elapsed = self._engine.runtime.steady() - self._began
            self._running.pop(self, None)
            failure = await self._feed.aclose()
        await self._record(ended=True)
        if failure is not None:
            # The source itself failed. Everything that it had given is done and recorded by now.
            raise failure

    async def _record(self, *, ended: bool = False) -> None:
        """Note in the ledger that the batch runs, or has ended; payouts do not depend on it."""
        whole = ended and not self._stopped
        record = BatchRecord(
            merchant_no=self._engine.platform.merchant_no,
            batch_id=self._options.batch_id,
            total=self._tally.counts.total() if whole else None,
            ended=ended,
        )
        try:
            await self._engine.ledger.record_batch(record)
        except LedgerUnavailableError as error:
            logger.warning("Batch %s could not be noted in the ledger: %s", record.batch_id, error)

    def _leave_waiting(self) -> None:
        # Only a cancelled batch leaves any. Each is in the ledger as what it is, and is counted as that.
        waiting, self._waiting = self._waiting, []
        for _, _, job in waiting:
            if (item := self._as_left(job)) is not None:
                self._end(job, item)

    def _as_left(self, job: _Job) -> BatchItem | None:
        if job.flight is None:
            return None
        try:
            return self._item(job, result=self._engine.result(job.flight))
        except PayProError as error:
            return self._item(job, error=error)

    async def _next_job(self) -> _Job | None:
        """The next job that can begin now; waits for one; None when there will be none."""
        while True:
            self._changed.clear()
            now = self._engine.runtime.steady()
            if self._cancelled:
                return None
            if self._stopped and self._unbegun:
                self._drop_unbegun()
            if self._waiting and self._waiting[0][0] <= now:
                job = heapq.heappop(self._waiting)[2]
                self._unbegun -= job.flight is None
                return job
            payout = self._feed.take() if self._may_begin() else NOTHING
            if payout is not NOTHING and payout is not END:
                self._placing += 1
                return _Job(next(self._positions), payout)
            if not self._waiting and not self._active and (payout is END or self._stopped):
                return None
            due = self._waiting[0][0] - now if self._waiting else None
            with anyio.move_on_after(due):
                await self._changed.wait()

    def _drop_unbegun(self) -> None:
        self._waiting = [one for one in self._waiting if one[2].flight is not None]
        heapq.heapify(self._waiting)
        self._unbegun = 0

    def _may_begin(self) -> bool:
        # A slow reader of the results holds the batch back, or they would pile up.
        piled_up = self._ended is not None and self._ended.qsize() >= self._options.concurrency
        # While nothing gets through, those that wait are the probes, and more of them would only press harder.
        hopeless = self._watch.unsent_in_a_row >= self._options.concurrency and (self._waiting or self._active)
        # Who takes places in the rate far ahead keeps them from others, and wastes them in a crash.
        ahead = self._unbegun or (self._options.limits.rate is not None and self._placing >= _MOST_PLACING)
        crowded = len(self._waiting) >= _MOST_WAITING or ahead
        return not (self._stopped or piled_up or hopeless or crowded)

    async def _work(self, job: _Job) -> None:
        item: BatchItem | None = None
        try:
            item = await self._advance(job)
        except PayProError as error:
            item = self._item(job, error=error)
        except asyncio.CancelledError:
            item = self._as_left(job)
            raise
        except Exception as error:
            # A fault in the SDK or in a plug-in must not take the other payouts with it, nor pass for an outcome.
            logger.exception("Payout %s met an unexpected error", job.intent.trade_no if job.intent else "?")
            item = self._item(job, error=_unexpected(job, error))
        finally:
            self._active -= 1
            self._give_back(job)
            if item is not None:
                self._end(job, item)
            self._changed.set()

    def _give_back(self, job: _Job) -> None:
        if job.flight is not None:
            job.flight.on_reply = None  # or the two would keep each other
        if job.holds_place:
            job.holds_place = False
            self._places.release()

    async def _advance(self, job: _Job) -> BatchItem | None:
        """Take the job as far as it goes without waiting; None if it waits now."""
        flight = job.flight or await self._launch(job)
        if flight is None:
            return None
        flight.on_reply = lambda: self._give_back(job)
        if job.action is not None:
            await self._act(flight, job.action)
        while (step := self._engine.next(flight)).action is not Action.FINISH:
            if self._cancelled and flight.announced_at is None:
                break  # What was announced still goes out: unsent, it would be unknown for a settle window.
            if step.delay > 0 or not job.holds_place:
                job.action = step.action
                self._wait_for(job, step.delay)
                return None
            await self._act(flight, step.action)
        return self._item(job, result=self._engine.result(flight))

    async def _launch(self, job: _Job) -> Flight | None:
        """Store the intent, once the rate allows; None if the job waits for that, or if the batch has stopped."""
        rate = self._options.limits.rate
        try:
            if job.intent is None:
                job.intent = self._intent(job)
                job.paced = rate is not None and not await self._is_known(job.intent)
            if rate is not None and job.paced and (job.place is None or rate.missed(job.place)):
                job.place = await rate.place()
        finally:
            self._placing -= not job.placed
            job.placed = True
            self._changed.set()
        ahead = job.place - rate.lead - self._engine.runtime.steady() if rate and job.place is not None else 0.0
        if ahead > 0:
            self._wait_for(job, ahead)
            return None
        if not self._stopped:
            job.flight = await self._engine.begin(job.intent, self._options.limits, place=job.place)
        return job.flight

    async def _is_known(self, intent: Intent) -> bool:
        # Only what will be sent takes a place in the rate; a second run passes over what is done.
        return await self._engine.ledger.get(intent.merchant_no, intent.trade_no) is not None

    def _wait_for(self, job: _Job, delay: float) -> None:
        self._unbegun += job.flight is None
        heapq.heappush(self._waiting, (self._engine.runtime.steady() + delay, next(self._order), job))

    def _intent(self, job: _Job) -> Intent:
        try:
            return evolve(self._prepare(job.payout), batch_id=self._options.batch_id, position=job.position)
        except TypeError as error:
            field = "amount" if "amount" in str(error) else "payout"
            raise InvalidPayoutError([Problem(field, "TYPE", "is of a type that cannot be paid")]) from error

    async def _act(self, flight: Flight, action: Action) -> None:
        sends = flight.sends
        await self._engine.act(flight, action)
        if flight.sends > sends and flight.last is not None:
            self._stop(self._watch.attempt(flight.last))

    def _item(self, job: _Job, **outcome: Any) -> BatchItem:
        trade_no = job.intent.trade_no if job.intent else getattr(outcome.get("error"), "trade_no", None)
        return BatchItem(position=job.position, trade_no=trade_no, payout=job.payout, **outcome)

    def _end(self, job: _Job, item: BatchItem) -> None:
        self._tally.add(item, job.intent.amount if job.intent else None)
        self._stop(self._watch.item(item, sent=job.flight is not None and job.flight.sends > 0))
        if self._ended is not None:
            self._ended.put_nowait(item)
        if self._options.on_progress is None:
            return
        progress = BatchProgress(
            done=self._tally.counts.total(),
            in_flight=self._active,
            waiting=len(self._waiting),
            counts=MappingProxyType(dict(self._tally.counts)),
            elapsed=self._engine.runtime.steady() - self._began,
        )
        try:
            self._options.on_progress(progress)
        except Exception:
            # Whoever watches must not touch a payment.
            logger.exception("The progress callback of a batch failed")


def _unexpected(job: _Job, error: Exception) -> PayProError:
    if job.flight is None and job.intent is None:
        return InvalidPayoutError([Problem("payout", "UNREADABLE", f"could not be read ({type(error).__name__})")])
    trade_no = job.intent.trade_no if job.intent else None
    unknown = OutcomeUnknownError(
        f"Payout {trade_no} met an unexpected {type(error).__name__}. Money may have moved. Call again with the same "
        "trade_no and content; never use a new one.",
        trade_no=trade_no,
    )
    unknown.__cause__ = error
    return unknown
