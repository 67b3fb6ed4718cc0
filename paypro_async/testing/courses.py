"""What a test can decide for a payout, as a table: each outcome, what it asks of the sandbox, and what the caller gets.

| outcome | the sandbox | ``client.payout`` |
| --- | --- | --- |
| paid | books it and says ``0000`` | succeeded |
| processing | books it; it stays so | processing |
| failed | books it, gives the money back | ``PayoutFailedError`` or a failed result, as the platform's code says |
| refused | books nothing, refuses with the code | as above |
| paid_later, failed_later | after ``paid_after`` | processing |
| reversed | paid after ``paid_after``, failed as many seconds later | processing |
| reply_lost | books and pays it; the reply is lost | succeeded, since the client asks |
| request_lost | books nothing at first | succeeded, sent again after the settle window |
| booked_late | books it a moment after it seemed lost | as it is found |
| unknown | books and pays it; neither reply nor answer comes | ``OutcomeUnknownError`` |
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from attrs import frozen

from paypro_async.sandbox import Fault

__all__ = ["COURSES", "Course", "Outcome"]

Outcome = Literal[
    "paid",
    "processing",
    "failed",
    "refused",
    "paid_later",
    "failed_later",
    "reversed",
    "reply_lost",
    "request_lost",
    "booked_late",
    "unknown",
]
"""What a test can decide for a payout."""


@frozen
class Course:
    """What one outcome asks of the sandbox.

    Args:
        wish: As in a remark, with ``{code}`` where the platform's code and its message come.
        faults: Of its first payout request, of the second, and so on.
        unanswered: Whether questions about it get no answer.
    """

    wish: str
    faults: tuple[Fault, ...] = ()
    unanswered: bool = False


COURSES: Mapping[Outcome, Course] = MappingProxyType(
    {
        "paid": Course("paid"),
        "processing": Course("later:never"),
        "failed": Course("fail:{code}"),
        "refused": Course("refuse:{code}"),
        "paid_later": Course("later:paid"),
        "failed_later": Course("later:fail:{code}"),
        "reversed": Course("later:reverse:{code}"),
        "reply_lost": Course("paid", (Fault.RESET_AFTER,)),
        "request_lost": Course("paid", (Fault.RESET_BEFORE,)),
        "booked_late": Course("paid", (Fault.LATE_BOOKING,)),
        "unknown": Course("paid", (Fault.RESET_AFTER,), unanswered=True),
    }
)
