"""How far a batch is, from what is left of its plan and what is not paid of its payouts: never from all of them."""

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Numeric, and_, case, cast, func, literal, select

from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import Reply, State
from paypro_async._core.money import total
from paypro_async._core.tally import Tally
from paypro_async.ledger.shared import SharedProgress
from paypro_async.ledger.sql.schema import clock, payout, planned, shard
from paypro_async.ledger.sql.shards import control

__all__ = ["progress"]

_PLACES = 6
_AT_WORK = 10.0
_NOTHING = Decimal(0)
_ASIDE = {"paid_meanwhile": ItemStatus.NOT_SENT, "conflict": ItemStatus.CONFLICT}
_UNSETTLED = (State.NEW, State.SENDING)


def progress(connection: Connection, merchant_no: str, batch_id: str) -> SharedProgress | None:
    """How far the batch is; None if there is none that was imported."""
    found = control.find(connection, merchant_no, batch_id)
    if found is None:
        return None
    tally: Tally[ItemStatus] = Tally()
    rest, rest_amount = _whole(connection, merchant_no, batch_id)
    planned_count, planned_amount = _planned(connection, merchant_no, batch_id)
    _add(tally, ItemStatus.NOT_SENT, planned_count, planned_amount)
    repeated, repeated_amount = _add_aside(connection, merchant_no, batch_id, tally)
    under_way = _add_unpaid(connection, merchant_no, batch_id, tally)
    # What is nowhere else is paid: of that there is no index, as there would be no end of it.
    paid = max(0, rest - repeated - tally.counts.total())
    _add(tally, ItemStatus.SUCCEEDED, paid, _minus(rest_amount, repeated_amount, tally.total))
    ranges = connection.execute(_ranges(merchant_no, batch_id)).one()
    return SharedProgress(
        batch=found,
        counts={status: tally.counts[status] for status in ItemStatus if tally.counts[status]},
        amounts={status: tally.amounts[status] for status in ItemStatus if tally.counts[status]},
        planned=planned_count,
        under_way=under_way,
        repeated=repeated,
        shards=ranges.all_of,
        open_shards=ranges.open,
        working=ranges.working,
    )


def _add(tally: Tally[ItemStatus], status: ItemStatus, count: int, amount: Decimal) -> None:
    if count:
        tally.counts[status] += count
        tally.amounts[status] = total([tally.amounts.get(status, _NOTHING), amount])


def _minus(amount: Decimal, *others: Decimal) -> Decimal:
    return total([amount, *(-one for one in others)])


def _whole(connection: Connection, merchant_no: str, batch_id: str) -> tuple[int, Decimal]:
    """How many payouts all ranges have, and what they come to."""
    count, amount = func.sum(shard.c.high - shard.c.low), _sum(connection, shard.c.amount)
    row = connection.execute(select(count, amount).where(*_mine(shard, merchant_no, batch_id))).one()
    return int(row[0] or 0), _exact(row[1])


def _planned(connection: Connection, merchant_no: str, batch_id: str) -> tuple[int, Decimal]:
    """How many payouts nobody has begun: of ranges that no worker was at, all that are not set aside."""
    untouched = shard.c.worked_at.is_(None)
    mine = _mine(shard, merchant_no, batch_id)
    inside = and_(
        planned.c.merchant_no == shard.c.merchant_no,
        planned.c.batch_id == shard.c.batch_id,
        planned.c.position >= shard.c.low,
        planned.c.position < shard.c.high,
    )
    amount = _sum(connection, planned.c.amount)
    of_ranges = select(func.sum(shard.c.high - shard.c.low), _sum(connection, shard.c.amount)).where(*mine, untouched)
    aside = select(func.count(), amount).select_from(planned).join(shard, inside)
    aside = aside.where(*mine, *_mine(planned, merchant_no, batch_id), untouched, planned.c.aside.is_not(None))
    begun = select(func.count(), amount).select_from(shard).join(planned, inside)
    begun = begun.where(*mine, ~untouched, shard.c.ended_at.is_(None), planned.c.aside.is_(None))
    (all_of, sum_of), (away, sum_away), (left, sum_left) = (
        connection.execute(one).one() for one in (of_ranges, aside, begun)
    )
    count = int(all_of or 0) - away + left
    return count, _minus(total([_exact(sum_of), _exact(sum_left)]), _exact(sum_away))


def _add_aside(
    connection: Connection, merchant_no: str, batch_id: str, tally: Tally[ItemStatus]
) -> tuple[int, Decimal]:
    """Count what will not be begun; how many of them are a number that the batch has twice, and their sum."""
    same = and_(payout.c.merchant_no == planned.c.merchant_no, payout.c.trade_no == planned.c.trade_no)
    query = (
        select(planned.c.aside, payout.c.state, func.count(), _sum(connection, planned.c.amount))
        .select_from(planned)
        .outerjoin(payout, same)
        .where(*_mine(planned, merchant_no, batch_id), planned.c.aside.is_not(None))
        .group_by(planned.c.aside, payout.c.state)
    )
    repeated, amount = 0, _NOTHING
    for aside, state, count, found in connection.execute(query):
        if aside == "repeated":
            repeated, amount = repeated + count, total([amount, _exact(found)])
        else:
            _add(tally, _ASIDE.get(aside) or ItemStatus.of(State(state)), count, _exact(found))
    return repeated, amount


def _add_unpaid(connection: Connection, merchant_no: str, batch_id: str, tally: Tally[ItemStatus]) -> int:
    """Count what was begun and is not paid; how many of that are to be sent once more or asked about."""
    not_out = (payout.c.state == State.NEW.value) & (~payout.c.doubt | (payout.c.reply == Reply.CALLER.value))
    state = case(
        (payout.c.state != State.NEW.value, payout.c.state), (not_out, literal("new")), else_=literal("sending")
    )
    query = (
        select(state, func.count(), _sum(connection, payout.c.amount))
        .where(
            *_mine(payout, merchant_no, batch_id),
            payout.c.batch_id.is_not(None),
            payout.c.state != State.SUCCEEDED.value,
        )
        .group_by(state)
    )
    under_way = 0
    for name, count, amount in connection.execute(query):
        under_way += count if State(name) in _UNSETTLED else 0
        _add(tally, ItemStatus.of(State(name)), count, _exact(amount))
    return under_way


def _ranges(merchant_no: str, batch_id: str) -> Any:
    is_open = shard.c.ended_at.is_(None)
    at_work = is_open & (shard.c.worked_at > clock() - _AT_WORK)
    return select(
        func.count().label("all_of"),
        func.coalesce(func.sum(cast(is_open, Integer)), 0).label("open"),
        func.coalesce(func.sum(cast(at_work, Integer)), 0).label("working"),
    ).where(*_mine(shard, merchant_no, batch_id))


def _mine(table: Any, merchant_no: str, batch_id: str) -> tuple[ColumnElement[bool], ...]:
    return table.c.merchant_no == merchant_no, table.c.batch_id == batch_id


def _sum(connection: Connection, amount: Any) -> ColumnElement[Any]:
    """The exact sum of amounts that are stored as text; see :func:`_exact`."""
    if connection.dialect.name != "sqlite":
        return func.sum(cast(amount, Numeric))
    # SQLite adds no decimals exactly, so they are added as whole numbers of a millionth.
    point = func.instr(amount, ".")
    cents = case((point == 0, literal("")), else_=func.substr(amount, point + 1))
    part = cast(func.substr(cents.concat("0" * _PLACES), 1, _PLACES), Integer)
    return func.sum(cast(amount, Integer) * 10**_PLACES + part)


def _exact(found: Any) -> Decimal:
    if isinstance(found, int):
        return Decimal(found).scaleb(-_PLACES).normalize()
    return Decimal(found or 0)
