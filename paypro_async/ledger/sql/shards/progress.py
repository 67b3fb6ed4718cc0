"""How far a batch is, from what is left of its plan and what is not paid of its payouts: never from all of them."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Numeric,
    Row,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    true,
    union_all,
)

from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import Reply, State
from paypro_async._core.money import amount_text, total
from paypro_async._core.tally import Tally
from paypro_async.ledger.shared import SharedProgress
from paypro_async.ledger.sql.schema import NOT_ASIDE, clock, payout, planned, shard
from paypro_async.ledger.sql.shards import control
from paypro_async.ledger.sql.shards.ranges import UNSETTLED

__all__ = ["progress"]

_PLACES = 6
_AT_WORK = 10.0
_NOTHING = Decimal(0)
_ASIDE = {"paid_meanwhile": ItemStatus.NOT_SENT, "conflict": ItemStatus.CONFLICT}

_Names = tuple[str, str]
_Adds = Callable[[Any], ColumnElement[Any]]


def progress(connection: Connection, merchant_no: str, batch_id: str) -> SharedProgress | None:
    """How far the batch is; None if there is none that was imported."""
    found = control.find(connection, merchant_no, batch_id)
    if found is None:
        return None
    named, add = (merchant_no, batch_id), partial(_sum, connection)
    parts = (*_ranges(named, add), *_planned(named, add, found.shard_size), _aside(named, add), _unpaid(named, add))
    # One statement, which sees one moment: what is begun meanwhile would be counted twice, or nowhere.
    rows = connection.execute(union_all(*parts)).all()
    sums = {row.part: (int(row.count_of or 0), _exact(row.amount)) for row in rows if row.name is None}
    tally: Tally[ItemStatus] = Tally()
    left = sums["untouched"][0] - sums["aside there"][0] + sums["begun"][0]
    left_amount = _minus(total([sums["untouched"][1], sums["begun"][1]]), sums["aside there"][1])
    _add(tally, ItemStatus.NOT_SENT, left, left_amount)
    repeated, under_way = _add_named(tally, [row for row in rows if row.name is not None])
    # What is nowhere else is paid: of that there is no index, as there would be no end of it.
    whole, amount = sums["whole"]
    paid = max(0, whole - repeated[0] - tally.counts.total())
    _add(tally, ItemStatus.SUCCEEDED, paid, _minus(amount, repeated[1], tally.total))
    return SharedProgress(
        batch=found,
        counts={status: tally.counts[status] for status in ItemStatus if tally.counts[status]},
        amounts={status: tally.amounts[status] for status in ItemStatus if tally.counts[status]},
        planned=left,
        under_way=under_way,
        repeated=repeated[0],
        shards=sums["ranges"][0],
        open_shards=sums["open"][0],
        working=sums["working"][0],
    )


def _add(tally: Tally[ItemStatus], status: ItemStatus, count: int, amount: Decimal) -> None:
    if count:
        tally.counts[status] += count
        tally.amounts[status] = total([tally.amounts.get(status, _NOTHING), amount])


def _add_named(tally: Tally[ItemStatus], rows: Sequence[Row[Any]]) -> tuple[tuple[int, Decimal], int]:
    """Count what was set aside, and what is not paid: what the batch has twice, and how many are to be gone on with."""
    repeated, repeated_amount, under_way = 0, _NOTHING, 0
    for row in rows:
        count, amount = int(row.count_of), _exact(row.amount)
        if row.part == "repeated":
            repeated, repeated_amount = repeated + count, total([repeated_amount, amount])
            continue
        under_way += count if row.part == "unpaid" and row.name in UNSETTLED else 0
        _add(tally, _ASIDE.get(row.part) or ItemStatus.of(State(row.name)), count, amount)
    return (repeated, repeated_amount), under_way


def _minus(amount: Decimal, *others: Decimal) -> Decimal:
    return total([amount, *(-one for one in others)])


def _part(part: Any, name: Any, count: Any, amount: Any) -> Select[Any]:
    return select(
        (literal(part) if isinstance(part, str) else part).label("part"),
        (null() if name is None else name).cast(String).label("name"),
        count.label("count_of"),
        amount.label("amount"),
    )


def _ranges(named: _Names, add: _Adds) -> Iterator[Select[Any]]:
    """All payouts and what they come to; how many ranges there are, how many are open, and worked at."""
    mine, is_open = _mine(shard, *named), shard.c.ended_at.is_(None)
    yield _part("whole", None, func.sum(shard.c.high - shard.c.low), add(shard.c.amount)).where(*mine)
    for name, which in (
        ("ranges", true()),
        ("open", is_open),
        ("working", is_open & (shard.c.worked_at > clock() - _AT_WORK)),
    ):
        yield _part(name, None, func.count(), null()).where(*mine, which)


def _planned(named: _Names, add: _Adds, shard_size: int) -> Iterator[Select[Any]]:
    """What nobody has begun: of ranges that no worker was at, all that is not set aside; of others what is left."""
    mine, untouched, is_aside = _mine(shard, *named), shard.c.worked_at.is_(None), planned.c.aside.is_not(None)
    yield _part("untouched", None, func.sum(shard.c.high - shard.c.low), add(shard.c.amount)).where(*mine, untouched)
    # A payout's range by its key: of many that are set aside, each would look through all ranges else.
    its_range = (*_mine(shard, *named), shard.c.low == planned.c.position - planned.c.position % shard_size)
    there = _part("aside there", None, func.count(), add(planned.c.amount)).select_from(planned)
    yield there.join(shard, and_(*its_range)).where(*mine, *_mine(planned, *named), untouched, is_aside)
    # Range by range: as a join, a server looks through all of a large plan for the few ranges that are worked at.
    inside = (*_mine(planned, *named), planned.c.position >= shard.c.low, planned.c.position < shard.c.high, NOT_ASIDE)
    count = select(func.count()).select_from(planned).where(*inside).scalar_subquery()
    amount = select(add(planned.c.amount)).where(*inside).scalar_subquery()
    open_ones = (*mine, ~untouched, shard.c.ended_at.is_(None))
    yield _part("begun", None, func.sum(count), func.sum(amount)).select_from(shard).where(*open_ones)


def _aside(named: _Names, add: _Adds) -> Select[Any]:
    """What will not be begun; of a number that was paid elsewhere, in the state in which it is."""
    same = and_(payout.c.merchant_no == planned.c.merchant_no, payout.c.trade_no == planned.c.trade_no)
    state = func.coalesce(payout.c.state, State.NEW.value)
    query = _part(planned.c.aside, state, func.count(), add(planned.c.amount)).select_from(planned)
    return (
        query.outerjoin(payout, same)
        .where(*_mine(planned, *named), planned.c.aside.is_not(None))
        .group_by(planned.c.aside, state)
    )


def _unpaid(named: _Names, add: _Adds) -> Select[Any]:
    """What was begun and is not paid."""
    not_out = (payout.c.state == State.NEW.value) & (~payout.c.doubt | (payout.c.reply == Reply.CALLER.value))
    was_new = case((not_out, State.NEW.value), else_=State.SENDING.value)
    state = case((payout.c.state != State.NEW.value, payout.c.state), else_=was_new)
    is_unpaid = payout.c.batch_id.is_not(None) & (payout.c.state != State.SUCCEEDED.value)
    query = _part("unpaid", state, func.count(), add(payout.c.amount))
    return query.where(*_mine(payout, *named), is_unpaid).group_by(state)


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
    amount = Decimal(found).scaleb(-_PLACES) if isinstance(found, int) else Decimal(found or 0)
    return Decimal(amount_text(amount))
