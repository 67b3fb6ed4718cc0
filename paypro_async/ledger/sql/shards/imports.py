"""Storing the payouts of a batch as planned, page by page, and cutting it into shards."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from paypro_async._core.intent import Intent
from paypro_async._core.money import amount_text, total
from paypro_async.errors import ConfigurationError
from paypro_async.ledger.shared import BatchStatus, Shard, SharedBatch
from paypro_async.ledger.sql.schema import batch, clock, planned, shard
from paypro_async.ledger.sql.shards import control
from paypro_async.ledger.sql.shards.begun import PLANNED, planned_row
from paypro_async.ledger.sql.statements import Insert

__all__ = ["all_shards", "begin", "finish", "store"]

_INSERT: Mapping[str, Callable[[Table], Any]] = MappingProxyType(
    {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
)
_INSERT_PLANNED = Insert(PLANNED)
_COPY = f"COPY planned ({', '.join(column.name for column in PLANNED)}) FROM STDIN"
_SHOWN = 5


def begin(
    connection: Connection, merchant_no: str, batch_id: str, *, source: str | None, shard_size: int, rate: float | None
) -> SharedBatch:
    """Note that a batch is imported, or find how far that came."""
    values = {
        "merchant_no": merchant_no,
        "batch_id": batch_id,
        "source": source,
        "created_at": clock(),
        "status": BatchStatus.IMPORTING.value,
        "imported": 0,
        "shard_size": shard_size,
        "rate": rate,
    }
    new = ("status", "imported", "shard_size", "rate")
    insert = _INSERT[connection.dialect.name](batch).values(values)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["merchant_no", "batch_id"],
            # One that a single process has paid in part is imported like any other: what is done stays done.
            set_={name: insert.excluded[name] for name in new} | {"ended_at": None},
            where=batch.c.status.is_(None),
        )
    )
    found = control.find(connection, merchant_no, batch_id)
    if found is None:
        raise RuntimeError("a batch that was just written is not there")
    return found


def store(connection: Connection, merchant_no: str, batch_id: str, first: int, intents: Sequence[Intent]) -> int | None:
    """Store a page of payouts; the first position at which another payout is stored already, or None."""
    mine = (batch.c.merchant_no == merchant_no, batch.c.batch_id == batch_id)
    # The row is locked: of two processes that import one batch, one comes after the other.
    imported, size = connection.execute(
        select(batch.c.imported, batch.c.shard_size).where(*mine).with_for_update()
    ).one()
    there = max(0, min(len(intents), imported - first))
    if (other := _first_other(connection, intents[:there])) is not None:
        return other
    new = intents[there:]
    if new:
        _add(connection, new)
        _add_to_shards(connection, new, size)
        connection.execute(batch.update().where(*mine).values(imported=first + len(intents)))
    return None


def finish(
    connection: Connection, merchant_no: str, batch_id: str, *, digest: str, amount: Decimal
) -> Exception | None:
    """Make the batch ready; the answer to a caller whose batch cannot be."""
    mine = (planned.c.merchant_no == merchant_no, planned.c.batch_id == batch_id)
    if (refusal := _set_repeated_aside(connection, mine)) is not None:
        return refusal
    row = (batch.c.merchant_no == merchant_no, batch.c.batch_id == batch_id)
    connection.execute(
        batch.update()
        .where(*row, batch.c.status == BatchStatus.IMPORTING.value)
        .values(status=BatchStatus.READY.value, total=batch.c.imported, digest=digest, amount=amount_text(amount))
    )
    return None


def all_shards(connection: Connection, merchant_no: str, batch_id: str) -> list[Shard]:
    """The ranges that the batch was cut into."""
    query = (
        select(shard.c.low, shard.c.high)
        .where(shard.c.merchant_no == merchant_no, shard.c.batch_id == batch_id)
        .order_by(shard.c.low)
    )
    return [Shard(batch_id, row.low, row.high) for row in connection.execute(query)]


def _first_other(connection: Connection, intents: Sequence[Intent]) -> int | None:
    """Where what is stored is not one of these payouts."""
    if not intents:
        return None
    first = intents[0]
    query = select(planned.c.position, planned.c.trade_no, planned.c.fingerprint).where(
        planned.c.merchant_no == first.merchant_no,
        planned.c.batch_id == first.batch_id,
        planned.c.position.between(first.position, intents[-1].position),
    )
    stored = {row.position: (row.trade_no, row.fingerprint) for row in connection.execute(query)}
    return next(
        (one.position for one in intents if stored.get(one.position or 0) != (one.trade_no, one.fingerprint)), None
    )


def _add(connection: Connection, intents: Sequence[Intent]) -> None:
    rows = [planned_row(one) for one in intents]
    if connection.dialect.name == "sqlite":
        _INSERT_PLANNED.run(connection, rows)
        return
    driver: Any = connection.connection.dbapi_connection
    with driver.cursor().copy(_COPY) as copy:
        for row in rows:
            copy.write_row(row)


def _add_to_shards(connection: Connection, intents: Sequence[Intent], size: int) -> None:
    """Make the ranges of these payouts, or let the last one grow."""
    ranges: dict[int, list[Intent]] = {}
    for one in intents:
        ranges.setdefault((one.position or 0) // size * size, []).append(one)
    for low, members in ranges.items():
        mine = (
            shard.c.merchant_no == members[0].merchant_no,
            shard.c.batch_id == members[0].batch_id,
            shard.c.low == low,
        )
        before = connection.execute(select(shard.c.amount).where(*mine)).scalar()
        amount = amount_text(total([Decimal(before or 0), *(one.amount for one in members)]))
        high = (members[-1].position or 0) + 1
        if before is not None:
            connection.execute(shard.update().where(*mine).values(high=high, amount=amount))
            continue
        connection.execute(
            shard.insert().values(
                merchant_no=members[0].merchant_no, batch_id=members[0].batch_id, low=low, high=high, amount=amount
            )
        )


def _set_repeated_aside(connection: Connection, mine: Sequence[Any]) -> Exception | None:
    """Keep the first payout of each number; the error if one number belongs to payouts that differ."""
    twice = (
        select(
            planned.c.trade_no,
            func.min(planned.c.position).label("first"),
            func.max(planned.c.position).label("last"),
            func.count(planned.c.fingerprint.distinct()).label("payouts"),
        )
        .where(*mine)
        .group_by(planned.c.trade_no)
        .having(func.count() > 1)
    )
    found = connection.execute(twice).all()
    if differing := [row for row in found if row.payouts > 1]:
        shown = "; ".join(f"{row.trade_no} at positions {row.first} and {row.last}" for row in differing[:_SHOWN])
        return ConfigurationError(
            f"{len(differing)} trade numbers of this batch belong to payouts that differ: {shown}. Nothing was sent, "
            "and the batch is not ready. Cancel it, give each payout a number of its own, and import it under another "
            "batch_id."
        )
    for row in found:
        later = planned.update().where(*mine, planned.c.trade_no == row.trade_no, planned.c.position > row.first)
        connection.execute(later.values(aside="repeated"))
    return None
