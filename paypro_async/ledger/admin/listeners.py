"""Who listens to the changes of a ledger, and how far each has come."""

import json
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, func, or_, select

from paypro_async._core.plain_data import PlainData
from paypro_async.ledger.admin.records import iso
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.schema import consumer, delivery, event

__all__ = ["Consumer", "consumers", "parked_numbers"]


@frozen(kw_only=True)
class Consumer(PlainData):
    """One who listens.

    Args:
        name: Of the consumer; all processes that have it share its work.
        position: The number of the last step of history that was looked at.
        behind: How many steps were written since, whether changes or not.
        waiting: Changes that were looked at and not told yet, those that are parked left out.
        parked: Changes that its handler has refused too often.
        oldest: When the oldest change that was not told was made: ISO 8601, UTC; None if all were told.
    """

    name: str
    position: int
    behind: int
    waiting: int
    parked: int
    oldest: str | None


async def consumers(ledger: SqlLedger, merchant_no: str) -> list[Consumer]:
    """Those of one merchant, by name."""

    def read(connection: Connection) -> list[Consumer]:
        mine = select(consumer).where(consumer.c.merchant_no == merchant_no).order_by(consumer.c.name)
        return [_consumer(connection, merchant_no, row) for row in connection.execute(mine)]

    return await ledger.read(read)


def _consumer(connection: Connection, merchant_no: str, row: Any) -> Consumer:
    where = delivery.c.merchant_no == merchant_no, delivery.c.consumer == row.name
    counts = select(func.count(), func.count(delivery.c.parked_at), func.min(delivery.c.event_id)).where(*where)
    count, parked, first = connection.execute(counts).one()
    # Numbers that were passed over, and are there by now, count too.
    gaps = [int(number) for number in json.loads(row.gaps)]
    new = or_(event.c.id > row.position, event.c.id.in_(gaps))
    behind = connection.execute(select(func.count()).where(new)).scalar_one()
    at = None if first is None else connection.execute(select(event.c.at).where(event.c.id == first)).scalar()
    return Consumer(
        name=row.name,
        position=row.position,
        behind=behind,
        waiting=count - parked,
        parked=parked,
        oldest=None if at is None else iso(at),
    )


async def parked_numbers(ledger: SqlLedger, merchant_no: str, name: str | None) -> list[str]:
    """The trade numbers of which a change is parked, of one consumer or of all."""
    query = select(delivery.c.trade_no).where(delivery.c.merchant_no == merchant_no, delivery.c.parked_at.is_not(None))
    if name is not None:
        query = query.where(delivery.c.consumer == name)
    return await ledger.read(lambda connection: sorted(set(connection.execute(query).scalars())))
