"""What the log says of payouts: one line each, made only if it is wanted. No line holds a personal value or a secret.

========  ===========================================================================================================
level     what
========  ===========================================================================================================
DEBUG     every attempt and every question, with how it ended and in how many milliseconds; every wait before a retry
INFO      the outcome of a call: one line for a payout
WARNING   an outcome that is unknown, with what happens next; a ledger that could not be written
========  ===========================================================================================================
"""

from paypro_async._core.lifecycle import Entry, State
from paypro_async._core.models import PayoutResult
from paypro_async._core.outcome import Outcome
from paypro_async._core.retry import Step
from paypro_async.errors import PayProError
from paypro_async.log import logger

__all__ = ["tell_attempt", "tell_cancelled", "tell_outcome", "tell_question", "tell_unknown", "tell_wait"]

_CODE_CHARACTERS = 32


def tell_attempt(entry: Entry, outcome: Outcome, seconds: float) -> None:
    """An attempt was made."""
    logger.debug(
        "Payout %s, attempt %d: %s, %s%s; %.0f ms",
        *(entry.trade_no, entry.attempt, outcome.phase.value, outcome.verdict.value, _details(outcome), seconds * 1000),
    )


def tell_question(trade_no: str | None, outcome: Outcome, seconds: float) -> None:
    """The platform was asked for a payout, or for the balance."""
    about = "The balance" if trade_no is None else f"Payout {trade_no}"
    verdict = "answered" if trade_no is None and outcome.code is not None else outcome.verdict.value
    logger.debug("%s, question: %s%s; %.0f ms", about, verdict, _details(outcome), seconds * 1000)


def tell_wait(trade_no: str, step: Step) -> None:
    """A step waits for its time."""
    logger.debug("Payout %s: %s in %.2f s", trade_no, step.action.value, step.delay)


def tell_outcome(entry: Entry, found: PayoutResult | PayProError, seconds: float) -> None:
    """A call for a payout has ended and its outcome is certain."""
    code = found.code if isinstance(found, PayoutResult) else getattr(found, "platform_code", None)
    why = "" if isinstance(found, PayoutResult) or found.reason is None else f"; {found.reason}"
    status = found.status.value if isinstance(found, PayoutResult) else "not sent"
    logger.info(
        "Payout %s: %s after %d attempt(s) and %.0f ms%s%s",
        *(entry.trade_no, status, entry.attempt, seconds * 1000, f", code {_short(code)}" if code else "", why),
    )


def tell_unknown(entry: Entry, error: PayProError, *, window: float) -> None:
    """A call for a payout has ended and money may have moved.

    Args:
        entry: The payout.
        error: What the caller is told.
        window: Seconds after the last attempt within which "no such order" proves nothing.
    """
    if entry.state is State.REVIEW:
        logger.warning("%s What happens next: it stays so until a person has decided, whoever asks PayPro.", error)
        return
    logger.warning(
        "%s What happens next: the ledger keeps it, and PayPro is asked at the next call with this trade_no, by the "
        "same batch again, or by reconcile(); that there is no such order is believed from %.0f s after attempt %d.",
        *(error, window, entry.attempt),
    )


def tell_cancelled(entry: Entry, *, window: float) -> None:
    """A call was cancelled while its payout may have been out."""
    logger.warning(
        "The call for payout %s was cancelled while it may have been out (attempt %d). Money may have moved. What "
        "happens next: the ledger keeps it as unknown, and PayPro is asked at the next call with this trade_no, by the "
        "same batch again, or by reconcile(); that there is no such order is believed from %.0f s after that attempt.",
        *(entry.trade_no, entry.attempt, window),
    )


def _details(outcome: Outcome) -> str:
    found = []
    if outcome.http_status is not None:
        found.append(f"HTTP {outcome.http_status}")
    if outcome.code is not None:
        found.append(f"code {_short(outcome.code)}")
    if outcome.cause is not None:
        found.append(outcome.cause)
    return f" ({', '.join(found)})" if found else ""


def _short(code: str) -> str:
    # The platform writes it, and may write anything.
    known = len(code) <= _CODE_CHARACTERS and code.isascii() and code.replace("_", "").replace("-", "").isalnum()
    return code if known else f"<{len(code)} characters>"
