"""The control question: a query about a number that was never used shows what an unknown order is answered with.

It moves no money. The client asks it when a refusal is to be confirmed and the query itself was refused under a code
that no page lists: that may mean "no such order", or that the platform refuses whoever asks.

==========================================  ============================================================================
the payout, the query about it              meaning
==========================================  ============================================================================
differ; the control is as the query         no such order; unknown, if an order of this run, or where there is none
                                            the balance, is refused as one of the two
differ; the control is not as the query     unknown
are refused alike; the control is not       the row's own: the platform has said the same of that number twice
are refused alike; the control is too       the row's own, if the platform answers this merchant anything else: the
                                            balance now, or some payout of this run; else the caller's. Unknown, if the
                                            control was answered in another way within the last hour, or an order of
                                            this run is not answered either
are refused alike; no control is answered   the caller's, if the balance is refused alike; else unknown
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
from paypro_async.ledger.patience import answer_within
from paypro_async.log import logger

__all__ = ["Control"]

_VALID_SECONDS = 3600.0
_AGAIN_AFTER = 30.0
_FRESH_SECONDS = 10.0
_REFUSED = frozenset({Reply.REFUSED, Reply.DUPLICATE})
_TAKEN = frozenset({Verdict.PAID, Verdict.PROCESSING, Verdict.PARTIAL})
_SHOWN = _TAKEN | {Verdict.FAILED, Verdict.UNLISTED, Verdict.FOREIGN}
_HEARD = (_SHOWN | {Verdict.NO_SUCH_ORDER}) - {Verdict.UNLISTED}


@frozen
class _Answer:
    code: str
    asked_at: float


@frozen
class _Alike:
    """Whose the refusals are that payouts and the queries about them are met with alike, under *code*."""

    code: str
    verdict: Verdict
    found_at: float


@define(kw_only=True, eq=False)
class Control:
    """What this platform's refusals of questions mean, as far as it has told this merchant.

    Args:
        platform: Is asked.
        ledger: Keeps the answer, so that many processes ask once an hour together; or None.
        timeout: Seconds for one question, to the platform or to the ledger.
        heard: Whether the platform has taken anything from this merchant since the client was opened.
        accepted: The trade number of an order that it has taken.
    """

    platform: Platform
    ledger: Ledger | None
    timeout: float
    heard: bool = field(default=False, init=False)
    accepted: str | None = field(default=None, init=False)
    _alike: _Alike | None = field(default=None, init=False)
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
        if not _was_not_taken(entry) or outcome.code is None:
            # Of an attempt that may have left only a code that is listed says that there is no such order.
            return Verdict.UNKNOWN
        async with self._asking:
            if entry.reply is not Reply.BUSY and outcome.code == entry.code:
                return await self._of_refused_alike(outcome.code)
            answer = await self._known() or await self._believed(await self._ask(), entry.code)
        same = answer is not None and answer.code == outcome.code
        return Verdict.NO_SUCH_ORDER if same else Verdict.UNKNOWN

    async def _of_refused_alike(self, code: str) -> Verdict:
        """Whose the refusal is, if a payout and the query about it were refused under *code*."""
        now = self.platform.runtime.steady()
        last = self._alike
        if last is None or last.code != code or now - last.found_at > _FRESH_SECONDS:
            # What it says now counts: an hour ago another list of addresses may have been in force.
            last = self._alike = _Alike(code, await self._whose(code), now)
        return last.verdict

    async def _whose(self, code: str) -> Verdict:
        known = await self._known()
        answer = known if known is not None and known.code == code else await self._ask()
        if answer is not None and answer.code != code:
            await self._keep(answer)
            return Verdict.NO_SUCH_ORDER
        found, balance = await self.platform.balance(timeout=self.timeout)
        if found.code == code:
            return Verdict.BAD_CREDENTIALS
        if answer is None:
            return Verdict.UNKNOWN
        if balance is None and not self.heard:
            return Verdict.BAD_CREDENTIALS
        if known is not None and known.code != code:
            return Verdict.UNKNOWN  # It was answered in another way within the hour, so queries are out of order.
        if self.accepted is not None and not await self._answers_otherwise(code):
            return Verdict.UNKNOWN  # Nor is an order answered that is there.
        await self._keep(answer)
        return Verdict.NO_SUCH_ORDER

    async def _known(self) -> _Answer | None:
        """The control question's answer of the last hour, if there is one."""
        now = self.platform.runtime.steady()
        self._answer = self._answer or await self._stored(now)
        if self._answer is not None and now - self._answer.asked_at >= _VALID_SECONDS:
            self._answer = None
        return self._answer

    async def _believed(self, answer: _Answer | None, refusal: str | None) -> _Answer | None:
        """The answer, unless the platform may say the same to whatever this merchant asks."""
        if answer is None:
            return None
        if answer.code != ACCEPTED and not await self._answers_otherwise(answer.code, refusal):
            return None
        await self._keep(answer)
        return answer

    async def _answers_otherwise(self, *refusals: str | None) -> bool:
        if self.accepted is not None:
            return (await self.platform.query(self.accepted, timeout=self.timeout)).verdict in _SHOWN
        # A platform without a balance, or that does not show it to this merchant, says nothing of its queries.
        found, _ = await self.platform.balance(timeout=self.timeout)
        return found.code is None or found.code not in refusals

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
            asking = self.ledger.control_answer(self.platform.merchant_no)
            found = await answer_within(self.timeout, self.ledger, asking)
        except LedgerUnavailableError as error:
            logger.warning("The control question is asked anew: %s", error)
            return None
        return None if found is None else _Answer(found.code, now - found.age)

    async def _store(self, code: str) -> None:
        if self.ledger is None:
            return
        try:
            recording = self.ledger.record_control(self.platform.merchant_no, code)
            await answer_within(self.timeout, self.ledger, recording)
        except LedgerUnavailableError as error:
            logger.warning("The answer of the control question could not be kept: %s", error)


def _was_not_taken(entry: Entry) -> bool:
    """Whether the platform itself has said that it did not take the last attempt, and there was no other one."""
    if entry.state is State.NEW:
        # Refused for the caller's sake, it is in doubt for that alone.
        return entry.reply is Reply.CALLER or (entry.reply is Reply.BUSY and not entry.doubt)
    return entry.reply in _REFUSED and not entry.doubt
