"""The row of a batch that many workers pay: what may be done for it, and its rate."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, func, select

from paypro_async.ledger.shared import BatchStatus, SharedBatch
from paypro_async.ledger.sql.schema import batch, clock

__all__ = ["find", "set_rate", "set_status", "unfinished"]


def find(connection: Connection, merchant_no: str, batch_id: str) -> SharedBatch | None:
    """The batch, or None if there is none that was imported."""
    query = select(batch).where(
        batch.c.merchant_no == merchant_no, batch.c.batch_id == batch_id, batch.c.status.is_not(None)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _batch_of(row)


def unfinished(connection: Connection, merchant_no: str) -> list[SharedBatch]:
    """Those that were imported and have not ended, nor were cancelled; the oldest first."""
    query = select(batch).where(
        batch.c.merchant_no == merchant_no,
        batch.c.status.is_not(None),
        batch.c.status != BatchStatus.CANCELLED.value,
        batch.c.ended_at.is_(None),
    )
    return [_batch_of(row) for row in connection.execute(query.order_by(batch.c.created_at, batch.c.batch_id))]


def set_status(
    connection: Connection, merchant_no: str, batch_id: str, status: BatchStatus, why: str | None
) -> SharedBatch | Exception:
    """Let workers go on or not; the answer to a caller who names none is an error."""
    may_change = batch.c.status.in_((BatchStatus.READY.value, BatchStatus.PAUSED.value))
    if status is BatchStatus.CANCELLED:
        may_change = batch.c.status.is_not(None)
    mine = batch.update().where(batch.c.merchant_no == merchant_no, batch.c.batch_id == batch_id, may_change)
    # The first reason stays: what comes after it are its consequences.
    kept = func.coalesce(batch.c.why, why) if status is BatchStatus.PAUSED else why
    connection.execute(mine.values(status=status.value, why=kept))
    return find(connection, merchant_no, batch_id) or KeyError(batch_id)


def set_rate(connection: Connection, merchant_no: str, batch_id: str, rate: float | None) -> SharedBatch | Exception:
    """Set the rate that all workers keep."""
    mine = batch.update().where(batch.c.merchant_no == merchant_no, batch.c.batch_id == batch_id)
    connection.execute(mine.values(rate=rate))
    return find(connection, merchant_no, batch_id) or KeyError(batch_id)


def note_ended(connection: Connection, merchant_no: str, batch_id: str) -> None:
    """All its shards were left with nothing open."""
    mine = batch.update().where(batch.c.merchant_no == merchant_no, batch.c.batch_id == batch_id)
    connection.execute(mine.where(batch.c.ended_at.is_(None)).values(ended_at=clock()))


def note_open(connection: Connection, merchant_no: str, batch_id: str) -> None:
    """Something of it is open again, or still."""
    mine = batch.update().where(batch.c.merchant_no == merchant_no, batch.c.batch_id == batch_id)
    connection.execute(mine.where(batch.c.ended_at.is_not(None)).values(ended_at=None))


def _batch_of(row: Row[Any]) -> SharedBatch:
    return SharedBatch(
        batch_id=row.batch_id,
        source=row.source,
        status=BatchStatus(row.status),
        why=row.why,
        imported=row.imported or 0,
        total=row.total,
        amount=None if row.amount is None else Decimal(row.amount),
        shard_size=row.shard_size,
        rate=row.rate,
        digest=row.digest,
        ended=row.ended_at is not None,
    )
