"""Storing the payouts of a batch as planned, page by page, and cutting it into shards."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from paypro_async._core.intent import Intent
from paypro_async._core.money import amount_text, total
from paypro_async.errors import ConfigurationError
from paypro_async.ledger.shared import BatchStatus, Shard, SharedBatch
from paypro_async.ledger.sql.encryption.values import Cipher, cipher_of, opened
from paypro_async.ledger.sql.schema import batch, clock, planned, shard
from paypro_async.ledger.sql.shards import control
from paypro_async.ledger.sql.shards.begun import INSERT_PLANNED, PLANNED, planned_row
from paypro_async.ledger.sql.statements import insert_into, wrapped

__all__ = ["all_shards", "begin", "finish", "store"]

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
    insert = insert_into(connection, batch).values(values)
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


def store(
    connection: Connection, merchant_no: str, batch_id: str, first: int, intents: Sequence[Intent]
) -> int | Exception | None:
    """Store a page of payouts; the first position at which another payout is stored already, or None.

    The answer to a caller who gives one number to payouts that differ is an error.
    """
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
        if (refusal := _add(connection, new)) is not None:
            return refusal
        _add_to_shards(connection, new, size)
        connection.execute(batch.update().where(*mine).values(imported=first + len(intents)))
    return None


def finish(connection: Connection, merchant_no: str, batch_id: str, *, digest: str, amount: Decimal) -> None:
    """Make the batch ready."""
    row = (batch.c.merchant_no == merchant_no, batch.c.batch_id == batch_id)
    connection.execute(
        batch.update()
        .where(*row, batch.c.status == BatchStatus.IMPORTING.value)
        .values(status=BatchStatus.READY.value, total=batch.c.imported, digest=digest, amount=amount_text(amount))
    )


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
    cipher = cipher_of(connection)
    stored = {
        row.position: (row.trade_no, _fingerprint(cipher, first.merchant_no, row)) for row in connection.execute(query)
    }
    return next(
        (one.position for one in intents if stored.get(one.position or 0) != (one.trade_no, one.fingerprint)), None
    )


def _add(connection: Connection, intents: Sequence[Intent]) -> Exception | None:
    """Store them, a number's first payout to be paid; the answer to a caller who has one number for two payouts.

    The database's index finds each number again, so that nothing is looked for in the whole of a large batch.
    """
    cipher = cipher_of(connection)
    rows = [planned_row(one, cipher) for one in intents]
    if connection.dialect.name != "sqlite" and _copied(connection, rows):
        return None
    with connection.begin_nested() as apart:
        if INSERT_PLANNED.run(connection, rows).rowcount == len(rows):
            return None
        repeats = _not_stored(connection, intents)
        firsts = [_first(connection, one) for one in repeats]
        differing = [
            (one.trade_no, position, one.position)
            for one, (position, fingerprint) in zip(repeats, firsts, strict=True)
            if fingerprint != one.fingerprint
        ]
        if differing:
            apart.rollback()
            return _one_number_for_two(differing)
        INSERT_PLANNED.run(connection, [planned_row(one, cipher, aside="repeated") for one in repeats])
    return None


def _copied(connection: Connection, rows: Sequence[Sequence[Any]]) -> bool:
    """Store them in the quickest way that PostgreSQL has; False if one has a number that is there."""
    driver: Any = connection.connection.dbapi_connection
    errors = connection.dialect.loaded_dbapi
    try:
        with connection.begin_nested(), driver.cursor().copy(_COPY) as copy:
            for row in rows:
                copy.write_row(row)
    except errors.IntegrityError:
        return False
    except errors.Error as error:
        raise wrapped(connection, error, _COPY) from error
    return True


def _not_stored(connection: Connection, intents: Sequence[Intent]) -> Sequence[Intent]:
    first, last = intents[0], intents[-1]
    query = select(planned.c.position).where(
        planned.c.merchant_no == first.merchant_no,
        planned.c.batch_id == first.batch_id,
        planned.c.position.between(first.position, last.position),
    )
    stored = set(connection.execute(query).scalars())
    return [one for one in intents if one.position not in stored]


def _first(connection: Connection, intent: Intent) -> tuple[int, str]:
    """The position and the fingerprint of the payout that has this one's number."""
    query = select(planned.c.position, planned.c.trade_no, planned.c.fingerprint).where(
        planned.c.merchant_no == intent.merchant_no,
        planned.c.batch_id == intent.batch_id,
        planned.c.trade_no == intent.trade_no,
        planned.c.aside.is_(None),
    )
    row = connection.execute(query).one()
    return row.position, _fingerprint(cipher_of(connection), intent.merchant_no, row)


def _fingerprint(cipher: Cipher, merchant_no: str, row: Any) -> str:
    return opened(cipher, row.fingerprint, "planned.fingerprint", merchant_no, row.trade_no)


def _one_number_for_two(differing: Sequence[tuple[str, int, int | None]]) -> Exception:
    shown = "; ".join(f"{trade_no} at positions {one} and {other}" for trade_no, one, other in differing[:_SHOWN])
    return ConfigurationError(
        f"This batch gives one trade number to payouts that differ: {shown}. Nothing was sent, and the batch is not "
        "ready. Cancel it, give each payout a number of its own, and import it under another batch_id."
    )


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
