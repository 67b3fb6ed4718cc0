"""What an exchange proves about a payout, in one word."""

from enum import Enum

__all__ = ["Verdict"]


class Verdict(Enum):
    """What an exchange proves."""

    PAID = "paid"
    PROCESSING = "processing"
    PARTIAL = "paid in part"
    FAILED = "failed"
    """The order exists, or was looked at, and failed (``data.status``)."""
    REFUSED = "refused"
    """The order was not placed (outer ``code``)."""
    UNLISTED = "refused or failed under a code that no page lists"
    """Final once the platform has said it twice."""
    DUPLICATE = "duplicate"
    """The ``tradeNo`` is known to the platform: ask."""
    NO_SUCH_ORDER = "no such order"
    FOREIGN = "foreign"
    """There is an order of that number which is not this payout."""
    NOT_SENT = "not sent"
    RATE_LIMITED = "rate limited"
    BAD_CREDENTIALS = "bad credentials"
    QUESTION_REFUSED = "question refused"
    """A query was answered with a code of which it is not known what it means."""
    UNKNOWN = "unknown"
