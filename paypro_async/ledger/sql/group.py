"""The requests of one transaction, decided one after the other and written together.

The core's lifecycle says what becomes of each entry, and one UPDATE and one INSERT write it for all, with one INSERT of
the history. Of a payout that is under way here the entry is known: this process wrote it last, so it is not read, and
the UPDATE finds none where another process has written since. What turns out to be otherwise than it was known is
rolled back, and the group is decided once more from what is read.

The order in which rows are locked is the same in every process (rows that are there, by number; then new ones, by
number; then the rates), so that two groups never wait for each other in a circle. Before all of them come the payments
that a claim must not share with another process (``queries.Payments``).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from attrs import frozen
from sqlalchemy import Connection, String, bindparam, exc, select, text

from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Change, Entry, applies, changed, claim_of, event_of, first_entry
from paypro_async.ledger.base import OrderNumberTakenError, Written, paid_meanwhile
from paypro_async.ledger.sql.encryption.values import cipher_of
from paypro_async.ledger.sql.group_commit import Request
from paypro_async.ledger.sql.moments import StaleError
from paypro_async.ledger.sql.queries import Payments
from paypro_async.ledger.sql.rows import (
    EVENT,
    FIXED,
    MUTABLE,
    SEEN,
    SELECT_ENTRY,
    Stamp,
    age_of,
    announced,
    entry_of,
    event_row,
    fixed,
    mutable,
    seen_of,
)
from paypro_async.ledger.sql.schema import CLOCK, clock, payout
from paypro_async.ledger.sql.shards.begun import Begun, withdrawn
from paypro_async.ledger.sql.statements import ONCE, Insert, Statement, Update

__all__ = ["Answer", "Claim", "Group", "Key", "Known", "Learn", "Move", "Work", "find"]

T = TypeVar("T")

Answer = Written | Exception | None
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
        first: Whether it is done before them: what is submitted later it does not see.
    """

    run: Callable[[Connection], T]
    writes: bool = False
    first: bool = False


@frozen
class Claim(Request[Written]):
    """A payout to store as attempt 1, unless its number is there."""

    intent: Intent

    @property
    def key(self) -> Key:
        """The payout's."""
        return self.intent.merchant_no, self.intent.trade_no


@frozen
class Move(Request[Written]):
    """A change to carry out, if the entry is still as its writer saw it."""

    change: Change

    @property
    def key(self) -> Key:
        """The payout's."""
        return self.change.merchant_no, self.change.trade_no

    @property
    def order_number(self) -> Key | None:
        """The merchant number and the platform's number of the order, if the change holds one."""
        number = self.change.platform_trade_no
        return None if number is None else (self.change.merchant_no, number)


@frozen
class Learn(Request[Written | None]):
    """Something that was learned of a payout, of which *decide* makes a change once the row is read and locked."""

    key: Key
    decide: Callable[[Entry], Change | None]


@frozen
class Known:
    """An entry as its row holds it.

    Args:
        entry: The entry.
        stamp: By whom and when its attempt was announced.
        seen: The row's values of ``SEEN``.
    """

    entry: Entry
    stamp: Stamp
    seen: tuple[Any, ...]


_OF_MERCHANT = SELECT_ENTRY.where(payout.c.merchant_no == bindparam("merchant", type_=String))
# A list as one value, so that the text is the same however long it is.
_KEYS = {
    "sqlite": _OF_MERCHANT.where(text("trade_no IN (SELECT value FROM json_each(:numbers))")),
    "postgresql": _OF_MERCHANT.where(text("trade_no = ANY(:numbers)")),
}
_SELECT_KEYS = Statement(_KEYS)
_LOCK_KEYS = Statement({name: one.order_by(payout.c.trade_no).with_for_update() for name, one in _KEYS.items()})
_NOW = Statement.everywhere(select(clock()))
_INSERT_PAYOUT = Insert((*FIXED, *MUTABLE), ONCE)
_INSERT_EVENT = Insert(EVENT, {"postgresql": f"RETURNING id, {CLOCK['postgresql']}"})
# The database refuses what is no longer so: another process may be writing.
_UPDATE_PAYOUT = Update(MUTABLE, (payout.c.merchant_no, payout.c.trade_no, *SEEN))
# Seconds. A group that decided by what it knew, and waited so long for others' locks, would write a time from before.
_PROMPT = 1.0
_NOTHING: Mapping[Key, Known] = MappingProxyType({})


def find(connection: Connection, keys: Iterable[Key], *, lock: bool = False) -> dict[Key, Entry]:
    """The entries of those keys that are there; with *lock* none changes until the transaction ends."""
    return {key: row.entry for key, row in _find(connection, keys, lock=lock).items()}


def _find(connection: Connection, keys: Iterable[Key], *, lock: bool) -> dict[Key, Known]:
    by_merchant: dict[str, list[str]] = {}
    for merchant_no, trade_no in sorted(keys):
        by_merchant.setdefault(merchant_no, []).append(trade_no)
    query = _LOCK_KEYS if lock else _SELECT_KEYS
    as_text, cipher = connection.dialect.name == "sqlite", cipher_of(connection)
    return {
        (row.merchant_no, row.trade_no): Known(
            entry_of(row, cipher), (row.owner, row.sent_boot, row.sent_steady), seen_of(row)
        )
        for merchant_no, numbers in by_merchant.items()
        for row in query.run(connection, merchant=merchant_no, numbers=json.dumps(numbers) if as_text else numbers)
    }


class Group:
    """What one transaction does to payouts.

    Args:
        requests: Claims and changes, in the order in which they were asked for.
        owner: The name under which what the group announces is known, with a number for each request, should its
            commit be in doubt and it be done once more.
        began: The database's clock, read in this transaction, in seconds since 1970.
        restored_since: Since when the ledger is known to be a restored backup, on the same clock; else None.
        known: What this process wrote last of payouts under way, and by which it decides; None to read all first.
        look_first: Whether to look who has the platform's order numbers, since one that is taken has failed the group.

    Attributes:
        rows: What stands in the ledger now, of the payouts that the group speaks of.
        last_event: After ``carry_out``, the number of the last step of history that it wrote; None if it wrote none.
    """

    def __init__(
        self,
        connection: Connection,
        requests: Sequence[Claim | Move | Learn],
        *,
        owner: str,
        began: float,
        restored_since: float | None = None,
        known: Mapping[Key, Known] | None = None,
        look_first: bool = False,
    ) -> None:
        self._connection = connection
        self._requests = requests
        self._owner = owner
        self._now = datetime.fromtimestamp(began, UTC)
        self._restored_since = datetime.fromtimestamp(restored_since, UTC) if restored_since else None
        self._trusting = known is not None
        self._known = known or _NOTHING
        self._look_first = look_first
        self._numbers: dict[Key, str] = {}
        self._shared = connection.dialect.name != "sqlite"
        self._inserts: dict[Key, tuple[Any, ...]] = {}
        self._updates: list[dict[Key, tuple[Any, ...]]] = []
        self._events: list[tuple[Key, tuple[Any, ...]]] = []
        self._payments: Payments | None = None
        self._begun: Begun | None = None
        self.rows: dict[Key, Known] = {}
        self.last_event: int | None = None

    def carry_out(self) -> list[Answer]:
        """Do it all, but for the commit; an answer for each request, in their order.

        Raises:
            StaleError: If something is not as it was *known*.
        """
        guarded = [one.intent for one in self._requests if isinstance(one, Claim) and one.intent.others is not None]
        if guarded:
            # Before any row is read: what another process claims of them is committed by then, and seen.
            self._payments = Payments(self._connection, guarded)
        planned = [one.intent for one in self._requests if isinstance(one, Claim) and one.intent.planned]
        if planned:
            self._begun = Begun(self._connection, planned)
        self._read()
        if self._look_first:
            self._numbers = self._find_numbers()
        answers = [self._decide(request, f"{self._owner}:{number}") for number, request in enumerate(self._requests)]
        self._update()
        lost = self._insert()
        self._add_events(lost)
        if lost:
            answers = [
                Written(lost[request.key], done=False) if request.key in lost else answer
                for request, answer in zip(self._requests, answers, strict=True)
            ]
        if self._begun is not None:
            asked = zip(self._requests, answers, strict=True)
            self._begun.settle([(one.intent, answer) for one, answer in asked if isinstance(one, Claim)])
        return answers

    def _read(self) -> None:
        """Find the entries that are not known, and lock those that are to be changed."""
        moving = {request.key for request in self._requests if not isinstance(request, Claim)}
        # What is learned is decided from the row itself: there may be nothing to write, which no UPDATE would doubt.
        learning = {request.key for request in self._requests if isinstance(request, Learn)}
        self.rows = {key: self._known[key] for key in moving - learning if key in self._known}
        unknown = moving - self.rows.keys()
        if self._trusting and not unknown:
            return
        # All of them where they are locked, since that has its order.
        self.rows |= _find(self._connection, moving if self._shared else unknown, lock=self._shared)
        if not self._trusting:
            claiming = {request.key for request in self._requests if isinstance(request, Claim)} - moving
            self.rows |= _find(self._connection, claiming, lock=False)
        if self._shared:
            # After the locks: a process that waited for one must not write a time from before.
            self._now = datetime.fromtimestamp(_NOW.first(self._connection)[0], UTC)

    def _moves(self) -> Iterator[Move]:
        """The changes that are asked for, and those that would be made of what was learned, of the rows as they are."""
        for request in self._requests:
            if isinstance(request, Move):
                yield request
            elif isinstance(request, Learn) and (row := self.rows.get(request.key)) is not None:
                with suppress(Exception):  # which its caller hears of when its turn comes
                    if (change := request.decide(row.entry)) is not None:
                        yield Move(change)

    def _find_numbers(self) -> dict[Key, str]:
        """The trade number of each order number that the changes hold and the ledger has."""
        wanted = {move.order_number for move in self._moves()} - {None}
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

    def _decide(self, request: Claim | Move | Learn, owner: str) -> Answer:
        row = self.rows.get(request.key)
        if isinstance(request, Learn):
            return self._learn(row, request, owner)
        if isinstance(request, Claim):
            if row is None:
                return self._claim(request, owner)
            # Ours already, if the commit of the last try went through and its answer did not.
            return Written(row.entry, done=row.stamp[0] == owner and row.entry.attempt > 0)
        if row is None:
            return KeyError(request.change.trade_no)
        if not applies(row.entry, request.change):
            if row is self._known.get(request.key):
                raise StaleError  # Its writer may know of it from another process.
            return Written(row.entry, done=request.change.begins and row.stamp[0] == owner)
        if self._look_first and request.order_number is not None and row.entry.settle_after is not None:
            number_of = self._numbers.get(request.order_number, request.change.trade_no)
            if number_of != request.change.trade_no:
                return OrderNumberTakenError(request.change.trade_no)
            # One that had another number gives that one up.
            self._numbers.pop((request.change.merchant_no, row.entry.platform_trade_no or ""), None)
            self._numbers[request.order_number] = number_of
        return self._move(row, request, owner)

    def _learn(self, row: Known | None, learn: Learn, owner: str) -> Answer:
        if row is None:
            return None
        try:
            change = learn.decide(row.entry)
        except Exception as error:  # noqa: BLE001  it is the answer to this caller, not a failure of the group
            return error
        return Written(row.entry, done=False) if change is None else self._decide(Move(change), owner)

    def _claim(self, claim: Claim, owner: str) -> Answer:
        key = claim.key
        if claim.intent.planned and self._begun is not None and not self._begun.has(claim.intent):
            if self._trusting:
                raise StaleError  # It may be there already.
            return withdrawn(claim.intent)
        if self._payments is not None:
            if (other := self._payments.one_too_many(claim.intent)) is not None:
                if self._trusting:
                    raise StaleError  # It may be there already, and be counted itself.
                return paid_meanwhile(claim.intent, other)
            self._payments.add(claim.intent)
        entry = first_entry(claim.intent, self._now, restored_since=self._restored_since)
        # In a restored ledger nothing is announced, so that no process sends before asking. The owner is kept all the
        # same, to know the row again.
        stamp = announced(owner, shared=self._shared) if entry.attempt else (owner, None, None)
        values = mutable(entry, stamp)
        self.rows[key] = Known(entry, stamp, values[: len(SEEN)])
        self._inserts[key] = (*fixed(entry, cipher_of(self._connection)), *values)
        self._events.append((key, event_row(entry, claim_of(entry))))
        return Written(entry, done=entry.attempt > 0)

    def _move(self, row: Known, move: Move, owner: str) -> Written:
        key, change = move.key, move.change
        age = age_of(row.stamp, row.entry.sent_at.timestamp(), self._now.timestamp())
        entry = changed(row.entry, change, self._now, age=age)
        stamp = announced(owner, shared=self._shared) if change.begins else row.stamp
        values = mutable(entry, stamp)
        self.rows[key] = Known(entry, stamp, values[: len(SEEN)])
        if key in self._inserts:
            self._inserts[key] = (*self._inserts[key][: len(FIXED)], *values)
        else:
            # One statement changes a row once.
            rows = next((rows for rows in self._updates if key not in rows), None)
            if rows is None:
                self._updates.append(rows := {})
            rows[key] = (*values, *key, *row.seen)
        self._events.append((key, event_row(entry, event_of(row.entry, entry, change))))
        return Written(entry, done=True)

    def _update(self) -> None:
        for rows in self._updates:
            if _UPDATE_PAYOUT.run(self._connection, [rows[key] for key in sorted(rows)]) == len(rows):
                continue
            if self._trusting:
                raise StaleError
            raise exc.OperationalError("an entry changed under its own transaction", None, Exception("changed"))

    def _insert(self) -> Mapping[Key, Entry]:
        """Write the new payouts; those that were there already, or were claimed elsewhere a moment ago, as they are."""
        if not self._inserts:
            return {}
        rows = [self._inserts[key] for key in sorted(self._inserts)]
        if _INSERT_PAYOUT.run(self._connection, rows).rowcount == len(rows):
            return {}
        found = _find(self._connection, self._inserts, lock=False)
        lost = {key: row for key, row in found.items() if row.stamp[0] != self.rows[key].stamp[0]}
        self.rows |= lost
        return {key: row.entry for key, row in lost.items()}

    def _add_events(self, lost: Mapping[Key, Entry]) -> None:
        rows = [values for key, values in self._events if key not in lost]
        if not rows:
            return
        added = _INSERT_EVENT.run(self._connection, rows)
        if not self._shared:
            self.last_event = added.lastrowid
            return
        self.last_event, ended = added.fetchall()[-1]
        if self._trusting and ended - self._now.timestamp() > _PROMPT:
            raise StaleError
