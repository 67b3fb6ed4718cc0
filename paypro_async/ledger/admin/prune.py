"""Erasing personal values of payouts that have long been final.

A payout itself is never deleted: its number must not be payable again. What it paid, to whom in a fingerprint, and its
history stay; names, account numbers and the platform's messages go.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Delete, Update, exists, func, or_, select

from paypro_async._core.lifecycle import FINAL
from paypro_async.ledger.base import PAGE
from paypro_async.ledger.shared import BatchStatus
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.schema import batch, callback, payout, planned
from paypro_async.ledger.sql.triggers import ERASED

__all__ = ["erasable", "erase"]

Key = tuple[str, str]


async def erasable(ledger: SqlLedger, before: datetime) -> Counter[str]:
    """How many payouts :func:`erase` would erase the personal values of, by state."""
    query = select(payout.c.state, func.count()).where(*_conditions(before)).group_by(payout.c.state)
    return await ledger.read(lambda connection: Counter({row[0]: row[1] for row in connection.execute(query)}))


async def erase(ledger: SqlLedger, before: datetime) -> int:
    """Erase the personal values of payouts that are final and did not change since *before*; how many there were.

    The file of an SQLite ledger still holds them until :meth:`SqlLedger.rewrite`.
    """
    await ledger.write(lambda connection: connection.execute(_old_callbacks(before)))
    await ledger.write(lambda connection: connection.execute(_never_begun(before)))
    erased = 0
    after: Key | None = ("", "")
    while after is not None:
        # In small transactions: others pay meanwhile.
        count, after = await ledger.write(_page(before, after))
        erased += count
    return erased


def _old_callbacks(before: datetime) -> Delete:
    """Those that were kept apart and did not come again since."""
    return callback.delete().where(callback.c.last_at < before.timestamp())


def _never_begun(before: datetime) -> Update:
    """Erase what was planned for workers and never will be begun: set aside, or of a batch that was cancelled."""
    of_batch = batch.c.merchant_no == planned.c.merchant_no, batch.c.batch_id == planned.c.batch_id
    old = exists().where(*of_batch, batch.c.created_at < before.timestamp())
    cancelled = exists().where(*of_batch, batch.c.status == BatchStatus.CANCELLED.value)
    # The rows stay: they are counted as what was not sent.
    which = (planned.c.content != ERASED, old, or_(planned.c.aside.is_not(None), cancelled))
    return planned.update().where(*which).values(content=ERASED)


def _conditions(before: datetime) -> Sequence[ColumnElement[bool]]:
    return (
        payout.c.state.in_(sorted(state.value for state in FINAL)),
        payout.c.updated_at < before.timestamp(),
        or_(payout.c.content != ERASED, payout.c.message.is_not(None)),
    )


def _page(before: datetime, after: Key) -> Callable[[Connection], tuple[int, Key | None]]:
    behind = or_(payout.c.merchant_no > after[0], (payout.c.merchant_no == after[0]) & (payout.c.trade_no > after[1]))
    query = (
        select(payout.c.merchant_no, payout.c.trade_no)
        .where(behind, *_conditions(before))
        .order_by(payout.c.merchant_no, payout.c.trade_no)
        .limit(PAGE)
    )

    def work(connection: Connection) -> tuple[int, Key | None]:
        if connection.dialect.name == "sqlite":
            # Also where the file cannot be written anew for want of room, what was erased is overwritten.
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        keys: list[Key] = [(row.merchant_no, row.trade_no) for row in connection.execute(query)]
        count = 0
        for merchant_no in sorted({merchant_no for merchant_no, _ in keys}):
            numbers = [trade_no for merchant, trade_no in keys if merchant == merchant_no]
            # The conditions once more: one that came back to life meanwhile keeps its content.
            change = payout.update().where(
                payout.c.merchant_no == merchant_no, payout.c.trade_no.in_(numbers), *_conditions(before)
            )
            count += connection.execute(change.values(content=ERASED, message=None)).rowcount
        return count, keys[-1] if len(keys) == PAGE else None

    return work
