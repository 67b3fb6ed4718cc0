"""The payouts of one batch, in the order of its source."""

from collections.abc import AsyncIterator

from sqlalchemy import ColumnElement, or_

from paypro_async.ledger.admin.records import BatchState, Record, batches, select_records
from paypro_async.ledger.base import PAGE
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.schema import payout

__all__ = ["batch_records", "find_batch"]

_LOOKED_AT = 1000


async def batch_records(ledger: SqlLedger, merchant_no: str, batch_id: str) -> AsyncIterator[Record]:
    """Every payout that the batch has claimed, by its number there. Those of several runs may share one."""
    where = (payout.c.merchant_no == merchant_no, payout.c.batch_id == batch_id)
    position, trade_no = -1, ""
    order: tuple[ColumnElement[int] | ColumnElement[str], ...] = (payout.c.position, payout.c.trade_no)
    while True:
        # The first of the two conditions is there for the index, which the second alone would not use.
        behind = or_(payout.c.position > position, payout.c.trade_no > trade_no)
        found = await select_records(ledger, (*where, payout.c.position >= position, behind), order, limit=PAGE)
        for record in found:
            yield record
        if not found:
            break
        position, trade_no = found[-1].position or 0, found[-1].trade_no
    trade_no = ""
    # In a ledger that is damaged, a payout may have lost its number.
    while found := await select_records(
        ledger, (*where, payout.c.position.is_(None), payout.c.trade_no > trade_no), (payout.c.trade_no,), limit=PAGE
    ):
        for record in found:
            yield record
        trade_no = found[-1].trade_no


async def find_batch(ledger: SqlLedger, merchant_no: str, name: str | None = None) -> BatchState | None:
    """The batch of that name, else the latest one whose source has it; without a name the latest of all."""
    if name is None:
        return next(iter(await batches(ledger, merchant_no, limit=1)), None)
    if found := await batches(ledger, merchant_no, limit=1, batch_id=name):
        return found[0]
    latest = await batches(ledger, merchant_no, limit=_LOOKED_AT)
    return next((one for one in latest if name in (one.source, (one.source or "").rpartition("/")[2])), None)
