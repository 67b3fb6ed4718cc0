"""The values of the platform's books: whom to pay what, orders, bookings, and what a comparison found."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from attrs import field, frozen

from paypro_async.sandbox.remarks import USUAL, Manner, Steps

__all__ = [
    "PROCESSING",
    "SUCCESS",
    "Booking",
    "Comparison",
    "Instruction",
    "Order",
    "Payee",
    "Rejection",
    "account_digest",
    "message_of",
]

SUCCESS = "0000"
PROCESSING = "0015"

# docs: pakistan/errorcode (the only complete list)
MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        SUCCESS: "SUCCESS",
        PROCESSING: "CREDIT_INPROGRESS",
        "0100007": "PAYEE_DAILY_CUMULATIVE_COUNT_REACHED",
        "0100019": "PAYEE_DAILY_CUMULATIVE_AMT_REACHED",
        "0100023": "PAYEE_MONTHLY_CUMULATIVE_COUNT_REACHED",
        "0100024": "DUPLICATE_REFERENCE_NUMBER_LEVEL2",
        "60019": "INSUFFICIENT_FUNDS",
        "60030": "PAYEE_MAXIMUM_BALANCE_EXCEEDED",
        "00028": "AMOUNT_NOT_NUMERIC",
        "00029": "REJECTED_TRANSACTION",
        "00032": "UNKNOWN_ERROR",
    }
)

Rejection = Literal["duplicate", "insufficient_funds", "full"]


def message_of(status: str) -> str:
    """The platform's message for a status."""
    return MESSAGES.get(status, "REJECTED_TRANSACTION")


def account_digest(bank_number: str, bank_code: str) -> str:
    """What tells one account from others without saying its number."""
    return hashlib.sha256(f"{bank_code} {bank_number}".encode("utf-8", "replace")).hexdigest()[:16]


def _masked(_: str) -> str:
    return "'***'"


@frozen(kw_only=True)
class Payee:
    """Who is paid; masked in ``repr``."""

    name: str = field(repr=_masked)
    mobile: str = field(repr=_masked)
    email: str = field(repr=_masked)
    bank_number: str = field(repr=_masked)
    bank_code: str

    @property
    def account(self) -> str:
        """What tells this account from others, without its number."""
        return account_digest(self.bank_number, self.bank_code)


@frozen(kw_only=True)
class Instruction:
    """A payout request that passed every check; ``status`` is what its order has as soon as it is booked.

    ``message`` stands beside that status; None for the platform's usual one. ``later`` is what becomes of it if it is
    processing; None for the usual. Its callbacks go to ``notify_url`` in the ``manner`` that is asked for.
    """

    trade_no: str
    amount: Decimal
    payee: Payee
    remark: str = ""
    status: str = PROCESSING
    message: str | None = None
    notify_url: str = field(default="", repr=False)
    later: Steps | None = None
    manner: Manner = USUAL


@frozen(kw_only=True)
class Order:
    """A booked payout.

    Args:
        payee: Who is paid; masked in ``repr``.
        remark: As the request said it.
        status: The platform's: ``0000`` paid, ``0015`` processing, another one failed.
        message: The words beside it.
        booked_count: How often it was booked; above 1 only if it was booked again.
        total: The money of all its bookings together.
        booked_at_ms: Milliseconds since the epoch, of the first booking; *final_at_ms*, of its end.
        notify_url: Where its callbacks go.
        manner: How its callbacks are sent, by its remark.
    """

    trade_no: str
    platform_trade_no: str
    amount: Decimal
    payee: Payee
    remark: str
    status: str
    message: str
    booked_count: int
    total: Decimal
    booked_at_ms: int
    final_at_ms: int | None = None
    notify_url: str = field(default="", repr=False)
    manner: Manner = USUAL

    @property
    def debited(self) -> Decimal:
        """The money that this order takes from the balance: nothing once it has failed."""
        return self.total if self.status in {SUCCESS, PROCESSING} else Decimal(0)

    @property
    def utr(self) -> str:
        """The bank's reference of a paid order: twelve digits."""
        return str(int(self.platform_trade_no, 16))[:12]


@frozen(kw_only=True)
class Booking:
    """One movement of money: it stays recorded whatever becomes of its order.

    Args:
        number: All bookings are counted, from 1.
        at_ms: Milliseconds since the epoch.
    """

    number: int
    trade_no: str
    platform_trade_no: str
    amount: Decimal
    at_ms: int


@frozen(kw_only=True)
class Comparison:
    """What was booked, set against what should have been; trade numbers.

    Args:
        missing: Never booked, and should have been.
        twice: Booked more than once, expected or not.
        unexpected: Booked, and should not have been.
    """

    missing: tuple[str, ...]
    twice: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Every expected trade number was booked exactly once, and nothing else was."""
        return not (self.missing or self.twice or self.unexpected)
