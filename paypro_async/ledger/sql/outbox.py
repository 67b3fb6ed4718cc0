"""The outbox of a database: see ``ledger/outbox.py`` for what it promises.

PostgreSQL gives a step of history its number before its transaction commits, so a number may come when a higher one was
seen already. A number that is not there when it is passed is a *gap*: it is looked for again until every transaction
has ended that had begun when it was missed. What is visible does not wait for that. Of one payout the numbers come in
order, since each change locks its row; so a gap is read by the same statement as what is new.

Whatever is locked here is passed over where another process has locked it: none waits for another. What was handled is
looked for again a moment later, and given up soon.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Delete,
    Row,
    Update,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects import postgresql

from paypro_async._core.bounds import LONGEST, cut
from paypro_async._core.known import PayoutChange, change_of, statuses_of
from paypro_async.ledger.outbox import Cursor, Lent, Parked
from paypro_async.ledger.sql.group import find
from paypro_async.ledger.sql.rows import event_of_row
from paypro_async.ledger.sql.schema import clock, consumer, delivery, event
from paypro_async.ledger.sql.statements import insert_into

__all__ = ["SqlOutbox"]

T = TypeVar("T")

# So many steps of history are looked at in one transaction, in which nobody can pay from an SQLite file.
_STEPS = 500
# A new consumer looks back so far for numbers that are not there yet: no more transactions are under way at one time.
_LOOK_BACK = 1000
# A jump of the sequence by hand would else be kept number by number.
_MOST_GAPS = 10_000
# Seconds. What is due later than that was lent or put off before the clock was set back.
_FARTHEST = 1800.0
_NEVER = 1e15
# Seconds between looks at what another process has locked. One that looked for changes while they were lent locks them
# until its transaction ends, though it takes none of them; one that stands still there keeps them, and so gets them.
_PAUSES = (0.01, 0.05, 0.2, 1.0)


class SqlOutbox(ABC):
    """The outbox of a ledger that reads and writes in transactions."""

    @abstractmethod
    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run *query* in a transaction that only reads."""

    @abstractmethod
    def read_first(self, query: Callable[[Connection], T]) -> Awaitable[T]:
        """Run *query* before whatever this process asks for once this has returned."""

    @abstractmethod
    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run *work* in a transaction; what it returns once that is durable."""

    async def register(self, merchant_no: str, consumer: str) -> None:
        """Let a consumer begin with what is written from now on, unless it is known."""
        if await self.read(lambda connection: _position(connection, merchant_no, consumer)) is None:
            await self.write(lambda connection: _register(connection, merchant_no, consumer))

    async def take(self, merchant_no: str, consumer: str, *, owner: str, limit: int, seconds: float) -> list[Lent]:
        """Lend up to *limit* changes that are due to *owner*, for so many seconds; at most one of each payout."""
        if not await self.read(lambda connection: _has_work(connection, merchant_no, consumer)):
            return []

        def work(connection: Connection) -> list[Lent]:
            _advance(connection, merchant_no, consumer)
            return _lend(connection, merchant_no, consumer, owner=owner, limit=limit, seconds=seconds)

        return await self.write(work)

    async def told(self, merchant_no: str, consumer: str, numbers: Sequence[int], *, owner: str) -> None:
        """Those were handled: they are not told again."""
        await self._change(delivery.delete(), merchant_no, consumer, numbers, owner)

    async def put_off(
        self, merchant_no: str, consumer: str, number: int, *, owner: str, seconds: float | None, error: str
    ) -> None:
        """A handler has failed: it comes again after so many seconds, or is parked with None."""
        later = {"parked_at": clock(), "due_at": _NEVER} if seconds is None else {"due_at": clock() + seconds}
        values = {**later, "tries": delivery.c.tries + 1, "owner": None, "error": cut(error, LONGEST["code"])}
        await self._change(delivery.update().values(values), merchant_no, consumer, [number], owner)

    async def keep(
        self, merchant_no: str, consumer: str, numbers: Sequence[int], *, owner: str, seconds: float
    ) -> None:
        """Those are still being handled: let them be lent for so many seconds from now."""
        later = delivery.update().values(due_at=clock() + seconds)
        await self._change(later, merchant_no, consumer, numbers, owner)

    async def _change(
        self, change: Delete | Update, merchant_no: str, consumer: str, numbers: Sequence[int], owner: str
    ) -> None:
        """Carry out *change* on those of these numbers that *owner* holds."""

        def work(connection: Connection) -> bool:
            free = _held(connection, merchant_no, consumer, numbers, owner, unlocked=True)
            if free:
                connection.execute(change.where(_of(merchant_no, consumer), delivery.c.event_id.in_(free)))
            if len(free) == len(set(numbers)):
                return True
            held = _held(connection, merchant_no, consumer, numbers, owner, unlocked=False)
            return set(held) <= set(free)

        for pause in _PAUSES:
            if await self.write(work):
                return
            await asyncio.sleep(pause)
        await self.write(work)

    async def parked(self, merchant_no: str, *, limit: int = 100) -> list[Parked]:
        """Changes that are parked, oldest first."""
        return await self.read(lambda connection: _parked(connection, merchant_no, limit))

    async def release(self, merchant_no: str, trade_no: str, *, consumer: str | None = None) -> int:
        """Let the parked change of a payout be tried again, with all its tries; how many there were."""
        which = [delivery.c.merchant_no == merchant_no, delivery.c.trade_no == trade_no]
        if consumer is not None:
            which.append(delivery.c.consumer == consumer)
        again = (
            delivery.update()
            .where(*which, delivery.c.parked_at.is_not(None))
            .values(parked_at=None, due_at=0.0, tries=0, owner=None, error=None)
        )
        released: int = await self.write(lambda connection: connection.execute(again).rowcount)
        return released

    def cursor(self, merchant_no: str) -> Awaitable[Cursor]:  # noqa: ARG002  numbers are given to all in one row
        """Where the history ends now."""
        return self.read_first(_end)

    async def changes(self, merchant_no: str, after: Cursor, *, limit: int) -> tuple[Sequence[PayoutChange], Cursor]:
        """What was written behind *after*, oldest first, at most so many steps; and how far that is."""

        def work(connection: Connection) -> tuple[Sequence[PayoutChange], Cursor]:
            steps, cursor = _steps(connection, after, limit)
            return [one.change for one in _told_of(connection, merchant_no, steps)], cursor

        return await self.read(work)


def _of(merchant_no: str, name: str) -> ColumnElement[bool]:
    return and_(delivery.c.merchant_no == merchant_no, delivery.c.consumer == name)


def _held(
    connection: Connection, merchant_no: str, name: str, numbers: Sequence[int], owner: str, *, unlocked: bool
) -> Sequence[int]:
    """Those of these numbers that *owner* holds; if *unlocked*, but for what another process has locked just now."""
    query = select(delivery.c.event_id).where(
        _of(merchant_no, name), delivery.c.event_id.in_(list(numbers)), delivery.c.owner == owner
    )
    if unlocked and connection.dialect.name != "sqlite":
        # In a statement of its own: inside another one PostgreSQL looks and locks anew for each row.
        query = query.with_for_update(skip_locked=True)
    return connection.execute(query).scalars().all()


def _is_first() -> ColumnElement[bool]:
    """Whether no earlier change of the same payout waits."""
    first = delivery.alias()
    same = [first.c[name] == delivery.c[name] for name in ("merchant_no", "consumer", "trade_no")]
    # A look into the index for each row until enough are found; of an EXISTS PostgreSQL makes a join of all that waits.
    return select(func.min(first.c.event_id)).where(*same).scalar_subquery() == delivery.c.event_id


def _position(connection: Connection, merchant_no: str, name: str) -> int | None:
    where = consumer.c.merchant_no == merchant_no, consumer.c.name == name
    return connection.execute(select(consumer.c.position).where(*where)).scalar()


def _register(connection: Connection, merchant_no: str, name: str) -> None:
    end = _end(connection)
    values = {"merchant_no": merchant_no, "name": name, "position": end.position, "gaps": _gaps_text(end.gaps)}
    insert = insert_into(connection, consumer)
    connection.execute(insert.values(**values, created_at=clock()).on_conflict_do_nothing())


def _end(connection: Connection) -> Cursor:
    last: int = connection.execute(select(func.max(event.c.id))).scalar() or 0
    if connection.dialect.name == "sqlite":
        return Cursor(position=last)
    numbers = range(max(1, last - _LOOK_BACK), last + 1)
    there = set(connection.execute(select(event.c.id).where(event.c.id >= numbers.start, event.c.id <= last)).scalars())
    return Cursor(
        position=last, gaps=dict.fromkeys((n for n in numbers if n not in there), _next_transaction(connection))
    )


def _next_transaction(connection: Connection) -> str:
    """The number that no transaction has yet: whoever was given a number of history before has a lower one."""
    return str(connection.execute(text("SELECT txid_snapshot_xmax(txid_current_snapshot())")).scalar_one())


def _gaps_text(gaps: Mapping[int, str]) -> str:
    return json.dumps({str(number): since for number, since in gaps.items()})


def _cursor_of(position: int, gaps: str) -> Cursor:
    return Cursor(position=position, gaps={int(number): since for number, since in json.loads(gaps).items()})


def _steps(connection: Connection, after: Cursor, limit: int) -> tuple[Sequence[Row[Any]], Cursor]:
    """The steps of history behind *after*, at most so many, with those that fill its gaps; and how far that is."""
    alive = _alive(connection, after.gaps)
    behind = select(event).where(event.c.id > after.position).order_by(event.c.id).limit(limit).subquery()
    query = select(behind)
    if after.gaps:
        # One statement, and so one moment: a step that fills a gap comes before a later one of the same payout.
        query = union_all(query, select(event).where(_fills(after.gaps)))  # type: ignore[assignment]
    rows = sorted(connection.execute(query), key=lambda row: row.id)
    position = max([after.position, *(row.id for row in rows)])
    found = {row.id for row in rows}
    gaps = {number: since for number, since in alive.items() if number not in found}
    if connection.dialect.name != "sqlite":
        missed = [n for n in range(max(after.position + 1, position - _MOST_GAPS), position) if n not in found]
        gaps |= dict.fromkeys(missed, _next_transaction(connection)) if missed else {}
    return rows, Cursor(position=position, gaps=gaps)


def _fills(gaps: Mapping[int, str]) -> ColumnElement[bool]:
    """The gaps as one value: a statement takes no more than 65,535 of them, and a long transaction keeps all alive."""
    return event.c.id == func.any(cast(literal(list(gaps), postgresql.ARRAY(BigInteger)), postgresql.ARRAY(BigInteger)))


def _alive(connection: Connection, gaps: Mapping[int, str]) -> Mapping[int, str]:
    """Those gaps that a transaction may still fill. Looked at before they are looked for."""
    if not gaps:
        return gaps
    query = "SELECT txid_snapshot_xmin(s), txid_snapshot_xmax(s) FROM txid_current_snapshot() AS s"
    oldest, following = connection.execute(text(query)).one()
    # A number that no transaction has reached is of a server that this database was copied from.
    return {number: since for number, since in gaps.items() if oldest < int(since) <= following}


def _has_work(connection: Connection, merchant_no: str, name: str) -> bool:
    """Whether there is anything to look at or to lend, without writing."""
    where = consumer.c.merchant_no == merchant_no, consumer.c.name == name
    row = connection.execute(select(consumer.c.position, consumer.c.gaps).where(*where)).one_or_none()
    if row is None:
        return False
    last: int = connection.execute(select(func.max(event.c.id))).scalar() or 0
    if last != row.position or row.gaps != "{}":
        return True
    return connection.execute(_due(merchant_no, name).limit(1)).first() is not None


def _due(merchant_no: str, name: str) -> Any:
    due = or_(delivery.c.due_at <= clock(), delivery.c.due_at > clock() + _FARTHEST)
    return (
        select(delivery.c.event_id, delivery.c.tries)
        .where(_of(merchant_no, name), delivery.c.parked_at.is_(None), due, _is_first())
        .order_by(delivery.c.event_id)
    )


def _advance(connection: Connection, merchant_no: str, name: str) -> None:
    """Note what is to be told of the next steps of history, and move the position."""
    mine = consumer.c.merchant_no == merchant_no, consumer.c.name == name
    query = select(consumer.c.position, consumer.c.gaps).where(*mine)
    row = connection.execute(query.with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return  # Another process looks just now.
    last: int = connection.execute(select(func.max(event.c.id))).scalar() or 0
    before = _cursor_of(min(row.position, last), row.gaps)
    steps, after = _steps(connection, before, _STEPS)
    notes = [
        {
            "merchant_no": merchant_no,
            "consumer": name,
            "event_id": one.id,
            "trade_no": one.trade_no,
            "tries": 0,
            "due_at": 0.0,
        }
        for one in steps
        if one.merchant_no == merchant_no and _is_change(one)
    ]
    if notes:
        connection.execute(insert_into(connection, delivery).on_conflict_do_nothing(), notes)
    if (after.position, after.gaps) != (row.position, before.gaps):
        connection.execute(consumer.update().where(*mine).values(position=after.position, gaps=_gaps_text(after.gaps)))


def _is_change(row: Row[Any]) -> bool:
    before, after = statuses_of(event_of_row(row))
    return before is not after


def _lend(connection: Connection, merchant_no: str, name: str, *, owner: str, limit: int, seconds: float) -> list[Lent]:
    query = _due(merchant_no, name).limit(limit)
    if connection.dialect.name != "sqlite":
        query = query.with_for_update(skip_locked=True, of=delivery)
    tries = {row.event_id: row.tries for row in connection.execute(query)}
    if not tries:
        return []
    lent = delivery.update().where(_of(merchant_no, name), delivery.c.event_id.in_(list(tries)))
    connection.execute(lent.values(owner=owner, due_at=clock() + seconds))
    steps = connection.execute(select(event).where(event.c.id.in_(list(tries))).order_by(event.c.id)).all()
    return _told_of(connection, merchant_no, steps, tries)


def _told_of(
    connection: Connection, merchant_no: str, steps: Sequence[Row[Any]], tries: Mapping[int, int] | None = None
) -> list[Lent]:
    mine = [one for one in steps if one.merchant_no == merchant_no]
    entries = find(connection, {(one.merchant_no, one.trade_no) for one in mine})
    found = ((one.id, change_of(one.id, event_of_row(one), entries[one.merchant_no, one.trade_no])) for one in mine)
    return [
        Lent(number=number, change=change, tries=(tries or {}).get(number, 0))
        for number, change in found
        if change is not None
    ]


def _parked(connection: Connection, merchant_no: str, limit: int) -> list[Parked]:
    behind = delivery.alias()
    same = [behind.c[name] == delivery.c[name] for name in ("merchant_no", "consumer", "trade_no")]
    count = select(func.count()).where(*same, behind.c.event_id > delivery.c.event_id).scalar_subquery()
    query = (
        select(delivery, count.label("behind"))
        .where(delivery.c.merchant_no == merchant_no, delivery.c.parked_at.is_not(None))
        .order_by(delivery.c.parked_at, delivery.c.event_id)
        .limit(limit)
    )
    return [
        Parked(
            consumer=row.consumer,
            number=row.event_id,
            trade_no=row.trade_no,
            tries=row.tries,
            parked_at=datetime.fromtimestamp(row.parked_at, UTC),
            error=row.error,
            behind=row.behind,
        )
        for row in connection.execute(query)
    ]
