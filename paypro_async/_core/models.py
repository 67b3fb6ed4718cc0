"""The values that callers get back, and the errors that carry one."""

from decimal import Decimal
from enum import StrEnum

from paypro_async._core.errors import PayProError
from paypro_async._core.plain_data import PlainData
from paypro_async._core.values import frozen

__all__ = [
    "Balance",
    "OutcomeNotRecordedError",
    "PayoutFailedError",
    "PayoutResult",
    "PayoutStatus",
    "QueryResult",
]


class PayoutStatus(StrEnum):
    """What is known of a payout. ``is_final`` says whether it can still change by itself."""

    SUCCEEDED = "succeeded"
    """The platform says that the money was paid (``data.status`` 0000)."""
    PROCESSING = "processing"
    """The platform has accepted the payout and works on it (``data.status`` 0015)."""
    FAILED = "failed"
    """The platform refused the payout or could not pay it; the money did not move."""
    REVERSED = "reversed"
    """A payout that had succeeded was taken back later."""
    UNKNOWN = "unknown"
    """Only of a query: there is an order, and the answer does not say what became of this payout. It is over another
    amount, or of another payout, or paid in part, or failed under a code that no page lists, which must be said twice.
    """

    @property
    def is_final(self) -> bool:
        """Whether it can no longer change by itself."""
        return self not in (PayoutStatus.PROCESSING, PayoutStatus.UNKNOWN)


@frozen(kw_only=True)
class PayoutResult(PlainData):
    """What became of one payout, as far as the platform has said.

    Args:
        trade_no: The merchant's order number.
        status: A :class:`PayoutStatus`.
        amount: In major units of *currency*, exact.
        currency: ISO 4217, from the region.
        platform_trade_no: PayPro's own order number, if it gave one.
        code: The platform's code as text, unchanged (``"0000"``, ``"0015"``, …).
        message: The platform's words for the code, fit for people: at most 300 characters, what steers a terminal
            escaped, account numbers, addresses and the payee's name masked.
        utr: The bank's reference, once a query has told it; None where a callback told the end.
        attempts: How often the payout was sent.
    """

    trade_no: str
    status: PayoutStatus
    amount: Decimal
    currency: str
    platform_trade_no: str | None = None
    code: str | None = None
    message: str | None = None
    utr: str | None = None
    attempts: int = 1

    @property
    def is_final(self) -> bool:
        """Whether the status can no longer change by itself."""
        return self.status.is_final

    def raise_for_status(self) -> "PayoutResult":
        """Return self, or raise if the payout failed or was reversed.

        Raises:
            PayoutFailedError: If the status is ``FAILED`` or ``REVERSED``.
        """
        if self.status is PayoutStatus.FAILED:
            certain = "no money moved for it"
        elif self.status is PayoutStatus.REVERSED:
            certain = "the money was paid and came back"
        else:
            return self
        raise PayoutFailedError(
            f"Payout {self.trade_no} {self.status.value}{_because(self.code)}; {certain}. "
            "To pay after all, mend the cause and send it under a new trade_no.",
            result=self,
            trade_no=self.trade_no,
        )


class PayoutFailedError(PayProError):
    """The payout failed (no money moved) or was reversed (it came back). Raised by ``raise_for_status()`` only.

    To pay after all, mend the cause that the code names and use a new trade_no.

    Attributes:
        result: The :class:`~paypro_async.PayoutResult`.
        platform_code: The platform's code, as text.
    """

    def __init__(self, message: str, *, result: PayoutResult, trade_no: str | None = None) -> None:
        super().__init__(message, trade_no=trade_no)
        self.result: PayoutResult = result
        self.platform_code: str | None = result.code


class OutcomeNotRecordedError(PayProError):
    """The platform answered but the ledger could not store the answer.

    The ledger still holds the payout as unknown, so a later call asks the platform and stores it then.

    Attributes:
        result: What the platform said (:class:`~paypro_async.PayoutResult`).
    """

    money_may_have_moved = True

    def __init__(self, message: str, *, result: PayoutResult, trade_no: str | None = None) -> None:
        super().__init__(message, trade_no=trade_no)
        self.result: PayoutResult = result


@frozen(kw_only=True)
class QueryResult(PlainData):
    """What the platform answers when asked for one payout.

    Args:
        trade_no: The merchant's order number that was asked for.
        status: None if the platform knows no such order. That is believed as "never arrived" only some time after
            the payout was sent, see ``settle_after``.
        amount: The amount really paid, in major units, if the platform says it.
        success_time: The region's local time as the platform writes it, without a zone.
        utr: The bank's reference.
    """

    trade_no: str
    status: PayoutStatus | None
    platform_trade_no: str | None = None
    code: str | None = None
    message: str | None = None
    amount: Decimal | None = None
    success_time: str | None = None
    utr: str | None = None

    @property
    def found(self) -> bool:
        """Whether the platform knows the order."""
        return self.status is not None


@frozen(kw_only=True)
class Balance(PlainData):
    """The merchant's balance, in major units of *currency*.

    Args:
        available: What can be paid out now.
        frozen: What is held back, if the platform says it.
        unsettled: What settles later, if the platform says it.
    """

    available: Decimal
    frozen: Decimal | None = None
    unsettled: Decimal | None = None
    currency: str


def _because(code: str | None) -> str:
    # The platform's words stay in ``message``: platforms echo what they were sent, names and account numbers too.
    return f" with platform code {code!r}" if code else ""
