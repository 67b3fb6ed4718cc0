"""The ranges of a batch, read from its rows: what is open in them, and who is at them.

Open is what nobody has begun, and what was begun and is to be sent once more or asked about. What the platform has
accepted is not: callbacks and reconciliation tell its end.
"""

import json
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, func, or_, select, true

from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import State
from paypro_async._core.money import parse_amount
from paypro_async._core.secret import HiddenFields
from paypro_async.ledger.shared import OpenRows, Shard, SharedBatch
from paypro_async.ledger.sql.encryption.values import Cipher, cipher_of, opened
from paypro_async.ledger.sql.rows import SELECT_ENTRY, entry_of
from paypro_async.ledger.sql.schema import NOT_ASIDE, clock, payout, planned, shard
from paypro_async.ledger.sql.shards import control

__all__ = ["UNSETTLED", "end_batch", "leave", "open_ranges", "open_shards", "rows", "touch"]

UNSETTLED = (State.NEW.value, State.SENDING.value)
_PAGE = 2000
_Condition = ColumnElement[bool]


def open_shards(
    connection: Connection, merchant_no: str, batch_id: str, low: int, *, idle_for: float
) -> tuple[list[Shard], int | None]:
    """The ranges with open rows at which no worker was for so many seconds; none of a batch that may not run.

    What workers have left of a large plan are millions of dead rows, and PostgreSQL looks at each when it is first read
    after them. In pages no transaction takes long.

    Returns:
        Those of the page that begins at *low*, and where the next one does; None if this was the last.
    """
    found = control.find(connection, merchant_no, batch_id)
    if found is None or not found.may_run:
        return [], None
    idle = or_(shard.c.worked_at.is_(None), shard.c.worked_at <= clock() - idle_for) if idle_for > 0 else None
    return open_ranges(connection, merchant_no, batch_id, low, idle)


def open_ranges(
    connection: Connection, merchant_no: str, batch_id: str, low: int, which: _Condition | None = None
) -> tuple[list[Shard], int | None]:
    """As :func:`open_shards`, whatever may be done for the batch: of a page those with open rows."""
    ranges = _shards_of(merchant_no, batch_id).where(shard.c.low >= low).limit(_PAGE).subquery()
    last: int | None = connection.execute(select(func.max(ranges.c.low))).scalar()
    if last is None:
        return [], None
    page = (shard.c.low >= low, shard.c.low <= last, true() if which is None else which)
    query = _shards_of(merchant_no, batch_id).where(*page, _is_open(shard.c.low, shard.c.high))
    return [Shard(batch_id, row.low, row.high) for row in connection.execute(query)], last + 1


def rows(connection: Connection, merchant_no: str, batch_id: str, low: int, high: int) -> OpenRows | None:
    """What is open in a range, and that a worker is at it."""
    found = control.find(connection, merchant_no, batch_id)
    if found is None:
        return None
    mine = _meets(merchant_no, batch_id, low, high)
    idle: float | None = connection.execute(select(clock() - func.max(shard.c.worked_at)).where(*mine)).scalar()
    if not found.may_run:
        return OpenRows(batch=found, planned=(), unsettled=(), idle=idle)
    connection.execute(shard.update().where(*mine).values(worked_at=clock()))
    new = select(planned).where(*_planned(merchant_no, batch_id, low, high)).order_by(planned.c.position)
    begun = SELECT_ENTRY.where(*_unsettled(merchant_no, batch_id, low, high)).order_by(payout.c.position)
    cipher = cipher_of(connection)
    return OpenRows(
        batch=found,
        planned=[_intent_of(row, cipher) for row in connection.execute(new)],
        unsettled=[entry_of(row, cipher) for row in connection.execute(begun)],
        idle=idle,
    )


def touch(connection: Connection, merchant_no: str, batch_id: str, low: int, high: int) -> SharedBatch | None:
    """Note that a worker is at the range; the batch as it stands."""
    connection.execute(shard.update().where(*_meets(merchant_no, batch_id, low, high)).values(worked_at=clock()))
    return control.find(connection, merchant_no, batch_id)


def leave(connection: Connection, merchant_no: str, batch_id: str, low: int, high: int) -> tuple[int, bool]:
    """Note that the worker leaves the range; how many of its rows are open, and whether no range goes on."""
    count = connection.execute(
        select(
            select(func.count())
            .select_from(planned)
            .where(*_planned(merchant_no, batch_id, low, high))
            .scalar_subquery()
            + select(func.count())
            .select_from(payout)
            .where(*_unsettled(merchant_no, batch_id, low, high))
            .scalar_subquery()
        )
    ).scalar_one()
    ended = None if count else clock()
    mine = (*_meets(merchant_no, batch_id, low, high), shard.c.low >= low, shard.c.high <= high)
    connection.execute(shard.update().where(*mine).values(ended_at=ended, worked_at=clock()))
    if count:
        control.note_open(connection, merchant_no, batch_id)
        return int(count), False
    return 0, not _goes_on(connection, merchant_no, batch_id)


def end_batch(connection: Connection, merchant_no: str, batch_id: str) -> None:
    """Note that the batch has ended, if no range goes on."""
    if not _goes_on(connection, merchant_no, batch_id):
        control.note_ended(connection, merchant_no, batch_id)


def _goes_on(connection: Connection, merchant_no: str, batch_id: str) -> bool:
    query = _shards_of(merchant_no, batch_id).where(shard.c.ended_at.is_(None)).limit(1)
    return connection.execute(query).first() is not None


def _shards_of(merchant_no: str, batch_id: str) -> Select[Any]:
    mine = (shard.c.merchant_no == merchant_no, shard.c.batch_id == batch_id)
    return select(shard.c.low, shard.c.high).where(*mine).order_by(shard.c.low)


def _meets(merchant_no: str, batch_id: str, low: int, high: int) -> tuple[_Condition, ...]:
    mine = (shard.c.merchant_no == merchant_no, shard.c.batch_id == batch_id)
    return (*mine, shard.c.low < high, shard.c.high > low)


def _is_open(low: Any, high: Any) -> _Condition:
    of_plan = and_(planned.c.merchant_no == shard.c.merchant_no, planned.c.batch_id == shard.c.batch_id)
    of_payouts = and_(payout.c.merchant_no == shard.c.merchant_no, payout.c.batch_id == shard.c.batch_id)
    return or_(
        exists().where(of_plan, planned.c.position >= low, planned.c.position < high, NOT_ASIDE),
        exists().where(of_payouts, payout.c.position >= low, payout.c.position < high, payout.c.state.in_(UNSETTLED)),
    )


def _planned(merchant_no: str, batch_id: str, low: int, high: int) -> tuple[_Condition, ...]:
    mine = (planned.c.merchant_no == merchant_no, planned.c.batch_id == batch_id)
    return (*mine, planned.c.position >= low, planned.c.position < high, NOT_ASIDE)


def _unsettled(merchant_no: str, batch_id: str, low: int, high: int) -> tuple[_Condition, ...]:
    mine = (payout.c.merchant_no == merchant_no, payout.c.batch_id == batch_id, payout.c.batch_id.is_not(None))
    # The first condition on the state is there for the index, which the second alone would not use.
    states = (payout.c.state != State.SUCCEEDED.value, payout.c.state.in_(UNSETTLED))
    return (*mine, payout.c.position >= low, payout.c.position < high, *states)


def _intent_of(row: Row[Any], cipher: Cipher) -> Intent:
    amount = parse_amount(row.amount)
    if amount is None:
        raise ValueError(f"the planned payout {row.trade_no} has no amount that can be read")
    key = row.merchant_no, row.trade_no
    return Intent(
        merchant_no=row.merchant_no,
        trade_no=row.trade_no,
        region=row.region,
        amount=amount,
        currency=row.currency,
        content=HiddenFields(json.loads(opened(cipher, row.content, "planned.content", *key))),
        fingerprint=opened(cipher, row.fingerprint, "planned.fingerprint", *key),
        batch_id=row.batch_id,
        position=row.position,
        others=row.others,
        planned=True,
    )
