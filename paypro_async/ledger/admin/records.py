"""Looking into a ledger: page by page, in memory that does not grow with it, and whatever stands in it.

It goes by the raw values of the columns: a row that is damaged must be shown too.
"""

import json
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from attrs import define, field, fields, frozen
from sqlalchemy import ColumnElement, Connection, Select, Table, and_, case, column, func, or_, select

from paypro_async._core.lifecycle import FINAL, Reply, State
from paypro_async._core.money import parse_amount
from paypro_async._core.tally import Tally
from paypro_async.ledger.base import PAGE
from paypro_async.ledger.shared import BatchStatus
from paypro_async.ledger.sql.encryption.values import cipher_of, shown
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.migrations import schema_version
from paypro_async.ledger.sql.schema import IS_OPEN, batch, clock, event, payout, planned

__all__ = [
    "COLUMNS",
    "Attention",
    "BatchState",
    "Record",
    "Totals",
    "Which",
    "attention",
    "batches",
    "content_of",
    "find",
    "history",
    "is_refused_under",
    "iso",
    "page",
    "planned_count",
    "raw",
    "records",
    "region_of",
    "select_records",
    "shown_state",
    "totals",
    "version",
]

_COUNTED: list[ColumnElement[Any]] = [
    column(name) for name in ("trade_no", "state", "currency", "amount", "doubt", "reply")
]


def iso(seconds: Any) -> str:
    """A time of the ledger in ISO 8601, UTC; what is no time as it stands."""
    if isinstance(seconds, int | float) and math.isfinite(seconds) and 0 <= seconds < 253_402_300_800:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return str(seconds)


def content_of(text: Any) -> Mapping[str, str]:
    """The fields of a payout, from the text that is stored; nothing if that is damaged or was erased."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


@frozen(kw_only=True)
class Record:
    """A payout as it stands in the ledger, made from the columns of the same names.

    Times are UTC in ISO 8601, states and amounts the texts that are stored. A column that is added here is read, and
    exported, too.
    """

    merchant_no: str
    trade_no: str
    state: str
    amount: str
    currency: str
    region: str
    attempt: int
    doubt: bool = field(converter=bool)
    phase: str | None
    reply: str | None
    code: str | None
    message: str | None = field(repr=False)
    platform_trade_no: str | None
    utr: str | None
    batch_id: str | None
    position: int | None
    created_at: str = field(converter=iso)
    sent_at: str = field(converter=iso)
    updated_at: str = field(converter=iso)
    content: Mapping[str, str] = field(converter=content_of, repr=False)


_NAMES = tuple(one.name for one in fields(Record))
_values = attrgetter(*_NAMES)

COLUMNS: tuple[str, ...] = tuple(name for name in _NAMES if name != "content")
"""A record but for its content, in the order of an export."""


@frozen(kw_only=True)
class Which:
    """Which payouts of a merchant.

    Args:
        states: Those in one of these states; all if there is none.
        batch_id: Those of that batch.
        since: Those that were claimed at that time or later.
        until: Those that were claimed before that time.
    """

    merchant_no: str
    states: frozenset[State] = frozenset()
    batch_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As the database understands them."""
        found = [payout.c.merchant_no == self.merchant_no]
        if self.states:
            found.append(payout.c.state.in_(sorted(state.value for state in self.states)))
        if self.batch_id is not None:
            found.append(payout.c.batch_id == self.batch_id)
        if self.since is not None:
            found.append(payout.c.created_at >= self.since.timestamp())
        if self.until is not None:
            found.append(payout.c.created_at < self.until.timestamp())
        return found


@define
class Totals:
    """How many payouts, and how much money, by state and currency."""

    tally: Tally[tuple[str, str]] = field(factory=Tally)
    unreadable: int = 0
    """Amounts that are no numbers, and are in no sum."""

    def add(self, state: str, currency: str, amount: Any) -> None:
        """Count one payout in its state and currency; its amount, as it is stored, is added up if it is a number."""
        value = parse_amount(amount) if isinstance(amount, str) else None
        self.unreadable += value is None
        self.tally.add((state, currency), value or Decimal(0))


@frozen(kw_only=True)
class Attention:
    """The open payouts that no call waits for any more.

    Args:
        count: How many there are.
        first: The first of them, by trade number.
    """

    count: int
    first: Sequence[Record]


@frozen(kw_only=True)
class BatchState:
    """A batch and how far it has come.

    Args:
        total: How many payouts it has; None until a run came to its end.
        claimed: How many of them the ledger holds.
        final: How many of those are final.
        created_at: When it first ran, and *ended_at* when its last run came to its end: ISO 8601, UTC.
        status: What its workers may do, if it was imported for workers: a :class:`BatchStatus`.
    """

    batch_id: str
    source: str | None
    total: int | None
    claimed: int
    final: int
    created_at: str
    ended_at: str | None
    status: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether a run of it came to its end, and was not cut off or stopped."""
        return self.ended_at is not None and self.total is not None

    @property
    def goes_on(self) -> bool:
        """Whether there is something to go on with: it was begun, or given to workers, and has not ended."""
        begun = self.claimed > 0 or self.status is not None
        return begun and not self.has_ended and self.status != BatchStatus.CANCELLED


def shown_state(row: Any) -> str:
    """The state of a row as users see it: a payout that was only believed not to have arrived is unknown."""
    believed_absent = row.state == State.NEW and row.doubt and row.reply != Reply.CALLER
    return State.SENDING if believed_absent else row.state


def raw(table: Table) -> list[ColumnElement[Any]]:
    """The columns of a table without their types: what is stored, and not what should be."""
    return [column(one.name) for one in table.c]


async def version(ledger: SqlLedger) -> int | None:
    """The version of the ledger's schema; None if there is no ledger in the database."""
    return await ledger.read(schema_version)


async def region_of(ledger: SqlLedger, merchant_no: str) -> str | None:
    """The region of a merchant's payouts; None if there is none."""
    query = select(payout.c.region).where(payout.c.merchant_no == merchant_no).limit(1)
    return await ledger.read(lambda connection: connection.execute(query).scalar())


async def page(ledger: SqlLedger, which: Which, *, after: str = "", limit: int = PAGE) -> list[Record]:
    """A page of payouts by trade number, beginning behind *after*."""
    where = [payout.c.trade_no > after, *which.conditions()]
    return await select_records(ledger, where, [payout.c.trade_no], limit=limit)


async def select_records(
    ledger: SqlLedger, where: Iterable[ColumnElement[bool]], order: Iterable[ColumnElement[Any]], *, limit: int
) -> list[Record]:
    """The first payouts for which that is so, in that order."""
    query = select(*raw(payout)).select_from(payout).where(*where).order_by(*order).limit(limit)
    return await ledger.read(lambda connection: _records(connection, query))


async def records(ledger: SqlLedger, which: Which) -> AsyncIterator[Record]:
    """Every payout, by trade number. Those that are claimed meanwhile may be among them or not."""
    after = ""
    while found := await page(ledger, which, after=after):
        for record in found:
            yield record
        after = found[-1].trade_no


async def find(ledger: SqlLedger, merchant_no: str, trade_nos: Sequence[str]) -> list[Record]:
    """The payouts with those numbers that are there, in the order in which they were asked for."""
    query = (
        select(*raw(payout))
        .select_from(payout)
        .where(payout.c.merchant_no == merchant_no, payout.c.trade_no.in_(list(trade_nos)))
    )
    rows = await ledger.read(lambda connection: _records(connection, query))
    by_number = {record.trade_no: record for record in rows}
    return [by_number[one] for one in dict.fromkeys(trade_nos) if one in by_number]


async def history(ledger: SqlLedger, merchant_no: str, trade_no: str) -> list[dict[str, Any]]:
    """Every step of a payout's history, in the order in which they were written."""
    query = (
        select(*raw(event))
        .select_from(event)
        .where(event.c.merchant_no == merchant_no, event.c.trade_no == trade_no)
        .order_by(event.c.id)
    )
    rows = await ledger.read(lambda connection: [row._asdict() for row in connection.execute(query)])
    return [
        {
            "at": iso(row["at"]),
            "from": row["from_state"],
            "to": row["to_state"],
            "cause": row["cause"],
            "attempt": row["attempt"],
            "phase": row["phase"],
            "code": row["code"],
            "by": row["person"],
            "note": row["note"],
        }
        for row in rows
    ]


async def totals(ledger: SqlLedger, which: Which) -> Totals:
    """Count payouts and add their amounts up exactly, which no database does with both kinds of text and number."""
    found = Totals()
    after: str | None = ""
    while after is not None:
        # Small steps, so that neither a lock nor a snapshot of the database is held for long.
        after = await ledger.read(_count_page(found, which, after))
    return found


async def planned_count(ledger: SqlLedger, merchant_no: str) -> int:
    """How many payouts are stored for workers, and not begun."""
    query = select(func.count()).select_from(planned).where(planned.c.merchant_no == merchant_no)
    return await ledger.read(lambda connection: connection.execute(query).scalar_one())


async def attention(
    ledger: SqlLedger, merchant_no: str, *, settle_after: float, overdue_after: float = 86_400.0, limit: int = 10
) -> Attention:
    """Payouts that wait for a person, are missing, or are unknown or processing for longer than they should be."""
    window = func.coalesce(payout.c.settle_after, settle_after)
    old = and_(payout.c.state == State.SENDING.value, payout.c.sent_at < clock() - window)
    overdue = and_(payout.c.state == State.PROCESSING.value, payout.c.sent_at < clock() - overdue_after)
    wants_a_person = payout.c.state.in_([State.REVIEW.value, State.MISSING.value])
    where = (
        payout.c.merchant_no == merchant_no,
        # So that the index of the open ones serves, and not another one of the merchant.
        IS_OPEN,
        payout.c.trade_no > "",
        or_(wants_a_person, old, overdue),
    )
    first = select(*raw(payout)).select_from(payout).where(*where).order_by(payout.c.trade_no).limit(limit)
    count = select(func.count()).select_from(payout).where(*where)

    def read(connection: Connection) -> Attention:
        return Attention(count=connection.execute(count).scalar_one(), first=_records(connection, first))

    return await ledger.read(read)


async def is_refused_under(ledger: SqlLedger, merchant_no: str, code: str) -> bool:
    """Whether a payout of the merchant has failed under that code of the platform."""
    where = (payout.c.merchant_no == merchant_no, payout.c.state == State.FAILED.value, payout.c.code == code)
    query = select(payout.c.trade_no).where(*where).limit(1)
    return await ledger.read(lambda connection: connection.execute(query).first() is not None)


async def batches(
    ledger: SqlLedger, merchant_no: str, *, limit: int = 10, batch_id: str | None = None
) -> list[BatchState]:
    """The latest batches, the latest first; or the one that is named."""
    latest = (
        select(batch)
        .where(batch.c.merchant_no == merchant_no, *([] if batch_id is None else [batch.c.batch_id == batch_id]))
        .order_by(batch.c.created_at.desc(), batch.c.batch_id)
        .limit(limit)
    )
    final = func.sum(case((payout.c.state.in_(sorted(state.value for state in FINAL)), 1), else_=0))

    def read(connection: Connection) -> list[BatchState]:
        rows = connection.execute(latest).all()
        query = (
            select(payout.c.batch_id, func.count(), final)
            .where(payout.c.merchant_no == merchant_no, payout.c.batch_id.in_([row.batch_id for row in rows]))
            .group_by(payout.c.batch_id)
        )
        counted = {batch_id: (claimed, ended) for batch_id, claimed, ended in connection.execute(query)}
        return [_batch(row, *counted.get(row.batch_id, (0, 0))) for row in rows]

    return await ledger.read(read)


def _count_page(found: Totals, which: Which, after: str) -> Callable[[Connection], str | None]:
    query = (
        select(*_COUNTED)
        .select_from(payout)
        .where(payout.c.trade_no > after, *which.conditions())
        .order_by(payout.c.trade_no)
        .limit(10 * PAGE)
    )

    def count(connection: Connection) -> str | None:
        # All at once: a database that fails half-way through is asked for this page again.
        rows = connection.execute(query).all()
        for row in rows:
            found.add(shown_state(row), row.currency, row.amount)
        return rows[-1][0] if rows else None

    return count


def _batch(row: Any, claimed: int, final: int) -> BatchState:
    return BatchState(
        batch_id=row.batch_id,
        source=row.source,
        total=row.total,
        claimed=claimed,
        final=final,
        created_at=iso(row.created_at),
        ended_at=None if row.ended_at is None else iso(row.ended_at),
        status=row.status,
    )


def _records(connection: Connection, query: Select[Any]) -> list[Record]:
    cipher = cipher_of(connection)
    found = []
    for row in connection.execute(query):
        values = dict(zip(_NAMES, _values(row), strict=True))
        if isinstance(row.content, str):
            values["content"] = shown(cipher, row.content, "payout.content", row.merchant_no, row.trade_no)
        found.append(Record(**values))
    return found
