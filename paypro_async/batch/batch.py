"""A batch as its caller holds it: await it, iterate over it, close it. Many payouts at one time, in constant memory."""

import asyncio
import math
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Sized
from decimal import Decimal
from types import MappingProxyType, TracebackType
from typing import Any, Self

import anyio

from paypro_async._core.intent import Intent
from paypro_async._core.items import BatchItem, ItemStatus
from paypro_async._core.lifecycle import Entry
from paypro_async._core.stopping import Watch
from paypro_async.batch.final_rows import FinalRows
from paypro_async.batch.job import Job, Worker
from paypro_async.batch.notes import BatchNotes
from paypro_async.batch.numbers import Numbers
from paypro_async.batch.options import BatchOptions
from paypro_async.batch.scheduler import Scheduler
from paypro_async.batch.source import Items
from paypro_async.engine.limits import RECORDING_SECONDS
from paypro_async.engine.payout import Engine
from paypro_async.errors import ClientStateError, LedgerUnavailableError
from paypro_async.log import logger
from paypro_async.report.base import Origin
from paypro_async.report.batch_report import BatchProgress, BatchReport, BatchTally
from paypro_async.report.row_store import RowStore
from paypro_async.report.rows import kept_item
from paypro_async.runtime import end_task
from paypro_async.tracking.waiting import Waiting

__all__ = ["Batch", "BatchOptions"]

_ENDING_SECONDS = RECORDING_SECONDS + 1.0  # a step that is cut off still stores what it learned


class Batch:
    """A running batch: iterate over it for the items as they end, or await it for the report.

    Args:
        prepare: Makes an intent of one item of *source* and its place in the batch; raises for one that is wrong.
        waiting: What waits in the client for the ends of payouts.
        running: Where the batch enters itself while it runs.
        check: Raises if the client cannot be used, which may have come about since the batch was made.

    Warns:
        RuntimeWarning: If it is forgotten without having been awaited, iterated over or closed: nothing was paid.
    """

    settles_in: float = 0.0  # seconds until it is worth asking again about what it has left waiting
    _wanted = False  # until it is made: one that could not be made is not missed

    def __init__(
        self,
        source: Items,
        *,
        engine: Engine,
        prepare: Callable[..., Intent],
        options: BatchOptions,
        waiting: Waiting,
        running: "dict[Batch, None]",
        check: Callable[[], object],
    ) -> None:
        self._session = engine.session
        self._origin = _origin_of(engine, options.batch_id)
        self._options = options
        self._notes = BatchNotes(
            merchant_no=engine.session.platform.merchant_no, ledger=engine.recording.ledger, options=options
        )
        self._running = running
        self._check = check
        self._tally = BatchTally()
        self._numbers = Numbers(batch_id=options.batch_id)
        self._not_stored = False  # of the last payout
        self._watch = Watch(rules=options.stop, codes=engine.session.platform.codes)
        self._scheduler: Scheduler[Job] = Scheduler(
            source,
            Job,
            concurrency=options.concurrency,
            rate=options.limits.rate,
            watch=self._watch,
            runtime=engine.session.runtime,
        )
        self._worker = Worker(
            engine=engine,
            prepare=prepare,
            batch_id=options.batch_id,
            limits=options.limits,
            watch=self._watch,
            scheduler=self._scheduler,
        )
        self._scheduler.may_leave = self._worker.may_leave if options.may_leave else None
        self._final: FinalRows | None = None
        if options.wait:
            patience = math.inf if options.wait_timeout is None else options.wait_timeout
            self._final = FinalRows(waiting=waiting, patience=patience, end=self._ended_late)
        self._runner: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._began = 0.0
        self._elapsed: float | None = None
        self._count = len(source) if isinstance(source, Sized) else None
        self._wanted = True

    def __del__(self) -> None:
        if self._wanted:
            what = "of its payouts" if self._count is None else f"of its {self._count:,} payouts"
            warnings.warn(
                f"The batch {self._options.batch_id} was never awaited, so none {what} was begun and nothing was sent. "
                "Write 'report = await client.batch_payout(…)', or iterate over it with 'async for'.",
                RuntimeWarning,
                stacklevel=1,
                source=self,
            )

    def __repr__(self) -> str:
        of = "" if self._count is None else f" ({self._count:,} items)"
        if self._wanted:
            return f"<Batch {self._options.batch_id}{of}, not awaited yet: nothing was sent. Write 'await' before it>"
        if self._elapsed is None:
            return f"<Batch {self._options.batch_id}{of}, {'running' if self._runner else 'closed: nothing was sent'}>"
        return f"<Batch {self._options.batch_id}, ended: {self.report}>"

    @property
    def report(self) -> BatchReport:
        """The report so far; complete once the batch has ended."""
        elapsed = self._elapsed if self._elapsed is not None else self._session.runtime.steady() - self._began
        stopped, waited = self._scheduler.stopped, self._options.wait
        return self._tally.report(elapsed=elapsed, stopped=stopped, waited=waited, origin=self._origin)

    @property
    def trouble(self) -> str | None:
        """Why the last attempts were not sent, and what mends that; None as long as some get through."""
        return self._watch.trouble

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
        self._wanted = False
        runner = self._runner
        if runner is None or runner.done():
            return
        self._cancel()
        times = self._session.times
        drain = times.drain_of(self._options.limits.timeout)
        with anyio.CancelScope(shield=True):
            await asyncio.wait([runner], timeout=drain)
            await end_task(runner, who="A batch", within=_ENDING_SECONDS)

    def stop(self, why: str) -> None:
        """Begin nothing more and send nothing once more; what is under way just now is recorded."""
        self._scheduler.stop(why)
        self._scheduler.cancelled = True

    async def _wait(self) -> BatchReport:
        runner = self._runner or self._start()
        try:
            # Shielded: cancelling the caller that waits stops the batch in order, and not in the middle of a step.
            await asyncio.shield(runner)
        except asyncio.CancelledError:
            # One whose time for closing was over has been cancelled, which is not meant for the caller.
            task = asyncio.current_task()
            if not runner.cancelled() or task is None or task.cancelling():
                raise
        finally:
            await self.aclose()
        self._raise_failure()
        return self.report

    async def _items(self) -> AsyncIterator[BatchItem]:
        if self._runner is not None:
            raise ClientStateError(
                "This batch has been started. Make a new one; payouts that are done are not repeated."
            )
        ended = self._scheduler.results = asyncio.Queue()
        if self._final is not None:
            self._final.keep_inputs = True
        runner = self._start()
        runner.add_done_callback(lambda _: ended.put_nowait(None))
        try:
            while (item := await ended.get()) is not None:
                self._scheduler.wake()
                yield item
            await runner
        finally:
            await self.aclose()
        self._raise_failure()

    def _start(self) -> asyncio.Task[None]:
        self._wanted = False
        self._check()
        self._began = self._session.runtime.steady()
        self._runner = asyncio.create_task(self._run(), name="paypro-batch")
        self._running[self] = None
        return self._runner

    async def _run(self) -> None:
        source, watcher, number = self._scheduler.source, self._session.news.watcher, 0
        if watcher is not None:
            number = watcher.batch_started(self._options.batch_id, self._count)
        try:
            await self._notes.refuse_without_workers()
            # Beside the payouts: none depends on it, and a ledger that does not answer keeps none waiting.
            beginning = asyncio.create_task(self._notes.begin(), name="paypro-batch-record")
            await self._scheduler.run(self._work)
            for job in self._scheduler.left_waiting():
                self.settles_in = max(self.settles_in, self._worker.settles_in(job))
                # Each is in the ledger as what it is, and is counted as that.
                self._end(job, self._worker.as_left(job))
            if self._final is not None:
                await self._wait_for(self._final)
        finally:
            if self._final is not None:
                self._final.leave()
            self._elapsed = self._session.runtime.steady() - self._began
            self._running.pop(self, None)
            self._numbers.close()
            self._end_progress()
            await source.aclose()
            if source.failure is not None:
                # Everything that it had given is done and recorded by now.
                self._failure = self._failure or _of_source(source.failure)
                self._scheduler.stopped = self._scheduler.stopped or "source_failed"
            if watcher is not None:
                watcher.batch_ended(number, self._options.batch_id, self.report)
        self._tell_end()
        if self._scheduler.cancelled and not beginning.done():
            beginning.cancel()  # The ledger does not answer, and nobody waits for it.
        elif await beginning and not self._tell_not_noted():
            whole = source.failure is None and not self._scheduler.stopped
            await self._notes.end(total=self._tally.counts.total() if whole else None)

    async def _wait_for(self, final: FinalRows) -> None:
        if self._scheduler.cancelled:
            final.give_up()
        elif len(final):
            logger.info("Batch %s waits until %d payouts are final", self._options.batch_id, len(final))
        await final.run_out()

    def _tell_not_noted(self) -> bool:
        """Whether the ledger has failed the last payout: nobody waits once more for it then, to note the end."""
        if self._not_stored:
            logger.warning(
                "Batch %s is not noted in the ledger as ended, since the ledger could not store its last payout.",
                self._options.batch_id,
            )
        return self._not_stored

    def _tell_end(self) -> None:
        stopped, report = self._scheduler.stopped, self.report
        counts = ", ".join(f"{count:,} {status}" for status, count in report.counts.items()) or "no payouts"
        early = f"; it stopped early ({stopped})" if stopped else ""
        logger.info("Batch %s ended after %.1f s: %s%s", self._options.batch_id, report.elapsed, counts, early)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _work(self, job: Job) -> None:
        item: BatchItem | None = None
        try:
            item = await self._worker.work(job)
        except BaseException:
            item = self._worker.as_left(job)
            raise
        finally:
            self._scheduler.leave(job)
            self._end(job, item)

    def _end(self, job: Job, item: BatchItem | None) -> None:
        if item is None:
            return  # It waits, or never began.
        item = self._numbers.once(item)
        flight = job.flight
        sent = flight is not None and flight.sends > 0
        left = sent and item.status is not ItemStatus.NOT_SENT  # What was only tried was not sent.
        self._not_stored = _is_not_stored(item.error)
        if (
            why := self._watch.item(item, sent=sent, silence=flight.silence if flight is not None else None)
        ) is not None:
            self._scheduler.stop(why)
        amount = job.intent.amount if job.intent else None
        if item.repeats is None:
            entry = flight.entry if flight is not None else None
            self._origin.rows.add(kept_item(item, job.intent, entry, currency=self._origin.currency))
        if self._final is not None and item.trade_no is not None and self._final.takes(item):
            self._final.add(item.trade_no, item, amount, sent=left)
            self._tell_progress()
        else:
            self._ended(item, amount, sent=left)

    def _ended_late(self, item: BatchItem, amount: Decimal | None, *, sent: bool, entry: Entry | None) -> None:
        """The item that was waited for has ended, with what the ledger holds now; None if that told no news."""
        if entry is not None:
            self._origin.rows.add(kept_item(item, None, entry, currency=entry.currency))
        self._ended(item, amount, sent=sent)

    def _ended(self, item: BatchItem, amount: Decimal | None, *, sent: bool) -> None:
        """The item has ended for good."""
        self._tally.add(item, amount, sent=sent)
        if self._scheduler.results is not None:
            self._scheduler.results.put_nowait(item)
        self._tell_progress()

    def _tell_progress(self) -> None:
        if not self._options.watched:
            return
        progress = BatchProgress(
            done=self._tally.counts.total(),
            in_flight=len(self._scheduler.active),
            waiting=self._scheduler.waiting + (len(self._final) if self._final is not None else 0),
            counts=MappingProxyType(dict(self._tally.counts)),
            elapsed=self._session.runtime.steady() - self._began,
            total=None if self._count is None else self._count - self._tally.repeated,
            amounts=MappingProxyType(dict(self._tally.tally.amounts)),
        )
        try:
            self._options.tell(progress, self._origin.currency)
        except Exception:
            # A callback must not touch a payment.
            logger.exception("The progress callback of a batch failed")
        except asyncio.CancelledError:
            logger.warning("The progress callback of batch %s has cancelled it.", self._options.batch_id)
            self._cancel()
        except BaseException as error:  # noqa: BLE001  the program shall end: in order, and then the caller hears of it
            self._failure = self._failure or error
            self._cancel()

    def _end_progress(self) -> None:
        try:
            self._options.end()
        except Exception:
            logger.exception("The progress bar of a batch could not be closed")

    def _cancel(self) -> None:
        self._scheduler.cancel()
        if self._final is not None:
            self._final.give_up()


def _origin_of(engine: Engine, batch_id: str) -> Origin:
    platform = engine.session.platform
    return Origin(
        rows=RowStore(),
        title=batch_id,
        batch_id=batch_id,
        merchant_no=platform.merchant_no,
        region=platform.spec.name,
        currency=platform.spec.currency,
        zone=platform.spec.zone,
    )


def _is_not_stored(error: BaseException | None) -> bool:
    return error is not None and any(isinstance(one, LedgerUnavailableError) for one in (error, error.__cause__))


def _of_source(error: BaseException) -> BaseException:
    """What the caller of a batch hears of a source that ended with *error*."""
    misleading = asyncio.CancelledError | GeneratorExit | StopIteration | StopAsyncIteration
    if not isinstance(error, misleading):
        return error
    # As it is it would end the caller's task, or a loop around the batch, as if all were well.
    told = RuntimeError(
        f"The source of the batch ended with a {type(error).__name__} and not by its end. What it had given until then "
        "is done and recorded, and the batch's report has it. Mend the source and run the batch again with all of its "
        "payouts."
    )
    told.__cause__ = error
    return told
