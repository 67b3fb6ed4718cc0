"""What becomes of an entry when something is learned about it: a pure function for each way of learning."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from attrs import evolve

from paypro_async._core.lifecycle import PAID_NOTHING, Cause, Change, Entry, Reply, State, is_refusal
from paypro_async._core.outcome import Outcome, Verdict

__all__ = [
    "DECISIONS",
    "Decision",
    "after_absence",
    "after_attempt",
    "after_decision",
    "after_query",
    "after_second_look",
    "next_attempt",
]


class Decision(StrEnum):
    """What a person may decide about a payout, having looked it up in the platform's dashboard."""

    PAID = "paid"
    """It was paid."""
    NOT_PAID = "not-paid"
    """It was not paid and must not be: the payout ends as failed."""
    PROCESSING = "processing"
    """The platform works on it: it is asked about again."""
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
        (State.MISSING, Decision.HOLD): State.REVIEW,
        (State.FAILED, Decision.HOLD): State.REVIEW,
    }
)


def next_attempt(entry: Entry, *, settle_after: float | None = None) -> Change:
    """Announce the next attempt. From ``SENDING`` the last one is believed, not known, to have come to nothing.

    Args:
        settle_after: Seconds within which "no such order" will prove nothing of it, as its sender has it.
    """
    doubt = True if entry.state is State.SENDING else None
    if entry.state is State.NEW and entry.reply is Reply.CALLER:
        # It was in doubt for the caller's sake alone, and the platform, asked once more, has known no such order.
        doubt = False
    return Change(
        merchant_no=entry.merchant_no,
        trade_no=entry.trade_no,
        state=entry.state,
        attempt=entry.attempt,
        to=State.SENDING,
        cause=Cause.ATTEMPT,
        begins=True,
        doubt=doubt,
        sent_at=_believed(entry),
        settle_after=settle_after,
    )


_TAKEN = (Verdict.PAID, Verdict.PROCESSING, Verdict.PARTIAL)


def after_attempt(entry: Entry, outcome: Outcome, *, sent: int) -> Change | None:
    """What to store after the exchange of attempt number *sent*; None to leave the entry as it is."""
    if _is_overtaken(entry, outcome):
        return None
    if outcome.verdict in _TAKEN:
        # True whichever attempt it was, and whatever was written meanwhile.
        return _said(entry, outcome, Cause.ATTEMPT)
    if entry.state is not State.SENDING or entry.attempt != sent or entry.phase is not None:
        return None
    match outcome.verdict:
        case Verdict.FAILED | Verdict.REFUSED if not entry.doubt:
            refused = Reply.REFUSED if outcome.verdict is Verdict.REFUSED else None
            return _change(entry, State.FAILED, Cause.ATTEMPT, outcome, reply=refused)
        case Verdict.FAILED | Verdict.REFUSED | Verdict.UNLISTED:
            # An earlier attempt may have been booked, or the code is on no page: the platform must say it once more.
            # Of an order that it has shown, "no such order" is no confirmation.
            shown = outcome.verdict is Verdict.UNLISTED and outcome.shows_an_order
            reply = Reply.FAILING if shown else Reply.REFUSED
            return _change(entry, State.SENDING, Cause.ATTEMPT, outcome, reply=reply)
        case Verdict.DUPLICATE:
            # The number that it may show is that of an order which is perhaps not ours.
            unnumbered = evolve(outcome, platform_trade_no=None, utr=None)
            return _change(entry, State.SENDING, Cause.ATTEMPT, unnumbered, reply=Reply.DUPLICATE)
        case Verdict.NOT_SENT | Verdict.RATE_LIMITED | Verdict.BAD_CREDENTIALS:
            busy = Reply.BUSY if outcome.verdict is Verdict.RATE_LIMITED else None
            return _change(entry, State.NEW, Cause.ATTEMPT, outcome, reply=busy)
        case _:
            # Still unknown; how far it got is for people who look into it.
            return _change(entry, State.SENDING, Cause.ATTEMPT, outcome)


def after_query(
    entry: Entry,
    outcome: Outcome,
    *,
    cause: Cause = Cause.QUERY,
    asked: Entry | None = None,
    adopt_duplicates: bool = False,
) -> Change | None:
    """What to store after the platform said *outcome* about *entry*; None to leave it as it is.

    Args:
        asked: The entry as it stood when the platform was asked; None if it has not changed since.
        adopt_duplicates: Take the order for this payout's although the only attempt was refused as a duplicate.
    """
    if asked is not None and asked.state is not entry.state and _is_overtaken(entry, outcome):
        return None  # While the platform was asked, its end was learned.
    verdict = Verdict.FAILED if outcome.verdict is Verdict.UNLISTED else outcome.verdict
    told = (entry.state, verdict) in _SAID
    adopted = adopt_duplicates and outcome.amount == entry.amount
    if told and not adopted and _is_perhaps_anothers(entry, outcome):
        # Another system that shares the merchant number may have paid another beneficiary under it, months ago.
        # What has succeeded is not taken back by another order's failure.
        return _change(entry, State.REVIEW, cause, outcome) if entry.state is not State.SUCCEEDED else None
    if outcome.verdict is Verdict.UNLISTED:
        return _witnessed(entry, outcome, cause)
    refused = entry.state is State.SENDING and entry.reply in (Reply.REFUSED, Reply.DUPLICATE) and not entry.doubt
    alike = outcome.verdict is Verdict.BAD_CREDENTIALS and outcome.code == entry.code
    if refused and alike and cause is not Cause.CALLBACK:
        # The platform refuses whatever this caller asks, so it has not taken the payout. Once that is mended, it is
        # asked before the payout goes out again.
        return _change(entry, State.NEW, cause, outcome, doubt=True, reply=Reply.CALLER)
    return _said(entry, outcome, cause)


def _is_overtaken(entry: Entry, outcome: Outcome) -> bool:
    """Whether a reply is older than what was learned before it was read: that its order failed, or came back.

    A callback may be there before the reply to the request that it is about.
    """
    if entry.state is State.REVERSED:
        return True  # It was paid once, and is not any more.
    same = outcome.platform_trade_no is not None and outcome.platform_trade_no == entry.platform_trade_no
    return same and entry.state is State.FAILED and outcome.verdict is Verdict.PROCESSING


_CLOCKS_DIFFER = timedelta(days=1)
"""Between the platform's times, whose time zone is inferred, and the ledger's, at most."""


def _is_perhaps_anothers(entry: Entry, outcome: Outcome) -> bool:
    """Whether an order that the platform shows may well be none of this payout's attempts."""
    if outcome.platform_trade_no is not None and outcome.platform_trade_no == entry.platform_trade_no:
        return False
    if entry.state is State.NEW and not entry.doubt and entry.reply is None:
        return True  # No attempt has left, and that is certain.
    if entry.attempt and outcome.paid_at is not None and outcome.paid_at < entry.created_at - _CLOCKS_DIFFER:
        return True  # It was paid before this payout was there; unless a ledger from a backup has forgotten it.
    if outcome.duplicate and (entry.doubt or entry.reply is Reply.DUPLICATE):
        return True  # It failed since there is another order of its number, which an attempt of ours may have made.
    duplicate = entry.state is State.SENDING and entry.reply is Reply.DUPLICATE and not entry.doubt
    return duplicate and not _is_ours(entry, outcome)


def _is_ours(entry: Entry, outcome: Outcome) -> bool:
    """Whether an order that was there before our only attempt was made by that attempt, arriving twice."""
    # The platform writes whole seconds.
    announced = entry.sent_at.replace(microsecond=0)
    return outcome.amount == entry.amount and outcome.paid_at is not None and outcome.paid_at >= announced


def _witnessed(entry: Entry, outcome: Outcome, cause: Cause) -> Change | None:
    """An order that failed under a code that no page lists: true once two replies have said so."""
    if (entry.state, Verdict.FAILED) not in _SAID:
        return _said(entry, outcome, cause)
    if entry.reply in (Reply.REFUSED, Reply.FAILING) and entry.code == outcome.code:
        return _said(entry, evolve(outcome, verdict=Verdict.FAILED), cause)
    # Of one that was believed not to be out, something is.
    doubt = True if entry.state is State.NEW else None
    return _change(entry, entry.state, cause, outcome, doubt=doubt, reply=Reply.FAILING)


def after_absence(entry: Entry, *, resend: bool, exhausted: bool, cause: Cause = Cause.QUERY) -> Change | None:
    """What to store once "no such order" is believed; None to send again."""
    if entry.state is State.MISSING or entry.reply in (Reply.DUPLICATE, Reply.FAILING):
        to = State.REVIEW  # An order was there.
    elif entry.reply is Reply.REFUSED:
        to = State.FAILED
    elif not (resend and entry.resend):
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
        sent_at=_believed(entry),
    )


def _believed(entry: Entry) -> datetime | None:
    """When the attempt was announced of which it is believed, not known, that nothing became of it."""
    return entry.sent_at if entry.state is State.SENDING else None


def after_second_look(entry: Entry, outcome: Outcome) -> Change | None:
    """What to store after a refusal of the last day was asked about once more; None to leave it as it is."""
    if outcome.verdict is Verdict.NO_SUCH_ORDER and is_refusal(entry):
        return _change(entry, State.FAILED, Cause.RECONCILE, evolve(outcome, code=None), reply=Reply.ABSENT)
    return after_query(entry, outcome, cause=Cause.RECONCILE)


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
        reply=Reply.DECIDED if to is State.FAILED else None,
        by=by,
        note=note,
    )


_SAID: Mapping[tuple[State, Verdict], State] = MappingProxyType(
    {
        (State.NEW, Verdict.PAID): State.SUCCEEDED,
        (State.NEW, Verdict.PROCESSING): State.PROCESSING,
        (State.NEW, Verdict.FAILED): State.FAILED,
        (State.NEW, Verdict.PARTIAL): State.REVIEW,
        (State.NEW, Verdict.FOREIGN): State.REVIEW,
        (State.SENDING, Verdict.PAID): State.SUCCEEDED,
        (State.SENDING, Verdict.PROCESSING): State.PROCESSING,
        (State.SENDING, Verdict.FAILED): State.FAILED,
        (State.SENDING, Verdict.PARTIAL): State.REVIEW,
        (State.SENDING, Verdict.FOREIGN): State.REVIEW,
        (State.PROCESSING, Verdict.PAID): State.SUCCEEDED,
        (State.PROCESSING, Verdict.FAILED): State.FAILED,
        (State.PROCESSING, Verdict.PARTIAL): State.REVIEW,
        (State.PROCESSING, Verdict.FOREIGN): State.REVIEW,
        (State.PROCESSING, Verdict.NO_SUCH_ORDER): State.MISSING,
        (State.MISSING, Verdict.PAID): State.SUCCEEDED,
        (State.MISSING, Verdict.PROCESSING): State.PROCESSING,
        (State.MISSING, Verdict.FAILED): State.FAILED,
        (State.MISSING, Verdict.PARTIAL): State.REVIEW,
        (State.MISSING, Verdict.FOREIGN): State.REVIEW,
        (State.SUCCEEDED, Verdict.FAILED): State.REVERSED,
        (State.FAILED, Verdict.PAID): State.REVIEW,
        (State.FAILED, Verdict.PROCESSING): State.REVIEW,
        (State.FAILED, Verdict.PARTIAL): State.REVIEW,
        (State.REVERSED, Verdict.PAID): State.REVIEW,
        (State.REVERSED, Verdict.PARTIAL): State.REVIEW,
    }
)


_TRUE_OF_ANY = (State.PROCESSING, State.SUCCEEDED)
_ALIVE = frozenset({(State.PROCESSING, Verdict.PROCESSING), (State.SUCCEEDED, Verdict.PAID)})


def _said(entry: Entry, outcome: Outcome, cause: Cause) -> Change | None:
    if entry.state is State.REVIEW:
        news = (outcome.platform_trade_no or entry.platform_trade_no, outcome.code or entry.code)
        told = outcome.verdict in (*_TAKEN, Verdict.FAILED, Verdict.UNLISTED)
        if not told or news == (entry.platform_trade_no, entry.code):
            return None
        return _change(entry, State.REVIEW, cause, outcome)
    verdict = outcome.verdict
    if verdict is Verdict.FOREIGN and outcome.says is not None and entry.state in PAID_NOTHING:
        # Whatever the amount: money may be out for what the caller may pay again.
        verdict = outcome.says
    to = _SAID.get((entry.state, verdict))
    if to is None:
        # Seen alive, it is not failing: a witness who comes later is the first one again.
        alive = entry.reply is Reply.FAILING and (entry.state, outcome.verdict) in _ALIVE
        return _change(entry, entry.state, cause, outcome) if alive and entry.code != outcome.code else None
    return _change(entry, to, cause, outcome, any_attempt=to in _TRUE_OF_ANY)


def _change(
    entry: Entry,
    to: State,
    cause: Cause,
    outcome: Outcome,
    *,
    any_attempt: bool = False,
    doubt: bool | None = None,
    reply: Reply | None = None,
) -> Change:
    by_attempt = cause is Cause.ATTEMPT
    # While the platform was asked, another process may have learned that the order was there before.
    asked = not by_attempt and entry.state is State.SENDING and entry.reply is not Reply.DUPLICATE
    return Change(
        merchant_no=entry.merchant_no,
        trade_no=entry.trade_no,
        state=entry.state,
        attempt=None if any_attempt else entry.attempt,
        to=to,
        cause=cause,
        doubt=doubt,
        phase=outcome.phase if by_attempt else None,
        reply=reply,
        code=outcome.code,
        message=_silence(outcome) if by_attempt and outcome.code is None else outcome.message,
        platform_trade_no=outcome.platform_trade_no,
        utr=outcome.utr,
        unless=Reply.DUPLICATE if asked else None,
    )


def _silence(outcome: Outcome) -> str | None:
    """Why an attempt has no answer, for whoever looks the payout up later."""
    why = outcome.fault or outcome.cause
    if why is None:
        return outcome.message
    return f"Not sent: {why}" if outcome.verdict is Verdict.NOT_SENT else f"No usable answer: {why}"
