"""The durable ledger: SQLAlchemy Core on one writer thread.

Each group of requests is read, decided and written in one transaction: one SELECT finds every entry that the group
speaks of, the core's lifecycle says what becomes of it, and at most one INSERT and one UPDATE per kind write it.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import anyio.to_thread
from attrs import frozen
from sqlalchemy import Connection, Row, bindparam, exc, select
from sqlalchemy.dialects import sqlite

from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import FINAL, Cause, Change, Entry, Reply, State, applies, changed, first_entry
from paypro_async._core.money import amount_text
from paypro_async.errors import LedgerUnavailableError
from paypro_async.ledger.base import Account, Moved, refuse_other_environment
from paypro_async.ledger.database import Database
from paypro_async.ledger.schema import account, clock, event, payout
from paypro_async.ledger.writer import GroupCommit

__all__ = ["SqlLedger"]

_Key = tuple[str, str]


@frozen
class _Read:
    """Something to read in the writer thread."""

    run: Callable[[Connection], Any]


_INSERT_EVENT = event.insert()
_INSERT_PAYOUT = payout.insert()
_UPDATE_PAYOUT = (
    payout.update()
    .where(
        payout.c.merchant_no == bindparam("key_merchant"),
        payout.c.trade_no == bindparam("key_trade"),
        # The database refuses what is no longer so, whoever writes beside us.
        payout.c.state == bindparam("seen_state"),
        payout.c.attempt == bindparam("seen_attempt"),
    )
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                "state",
                "attempt",
                "sent_at",
                "doubt",
                "reply",
                "code",
                "message",
                "platform_trade_no",
                "utr",
                "updated_at",
            )
        }
    )
)


class SqlLedger:
    """Payouts in an SQLite file that survives ``kill -9`` and power loss. Several processes may share the file.

    Args:
        url: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``. The file is made if it is not there, readable by
            its owner only, since it holds names and account numbers.
        busy_timeout: Seconds to wait for another process that is writing.
    """

    def __init__(self, url: str, *, busy_timeout: float = 10.0) -> None:
        self._database = Database(url, busy_timeout=busy_timeout)
        self._writer: GroupCommit | None = None

    async def open(self, account: Account) -> None:
        """Make the file ready for *account* and start the writer."""
        if self._writer is None:
            self._writer = GroupCommit(self._work, name="paypro-ledger")
        await self._submit(account)

    async def claim(self, intent: Intent) -> Moved:
        """Store *intent* as attempt 1, unless its trade number is there already."""
        moved: Moved = await self._submit(intent)
        return moved

    async def move(self, change: Change) -> Moved:
        """Carry out *change* if the entry is still as its writer saw it."""
        moved: Moved = await self._submit(change)
        return moved

    async def get(self, merchant_no: str, trade_no: str) -> Entry | None:
        """The entry, or None."""
        return (await self.get_many(merchant_no, [trade_no])).get(trade_no)

    async def get_many(self, merchant_no: str, trade_nos: Sequence[str]) -> dict[str, Entry]:
        """The entries of those numbers that are there."""

        def read(connection: Connection) -> dict[str, Entry]:
            found = _find(connection, [(merchant_no, one) for one in trade_nos])
            return {trade_no: entry for (_, trade_no), entry in found.items()}

        entries: dict[str, Entry] = await self._submit(_Read(read))
        return entries

    async def open_entries(self, merchant_no: str, *, after: str = "", limit: int = 500) -> list[Entry]:
        """A page of the entries that are not final."""
        query = (
            _SELECT_ENTRY.where(
                payout.c.merchant_no == merchant_no,
                payout.c.trade_no > after,
                payout.c.state.not_in(sorted(state.value for state in FINAL)),
            )
            .order_by(payout.c.trade_no)
            .limit(limit)
        )
        rows: list[Entry] = await self._submit(_Read(lambda c: [_entry(row) for row in c.execute(query)]))
        return rows

    async def same_content(self, merchant_no: str, fingerprints: Sequence[str]) -> dict[str, list[str]]:
        """The trade numbers that pay the same to the same, by fingerprint."""
        query = select(payout.c.fingerprint, payout.c.trade_no).where(
            payout.c.merchant_no == merchant_no, payout.c.fingerprint.in_(list(fingerprints))
        )

        def read(connection: Connection) -> dict[str, list[str]]:
            found: dict[str, list[str]] = {}
            for fingerprint, trade_no in connection.execute(query):
                found.setdefault(fingerprint, []).append(trade_no)
            return found

        numbers: dict[str, list[str]] = await self._submit(_Read(read))
        return numbers

    async def aclose(self) -> None:
        """Write what waits and close the file."""
        if self._writer is not None:
            await self._writer.aclose()
            await anyio.to_thread.run_sync(self._database.close)  # it may flush what the log holds
            self._writer = None

    async def _submit(self, request: Any) -> Any:
        if self._writer is None:
            raise LedgerUnavailableError("The ledger is not open. Nothing was sent; open the client first.")
        return await self._writer.submit(request)

    # What follows runs in the writer thread.

    def _work(self, requests: Sequence[Any]) -> list[Any]:
        writes = any(not isinstance(request, _Read) for request in requests)
        try:
            with self._database.transaction(write=writes) as connection:
                return _carry_out(connection, requests)
        except exc.SQLAlchemyError as error:
            unavailable = self._database.unavailable(error)
        # Out here, so that the database's error, which holds personal values, is not the context of this one.
        raise unavailable


def _carry_out(connection: Connection, requests: Sequence[Any]) -> list[Any]:
    keys = {(request.merchant_no, request.trade_no) for request in requests if isinstance(request, Intent | Change)}
    group = _Group(_find(connection, sorted(keys)), _now(connection) if keys else 0.0)
    results: list[Any] = []
    for request in requests:
        if isinstance(request, Intent):
            results.append(group.claim(request))
        elif isinstance(request, Change):
            results.append(group.move(request))
        elif isinstance(request, Account):
            results.append(_bind(connection, request))
        else:
            results.append(None)
    group.write(connection)
    # Reads come last, so that they see what the group wrote.
    return [
        request.run(connection) if isinstance(request, _Read) else result
        for request, result in zip(requests, results, strict=True)
    ]


class _Group:
    """The requests of one transaction, decided one after the other and written together."""

    def __init__(self, entries: dict[_Key, Entry], now: float) -> None:
        self._entries = entries
        self._now = now
        self._inserts: list[dict[str, Any]] = []
        self._updates: list[dict[str, Any]] = []
        self._events: list[dict[str, Any]] = []

    def claim(self, intent: Intent) -> Moved:
        key = intent.merchant_no, intent.trade_no
        if key in self._entries:
            return Moved(self._entries[key], done=False)
        entry = self._entries[key] = first_entry(intent, datetime.fromtimestamp(self._now, UTC))
        self._inserts.append(
            _mutable(entry, self._now)
            | {
                "merchant_no": entry.merchant_no,
                "trade_no": entry.trade_no,
                "region": entry.region,
                "fingerprint": entry.fingerprint,
                "amount": amount_text(entry.amount),
                "currency": entry.currency,
                "content": json.dumps(dict(entry.content), ensure_ascii=False, separators=(",", ":")),
                "created_at": self._now,
            }
        )
        self._note(entry, None, Cause.ATTEMPT)
        return Moved(entry, done=True)

    def move(self, change: Change) -> Moved | KeyError:
        key = change.merchant_no, change.trade_no
        seen = self._entries.get(key)
        if seen is None:
            return KeyError(change.trade_no)
        if not applies(seen, change):
            return Moved(seen, done=False)
        entry = self._entries[key] = changed(seen, change, datetime.fromtimestamp(self._now, UTC))
        new = {f"new_{name}": value for name, value in _mutable(entry, self._now).items()}
        self._updates.append(
            {
                "key_merchant": entry.merchant_no,
                "key_trade": entry.trade_no,
                "seen_state": seen.state.value,
                "seen_attempt": seen.attempt,
                **new,
            }
        )
        self._note(entry, seen.state, change.cause)
        return Moved(entry, done=True)

    def write(self, connection: Connection) -> None:
        if self._inserts:
            connection.execute(_INSERT_PAYOUT, self._inserts)
        if self._updates:
            done = connection.execute(_UPDATE_PAYOUT, self._updates)
            if done.rowcount != len(self._updates):
                raise exc.OperationalError("an entry changed under its own transaction", None, Exception("changed"))
        if self._events:
            connection.execute(_INSERT_EVENT, self._events)

    def _note(self, entry: Entry, before: State | None, cause: Cause) -> None:
        self._events.append(
            {
                "merchant_no": entry.merchant_no,
                "trade_no": entry.trade_no,
                "at": self._now,
                "from_state": before.value if before else None,
                "to_state": entry.state.value,
                "cause": cause.value,
                "attempt": entry.attempt,
                "code": entry.code,
            }
        )


_SELECT_ENTRY = select(payout, clock().label("clock"))
_SELECT_KEYS = _SELECT_ENTRY.where(
    payout.c.merchant_no == bindparam("merchant"), payout.c.trade_no.in_(bindparam("numbers", expanding=True))
)


def _now(connection: Connection) -> float:
    now: float = connection.execute(select(clock())).scalar_one()
    return now


def _find(connection: Connection, keys: Sequence[_Key]) -> dict[_Key, Entry]:
    by_merchant: dict[str, list[str]] = {}
    for merchant_no, trade_no in keys:
        by_merchant.setdefault(merchant_no, []).append(trade_no)
    return {
        (row.merchant_no, row.trade_no): _entry(row)
        for merchant_no, numbers in by_merchant.items()
        for row in connection.execute(_SELECT_KEYS, {"merchant": merchant_no, "numbers": numbers})
    }


def _bind(connection: Connection, who: Account) -> Exception | None:
    connection.execute(
        sqlite.insert(account).values(merchant_no=who.merchant_no, environment=who.environment).on_conflict_do_nothing()
    )
    known = connection.execute(
        select(account.c.environment).where(account.c.merchant_no == who.merchant_no)
    ).scalar_one()
    try:
        refuse_other_environment(known, who)
    except Exception as error:  # noqa: BLE001  it is the answer to this caller, not a failure of the group
        return error
    return None


def _mutable(entry: Entry, now: float) -> dict[str, Any]:
    return {
        "state": entry.state.value,
        "attempt": entry.attempt,
        "sent_at": entry.sent_at.timestamp(),
        "doubt": entry.doubt,
        "reply": entry.reply.value if entry.reply else None,
        "code": entry.code,
        "message": entry.message and entry.message.encode("utf-8", "replace").decode(),
        "platform_trade_no": entry.platform_trade_no,
        "utr": entry.utr,
        "updated_at": now,
    }


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        merchant_no=row.merchant_no,
        trade_no=row.trade_no,
        region=row.region,
        fingerprint=row.fingerprint,
        amount=Decimal(row.amount),
        currency=row.currency,
        content=json.loads(row.content),
        state=State(row.state),
        attempt=row.attempt,
        sent_at=datetime.fromtimestamp(row.sent_at, UTC),
        age=row.clock - row.sent_at,
        doubt=row.doubt,
        reply=Reply(row.reply) if row.reply else None,
        code=row.code,
        message=row.message,
        platform_trade_no=row.platform_trade_no,
        utr=row.utr,
    )
