"""The states of a payout in the ledger, and every way from one to another: the table that the database enforces too."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

__all__ = ["FINAL", "LEGAL", "PAID_NOTHING", "Cause", "Reply", "State"]


class State(StrEnum):
    """Where a payout stands."""

    NEW = "new"
    """Stored, and nothing of it is out: it may be sent."""
    SENDING = "sending"
    """It may have been sent, and the outcome is not known."""
    PROCESSING = "processing"
    MISSING = "missing"
    """The platform had accepted it, and then knew no such order."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REVERSED = "reversed"
    REVIEW = "review"
    """Only a person can decide. Nothing is sent any more."""


class Cause(StrEnum):
    """Who learned what a change says."""

    ATTEMPT = "attempt"
    """The reply to a request that may pay."""
    QUERY = "query"
    """The answer to a question about one payout."""
    CALLBACK = "callback"
    """A callback of the platform."""
    RECONCILE = "reconcile"
    """The answer to a question that reconciling asked."""
    PERSON = "person"
    """A person who decided."""
    RESTORE = "restore"
    """The ledger itself found that it is older than what was last written to it."""


class Reply(StrEnum):
    """What the last attempt was answered, where that alone does not end the payout."""

    REFUSED = "refused"
    DUPLICATE = "duplicate"
    BUSY = "busy"
    """Not accepted for now (HTTP 429). It is asked about once before the number goes out again."""
    FAILING = "failing"
    """The order failed under a code that no page lists, as one witness says; it ends once another says the same."""
    CALLER = "caller"
    """It was refused, and so were all questions: because of who asks. Nothing was taken."""
    ABSENT = "absent"
    """It was refused, and once more, some time later, the platform knew no such order."""
    DECIDED = "decided"
    """A person decided that it was not paid. It is asked about again for some days, since a person may be wrong."""


_PERSON = frozenset({Cause.PERSON})
_LATER = frozenset({Cause.QUERY, Cause.CALLBACK, Cause.RECONCILE, Cause.PERSON})
_LEARNED = _LATER | {Cause.ATTEMPT}
# The first of two witnesses is noted and changes nothing.
_NOTED = frozenset({Cause.QUERY, Cause.CALLBACK, Cause.RECONCILE})

LEGAL: Mapping[tuple[State, State], frozenset[Cause]] = MappingProxyType(
    {
        (State.NEW, State.NEW): _NOTED,
        (State.NEW, State.SENDING): frozenset({Cause.ATTEMPT, Cause.RESTORE}),
        # Again, after two questions found nothing; or the same attempt with its end noted.
        (State.SENDING, State.SENDING): frozenset({Cause.ATTEMPT, Cause.RESTORE}) | _NOTED,
        # It provably never left, two questions past the window found nothing, or the platform refuses whoever asks.
        (State.SENDING, State.NEW): frozenset({Cause.ATTEMPT, Cause.QUERY, Cause.RECONCILE}),
        (State.SENDING, State.PROCESSING): _LEARNED,
        (State.SENDING, State.SUCCEEDED): _LEARNED,
        (State.SENDING, State.FAILED): _LEARNED,
        (State.SENDING, State.REVIEW): _LEARNED,
        # A late answer of an older attempt: the order exists after all.
        (State.NEW, State.PROCESSING): _LEARNED,
        (State.NEW, State.SUCCEEDED): _LEARNED,
        (State.NEW, State.FAILED): _LATER,
        (State.NEW, State.REVIEW): _LEARNED,
        (State.PROCESSING, State.PROCESSING): _NOTED,
        (State.PROCESSING, State.SUCCEEDED): _LEARNED,
        (State.PROCESSING, State.FAILED): _LATER,
        (State.PROCESSING, State.REVIEW): _LEARNED,
        # It was accepted, and now there is no such order. Two questions past the settle window make it a person's.
        (State.PROCESSING, State.MISSING): _NOTED,
        (State.MISSING, State.MISSING): _NOTED,
        (State.MISSING, State.PROCESSING): _LEARNED,
        (State.MISSING, State.SUCCEEDED): _LEARNED,
        (State.MISSING, State.FAILED): _LATER,
        (State.MISSING, State.REVIEW): _LEARNED,
        (State.SUCCEEDED, State.SUCCEEDED): _NOTED,
        (State.SUCCEEDED, State.REVERSED): _LATER,
        # A refusal that was looked at once more.
        (State.FAILED, State.FAILED): frozenset({Cause.RECONCILE}),
        # Reported as failed, then seen alive: a person must look before it is paid a second time.
        (State.FAILED, State.REVIEW): _LEARNED,
        (State.REVERSED, State.REVIEW): _NOTED,
        # What the platform says meanwhile is noted for the person who decides, and decides nothing.
        (State.REVIEW, State.REVIEW): _LEARNED,
        (State.REVIEW, State.PROCESSING): _PERSON,
        (State.REVIEW, State.SUCCEEDED): _PERSON,
        (State.REVIEW, State.FAILED): _PERSON,
        (State.REVIEW, State.NEW): _PERSON,
    }
)

FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.REVERSED})

PAID_NOTHING = frozenset({State.FAILED, State.REVERSED})
"""Of these no money is out, so paying the same once more is no second payment."""
