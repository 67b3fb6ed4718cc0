"""What was learned about a payout, brought together with what is stored of it meanwhile."""

from paypro_async._core.learning import after_query
from paypro_async._core.lifecycle import Cause, Entry
from paypro_async._core.outcome import Outcome
from paypro_async.ledger.base import Ledger

__all__ = ["merge"]


async def merge(ledger: Ledger, entry: Entry, outcome: Outcome, *, cause: Cause) -> Entry:
    """Write what the platform said, decided from the newest entry: somebody else may be writing about the same payout.

    Args:
        ledger: Where to.
        entry: As last seen.
        outcome: What the platform said.
        cause: How it was learned.

    Returns:
        The entry as it stands then, whoever wrote it.

    Raises:
        LedgerUnavailableError: If it could not be stored.
    """
    while (change := after_query(entry, outcome, cause=cause)) is not None:
        moved = await ledger.move(change)
        entry = moved.entry
        if moved.done:
            break
    return entry
