"""A payout in the ledger, and what changes it.

The rules:

1. ``LEGAL`` is all there is: a pair that is not in it never happens, whichever process writes.
2. ``SENDING`` *is* "unknown": an attempt was announced and no outcome is stored. A crash leaves it so, and it is right.
3. A change names the attempt that it speaks of, if it takes something back. What an older attempt learned ("it never
   left") says nothing about a newer one. That an order exists is true whichever attempt made it.
4. A final state moves only where the platform itself takes its word back.
5. A ledger that was restored from a backup has forgotten attempts. What it holds as unsent may be out, and what it does
   not hold may be paid: both are "unknown" until the platform was asked.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from attrs import field

from paypro_async._core.bounds import LONGEST, SHORT, cut, cut_number
from paypro_async._core.intent import Intent
from paypro_async._core.models import PayoutResult, PayoutStatus
from paypro_async._core.states import FINAL, LEGAL, PAID_NOTHING, Cause, Reply, State
from paypro_async._core.values import frozen
from paypro_async._core.wire import Phase

__all__ = [
    "FINAL",
    "LEGAL",
    "PAID_NOTHING",
    "USUAL_SETTLE_AFTER",
    "Cause",
    "Change",
    "Entry",
    "Event",
    "Reply",
    "State",
    "applies",
    "changed",
    "claim_of",
    "event_of",
    "first_entry",
    "intent_of",
    "is_another_attempt",
    "is_refusal",
]


USUAL_SETTLE_AFTER = 60.0  # seconds; also of an attempt of a release that did not store its settle window


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
        attempt: How often sending was announced; the number that compare-and-set goes by. Zero in a ledger that was
            restored from a backup, for a payout that a forgotten attempt may have sent.
        sent_at: When the last attempt was announced, on the ledger's clock, UTC.
        age: Seconds from then until this entry was read, on the same clock.
        phase: How far the last attempt got; None while that is not known.
        batch_id: The batch that claimed it, if one did.
        position: Its number in that batch, from 0.
        created_at: When it was claimed; *updated_at*, when it last changed. On the ledger's clock, UTC.
        doubt: Whether an attempt before the last one may have left. A refusal of the last one then ends nothing.
        reply: What the last attempt was answered, see :class:`Reply`.
        settle_after: Seconds after the last attempt within which "no such order" proves nothing, by the settings of
            those who announced it; None if a release announced it that did not store that.
        message: The platform's words beside *code*; without a code our own, of why the last attempt had no answer.
        resend: Whether the client that claimed it allows that it is sent again by itself.
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
    phase: Phase | None = None
    reply: Reply | None = None
    code: str | None = None
    message: str | None = None
    platform_trade_no: str | None = None
    utr: str | None = None
    batch_id: str | None = None
    position: int | None = None
    settle_after: float | None = None
    resend: bool = True
    created_at: datetime
    updated_at: datetime

    @property
    def asks_first(self) -> bool:
        """Whether it is asked about before it is sent, since what was believed some time ago may be wrong by now."""
        return self.state is State.NEW and (self.doubt or self.reply is Reply.BUSY)

    @property
    def uncertain(self) -> bool:
        """Whether money may have moved."""
        believed_absent = self.state is State.NEW and self.doubt and self.reply is not Reply.CALLER
        return believed_absent or self.state in (State.SENDING, State.MISSING, State.REVIEW)

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
            # Without a code they are our words, of an attempt that had no answer.
            message=None if self.code is None else self.message,
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
        phase: How far the attempt got; a new attempt clears it.
        reply: What the attempt was answered; a new attempt clears it.
        unless: The writer did not see this reply, and would decide otherwise if the entry had it by now.
        sent_at: When the attempt was announced that the writer saw, if it believes that nothing became of it. In a
            ledger that was put back since, that moment is another one: attempts may be forgotten.
        settle_after: The settle window of the attempt that begins, in seconds.
        by: Who decided, if a person did.
        note: Why, in that person's words.

    Texts that are longer than a ledger keeps are cut, with a mark.
    """

    merchant_no: str
    trade_no: str
    state: State
    attempt: int | None
    to: State
    cause: Cause
    begins: bool = False
    doubt: bool | None = None
    phase: Phase | None = None
    reply: Reply | None = None
    code: str | None = None
    message: str | None = None
    platform_trade_no: str | None = None
    utr: str | None = None
    unless: Reply | None = None
    sent_at: datetime | None = None
    settle_after: float | None = None
    by: str | None = None
    note: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.cause not in LEGAL.get((self.state, self.to), ()):
            raise ValueError(f"a payout cannot go from {self.state} to {self.to} by {self.cause}")
        # One look at all of them, in a step that every payout takes: hardly ever is one too long.
        by_platform = len(self.code or "") + len(self.message or "") + len(self.platform_trade_no or "")
        if by_platform + len(self.utr or "") + len(self.by or "") + len(self.note or "") > SHORT:
            self._cut()

    def _cut(self) -> None:
        for name in ("code", "message", "platform_trade_no", "utr", "by", "note"):
            if text := getattr(self, name):
                shorten = cut_number if name in ("platform_trade_no", "utr") else cut
                object.__setattr__(self, name, shorten(text, LONGEST[name]))


@frozen(kw_only=True)
class Event:
    """One step of a payout's history, which is only ever added to.

    Args:
        at: On the ledger's clock, UTC.
        before: The state that it left; None for the claim.
        attempt: The entry's attempt after the step.
        phase: How far that attempt got, where the step says it.
        uncertain: Whether it stood as unsent after the step, and money may have moved all the same; *was_uncertain*,
            whether that was so before it.
        by: Who decided, if a person did; *note* is why.
    """

    at: datetime
    before: State | None
    to: State
    cause: Cause
    attempt: int
    phase: Phase | None = None
    code: str | None = None
    by: str | None = None
    note: str | None = None
    was_uncertain: bool = False
    uncertain: bool = False


def claim_of(entry: Entry) -> Event:
    """The first step of history, from the *entry* that a claim made."""
    return Event(at=entry.created_at, before=None, to=entry.state, cause=Cause.ATTEMPT, attempt=entry.attempt)


def event_of(before: Entry, entry: Entry, change: Change) -> Event:
    """The step of history that *change* was, from the entry *before* it and the one that it led to."""
    return Event(
        at=entry.updated_at,
        before=change.state,
        to=change.to,
        cause=change.cause,
        attempt=entry.attempt,
        phase=change.phase,
        code=change.code,
        by=change.by,
        note=change.note,
        was_uncertain=before.state is State.NEW and before.uncertain,
        uncertain=change.to is State.NEW and entry.uncertain,
    )


def first_entry(intent: Intent, now: datetime, *, restored_since: datetime | None = None) -> Entry:
    """The entry of a claimed intent: attempt 1 is announced.

    Args:
        intent: What is claimed.
        now: The ledger's clock.
        restored_since: When the ledger was found to be restored from a backup, if it was. Then an attempt that it has
            forgotten may have sent this payout until that moment, and nothing is announced.
    """
    return Entry(
        merchant_no=intent.merchant_no,
        trade_no=intent.trade_no,
        region=intent.region,
        fingerprint=intent.fingerprint,
        amount=intent.amount,
        currency=intent.currency,
        content=intent.content,
        state=State.SENDING,
        attempt=0 if restored_since else 1,
        sent_at=restored_since or now,
        age=(now - restored_since).total_seconds() if restored_since else 0.0,
        doubt=restored_since is not None,
        batch_id=intent.batch_id,
        position=intent.position,
        settle_after=intent.settle_after,
        resend=intent.resend,
        created_at=now,
        updated_at=now,
    )


def intent_of(entry: Entry) -> Intent:
    """What was claimed, to take it on under its number."""
    return Intent(
        merchant_no=entry.merchant_no,
        trade_no=entry.trade_no,
        region=entry.region,
        amount=entry.amount,
        currency=entry.currency,
        content=entry.content,
        fingerprint=entry.fingerprint,
        batch_id=entry.batch_id,
        position=entry.position,
        settle_after=entry.settle_after,
        resend=entry.resend,
    )


def is_refusal(entry: Entry) -> bool:
    """Whether the payout ended since the platform refused it, and was not looked at since."""
    return entry.state is State.FAILED and entry.reply is Reply.REFUSED


_SAME_MOMENT = timedelta(milliseconds=1)
"""A database may round what it was told."""


def _is_another_moment(one: datetime, other: datetime) -> bool:
    return abs(one - other) > _SAME_MOMENT


def is_another_attempt(entry: Entry, seen: Entry) -> bool:
    """Whether *entry* has another attempt than was *seen*, or its ledger was put back: some may be forgotten then."""
    return entry.attempt != seen.attempt or _is_another_moment(entry.sent_at, seen.sent_at)


def applies(entry: Entry, change: Change) -> bool:
    """Whether the entry is still as the change's writer saw it."""
    if entry.state is not change.state or change.attempt not in (None, entry.attempt):
        return False
    if change.unless is not None and entry.reply is change.unless:
        return False
    if change.sent_at is not None and _is_another_moment(entry.sent_at, change.sent_at):
        return False
    # The end of an attempt is noted once, though the entry's state does not tell that it was.
    notes = change.to is change.state is State.SENDING and change.phase is not None
    return not (notes and entry.phase is not None)


def changed(entry: Entry, change: Change, now: datetime | None, *, age: float | None = None) -> Entry:
    """The entry after *change*. What the change does not know stays.

    Args:
        entry: As it is.
        change: What happens to it.
        now: The ledger's clock, if it is known.
        age: How old the attempt is now, by the clock that announced it. By default as old as *entry* says.
    """
    begins = change.begins
    # A restored ledger does not know when the last attempt was announced; later than now it cannot have been. Nor
    # whether the attempt that was refused for the caller's sake was the last one.
    restarts = begins or change.cause is Cause.RESTORE
    # Not evolve(), which looks at every field by name and costs as much as all the rest.
    return Entry(
        merchant_no=entry.merchant_no,
        trade_no=entry.trade_no,
        region=entry.region,
        fingerprint=entry.fingerprint,
        amount=entry.amount,
        currency=entry.currency,
        content=entry.content,
        state=change.to,
        attempt=entry.attempt + 1 if begins else entry.attempt,
        sent_at=now if restarts and now is not None else entry.sent_at,
        age=0.0 if restarts else entry.age if age is None else age,
        doubt=entry.doubt if change.doubt is None else change.doubt,
        phase=None if begins else change.phase or entry.phase,
        reply=None if begins or (restarts and entry.reply is Reply.CALLER) else change.reply or entry.reply,
        code=entry.code if change.code is None else change.code,
        # The words belong to their code: those of an older one must not stand beside a new one.
        message=change.message if change.code is not None else _message(entry, change),
        platform_trade_no=change.platform_trade_no or entry.platform_trade_no,
        utr=change.utr or entry.utr,
        batch_id=entry.batch_id,
        position=entry.position,
        settle_after=_longer(entry.settle_after, change.settle_after) if begins else entry.settle_after,
        resend=entry.resend,
        created_at=entry.created_at,
        updated_at=now or entry.updated_at,
    )


def _message(entry: Entry, change: Change) -> str | None:
    # Without a code they are ours, and tell of the last attempt alone.
    return entry.message if entry.code is not None or not (change.begins or change.message) else change.message


def _longer(stored: float | None, own: float | None) -> float | None:
    return stored if own is None else max(USUAL_SETTLE_AFTER if stored is None else stored, own)
