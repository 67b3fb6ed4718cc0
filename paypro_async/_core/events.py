"""What happens in a client, told to those who listen: metrics, traces, an audit of one's own.

An event holds no name, account, mobile, e-mail, address, remark or secret, so none can leak through a hook. It holds
trade numbers and amounts, which a hook that writes them anywhere decides about.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from paypro_async._core.items import ItemStatus
from paypro_async._core.plain_data import PlainData
from paypro_async._core.states import Cause
from paypro_async._core.values import frozen

__all__ = [
    "BatchEnded",
    "BatchStarted",
    "CallbackAnswered",
    "ClientEvent",
    "ClientMeasured",
    "Hook",
    "LedgerCommitted",
    "PayoutEnded",
    "PayoutStarted",
    "Reconciled",
    "RequestEnded",
    "RequestKind",
    "RequestStarted",
    "StatusChanged",
]


class RequestKind(StrEnum):
    """What the platform was asked for."""

    PAYOUT = "payout"
    """It may move money."""
    QUERY = "query"
    """What became of one payout."""
    BALANCE = "balance"
    """How much money the merchant has."""


@frozen(kw_only=True)
class ClientEvent(PlainData):
    """Something happened in a client.

    Args:
        at: When, on this machine's wall clock, UTC.
    """

    at: datetime


@frozen(kw_only=True)
class PayoutStarted(ClientEvent):
    """A call of ``payout``, or an item of a batch, begins to work on a payout that is valid.

    A call that joins another one for the same payout tells nothing of its own.

    Args:
        call: The number of this call, unique in this process; the events of its requests and of its end have it too.
        trade_no: The merchant's order number.
        amount: In major units of *currency*, exact.
        currency: ISO 4217, from the region.
        region: The country's name.
        batch_id: The batch that it is an item of, if it is one.
        batch: The number of that batch in the events of this process (:class:`BatchStarted`).
    """

    call: int
    trade_no: str
    amount: Decimal
    currency: str
    region: str
    batch_id: str | None = None
    batch: int | None = None


@frozen(kw_only=True)
class PayoutEnded(ClientEvent):
    """The call has ended: its caller is told the same.

    Args:
        call: That of :class:`PayoutStarted`.
        trade_no: The merchant's order number.
        status: What is known of the payout in the end.
        error: The name of the error's class that was raised; None if a result was returned. ``CancelledError`` for a
            call that was cancelled.
        code: The platform's code, if it gave one.
        attempts: How often this call has sent the payout.
        queries: How often it has asked about it.
        duration: Seconds from the start.
    """

    call: int
    trade_no: str
    status: ItemStatus
    error: str | None = None
    code: str | None = None
    attempts: int = 0
    queries: int = 0
    duration: float


@frozen(kw_only=True)
class RequestStarted(ClientEvent):
    """A signed request is given to the transport, where it may wait for a connection.

    Args:
        request: Its number, unique in this process.
        kind: What it is.
        call: The call of ``payout`` that it is of; None for a query of ``query``, ``reconcile`` or a callback.
        trade_no: Whom it is about; None for the balance.
        attempt: Of a payout, its number in the ledger, from 1.
        resends: How often this call had sent the same payout before, or asked the same question: 0 for the first.
        url: Where to, without user, password and query.
    """

    request: int
    kind: RequestKind
    call: int | None = None
    trade_no: str | None = None
    attempt: int | None = None
    resends: int = 0
    url: str


@frozen(kw_only=True)
class RequestEnded(ClientEvent):
    """The exchange is over.

    Args:
        request: That of :class:`RequestStarted`.
        kind: What it was.
        call: As it was told there.
        phase: How far it got: ``not sent``, ``maybe sent`` or ``answered``; None where it was cancelled or broke off.
        http_status: The status of the reply, if a whole one was read.
        verdict: What it proves, in words: ``paid``, ``processing``, ``unknown``, …; None where nothing was read.
        code: The platform's code, if it gave one.
        error: The name of the error's class that ended it, if one did.
        duration: Seconds from the start, the wait for a connection included.
    """

    request: int
    kind: RequestKind
    call: int | None = None
    phase: str | None = None
    http_status: int | None = None
    verdict: str | None = None
    code: str | None = None
    error: str | None = None
    duration: float


@frozen(kw_only=True)
class StatusChanged(ClientEvent):
    """This client has written another status of a payout to the ledger.

    Of all processes that learn the same at one time one writes it, so the sum over all of them counts each change once.

    Args:
        trade_no: The merchant's order number.
        before: The status that it had; None for a payout that is new in the ledger, which begins as ``unknown``.
        status: The status that it has since.
        cause: How that was learned; None for a payout that is new.
    """

    trade_no: str
    before: ItemStatus | None
    status: ItemStatus
    cause: Cause | None


@frozen(kw_only=True)
class BatchStarted(ClientEvent):
    """A batch begins to run in this process: the whole of it, or the shard that a worker was given.

    Args:
        batch: The number of this run, unique in this process.
        batch_id: The batch's name in the ledger.
        total: How many items it has; None where its source does not say.
    """

    batch: int
    batch_id: str
    total: int | None = None


@frozen(kw_only=True)
class BatchEnded(ClientEvent):
    """The batch has ended in this process.

    Args:
        batch: That of :class:`BatchStarted`.
        batch_id: The batch's name in the ledger.
        counts: Its items by status.
        sent: How many of them it has sent itself.
        stopped: Why it ended early, as in :class:`~paypro_async.BatchReport`; None if it did not.
        duration: Seconds from the start.
    """

    batch: int
    batch_id: str
    counts: Mapping[ItemStatus, int]
    sent: int = 0
    stopped: str | None = None
    duration: float


@frozen(kw_only=True)
class LedgerCommitted(ClientEvent):
    """The ledger has done a group of requests in one transaction. Only the SQL ledger tells of it.

    Args:
        requests: How many there were in the group, reading ones included.
        failed: Whether none of them was done.
        duration: Seconds that it took, the commit included.
    """

    requests: int
    failed: bool
    duration: float


@frozen(kw_only=True)
class CallbackAnswered(ClientEvent):
    """A callback was answered.

    Args:
        http_status: What the platform was answered: 200 if it is stored, see ``receive_callback``.
        trade_no: The payout, if the callback is genuine.
        lag: Seconds from when the platform signed it until it came here, by both clocks; below zero where those differ.
            None where it is not genuine, or tells no time.
        duration: Seconds that the answer took.
    """

    http_status: int
    trade_no: str | None = None
    lag: float | None = None
    duration: float


@frozen(kw_only=True)
class Reconciled(ClientEvent):
    """A reconciliation has ended.

    Args:
        checked: Payouts that the platform was asked about; the others are as in :class:`~paypro_async.ReconcileReport`.
        duration: Seconds from its start.
        ended: Whether it came to the end of the ledger.
    """

    checked: int
    still_unknown: int
    missing: int
    review: int
    overdue: int
    unanswered: int
    ended: bool
    duration: float


@frozen(kw_only=True)
class ClientMeasured(ClientEvent):
    """What is under way, told some seconds after the client was opened, every ten seconds, and when it is closed.

    Args:
        connections: Connections that have a request now; None for a transport that does not say.
        max_connections: How many there are at most; None likewise.
        open_payouts: The payouts of this merchant in the ledger that are not final, by status, whichever process made
            them: ``unknown`` are those whose outcome nobody knows. None where they were not counted: the ledger
            did not answer, or counts none.
        dropped: Events that hooks were too slow for, since the client was opened. They were told nothing of these.
    """

    connections: int | None = None
    max_connections: int | None = None
    open_payouts: Mapping[ItemStatus, int] | None = None
    dropped: int = 0


class Hook(Protocol):
    """Is called with each event of a client. Give it to the client: ``PayProClient(…, hooks=[hook])``.

    Hooks are called one event after the other, in order, in a thread of their own, in a copy of the context
    (``contextvars``) in which the event happened. So none can hold up a payment: what it raises is logged, and while it
    does not return events are kept, and beyond some thousands dropped and counted. It must be thread-safe if it shares
    data with the program, and plain: an ``async def`` function is refused. What must not be missed belongs into
    ``on_change``, which is told at least once, across crashes.
    """

    def __call__(self, event: ClientEvent, /) -> object:
        """Take note of the event, which is one of the classes of :mod:`paypro_async.events`; new ones may come."""
        ...
