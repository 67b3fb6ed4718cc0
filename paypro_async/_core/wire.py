"""The bytes of a request and the envelope of a reply. The platform's names live here and in ``regions``."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Protocol

from attrs import define, field

from paypro_async._core.codec import Note, ReadingError, json_bytes, read, read_json
from paypro_async._core.values import frozen

__all__ = [
    "NO_DATA",
    "ORDER_NUMBERS",
    "BalanceData",
    "Connection",
    "Envelope",
    "Exchange",
    "Fault",
    "OrderData",
    "Phase",
    "Waiting",
    "WireRequest",
    "read_balance",
    "read_envelope",
    "read_order",
    "request_body",
]


class Phase(Enum):
    """How far a request got, from what happened on the wire."""

    NOT_SENT = "not sent"
    """No byte of it left this process."""
    MAYBE_SENT = "maybe sent"
    """A byte may have left and no whole reply came back."""
    ANSWERED = "answered"
    """A whole reply was read."""


@define(kw_only=True, eq=False)
class Waiting:
    """How a payout that finds every connection busy may wait for one. All moments are of the runtime's steady clock.

    Args:
        until: What has waited and is not written by then is not sent: no reply would come in time any more.
        answer_by: When the reply must be there. The time-out of the exchange counts from when it has a connection.
        reply_seconds: Up to how long replies have lately taken, by which *until* was found; None if none has come yet.
        seconds: How long it has waited. Each part that lets it wait adds to that.
        written_at: When the first byte was written, if the transport says so.
    """

    until: float
    answer_by: float
    reply_seconds: float | None = None
    seconds: float = 0.0
    written_at: float | None = None

    def in_vain(self, connections: int) -> str:
        """Why it was not sent, for people."""
        known = self.reply_seconds is not None
        need = f", and replies have lately taken up to {self.reply_seconds:.3g} s" if known else ""
        busy = "the only connection was" if connections == 1 else f"all {connections} connections were"
        return f"{busy} busy for {self.seconds:.3g} s, until too little time was left for a reply{need}"


class Connection(Protocol):
    """A connection that a transport holds ready for one request."""

    async def aclose(self) -> None:
        """Leave it to other requests, if it was not used. Again is no fault."""
        ...


@frozen(kw_only=True)
class WireRequest:
    """One POST, ready to go.

    Args:
        url: Absolute.
        body: JSON, UTF-8.
        merchant_no: For the header ``merchantNo``.
        send_by: The first byte must leave before this moment of the runtime's monotonic clock, in seconds; else the
            request must not be sent at all. None for a question, which moves no money.
        waiting: How it may wait for a connection. None if its time-out is for that, too.
        connection: What the transport's ``connect`` gave for it; None if it was not asked.
    """

    url: str
    body: bytes = field(repr=False)
    merchant_no: str
    send_by: float | None = None
    waiting: Waiting | None = field(default=None, repr=False, eq=False)
    connection: "Connection | None" = field(default=None, repr=False, eq=False)

    @property
    def is_question(self) -> bool:
        """Whether it moves no money."""
        return self.send_by is None and self.waiting is None

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers of the request, without those of the connection."""
        return [
            ("content-type", "application/json"),
            ("user-agent", "paypro-async"),
            ("merchantNo", self.merchant_no),
        ]


@frozen(kw_only=True)
class Fault:
    """Why an exchange has no usable reply. No word of it is a secret or a personal value.

    Args:
        cause: What happened, as a part of a sentence: "nothing listens at payouts.example:443".
        mend: What to do about it, as one or more sentences; None if only time mends it.
        lasting: Whether another try would end alike until somebody has mended a setting: it is not made.
        error: The library's error, or a copy of it without secrets.
    """

    cause: str
    mend: str | None = None
    lasting: bool = False
    error: Exception | None = field(default=None, repr=False, eq=False)

    def __str__(self) -> str:
        return self.cause if self.mend is None else f"{self.cause}. {self.mend}"


@frozen(kw_only=True)
class Exchange:
    """What became of one :class:`WireRequest`: a value, never an exception.

    Args:
        phase: How far it got.
        status: The HTTP status, if a whole reply was read.
        body: The reply's body; empty if it could not be used.
        retry_after: The header ``Retry-After`` as text.
        cause: Why there is no usable reply, in words for people: "the connection was refused".
        pool_timeout: Whether it was not sent because every connection was busy.
        late: Whether it was not sent because its send deadline had passed.
        fault: The same as *cause* and what mends it, where the transport knows.
        discard: Called by whoever finds that the reply belongs to another request: the transport then closes the
            connection it came on and never uses it again. None if there is no such connection to close.
    """

    phase: Phase
    status: int | None = None
    body: bytes = field(default=b"", repr=False)
    retry_after: str | None = None
    cause: str | None = None
    pool_timeout: bool = False
    late: bool = False
    fault: Fault | None = None
    discard: Callable[[], object] | None = field(default=None, repr=False, eq=False)


def request_body(fields: Mapping[str, str], signature: str) -> bytes:
    """The JSON of a signed request: every value as text, so that what is signed is what is read."""
    return json_bytes({**fields, "sign": signature})


_SUCCESS = {
    **dict.fromkeys(("true", "1", "yes", "y", "success", "succeeded", "ok"), True),
    **dict.fromkeys(("false", "0", "no", "n", "fail", "failed", "failure", "error"), False),
}


NO_DATA: tuple[object, ...] = (None, "", {}, [])
"""What ``data`` is where there is no order: the platform may leave it out, send null or send it empty."""


@frozen
class Envelope:
    """What every reply is wrapped in. ``code`` and ``msg`` are about the request, never about the payout."""

    code: str
    msg: Note | None
    success: Any = None
    data: Any = None

    @property
    def succeeded(self) -> bool | None:
        """What ``success`` says, which is documented as text and shown as a boolean; None if it says neither."""
        said = self.success
        if said is True or said is False:
            return said
        return _SUCCESS.get(str(said).strip().lower()) if isinstance(said, str | int) else None

    @property
    def has_data(self) -> bool:
        """Whether there is an order in it."""
        return self.data not in NO_DATA


# What an object without values is filled with: zeros, dashes, the names of nothing.
_NO_NUMBER = re.compile(r"[\W_0]*|null|none|nil|undefined|n/?a", re.IGNORECASE)

ORDER_NUMBERS = ("platFormTradeNo", "kiliTradeNo", "serialNumber")
"""The names under which the platform's number of an order comes."""


@frozen
class OrderData:
    """``data`` of a payout or a query, over all spellings of the pages."""

    status: str | None = None
    tradeNo: str | None = None  # noqa: N815  the platform's name
    platFormTradeNo: Note | None = None  # noqa: N815
    kiliTradeNo: Note | None = None  # noqa: N815  the seed's example
    serialNumber: Note | None = None  # noqa: N815  docs: kenya/payout
    remark: Note | None = None
    desc: Note | None = None
    message: Note | None = None
    amount: Decimal | None = None
    orderAmount: Decimal | None = None  # noqa: N815
    payAmount: Decimal | None = None  # noqa: N815  docs: indonesia/payoutQuery
    successTime: Note | None = None  # noqa: N815
    utr: Note | None = None

    @property
    def platform_trade_no(self) -> str | None:
        """PayPro's number under whichever name it came. What stands in for a number that is not there is none."""
        for number in (self.platFormTradeNo, self.kiliTradeNo, self.serialNumber):
            if number and not _NO_NUMBER.fullmatch(number):
                return number
        return None

    @property
    def is_paid_otherwise(self) -> bool:
        """Whether it was ordered over one amount and paid over another, if it was paid."""
        paid = self.payAmount if self.payAmount is not None else self.amount
        return None not in (self.orderAmount, paid) and paid != self.orderAmount


@frozen
class BalanceData:
    """``data`` of a balance; ``availablAmount`` is how Mexico, Egypt and Indonesia spell it."""

    availableAmount: Decimal | None = None  # noqa: N815
    availablAmount: Decimal | None = None  # noqa: N815
    freezeAmount: Decimal | None = None  # noqa: N815
    unsettledAmount: Decimal | None = None  # noqa: N815

    @property
    def available(self) -> Decimal:
        """What can be paid out, under either spelling."""
        amount = self.availableAmount if self.availableAmount is not None else self.availablAmount
        if amount is None:
            raise ReadingError("the balance has no available amount")
        return amount


# What nginx, Go's server and Apache answer.
_PLAIN_HTTP_TO_TLS = re.compile(
    rb"plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server|speaking plain HTTP to an SSL"
)


def read_envelope(body: bytes) -> Envelope:
    """The envelope of a reply.

    Raises:
        ReadingError: If the body is not one, for example an HTML page.
    """
    try:
        members = read_json(body)
        if type(members.get("code")) is type(members.get("msg")) is str:  # as in nearly all
            return Envelope(members["code"], members["msg"], members.get("success"), members.get("data"))
        return read(members, Envelope)
    except ReadingError:
        if not _PLAIN_HTTP_TO_TLS.search(body):
            raise
    raise ReadingError("plain http was spoken to a port of TLS: base_url should begin with https://")


def read_order(envelope: Envelope) -> OrderData:
    """The order in an envelope.

    Raises:
        ReadingError: If it is not one, or has no status.
    """
    order = read(envelope.data, OrderData)
    if not order.status:
        raise ReadingError("the order has no status")
    return order


def read_balance(envelope: Envelope) -> BalanceData:
    """The balance in an envelope.

    Raises:
        ReadingError: If a member is of another type.
    """
    return read(envelope.data, BalanceData)
