"""What becomes of an entry when something is learned about it: a pure function for each way of learning."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from paypro_async._core.lifecycle import Cause, Change, Entry, Reply, State
from paypro_async._core.outcome import Outcome, Verdict

__all__ = [
    "DECISIONS",
    "Decision",
    "after_absence",
    "after_attempt",
    "after_decision",
    "after_query",
    "next_attempt",
]


class Decision(StrEnum):
    """What a person may decide about a payout, having looked it up in the platform's dashboard."""

    PAID = "paid"
    NOT_PAID = "not-paid"
    """It was not paid and must not be: the payout ends as failed."""
    PROCESSING = "processing"
    PAY_AGAIN = "pay-again"
    """It was not paid and shall be: the same trade_no may be sent again."""
    REVERSED = "reversed"
    """It was paid and came back."""
    HOLD = "hold"
    """Nothing more is sent until a person has decided."""


DECISIONS: Mapping[tuple[State, Decision], State] = MappingProxyType(
    {
        (State.REVIEW, Decision.PAID): State.SUCCEEDED,
        (State.REVIEW, Decision.NOT_PAID): State.FAILED,
        (State.REVIEW, Decision.PROCESSING): State.PROCESSING,
        (State.REVIEW, Decision.PAY_AGAIN): State.NEW,
        (State.SUCCEEDED, Decision.REVERSED): State.REVERSED,
        (State.NEW, Decision.HOLD): State.REVIEW,
        (State.SENDING, Decision.HOLD): State.REVIEW,
        (State.PROCESSING, Decision.HOLD): State.REVIEW,
        (State.FAILED, Decision.HOLD): State.REVIEW,
    }
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
        return _said(entry, outcome, Cause.ATTEMPT)
    if entry.state is not State.SENDING or entry.attempt != sent or entry.phase is not None:
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
            # Still unknown; how far it got is for people who look into it.
            return _change(entry, State.SENDING, Cause.ATTEMPT, outcome)


def after_query(entry: Entry, outcome: Outcome, *, cause: Cause = Cause.QUERY) -> Change | None:
    """What to store after the platform said *outcome* about *entry*; None to leave it as it is."""
    unclaimed = entry.reply is Reply.DUPLICATE and not entry.doubt and not outcome.amount
    if entry.state is State.SENDING and unclaimed and (entry.state, outcome.verdict) in _SAID:
        # Our only attempt was refused as a duplicate, and nothing shows that the order is ours.
        return _change(entry, State.REVIEW, cause, outcome)
    return _said(entry, outcome, cause)


def after_absence(entry: Entry, *, resend: bool, exhausted: bool, cause: Cause = Cause.QUERY) -> Change | None:
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
        cause=cause,
        doubt=True if to is State.NEW else None,
    )


def after_decision(entry: Entry, decision: Decision, *, by: str, note: str | None) -> Change | None:
    """What to store after a person decided; None if there is nothing for a person to decide that way."""
    to = DECISIONS.get((entry.state, decision))
    if to is None:
        return None
    return Change(
        merchant_no=entry.merchant_no,
        trade_no=entry.trade_no,
        state=entry.state,
        attempt=entry.attempt,
        to=to,
        cause=Cause.PERSON,
        # A refusal of the next attempt must not end it: an earlier one may have been booked after all.
        doubt=True if to is State.NEW else None,
        by=by,
        note=note,
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


def _said(entry: Entry, outcome: Outcome, cause: Cause) -> Change | None:
    if entry.state is State.REVIEW:
        news = (outcome.platform_trade_no or entry.platform_trade_no, outcome.code or entry.code)
        told = outcome.verdict in (Verdict.PAID, Verdict.PROCESSING, Verdict.FAILED)
        if not told or news == (entry.platform_trade_no, entry.code):
            return None
        return _change(entry, State.REVIEW, cause, outcome)
    to = _SAID.get((entry.state, outcome.verdict))
    if to is None:
        return None
    return _change(entry, to, cause, outcome, any_attempt=to in (State.PROCESSING, State.SUCCEEDED))


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
        phase=outcome.phase if cause is Cause.ATTEMPT else None,
        reply=reply,
        code=outcome.code,
        message=outcome.message,
        platform_trade_no=outcome.platform_trade_no,
        utr=outcome.utr,
    )
