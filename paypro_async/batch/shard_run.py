"""One worker at one range of a batch: pay what is open in it, as far as the batch may run."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from attrs import define, field, frozen

from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import intent_of
from paypro_async._core.plain_data import PlainData
from paypro_async.batch.batch import Batch
from paypro_async.batch.shared_work import SharedWork
from paypro_async.engine.rate import Rate
from paypro_async.errors import BatchStoppedError, ConfigurationError, LedgerUnavailableError
from paypro_async.ledger.shared import BatchStatus, OpenRows
from paypro_async.log import logger
from paypro_async.runtime import end_task

__all__ = ["FOR_A_PERSON", "ShardReport", "ShardRun"]

_LOOK_SECONDS = 1.5
"""So often a worker looks whether it may go on, and says that it is still there."""
_AT_WORK = 5.0
FOR_A_PERSON = ("bad_credentials", "same_refusal_in_a_row", "insufficient_funds", "wrong_setting")
"""Why a batch is paused for all workers: each of them would fare alike until somebody has mended it."""
_OUTAGE_SECONDS = 30.0
_LEDGER_SECONDS = 5.0
_LEFT_SECONDS = 10.0


@frozen(kw_only=True)
class ShardReport(PlainData):
    """What one run of a shard came to.

    Args:
        batch_id: The batch; *low* and *high*, the range: from *low* to before *high*.
        counts: Payouts that this run has worked on, by status.
        open: How many payouts of the range are still open: not begun, to be sent once more, or to be asked about. None
            is looked at, and none counted, if the batch may not run.
        stopped: Why it ended before its end, if it did: the batch is ``paused``, ``cancelled`` or still ``importing``,
            or the name of one of :class:`~paypro_async.StopRules`.
        again_in: Seconds until it is worth while to run the shard again; None if there is nothing to be done for it, or
            not before somebody lets the batch go on.
    """

    batch_id: str
    low: int
    high: int
    counts: Mapping[ItemStatus, int]
    open: int
    stopped: str | None
    again_in: float | None

    @property
    def done(self) -> bool:
        """Whether nothing of the range is open: each payout is taken, has failed, or waits for a person."""
        return self.open == 0 and self.stopped not in _NOT_RUN


_NOT_RUN = tuple(status.value for status in BatchStatus)


@define(kw_only=True, eq=False)
class ShardRun:
    """One run of a shard.

    Args:
        work: Of the client that pays.
        batch_id: The batch; *low* and *high*, the range.
        concurrency: How many payouts may be under way at one time.
        may_leave: Whether it ends once all that is left is unknown and will be for a while.
    """

    work: SharedWork
    batch_id: str
    low: int
    high: int
    concurrency: int
    may_leave: bool
    _counts: Counter[ItemStatus] = field(factory=Counter, init=False)

    async def run(self) -> ShardReport:
        """Pay what is open.

        Raises:
            LedgerUnavailableError: If the ledger cannot be read or written; what it holds is certain, and no more.
            ConfigurationError: If there is no such batch, or it is another region's.
        """
        rows = await self._look()
        if not rows.batch.may_run:
            return self._report(stopped=rows.batch.status.value, left=0, again_in=None)
        stopped, again_in = None, 0.0
        if rows.planned or rows.unsettled:
            stopped, again_in = await self._pay(rows)
        if stopped in FOR_A_PERSON:
            await self._pause(stopped)
        left = await self.work.answer(self.work.ledger.leave_shard(*self._range))
        return self._report(stopped=stopped, left=left, again_in=_again_in(left, stopped, again_in))

    async def _look(self) -> OpenRows:
        rows = await self.work.answer(self.work.ledger.shard_rows(*self._range))
        if rows is None:
            raise no_such_batch(self.batch_id)
        return rows

    async def _pay(self, rows: OpenRows) -> tuple[str | None, float]:
        """Pay these; why that ended before its end, and the seconds until it is worth asking about what it left."""
        self._refuse_other_region(rows)
        intents = [*(intent_of(entry) for entry in rows.unsettled), *rows.planned]
        if rows.idle is not None and rows.idle < _AT_WORK:
            # Another worker is at them. From the other end the two meet once, and not at each payout.
            intents.reverse()
        batch, rate = self.work.part_of_batch(
            intents,
            batch_id=self.batch_id,
            concurrency=self.concurrency,
            rate=rows.batch.rate,
            may_leave=self.may_leave,
        )
        watching = asyncio.create_task(self._watch(batch, rate), name="paypro-shard-watch")
        try:
            async for item in batch:
                if not isinstance(item.error, BatchStoppedError):
                    self._counts[item.status] += 1
                elif (why := await self._why_stopped()) is not None:
                    batch.stop(why)
        finally:
            await end_task(watching, who="The look at a batch", within=1.0)
        return batch.report.stopped, batch.settles_in

    def _refuse_other_region(self, rows: OpenRows) -> None:
        regions = [one.region for one in rows.planned[:1]] + [one.region for one in rows.unsettled[:1]]
        region = next(iter(regions), self.work.region)
        if region != self.work.region:
            raise ConfigurationError(
                f"The batch {self.batch_id} is of the region {region!r}, and this client pays in {self.work.region!r}. "
                f"Nothing was sent. Give its workers a client with region={region!r}."
            )

    async def _watch(self, batch: Batch, rate: Rate | None) -> None:
        """Say now and then that a worker is here, and stop or change the rate as the ledger says."""
        while True:
            await self.work.runtime.sleep(_LOOK_SECONDS)
            try:
                now = await self.work.answer(self.work.ledger.touch_shard(*self._range))
            except LedgerUnavailableError as error:
                # Without it nothing is begun anyway.
                logger.warning("Whether batch %s may go on could not be read: %s", self.batch_id, error)
                continue
            if now is None or not now.may_run:
                batch.stop("cancelled" if now is None else now.status.value)
            elif (now.rate is None) != (rate is None):
                batch.stop("rate")
            elif rate is not None and now.rate is not None:
                rate.per_second = now.rate

    async def _why_stopped(self) -> str | None:
        """What keeps the batch from going on; None if another worker has just taken that payout alone from the plan."""
        found = await self.work.answer(self.work.ledger.shared_batch(self.work.merchant_no, self.batch_id))
        if found is None:
            return "cancelled"
        return None if found.may_run else found.status.value

    async def _pause(self, why: str) -> None:
        paused = self.work.ledger.set_batch_status(self.work.merchant_no, self.batch_id, BatchStatus.PAUSED, why=why)
        await self.work.answer(paused)
        logger.error(
            "Batch %s is paused for all workers: %s. What is under way is recorded. Mend the cause, then let it go on: "
            "'paypro resume %s'.",
            *(self.batch_id, why, self.batch_id),
        )

    @property
    def _range(self) -> tuple[str, str, int, int]:
        return self.work.merchant_no, self.batch_id, self.low, self.high

    def _report(self, *, stopped: str | None, left: int, again_in: float | None) -> ShardReport:
        return ShardReport(
            batch_id=self.batch_id,
            low=self.low,
            high=self.high,
            counts=MappingProxyType(dict(self._counts)),
            open=left,
            stopped=stopped,
            again_in=again_in,
        )


def no_such_batch(batch_id: str) -> ConfigurationError:
    """Of a batch that was never imported."""
    return ConfigurationError(
        f"This ledger holds no imported batch {batch_id!r} of this merchant. Nothing was sent. Import it first "
        "(import_batch, or 'paypro batch FILE --workers'), or look at the name and the ledger."
    )


def _again_in(left: int, stopped: str | None, settles_in: float) -> float | None:
    if left == 0 or stopped in _NOT_RUN or stopped in FOR_A_PERSON:
        return None
    if stopped == "rate":
        return 0.0
    if stopped == "ledger_unavailable":
        return _LEDGER_SECONDS
    if stopped is not None:
        return _OUTAGE_SECONDS
    return settles_in or _LEFT_SECONDS
