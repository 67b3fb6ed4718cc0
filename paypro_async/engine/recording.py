"""The ledger with patience: what was learned is written, or an error says that it was not.

Before a payout leaves, a ledger that does not answer in time means that nothing is sent. Afterwards it is asked again
and again: the platform's answer may never come a second time.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from attrs import field, frozen

from paypro_async._core.failures import not_recorded
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Change, Entry, State, changed
from paypro_async.engine.flight import Flight
from paypro_async.engine.limits import RECORDING_SECONDS
from paypro_async.engine.session import Session
from paypro_async.errors import IdempotencyConflictError, LedgerUnavailableError
from paypro_async.ledger import Ledger, Written
from paypro_async.ledger.base import LedgerClosedError
from paypro_async.ledger.changes import apply
from paypro_async.ledger.patience import answer_within
from paypro_async.log import logger
from paypro_async.runtime import Deadlines

__all__ = ["Recording"]

_MARGIN = 5.0
_NOT_ANNOUNCED = (-1, 0.0, 0.0)


@frozen(kw_only=True, eq=False)
class Recording:
    """What one client writes to its ledger.

    Args:
        ledger: The client's.
        session: Its policy says how long to wait between two tries.
        writing: What is still written for calls that were cancelled.
        announced: The last attempt that this process announced of each payout that is unknown, when, and when its
            settle window ends. Past that, the attempt is old enough on any clock.
    """

    ledger: Ledger
    session: Session
    writing: "set[asyncio.Future[Entry]]" = field(factory=set, init=False)
    announced: dict[str, tuple[int, float, float]] = field(factory=dict, init=False)
    _deadlines: Deadlines = field(factory=Deadlines, init=False)

    async def find(self, intent: Intent, *, timeout: float) -> Entry | None:
        """What the ledger holds of a payout that may be new, within *timeout* seconds.

        Raises:
            LedgerUnavailableError: If it does not say. This call has sent nothing.
        """
        try:
            return await answer_within(timeout, self.ledger, self.ledger.get(intent.merchant_no, intent.trade_no))
        except LedgerUnavailableError as error:
            raise _not_begun(error, intent) from error

    async def claim(self, intent: Intent, *, timeout: float) -> Written:
        """Store the intent, or find what is stored, within *timeout* seconds.

        Raises:
            LedgerUnavailableError: If neither can be had. This call has sent nothing.
            IdempotencyConflictError: If the number belongs to another payout.
        """
        try:
            written = await answer_within(timeout, self.ledger, self.ledger.claim(intent), self._deadlines)
        except LedgerUnavailableError as error:
            raise _not_begun(error, intent) from error
        if written.entry.fingerprint != intent.fingerprint:
            raise IdempotencyConflictError(
                f"The trade_no {intent.trade_no} was used before for another amount or beneficiary. Nothing was sent "
                "by this call. Use a new trade_no for a new payout, or the first content to ask after the first one.",
                trade_no=intent.trade_no,
            )
        if written.done and (watcher := self.session.news.watcher) is not None:
            watcher.written(None, written.entry, None)
        return written

    async def announce(self, entry: Entry, change: Change, *, timeout: float) -> Written:
        """Store that an attempt is about to leave, within *timeout* seconds: tried once, since nothing is out yet."""
        written = await answer_within(timeout, self.ledger, self.ledger.move(change), self._deadlines)
        if written.done and (watcher := self.session.news.watcher) is not None:
            watcher.written(entry, written.entry, change)
        return written

    async def reload(self, entry: Entry, *, timeout: float) -> Entry:
        """The entry as it stands now, within *timeout* seconds."""
        found = await answer_within(timeout, self.ledger, self.ledger.get(entry.merchant_no, entry.trade_no))
        if found is None:
            raise LedgerUnavailableError(
                f"The ledger has lost the payout {entry.trade_no}, which it held a moment ago."
            )
        return found

    async def store(self, flight: Flight, decide: Callable[[Entry], Change | None]) -> None:
        """Write what was learned. A call that is being cancelled still writes it: the answer may never come again.

        Raises:
            OutcomeNotRecordedError: If the ledger could not store it in time.
        """
        soon = self.session.runtime.steady() + RECORDING_SECONDS
        give_up = max(flight.deadline, soon)
        try:
            await apply(partial(self._write, flight, give_up), flight.entry, decide, self.session.news.on_written)
        except asyncio.CancelledError:
            # Again, in a task that the cancellation does not reach. A change is conditional, so twice is once.
            soon = self.session.runtime.steady() + RECORDING_SECONDS
            again = apply(partial(self._write, flight, soon), flight.entry, decide, self.session.news.on_written)
            self.session.closing.enter()
            writing = asyncio.ensure_future(again)
            self.writing.add(writing)  # A loop holds its tasks weakly, and the caller may be cancelled once more.
            writing.add_done_callback(self._written)
            await asyncio.wait([writing])
            raise

    def _written(self, writing: "asyncio.Future[Entry]") -> None:
        self.session.closing.leave()
        self.writing.discard(writing)
        if not writing.cancelled() and (error := writing.exception()) is not None:
            logger.warning("%s", error)

    async def write(self, flight: Flight, change: Change) -> Written:
        """Write one change, again and again while the ledger is unavailable and there is time.

        Raises:
            OutcomeNotRecordedError: If the ledger could not store it in time.
        """
        soon, before = self.session.runtime.steady() + RECORDING_SECONDS, flight.entry
        written = await self._write(flight, max(flight.deadline, soon), change)
        if written.done and (watcher := self.session.news.watcher) is not None:
            watcher.written(before, written.entry, change)
        return written

    def age(self, entry: Entry, seen_at: float, now: float) -> float:
        """Seconds since the last attempt of *entry* was announced, as far as this process can be sure."""
        # The ledger's clock says how old the attempt was when it was read; from there on the steady clock counts.
        age = entry.age + (now - seen_at)
        # A wall clock may jump. What this process announced itself is never older than it knows.
        attempt, announced_at, _ = self.announced.get(entry.trade_no, _NOT_ANNOUNCED)
        return min(age, now - announced_at) if attempt == entry.attempt else age

    def forget_old(self) -> None:
        """Drop what was announced so long ago that the attempt has settled by any clock."""
        before = self.session.runtime.steady() - _MARGIN
        # The oldest stand in front. One with a longer window than the others keeps those behind it for so long.
        while self.announced and self.announced[(oldest := next(iter(self.announced)))][2] < before:
            del self.announced[oldest]

    async def _write(self, flight: Flight, give_up: float, change: Change) -> Written:
        runtime, tries = self.session.runtime, 0
        while True:
            try:
                left = give_up - runtime.steady()
                written = await answer_within(left, self.ledger, self.ledger.move(change), self._deadlines)
            except LedgerUnavailableError as error:
                delay = self.session.policy.backoff(tries, runtime.chance())
                closed = isinstance(error, LedgerClosedError) or self.session.closing.ended
                if closed or runtime.steady() + delay >= give_up:
                    failure = not_recorded(flight.entry, change)
                    if change.to is State.NEW:
                        # What the ledger could not store is certain all the same: nothing of it is out.
                        flight.see(changed(flight.entry, change, None), runtime.steady())
                    raise failure from error
                tries += 1
                await runtime.sleep(delay)
            else:
                flight.see(written.entry, runtime.steady())
                self.session.news.tell(written.entry)
                return written


def _not_begun(error: LedgerUnavailableError, intent: Intent) -> LedgerUnavailableError:
    return LedgerUnavailableError(
        f"{error} This call sent nothing for {intent.trade_no}; what became of an earlier call with that trade_no only "
        "the ledger knows, so call again with the same one.",
        trade_no=intent.trade_no,
    )
