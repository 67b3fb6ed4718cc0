"""What the commands that read a ledger say of a payout that has failed, and was sent since under a new number."""

from collections.abc import Collection, Sequence

from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import State
from paypro_async.bulk.retries import Retry, retries
from paypro_async.ledger.admin import records
from paypro_async.ledger.admin.records import Record, shown_state
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = ["retries_in", "status_in"]

_STATES = frozenset(State)


async def retries_in(ledger: SqlLedger, merchant_no: str, failed: Sequence[str]) -> dict[str, Retry]:
    """The retries of payouts that have failed, whatever else stands in the ledger."""

    async def look_up(numbers: Collection[str]) -> dict[str, ItemStatus]:
        return {one.trade_no: status_in(one) for one in await records.find(ledger, merchant_no, [*numbers])}

    return await retries(failed, look_up)


def status_in(record: Record) -> ItemStatus:
    """What is known of a payout; one whose state cannot be read is for a person to look at."""
    state = shown_state(record)
    return ItemStatus.of(State(state)) if state in _STATES else ItemStatus.REVIEW
