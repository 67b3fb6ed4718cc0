"""One exchange with the platform: sign, send, classify. It decides nothing and remembers nothing."""

import logging
import warnings
from collections.abc import Awaitable, Mapping
from inspect import isawaitable
from operator import attrgetter
from typing import Any

from attrs import define, evolve, field, frozen

from paypro_async._core.beneficiary import may_repeat, names_payee, without_personal_values
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Entry
from paypro_async._core.models import Balance
from paypro_async._core.outcome import Outcome, Verdict, classify_balance, classify_payout, classify_query
from paypro_async._core.platform_codes import Codes
from paypro_async._core.platform_text import CUT
from paypro_async._core.regions import RegionSpec
from paypro_async._core.secret import HiddenFields
from paypro_async._core.signing import Signer
from paypro_async._core.wire import Connection, Exchange, Fault, Phase, Waiting, WireRequest, request_body
from paypro_async.engine.log_lines import tell_attempt, tell_question
from paypro_async.errors import ConfigurationError, OutcomeUnknownError, PayProError, PayProWarning
from paypro_async.log import logger
from paypro_async.process import ProcessId, refuse_forked, this_process
from paypro_async.runtime import NoAnswerError, Runtime, answer_of
from paypro_async.transport import Transport

__all__ = ["Platform", "for_people"]


_SAID_AFTER = 3
_MEND_TRANSPORT = "Mend the transport: for whatever keeps a reply away it returns an Exchange that says so."
_TRANSPORT_FIRST = 0.1
_ACCEPTED = (Verdict.PAID, Verdict.PROCESSING)
_SHOWN = (*_ACCEPTED, Verdict.PARTIAL, Verdict.FAILED, Verdict.UNLISTED, Verdict.FOREIGN)


@define(eq=False)
class _Echoes:
    """Whether this platform repeats what it was sent, as it has shown so far."""

    matched: bool = False
    differed: int = 0

    def note(self, *, echoed: bool) -> None:
        self.matched = echoed
        self.differed += not echoed
        if self.differed == _SAID_AFTER and not echoed:
            self._tell()

    def _tell(self) -> None:
        text = (
            "No reply of this platform has repeated the remark of its request, so each is taken for the reply to "
            "another payout, and the payouts stay unknown until they are asked about. If it never repeats remarks as "
            "they were sent, give check_echo=False."
        )
        logger.warning("%s", text)
        warnings.warn(text, PayProWarning, stacklevel=2)


def _leave(exchange: Exchange) -> None:
    """Never use the connection of *exchange* again, whose reply does not show that it is this request's.

    A middlebox that doubles one reply shifts every later one on its connection: the next payout would be refused with
    this one's refusal.
    """
    if exchange.discard is not None:
        exchange.discard()


async def _in_time(sending: Awaitable[Exchange], timeout: float) -> Exchange:
    """What *sending* came to; if it does not return, as much as that says: the request may have left."""
    try:
        # A transport that keeps its time says how far it got, so it goes first.
        return await answer_of(sending, within=timeout + _TRANSPORT_FIRST, who="The transport")
    except NoAnswerError as error:
        return Exchange(phase=Phase.MAYBE_SENT, cause=f"{error}".replace("The", "the", 1))


async def _answered(asking: Awaitable[Exchange], timeout: float) -> Exchange:
    """The same for a question, which an own transport that raises leaves unanswered."""
    try:
        return await _in_time(asking, timeout)
    except PayProError:
        raise
    except Exception as error:  # noqa: BLE001  whatever another's transport raises
        # Not the traceback, which is another's, with whatever it holds.
        logger.warning("A question to the platform could not be sent (%s).", type(error).__name__)
        fault = Fault(cause=f"transport.send() raised {type(error).__name__}", mend=_MEND_TRANSPORT)
        return Exchange(phase=Phase.MAYBE_SENT, cause=fault.cause, fault=fault)


_SAID = ("message", "code", "cause", "utr", "success_time")
_said = attrgetter(*_SAID)


def for_people(outcome: Outcome, entry: Entry, codes: Codes, *, phase: Phase = Phase.ANSWERED) -> Outcome:
    """*outcome* without the personal values of *entry*: platforms repeat what they were sent, and it goes into logs.

    Args:
        codes: What can be a code of this platform: such a one stays, though it stands in a name or a remark as well.
        phase: How far the exchange got that it is of.
    """
    region, content = entry.region, entry.content
    said: tuple[str | None, ...] = _said(outcome)
    number = outcome.platform_trade_no
    together = "\n".join(filter(None, said))
    # One look at all of it, since each payout takes this step; of words that were cut, the end is looked at alone.
    cut = CUT in together
    if not cut and not may_repeat(f"{together}\n{number}", region, content):
        return outcome
    repeats = cut or without_personal_values(together, region, content) != together
    hidden: dict[str, Any] = {}
    # Where no reply came, nobody has repeated anything: those words are ours, and name addresses. A user's own
    # transport may quote what it has received, unless it calls that a fault.
    ours = phase is Phase.NOT_SENT or (phase is Phase.MAYBE_SENT and outcome.fault is not None)
    if repeats and not ours:
        hidden = {name: without_personal_values(text, region, content) for name, text in zip(_SAID, said, strict=True)}
        if outcome.code is not None and codes.is_one(outcome.code):
            # What the platform means by it is looked up under it, and payouts that ended alike are told together.
            hidden["code"] = outcome.code
    if number is not None and names_payee(number, region, content):
        # Numbers are compared as they are, so it cannot be masked; and a payee is no number of an order.
        hidden["platform_trade_no"] = None
    if outcome.fault is not None and "cause" in hidden:
        hidden["fault"] = evolve(outcome.fault, cause=hidden["cause"])
    return evolve(outcome, **hidden) if hidden else outcome


@frozen(kw_only=True, eq=False)
class Platform:
    """PayPro as seen by one merchant of one region.

    Args:
        check_echo: Whether a reply must repeat the remark of its request, if it repeats any.
        connections: How many the transport has at most; 0 if it does not say so.
    """

    spec: RegionSpec
    base_url: str
    merchant_no: str
    signer: Signer
    transport: Transport
    runtime: Runtime
    codes: Codes
    opened_by: ProcessId = field(factory=this_process, init=False)
    check_echo: bool = True
    _echoes: _Echoes = field(factory=_Echoes, init=False)
    _keeps_time: bool = field(init=False)
    connections: int = field(init=False)

    @_keeps_time.default
    def _(self) -> bool:
        return bool(getattr(self.transport, "keeps_time", False))

    @connections.default
    def _(self) -> int:
        # Whoever else cuts off what takes longer than its time-out would cut off what only waits.
        return getattr(self.transport, "max_connections", 0) if self._keeps_time else 0

    async def sign_payout(
        self, entry: Entry | Intent, *, timeout: float, send_by: float | None, waiting: Waiting | None = None
    ) -> WireRequest:
        """Make one signed request of a payout, whose remark is its number unless the caller has one of its own.

        A payout's reply names no payout, and the remark is what it repeats (docs: india/payout).
        """
        echo = self.spec.echo
        content = entry.content
        if echo is not None and echo not in content:
            content = HiddenFields(content, **{echo: entry.trade_no})
        return await self.sign(content, self.spec.payout_path, timeout=timeout, send_by=send_by, waiting=waiting)

    async def sign(
        self,
        content: Mapping[str, str],
        path: str,
        *,
        timeout: float,
        send_by: float | None = None,
        waiting: Waiting | None = None,
    ) -> WireRequest:
        """Make one signed request. Each attempt gets its own timestamp, so each is signed anew.

        Raises:
            NoAnswerError: If a signer that waits (a vault, an HSM) takes longer than *timeout* seconds.
        """
        # A vault that fails leaves a traceback, which may show the variables of this frame.
        fields = HiddenFields(content, timestamp=str(int(self.runtime.now().timestamp() * 1000)))
        signature: Any = self.signer.sign(fields)
        if not isinstance(signature, str) and isawaitable(signature):
            signature = await answer_of(signature, within=timeout, who="The signer")
        if not isinstance(signature, str):
            raise ConfigurationError("The signer returned no text. Its sign() must return the signature as str.")
        return WireRequest(
            url=self.base_url + path,
            body=request_body(fields, signature),
            merchant_no=self.merchant_no,
            send_by=send_by,
            waiting=waiting,
        )

    async def connect(self, request: WireRequest, *, timeout: float) -> Connection | Exchange | None:
        """Hold a connection for *request*; the exchange if there is none, None if the transport holds none.

        Raises:
            ClientStateError: If this process was forked since the client was opened.
        """
        connect = getattr(self.transport, "connect", None) if self._keeps_time else None
        if connect is None:
            return None
        refuse_forked(self.opened_by, "The client")
        made: Connection | Exchange = await connect(request, timeout=timeout)
        return made

    async def pay(self, request: WireRequest, entry: Entry, *, timeout: float) -> tuple[Outcome, Exchange]:
        """Send a signed payout and read what became of it; the exchange too, should its reply be another request's.

        Raises:
            ClientStateError: If this process was forked since the client was opened. The parent sends it.
        """
        refuse_forked(self.opened_by, "The client")
        began = self.runtime.steady() if (telling := logger.isEnabledFor(logging.DEBUG)) else 0.0
        sending = self.transport.send(request, timeout=timeout)
        try:
            exchange = await (sending if self._keeps_time else _in_time(sending, timeout))
        except PayProError:
            raise
        except Exception as error:
            raise OutcomeUnknownError(
                f"Payout {entry.trade_no} may have been made: transport.send() raised {type(error).__name__}. Money "
                f"may have moved. {_MEND_TRANSPORT} Then call again with the same trade_no; never use a new one.",
                trade_no=entry.trade_no,
                attempts=entry.attempt,
            ) from error
        echo = entry.content.get(self.spec.echo, entry.trade_no) if self.check_echo and self.spec.echo else None
        outcome = classify_payout(exchange, self.codes, trade_no=entry.trade_no, amount=entry.amount, echo=echo)
        outcome = for_people(outcome, entry, self.codes, phase=exchange.phase)
        # The remark that a caller gives may be that of all rows; an order's number the ledger has once.
        named = outcome.echoed and self.spec.echo not in entry.content
        numbered = outcome.verdict in _ACCEPTED and outcome.platform_trade_no is not None
        if not named and not numbered:
            _leave(exchange)
        if outcome.echoed is not None and not self._echoes.matched:
            self._echoes.note(echoed=outcome.echoed)
        if telling:
            tell_attempt(entry, outcome, self.runtime.steady() - began)
        return outcome, exchange

    async def query(self, trade_no: str, *, entry: Entry | None = None, timeout: float) -> Outcome:
        """Ask for one payout within *timeout* seconds, the signing included.

        Args:
            entry: What the ledger holds of it, to tell its order from another one; None if it holds nothing.
        """
        began = self.runtime.steady() if (telling := logger.isEnabledFor(logging.DEBUG)) else 0.0
        exchange = await self._ask({"tradeNo": trade_no}, self.spec.query_path, timeout)
        # What was erased is not known any more.
        repeats = entry is not None and entry.content and self.check_echo and self.spec.echo
        outcome = classify_query(
            exchange,
            self.codes,
            trade_no=trade_no,
            amount=entry.amount if entry else None,
            echo=entry.content.get(repeats, trade_no) if entry and repeats else None,
            utc_offset=self.spec.utc_offset,
        )
        if entry is not None:
            outcome = for_people(outcome, entry, self.codes, phase=exchange.phase)
        if outcome.verdict not in _SHOWN:
            # The next question, which must find nothing either, goes over another connection.
            _leave(exchange)
        if telling:
            tell_question(trade_no, outcome, self.runtime.steady() - began)
        return outcome

    async def balance(self, *, timeout: float) -> tuple[Outcome, Balance | None]:
        """Ask for the balance within *timeout* seconds, the signing included."""
        began = self.runtime.steady() if (telling := logger.isEnabledFor(logging.DEBUG)) else 0.0
        exchange = await self._ask({}, self.spec.balance_path, timeout)
        outcome, balance = classify_balance(exchange, self.codes, currency=self.spec.currency)
        if balance is None:
            _leave(exchange)
        if telling:
            tell_question(None, outcome, self.runtime.steady() - began)
        return outcome, balance

    async def _ask(self, content: Mapping[str, str], path: str, timeout: float) -> Exchange:
        deadline = self.runtime.steady() + timeout
        try:
            request = await self.sign(content, path, timeout=timeout)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001  whatever another's signer raises
            # A signer may be a vault, and an unanswered question is all that its failure means here.
            # Not the traceback, which is another's, with whatever it holds.
            logger.warning("A question to the platform could not be signed (%s).", type(error).__name__)
            cause = f"the question could not be signed ({type(error).__name__})"
            return Exchange(phase=Phase.NOT_SENT, cause=cause)
        left = max(0.0, deadline - self.runtime.steady())
        sending = self.transport.send(request, timeout=left)
        return await (sending if self._keeps_time else _answered(sending, left))
