"""A payout as the ledger holds it, and a change of its public status."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal

from paypro_async._core.errors import PayProError
from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import FINAL, Entry, Event
from paypro_async._core.models import PayoutResult, PayoutStatus
from paypro_async._core.plain_data import PlainData
from paypro_async._core.states import Cause, State
from paypro_async._core.values import frozen

__all__ = ["KnownPayout", "NotFinalError", "OnChange", "PayoutChange", "change_of", "statuses_of"]

_FINAL = frozenset(ItemStatus.of(state) for state in FINAL)
_NEXT = {
    ItemStatus.PROCESSING: "Money may have moved. It goes on all the same: wait again, or ask later",
    ItemStatus.UNKNOWN: "Wait again, or call payout with the same trade_no and content, which asks before it sends",
    ItemStatus.MISSING: "Wait again, or look the order up in PayPro's dashboard",
    ItemStatus.NOT_SENT: "No money moved, and waiting sends nothing: call payout with the same trade_no and content, "
    "then wait again; another call may be about to send it",
}
_STATUSES = {ItemStatus(one.value): one for one in PayoutStatus if one is not PayoutStatus.UNKNOWN}


@frozen(kw_only=True)
class KnownPayout(PlainData):
    """What the ledger holds of one payout.

    Args:
        trade_no: The merchant's order number.
        status: An :class:`~paypro_async.ItemStatus`: also what no platform says, as ``unknown`` and ``review``.
        result: What the platform has said; None while that is not known, or only a person can decide.
        amount: In major units of *currency*, exact.
        currency: ISO 4217, from the region.
        attempts: How often the payout was announced.
        batch_id: The batch that claimed it, if one did.
        created_at: When it was claimed; *updated_at*, when it last changed. On the ledger's clock, UTC.
    """

    trade_no: str
    status: ItemStatus
    result: PayoutResult | None
    amount: Decimal
    currency: str
    attempts: int
    batch_id: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, entry: Entry) -> "KnownPayout":
        """The payout of an *entry*."""
        return cls(
            trade_no=entry.trade_no,
            status=ItemStatus.of_entry(entry),
            result=entry.result(),
            amount=entry.amount,
            currency=entry.currency,
            attempts=entry.attempt,
            batch_id=entry.batch_id,
            created_at=entry.created_at,
            updated_at=entry.updated_at,
        )

    @property
    def is_final(self) -> bool:
        """Whether it can no longer change by itself."""
        return self.status in _FINAL


class NotFinalError(PayProError, TimeoutError):
    """The payout was not final when the time to wait for it was over.

    Money may have moved, unless its status is ``not_sent``: then nothing is out until ``payout`` is called again with
    the same trade_no. Any other goes on all the same: wait or ask again.

    Attributes:
        payout: What the ledger holds of it (:class:`~paypro_async.KnownPayout`).
    """

    def __init__(self, message: str, *, payout: KnownPayout, trade_no: str | None = None) -> None:
        super().__init__(message, trade_no=trade_no)
        self.payout: KnownPayout = payout
        self.money_may_have_moved: bool = payout.status is not ItemStatus.NOT_SENT

    @classmethod
    def after(cls, payout: KnownPayout, elapsed: float, *, troubles: str = "") -> "NotFinalError":
        """The error for a wait that was over after *elapsed* seconds, and what its *troubles* were."""
        return cls(
            f"Payout {payout.trade_no} is {payout.status.value} ({payout.status.meaning}) and was not final after "
            f"{elapsed:.3g} s. {_NEXT[payout.status]}; never use a new trade_no.{troubles}",
            payout=payout,
            trade_no=payout.trade_no,
        )


@frozen(kw_only=True)
class PayoutChange(PlainData):
    """A payout's public status changed.

    Args:
        id: Of this change, the same whenever and wherever it is told: keep those that you have handled.
        trade_no: The merchant's order number.
        before: The status that it had; None for a payout that is new in the ledger.
        status: The status that it has since.
        cause: How it was learned.
        result: What the platform had said then; None for a status that no platform says.
        at: When that was, on the ledger's clock, UTC.
    """

    id: str
    trade_no: str
    before: ItemStatus | None
    status: ItemStatus
    cause: Cause
    result: PayoutResult | None
    at: datetime

    @property
    def is_final(self) -> bool:
        """Whether the payout can no longer change by itself."""
        return self.status in _FINAL


OnChange = Callable[[PayoutChange], Awaitable[object]]
"""What is awaited with each change."""


def change_of(number: int, event: Event, entry: Entry) -> PayoutChange | None:
    """The change that a step of history was, or None if the public status is the same after it.

    Args:
        number: Of the step in its ledger.
        event: The step.
        entry: The payout as it stands now, perhaps some steps later.
    """
    before, status = statuses_of(event)
    if before is status:
        return None
    return PayoutChange(
        # A ledger that is put back from a backup gives its numbers away again, to other steps.
        id=f"{number}-{entry.trade_no}-{status.value}",
        trade_no=entry.trade_no,
        before=before,
        status=status,
        cause=event.cause,
        result=_result(status, event, entry),
        at=event.at,
    )


def statuses_of(event: Event) -> tuple[ItemStatus | None, ItemStatus]:
    """The public status before a step of history and after it."""
    before = None if event.before is None else _status(event.before, uncertain=event.was_uncertain)
    return before, _status(event.to, uncertain=event.uncertain)


def _status(state: State, *, uncertain: bool) -> ItemStatus:
    return ItemStatus.of(State.SENDING if state is State.NEW and uncertain else state)


def _result(status: ItemStatus, event: Event, entry: Entry) -> PayoutResult | None:
    if status not in _STATUSES:
        return None
    return PayoutResult(
        trade_no=entry.trade_no,
        status=_STATUSES[status],
        amount=entry.amount,
        currency=entry.currency,
        platform_trade_no=entry.platform_trade_no,
        code=event.code,
        # The words belong to their code.
        message=entry.message if event.code is not None and event.code == entry.code else None,
        utr=entry.utr,
        attempts=event.attempt,
    )
