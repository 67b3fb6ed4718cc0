"""One callback and the record of each try to deliver it. Values in, values out."""

import json
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Literal

from attrs import define, field, frozen

from paypro_async.sandbox.orders import SUCCESS, Order
from paypro_async.sandbox.signature import SecretPosition, sign

__all__ = ["RETRY_SECONDS", "CallbackJournal", "CallbackRecord", "Notification", "Outcome", "body_of"]

# docs: brazil/paymentNotify. That these are gaps, and not moments, is inferred.
RETRY_SECONDS = (2.0, 5.0, 10.0, 30.0, 3600.0, 10_800.0, 10_800.0, 10_800.0)
"""Seconds from a try that was not answered ``OK`` to the next one; after the last of them it is given up."""

Outcome = Literal["ok", "other_answer", "not_connected", "no_answer", "not_http", "not_sent"]

_INDIA = timezone(timedelta(hours=5, minutes=30))


@define(kw_only=True, eq=False)
class Notification:
    """A callback that is to be delivered.

    Args:
        number: All callbacks are counted, from 1.
        order: As it was when this became of it.
        status: What the callback says.
        message: What it says beside that.
        at_ms: When that became of the order, in milliseconds since the epoch.
        amount: The amount that it states.
        wrong_signature: Whether its signature is that of another secret.
        repeat: Whether it is sent again when it is not answered ``OK``.
        behind: Sent when this one has been tried for the first time.
        tries: How often it has been tried.
    """

    number: int
    order: Order
    status: str
    message: str
    at_ms: int
    amount: str
    wrong_signature: bool = False
    repeat: bool = True
    behind: "Notification | None" = None
    tries: int = 0

    def next_wait(self) -> float | None:
        """Seconds from a try that failed to the next one; None if there is none."""
        return RETRY_SECONDS[self.tries - 1] if self.repeat and self.tries <= len(RETRY_SECONDS) else None


def body_of(notification: Notification, *, secret: str, position: SecretPosition) -> bytes:
    """The signed JSON of a callback, the same at each try; all values are text."""
    # docs: brazil/paymentNotify. The remark is promised by payout pages and absent from the callback's field list.
    order = notification.order
    members = {
        "status": notification.status,
        "message": notification.message,
        "platFormTradeNo": order.platform_trade_no,
        "tradeNo": order.trade_no,
        "amount": notification.amount,
        "timestamp": str(notification.at_ms),
    }
    if notification.status == SUCCESS:
        members["successTime"] = f"{datetime.fromtimestamp(notification.at_ms / 1000, _INDIA):%Y-%m-%d %H:%M:%S}"
    if order.remark:
        members["remark"] = order.remark
    secret = f"not {secret}" if notification.wrong_signature else secret
    members["sign"] = sign(members, secret=secret, position=position)
    return json.dumps(members, ensure_ascii=False).encode("utf-8", "replace")


@frozen(kw_only=True)
class CallbackRecord:
    """One try to deliver a callback, when it had ended.

    Args:
        number: The journal counts from 1.
        callback: The number of the callback, the same at each of its tries.
        at_ms: When it was sent, in milliseconds since the epoch by the sandbox's clock.
        trade_no: The merchant's number.
        status: What the callback says.
        url: Where it was sent, without what stands behind a ``?``.
        attempt: 1 for the first try of this callback.
        outcome: ``ok``: answered with HTTP 200 and exactly ``OK``. ``other_answer``: with anything else.
            ``not_connected``: no program listens there. ``no_answer``: none in time, or the connection was closed.
            ``not_http``: the answer was no HTTP. ``not_sent``: see *problem*.
        http_status: That of the answer; None without one.
        answer: The beginning of the answer's body.
        problem: Why there is no answer, or why it was not sent.
        wrong_signature: Whether it was wrongly signed on purpose.
        next_at_ms: When it is tried again; None if it is not.
    """

    number: int
    callback: int
    at_ms: int
    trade_no: str
    status: str
    url: str
    attempt: int
    outcome: Outcome
    http_status: int | None = None
    answer: str | None = field(default=None, repr=False)
    problem: str | None = None
    wrong_signature: bool = False
    next_at_ms: int | None = None


class CallbackJournal:
    """The latest tries, and how many there were of each outcome in all.

    Args:
        keep: How many tries are kept.
    """

    def __init__(self, *, keep: int) -> None:
        self._records: deque[CallbackRecord] = deque(maxlen=keep)
        self._counts: Counter[str] = Counter()
        self.count: int = 0

    @property
    def records(self) -> Sequence[CallbackRecord]:
        """The latest tries, oldest first."""
        return tuple(self._records)

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each outcome came, also of those that are kept no longer."""
        return MappingProxyType(self._counts)

    def add(self, record: CallbackRecord) -> None:
        """Enter a try."""
        self.count += 1
        self._counts[record.outcome] += 1
        self._records.append(record)
