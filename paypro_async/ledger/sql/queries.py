"""What a ledger holds beside payouts and their history: accounts, batches, rates; and the look at equal payments."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, String, bindparam, case, func, select, text
from sqlalchemy.sql.expression import TextClause

from paypro_async._core.bounds import LONGEST, cut
from paypro_async._core.intent import Intent
from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import PAID_NOTHING, Entry, Reply, State
from paypro_async._core.payment_key import payment_key
from paypro_async.ledger.base import (
    MOST_KEPT,
    Account,
    BatchRecord,
    ControlAnswer,
    KeptCallback,
    Payment,
    refuse_other_environment,
)
from paypro_async.ledger.sql.encryption.values import cipher_of, opened
from paypro_async.ledger.sql.rows import SELECT_ENTRY, entry_of
from paypro_async.ledger.sql.schema import IS_OPEN, account, batch, callback, clock, pace, payout
from paypro_async.ledger.sql.statements import Statement, insert_into

__all__ = [
    "Payments",
    "accounts",
    "batches",
    "bind",
    "control_answer",
    "count_open",
    "decided_failures",
    "holds_payouts",
    "keep_callback",
    "kept_callbacks",
    "known_numbers",
    "note_reconciled",
    "open_entries",
    "recent_refusals",
    "reconciled_to",
    "record_batch",
    "record_control",
    "reserve",
    "same_payments",
]

_Key = tuple[str, str | None]
"""A merchant number and a payment key."""

# PostgreSQL takes a pair of numbers for a lock; this one tells ours from those of others.
_OURS = 0x70617970
_LOCK = "SELECT pg_advisory_xact_lock(CAST(:ours AS integer), one) FROM unnest(CAST(:locks AS integer[])) AS one"

_COUNTED = ", ".join(sorted(f"'{state.value}'" for state in PAID_NOTHING))
_OF_MERCHANT: Select[Any] = (
    select(
        payout.c.payment_key, payout.c.batch_id, func.count().label("payouts"), func.max(payout.c.trade_no).label("one")
    )
    .where(
        payout.c.merchant_no == bindparam("merchant", type_=String),
        text(f"state NOT IN ({_COUNTED})"),
    )
    .group_by(payout.c.payment_key, payout.c.batch_id)
)
_COUNT = Statement(
    {
        "sqlite": _OF_MERCHANT.where(text("payment_key IN (SELECT value FROM json_each(:keys))")),
        "postgresql": _OF_MERCHANT.where(text("payment_key = ANY(:keys)")),
    }
)
_MOST_COUNTED = 100_000
# Seconds: a turn that is farther ahead was not taken by this clock.
_FARTHEST = 60.0
_DAY = 86_400.0
# Without values, so that SQLite sees that the index of these serves.
_IS_DECIDED = text(f"state = '{State.FAILED.value}' AND reply = '{Reply.DECIDED.value}'")


def bind(connection: Connection, given: Account) -> Exception | None:
    """Bind a merchant to its environment; the answer to a caller whose environment is another."""
    values = {"merchant_no": given.merchant_no, "environment": given.environment}
    connection.execute(insert_into(connection, account).values(values).on_conflict_do_nothing())
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


def known_numbers(connection: Connection, merchant_no: str, trade_nos: Sequence[str]) -> set[str]:
    """Those of these numbers that the ledger holds."""
    query = select(payout.c.trade_no).where(payout.c.merchant_no == merchant_no, payout.c.trade_no.in_(list(trade_nos)))
    return set(connection.execute(query).scalars())


def holds_payouts(connection: Connection, merchant_no: str) -> bool:
    """Whether the ledger has ever been paid from for this merchant."""
    query = select(payout.c.trade_no).where(payout.c.merchant_no == merchant_no).limit(1)
    return connection.execute(query).scalar() is not None


def control_answer(connection: Connection, merchant_no: str) -> ControlAnswer | None:
    """What the platform answers this merchant about a number that was never used."""
    query = select(account.c.control_code, clock() - account.c.control_at).where(account.c.merchant_no == merchant_no)
    code, age = connection.execute(query).one_or_none() or (None, None)
    return ControlAnswer(code, age) if code is not None and age is not None and age >= 0 else None


def record_control(connection: Connection, merchant_no: str, code: str) -> None:
    """Keep what the platform answers this merchant about a number that was never used."""
    mine = account.update().where(account.c.merchant_no == merchant_no)
    connection.execute(mine.values(control_code=cut(code, LONGEST["code"]), control_at=clock()))


def keep_callback(connection: Connection, merchant_no: str, trade_no: str, kept: Mapping[str, str | None]) -> None:
    """Keep a callback apart; one that came before is counted, and the oldest give way to newer ones."""
    mine = callback.c.merchant_no == merchant_no
    now: float = connection.execute(select(clock())).scalar_one()
    values = {"merchant_no": merchant_no, "trade_no": trade_no, **kept, "first_at": now, "last_at": now, "count": 1}
    insert = insert_into(connection, callback).values(values)
    newest = {name: insert.excluded[name] for name in ("status", "amount", "platform_trade_no", "last_at")}
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["merchant_no", "trade_no", "why"], set_={**newest, "count": callback.c.count + 1}
        )
    )
    # The platform sends those of other ledgers here too, and of the collection side.
    oldest = select(callback.c.last_at).where(mine).order_by(callback.c.last_at.desc()).offset(MOST_KEPT).limit(1)
    connection.execute(callback.delete().where(mine, callback.c.last_at <= oldest.scalar_subquery()))


def kept_callbacks(connection: Connection, merchant_no: str, limit: int) -> list[KeptCallback]:
    """Callbacks that were kept apart, the latest first."""
    query = select(callback, callback.c.count.label("times")).where(callback.c.merchant_no == merchant_no)
    query = query.order_by(callback.c.last_at.desc())
    return [
        KeptCallback(
            trade_no=row.trade_no,
            why=row.why,
            status=row.status,
            amount=row.amount,
            platform_trade_no=row.platform_trade_no,
            first_at=datetime.fromtimestamp(row.first_at, UTC),
            last_at=datetime.fromtimestamp(row.last_at, UTC),
            count=row.times,  # a row has a method of the other name
        )
        for row in connection.execute(query.limit(limit))
    ]


def open_entries(connection: Connection, merchant_no: str, *, after: str, limit: int) -> list[Entry]:
    """A page of the entries that are not final, by trade number."""
    return _page(connection, merchant_no, after, limit, IS_OPEN)


def count_open(connection: Connection, merchant_no: str) -> dict[ItemStatus, int]:
    """The payouts that are not final, by status; of more than 100,000 as many."""
    some = (
        select(payout.c.state, payout.c.doubt, payout.c.reply)
        .where(payout.c.merchant_no == merchant_no, IS_OPEN)
        .limit(_MOST_COUNTED)
        .subquery()
    )
    counts: Counter[ItemStatus] = Counter()
    query: Select[Any] = select(some.c.state, some.c.doubt, some.c.reply, func.count()).group_by(*some.c)
    for state, doubt, reply, count in connection.execute(query):
        counts[ItemStatus.of_open(State(state), doubt=doubt, reply=reply)] += count
    return dict(counts)


def recent_refusals(connection: Connection, merchant_no: str, *, after: str, limit: int) -> list[Entry]:
    """A page of the payouts that were refused within the last day and not looked at since, by trade number."""
    refused = payout.c.state == State.FAILED.value, payout.c.reply == Reply.REFUSED.value
    return _page(connection, merchant_no, after, limit, *refused, payout.c.updated_at > clock() - _DAY)


def decided_failures(connection: Connection, merchant_no: str, *, after: str, limit: int) -> list[Entry]:
    """A page of the payouts that a person decided not to be paid within the last week, by trade number."""
    return _page(connection, merchant_no, after, limit, _IS_DECIDED, payout.c.updated_at > clock() - 7 * _DAY)


def reconciled_to(connection: Connection, merchant_no: str) -> str:
    """Where the last reconciliation stopped that had not the time for all (list, number); else empty."""
    query = select(account.c.reconciled_to).where(account.c.merchant_no == merchant_no)
    return connection.execute(query).scalar() or ""


def note_reconciled(connection: Connection, merchant_no: str, trade_no: str) -> None:
    """Note how far a reconciliation came; empty if it came to the end."""
    mine = account.update().where(account.c.merchant_no == merchant_no)
    connection.execute(mine.values(reconciled_to=trade_no or None))


def _page(
    connection: Connection, merchant_no: str, after: str, limit: int, *which: ColumnElement[bool] | TextClause
) -> list[Entry]:
    query = SELECT_ENTRY.where(payout.c.merchant_no == merchant_no, payout.c.trade_no > after, *which)
    rows, cipher = connection.execute(query.order_by(payout.c.trade_no).limit(limit)), cipher_of(connection)
    return [entry_of(row, cipher) for row in rows]


def same_payments(connection: Connection, merchant_no: str, keys: Sequence[str]) -> dict[str, list[Payment]]:
    """The payouts that pay the same amount to the same account, by their payment key, oldest first."""
    cipher = cipher_of(connection)
    hashes = {cipher.keyed_hash(key): key for key in keys}
    columns = (payout.c.trade_no, payout.c.fingerprint, payout.c.state, payout.c.created_at, payout.c.batch_id)
    query = (
        select(payout.c.payment_key, clock().label("clock"), *columns)
        .where(payout.c.merchant_no == merchant_no, payout.c.payment_key.in_(list(hashes)))
        .order_by(payout.c.created_at, payout.c.trade_no)
    )
    found: dict[str, list[Payment]] = {}
    for row in connection.execute(query):
        found.setdefault(hashes[row.payment_key], []).append(
            Payment(
                trade_no=row.trade_no,
                fingerprint=opened(cipher, row.fingerprint, "payout.fingerprint", merchant_no, row.trade_no),
                state=State(row.state),
                created_at=datetime.fromtimestamp(row.created_at, UTC),
                age=row.clock - row.created_at,
                batch_id=row.batch_id,
            )
        )
    return found


class Payments:
    """The payments of what a group wants to claim, that are in the ledger or were claimed by the group itself.

    Whoever pays a file looks up first what was paid before, and claims later. In SQLite no other process writes while a
    group does. In PostgreSQL two groups that pay the same to the same wait for each other here, each at its beginning,
    in the order of the locks' numbers; and since each statement there sees what is committed when it begins, the second
    one counts what the first one has claimed.

    Args:
        connection: In whose transaction they are counted and stay as they are.
        intents: Those of the group's claims that say how many others there may be.
    """

    def __init__(self, connection: Connection, intents: Sequence[Intent]) -> None:
        self._batches: dict[_Key, dict[str | None, tuple[int, str]]] = defaultdict(dict)
        self._cipher = cipher_of(connection)
        keys = {self._key(one) for one in intents}
        if connection.dialect.name != "sqlite":
            _lock(connection, keys)
        for merchant_no in sorted({merchant_no for merchant_no, _ in keys}):
            of_merchant = sorted(key for merchant, key in keys if merchant == merchant_no and key)
            wanted = json.dumps(of_merchant) if connection.dialect.name == "sqlite" else of_merchant
            for row in _COUNT.run(connection, merchant=merchant_no, keys=wanted):
                self._batches[merchant_no, row.payment_key][row.batch_id] = row.payouts, row.one

    def one_too_many(self, intent: Intent) -> str | None:
        """The number of another payment, if there are more of them than *intent* says; of its own batch none counts."""
        key = self._key(intent)
        if intent.others is None or key[1] is None:
            return None
        others = [found for batch, found in self._batches[key].items() if batch != intent.batch_id]
        return others[-1][1] if sum(count for count, _ in others) > intent.others else None

    def add(self, intent: Intent) -> None:
        """Count what the group claims."""
        batches = self._batches[self._key(intent)]
        batches[intent.batch_id] = batches.get(intent.batch_id, (0, ""))[0] + 1, intent.trade_no

    def _key(self, intent: Intent) -> _Key:
        return intent.merchant_no, self._cipher.keyed_hash(payment_key(intent.region, intent.content))


def batches(connection: Connection, merchant_no: str, batch_ids: Sequence[str]) -> dict[str, BatchRecord]:
    """The batches of those names that are there."""
    query = select(batch).where(batch.c.merchant_no == merchant_no, batch.c.batch_id.in_(list(batch_ids)))
    return {
        row.batch_id: BatchRecord(
            merchant_no=row.merchant_no,
            batch_id=row.batch_id,
            source=row.source,
            total=row.total,
            ended=row.ended_at is not None,
        )
        for row in connection.execute(query)
    }


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
    insert, shared = insert_into(connection, batch).values(values), batch.c.status.is_not(None)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["merchant_no", "batch_id"],
            set_={
                "source": func.coalesce(insert.excluded.source, batch.c.source),
                # Of one that workers pay these are theirs.
                "total": case((shared, batch.c.total), else_=func.coalesce(insert.excluded.total, batch.c.total)),
                "ended_at": case((shared, batch.c.ended_at), else_=insert.excluded.ended_at),
            },
        )
    )


def reserve(connection: Connection, name: str, *, spacing: float, count: int) -> float:
    """Take the next *count* turns of a rate, *spacing* seconds apart (a one-row GCRA); seconds until the first."""
    insert = insert_into(connection, pace).values(name=name, free_at=0.0).on_conflict_do_nothing()
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


def _lock(connection: Connection, keys: Iterable[_Key]) -> None:
    # 31 bits are enough: two payments that share a lock only wait for each other.
    locks = sorted({int(key[:8], 16) & 0x7FFFFFFF for _, key in keys if key})
    connection.execute(text(_LOCK), {"ours": _OURS, "locks": locks})
