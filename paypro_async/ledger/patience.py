"""Waiting for a ledger: so long and no longer, whoever has written it."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from paypro_async.errors import LedgerUnavailableError
from paypro_async.ledger.base import Ledger
from paypro_async.runtime import Deadlines, NoAnswerError, answer_of

__all__ = ["PAGE_SECONDS", "answer_within"]

T = TypeVar("T")

_NOTHING_SENT = (
    "Nothing was sent for what it did not store. Look whether another program holds it, or whether its server or its "
    "disk stands still; then do the same again."
)

PAGE_SECONDS = 60.0
"""How long a ledger may look for one page of a file, where no client says it: it may be cold, but not silent."""


async def answer_within(seconds: float, ledger: Ledger, answer: Awaitable[T], deadlines: Deadlines | None = None) -> T:
    """What *ledger* answers within so many seconds.

    Args:
        seconds: From now.
        ledger: Says with its attributes how it may be waited for, see :class:`~paypro_async.Ledger`.
        answer: Of one of its methods, or of several in a row.
        deadlines: Of the caller, if it asks so often that a timer for each answer would be dear.

    Raises:
        LedgerUnavailableError: If it did not answer in time. What it was told to write may be written later.
    """
    if getattr(ledger, "answers_at_once", False):
        # A time-out around each answer of a dictionary would cost a tenth of a payout.
        return await answer
    try:
        if not getattr(ledger, "ends_when_cancelled", False):
            return await answer_of(answer, within=seconds, who="The ledger")
        if deadlines is not None:
            return await deadlines.wait(answer, seconds)
        async with asyncio.timeout(max(0.0, seconds)):
            return await answer
    except NoAnswerError as error:
        raise LedgerUnavailableError(f"{error}. {_NOTHING_SENT}") from None
    except TimeoutError:
        silent = f"The ledger did not answer within {seconds:.3g} s."
        trouble: str | None = getattr(ledger, "trouble", None)
        raise LedgerUnavailableError(f"{silent} {trouble or _NOTHING_SENT}") from None
