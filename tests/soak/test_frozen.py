"""A process is frozen in the middle and goes on when another one has done its work: it sends nothing late."""

import asyncio
import signal
import threading
import time

import pytest
from sqlalchemy import Connection

from paypro_async import ItemStatus, LedgerUnavailableError, PayProClient
from paypro_async._core.lifecycle import State
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.server import settings
from paypro_async.sandbox import Sandbox
from tests.soak.audit import audit
from tests.soak.crowd import Crowd
from tests.soak.payer import LAG
from tests.soak.platform import FaultyPlatform
from tests.support.fork_server import Child, ForkServer
from tests.support.intents import ACCOUNT, FIELDS, change, intent
from tests.support.programs.payer import BATCH_SETTINGS, PROGRAM, REMARK

IDLE_SECONDS = 2.0  # idle_in_transaction_session_timeout, in ledger/postgres.py
SETTLE_SECONDS = 1.2

pytestmark = [pytest.mark.trial, pytest.mark.timeout(900)]  # a busy machine needs longer than a test of one payout


async def frozen_at(fork_server: ForkServer, sandbox: Sandbox, database_url: str, point: str, number: str) -> Child:
    child = fork_server.start(PROGRAM, sandbox.base_url, database_url, point, 0, signal.SIGSTOP, [number])
    await child.stopped()
    return child


async def pay(sandbox: Sandbox, ledger: str | SqlLedger, *numbers: str) -> float:
    """Another process' work; the seconds that it took."""
    began = time.monotonic()
    async with PayProClient(base_url=sandbox.base_url, ledger=ledger, **BATCH_SETTINGS) as client:
        report = await client.batch_payout([FIELDS | {"trade_no": one, "remark": REMARK} for one in numbers])
    assert report.counts[ItemStatus.SUCCEEDED] == len(numbers)
    return time.monotonic() - began


async def thaw(child: Child) -> None:
    child.signal(signal.SIGCONT)
    assert await child.ended() == 0, child.errors
    assert "succeeded" in child.output


@pytest.mark.parametrize("point", ["after intent", "before send", "after connecting", "after headers", "after body"])
async def test_nothing_is_sent_late(fork_server: ForkServer, database_url: str, point: str):
    """Whoever wakes after the settle window finds that its time to send is over, wherever it was frozen."""
    async with Sandbox(deduplicate=False) as sandbox:
        child = await frozen_at(fork_server, sandbox, database_url, point, "T1")
        await pay(sandbox, database_url, "T1", "T2")
        sent = len(sandbox.books.requests)
        await thaw(child)
        assert sandbox.books.booked_once(["T1", "T2"]).exact
        late = [one.path.rpartition("/")[2] for one in sandbox.books.requests[sent:]]
        assert "payout" not in late


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("point", ["before the intent's commit", "before the outcome's commit"])
async def test_a_frozen_process_does_not_block_the_others(fork_server: ForkServer, database_url: str, point: str):
    """PostgreSQL ends the session that is idle inside a transaction, and the rest goes on after that."""
    async with Sandbox(deduplicate=False) as sandbox:
        child = await frozen_at(fork_server, sandbox, database_url, point, "T1")
        took = await pay(sandbox, database_url, "T1", "T2")
        await thaw(child)
        assert sandbox.books.booked_once(["T1", "T2"]).exact
    assert took < IDLE_SECONDS + SETTLE_SECONDS + 5


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_process_that_is_frozen_while_it_sends_statements(database_url: str, monkeypatch: pytest.MonkeyPatch):
    """The rows of a group are sent without waiting for each answer; who is frozen in there blocks nobody for long."""
    monkeypatch.setattr(settings, "_TRANSACTION_SECONDS", "2s")
    thawed, sent = threading.Event(), threading.Event()

    def freeze(connection: Connection) -> None:
        if thawed.is_set():
            return  # It is tried again, on another connection.
        server = connection.connection.dbapi_connection.pgconn  # type: ignore[union-attr]  # psycopg's
        server.enter_pipeline_mode()
        server.send_query_params(b"UPDATE payout SET updated_at = updated_at", None)
        server.send_flush_request()
        server.flush()
        while server.is_busy():
            time.sleep(0.01)
            server.consume_input()
        sent.set()
        thawed.wait(30)
        server.finish()
        connection.exec_driver_sql("SELECT 1")

    frozen, other = SqlLedger(database_url), SqlLedger(database_url)
    for ledger in (frozen, other):
        await ledger.open(ACCOUNT)
    await frozen.claim(intent("T1"))
    freezing = asyncio.create_task(frozen.write(freeze))
    await asyncio.to_thread(sent.wait)
    began = time.monotonic()
    moved = await asyncio.wait_for(other.move(change(State.SUCCEEDED)), 20)
    took = time.monotonic() - began
    thawed.set()
    await freezing
    assert (await frozen.move(change(State.SUCCEEDED))).entry.state is State.SUCCEEDED
    for ledger in (frozen, other):
        await ledger.aclose()
    assert moved.done
    assert 1.0 < took < 8.0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("point", ["before the intent's commit", "before the outcome's commit"])
async def test_a_frozen_process_that_holds_the_file(fork_server: ForkServer, database_url: str, point: str):
    """SQLite cannot end another process' transaction: nothing is sent meanwhile, and it is good again after it."""
    async with Sandbox(deduplicate=False) as sandbox:
        child = await frozen_at(fork_server, sandbox, database_url, point, "T1")
        sent = len(sandbox.books.requests)
        ledger = SqlLedger(database_url, busy_timeout=0.2)
        with pytest.raises(LedgerUnavailableError, match="another process"):
            await pay(sandbox, ledger, "T2")
        await ledger.aclose()
        assert len(sandbox.books.requests) == sent

        await thaw(child)
        await pay(sandbox, database_url, "T1", "T2")
        assert sandbox.books.booked_once(["T1", "T2"]).exact


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_process_frozen_with_many_under_way(fork_server: ForkServer, database_url: str):
    """Another one takes over and ends the list; what the first one had in hand comes to nothing."""
    async with FaultyPlatform(seed=4, faults=0.1, tries=1, processing=0.0, lag=LAG) as platform:
        crowd = Crowd(fork_server, platform, {"ledger": database_url})
        first = crowd.start(first=0, count=200)
        while len(platform.arrivals) < 60:
            assert first.poll() is None, first.errors
            await asyncio.sleep(0.005)
        first.signal(signal.SIGSTOP)
        await first.stopped()
        await crowd.finish(first=0, count=200)
        first.signal(signal.SIGCONT)
        await first.ended()
        crowd.tally.take(first)
        found = audit(platform, database_url, range(200))
        assert found.clean, (found, platform.longest_stall, crowd.tally.errors)
        assert crowd.tally.runs == 1
