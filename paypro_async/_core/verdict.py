"""What an exchange proves about a payout: in one word, and what came with it."""

from datetime import datetime
from decimal import Decimal
from enum import Enum

from paypro_async._core.platform_text import MAYBE_PERSONAL, SHORT, cause_text, reference, shown, words
from paypro_async._core.values import frozen
from paypro_async._core.wire import Fault, Phase

__all__ = ["Outcome", "Verdict"]


class Verdict(Enum):
    """What an exchange proves."""

    PAID = "paid"
    PROCESSING = "processing"
    PARTIAL = "paid in part"
    FAILED = "failed"
    """The order exists, or was looked at, and failed (``data.status``)."""
    REFUSED = "refused"
    """The order was not placed (outer ``code``)."""
    UNLISTED = "refused or failed under a code that no page lists"
    """Final once the platform has said it twice."""
    DUPLICATE = "duplicate"
    """The ``tradeNo`` is known to the platform: ask."""
    NO_SUCH_ORDER = "no such order"
    FOREIGN = "foreign"
    """There is an order of that number which is not this payout."""
    NOT_SENT = "not sent"
    RATE_LIMITED = "rate limited"
    BAD_CREDENTIALS = "bad credentials"
    QUESTION_REFUSED = "question refused"
    """A query was answered with a code of which it is not known what it means."""
    UNKNOWN = "unknown"


@frozen(kw_only=True)
class Outcome:
    """A verdict and what came with it. Every text is fit for people (``_core/platform_text.py``).

    Args:
        verdict: What is proven.
        code: The platform's code, unchanged; or what stands where one should.
        message: The platform's words.
        cause: Ours, for an exchange without a usable reply.
        fault: The same and what mends it, where the transport knows.
        lost: True if no whole reply came, False if one came that could not be used.
        pool_timeout: It was not sent because every connection was busy.
        late: It was not sent because its send deadline had passed.
        paid_at: When the order was paid, if the platform says it in a way that can be read.
        http_status: Of the reply, if there was one.
        retry_after: Seconds the platform asks to wait.
        misdelivered: Whether the reply is about another payout: whatever follows on its connection may be too.
        echoed: Whether the reply repeats what only this request said; None if it repeats nothing.
        duplicate: Whether the order that is shown failed since its number was used before.
        says: What its status alone would prove, of an order that is foreign.
    """

    verdict: Verdict
    code: str | None = None
    message: str | None = None
    platform_trade_no: str | None = None
    amount: Decimal | None = None
    utr: str | None = None
    success_time: str | None = None
    paid_at: datetime | None = None
    cause: str | None = None
    fault: Fault | None = None
    lost: bool = False
    pool_timeout: bool = False
    late: bool = False
    http_status: int | None = None
    retry_after: float | None = None
    misdelivered: bool = False
    echoed: bool | None = None
    duplicate: bool = False
    says: Verdict | None = None

    def __attrs_post_init__(self) -> None:
        # One look at all of them, in a step that every payout takes: as a rule there is nothing to do.
        message = self.message or ""
        texts = (self.code or "") + message + (self.platform_trade_no or "")
        plain = len(texts) <= SHORT and texts.isascii() and texts.isprintable()
        if not plain or self.utr or self.success_time or self.cause or MAYBE_PERSONAL.search(message):
            self._clean()

    def _clean(self) -> None:
        fit = {"message": words, "cause": cause_text, "utr": reference, "success_time": reference}
        for name in ("code", "platform_trade_no", *fit):
            object.__setattr__(self, name, fit.get(name, shown)(getattr(self, name)))

    @property
    def lasting(self) -> bool:
        """Whether another try would end alike until somebody has mended a setting."""
        return self.fault is not None and self.fault.lasting

    @property
    def shows_an_order(self) -> bool:
        """Whether there is an order that it speaks of.

        A bare code may just as well say "no such order", of one whose booking lags behind its request.
        """
        # inferred: "other codes are failures" holds for an order that exists, and such a one has a number or an amount
        return self.platform_trade_no is not None or bool(self.amount)

    @property
    def phase(self) -> Phase:
        """How far the request got that this outcome is of."""
        if self.verdict is Verdict.NOT_SENT:
            return Phase.NOT_SENT
        return Phase.MAYBE_SENT if self.lost else Phase.ANSWERED
