"""One item of a batch on its way through the engine: checked, given its turn, begun, and taken on step by step."""

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import define, field, frozen

from paypro_async._core.intent import Intent
from paypro_async._core.items import BatchItem
from paypro_async._core.lifecycle import State
from paypro_async._core.models import PayoutResult
from paypro_async._core.money import AmountTypeError
from paypro_async._core.retry import Action
from paypro_async._core.stopping import Watch
from paypro_async.batch.scheduler import Scheduler
from paypro_async.engine.flight import Flight
from paypro_async.engine.limits import Limits
from paypro_async.engine.payout import Engine
from paypro_async.engine.readiness import get_ready_to_begin
from paypro_async.errors import InvalidPayoutError, OutcomeUnknownError, PayProError, Problem
from paypro_async.ledger.patience import answer_within
from paypro_async.log import logger

__all__ = ["Job", "Worker"]

_A_ROW = "; of a data frame, give the frame itself"
"""Said of a tuple, as iterrows() and itertuples() give one for each row."""
_WORTH_LEAVING = 2.0
"""Seconds. For less it is not worth while to read a payout once more."""


@define(eq=False)
class Job:
    """One item of the source, from when it is read until it has ended.

    Args:
        position: Of the item in the source, from 0.
        payout: The item as the source gave it.
        intent: What it means, once it was checked.
        needs_turn: Whether it takes a turn in the rate: only what will be sent does.
        turn: The turn in the rate for which it is got ready, if it needs one.
        flight: Its way through the engine, once it has begun.
        action: The step that it waited for.
    """

    position: int
    payout: Any = field(repr=False)
    intent: Intent | None = None
    needs_turn: bool = False
    turn: float | None = None
    flight: Flight | None = None
    action: Action | None = None

    def item(self, *, result: PayoutResult | None = None, error: PayProError | None = None) -> BatchItem:
        """What became of it."""
        trade_no = self.intent.trade_no if self.intent else getattr(error, "trade_no", None)
        return BatchItem(position=self.position, trade_no=trade_no, payout=self.payout, result=result, error=error)


@frozen(kw_only=True, eq=False)
class Worker:
    """Takes the jobs of one batch through the engine.

    Args:
        engine: The client's.
        prepare: Makes an intent of an item and its place in the batch; raises for one that is wrong.
        batch_id: The batch's name in the ledger.
        limits: The bounds of each payout.
        watch: Is told of each attempt.
        scheduler: Where a job that must wait is put.
    """

    engine: Engine
    prepare: Callable[..., Intent]
    batch_id: str
    limits: Limits
    watch: Watch
    scheduler: Scheduler[Job]

    async def work(self, job: Job) -> BatchItem | None:
        """Take the job as far as it goes without waiting: what became of it, or None if it waits now."""
        try:
            return await self._advance(job)
        except PayProError as error:
            if job.flight is None:
                # Of one that was begun the engine has told.
                logger.info("Item %d of batch %s: %s", job.position, self.batch_id, error)
            return job.item(error=error)
        except Exception as error:
            # A fault in the SDK or in a plug-in must not take the other payouts with it, nor pass for an outcome.
            logger.exception("Payout %s met an unexpected error", job.intent.trade_no if job.intent else "?")
            return job.item(error=_unexpected(job, error))
        finally:
            if job.flight is not None:
                job.flight.on_reply = None  # or the two would keep each other

    def as_left(self, job: Job) -> BatchItem | None:
        """What is known of a job that goes no further; None if it never began, and so is no item."""
        if job.flight is None:
            return None
        self.engine.leave(job.flight)
        try:
            return job.item(result=self.engine.result(job.flight))
        except PayProError as error:
            return job.item(error=error)

    def settles_in(self, job: Job) -> float:
        """Seconds until "no such order" means something of the job's payout; zero if that is not what it waits for."""
        flight = job.flight
        if flight is None or flight.entry.state is not State.SENDING:
            return 0.0
        session, recording = self.engine.session, self.engine.recording
        age = recording.age(flight.entry, flight.seen_at, session.runtime.steady())
        return max(0.0, session.policy.window(flight.entry) - age)

    def may_leave(self, job: Job) -> bool:
        """Whether the job's payout is unknown and will be for a while, so that another run may as well ask about it."""
        return self.settles_in(job) > _WORTH_LEAVING

    async def _advance(self, job: Job) -> BatchItem | None:
        flight = job.flight or await self._begin(job)
        if flight is None:
            return None
        flight.on_reply = partial(self._replied, job, flight)
        if job.action is not None and not (self.scheduler.stopped and self._goes_no_further(flight, job.action)):
            await self.engine.act(flight, job.action)
        while (step := self.engine.next(flight)).action is not Action.FINISH:
            if self.scheduler.stopped and self._goes_no_further(flight, step.action):
                break
            if step.delay > 0 or job not in self.scheduler.holding:
                job.action = step.action
                self.scheduler.put_off(job, step.delay, begun=True)
                return None
            await self.engine.act(flight, step.action)
        return job.item(result=self.engine.result(flight))

    def _goes_no_further(self, flight: Flight, action: Action) -> bool:
        if flight.announced_at is not None:
            return False  # It still goes out: unsent, it would be unknown for a settle window.
        # What was only asked about is not under way.
        # Nor is what waits to be tried again where nothing gets through.
        in_vain = self.scheduler.stopped == "not_sent_in_a_row" and flight.entry.state is State.NEW
        unsent = action is Action.SEND and (flight.sends == 0 or in_vain)
        return unsent or self.scheduler.cancelled

    async def _begin(self, job: Job) -> Flight | None:
        """Store the intent, once the rate allows; None if the job waits for that, or if the batch has stopped."""
        rate, limits, session = self.limits.rate, self.limits, self.engine.session
        try:
            if job.intent is None:
                job.intent = self._intent(job)
                if rate.limited:
                    limits = await self._look(job, limits)
            if job.needs_turn and rate.missed(job.turn):
                job.turn = await rate.turn(within=limits.timeout)
        finally:
            self.scheduler.seen_turn(job)
        if job.needs_turn and (ahead := rate.ahead(job.turn)) > 0:
            self.scheduler.put_off(job, ahead, begun=False)
            return None
        if self.scheduler.stopped:
            return None
        ready = None
        if job.needs_turn:
            ready = await get_ready_to_begin(session, job.intent, limits)
            if self._has_stopped():
                await ready.aclose()
                return None
        job.flight = await self.engine.begin(job.intent, limits, ready=ready)
        return job.flight

    def _has_stopped(self) -> bool:
        return self.scheduler.stopped is not None

    async def _look(self, job: Job, limits: Limits) -> Limits:
        """See whether the job needs a turn in the rate; its bounds, with the time that is left of it."""
        # Only what will be sent takes a turn; a second run passes over what is done.
        began, intent = self.engine.session.runtime.steady(), job.intent
        if intent is not None:
            ledger = self.engine.recording.ledger
            looking = ledger.get(intent.merchant_no, intent.trade_no)
            job.needs_turn = await answer_within(limits.timeout, ledger, looking) is None
        return limits.within(max(0.0, began + limits.timeout - self.engine.session.runtime.steady()))

    def _intent(self, job: Job) -> Intent:
        try:
            return self.prepare(job.payout, place=(self.batch_id, job.position))
        except TypeError as error:
            hint = _A_ROW if isinstance(job.payout, tuple) else ""
            wrong = Problem("payout", "TYPE", f"is of a type that cannot be paid{hint}")
            if isinstance(error, AmountTypeError):
                wrong = Problem("amount", "TYPE", error.problem)
            raise InvalidPayoutError([wrong]) from error

    def _replied(self, job: Job, flight: Flight) -> None:
        """The attempt has its answer, or none: before that is stored, so that a batch that must stop begins no more."""
        last = flight.last
        if last is not None and not (last.pool_timeout or last.late):
            before, why = self.watch.trouble, self.watch.attempt(last)
            if before is None and self.watch.trouble is not None:
                logger.warning(
                    "Batch %s: %d attempts in a row were not sent: %s. No money moved by them. They are tried again.",
                    *(self.batch_id, self.watch.unsent_in_a_row, self.watch.trouble.removesuffix(".")),
                )
            if why is not None:
                self.scheduler.stop(why)
        self.scheduler.give_back(job)


def _unexpected(job: Job, error: Exception) -> PayProError:
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
