"""The flow of one payout, step by step: intent, sign, send, classify, outcome; ask where nobody can know.

The core decides (``next_step``, ``after_attempt``, …); the engine does it and stores what was learned. Whoever drives
it may wait between steps wherever they like, which is how a batch keeps its places free.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from attrs import field, frozen

from paypro_async._core.failures import not_recorded, unsettled
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Change, Entry, State, changed
from paypro_async._core.models import PayoutResult
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.retry import Action, RetryBudget, RetryPolicy, Situation, Step, is_over, next_step
from paypro_async._core.transitions import after_absence, after_attempt, after_query, next_attempt
from paypro_async._core.wire import WireRequest
from paypro_async.engine.flight import Flight
from paypro_async.engine.limits import Limits
from paypro_async.engine.platform import Platform
from paypro_async.errors import (
    IdempotencyConflictError,
    LedgerUnavailableError,
    NotSentError,
    OutcomeNotRecordedError,
    OutcomeUnknownError,
    PayProError,
)
from paypro_async.ledger import Ledger, MemoryLedger, Moved
from paypro_async.log import logger
from paypro_async.runtime import Runtime

__all__ = ["Engine"]

T = TypeVar("T")
_RECORDING_SECONDS = 5.0
_SEND, _FINISH = Step(Action.SEND), Step(Action.FINISH)


@frozen(kw_only=True, eq=False)
class Engine:
    """What every call of one client shares.

    Args:
        request_timeout: Seconds for one exchange.
        send_within: Seconds from the announcement of an attempt within which its first byte must leave.
        announced: The last attempt that this process announced of each payout that is unknown, and when.
    """

    platform: Platform
    ledger: Ledger
    policy: RetryPolicy
    budget: RetryBudget
    runtime: Runtime
    request_timeout: float
    send_within: float
    announced: dict[str, tuple[int, float]] = field(factory=dict, init=False)
    _ledger_waits: bool = field(init=False)

    @_ledger_waits.default
    def _(self) -> bool:
        # A dictionary answers at once, and a time-out around each answer would cost a tenth of a payout.
        return type(self.ledger) is not MemoryLedger

    async def pay(self, intent: Intent, limits: Limits) -> PayoutResult:
        """Take one payout as far as the limits allow."""
        flight = await self.begin(intent, limits)
        while (step := self.next(flight)).action is not Action.FINISH:
            if step.delay > 0:
                await self.runtime.sleep(step.delay)
            await self.act(flight, step.action)
        return self.result(flight)

    async def begin(self, intent: Intent, limits: Limits, *, place: float | None = None) -> Flight:
        """Store the intent, or find what is stored. Commit before send: a crash between the two must leave a trace."""
        now = self.runtime.steady()
        try:
            moved = await self._within(limits.timeout, self.ledger.claim(intent))
        except LedgerUnavailableError as error:
            raise LedgerUnavailableError(
                f"{error} This call sent nothing for {intent.trade_no}; what became of an earlier call with that "
                "trade_no only the ledger knows, so call again with the same one.",
                trade_no=intent.trade_no,
            ) from error
        if moved.entry.fingerprint != intent.fingerprint:
            raise IdempotencyConflictError(
                f"The trade_no {intent.trade_no} was used before for another amount or beneficiary. Nothing was sent "
                "by this call. Use a new trade_no for a new payout, or the first content to ask after the first one.",
                trade_no=intent.trade_no,
            )
        seen_at = self.runtime.steady()
        if limits.rate is not None:
            limits.rate.stored(seen_at - now)
        return Flight(
            entry=moved.entry,
            limits=limits,
            began=now,
            seen_at=seen_at,
            place=place,
            # From before the commit, so that a slow ledger shortens the time to send and never stretches it.
            announced_at=now if moved.done else None,
        )

    def next(self, flight: Flight) -> Step:
        """What to do next and after how many seconds; ``FINISH`` also when there is no time left for it."""
        now = self.runtime.steady()
        if flight.announced_at is not None:
            # Also when there is no time left: only the transport can say for certain that it never left.
            return _SEND
        if is_over(flight.entry.state, wants_news=flight.wants_news):
            return _FINISH
        step = self._decide(flight, now)
        if step.action is Action.FINISH or (step.action is Action.BELIEVE and now < flight.deadline):
            return step
        retrying = step.action is not Action.SEND or flight.sends > 0
        delay = max(step.delay, self.budget.take(now)) if retrying else step.delay
        if now + delay < flight.deadline:
            return Step(step.action, delay)
        if retrying:
            self.budget.give_back()
        return _FINISH

    async def act(self, flight: Flight, action: Action) -> None:
        """Carry out one step and store what it taught."""
        try:
            if action is Action.SEND:
                await self._send(flight)
            elif action is Action.ASK:
                await self._ask(flight)
            else:
                await self._believe(flight)
        except (OutcomeUnknownError, OutcomeNotRecordedError):
            raise
        except Exception as error:
            # Whatever broke, and whoever's fault it is: an error must not let a payout that may be out look unsent.
            trade_no = flight.entry.trade_no
            if flight.entry.state is State.SENDING:
                raise OutcomeUnknownError(
                    f"Payout {trade_no} may have been made, and a {type(error).__name__} came while that was being "
                    "found out. Money may have moved. Mend the cause and call again with the same trade_no; never use "
                    "a new one.",
                    trade_no=trade_no,
                    attempts=flight.entry.attempt,
                ) from error
            if isinstance(error, LedgerUnavailableError):
                raise LedgerUnavailableError(str(error), trade_no=trade_no) from error
            raise

    def age(self, entry: Entry, seen_at: float, now: float) -> float:
        """Seconds since the last attempt of *entry* was announced, as far as this process can be sure."""
        # The ledger's clock says how old the attempt was when it was read; from there on the steady clock counts.
        age = entry.age + (now - seen_at)
        # A wall clock may jump. What this process announced itself is never older than it knows.
        attempt, announced_at = self.announced.get(entry.trade_no, (-1, 0.0))
        return min(age, now - announced_at) if attempt == entry.attempt else age

    def result(self, flight: Flight) -> PayoutResult:
        """What is known in the end, or the error that says why nothing is."""
        if flight.entry.state is not State.SENDING:
            self.announced.pop(flight.entry.trade_no, None)
        result = flight.entry.result()
        if result is not None:
            return result
        error = unsettled(flight.entry, flight.last, elapsed=self.runtime.steady() - flight.began)
        if error.money_may_have_moved:
            logger.warning("%s", error)
        raise error

    def _decide(self, flight: Flight, now: float) -> Step:
        last = flight.last
        at = Situation(
            state=flight.entry.state,
            sends=flight.sends,
            held=flight.held,
            max_attempts=flight.limits.max_attempts,
            age=self._age(flight, now),
            asked=flight.asked,
            absences=flight.absences,
            last=last.verdict if last else None,
            retry_after=flight.retry_after,
            refused=flight.refused,
            wants_news=flight.wants_news,
        )
        return next_step(at, self.policy, self.runtime.chance())

    def _age(self, flight: Flight, now: float) -> float:
        return self.age(flight.entry, flight.seen_at, now)

    async def _send(self, flight: Flight) -> None:
        rate = flight.limits.rate
        if flight.announced_at is None:
            if rate is not None:
                # Before the announcement, or the wait would run down its send deadline.
                flight.place = await rate.place()
                await self._wait_until(min(flight.place - rate.lead, flight.deadline))
            announced_at = self.runtime.steady()
            if announced_at >= flight.deadline:
                return  # The rate had no place for it in time.
            moved = await self._within(flight.deadline - announced_at, self.ledger.move(next_attempt(flight.entry)))
            flight.see(moved.entry, self.runtime.steady())
            if not moved.done:
                return  # Another process was faster; what it wrote decides.
            flight.announced_at = announced_at
        if rate is not None:
            # Storing it may have taken longer than its place could wait.
            await rate.keep(await rate.place() if flight.place is None else flight.place)
            flight.place = None
        number, entry = flight.entry.attempt, flight.entry
        self.announced[entry.trade_no] = number, flight.announced_at
        send_by = flight.announced_at + self.send_within
        flight.announced_at = None
        flight.sends += 1
        flight.asked = flight.absences = 0
        request = await self._sign(flight, send_by)
        outcome = await self.platform.pay(request, trade_no=entry.trade_no, timeout=self._patience(flight))
        self._note(flight, outcome)
        if flight.on_reply is not None:
            flight.on_reply()
        if outcome.pool_timeout or outcome.late:
            flight.sends, flight.held = flight.sends - 1, flight.held + 1
        await self._store(flight, lambda now_there: after_attempt(now_there, outcome, sent=number))

    async def _sign(self, flight: Flight, send_by: float) -> WireRequest:
        entry, path = flight.entry, self.platform.spec.payout_path
        try:
            return await self.platform.sign(entry.content, path, timeout=self._patience(flight), send_by=send_by)
        except Exception as error:
            # A signer may be a vault: whatever it raises, nothing was sent, and the ledger must not think otherwise.
            not_signed = Outcome(verdict=Verdict.NOT_SENT, cause="it could not be signed")
            await self._store(flight, lambda now_there: after_attempt(now_there, not_signed, sent=entry.attempt))
            if isinstance(error, PayProError):
                raise
            raise NotSentError(
                f"Payout {entry.trade_no} could not be signed ({type(error).__name__}), so nothing was sent. Mend the "
                "signer and call again with the same trade_no.",
                trade_no=entry.trade_no,
                attempts=entry.attempt,
            ) from error

    async def _ask(self, flight: Flight) -> None:
        if flight.sends == 0:
            # Somebody else sent it, in another process or before a crash, and may have learned the outcome meanwhile.
            # As long as there is time: how patient one is with the platform says nothing of the ledger.
            entry = await self._within(flight.deadline - self.runtime.steady(), self._reload(flight.entry))
            moved_on = (entry.state, entry.attempt) != (flight.entry.state, flight.entry.attempt)
            flight.see(entry, self.runtime.steady())
            if moved_on:
                return
        settled = self.policy.settled(self._age(flight, self.runtime.steady()))
        entry = flight.entry
        outcome = await self.platform.query(entry.trade_no, amount=entry.amount, timeout=self._patience(flight))
        flight.asked += 1
        flight.refused = outcome.verdict is Verdict.BAD_CREDENTIALS
        if outcome.verdict is not Verdict.UNKNOWN:
            self.budget.answered()
        flight.retry_after = outcome.retry_after
        # Two in a row: whatever comes between may be a platform that is only just coming back.
        flight.absences = flight.absences + 1 if outcome.verdict is Verdict.NO_SUCH_ORDER and settled else 0
        await self._store(flight, lambda now_there: after_query(now_there, outcome))

    async def _believe(self, flight: Flight) -> None:
        """Two questions after the settle window found nothing: the last attempt came to nothing."""
        exhausted = flight.sends >= flight.limits.max_attempts
        change = after_absence(flight.entry, resend=self.policy.resend, exhausted=exhausted)
        if change is None:
            logger.info("Payout %s never arrived; it is sent again under the same trade_no.", flight.entry.trade_no)
            await self._send(flight)
            return
        moved = await self._write(flight, change)
        flight.see(moved.entry, self.runtime.steady())
        if not moved.done:
            flight.absences = 0

    async def _wait_until(self, moment: float) -> None:
        if (delay := moment - self.runtime.steady()) > 0:
            await self.runtime.sleep(delay)

    def _patience(self, flight: Flight) -> float:
        return max(0.0, min(self.request_timeout, flight.deadline - self.runtime.steady()))

    def _note(self, flight: Flight, outcome: Outcome) -> None:
        flight.last, flight.retry_after = outcome, outcome.retry_after
        if outcome.verdict not in (Verdict.UNKNOWN, Verdict.NOT_SENT, Verdict.RATE_LIMITED):
            self.budget.answered()

    async def _reload(self, entry: Entry) -> Entry:
        found = await self.ledger.get(entry.merchant_no, entry.trade_no)
        if found is None:
            raise LedgerUnavailableError(
                f"The ledger has lost the payout {entry.trade_no}, which it held a moment ago."
            )
        return found

    async def _store(self, flight: Flight, decide: Callable[[Entry], Change | None]) -> None:
        """Write what was learned. Whoever is being cancelled still writes it: the answer may never come again."""
        try:
            await self._settle(flight, decide)
        except asyncio.CancelledError:
            # Again, in a task that the cancellation does not reach. A change is conditional, so twice is once.
            give_up = self.runtime.steady() + _RECORDING_SECONDS
            writing = asyncio.ensure_future(self._settle(flight, decide, give_up=give_up))
            await asyncio.wait([writing])
            if not writing.cancelled() and (error := writing.exception()) is not None:
                logger.warning("%s", error)
            raise

    async def _settle(
        self, flight: Flight, decide: Callable[[Entry], Change | None], *, give_up: float | None = None
    ) -> None:
        while (change := decide(flight.entry)) is not None:
            moved = await self._write(flight, change, give_up=give_up)
            flight.see(moved.entry, self.runtime.steady())
            if moved.done:
                return

    async def _write(self, flight: Flight, change: Change, *, give_up: float | None = None) -> Moved:
        """Write one change, again and again while the ledger is unavailable and there is time."""
        if give_up is None:
            give_up = max(flight.deadline, self.runtime.steady() + _RECORDING_SECONDS)
        tries = 0
        while True:
            try:
                return await self._within(give_up - self.runtime.steady(), self.ledger.move(change))
            except LedgerUnavailableError as error:
                delay = self.policy.backoff(tries, self.runtime.chance())
                if self.runtime.steady() + delay >= give_up:
                    failure = not_recorded(flight.entry, change)
                    if change.to is State.NEW:
                        # What the ledger could not store is certain all the same: nothing of it is out.
                        flight.see(changed(flight.entry, change, None), self.runtime.steady())
                    raise failure from error
                tries += 1
                await self.runtime.sleep(delay)

    async def _within(self, seconds: float, answer: Awaitable[T]) -> T:
        if not self._ledger_waits:
            return await answer
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                return await answer
        except TimeoutError:
            raise LedgerUnavailableError(
                f"The ledger did not answer within {seconds:.3g} s. Nothing was sent for what it did not store."
            ) from None
