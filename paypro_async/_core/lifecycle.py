"""The states of a payout in the ledger, and every way from one to another.

The rules:

1. ``LEGAL`` is all there is: a pair that is not in it never happens, whoever writes.
2. ``SENDING`` *is* "unknown": an attempt was announced and no outcome is stored. A crash leaves it so, and it is right.
3. A change names the attempt that it speaks of, if it takes something back. What an older attempt learned ("it never
   left") says nothing about a newer one. That an order exists is true whichever attempt made it.
4. A final state moves only where the platform itself takes its word back.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from attrs import evolve, field, frozen

from paypro_async._core.intent import Intent
from paypro_async._core.models import PayoutResult, PayoutStatus
from paypro_async._core.outcome import Outcome, Verdict

__all__ = [
    "FINAL",
    "LEGAL",
    "Cause",
    "Change",
    "Entry",
    "Reply",
    "State",
    "after_absence",
    "after_attempt",
    "after_query",
    "applies",
    "changed",
    "first_entry",
    "next_attempt",
]


class State(StrEnum):
    """Where a payout stands."""

    NEW = "new"
    """Stored, and nothing of it is out: it may be sent."""
    SENDING = "sending"
    """It may have been sent, and the outcome is not known."""
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REVERSED = "reversed"
    REVIEW = "review"
    """Only a person can decide. Nothing is sent any more."""


class Cause(StrEnum):
    """Who learned what a change says."""

    ATTEMPT = "attempt"
    QUERY = "query"
    CALLBACK = "callback"
    PERSON = "person"


class Reply(StrEnum):
    """What the last attempt was answered, where that alone does not end the payout."""

    REFUSED = "refused"
    DUPLICATE = "duplicate"


_LEARNED = frozenset({Cause.ATTEMPT, Cause.QUERY, Cause.CALLBACK, Cause.PERSON})
_LATER = frozenset({Cause.QUERY, Cause.CALLBACK, Cause.PERSON})
_PERSON = frozenset({Cause.PERSON})

LEGAL: Mapping[tuple[State, State], frozenset[Cause]] = MappingProxyType(
    {
        (State.NEW, State.SENDING): frozenset({Cause.ATTEMPT}),
        # Again, after two questions found nothing; or the same attempt with its reply noted.
        (State.SENDING, State.SENDING): frozenset({Cause.ATTEMPT}),
        # It provably never left, or two questions after the settle window found nothing.
        (State.SENDING, State.NEW): frozenset({Cause.ATTEMPT, Cause.QUERY}),
        (State.SENDING, State.PROCESSING): _LEARNED,
        (State.SENDING, State.SUCCEEDED): _LEARNED,
        (State.SENDING, State.FAILED): _LEARNED,
        (State.SENDING, State.REVIEW): _LATER,
        # A late answer of an older attempt: the order exists after all.
        (State.NEW, State.PROCESSING): _LEARNED,
        (State.NEW, State.SUCCEEDED): _LEARNED,
        (State.NEW, State.FAILED): _LATER,
        (State.PROCESSING, State.SUCCEEDED): _LEARNED,
        (State.PROCESSING, State.FAILED): _LATER,
        (State.PROCESSING, State.REVIEW): _LATER,
        (State.SUCCEEDED, State.REVERSED): _LATER,
        # Reported as failed, then seen alive: somebody must look before it is paid a second time.
        (State.FAILED, State.REVIEW): _LEARNED,
        (State.REVIEW, State.PROCESSING): _PERSON,
        (State.REVIEW, State.SUCCEEDED): _PERSON,
        (State.REVIEW, State.FAILED): _PERSON,
        (State.REVIEW, State.NEW): _PERSON,
    }
)

FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.REVERSED})

_STATUS = MappingProxyType(
    {
        State.PROCESSING: PayoutStatus.PROCESSING,
        State.SUCCEEDED: PayoutStatus.SUCCEEDED,
        State.FAILED: PayoutStatus.FAILED,
        State.REVERSED: PayoutStatus.REVERSED,
    }
)


@frozen(kw_only=True)
class Entry:
    """What the ledger holds of one payout.

    Args:
        content: Wire names and texts as first sent; every later attempt sends exactly these.
        state: Where it stands.
        attempt: How often sending was announced; the number that compare-and-set goes by.
        sent_at: When the last attempt was announced, on the ledger's clock, UTC.
        age: Seconds from then until this entry was read, on the same clock.
        doubt: Whether an attempt before the last one may have left. A refusal of the last one then ends nothing.
        reply: What the last attempt was answered, see :class:`Reply`.
    """

    merchant_no: str
    trade_no: str
    region: str
    fingerprint: str
    amount: Decimal
    currency: str
    content: Mapping[str, str] = field(repr=False)
    state: State
    attempt: int
    sent_at: datetime
    age: float
    doubt: bool = False
    reply: Reply | None = None
    code: str | None = None
    message: str | None = None
    platform_trade_no: str | None = None
    utr: str | None = None

    def result(self) -> PayoutResult | None:
        """The entry as callers see it; None while nothing is known or only a person can decide."""
        status = _STATUS.get(self.state)
        if status is None:
            return None
        return PayoutResult(
            trade_no=self.trade_no,
            status=status,
            amount=self.amount,
            currency=self.currency,
            platform_trade_no=self.platform_trade_no,
            code=self.code,
            message=self.message,
            utr=self.utr,
            attempts=self.attempt,
        )


@frozen(kw_only=True)
class Change:
    """One conditional step of one entry: it happens only if the entry is still as the writer saw it.

    Args:
        state: The state that the writer saw.
        attempt: The attempt that the writer saw, or None if the change is true for any.
        to: The new state.
        begins: Whether a new attempt is announced: the attempt counts up and its time starts.
        doubt: The entry's new ``doubt``, or None to leave it.
        reply: What the attempt was answered; a new attempt clears it.
    """

    merchant_no: str
    trade_no: str
    state: State
    attempt: int | None
    to: State
    cause: Cause
    begins: bool = False
    doubt: bool | None = None
    reply: Reply | None = None
    code: str | None = None
    message: str | None = None
    platform_trade_no: str | None = None
    utr: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.cause not in LEGAL.get((self.state, self.to), ()):
            raise ValueError(f"a payout cannot go from {self.state} to {self.to} by {self.cause}")


def first_entry(intent: Intent, now: datetime) -> Entry:
    """The entry of a claimed intent: attempt 1 is announced."""
    return Entry(
        merchant_no=intent.merchant_no,
        trade_no=intent.trade_no,
        region=intent.region,
        fingerprint=intent.fingerprint,
        amount=intent.amount,
        currency=intent.currency,
        content=intent.content,
        state=State.SENDING,
        attempt=1,
        sent_at=now,
        age=0.0,
    )


def applies(entry: Entry, change: Change) -> bool:
    """Whether the entry is still as the change's writer saw it."""
    return entry.state is change.state and change.attempt in (None, entry.attempt)


def changed(entry: Entry, change: Change, now: datetime | None) -> Entry:
    """The entry after *change*. What the change does not know stays; *now* is for a change that begins an attempt."""
    return evolve(
        entry,
        state=change.to,
        attempt=entry.attempt + 1 if change.begins else entry.attempt,
        sent_at=now if change.begins and now is not None else entry.sent_at,
        age=0.0 if change.begins else entry.age if now is None else (now - entry.sent_at).total_seconds(),
        doubt=entry.doubt if change.doubt is None else change.doubt,
        reply=None if change.begins else change.reply or entry.reply,
        code=entry.code if change.code is None else change.code,
        # The words belong to their code: those of an older one must not stand beside a new one.
        message=entry.message if change.code is None else change.message,
        platform_trade_no=change.platform_trade_no or entry.platform_trade_no,
        utr=change.utr or entry.utr,
    )


def next_attempt(entry: Entry) -> Change:
    """Announce the next attempt. From ``SENDING`` the last one is believed, not known, to have come to nothing."""
    return Change(
        merchant_no=entry.merchant_no,
        trade_no=entry.trade_no,
        state=entry.state,
        attempt=entry.attempt,
        to=State.SENDING,
        cause=Cause.ATTEMPT,
        begins=True,
        doubt=True if entry.state is State.SENDING else None,
    )


def after_attempt(entry: Entry, outcome: Outcome, *, sent: int) -> Change | None:
    """What to store after the exchange of attempt number *sent*; None to leave the entry as it is."""
    if outcome.verdict in (Verdict.PAID, Verdict.PROCESSING):
        # True whichever attempt it was, and whatever was written meanwhile.
        to = _SAID.get((entry.state, outcome.verdict))
        return _change(entry, to, Cause.ATTEMPT, outcome, any_attempt=True) if to else None
    if entry.state is not State.SENDING or entry.attempt != sent:
        return None
    match outcome.verdict:
        case Verdict.FAILED | Verdict.REFUSED:
            if entry.doubt:
                # An earlier attempt may have been booked, so a refusal of this one ends nothing.
                return _change(entry, State.SENDING, Cause.ATTEMPT, outcome, reply=Reply.REFUSED)
            return _change(entry, State.FAILED, Cause.ATTEMPT, outcome)
        case Verdict.DUPLICATE:
            return _change(entry, State.SENDING, Cause.ATTEMPT, outcome, reply=Reply.DUPLICATE)
        case Verdict.NOT_SENT | Verdict.RATE_LIMITED | Verdict.BAD_CREDENTIALS:
            return _change(entry, State.NEW, Cause.ATTEMPT, outcome)
        case _:
            return None


def after_query(entry: Entry, outcome: Outcome, *, cause: Cause = Cause.QUERY) -> Change | None:
    """What to store after the platform said *outcome* about *entry*; None to leave it as it is."""
    to = _SAID.get((entry.state, outcome.verdict))
    if to is None:
        return None
    unclaimed = entry.reply is Reply.DUPLICATE and not entry.doubt and not outcome.amount
    if entry.state is State.SENDING and unclaimed:
        # Our only attempt was refused as a duplicate, and nothing shows that the order is ours.
        to = State.REVIEW
    return _change(entry, to, cause, outcome, any_attempt=to in (State.PROCESSING, State.SUCCEEDED))


def after_absence(entry: Entry, *, resend: bool, exhausted: bool) -> Change | None:
    """What to store once "no such order" is believed; None to send again."""
    if entry.reply is Reply.REFUSED:
        to = State.FAILED
    elif entry.reply is Reply.DUPLICATE or not resend:
        to = State.REVIEW
    elif exhausted:
        to = State.NEW
    else:
        return None
    return Change(
        merchant_no=entry.merchant_no,
        trade_no=entry.trade_no,
        state=entry.state,
        attempt=entry.attempt,
        to=to,
        cause=Cause.QUERY,
        doubt=True if to is State.NEW else None,
    )


_SAID: Mapping[tuple[State, Verdict], State] = MappingProxyType(
    {
        (State.NEW, Verdict.PAID): State.SUCCEEDED,
        (State.NEW, Verdict.PROCESSING): State.PROCESSING,
        (State.NEW, Verdict.FAILED): State.FAILED,
        (State.SENDING, Verdict.PAID): State.SUCCEEDED,
        (State.SENDING, Verdict.PROCESSING): State.PROCESSING,
        (State.SENDING, Verdict.FAILED): State.FAILED,
        (State.SENDING, Verdict.FOREIGN): State.REVIEW,
        (State.PROCESSING, Verdict.PAID): State.SUCCEEDED,
        (State.PROCESSING, Verdict.FAILED): State.FAILED,
        (State.PROCESSING, Verdict.FOREIGN): State.REVIEW,
        (State.SUCCEEDED, Verdict.FAILED): State.REVERSED,
        (State.FAILED, Verdict.PAID): State.REVIEW,
        (State.FAILED, Verdict.PROCESSING): State.REVIEW,
    }
)


def _change(
    entry: Entry,
    to: State,
    cause: Cause,
    outcome: Outcome,
    *,
    any_attempt: bool = False,
    reply: Reply | None = None,
) -> Change:
    return Change(
        merchant_no=entry.merchant_no,
        trade_no=entry.trade_no,
        state=entry.state,
        attempt=None if any_attempt else entry.attempt,
        to=to,
        cause=cause,
        reply=reply,
        code=outcome.code,
        message=outcome.message,
        platform_trade_no=outcome.platform_trade_no,
        utr=outcome.utr,
    )
