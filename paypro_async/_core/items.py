"""What a payout's status is called and means, and what became of one payout of a batch."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Self

from attrs import field, frozen

from paypro_async._core.errors import (
    IdempotencyConflictError,
    InvalidPayoutError,
    NotSentError,
    OrderMissingError,
    PayProError,
    ReviewRequiredError,
)
from paypro_async._core.lifecycle import Entry, Reply, State
from paypro_async._core.models import PayoutResult, PayoutStatus
from paypro_async._core.plain_data import PlainData

__all__ = ["BatchItem", "ItemStatus"]


class ItemStatus(StrEnum):
    """What is known of one payout, in the words of batches, result files and the command line, in their order."""

    SUCCEEDED = "succeeded"
    PROCESSING = "processing"
    FAILED = "failed"
    REVERSED = "reversed"
    UNKNOWN = "unknown"
    """Money may have moved; the ledger remembers it, and the same batch again asks."""
    MISSING = "missing"
    """The platform had accepted it, and then knew no such order; money may have moved."""
    REVIEW = "review"
    """Only a person can decide."""
    NOT_SENT = "not_sent"
    """Nothing was accepted; the same batch again sends it."""
    CONFLICT = "conflict"
    """Its trade_no belongs to another payout; nothing was sent."""
    INVALID = "invalid"
    """It has wrong fields; nothing was sent."""

    @classmethod
    def of(cls, state: State) -> Self:
        """The status of a payout that the ledger holds in *state*: one that is being sent may well be paid."""
        return cls(_BY_STATE.get(state, state.value))

    @classmethod
    def of_entry(cls, entry: Entry) -> Self:
        """The status of a payout in the ledger: one that was only believed not to have arrived is unknown."""
        return cls.of(State.SENDING if entry.state is State.NEW and entry.uncertain else entry.state)

    @classmethod
    def of_open(cls, state: State, *, doubt: bool, reply: str | None) -> Self:
        """The same, of what an entry in *state* holds beside it."""
        believed_absent = state is State.NEW and doubt and reply != Reply.CALLER.value
        return cls.of(State.SENDING if believed_absent else state)

    @property
    def state(self) -> State | None:
        """The state in which the ledger holds payouts of this status; None for the two that it never holds."""
        return _STATES.get(self)

    @property
    def meaning(self) -> str:
        """What it says about the money, in a few words for people."""
        return _MEANINGS[self]

    @property
    def what_to_do(self) -> str:
        """What people do next about such a payout, in a sentence."""
        return _NEXT[self]

    @property
    def accepted(self) -> bool:
        """Whether the platform has taken the payout: it is paid or processing."""
        return self in _ACCEPTED

    @property
    def is_open(self) -> bool:
        """Whether its end is still to come, and by itself: it is processing, unknown or missing."""
        return self in _OPEN

    @property
    def uncertain(self) -> bool:
        """Whether money may have moved although no answer says so: it is unknown, or waits for a person."""
        return self in _UNCERTAIN


_ACCEPTED = (ItemStatus.SUCCEEDED, ItemStatus.PROCESSING)
_OPEN = (ItemStatus.PROCESSING, ItemStatus.UNKNOWN, ItemStatus.MISSING)
_UNCERTAIN = (ItemStatus.UNKNOWN, ItemStatus.MISSING, ItemStatus.REVIEW)
_BY_STATE: Mapping[State, str] = MappingProxyType({State.NEW: "not_sent", State.SENDING: "unknown"})
_STATES: Mapping[ItemStatus, State] = MappingProxyType({ItemStatus.of(state): state for state in State})
_MEANINGS: Mapping[ItemStatus, str] = MappingProxyType(
    {
        ItemStatus.SUCCEEDED: "paid",
        ItemStatus.PROCESSING: "accepted by the platform, not yet paid",
        ItemStatus.FAILED: "not paid; no money moved",
        ItemStatus.REVERSED: "paid and taken back",
        ItemStatus.UNKNOWN: "money may have moved",
        ItemStatus.MISSING: "accepted, and then the platform knew no such order; money may have moved",
        ItemStatus.REVIEW: "only a person can decide",
        ItemStatus.NOT_SENT: "nothing was sent",
        ItemStatus.CONFLICT: "the trade number belongs to another payout; nothing was sent",
        ItemStatus.INVALID: "a field is wrong; nothing was sent",
    }
)
_NEXT: Mapping[ItemStatus, str] = MappingProxyType(
    {
        ItemStatus.SUCCEEDED: "Nothing: it is paid.",
        ItemStatus.PROCESSING: "Wait, then ask for news: 'paypro batch FILE --refresh', or 'paypro reconcile'.",
        ItemStatus.FAILED: "Mend the cause and pay it under a new number: it stands ready in the file of failed rows.",
        ItemStatus.REVERSED: "Ask PayPro why it came back. To pay it anew, give it a new trade_no.",
        ItemStatus.UNKNOWN: "Ask about it: 'paypro batch FILE' again, or 'paypro reconcile'. Never pay it anew.",
        ItemStatus.MISSING: "Look it up in PayPro's dashboard, and ask PayPro. Never pay it anew.",
        ItemStatus.REVIEW: "Look it up in PayPro's dashboard, then 'paypro ledger decide'. Never pay it anew.",
        ItemStatus.NOT_SENT: "Give it to 'paypro batch' again: it sends it, unless the same was paid before.",
        ItemStatus.CONFLICT: "Give it a trade_no of its own if it is another payment; else put its first content back.",
        ItemStatus.INVALID: "Mend the field, and run it again.",
    }
)


def _masked(payout: Any) -> str:
    # A Payout masks itself; a mapping, such as a row of a file, and whatever else was given does not.
    return repr(payout) if hasattr(type(payout), "__attrs_attrs__") else f"<{type(payout).__name__}>"


@frozen(kw_only=True)
class BatchItem(PlainData):
    """One payout of a batch with its result or its error.

    Args:
        position: Where it stands in the input, counted from 0.
        trade_no: Its order number; None if it was not valid and had none.
        payout: The input as it was given.
        result: What the platform said, or None.
        error: Why there is no result, or None.
        repeats: The position of an item that ended before with the same trade_no, whose payout this one is: the source
            gave it twice. It is in no count and in no sum. None for every other item.
    """

    also_told: ClassVar[tuple[str, ...]] = ("status", "code")
    position: int
    trade_no: str | None
    payout: Any = field(repr=_masked)
    result: PayoutResult | None = None
    error: PayProError | None = None
    repeats: int | None = None

    @property
    def status(self) -> ItemStatus:
        """What is known of it."""
        if self.result is not None:
            return _BY_RESULT[self.result.status]
        for kind, status in _BY_ERROR:
            if isinstance(self.error, kind):
                return status
        certain = self.error is not None and not self.error.money_may_have_moved
        return ItemStatus.NOT_SENT if certain else ItemStatus.UNKNOWN

    @property
    def code(self) -> str | None:
        """The platform's code, or the kind of the error."""
        if self.result is not None:
            return self.result.code
        return getattr(self.error, "platform_code", None) or (type(self.error).__name__ if self.error else None)

    def raise_for_status(self) -> PayoutResult:
        """The result of a payout that is paid or processing; else the error.

        Raises:
            PayProError: Whatever keeps it from being one.
        """
        if self.result is None:
            raise self.error or PayProError("The item has neither a result nor an error.", trade_no=self.trade_no)
        return self.result.raise_for_status()


_BY_RESULT: Mapping[PayoutStatus, ItemStatus] = MappingProxyType({one: ItemStatus(one.value) for one in PayoutStatus})
_BY_ERROR = (
    (InvalidPayoutError, ItemStatus.INVALID),
    (IdempotencyConflictError, ItemStatus.CONFLICT),
    (ReviewRequiredError, ItemStatus.REVIEW),
    (OrderMissingError, ItemStatus.MISSING),
    (NotSentError, ItemStatus.NOT_SENT),
)
