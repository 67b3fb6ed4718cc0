"""What a ledger holds beside payouts and their history: accounts, batches, rates; and the look at equal contents."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from paypro_async.ledger.base import Account, BatchRecord, refuse_other_environment
from paypro_async.ledger.sql.schema import account, batch, clock, pace, payout

__all__ = ["accounts", "bind", "holds_payouts", "record_batch", "reserve", "same_content"]

_INSERT: Mapping[str, Callable[[Table], Any]] = MappingProxyType(
    {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
)
# Seconds: a turn that is farther ahead was not taken by this clock.
_FARTHEST = 60.0


def bind(connection: Connection, given: Account) -> Exception | None:
    """Bind a merchant to its environment; the answer to a caller whose environment is another."""
    insert = _INSERT[connection.dialect.name]
    values = {"merchant_no": given.merchant_no, "environment": given.environment}
    connection.execute(insert(account).values(values).on_conflict_do_nothing())
    known = connection.execute(
        select(account.c.environment).where(account.c.merchant_no == given.merchant_no)
    ).scalar_one()
    try:
        refuse_other_environment(known, given)
    except Exception as error:  # noqa: BLE001  it is the answer to this caller, not a failure of the group
        return error
    return None


def accounts(connection: Connection) -> list[Account]:
    """Whose payouts the ledger holds."""
    rows = connection.execute(select(account).order_by(account.c.merchant_no))
    return [Account(merchant_no=row.merchant_no, region="", environment=row.environment) for row in rows]


def holds_payouts(connection: Connection, merchant_no: str) -> bool:
    """Whether the ledger has ever been paid from for this merchant."""
    query = select(payout.c.trade_no).where(payout.c.merchant_no == merchant_no).limit(1)
    return connection.execute(query).scalar() is not None


def same_content(connection: Connection, merchant_no: str, fingerprints: Sequence[str]) -> dict[str, list[str]]:
    """The trade numbers that pay the same to the same, by fingerprint."""
    query = select(payout.c.fingerprint, payout.c.trade_no).where(
        payout.c.merchant_no == merchant_no, payout.c.fingerprint.in_(list(fingerprints))
    )
    found: dict[str, list[str]] = {}
    for fingerprint, trade_no in connection.execute(query):
        found.setdefault(fingerprint, []).append(trade_no)
    return found


def record_batch(connection: Connection, record: BatchRecord) -> None:
    """Note that a batch runs, or that it has ended; what is not told anew stays."""
    now = connection.execute(select(clock())).scalar_one()
    values = {
        "merchant_no": record.merchant_no,
        "batch_id": record.batch_id,
        "source": record.source,
        "total": record.total,
        "created_at": now,
        "ended_at": now if record.ended else None,
    }
    insert = _INSERT[connection.dialect.name](batch).values(values)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["merchant_no", "batch_id"],
            set_={
                "source": func.coalesce(insert.excluded.source, batch.c.source),
                "total": func.coalesce(insert.excluded.total, batch.c.total),
                "ended_at": insert.excluded.ended_at,
            },
        )
    )


def reserve(connection: Connection, name: str, *, spacing: float, count: int) -> float:
    """Take the next *count* turns of a rate, *spacing* seconds apart (a one-row GCRA); seconds until the first."""
    insert = _INSERT[connection.dialect.name](pace).values(name=name, free_at=0.0).on_conflict_do_nothing()
    connection.execute(insert)
    # The row is locked before the clock is read, so that a process that waited for it does not go by an old time.
    free_at: float = connection.execute(
        select(pace.c.free_at).where(pace.c.name == name).with_for_update()
    ).scalar_one()
    now: float = connection.execute(select(clock())).scalar_one()
    if free_at - now > max(_FARTHEST, 100 * spacing):
        free_at = now  # The clock was set back; no process has taken turns so far ahead.
    first = max(now, free_at)
    connection.execute(pace.update().where(pace.c.name == name).values(free_at=first + count * spacing))
    return first - now
