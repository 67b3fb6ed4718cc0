"""Does what stands in a ledger fit together? Page by page, in memory that does not grow with it; nothing is written."""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import groupby
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, Select, select, union

from paypro_async._core.audit import audit
from paypro_async.errors import LedgerUnavailableError
from paypro_async.ledger.admin.records import raw
from paypro_async.ledger.base import PAGE
from paypro_async.ledger.sql.encryption.values import ERASED, SEALED, UnreadableError, cipher_of
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.schema import account, clock, delivery, event, payout, planned, shard
from paypro_async.ledger.sql.triggers import missing_triggers

__all__ = ["Finding", "findings"]

_DELETED = "EVENT_WITHOUT_PAYOUT", "it has a history, and no payout: it was deleted, and could be paid again"

_NO_STEP = "CHANGE_WITHOUT_STEP", "a change of it waits to be told, and its history has no such step: it is never told"


_STILL_PLANNED = (
    "PLANNED_AND_BEGUN",
    "it was begun, and stands in the plan of its batch too: it is counted twice until a worker runs its shard",
)
_NO_SHARD = "PLANNED_IN_NO_SHARD", "it is planned, and no shard of its batch has it: no worker is ever given it"


@frozen(kw_only=True)
class Finding:
    """Something that must not be.

    Args:
        code: Stable, for programs.
        message: What is wrong, without personal values.
        trade_no: Which payout it is about, if about one.
    """

    code: str
    message: str
    merchant_no: str | None = None
    trade_no: str | None = None

    def __str__(self) -> str:
        about = f"payout {self.trade_no} of merchant {self.merchant_no}" if self.trade_no else "the ledger"
        return f"{about}: {self.message} ({self.code})"


async def findings(ledger: SqlLedger) -> AsyncIterator[Finding]:
    """Everything that is wrong with a ledger that is open to be read; nothing comes if it is sound.

    What cannot be read any more is a finding too.
    """
    try:
        for code, message in await ledger.read(_whole):
            yield Finding(code=code, message=message)
        for merchant_no in await ledger.read(_merchants):
            async for found in _payouts(ledger, merchant_no):
                yield found
        for merchant_no, trade_no in await ledger.read(_untellable):
            yield _finding(merchant_no, trade_no, _NO_STEP)
        for merchant_no, trade_no in await ledger.read(_begun_and_planned):
            yield _finding(merchant_no, trade_no, _STILL_PLANNED)
        for merchant_no, trade_no in await ledger.read(_in_no_shard):
            yield _finding(merchant_no, trade_no, _NO_SHARD)
        for merchant_no, trade_no, why in await ledger.read(_unreadable_plans):
            yield _finding(merchant_no, trade_no, ("UNREADABLE_VALUE", f"what was planned cannot be read: {why}"))
    except LedgerUnavailableError as error:
        yield Finding(code="UNREADABLE", message=str(error))


async def _payouts(ledger: SqlLedger, merchant_no: str) -> AsyncIterator[Finding]:
    bound = select(account.c.environment).where(account.c.merchant_no == merchant_no)
    if not await ledger.read(lambda connection: connection.execute(bound).scalar()):
        message = f"merchant {merchant_no} is bound to no environment, so test and real payouts could mix"
        yield Finding(code="NO_ENVIRONMENT", message=message, merchant_no=merchant_no)
    after: str | None = ""
    while after is not None:
        found, after = await ledger.read(_page(merchant_no, after))
        for one in found:
            yield one


def _whole(connection: Connection) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if connection.dialect.name == "sqlite":
        said = [text for (text,) in connection.exec_driver_sql("PRAGMA integrity_check")]
        found += [("INTEGRITY", f"the file is damaged: {text}") for text in said if text != "ok"]
    return found + [
        ("GUARD", f"the guard {name} is missing or another; 'paypro ledger migrate' makes it")
        for name in missing_triggers(connection)
    ]


def _merchants(connection: Connection) -> list[str]:
    all_of_them = union(select(payout.c.merchant_no), select(event.c.merchant_no), select(account.c.merchant_no))
    return sorted(str(merchant_no) for (merchant_no,) in connection.execute(all_of_them))


def _untellable(connection: Connection) -> list[tuple[str, str]]:
    """Payouts with a change that waits and is no step of their history; a page of them is enough to know."""
    same = [delivery.c[name] == event.c[name] for name in ("merchant_no", "trade_no")]
    step = select(event.c.id).where(event.c.id == delivery.c.event_id, *same).exists()
    query = select(delivery.c.merchant_no, delivery.c.trade_no).where(~step).distinct().limit(PAGE)
    return [
        (merchant_no, trade_no) for merchant_no, trade_no in connection.execute(query.order_by(*query.selected_columns))
    ]


def _begun_and_planned(connection: Connection) -> list[tuple[str, str]]:
    """Payouts that a claim did not take from their plan; a page of them is enough to know."""
    same = [planned.c[name] == payout.c[name] for name in ("merchant_no", "batch_id", "position", "trade_no")]
    query = select(planned.c.merchant_no, planned.c.trade_no).where(select(payout.c.trade_no).where(*same).exists())
    return _keys(connection, query)


def _in_no_shard(connection: Connection) -> list[tuple[str, str]]:
    of_batch = [shard.c[name] == planned.c[name] for name in ("merchant_no", "batch_id")]
    inside = select(shard.c.low).where(*of_batch, shard.c.low <= planned.c.position, planned.c.position < shard.c.high)
    return _keys(connection, select(planned.c.merchant_no, planned.c.trade_no).where(~inside.exists()))


def _unreadable_plans(connection: Connection) -> list[tuple[str, str, str]]:
    """Planned payouts whose values cannot be read; a page of them is enough to know."""
    cipher, found = cipher_of(connection), list[tuple[str, str, str]]()
    query = select(planned.c.merchant_no, planned.c.trade_no, planned.c.content, planned.c.fingerprint)
    for row in connection.execute(query.execution_options(yield_per=PAGE)):
        try:
            for name, stored in (("content", row.content), ("fingerprint", row.fingerprint)):
                cipher.decrypt(stored, f"planned.{name}", row.merchant_no, row.trade_no)
        except UnreadableError as error:
            found.append((row.merchant_no, row.trade_no, str(error)))
            if len(found) == PAGE:
                break
    return found


def _keys(connection: Connection, query: Select[Any]) -> list[tuple[str, str]]:
    rows = connection.execute(query.order_by(*query.selected_columns).limit(PAGE))
    return [(merchant_no, trade_no) for merchant_no, trade_no in rows]


def _page(merchant_no: str, after: str) -> Callable[[Connection], tuple[list[Finding], str | None]]:
    """What audits the payouts behind *after* and says where to go on, or None at the end."""
    rows = (
        select(*raw(payout))
        .select_from(payout)
        .where(payout.c.merchant_no == merchant_no, payout.c.trade_no > after)
        .order_by(payout.c.trade_no)
        .limit(PAGE)
    )

    def read(connection: Connection) -> tuple[list[Finding], str | None]:
        now: float = connection.execute(select(clock())).scalar_one()
        found = {row.trade_no: row._asdict() for row in connection.execute(rows)}
        last = next(reversed(found)) if len(found) == PAGE else None
        wrong: list[Finding] = []
        # Their history, and that of numbers in between that no payout has.
        for trade_no, steps in _histories(connection, merchant_no, after, last):
            row = found.pop(trade_no, None)
            if row is None:
                wrong.append(_finding(merchant_no, trade_no, _DELETED))
            else:
                wrong += [_finding(merchant_no, trade_no, one) for one in _audit(connection, row, steps, now)]
        for trade_no, row in found.items():
            wrong += [_finding(merchant_no, trade_no, one) for one in _audit(connection, row, [], now)]
        return wrong, last

    return read


def _audit(connection: Connection, row: dict[str, Any], steps: list[Any], now: float) -> Iterator[tuple[str, str]]:
    """What is wrong with a payout, its personal values read as far as they can be."""
    cipher, key = cipher_of(connection), (row["merchant_no"], row["trade_no"])
    readable = True
    try:
        for name in ("content", "fingerprint"):
            if isinstance(row[name], str) and row[name].startswith(SEALED):
                row[name] = cipher.decrypt(row[name], f"payout.{name}", *key)
                readable = readable and row[name] != ""
            elif cipher.key_id is not None and row[name] != ERASED:
                yield "IN_THE_CLEAR", f"its {name} stands in the clear in an encrypted ledger"
    except UnreadableError as error:
        readable = False
        yield "UNREADABLE_VALUE", f"its personal values cannot be read: {error}"
    yield from audit(row, steps, now=now, readable=readable)


def _histories(
    connection: Connection, merchant_no: str, after: str, last: str | None
) -> Iterator[tuple[str, list[Any]]]:
    query = select(*raw(event)).select_from(event).where(event.c.merchant_no == merchant_no, event.c.trade_no > after)
    if last is not None:
        query = query.where(event.c.trade_no <= last)
    steps = connection.execute(query.order_by(event.c.trade_no, event.c.id))
    for trade_no, group in groupby((row._asdict() for row in steps), lambda step: step["trade_no"]):
        yield trade_no, list(group)


def _finding(merchant_no: str, trade_no: str, about: tuple[str, str]) -> Finding:
    return Finding(code=about[0], message=about[1], merchant_no=merchant_no, trade_no=trade_no)
