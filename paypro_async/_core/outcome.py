"""What one exchange says about one payout. Total: what is not understood is ``UNKNOWN``.

The rules, in this order (docs: india/payout, SouthKorea/errorcode; the readings: docs/architecture.md):

1. No whole reply: ``NOT_SENT`` if no byte left, else ``UNKNOWN``.
2. HTTP 429: not accepted, wait. HTTP 5xx, 1xx, 3xx: ``UNKNOWN``, whatever the body says.
3. Whatever has not the shape of the platform's envelope is somebody else's: ``UNKNOWN``, 4xx included.
4. The outer ``code`` is about the request. Other than ``0000`` the order was not placed: ``REFUSED`` under a code that
   a page lists, ``UNLISTED`` under another one, which the platform must confirm. A duplicate and a system error mean
   "ask".
5. ``data.status`` is about the payout: ``0000`` paid, ``0015`` processing, ``0001`` paid in part; a listed code
   ``FAILED``, another one of that shape ``UNLISTED``, anything else ``UNKNOWN``.
6. Words turn a refusal into a question, and decide nothing else.
7. A code or a number of an order that has not the form of one is none, and the reply ``UNKNOWN``.
8. Whatever contradicts itself is ``UNKNOWN``, and what is about another payout was meant for another request.
"""

import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from attrs import evolve

from paypro_async._core.codec import ReadingError
from paypro_async._core.models import Balance
from paypro_async._core.other_servers import TOO_MANY, answered_by_another
from paypro_async._core.platform_codes import ACCEPTED, NO_REFUSAL, PARTIAL, PROCESSING, Codes
from paypro_async._core.platform_text import reference
from paypro_async._core.verdict import Outcome, Verdict
from paypro_async._core.wire import (
    NO_DATA,
    ORDER_NUMBERS,
    Envelope,
    Exchange,
    OrderData,
    Phase,
    read_balance,
    read_envelope,
    read_order,
)
from paypro_async._core.words import speaks_of_doubt, speaks_of_trouble

__all__ = ["Outcome", "Verdict", "classify_balance", "classify_order", "classify_payout", "classify_query"]


def classify_payout(
    exchange: Exchange, codes: Codes, *, trade_no: str, amount: Decimal | None = None, echo: str | None = None
) -> Outcome:
    """What the exchange of a payout request proves. Never raises.

    Args:
        amount: What was to be paid; None if it is not known.
        echo: What the request said in the field that the platform repeats, and no other request did; None if it does
            not matter.
    """
    found = _before_the_envelope(exchange, codes)
    if not isinstance(found, Envelope):
        return found
    if found.code != ACCEPTED:
        return _refused(found, codes, exchange)
    if found.data in NO_DATA:
        return _unknown(exchange, "the reply accepts the request but holds no order")
    outcome = _order(found, codes, exchange, trade_no, echo)
    if _is_foreign(outcome, amount):
        if not outcome.amount:
            return _unknown(exchange, "the reply says that it was paid, and that nothing was")
        # Payout replies name no payout: another amount says that this is the reply to another request.
        return _misdelivered(exchange)
    # An order under a "duplicate" status is one that was there before; nothing else that is said of it matters.
    return evolve(outcome, verdict=Verdict.DUPLICATE) if outcome.duplicate else outcome


def classify_query(
    exchange: Exchange,
    codes: Codes,
    *,
    trade_no: str,
    amount: Decimal | None = None,
    echo: str | None = None,
    utc_offset: timedelta | None = None,
) -> Outcome:
    """What the exchange of a query proves about *trade_no*. Never raises.

    Args:
        amount: What was to be paid; an order over another amount is not this payout. None if it is not known.
        echo: What the payout said in the field that the platform repeats, to tell a reply that names no payout.
        utc_offset: Of the times that the platform writes; None if that is not known.
    """
    found = _before_the_envelope(exchange, codes)
    if not isinstance(found, Envelope):
        # A question that was not taken says nothing about the payout.
        return evolve(found, verdict=Verdict.UNKNOWN, cause=found.cause or "the question was not sent")
    if found.code != ACCEPTED or not found.has_data:
        return _without_an_order(found, codes, exchange)
    # One that names its payout needs no echo, and queries do by the pages.
    named = isinstance(found.data, dict) and found.data.get("tradeNo")
    return classify_order(
        found,
        codes,
        exchange,
        trade_no=trade_no,
        amount=amount,
        echo=None if named else echo,
        utc_offset=utc_offset,
    )


def classify_order(
    envelope: Envelope,
    codes: Codes,
    exchange: Exchange,
    *,
    trade_no: str,
    amount: Decimal | None = None,
    echo: str | None = None,
    utc_offset: timedelta | None = None,
) -> Outcome:
    """What an order proves about *trade_no* that the platform shows of its own accord or when asked. Never raises."""
    outcome = _order(envelope, codes, exchange, trade_no, echo)
    if outcome.code in codes.no_such_order:
        return evolve(outcome, verdict=Verdict.NO_SUCH_ORDER)
    if outcome.verdict in (Verdict.FAILED, Verdict.UNLISTED) and not outcome.shows_an_order:
        verdict = Verdict.UNKNOWN if speaks_of_trouble(outcome.message) else Verdict.QUESTION_REFUSED
        return evolve(outcome, verdict=verdict, cause="the platform answered with a code and no order")
    if _is_foreign(outcome, amount):
        return evolve(outcome, verdict=Verdict.FOREIGN, says=outcome.verdict)
    return evolve(outcome, paid_at=_moment(outcome.success_time, utc_offset)) if utc_offset is not None else outcome


def _without_an_order(envelope: Envelope, codes: Codes, exchange: Exchange) -> Outcome:
    """What a query proves that shows no order."""
    if envelope.code in codes.no_such_order:
        return Outcome(verdict=Verdict.NO_SUCH_ORDER, code=envelope.code, message=envelope.msg)
    if envelope.code != ACCEPTED:
        refused = _unknown(exchange, "the platform refused the question", envelope)
        return evolve(refused, verdict=_verdict_of_refused_question(envelope, codes, exchange))
    if speaks_of_trouble(envelope.msg):
        return _unknown(exchange, "the platform took the question and speaks of trouble", envelope)
    # inferred: reference section 5, nothing is documented for an unknown tradeNo
    return Outcome(verdict=Verdict.NO_SUCH_ORDER, code=envelope.code, message=envelope.msg)


def _verdict_of_refused_question(envelope: Envelope, codes: Codes, exchange: Exchange) -> Verdict:
    # Nothing of the payout either way; but with these credentials every question will be refused.
    if envelope.code in codes.credentials:
        return Verdict.BAD_CREDENTIALS
    unclear = (
        codes.proves_nothing(envelope.code)
        or envelope.code in NO_REFUSAL | codes.duplicate
        or exchange.status in _NO_ANSWER
        or _holds_an_order(envelope, codes)
        or speaks_of_trouble(envelope.msg)
    )
    return Verdict.UNKNOWN if unclear else Verdict.QUESTION_REFUSED


def _is_foreign(outcome: Outcome, amount: Decimal | None) -> bool:
    if amount is None or outcome.amount in (None, amount) or outcome.verdict is Verdict.UNKNOWN:
        return False
    # "The amount really paid" may be zero as long as nothing was paid.
    return bool(outcome.amount) or outcome.verdict in (Verdict.PAID, Verdict.PARTIAL)


def _moment(text: str | None, utc_offset: timedelta) -> datetime | None:
    try:
        local = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return local if local.tzinfo else local.replace(tzinfo=timezone(utc_offset))


def classify_balance(exchange: Exchange, codes: Codes, *, currency: str) -> tuple[Outcome, Balance | None]:
    """The balance, or why there is none. Never raises."""
    found = _before_the_envelope(exchange, codes)
    if not isinstance(found, Envelope):
        return evolve(found, verdict=Verdict.UNKNOWN), None
    if found.code != ACCEPTED:
        return _unknown(exchange, "the platform refused the question", found), None
    try:
        data = read_balance(found)
        available = data.available
    except ReadingError as error:
        return _unknown(exchange, str(error)), None
    balance = Balance(available=available, frozen=data.freezeAmount, unsettled=data.unsettledAmount, currency=currency)
    return Outcome(verdict=Verdict.PAID, code=found.code), balance


def _before_the_envelope(exchange: Exchange, codes: Codes) -> Outcome | Envelope:
    status = exchange.status
    if exchange.phase is not Phase.ANSWERED or status is None:
        return _unanswered(exchange)
    envelope, why = _envelope(exchange, codes)
    if status == 429 and (envelope is None or not _says_accepted(envelope, codes)):
        return Outcome(
            verdict=Verdict.RATE_LIMITED,
            http_status=status,
            cause=TOO_MANY,
            fault=answered_by_another(TOO_MANY, status),
            retry_after=_seconds(exchange.retry_after),
        )
    if envelope is None or why:
        cause = why if 200 <= status < 300 else f"HTTP {status}: {why}"
        other = answered_by_another(cause, status) if envelope is None else None
        return evolve(_unknown(exchange, cause), fault=other)
    # An error status over an accepting envelope, or a server error over any, contradicts itself or proves nothing.
    if not 200 <= status < 300 and (not 400 <= status < 500 or envelope.code == ACCEPTED):
        return _unknown(exchange, f"HTTP {status}", envelope)
    return envelope


def _unanswered(exchange: Exchange) -> Outcome:
    cause, fault, busy, late = exchange.cause, exchange.fault, exchange.pool_timeout, exchange.late
    if exchange.phase is Phase.NOT_SENT:
        return Outcome(verdict=Verdict.NOT_SENT, cause=cause, fault=fault, pool_timeout=busy, late=late)
    return Outcome(verdict=Verdict.UNKNOWN, cause=cause, fault=fault, lost=True)


def _envelope(exchange: Exchange, codes: Codes) -> tuple[Envelope | None, str]:
    """The platform's envelope, if there is one; and what is wrong with the reply, if anything is."""
    if exchange.cause is not None:
        return None, exchange.cause
    try:
        envelope = read_envelope(exchange.body)
    except ReadingError as error:
        return None, str(error)
    if not codes.is_one(envelope.code):
        # Whatever stands before the platform answers in JSON too.
        return None, "the reply is not the platform's: its code has not the form of one"
    succeeded = envelope.succeeded
    if succeeded is not None and succeeded != (envelope.code == ACCEPTED):
        return envelope, f"the reply contradicts itself: code {envelope.code} and success {str(succeeded).lower()}"
    return envelope, ""


# What stands before the platform says so when no answer came from behind it, often after the order was taken.
_NO_ANSWER = frozenset({408, 425})


def _refused(envelope: Envelope, codes: Codes, exchange: Exchange) -> Outcome:
    code = envelope.code
    if codes.says_duplicate(code, envelope.msg) or exchange.status == 409:
        verdict = Verdict.DUPLICATE
    elif (
        codes.proves_nothing(code)
        or code in NO_REFUSAL
        or exchange.status in _NO_ANSWER
        or _holds_an_order(envelope, codes)
        or speaks_of_doubt(envelope.msg)
    ):
        return _unknown(exchange, f"the platform answered code {code}", envelope)
    elif code in codes.credentials:
        verdict = Verdict.BAD_CREDENTIALS
    else:
        verdict = Verdict.REFUSED if codes.is_listed(code) else Verdict.UNLISTED
    return Outcome(verdict=verdict, code=code, message=envelope.msg, http_status=exchange.status)


def _says_accepted(envelope: Envelope, codes: Codes) -> bool:
    # Too many requests, and this one was taken?
    return envelope.code in NO_REFUSAL or envelope.succeeded is True or _holds_an_order(envelope, codes)


def _holds_an_order(envelope: Envelope, codes: Codes) -> bool:
    """Whether a refusal carries an order, other than one that failed for the same reason: it contradicts itself."""
    data = envelope.data
    if isinstance(data, str):
        return data.strip() in NO_REFUSAL or "status" in data or speaks_of_doubt(data)
    if not isinstance(data, dict):
        return envelope.has_data
    status = data.get("status")
    if status in (None, ""):
        return any(data.get(name) for name in ORDER_NUMBERS)
    return not (isinstance(status, str) and (status == envelope.code or codes.is_listed(status)))


def _order(envelope: Envelope, codes: Codes, exchange: Exchange, trade_no: str, echo: str | None) -> Outcome:
    try:
        order = read_order(envelope)
    except ReadingError as error:
        return _unknown(exchange, str(error))
    if order.tradeNo and order.tradeNo != trade_no:
        return _misdelivered(exchange)
    echoed = None if echo is None or not order.remark else order.remark == echo
    if echoed is False:
        return evolve(_misdelivered(exchange), echoed=False)
    number = order.platform_trade_no
    verdict = _verdict_of_status(order, codes)
    unclear = reference(order.status) if verdict is Verdict.UNKNOWN else None
    outcome = Outcome(
        verdict=verdict,
        code=unclear or order.status,
        message=order.desc or order.message or None,
        platform_trade_no=number,
        amount=order.orderAmount if order.orderAmount is not None else order.amount,
        utr=order.utr or None,
        success_time=order.successTime or None,
        cause=f"the platform answered status {unclear}" if unclear else None,
        http_status=exchange.status,
        echoed=echoed,
        duplicate=order.status in codes.duplicate,
    )
    if outcome.platform_trade_no != number:  # which is compared exactly, and is not fit to be shown
        return _unknown(exchange, "the platform's number of the order has not the form of one")
    return outcome


_STATUSES = {ACCEPTED: Verdict.PAID, PROCESSING: Verdict.PROCESSING, PARTIAL: Verdict.PARTIAL}


def _verdict_of_status(order: OrderData, codes: Codes) -> Verdict:
    status = order.status or ""
    if known := _STATUSES.get(status):
        other = order.orderAmount is not None and known is Verdict.PAID and order.is_paid_otherwise
        return Verdict.PARTIAL if other else known
    if codes.proves_nothing(status) or not codes.is_one(status):
        return Verdict.UNKNOWN
    # An order that is shown is no duplicate of itself: one that failed for that reason failed.
    return Verdict.FAILED if codes.is_listed(status) or status in codes.duplicate else Verdict.UNLISTED


def _misdelivered(exchange: Exchange) -> Outcome:
    return evolve(_unknown(exchange, "the reply is about another order"), misdelivered=True)


def _unknown(exchange: Exchange, cause: str, envelope: Envelope | None = None) -> Outcome:
    return Outcome(
        verdict=Verdict.UNKNOWN,
        code=envelope.code if envelope else None,
        message=envelope.msg if envelope else None,
        cause=cause,
        http_status=exchange.status,
    )


def _seconds(retry_after: str | None) -> float | None:
    # The other form, a date, needs a clock and the agreement of two; the back-off serves instead.
    return float(retry_after) if retry_after and re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", retry_after) else None
