"""PostgreSQL commits numbers of history in no order, and none is passed over for that."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import psycopg
import pytest

from paypro_async._core.lifecycle import State
from paypro_async.ledger.outbox import Lent
from paypro_async.ledger.sql import outbox
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.machine_faults import Make
from tests.support.postgres import Server

NAME = "mails"
PAYOUT = """
INSERT INTO payout SELECT merchant_no, %s, region, fingerprint, amount, currency, content, state, attempt, sent_at,
    doubt, reply, code, message, NULL, utr, created_at, updated_at, batch_id, position, phase, owner, sent_boot,
    sent_steady, payment_key, settle_after, resend FROM payout WHERE trade_no = 'T1'
"""
EVENT = """
INSERT INTO event (merchant_no, trade_no, at, to_state, cause, attempt)
    SELECT merchant_no, %s, at, to_state, cause, attempt FROM event WHERE trade_no = 'T1' AND from_state IS NULL
    RETURNING id
"""


class Writer:
    """Another process, in the middle of a transaction that has its numbers."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url)
        self.number = 0

    def claim(self, trade_no: str) -> None:
        self.connection.execute(PAYOUT, (trade_no,))
        row = self.connection.execute(EVENT, (trade_no,)).fetchone()
        assert row is not None
        self.number = row[0]

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
async def url(server: Server) -> str:
    return await server.ledger()


@pytest.fixture
async def ledger(url: str, make: Make) -> SqlLedger:
    ledger = make(url)
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    return ledger


@pytest.fixture
async def writer(url: str, ledger: SqlLedger) -> AsyncIterator[Writer]:
    writer = Writer(url)
    yield writer
    writer.close()


async def take(ledger: SqlLedger) -> list[Lent]:
    lent = await ledger.take(MERCHANT, NAME, owner="one", limit=10, seconds=60)
    await ledger.told(MERCHANT, NAME, [one.number for one in lent], owner="one")
    return lent


async def consumer(ledger: SqlLedger) -> tuple[int, dict[str, Any]]:
    query = "SELECT position, gaps FROM consumer"
    position, gaps = await ledger.read(lambda connection: connection.exec_driver_sql(query).one())
    return position, json.loads(gaps)


async def test_a_lower_number_that_is_committed_later_is_told(ledger: SqlLedger, writer: Writer):
    """A higher one was told meanwhile, and its position is behind both."""
    await ledger.register(MERCHANT, NAME)
    writer.claim("LATE")
    await ledger.claim(intent("T2"))
    assert [one.change.trade_no for one in await take(ledger)] == ["T2"]
    assert list((await consumer(ledger))[1]) == [str(writer.number)]
    assert await take(ledger) == []
    writer.connection.commit()
    assert [one.change.trade_no for one in await take(ledger)] == ["LATE"]
    assert (await consumer(ledger))[1] == {}


async def test_a_number_that_was_under_way_when_a_consumer_began_is_told(ledger: SqlLedger, writer: Writer):
    """It was committed after that."""
    writer.claim("LATE")
    await ledger.claim(intent("T2"))
    await ledger.register(MERCHANT, NAME)
    assert await take(ledger) == []
    writer.connection.commit()
    assert [one.change.trade_no for one in await take(ledger)] == ["LATE"]


async def test_a_number_that_was_given_up_is_looked_for_no_longer(ledger: SqlLedger, writer: Writer, url: str):
    """Once every transaction of its time has ended; until then one that has nothing to do with it holds up nothing."""
    await ledger.register(MERCHANT, NAME)
    other = Writer(url)
    other.connection.execute("CREATE TEMPORARY TABLE another_program (one integer)")  # it has a number of its own
    writer.claim("GIVEN-UP")
    await ledger.claim(intent("T2"))
    assert [one.change.trade_no for one in await take(ledger)] == ["T2"]
    writer.connection.rollback()
    await ledger.claim(intent("T3"))
    assert [one.change.trade_no for one in await take(ledger)] == ["T3"]
    assert list((await consumer(ledger))[1]) == [str(writer.number)]
    other.close()
    async with asyncio.timeout(20):
        # The server notices a moment later, and transactions of its other databases count too.
        for number in count(4):
            await ledger.claim(intent(f"T{number}"))
            assert [one.change.trade_no for one in await take(ledger)] == [f"T{number}"]
            if (await consumer(ledger))[1] == {}:
                break
            await asyncio.sleep(0.01)


async def test_a_watcher_sees_a_lower_number_that_is_committed_later(ledger: SqlLedger, writer: Writer):
    """Its cursor remembers it."""
    cursor = await ledger.cursor(MERCHANT)
    writer.claim("LATE")
    await ledger.claim(intent("T2"))
    changes, cursor = await ledger.changes(MERCHANT, cursor, limit=100)
    assert [one.trade_no for one in changes] == ["T2"]
    writer.connection.commit()
    changes, cursor = await ledger.changes(MERCHANT, cursor, limit=100)
    assert [one.trade_no for one in changes] == ["LATE"]


async def test_a_gap_of_another_server_is_dropped(ledger: SqlLedger):
    """A dump was put back where no transaction has come so far."""
    await ledger.register(MERCHANT, NAME)
    gaps = json.dumps({"1000000": "999999999999"})
    await ledger.write(lambda connection: connection.exec_driver_sql("UPDATE consumer SET gaps = %s", (gaps,)))
    await ledger.claim(intent("T2"))
    assert [one.change.trade_no for one in await take(ledger)] == ["T2"]
    assert (await consumer(ledger))[1] == {}


async def test_a_jump_of_the_sequence_keeps_no_number_for_each(
    ledger: SqlLedger, server: Server, url: str, monkeypatch: pytest.MonkeyPatch
):
    """As after a crash, or by hand."""
    monkeypatch.setattr(outbox, "_MOST_GAPS", 50)
    await ledger.register(MERCHANT, NAME)
    server.run("SELECT setval(pg_get_serial_sequence('event', 'id'), 1000000)", url=url)
    await ledger.claim(intent("T2"))
    assert [one.change.trade_no for one in await take(ledger)] == ["T2"]
    assert len((await consumer(ledger))[1]) <= 50


async def test_more_gaps_than_a_statement_takes_values_hold_nothing_up(ledger: SqlLedger):
    """Many groups were rolled back while somebody's long transaction was open."""
    await ledger.register(MERCHANT, NAME)
    gaps = json.dumps({str(number): "3" for number in range(1_000_000, 1_070_000)})
    await ledger.write(lambda connection: connection.exec_driver_sql("UPDATE consumer SET gaps = %s", (gaps,)))
    await ledger.claim(intent("T2"))
    assert [one.change.trade_no for one in await take(ledger)] == ["T2"]


async def test_processes_that_take_at_one_time_share_and_wait_for_none(make: Make, url: str, ledger: SqlLedger):
    """Every change is lent once, and of one payout one at a time."""
    await ledger.register(MERCHANT, NAME)
    others = [make(url) for _ in range(3)]
    for one in others:
        await one.open(ACCOUNT)
    for number in range(40):
        await ledger.claim(intent(f"P{number:02}"))
        await ledger.move(change(State.PROCESSING, f"P{number:02}"))
    told: list[str] = []

    async def work(taker: SqlLedger, owner: str) -> None:
        idle = 0
        while idle < 5:
            lent = await taker.take(MERCHANT, NAME, owner=owner, limit=4, seconds=60)
            idle = 0 if lent else idle + 1
            told.extend(one.change.id for one in lent)
            await taker.told(MERCHANT, NAME, [one.number for one in lent], owner=owner)

    await asyncio.gather(*(work(one, f"owner-{number}") for number, one in enumerate([ledger, *others])))
    assert len(told) == len(set(told)) == 80


@pytest.mark.parametrize("answer", ["told", "put off", "kept"])
async def test_what_another_process_locks_for_a_moment_is_still_answered(
    ledger: SqlLedger, writer: Writer, answer: str
):
    """PostgreSQL locks what a look finds lent meanwhile, until the transaction of that look ends."""
    await ledger.register(MERCHANT, NAME)
    await ledger.claim(intent("T2"))
    [lent] = await ledger.take(MERCHANT, NAME, owner="one", limit=10, seconds=60)
    writer.connection.execute("SELECT * FROM delivery FOR UPDATE")
    answers = {
        "told": lambda: ledger.told(MERCHANT, NAME, [lent.number], owner="one"),
        "put off": lambda: ledger.put_off(MERCHANT, NAME, lent.number, owner="one", seconds=0.0, error="down"),
        "kept": lambda: ledger.keep(MERCHANT, NAME, [lent.number], owner="one", seconds=600),
    }
    answering = asyncio.ensure_future(answers[answer]())
    await asyncio.sleep(0.05)
    assert not answering.done()
    writer.connection.commit()
    await asyncio.wait_for(answering, 20)
    query = "SELECT tries, due_at > extract(epoch from now()) + 300 FROM delivery"
    rows = await ledger.read(lambda connection: connection.exec_driver_sql(query).all())
    assert rows == {"told": [], "put off": [(1, False)], "kept": [(0, True)]}[answer]


async def test_what_a_process_locks_that_stands_still_is_left_to_it(
    ledger: SqlLedger, writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    """Nobody waits for it for long; the change is told once more when its time is over."""
    monkeypatch.setattr(outbox, "_PAUSES", (0.01, 0.01))
    await ledger.register(MERCHANT, NAME)
    await ledger.claim(intent("T2"))
    [lent] = await ledger.take(MERCHANT, NAME, owner="one", limit=10, seconds=60)
    writer.connection.execute("SELECT * FROM delivery FOR UPDATE")
    await asyncio.wait_for(ledger.told(MERCHANT, NAME, [lent.number], owner="one"), 20)
    writer.connection.rollback()
    query = "SELECT event_id, owner FROM delivery"
    rows = await ledger.read(lambda connection: connection.exec_driver_sql(query).all())
    assert rows == [(lent.number, "one")]


async def test_the_indexes_serve(ledger: SqlLedger):
    """However long the history is: a look reads what is behind the position, and what is due."""
    await ledger.register(MERCHANT, NAME)

    def plans(connection: Any) -> str:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        query = str(outbox._due(MERCHANT, NAME).limit(10).compile(connection, compile_kwargs={"literal_binds": True}))
        rows = connection.exec_driver_sql("EXPLAIN " + query.replace("%", "%%")).scalars().all()
        return "\n".join(rows)

    plan = await ledger.read(plans)
    assert "delivery_payout" in plan or "delivery_pkey" in plan
    assert "Seq Scan" not in plan
