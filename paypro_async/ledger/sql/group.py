"""The requests of one transaction, decided one after the other and written together.

One SELECT finds every entry that the group speaks of, the core's lifecycle says what becomes of it, and one INSERT and
one UPDATE per kind write it. The order in which rows are locked is the same in every process (rows that are there, by
number; then new ones, by number; then the rates), so that two groups never wait for each other in a circle. Before all
of them come the payments that a claim must not share with another process (``queries.Payments``).
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from attrs import field, frozen
from sqlalchemy import Connection, Select, String, bindparam, exc, select, text
from sqlalchemy.dialects import postgresql, sqlite

from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Change, Entry, applies, changed, claim_of, event_of, first_entry
from paypro_async.errors import PaidMeanwhileError
from paypro_async.ledger.base import OrderNumberTakenError, Written, paid_meanwhile
from paypro_async.ledger.sql.group_commit import Request
from paypro_async.ledger.sql.queries import Payments
from paypro_async.ledger.sql.rows import MUTABLE, Stamp, announced, entry_of, event_row, fixed, mutable
from paypro_async.ledger.sql.schema import clock, event, payout
from paypro_async.ledger.sql.statements import Statement

__all__ = ["SELECT_ENTRY", "Answer", "Claim", "Group", "Key", "Move", "Work", "find"]

T = TypeVar("T")

Answer = Written | KeyError | OrderNumberTakenError | PaidMeanwhileError
"""What a claim or a change gives its caller; an error is raised to that one alone."""

Key = tuple[str, str]
"""A merchant number and a trade number."""


@frozen
class Work(Request[T], Generic[T]):
    """Something to do in a transaction after the claims and changes of the group.

    Args:
        run: Called with the connection. What it returns is the answer; an exception that it returns is raised to this
            caller alone, and one that it raises ends the group.
        writes: Whether it changes anything.
    """

    run: Callable[[Connection], T]
    writes: bool = False


@frozen
class Claim(Request[Written]):
    """A payout to store as attempt 1, unless its number is there.

    Args:
        intent: The payout.
        owner: The name under which this claim is known, should its commit be in doubt and it be done once more.
    """

    intent: Intent
    owner: str
    key: Key = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "key", (self.intent.merchant_no, self.intent.trade_no))


@frozen
class Move(Request[Written]):
    """A change to carry out, if the entry is still as its writer saw it.

    Args:
        change: What happens to the entry.
        owner: The name under which the attempt is known that it announces, if it announces one.
    """

    change: Change
    owner: str
    key: Key = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "key", (self.change.merchant_no, self.change.trade_no))

    @property
    def order_number(self) -> Key | None:
        """The merchant number and the platform's number of the order, if the change holds one."""
        number = self.change.platform_trade_no
        return None if number is None else (self.change.merchant_no, number)


SELECT_ENTRY: Select[Any] = select(payout, clock().label("clock"))
_OF_MERCHANT = SELECT_ENTRY.where(payout.c.merchant_no == bindparam("merchant", type_=String))
# A list as one value, so that the text is the same however long it is.
_KEYS = {
    "sqlite": _OF_MERCHANT.where(text("trade_no IN (SELECT value FROM json_each(:numbers))")),
    "postgresql": _OF_MERCHANT.where(text("trade_no = ANY(:numbers)")),
}
_SELECT_KEYS = Statement(_KEYS)
_LOCK_KEYS = Statement({name: one.order_by(payout.c.trade_no).with_for_update() for name, one in _KEYS.items()})
_INSERT_PAYOUT = Statement(
    {
        "sqlite": sqlite.insert(payout).on_conflict_do_nothing(),
        "postgresql": postgresql.insert(payout).on_conflict_do_nothing(),
    }
)
_INSERT_EVENT = Statement.everywhere(
    event.insert().values({column.name: bindparam(column.name) for column in event.c if column.name != "id"})
)
_UPDATE_PAYOUT = Statement.everywhere(
    payout.update()
    .where(
        payout.c.merchant_no == bindparam("key_merchant"),
        payout.c.trade_no == bindparam("key_trade"),
        # The database refuses what is no longer so: another process may be writing.
        payout.c.state == bindparam("seen_state"),
        payout.c.attempt == bindparam("seen_attempt"),
    )
    .values({name: bindparam(f"new_{name}") for name in MUTABLE})
)
_NOW = Statement.everywhere(select(clock()))
_LAST_EVENT = Statement({"sqlite": text("SELECT last_insert_rowid()"), "postgresql": text("SELECT lastval()")})


@frozen
class _Row:
    entry: Entry
    stamp: Stamp


def find(connection: Connection, keys: Iterable[Key], *, lock: bool = False) -> dict[Key, Entry]:
    """The entries of those keys that are there; with *lock* none changes until the transaction ends."""
    return {key: row.entry for key, row in _find(connection, keys, lock=lock).items()}


def _find(connection: Connection, keys: Iterable[Key], *, lock: bool) -> dict[Key, _Row]:
    by_merchant: dict[str, list[str]] = {}
    for merchant_no, trade_no in sorted(keys):
        by_merchant.setdefault(merchant_no, []).append(trade_no)
    query = _LOCK_KEYS if lock else _SELECT_KEYS
    as_text = connection.dialect.name == "sqlite"
    return {
        (row.merchant_no, row.trade_no): _Row(entry_of(row), (row.owner, row.sent_boot, row.sent_steady))
        for merchant_no, numbers in by_merchant.items()
        for row in query.run(connection, merchant=merchant_no, numbers=json.dumps(numbers) if as_text else numbers)
    }


class Group:
    """What one transaction does to payouts.

    Args:
        requests: Claims and changes, in the order in which they were asked for.
        restored_since: Since when the ledger is known to be a restored backup, in seconds since 1970; else None.
        look_first: Whether to look who has the platform's order numbers, since one that is taken has failed the group.

    Attributes:
        last_event: After ``carry_out``, the number of the last step of history that it wrote; None if it wrote none.
    """

    def __init__(
        self,
        connection: Connection,
        requests: Sequence[Claim | Move],
        restored_since: float | None,
        *,
        look_first: bool = False,
    ) -> None:
        self._connection = connection
        self._requests = requests
        self._restored_since = datetime.fromtimestamp(restored_since, UTC) if restored_since else None
        self._look_first = look_first
        self._numbers: dict[Key, str] = {}
        self._shared = connection.dialect.name != "sqlite"
        self._rows: dict[Key, _Row] = {}
        self._inserts: dict[Key, dict[str, Any]] = {}
        self._updates: list[dict[str, Any]] = []
        self._events: list[tuple[Key, dict[str, Any]]] = []
        self._now = datetime.fromtimestamp(0, UTC)
        self._payments: Payments | None = None
        self.last_event: int | None = None

    def carry_out(self) -> list[Answer]:
        """Do it all, but for the commit; an answer for each request, in their order."""
        guarded = [one.intent for one in self._requests if isinstance(one, Claim) and one.intent.others is not None]
        if guarded:
            # Before any row is read: what another process claims of them is committed by then, and seen.
            self._payments = Payments(self._connection, guarded)
        moving = {request.key for request in self._requests if isinstance(request, Move)}
        claiming = {request.key for request in self._requests if isinstance(request, Claim)} - moving
        self._rows = _find(self._connection, moving, lock=self._shared) | _find(self._connection, claiming, lock=False)
        # After the locks: a process that waited for one must not write a time from before.
        self._now = datetime.fromtimestamp(_NOW.run(self._connection).scalar_one(), UTC)
        if self._look_first:
            self._numbers = self._find_numbers()
        answers = [self._decide(request) for request in self._requests]
        lost = self._insert()
        self._update()
        events = [values for key, values in self._events if key not in lost]
        if events:
            _INSERT_EVENT.run_many(self._connection, events)
            self.last_event = _LAST_EVENT.run(self._connection).scalar_one()
        return [
            Written(lost[request.key], done=False) if request.key in lost else answer
            for request, answer in zip(self._requests, answers, strict=True)
        ]

    def _find_numbers(self) -> dict[Key, str]:
        """The trade number of each order number that the changes hold and the ledger has."""
        wanted = {move.order_number for move in self._requests if isinstance(move, Move)} - {None}
        found: dict[Key, str] = {}
        for merchant_no in sorted({merchant_no for merchant_no, _ in filter(None, wanted)}):
            numbers = [number for merchant, number in filter(None, wanted) if merchant == merchant_no]
            query = select(payout.c.platform_trade_no, payout.c.trade_no).where(
                payout.c.merchant_no == merchant_no,
                payout.c.platform_trade_no.in_(numbers),
                payout.c.settle_after.is_not(None),
            )
            found |= {(merchant_no, number): trade_no for number, trade_no in self._connection.execute(query)}
        return found

    def _decide(self, request: Claim | Move) -> Answer:
        row = self._rows.get(request.key)
        if isinstance(request, Claim):
            # Ours already, if the commit of the last try went through and its answer did not.
            ours = row is not None and row.stamp[0] == request.owner and row.entry.attempt > 0
            return Written(row.entry, done=ours) if row else self._claim(request)
        if row is None:
            return KeyError(request.change.trade_no)
        if not applies(row.entry, request.change):
            return Written(row.entry, done=request.change.begins and row.stamp[0] == request.owner)
        if self._look_first and request.order_number is not None and row.entry.settle_after is not None:
            owner = self._numbers.get(request.order_number, request.change.trade_no)
            if owner != request.change.trade_no:
                return OrderNumberTakenError(request.change.trade_no)
            # One that had another number gives that one up.
            self._numbers.pop((request.change.merchant_no, row.entry.platform_trade_no or ""), None)
            self._numbers[request.order_number] = owner
        return self._move(row, request)

    def _claim(self, claim: Claim) -> Written | PaidMeanwhileError:
        if self._payments is not None:
            if (other := self._payments.one_too_many(claim.intent)) is not None:
                return paid_meanwhile(claim.intent, other)
            self._payments.add(claim.intent)
        entry = first_entry(claim.intent, self._now, restored_since=self._restored_since)
        # In a restored ledger nothing is announced, so that no process sends before asking. The owner is kept all the
        # same, to know the row again.
        stamp = announced(claim.owner, shared=self._shared) if entry.attempt else (claim.owner, None, None)
        self._rows[claim.key] = _Row(entry, stamp)
        self._inserts[claim.key] = fixed(entry) | mutable(entry, stamp)
        self._events.append((claim.key, event_row(entry, claim_of(entry))))
        return Written(entry, done=entry.attempt > 0)

    def _move(self, row: _Row, move: Move) -> Written:
        seen, change = row.entry, move.change
        entry = changed(seen, change, self._now)
        stamp = announced(move.owner, shared=self._shared) if change.begins else row.stamp
        self._rows[move.key] = _Row(entry, stamp)
        self._updates.append(
            {
                "key_merchant": entry.merchant_no,
                "key_trade": entry.trade_no,
                "seen_state": seen.state.value,
                "seen_attempt": seen.attempt,
                **{f"new_{name}": value for name, value in mutable(entry, stamp).items()},
            }
        )
        self._events.append((move.key, event_row(entry, event_of(entry, change))))
        return Written(entry, done=True)

    def _insert(self) -> Mapping[Key, Entry]:
        """Write the new payouts; those that another process claimed a moment ago, as it wrote them."""
        if not self._inserts:
            return {}
        rows = [self._inserts[key] for key in sorted(self._inserts)]
        done = _INSERT_PAYOUT.run_many(self._connection, rows)
        if not self._shared or done.rowcount == len(rows):
            return {}
        found = _find(self._connection, self._inserts, lock=False)
        return {key: row.entry for key, row in found.items() if row.stamp[0] != self._inserts[key]["owner"]}

    def _update(self) -> None:
        if not self._updates:
            return
        done = _UPDATE_PAYOUT.run_many(self._connection, self._updates)
        if done.rowcount != len(self._updates):
            raise exc.OperationalError("an entry changed under its own transaction", None, Exception("changed"))
