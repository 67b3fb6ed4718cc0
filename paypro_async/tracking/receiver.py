"""Callbacks received: verified, brought together with the ledger, and answered.

::

    body ─▶ verify ─▶ ledger: decided from what it holds ─▶ OK
               │            │ no such payout ─▶ kept apart ─▶ OK, or 404
               ▼            ▼ not believed
              400    ask the platform ─▶ ledger ─▶ OK
                                │
                                ▼ no answer, or not stored
                               503: the platform sends it again

The rules are in ``_core/callback_rules.py``. What is not stored is never answered with ``OK``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from inspect import isawaitable
from typing import Any, Literal, Self, TypeVar, get_args

from attrs import field, frozen

from paypro_async._core.callback import CallbackReply, PayoutCallback, callback_of, signers_of
from paypro_async._core.callback_body import (
    CallbackBody,
    CallbackReading,
    CallbackSigned,
    CallbackTooLongError,
    read_body,
)
from paypro_async._core.callback_rules import Doubt, after_callback, confirmed, says_the_same
from paypro_async._core.lifecycle import FINAL, Change, Entry, State
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.secret import HiddenText
from paypro_async._core.signing import Signer
from paypro_async._core.trade_no import is_trade_no
from paypro_async._core.transitions import after_query
from paypro_async.engine.limits import RECORDING_SECONDS
from paypro_async.engine.platform import for_people
from paypro_async.engine.recording import Recording
from paypro_async.errors import (
    CallbackError,
    CallbackSignatureError,
    ConfigurationError,
    LedgerUnavailableError,
    PayProError,
)
from paypro_async.ledger import Written
from paypro_async.ledger.base import OrderNumberTakenError
from paypro_async.ledger.changes import learn
from paypro_async.ledger.patience import answer_within
from paypro_async.log import logger
from paypro_async.runtime import Deadlines, answer_of

__all__ = ["LATER", "REFUSED", "TOO_LONG", "CallbackRules", "Receiver", "UnknownCallbacks"]

T = TypeVar("T")

UnknownCallbacks = Literal["accept", "refuse"]

ANSWER_SECONDS = 10.0
"""For everything: how long the platform waits for the answer is not documented."""
ASK_SECONDS = 5.0
"""For one question to the platform, at most; what is left of the time is for storing what it says."""
_MOST_QUESTIONS = 20
"""At one time, about callbacks; others wait for their turn."""
_LOOK_AGAIN_SECONDS = 0.25
"""A callback may be there before the commit of its payout can be seen."""

_OK = CallbackReply(status=200, body=b"OK")
REFUSED = CallbackReply(status=400, body=b"REFUSED")
"""For what is not the platform's: the same whatever is wrong with it."""
TOO_LONG = CallbackReply(status=413, body=b"REFUSED")
_UNKNOWN = CallbackReply(status=404, body=b"REFUSED")
LATER = CallbackReply(status=503, body=b"LATER")
"""It could not be checked or stored now. The platform sends it again."""

_ANSWERS = frozenset(
    {Verdict.PAID, Verdict.PROCESSING, Verdict.PARTIAL, Verdict.FAILED, Verdict.UNLISTED, Verdict.FOREIGN}
)
_FAILING = (Verdict.FAILED, Verdict.UNLISTED)


@frozen(kw_only=True)
class CallbackRules:
    """What a client was told about callbacks.

    Args:
        signers: Those whose signature is believed.
        reading: Of what the documentation leaves open.
        unknown: How a callback is answered whose payout the ledger does not hold.
    """

    signers: tuple[Signer, ...]
    reading: CallbackReading
    unknown: UnknownCallbacks

    @classmethod
    def of(cls, signer: Signer, more: object, reading: CallbackReading | None, unknown: UnknownCallbacks) -> Self:
        """The rules of a client that signs with *signer*, and believes *more* of them.

        Raises:
            ConfigurationError: If one of them makes no sense.
        """
        if unknown not in get_args(UnknownCallbacks):
            raise ConfigurationError("unknown_callbacks is neither 'accept' nor 'refuse'. Nothing was sent.")
        if not isinstance(reading, CallbackReading | None):
            raise ConfigurationError("callback_reading is no CallbackReading. Nothing was sent; give one, or None.")
        try:
            others = () if isinstance(more, Sequence) and not more else signers_of(more)
        except ConfigurationError as error:
            raise ConfigurationError(f"callback_signers: {error} Nothing was sent.") from None
        return cls(signers=(signer, *others), reading=reading or CallbackReading(), unknown=unknown)


@frozen(kw_only=True, eq=False)
class Receiver:
    """Receives the callbacks of one client.

    Args:
        recording: What the client writes to its ledger.
        rules: What it was told about callbacks.
    """

    recording: Recording
    rules: CallbackRules
    _working: "set[asyncio.Future[CallbackReply]]" = field(factory=set, init=False)
    _deadlines: Deadlines = field(factory=Deadlines, init=False)
    _asking: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(_MOST_QUESTIONS), init=False)

    @property
    def is_closing(self) -> bool:
        """Whether the client is being closed, or is closed: whatever comes now is answered with 503."""
        return self.recording.session.closing.begun

    async def receive(self, body: CallbackBody) -> CallbackReply:
        """Answer one callback, within ten seconds."""
        session = self.recording.session
        began, callback = session.runtime.steady(), None
        deadline = began + ANSWER_SECONDS
        with session.closing:
            try:
                callback = await self._verified(read_body(body, self.rules.reading), deadline)
            except CallbackError as error:
                logger.warning("%s", error)
                reply = TOO_LONG if isinstance(error, CallbackTooLongError) else REFUSED
            else:
                reply = LATER
                if callback is not None:
                    reply = await self._to_the_end(self._settle(callback, deadline))
            if (watcher := session.news.watcher) is not None:
                watcher.callback_answered(reply.status, callback, session.runtime.steady() - began)
            return reply

    async def _verified(self, received: CallbackSigned, deadline: float) -> PayoutCallback | None:
        """The callback, or None if a signer has failed that may have made its signature."""
        signatures, failed = [], False
        for signer in self.rules.signers:
            try:
                made: Any = signer.sign(received.members)
                if not isinstance(made, str) and isawaitable(made):
                    made = await answer_of(made, within=self._left(deadline), who="The signer")
            except Exception as error:  # noqa: BLE001  whatever another's signer raises
                # Not the traceback, which is another's, with whatever it holds.
                logger.warning("A callback's signature could not be checked (%s).", type(error).__name__)
                failed = True
                continue
            if isinstance(made, str):
                signatures.append(HiddenText(made))
            else:
                logger.warning("A callback's signature could not be checked: the signer returned no text.")
                failed = True
        try:
            return callback_of(received, signatures, self.recording.session.platform.codes)
        except CallbackSignatureError:
            if failed:
                return None
            raise

    async def _to_the_end(self, work: Coroutine[Any, Any, CallbackReply]) -> CallbackReply:
        """What *work* comes to. If the caller is cancelled meanwhile, as one whose client has gone, it goes on."""
        task, closing = asyncio.ensure_future(work), self.recording.session.closing
        closing.enter()
        self._working.add(task)  # A loop holds its tasks weakly.
        task.add_done_callback(self._ended)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_tell)
            raise

    def _ended(self, task: "asyncio.Future[CallbackReply]") -> None:
        self.recording.session.closing.leave()
        self._working.discard(task)

    async def _settle(self, callback: PayoutCallback, deadline: float) -> CallbackReply:
        try:
            return await self._learn(callback, deadline)
        except LedgerUnavailableError as error:
            logger.warning(
                "What a callback says of payout %s is not stored: %s PayPro is told to send it again.",
                callback.trade_no,
                error,
            )
            return LATER

    async def _learn(self, callback: PayoutCallback, deadline: float) -> CallbackReply:
        session, doubts = self.recording.session, dict[str, Doubt | None]()

        def decide(entry: Entry) -> Change | None:
            change, doubts["last"] = self._judge(callback, entry)
            return change

        try:
            found = await self._find(callback, decide, deadline)
        except OrderNumberTakenError as error:
            # One order belongs to one payout, so it is not known what became of this one.
            logger.warning("Nothing was stored of a callback: %s", error)
            await self._keep(callback, "order number of another payout", deadline)
            reading = self.recording.ledger.get(session.platform.merchant_no, callback.trade_no)
            entry = await self._answer(reading, deadline)
            return LATER if entry is None else await self._ask(callback, entry, None, deadline)
        if found is None:
            return await self._unknown(callback, deadline)
        session.news.tell(found.entry)
        doubt = doubts.get("last")
        if doubt is None:
            if found.done:
                logger.info("Payout %s is %s, as a callback says.", callback.trade_no, found.entry.state.value)
            return _OK
        logger.info("Payout %s is asked about after a callback: %s.", callback.trade_no, doubt.value)
        return await self._ask(callback, found.entry, doubt, deadline)

    def _judge(self, callback: PayoutCallback, entry: Entry) -> tuple[Change | None, Doubt | None]:
        adopt = self.recording.session.policy.adopt_duplicates
        said = self._said(callback, entry)
        return after_callback(entry, said, ambiguous=callback.ambiguous, adopt_duplicates=adopt)

    def _said(self, callback: PayoutCallback, entry: Entry) -> Outcome:
        platform = self.recording.session.platform
        said = callback.outcome(platform.codes, amount=entry.amount, utc_offset=platform.spec.utc_offset)
        return for_people(said, entry, platform.codes)

    async def _find(
        self, callback: PayoutCallback, decide: Callable[[Entry], Change | None], deadline: float
    ) -> Written | None:
        if not is_trade_no(callback.trade_no):
            return None
        found = await self._answer(self._learning(callback, decide), deadline)
        if found is None:
            await self.recording.session.closing.sleep(_LOOK_AGAIN_SECONDS)
            found = await self._answer(self._learning(callback, decide), deadline)
        return found

    def _learning(
        self, callback: PayoutCallback, decide: Callable[[Entry], Change | None]
    ) -> Awaitable[Written | None]:
        session = self.recording.session
        merchant_no, told = session.platform.merchant_no, session.news.on_written
        return learn(self.recording.ledger, merchant_no, callback.trade_no, decide, told)

    async def _ask(self, callback: PayoutCallback, entry: Entry, doubt: Doubt | None, deadline: float) -> CallbackReply:
        """Ask the platform for a payout about which a callback is not believed, and store what it says."""
        session = self.recording.session
        try:
            # One who plays a genuine callback back again and again must not make a flood of questions of it.
            async with asyncio.timeout(self._left(deadline) / 2), self._asking:
                seconds = min(ASK_SECONDS, session.times.request_timeout, self._left(deadline) / 2)
                outcome = await session.platform.query(callback.trade_no, entry=entry, timeout=seconds)
        except (PayProError, TimeoutError) as error:
            silence = str(error) or "too many were to be asked about at one time"
            logger.warning("Payout %s could not be asked about after a callback: %s", callback.trade_no, silence)
            return LATER
        absent = outcome.verdict is Verdict.NO_SUCH_ORDER
        if outcome.verdict not in _ANSWERS and not (absent and entry.state in FINAL):
            why = outcome.fault or outcome.cause or "it knows no such order yet"
            logger.warning(
                "Payout %s was asked about after a callback in vain (%s). PayPro is told to send the callback again.",
                callback.trade_no,
                why,
            )
            return LATER
        session.budget.answered()
        if doubt is Doubt.ONE_WITNESS:
            outcome = confirmed(self._said(callback, entry), outcome)
        return await self._store(callback, entry, outcome, deadline)

    async def _store(self, callback: PayoutCallback, asked: Entry, outcome: Outcome, deadline: float) -> CallbackReply:
        session, early = self.recording.session, False

        def decide(newest: Entry) -> Change | None:
            nonlocal early
            early = outcome.verdict in _FAILING and self._is_on_its_way(newest)
            if early or outcome.verdict is Verdict.NO_SUCH_ORDER:
                return None
            return after_query(newest, outcome, asked=asked, adopt_duplicates=session.policy.adopt_duplicates)

        try:
            stored = await self._answer(self._learning(callback, decide), deadline)
        except OrderNumberTakenError as error:
            logger.warning("Nothing was stored: %s", error)
            return _OK  # The callback is kept apart, and whoever asks the next time finds the same.
        if stored is None or early:
            return LATER
        session.news.tell(stored.entry)
        if self._judge(callback, stored.entry)[1] is Doubt.CONTRADICTION:
            agrees = says_the_same(self._said(callback, stored.entry), outcome)
            logger.warning(
                "A callback says %s of payout %s, order %s, which is %s, and PayPro %s when asked. It is kept apart; "
                "look the order up in PayPro's dashboard.",
                *(callback.code, callback.trade_no, callback.platform_trade_no, stored.entry.state.value),
                "says the same" if agrees else "does not say so",
            )
            await self._keep(callback, "confirmed contradiction" if agrees else "contradiction", deadline)
        return _OK

    def _is_on_its_way(self, entry: Entry) -> bool:
        """Whether an attempt may still arrive, beside an order of an older one: that one's failure ends nothing yet."""
        others = entry.attempt != 1 or entry.doubt
        return entry.state is State.SENDING and others and entry.age < self.recording.session.policy.window(entry)

    async def _unknown(self, callback: PayoutCallback, deadline: float) -> CallbackReply:
        logger.warning(
            "A callback says %s of payout %s, which this ledger does not hold. It is kept apart: it may be of the "
            "collection side, or of another ledger of the same merchant.",
            callback.code,
            callback.trade_no,
        )
        await self._keep(callback, "unknown", deadline)
        return _OK if self.rules.unknown == "accept" else _UNKNOWN

    async def _keep(self, callback: PayoutCallback, why: str, deadline: float) -> None:
        """Let the ledger keep a callback that changed nothing, if it can."""
        keep = getattr(self.recording.ledger, "keep_callback", None)
        if keep is not None:
            keeping = keep(
                self.recording.session.platform.merchant_no,
                callback.trade_no,
                why=why,
                status=callback.code,
                amount=format(callback.amount, "f"),
                platform_trade_no=callback.platform_trade_no,
            )
            await self._answer(keeping, deadline)

    async def _answer(self, answer: Awaitable[T], deadline: float) -> T:
        seconds = min(RECORDING_SECONDS, self._left(deadline))
        return await answer_within(seconds, self.recording.ledger, answer, self._deadlines)

    def _left(self, deadline: float) -> float:
        return max(0.0, deadline - self.recording.session.runtime.steady())


def _tell(task: "asyncio.Future[CallbackReply]") -> None:
    """Whoever has sent the callback is gone, so its end stands in the log alone."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("A callback whose sender was gone was not stored (%s).", type(error).__name__)
