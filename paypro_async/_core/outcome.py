"""What one exchange says about one payout. Total: what is not understood is ``UNKNOWN``.

The rules, in this order (docs: india/payout, SouthKorea/errorcode; DESIGN of the readings: docs/architecture.md):

1. No whole reply: ``NOT_SENT`` if no byte left, else ``UNKNOWN``.
2. HTTP 429: not accepted, wait. HTTP 5xx, 1xx, 3xx: ``UNKNOWN``, whatever the body says.
3. No readable envelope: ``UNKNOWN``, 4xx included.
4. The outer ``code`` is about the request. Other than ``0000`` the order was not placed, except that a duplicate and
   a system error mean "ask".
5. ``data.status`` is about the payout: ``0000`` paid, ``0015`` processing, anything else failed.
6. Whatever contradicts itself is ``UNKNOWN``.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from enum import Enum

from attrs import evolve, field, frozen

from paypro_async._core.codec import ReadingError
from paypro_async._core.models import Balance
from paypro_async._core.wire import Envelope, Exchange, OrderData, Phase, read_balance, read_envelope, read_order

__all__ = [
    "ACCEPTED",
    "PROCESSING",
    "Codes",
    "Outcome",
    "Verdict",
    "classify_balance",
    "classify_payout",
    "classify_query",
]

ACCEPTED = "0000"
PROCESSING = "0015"

_CREDENTIAL_WORDS = re.compile(
    r"\b(sign|signature|unauthori[sz]ed|unauthenticated|authentication)\b"
    r"|\bmerchant (is |was |does |no |number )*(not (found|exist|known|valid)|unknown|invalid|disabled)\b"
    r"|\b(invalid|unknown|wrong) merchant\b"
)


# A duplicate that is taken for a refusal would be paid again under another number; a false hit costs a question.
_DUPLICATE_WORDS = re.compile(
    r"\b(duplicate[ds]?|duplication|repeat(ed)?|already (exists?|used|submitted|processed)|order exists?)\b"
)
# How gateways say "no answer came from behind me", which is often after the order was taken.
_GATEWAY_CODE = re.compile(r"408|5[0-9][0-9]")


def _frozenset(codes: str | Iterable[str]) -> frozenset[str]:
    # One code alone is a code, not a set of characters.
    return frozenset([codes] if isinstance(codes, str) else codes)


@frozen(kw_only=True)
class Codes:
    """The platform's codes that mean more than "refused". Its lists are incomplete, so each can be extended.

    Args:
        duplicate: The ``tradeNo`` was used before. Documented for Pakistan only.
        no_such_order: What a query answers for an unknown ``tradeNo``. Nothing is documented.
        system: "Something went wrong", which proves nothing about the money (reference section 8).
        credentials: The signature or the merchant number was refused. Nothing is documented; a refusal whose words
            speak of a signature is read as one too.
        insufficient_funds: The merchant's balance is too low.
    """

    duplicate: frozenset[str] = field(default=frozenset({"0100024"}), converter=_frozenset)
    no_such_order: frozenset[str] = field(default=frozenset(), converter=_frozenset)
    system: frozenset[str] = field(default=frozenset({"5000", "00032"}), converter=_frozenset)
    credentials: frozenset[str] = field(default=frozenset(), converter=_frozenset)
    insufficient_funds: frozenset[str] = field(default=frozenset({"60019"}), converter=_frozenset)

    def refuses_credentials(self, code: str, message: str | None) -> bool:
        """Whether an outer refusal is about who asks, not about what is asked."""
        # inferred: no list names these codes (reference section 8)
        return code in self.credentials or _CREDENTIAL_WORDS.search(_plain(message)) is not None

    def says_duplicate(self, code: str | None, message: str | None) -> bool:
        """Whether a refusal is about a ``tradeNo`` that was used before."""
        # inferred: only Pakistan's code is documented, so the words count too
        return code in self.duplicate or _DUPLICATE_WORDS.search(_plain(message)) is not None

    def proves_nothing(self, code: str | None) -> bool:
        """Whether a code says that something went wrong, and not what became of the payout."""
        return not code or code in self.system or _GATEWAY_CODE.fullmatch(code) is not None


def _plain(message: str | None) -> str:
    return re.sub(r"[\W_]+", " ", message or "").lower()


class Verdict(Enum):
    """What an exchange proves."""

    PAID = "paid"
    PROCESSING = "processing"
    FAILED = "failed"
    """The order exists, or was looked at, and failed (``data.status``)."""
    REFUSED = "refused"
    """The order was not placed (outer ``code``)."""
    DUPLICATE = "duplicate"
    """The ``tradeNo`` is known to the platform: ask."""
    NO_SUCH_ORDER = "no such order"
    FOREIGN = "foreign"
    """There is an order of that number which is not this payout."""
    NOT_SENT = "not sent"
    RATE_LIMITED = "rate limited"
    BAD_CREDENTIALS = "bad credentials"
    UNKNOWN = "unknown"


@frozen(kw_only=True)
class Outcome:
    """A verdict and what came with it.

    Args:
        verdict: What is proven.
        code: The platform's code, unchanged.
        message: The platform's words.
        cause: Ours, for an exchange without a usable reply.
        lost: True if no whole reply came, False if one came that could not be used.
        pool_timeout: It was not sent because every connection was busy.
        late: It was not sent because its send deadline had passed.
        http_status: Of the reply, if there was one.
        retry_after: Seconds the platform asks to wait.
    """

    verdict: Verdict
    code: str | None = None
    message: str | None = None
    platform_trade_no: str | None = None
    amount: Decimal | None = None
    utr: str | None = None
    success_time: str | None = None
    cause: str | None = None
    lost: bool = False
    pool_timeout: bool = False
    late: bool = False
    http_status: int | None = None
    retry_after: float | None = None

    @property
    def phase(self) -> Phase:
        """How far the request got that this outcome is of."""
        if self.verdict is Verdict.NOT_SENT:
            return Phase.NOT_SENT
        return Phase.MAYBE_SENT if self.lost else Phase.ANSWERED


def classify_payout(exchange: Exchange, codes: Codes, *, trade_no: str) -> Outcome:
    """What the exchange of a payout request proves. Never raises."""
    found = _before_the_envelope(exchange)
    if not isinstance(found, Envelope):
        return found
    if found.code != ACCEPTED:
        return _refused(found, codes, exchange)
    if not found.has_data:
        return _unknown(exchange, "the reply accepts the request but holds no order")
    return _order(found, codes, exchange, trade_no)


def classify_query(exchange: Exchange, codes: Codes, *, trade_no: str, amount: Decimal | None = None) -> Outcome:
    """What the exchange of a query proves about *trade_no*. Never raises.

    Args:
        amount: What was to be paid; an order over another amount is not this payout. None if it is not known.
    """
    found = _before_the_envelope(exchange)
    if not isinstance(found, Envelope):
        # A question that was not taken says nothing about the payout.
        return evolve(found, verdict=Verdict.UNKNOWN, cause=found.cause or "the question was not sent")
    if found.code in codes.no_such_order:
        return Outcome(verdict=Verdict.NO_SUCH_ORDER, code=found.code, message=found.msg)
    if found.code != ACCEPTED:
        refused = _unknown(exchange, "the platform refused the question", found)
        return evolve(refused, verdict=_verdict_of_refused_question(found, codes))
    if not found.has_data:
        # inferred: reference section 5, nothing is documented for an unknown tradeNo
        return Outcome(verdict=Verdict.NO_SUCH_ORDER, code=found.code, message=found.msg)
    outcome = _order(found, codes, exchange, trade_no)
    if outcome.code in codes.no_such_order or (outcome.verdict is Verdict.FAILED and not _shows_an_order(outcome)):
        return evolve(outcome, verdict=Verdict.NO_SUCH_ORDER)
    if outcome.verdict is Verdict.DUPLICATE:
        return evolve(outcome, verdict=Verdict.UNKNOWN, cause="a query answered that the order is a duplicate")
    # "The amount really paid" may be zero as long as nothing was paid.
    if amount is not None and outcome.amount and outcome.amount != amount and outcome.verdict is not Verdict.UNKNOWN:
        return evolve(outcome, verdict=Verdict.FOREIGN)
    return outcome


def _verdict_of_refused_question(envelope: Envelope, codes: Codes) -> Verdict:
    # Nothing of the payout either way; but with these credentials every question will be refused.
    wrong = codes.refuses_credentials(envelope.code, envelope.msg)
    return Verdict.BAD_CREDENTIALS if wrong else Verdict.UNKNOWN


def _shows_an_order(outcome: Outcome) -> bool:
    # inferred: "other codes are failures" holds for an order that exists, and such a one has a number or an amount.
    # A bare code may just as well say "no such order", of an order whose booking lags behind its request.
    return outcome.platform_trade_no is not None or outcome.amount is not None


def classify_balance(exchange: Exchange, *, currency: str) -> tuple[Outcome, Balance | None]:
    """The balance, or why there is none. Never raises."""
    found = _before_the_envelope(exchange)
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


def _before_the_envelope(exchange: Exchange) -> Outcome | Envelope:
    if exchange.phase is Phase.NOT_SENT:
        return Outcome(
            verdict=Verdict.NOT_SENT, cause=exchange.cause, pool_timeout=exchange.pool_timeout, late=exchange.late
        )
    status = exchange.status
    if exchange.phase is not Phase.ANSWERED or status is None:
        return Outcome(verdict=Verdict.UNKNOWN, cause=exchange.cause, lost=True)
    try:
        envelope = read_envelope(exchange.body) if exchange.cause is None else None
        why = exchange.cause
    except ReadingError as error:
        envelope, why = None, str(error)
    if status == 429 and (envelope is None or (envelope.code != ACCEPTED and not _says_accepted(envelope))):
        return Outcome(
            verdict=Verdict.RATE_LIMITED,
            http_status=status,
            cause="the platform answered HTTP 429",
            retry_after=_seconds(exchange.retry_after),
        )
    if envelope is None:
        return _unknown(exchange, f"HTTP {status}: {why}")
    # An error status over an accepting envelope, or a server error over any, contradicts itself or proves nothing.
    if not 200 <= status < 300 and (not 400 <= status < 500 or envelope.code == ACCEPTED):
        return _unknown(exchange, f"HTTP {status}", envelope)
    return envelope


def _refused(envelope: Envelope, codes: Codes, exchange: Exchange) -> Outcome:
    if codes.says_duplicate(envelope.code, envelope.msg) or exchange.status == 409:
        verdict = Verdict.DUPLICATE
    elif codes.proves_nothing(envelope.code) or exchange.status in (408, 425) or _says_accepted(envelope):
        return _unknown(exchange, f"the platform answered code {envelope.code!r}", envelope)
    elif codes.refuses_credentials(envelope.code, envelope.msg):
        verdict = Verdict.BAD_CREDENTIALS
    else:
        verdict = Verdict.REFUSED
    return Outcome(verdict=verdict, code=envelope.code, message=envelope.msg, http_status=exchange.status)


def _says_accepted(envelope: Envelope) -> bool:
    # A refusal that carries an order which is paid or under way contradicts itself.
    return isinstance(envelope.data, dict) and envelope.data.get("status") in (ACCEPTED, PROCESSING)


def _order(envelope: Envelope, codes: Codes, exchange: Exchange, trade_no: str) -> Outcome:
    try:
        order = read_order(envelope)
    except ReadingError as error:
        return _unknown(exchange, str(error))
    if order.tradeNo is not None and order.tradeNo != trade_no:
        return _unknown(exchange, "the reply is about another order")
    verdict = _verdict_of_status(order, codes)
    return Outcome(
        verdict=verdict,
        code=order.status,
        message=order.status_message,
        platform_trade_no=order.platform_trade_no,
        amount=order.orderAmount if order.orderAmount is not None else order.amount,
        utr=order.utr or None,
        success_time=order.successTime or None,
        cause=f"the platform answered status {order.status}" if verdict is Verdict.UNKNOWN else None,
        http_status=exchange.status,
    )


def _verdict_of_status(order: OrderData, codes: Codes) -> Verdict:
    if order.status == ACCEPTED:
        return Verdict.PAID
    if order.status == PROCESSING:
        return Verdict.PROCESSING
    if codes.says_duplicate(order.status, order.status_message):
        return Verdict.DUPLICATE
    return Verdict.UNKNOWN if codes.proves_nothing(order.status) else Verdict.FAILED


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
