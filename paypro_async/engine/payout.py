"""The flow of one payout, step by step: intent, sign, send, classify, outcome; ask where it cannot be known.

The core decides (``next_step``, ``after_attempt``, …); the engine does it and stores what was learned. Its caller may
wait between two steps in any way it likes, which is how a batch keeps its slots free.
"""

import asyncio
import logging

from attrs import frozen

from paypro_async._core.failures import unsettled, unsigned
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Reply, State
from paypro_async._core.models import PayoutResult
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.retry import Action, Situation, Step, is_over, next_step
from paypro_async._core.transitions import after_absence, after_attempt, after_query, next_attempt
from paypro_async._core.wire import Exchange, Phase, Waiting, WireRequest
from paypro_async.engine.flight import Flight
from paypro_async.engine.limits import Limits
from paypro_async.engine.log_lines import tell_cancelled, tell_outcome, tell_unknown, tell_wait
from paypro_async.engine.readiness import Ready, get_ready
from paypro_async.engine.recording import Recording
from paypro_async.engine.session import Session
from paypro_async.errors import (
    LedgerUnavailableError,
    OutcomeNotRecordedError,
    OutcomeUnknownError,
    PayProError,
)
from paypro_async.ledger.base import OrderNumberTakenError
from paypro_async.log import logger

__all__ = ["Engine"]

_NO_ANSWER = (Verdict.UNKNOWN, Verdict.NOT_SENT, Verdict.RATE_LIMITED)
_SEND, _FINISH = Step(Action.SEND), Step(Action.FINISH)


@frozen(kw_only=True, eq=False)
class Engine:
    """Pays through one open client.

    Args:
        session: What the client's parts share.
        recording: What it writes to its ledger.
    """

    session: Session
    recording: Recording

    async def pay(self, intent: Intent, limits: Limits) -> PayoutResult:
        """Take one payout as far as the limits allow."""
        flight = await self.begin(intent, limits)
        try:
            while (step := self.next(flight)).action is not Action.FINISH:
                if step.delay > 0:
                    await self.session.closing.sleep(step.delay)
                if self.session.closing.begun and flight.announced_at is None:
                    break  # What was announced still goes out: unsent, it would be unknown for a settle window.
                await self.act(flight, step.action)
        except asyncio.CancelledError:
            if flight.entry.state is State.SENDING:
                tell_cancelled(flight.entry, window=self.session.policy.window(flight.entry))
            raise
        return self.result(flight)

    async def begin(self, intent: Intent, limits: Limits, *, ready: Ready | None = None) -> Flight:
        """Store the intent, or find what is stored. Commit before send: a crash between the two must leave a trace."""
        announcing = self.session.runtime.steady()
        began = announcing if ready is None else ready.began
        deadline = began + limits.timeout
        admission, waiting, admitted = self.session.admission, None, False
        if ready is not None:
            waiting = ready.waiting
        elif admission.is_bounded:
            waiting = admission.waiting(deadline, limits.timeout)
            if not (admitted := admission.enter_at_once()):
                admitted = await self._admit(intent, began, waiting)
                announcing = self.session.runtime.steady()
        written = None
        try:
            written = await self.recording.claim(intent, timeout=deadline - announcing)
        finally:
            if written is None or not written.done:
                await self._release(ready, admitted=admitted)
        seen_at = self.session.runtime.steady()
        if ready is not None:
            ready.rate.stored(seen_at - announcing)
        return Flight(
            entry=written.entry,
            limits=limits,
            began=began,
            deadline=deadline,
            admitted=admitted and written.done,
            waiting=waiting,
            seen_at=seen_at,
            ready=ready if written.done else None,
            # From before the commit, so that a slow ledger shortens the time to send and never stretches it.
            announced_at=announcing if written.done else None,
        )

    async def _release(self, ready: Ready | None, *, admitted: bool) -> None:
        if admitted:
            self.session.admission.leave()
        if ready is not None:
            await ready.aclose()

    async def _admit(self, intent: Intent, began: float, waiting: Waiting) -> bool:
        """Wait until one more payout may be announced; False if this one is in the ledger, which may be all it takes.

        Raises:
            PoolTimeoutError: If no reply could come in time any more.
        """
        if await self.recording.find(intent, timeout=waiting.answer_by - began) is not None:
            return False
        await self.session.admission.enter_or_fail(intent.trade_no, waiting)
        return True

    def next(self, flight: Flight) -> Step:
        """What to do next and after how many seconds; ``FINISH`` also when there is no time left for it."""
        if flight.announced_at is not None:
            # Also when there is no time left: only the transport can say for certain that it never left.
            return _SEND
        if flight.in_vain or is_over(flight.entry.state, refresh=flight.refresh):
            return _FINISH
        now = self.session.runtime.steady()
        step = self._decide(flight, now)
        if step.action is Action.FINISH or (step.action is Action.BELIEVE and now < flight.deadline):
            return step
        # Neither the first attempt nor the first question of a call is held back.
        retrying = flight.questions > 0 if step.action is Action.ASK else flight.sends > 0
        wait = self.session.budget.take(now) if retrying else 0.0
        if wait is None:
            pause = self.session.budget.pause(self.session.runtime.chance())
            return Step(Action.WAIT, pause) if now + pause < flight.deadline else _FINISH
        delay = max(step.delay, wait)
        if now + delay < flight.deadline:
            step = Step(step.action, delay)
            if delay > 0 and logger.isEnabledFor(logging.DEBUG):
                tell_wait(flight.entry.trade_no, step)
            return step
        if retrying:
            self.session.budget.give_back()
        return _FINISH

    async def act(self, flight: Flight, action: Action) -> None:
        """Carry out one step and store what it taught."""
        try:
            if action is Action.SEND:
                await self._send(flight)
            elif action is Action.ASK:
                await self._ask(flight)
            elif action is Action.BELIEVE:
                await self._believe(flight)
        except (OutcomeUnknownError, OutcomeNotRecordedError) as error:
            self._tell_unknown(flight, error)
            raise
        except Exception as error:
            # Whatever broke: an error must not let a payout that may be out look unsent.
            trade_no = flight.entry.trade_no
            if flight.entry.uncertain:
                unknown = OutcomeUnknownError(
                    f"Payout {trade_no} may have been made, and a {type(error).__name__} came while that was being "
                    "found out. Money may have moved. Mend the cause and call again with the same trade_no; never use "
                    "a new one.",
                    trade_no=trade_no,
                    attempts=flight.entry.attempt,
                )
                self._tell_unknown(flight, unknown)
                raise unknown from error
            if isinstance(error, LedgerUnavailableError):
                raise LedgerUnavailableError(str(error), trade_no=trade_no) from error
            raise

    def result(self, flight: Flight) -> PayoutResult:
        """What is known in the end, or the error that says why nothing is."""
        if flight.entry.state is State.SENDING:
            self.recording.forget_old()
        else:
            self.recording.announced.pop(flight.entry.trade_no, None)
        result = flight.entry.result()
        if result is not None:
            if logger.isEnabledFor(logging.INFO):
                tell_outcome(flight.entry, result, self.session.runtime.steady() - flight.began)
            return result
        elapsed = self.session.runtime.steady() - flight.began
        error = unsettled(flight.entry, flight.last, elapsed=elapsed, refused=flight.unclear, silence=flight.silence)
        self.session.closing.tell(error)
        if error.money_may_have_moved:
            self._tell_unknown(flight, error)
        else:
            tell_outcome(flight.entry, error, elapsed)
        raise error

    def _tell_unknown(self, flight: Flight, error: PayProError) -> None:
        tell_unknown(flight.entry, error, window=self.session.policy.window(flight.entry))

    def _decide(self, flight: Flight, now: float) -> Step:
        last = flight.last
        at = Situation(
            state=flight.entry.state,
            sends=flight.sends,
            held=flight.held,
            max_attempts=flight.limits.max_attempts,
            age=self._age(flight, now),
            window=self.session.policy.window(flight.entry),
            asks_first=flight.entry.asks_first,
            failing=flight.entry.reply is Reply.FAILING,
            asked=flight.asked,
            absences=flight.absences,
            last=last.verdict if last else None,
            lasting=last is not None and last.fault is not None and last.lasting,
            retry_after=flight.retry_after,
            refused=flight.refused,
            refresh=flight.refresh,
        )
        return next_step(at, self.session.policy, self.session.runtime.chance())

    def _age(self, flight: Flight, now: float) -> float:
        return self.recording.age(flight.entry, flight.seen_at, now)

    async def _send(self, flight: Flight) -> None:
        try:
            announced_at = flight.announced_at
            if announced_at is None and (announced_at := await self._announce(flight)) is None:
                return
            await self._exchange(flight, announced_at)
        finally:
            if flight.admitted or flight.ready is not None:
                await self._release(flight.ready, admitted=flight.admitted)
                flight.ready, flight.admitted = None, False

    def leave(self, flight: Flight) -> None:
        """What was announced is answered, or goes no further here: another payout may be announced."""
        if flight.admitted:
            flight.admitted = False
            self.session.admission.leave()

    async def _await_admission(self, flight: Flight) -> bool:
        """Wait until one more attempt may be announced; False if no reply could come in time any more."""
        admission = self.session.admission
        if not admission.is_bounded:
            return True
        flight.waiting = waiting = admission.waiting(flight.deadline, flight.limits.timeout)
        flight.admitted = admission.enter_at_once() or await admission.enter(waiting)
        if not flight.admitted:
            flight.last, flight.in_vain = admission.in_vain(waiting), True
        return flight.admitted

    async def _announce(self, flight: Flight) -> float | None:
        """Store that another attempt is about to leave; when that was, or None if this call may not send it."""
        steady = self.session.runtime.steady
        # All waits before the announcement, or they would run down its send deadline.
        rate = flight.limits.rate
        if not rate.limited:
            if not await self._await_admission(flight):
                return None
        elif not await self._get_ready(flight):
            return None  # The rate had no turn for it in time.
        announced_at = steady()
        if announced_at >= flight.deadline:
            return None
        change = next_attempt(flight.entry, settle_after=self.session.policy.settle_after)
        written = await self.recording.announce(flight.entry, change, timeout=flight.deadline - announced_at)
        flight.see(written.entry, steady())
        rate.stored(flight.seen_at - announced_at)
        if not written.done:
            return None  # Another process was faster; what it wrote decides.
        flight.announced_at = announced_at
        return announced_at

    async def _get_ready(self, flight: Flight) -> bool:
        """Get the next attempt ready for its turn; False if there is none before the call must end."""
        await flight.limits.rate.ready(flight.deadline)
        left = flight.deadline - self.session.runtime.steady()
        if left > 0:
            flight.ready = await get_ready(self.session, flight.entry, flight.limits, timeout=left)
            flight.waiting = flight.ready.waiting if flight.ready is not None else None
        return flight.ready is not None

    async def _exchange(self, flight: Flight, announced_at: float) -> None:
        """Sign and send the attempt that was announced, and store what became of it."""
        number, entry = flight.entry.attempt, flight.entry
        window = max(self.session.policy.settle_after, entry.settle_after or 0.0)
        self.recording.announced[entry.trade_no] = number, announced_at, announced_at + window
        flight.announced_at = None
        flight.sends += 1
        flight.asked = flight.absences = 0
        send_by = announced_at + self.session.times.send_within
        if flight.ready is None:
            request = await self._sign(flight, send_by)
        else:
            request = await flight.ready.go(send_by=send_by, deadline=flight.deadline)
        outcome, exchange = await self.session.platform.pay(request, entry, timeout=self._patience(flight))
        if flight.waiting is not None:
            self._note_times(flight, exchange, flight.waiting)
        flight.last, flight.retry_after = outcome, outcome.retry_after
        if outcome.verdict not in _NO_ANSWER:
            self.session.budget.answered()
            if self.session.control.accepted is None:
                self.session.control.hear(entry.trade_no, outcome)
        if flight.on_reply is not None:
            flight.on_reply()
        if outcome.pool_timeout or outcome.late:
            flight.sends, flight.held = flight.sends - 1, flight.held + 1
        try:
            await self.recording.store(flight, lambda newest: after_attempt(newest, outcome, sent=number))
        except OrderNumberTakenError as error:
            await self._of_another(flight, number, exchange, error)

    def _note_times(self, flight: Flight, exchange: Exchange, waiting: Waiting) -> None:
        """Learn how long a reply takes, or that there is no time for another attempt of this payout."""
        self.leave(flight)
        now = self.session.runtime.steady()
        if exchange.phase is Phase.ANSWERED and waiting.written_at is not None:
            self.session.admission.answered(now - waiting.written_at)
        elif exchange.pool_timeout:
            flight.in_vain = now >= waiting.until

    async def _of_another(self, flight: Flight, number: int, exchange: Exchange, error: OrderNumberTakenError) -> None:
        """The reply holds the platform's number of an order that the ledger has under another trade number."""
        if exchange.discard is not None:
            exchange.discard()
        unknown = flight.last = Outcome(verdict=Verdict.UNKNOWN, cause=str(error), http_status=exchange.status)
        await self.recording.store(flight, lambda newest: after_attempt(newest, unknown, sent=number))

    async def _sign(self, flight: Flight, send_by: float) -> WireRequest:
        entry = flight.entry
        try:
            return await self.session.platform.sign_payout(
                entry, timeout=self._patience(flight), send_by=send_by, waiting=flight.waiting
            )
        except Exception as error:
            # A signer may be a vault: whatever it raises, nothing was sent, and the ledger must not think otherwise.
            not_signed = Outcome(verdict=Verdict.NOT_SENT, cause="it could not be signed")
            await self.recording.store(flight, lambda newest: after_attempt(newest, not_signed, sent=entry.attempt))
            if isinstance(error, PayProError):
                raise
            raise unsigned(entry.trade_no, type(error).__name__, attempts=entry.attempt) from error

    async def _ask(self, flight: Flight) -> None:
        if flight.sends == 0:
            # An earlier call sent it, in another process or before a crash, and may have learned the outcome meanwhile.
            # As long as there is time: how patient a call is with the platform says nothing of the ledger.
            left = flight.deadline - self.session.runtime.steady()
            entry = await self.recording.reload(flight.entry, timeout=left)
            moved_on = (entry.state, entry.attempt) != (flight.entry.state, flight.entry.attempt)
            flight.see(entry, self.session.runtime.steady())
            if moved_on:
                return
        entry, policy = flight.entry, self.session.policy
        # Where it was believed once, a single question finds out whether that was wrong.
        age = self._age(flight, self.session.runtime.steady())
        counts = entry.state is State.NEW or policy.settled(age, policy.window(entry))
        outcome = await self.session.platform.query(entry.trade_no, entry=entry, timeout=self._patience(flight))
        flight.unclear = outcome.code if outcome.verdict is Verdict.QUESTION_REFUSED else None
        if flight.unclear is not None:
            outcome = await self.session.control.read(entry, outcome, timeout=self._patience(flight))
        flight.asked += 1
        flight.questions += 1
        flight.refused = outcome.verdict is Verdict.BAD_CREDENTIALS or outcome.lasting
        flight.silence = outcome.fault
        if outcome.verdict is not Verdict.UNKNOWN:
            self.session.budget.answered()
            self.session.control.hear(entry.trade_no, outcome)
        flight.retry_after = outcome.retry_after
        # Two in a row: whatever comes between may be a platform that is only just coming back.
        flight.absences = flight.absences + 1 if outcome.verdict is Verdict.NO_SUCH_ORDER and counts else 0
        adopt = policy.adopt_duplicates
        try:
            await self.recording.store(
                flight, lambda newest: after_query(newest, outcome, asked=entry, adopt_duplicates=adopt)
            )
        except OrderNumberTakenError as error:
            logger.warning("%s", error)
        if flight.refused and flight.entry.reply is Reply.CALLER:
            flight.last = outcome

    async def _believe(self, flight: Flight) -> None:
        """Two questions after the settle window found nothing: the last attempt came to nothing."""
        exhausted = flight.sends >= flight.limits.max_attempts
        change = after_absence(flight.entry, resend=self.session.policy.resend, exhausted=exhausted)
        if change is None:
            logger.debug("Payout %s never arrived; it is sent again under the same trade_no.", flight.entry.trade_no)
            await self._send(flight)
            return
        if not (await self.recording.write(flight, change)).done:
            flight.absences = 0

    def _patience(self, flight: Flight) -> float:
        return max(0.0, min(self.session.times.request_timeout, flight.deadline - self.session.runtime.steady()))
