"""The payouts of one batch, in the order of its source."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import field, frozen
from sqlalchemy import ColumnElement, Connection, Select, or_, select

from paypro_async.ledger.admin.records import BatchState, Record, batches, content_of, select_records
from paypro_async.ledger.base import PAGE
from paypro_async.ledger.sql.encryption.values import cipher_of, shown
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.schema import payout, planned

__all__ = ["PlannedRow", "batch_records", "find_batch", "planned_rows"]

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


@frozen(kw_only=True)
class PlannedRow:
    """A payout that was imported for workers, and that none of them has begun.

    Args:
        position: Its place in the source, from 0.
        amount: As it is stored, in major units of *currency*.
        content: What would be sent; nothing once it was erased.
        aside: Why it never will be begun, or None.
    """

    position: int
    trade_no: str
    region: str
    amount: str
    currency: str
    content: Mapping[str, str] = field(repr=False)
    aside: str | None


async def planned_rows(ledger: SqlLedger, merchant_no: str, batch_id: str) -> AsyncIterator[PlannedRow]:
    """Every payout of the batch that nobody has begun, by its number there; each number of the batch once."""
    names = ("position", "trade_no", "region", "amount", "currency", "content", "aside")
    mine = (planned.c.merchant_no == merchant_no, planned.c.batch_id == batch_id)
    once = or_(planned.c.aside.is_(None), planned.c.aside != "repeated")
    query = select(*(planned.c[name] for name in names)).where(*mine, once).order_by(planned.c.position).limit(PAGE)
    position = -1
    while True:
        page = query.where(planned.c.position > position)
        rows = await ledger.read(partial(_rows, page=page, merchant_no=merchant_no))
        for row in rows:
            yield row
        if not rows:
            return
        position = rows[-1].position


def _rows(connection: Connection, page: Select[Any], merchant_no: str) -> Sequence[PlannedRow]:
    cipher = cipher_of(connection)
    return [
        PlannedRow(
            **{
                **row._asdict(),
                "content": content_of(shown(cipher, row.content, "planned.content", merchant_no, row.trade_no)),
            }
        )
        for row in connection.execute(page)
    ]


async def find_batch(ledger: SqlLedger, merchant_no: str, name: str | None = None) -> BatchState | None:
    """The batch of that name, else the latest one whose source has it; without a name the latest of all."""
    if name is None:
        return next(iter(await batches(ledger, merchant_no, limit=1)), None)
    if found := await batches(ledger, merchant_no, limit=1, batch_id=name):
        return found[0]
    latest = await batches(ledger, merchant_no, limit=_LOOKED_AT)
    return next((one for one in latest if name in (one.source, (one.source or "").rpartition("/")[2])), None)
