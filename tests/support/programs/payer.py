"""Pays through the platform that it is given, and meets its end at a named point of the flow.

Arguments of ``main``: the platform's URL, the ledger's URL, the point, how often it may be passed before, and the trade
numbers. The end is SIGKILL, so that nothing is tidied up, or SIGSTOP, so that everything goes on much later.
"""

import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, event

import paypro_async.ledger.sql.database
import paypro_async.transport.httpx as httpx_transport
from paypro_async import Md5Signer, PayProClient
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Change
from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.ledger import Written
from paypro_async.ledger.sql.group import Claim, Move
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.migrations import migrate
from paypro_async.transport import TransportSettings
from paypro_async.transport.httpx import HttpxTransport
from paypro_async.transport.lane import Lane
from paypro_async.transport.progress import Progress
from tests.support.clock import Hurried
from tests.support.intents import FIELDS, MERCHANT

PROGRAM = "tests.support.programs.payer"
SETTINGS: dict[str, Any] = {
    "merchant_no": MERCHANT,
    "signer": Md5Signer("sandbox-secret"),
    "environment": "sandbox.example",
    "timeout": 200.0,
}
# Those of a batch wait at the same time, so the time they wait is real. The sandbox books at once: a short window is an
# honest one.
BATCH_SETTINGS: dict[str, Any] = SETTINGS | {"settle_after": 1.2, "request_timeout": 0.5, "send_within": 0.5}
REMARK = "sandbox:paid"

passed: Counter[str] = Counter()
the_end: tuple[str, int, int] = ("", 0, 0)


def at(point: str) -> None:
    """Die or freeze here, if it is the point."""
    passed[point] += 1
    name, passes, number = the_end
    if point == name and passed[point] == passes + 1:
        # To this thread: of a stop that comes to the process another one hears first, and this one goes on meanwhile.
        signal.pthread_kill(threading.get_ident(), number)


class DyingLedger(SqlLedger):
    committing = ""

    async def claim(self, intent: Intent) -> Written:
        at("before intent")
        moved = await super().claim(intent)
        at("after intent")
        return moved

    async def move(self, change: Change) -> Written:
        step = "announcement" if change.begins else "outcome"
        at(f"before {step}")
        moved = await super().move(change)
        at(f"after {step}")
        return moved

    def _carry_out(self, requests: Sequence[Any], **how: Any) -> list[Any]:
        claims = [isinstance(one, Claim) for one in requests if isinstance(one, Claim | Move)]
        self.committing = ("intent" if any(claims) else "outcome") if claims else ""
        return super()._carry_out(requests, **how)


def watch_commits(ledger: DyingLedger) -> None:
    """Points inside the commit of each group: before it, while the database does it, and just after."""
    database = ledger._database
    make_engine, committed = database._make_engine, database.committed

    def watched() -> Any:
        engine = make_engine()
        event.listen(engine, "commit", commit)
        return engine

    def commit(connection: Connection) -> None:
        if not ledger.committing or not connection.get_execution_options().get("paypro_write"):
            return  # A look at the database before the group's own transaction holds nothing.
        at(f"before the {ledger.committing}'s commit")
        if the_end[0] == f"in the {ledger.committing}'s commit" and connection.dialect.name == "postgresql":
            # Asked for, and the answer never read.
            raw: Any = connection.connection.dbapi_connection
            raw.pgconn.send_query(b"COMMIT")
            raw.pgconn.flush()
            at(the_end[0])

    def and_noted(last_event: int) -> None:
        at(f"after the {ledger.committing}'s commit")
        committed(last_event)

    database._make_engine = watched  # type: ignore[method-assign]  # a point inside
    database.committed = and_noted  # type: ignore[method-assign]  # a point inside


class DyingTransport(HttpxTransport):
    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        what = "send" if request.url.endswith("/payout") else "question"
        at(f"before {what}")
        exchange = await super().send(request, timeout=timeout)
        at(f"after {what}'s reply")
        return exchange


class DyingDial(httpx_transport.Dial):
    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith(".connect_tcp.complete"):
            at("after connecting")
        await super().__call__(event, info)


write = Lane._write


async def dying_write(lane: Lane, item: bytes, progress: Progress) -> None:
    is_head = not progress.begun
    await write(lane, item, progress)
    at("after headers" if is_head else "after body")


def dying_migration(connection: Connection) -> None:
    """Every statement of a migration is a point, and so is its end before the commit."""
    event.listen(connection, "before_cursor_execute", lambda *_: at("inside a migration"))
    migrate(connection)
    at("before a migration's commit")


async def pay_one(base_url: str, ledger: DyingLedger, payout: dict[str, str]) -> None:
    runtime = Hurried()
    settings = SETTINGS | {"runtime": runtime, "transport": DyingTransport(TransportSettings(runtime=runtime))}
    async with PayProClient(base_url=base_url, ledger=ledger, **settings) as client:
        print(await client.payout(payout))


async def pay_many(base_url: str, ledger: DyingLedger, payouts: list[dict[str, str]]) -> None:
    def source() -> Iterator[dict[str, str]]:
        for payout in payouts:
            at("between rows")
            yield payout

    settings = BATCH_SETTINGS | {"transport": DyingTransport()}
    concurrency = 1 if the_end[0] == "between rows" else 10
    async with PayProClient(base_url=base_url, ledger=ledger, **settings) as client:
        print(await client.batch_payout(source(), concurrency=concurrency))


async def main(base_url: str, ledger_url: str, point: str, passes: int, number: int, trade_nos: list[str]) -> None:
    global the_end  # noqa: PLW0603  a process has one
    the_end = point, passes, number
    httpx_transport.Dial = DyingDial  # type: ignore[misc]  # the only way to stand behind a connection
    Lane._write = dying_write  # type: ignore[method-assign]  # the only way to stand between a write and its reply
    paypro_async.ledger.sql.database.migrate = dying_migration
    ledger = DyingLedger(ledger_url)
    watch_commits(ledger)
    payouts = [FIELDS | {"trade_no": one, "remark": REMARK} for one in trade_nos]
    if not payouts:
        await ledger.migrate()
    elif len(payouts) == 1 and number == signal.SIGKILL:
        await pay_one(base_url, ledger, payouts[0])
    else:
        await pay_many(base_url, ledger, payouts)
