"""Numbers of calls, requests and batches in events, and which of them a task is at."""

import itertools
from contextvars import ContextVar

from attrs import define

__all__ = ["Call", "batch_at_work", "call_at_work", "new_number"]

_numbers = itertools.count(1)


@define(kw_only=True, eq=False)
class Call:
    """A call of ``payout``, or an item of a batch, while hooks are told of it.

    Args:
        number: Unique in this process.
        began: On the steady clock.
        sends: Payout requests of it so far; *queries*, questions.
        ended: Whether its end was told.
    """

    number: int
    began: float
    sends: int = 0
    queries: int = 0
    ended: bool = False


call_at_work: ContextVar[Call | None] = ContextVar("paypro_call", default=None)
batch_at_work: ContextVar[int | None] = ContextVar("paypro_batch", default=None)


def new_number() -> int:
    """A number that no other call, request or batch of this process has."""
    return next(_numbers)
