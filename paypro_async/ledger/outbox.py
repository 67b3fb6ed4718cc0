"""The protocol of an outbox: the changes in a ledger, told to each consumer at least once and in order per payout.

The history of all payouts is the outbox itself, so it costs nothing while nobody listens. A consumer is a name with a
position in it; all processes that listen under one name share its work.

1. ``register`` begins a consumer where the history ends, once; later it goes on where it was.
2. ``take`` looks at what was written since, notes which steps are changes to be told, and moves the position, all in
   one transaction; then it lends what is due to one process, for so many seconds: of each payout the first change that
   was not told, whose earlier ones all were.
3. ``told`` removes what a handler has taken; ``put_off`` lets it come again later, or parks it after too many tries.
   What was lent to a process that died is lent to another once its time is over.

A change that is parked keeps back the later ones of its payout until a person releases it.
"""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from attrs import field, frozen

from paypro_async._core.known import PayoutChange
from paypro_async._core.plain_data import PlainData

__all__ = ["Cursor", "Lent", "Outbox", "Parked"]


@frozen(kw_only=True)
class Cursor:
    """How far somebody has read the history.

    Args:
        position: The number of the last step that was seen.
        gaps: Numbers up to it that were not there, each with what tells once it can no longer come: PostgreSQL gives
            numbers away before it commits.
    """

    position: int
    gaps: Mapping[int, str] = field(factory=dict)


@frozen(kw_only=True)
class Lent:
    """A change that one process is to tell its handler now.

    Args:
        number: Of the step of history that it was.
        change: What is told.
        tries: How often a handler has failed with it before.
    """

    number: int
    change: PayoutChange
    tries: int = 0


@frozen(kw_only=True)
class Parked(PlainData):
    """A change that a handler has refused too often.

    Args:
        consumer: Whose handler that was.
        number: Of the step of history.
        trade_no: Of the payout, whose later changes wait behind it.
        tries: How often it was tried.
        parked_at: Since when it is not tried any more, on the ledger's clock, UTC.
        error: The kind of the last error; its text may hold a personal value.
        behind: How many later changes of the same payout wait.
    """

    consumer: str
    number: int
    trade_no: str
    tries: int
    parked_at: datetime
    error: str | None
    behind: int = 0


@runtime_checkable
class Outbox(Protocol):
    """What a ledger offers to those who listen. Each method raises LedgerUnavailableError as a ledger's does."""

    async def register(self, merchant_no: str, consumer: str) -> None:
        """Let a consumer begin with what is written from now on, unless it is known."""
        ...

    async def take(self, merchant_no: str, consumer: str, *, owner: str, limit: int, seconds: float) -> list[Lent]:
        """Lend up to *limit* changes that are due to *owner*, for so many seconds; at most one of each payout."""
        ...

    async def told(self, merchant_no: str, consumer: str, numbers: Sequence[int], *, owner: str) -> None:
        """Those were handled: they are not told again. What was lent to another meanwhile stays lent."""
        ...

    async def put_off(
        self, merchant_no: str, consumer: str, number: int, *, owner: str, seconds: float | None, error: str
    ) -> None:
        """A handler has failed: it comes again after so many seconds, or is parked with None."""
        ...

    async def keep(
        self, merchant_no: str, consumer: str, numbers: Sequence[int], *, owner: str, seconds: float
    ) -> None:
        """Those are still being handled: let them be lent for so many seconds from now."""
        ...

    async def parked(self, merchant_no: str, *, limit: int = 100) -> list[Parked]:
        """Changes that are parked, oldest first."""
        ...

    async def release(self, merchant_no: str, trade_no: str, *, consumer: str | None = None) -> int:
        """Let the parked change of a payout be tried again, with all its tries; how many there were."""
        ...

    def cursor(self, merchant_no: str) -> Awaitable[Cursor]:
        """Where the history ends when it is called: what this process writes later lies behind it."""
        ...

    async def changes(self, merchant_no: str, after: Cursor, *, limit: int) -> tuple[Sequence[PayoutChange], Cursor]:
        """What was written behind *after*, oldest first, at most so many steps; and how far that is."""
        ...
