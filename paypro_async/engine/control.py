"""The control question: a query about a number that was never used shows what an unknown order is answered with.

It moves no money. The client asks it when a refusal is to be confirmed and the query itself was refused under a code
that no page lists: that may mean "no such order", or that the platform refuses whoever asks.

==========================================  ============================================================================
the payout, the query about it              meaning
==========================================  ============================================================================
differ; the control is as the query         no such order, if a question about an order of this run is answered
                                            otherwise, or where there is none, the balance; else unknown
differ; the control is not as the query     unknown
are refused alike                           the row's own, if the platform answers this merchant anything else: the
                                            control or the balance now, or some payout of this run; else the caller's
==========================================  ============================================================================
"""

import asyncio

from attrs import define, evolve, field, frozen

from paypro_async._core.lifecycle import Entry, Reply, State
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.platform_codes import ACCEPTED
from paypro_async._core.trade_no import RANDOM_BITS, make_trade_no
from paypro_async.engine.platform import Platform
from paypro_async.errors import LedgerUnavailableError
from paypro_async.ledger import Ledger
from paypro_async.log import logger

__all__ = ["Control"]

_VALID_SECONDS = 3600.0
_AGAIN_AFTER = 30.0
_FRESH_SECONDS = 10.0
_NOT_TAKEN = frozenset({Reply.BUSY, Reply.CALLER})
_REFUSED = frozenset({Reply.REFUSED, Reply.DUPLICATE})
_TAKEN = frozenset({Verdict.PAID, Verdict.PROCESSING, Verdict.PARTIAL})
_SHOWN = _TAKEN | {Verdict.FAILED, Verdict.UNLISTED, Verdict.FOREIGN}
_HEARD = (_SHOWN | {Verdict.NO_SUCH_ORDER}) - {Verdict.UNLISTED}


@frozen
class _Answer:
    code: str
    asked_at: float


@frozen
class _Answered:
    """Whether the platform answers this merchant at all, while it refuses under *code*."""

    code: str
    answered: bool
    found_at: float


@define(kw_only=True, eq=False)
class Control:
    """What this platform's refusals of questions mean, as far as it has told this merchant.

    Args:
        platform: Is asked.
        ledger: Keeps the answer, so that many processes ask once an hour together; or None.
        timeout: Seconds for one question.
        heard: Whether the platform has taken anything from this merchant since the client was opened.
        accepted: The trade number of an order that it has taken.
    """

    platform: Platform
    ledger: Ledger | None
    timeout: float
    heard: bool = field(default=False, init=False)
    accepted: str | None = field(default=None, init=False)
    _answered: _Answered | None = field(default=None, init=False)
    _answer: _Answer | None = field(default=None, init=False)
    _tried_at: float | None = field(default=None, init=False)
    _asking: asyncio.Lock = field(factory=asyncio.Lock, init=False)

    def hear(self, trade_no: str, outcome: Outcome) -> None:
        """An answer came in, to a payout or to a question about one."""
        self.heard = self.heard or (outcome.verdict in _HEARD and outcome.code is not None)
        if self.accepted is None and outcome.verdict in _TAKEN:
            self.accepted = trade_no

    async def read(self, entry: Entry, outcome: Outcome, *, timeout: float) -> Outcome:
        """What a query about *entry* proves that was answered with a code of which nothing is known.

        Args:
            timeout: Seconds after which nothing is proven.
        """
        try:
            async with asyncio.timeout(timeout):
                return evolve(outcome, verdict=await self._verdict(entry, outcome))
        except TimeoutError:
            return evolve(outcome, verdict=Verdict.UNKNOWN)

    async def _verdict(self, entry: Entry, outcome: Outcome) -> Verdict:
        new = entry.state is State.NEW
        not_taken = entry.reply in _NOT_TAKEN if new else entry.reply in _REFUSED and not entry.doubt
        if not not_taken or outcome.code is None:
            # Of an attempt that may have left only a code that is listed says that there is no such order.
            return Verdict.UNKNOWN
        async with self._asking:
            if entry.reply is not Reply.BUSY and outcome.code == entry.code:
                own = await self._is_answered(outcome.code)
                return Verdict.NO_SUCH_ORDER if own else Verdict.BAD_CREDENTIALS
            answer = await self._known() or await self._believed(await self._ask())
        same = answer is not None and answer.code == outcome.code
        return Verdict.NO_SUCH_ORDER if same else Verdict.UNKNOWN

    async def _is_answered(self, code: str) -> bool:
        """Whether the platform answers this merchant at all, though payout and query were refused under *code*."""
        now = self.platform.runtime.steady()
        last = self._answered
        if last is None or last.code != code or now - last.found_at > _FRESH_SECONDS:
            # What it says now counts: an hour ago another list of addresses may have been in force.
            last = self._answered = _Answered(code, await self._answers(code), now)
        return last.answered

    async def _answers(self, code: str) -> bool:
        known = await self._known()
        answer = None if known is not None else await self._ask()
        if answer is not None and answer.code != code:
            await self._keep(answer)
            return True
        found, balance = await self.platform.balance(timeout=self.timeout)
        if balance is not None:
            return True
        if found.code == code:
            return False
        return self.heard and (known or answer or _Answer("", 0.0)).code == code

    async def _known(self) -> _Answer | None:
        """The control question's answer of the last hour, if there is one."""
        now = self.platform.runtime.steady()
        self._answer = self._answer or await self._stored(now)
        if self._answer is not None and now - self._answer.asked_at >= _VALID_SECONDS:
            self._answer = None
        return self._answer

    async def _believed(self, answer: _Answer | None) -> _Answer | None:
        """The answer, unless the platform may say the same to whatever this merchant asks."""
        if answer is None:
            return None
        if answer.code != ACCEPTED and not await self._answers_otherwise():
            return None
        await self._keep(answer)
        return answer

    async def _answers_otherwise(self) -> bool:
        if self.accepted is not None:
            return (await self.platform.query(self.accepted, timeout=self.timeout)).verdict in _SHOWN
        _, balance = await self.platform.balance(timeout=self.timeout)
        return balance is not None

    async def _ask(self) -> _Answer | None:
        """Ask the control question, unless it got no answer just now."""
        runtime, now = self.platform.runtime, self.platform.runtime.steady()
        if self._tried_at is not None and now - self._tried_at < _AGAIN_AFTER:
            return None
        self._tried_at = now
        unused = make_trade_no(runtime.now(), runtime.random_bits(RANDOM_BITS))
        outcome = await self.platform.query(unused, timeout=self.timeout)
        logger.info("An order that does not exist is answered with %s, code %s", outcome.verdict.value, outcome.code)
        if outcome.verdict not in (Verdict.NO_SUCH_ORDER, Verdict.QUESTION_REFUSED):
            return None
        return _Answer(outcome.code or ACCEPTED, now)

    async def _keep(self, answer: _Answer) -> None:
        # Not one that may come of the caller's being refused: once that is mended, it would be wrong for an hour.
        self._answer, self._tried_at = answer, None
        await self._store(answer.code)

    async def _stored(self, now: float) -> _Answer | None:
        if self.ledger is None:
            return None
        try:
            found = await self.ledger.control_answer(self.platform.merchant_no)
        except LedgerUnavailableError as error:
            logger.warning("The control question is asked anew: %s", error)
            return None
        return None if found is None else _Answer(found.code, now - found.age)

    async def _store(self, code: str) -> None:
        if self.ledger is None:
            return
        try:
            await self.ledger.record_control(self.platform.merchant_no, code)
        except LedgerUnavailableError as error:
            logger.warning("The answer of the control question could not be kept: %s", error)
