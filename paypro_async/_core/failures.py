"""The errors of payouts that ended without a result: what happened, what is certain, what to do."""

from typing import Any

from paypro_async._core.errors import (
    ConnectionFailedError,
    CredentialsRefusedError,
    LedgerUnavailableError,
    NotSentError,
    OrderMissingError,
    OutcomeUnknownError,
    PayProError,
    PoolTimeoutError,
    RateLimitedError,
    ReplyLostError,
    ReplyUnreadableError,
    ReviewRequiredError,
)
from paypro_async._core.lifecycle import Cause, Change, Entry, Reply, State, changed
from paypro_async._core.models import OutcomeNotRecordedError
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.wire import Fault

__all__ = ["not_recorded", "unconnected", "unsettled", "unsigned"]

# Gateways answer so too, and some do when the platform has the request already.
_BUSY = (
    "The platform answered as busy, by which it was not taken. Call again later with the same trade_no: PayPro is "
    "asked before it goes out again; never use a new trade_no."
)


_MORE_ROOM = "Raise max_connections or timeout, or pay fewer at one time."


def unconnected(trade_no: str, why: str, *, elapsed: float) -> PoolTimeoutError:
    """The error for a call whose payout was not even announced, for want of a connection.

    Args:
        why: As :meth:`Waiting.in_vain` says it.
        elapsed: Seconds since the call began.
    """
    return PoolTimeoutError(
        f"Payout {trade_no} was not sent ({why}): nothing of it has left, for certain, and the ledger holds nothing of "
        f"this call. No money moved. Call again with the same trade_no. {_MORE_ROOM}",
        trade_no=trade_no,
        attempts=0,
        elapsed=elapsed,
    )


def unsigned(trade_no: str, kind: str, *, attempts: int) -> NotSentError:
    """The error for a payout that its signer did not sign.

    Args:
        kind: Of the signer's error; its text may hold anything.
        attempts: With the one that was announced for it, if one was.
    """
    return NotSentError(
        f"Payout {trade_no} could not be signed ({kind}), so nothing was sent. Mend the signer and call again with the "
        "same trade_no.",
        trade_no=trade_no,
        attempts=attempts,
    )


def unsettled(
    entry: Entry,
    last: Outcome | None,
    *,
    elapsed: float,
    refused: str | None = None,
    silence: Fault | None = None,
) -> NotSentError | OutcomeUnknownError:
    """The error for a call that ends while *entry* is new, unknown, or waits for a person.

    Args:
        last: What the last attempt of the call proved; None if it made none.
        refused: The code with which the last question about it was refused, if it was.
        silence: Why the last question about it got no answer, if it got none.
    """
    unsent = entry.state is State.NEW and not entry.uncertain
    error = _not_sent(entry, last, elapsed) if unsent else _unsettled(entry, last, elapsed, refused, silence)
    fault = silence or (last.fault if last is not None else None)
    if fault is not None:
        # A copy that holds nothing of the request: the error goes into logs.
        error.__cause__ = fault.error
        error.reason = str(fault)
    return error


def _unsettled(
    entry: Entry, last: Outcome | None, elapsed: float, refused: str | None, silence: Fault | None
) -> OutcomeUnknownError:
    about: dict[str, Any] = {"trade_no": entry.trade_no, "attempts": entry.attempt, "elapsed": elapsed}
    if entry.state is State.MISSING:
        return OrderMissingError(
            f"PayPro had accepted payout {entry.trade_no}, and now it knows no such order. Money may have moved. Ask "
            "again later with the same trade_no, or look the order up in PayPro's dashboard; never use a new trade_no.",
            **about,
        )
    if entry.state is State.REVIEW:
        return ReviewRequiredError(
            f"Payout {entry.trade_no} waits for a person: what the platform says{_told(_code(entry.code))} does not "
            "settle what became of it. Money may have moved. Look the order up in PayPro's dashboard and say what it "
            "shows with 'paypro ledger decide' (or decide()); until then nothing is sent for this trade_no.",
            **about,
        )
    kind, what = _unknown(entry, last)
    unclear = ""
    if refused is not None:
        unclear = (
            f" PayPro refuses questions about it with code {refused}, and no page says what that means: paypro doctor "
            "finds it out, and names the setting."
        )
    elif silence is not None:
        unclear = f" PayPro could not be asked: {silence.cause}.{_mend(silence)}"
    elif last is not None:
        unclear = _mend(last.fault)
    return kind(
        f"Payout {entry.trade_no} {what}; unknown after {entry.attempt} attempt(s) and {elapsed:.1f} s. Money may have "
        f"moved.{unclear} Call payout again with the same trade_no and content, or query it; never use a new trade_no.",
        **about,
    )


def _unknown(entry: Entry, last: Outcome | None) -> tuple[type[OutcomeUnknownError], str]:
    """The kind of the error for a payout that is unknown, and what is the matter with it."""
    if entry.state is State.NEW and entry.reply is not Reply.FAILING:
        if last is None:
            what = "was sent and believed not to have arrived, and PayPro was not clear when it was asked once more"
        else:
            what = "was sent, and PayPro knew no such order when it was last asked, which is no proof"
        return OutcomeUnknownError, what
    if entry.attempt == 0:
        what = (
            "may have been sent before the ledger was restored from a backup, and the platform was not clear about it"
        )
        return OutcomeUnknownError, what
    if last is None or last.verdict is not Verdict.UNKNOWN:
        return OutcomeUnknownError, "was sent and the platform could not yet say what became of it"
    if last.lost:
        return ReplyLostError, f"was sent and the reply was lost{_told(last.cause)}"
    return ReplyUnreadableError, f"was sent and the reply does not say what happened{_told(last.cause)}"


def not_recorded(entry: Entry, change: Change) -> PayProError:
    """The error for an answer that the ledger could not store."""
    result = changed(entry, change, None).result()
    if result is not None and change.to is not change.state:
        held = "unknown" if entry.state is State.SENDING else entry.state.value
        return OutcomeNotRecordedError(
            f"The platform answered that payout {entry.trade_no} is {result.status.value}, and the ledger could not "
            f"store that. The ledger still has it as {held}. Mend the ledger and call again with the same trade_no: it "
            "asks the platform and stores the answer.",
            result=result,
            trade_no=entry.trade_no,
        )
    # HTTP 429 is asked about before it is believed, and the ledger does not know that it must be.
    if change.to is State.NEW and change.cause is Cause.ATTEMPT and change.reply is None and not entry.doubt:
        return LedgerUnavailableError(
            f"The platform did not take payout {entry.trade_no}, and the ledger could not store that. No money moved. "
            "Mend the ledger and call again with the same trade_no.",
            trade_no=entry.trade_no,
            attempts=entry.attempt,
        )
    return OutcomeUnknownError(
        f"Payout {entry.trade_no} is unknown and the ledger could not store what was learned. Money may have moved. "
        "Mend the ledger and call again with the same trade_no; never use a new one.",
        trade_no=entry.trade_no,
        attempts=entry.attempt,
    )


def _not_sent(entry: Entry, last: Outcome | None, elapsed: float) -> NotSentError:
    verdict = last.verdict if last else None
    again = _BUSY if entry.reply is Reply.BUSY else "No money moved. Call again with the same trade_no."
    tried = f"after {entry.attempt} attempt(s) and {elapsed:.1f} s"
    about: dict[str, Any] = {"trade_no": entry.trade_no, "attempts": entry.attempt, "elapsed": elapsed}
    if last is not None and verdict is Verdict.RATE_LIMITED:
        return RateLimitedError(
            f"The platform was too busy for payout {entry.trade_no} (HTTP 429) {tried}. {again}",
            retry_after=last.retry_after,
            **about,
        )
    if last is not None and verdict is Verdict.BAD_CREDENTIALS:
        return CredentialsRefusedError(
            f"The platform refused payout {entry.trade_no}, and whatever else this merchant asks, for the caller's sake"
            f"{_told(_code(last.code))}. No money moved. Check the merchant number, the secret, secret_position "
            "and the platform's list of addresses, then call again with the same trade_no.",
            platform_code=last.code,
            platform_message=last.message,
            **about,
        )
    if last is not None and last.pool_timeout:
        return PoolTimeoutError(
            f"Payout {entry.trade_no} was not sent{_told(last.cause)} {tried}: nothing of it has left, for certain. "
            f"{again} {_MORE_ROOM}",
            **about,
        )
    if verdict is Verdict.NOT_SENT:
        why, fault = (last.cause, last.fault) if last else (None, None)
        if fault is not None and fault.mend is not None:
            again = f"No money moved. {fault.mend} Then call again with the same trade_no."
        return ConnectionFailedError(f"Payout {entry.trade_no} was not sent{_told(why)} {tried}. {again}", **about)
    if entry.reply is not None:
        return NotSentError(
            f"The platform did not take payout {entry.trade_no} when it was last sent{_told(_code(entry.code))}; so it "
            f"stands {tried}. {again}",
            **about,
        )
    return NotSentError(f"Payout {entry.trade_no} never reached the platform {tried}. {again}", **about)


def _mend(fault: Fault | None) -> str:
    return f" {fault.mend}" if fault is not None and fault.mend is not None else ""


def _told(why: str | None) -> str:
    return f" ({why})" if why else ""


def _code(code: str | None) -> str | None:
    # Never the platform's words: platforms echo what they were sent, names and account numbers too.
    return f"code {code}" if code else None
