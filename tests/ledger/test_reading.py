"""What a ledger gives back, in memory, in a file and on a server."""

import asyncio
import time
from typing import Any

import pytest
from sqlalchemy import Connection, event

from paypro_async import PayProWarning
from paypro_async._core.lifecycle import Cause, State
from paypro_async.ledger import Ledger
from paypro_async.ledger.admin.records import attention
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import MERCHANT, OTHER_MERCHANT, again, change, intent


async def test_a_payout_that_is_not_there_is_none(ledger: Ledger):
    """Reading makes nothing."""
    await ledger.claim(intent("T1"))
    assert await ledger.get(MERCHANT, "T2") is None
    assert await ledger.get(OTHER_MERCHANT, "T1") is None


async def test_a_reading_sees_what_was_asked_for_before_it(ledger: Ledger):
    """Also when all of it waits at one time."""
    await ledger.claim(intent("old"))
    _, _, new, old, waiting = await asyncio.gather(
        ledger.claim(intent("new")),
        ledger.move(change(State.FAILED, "old")),
        ledger.get(MERCHANT, "new"),
        ledger.get(MERCHANT, "old"),
        ledger.open_entries(MERCHANT),
    )
    assert new is not None
    assert old is not None
    assert (new.state, old.state) == (State.SENDING, State.FAILED)
    assert [entry.trade_no for entry in waiting] == ["new"]


async def test_many_are_read_at_once(ledger: Ledger):
    """Those that are there, under their numbers; one that is asked for twice comes once."""
    await asyncio.gather(*(ledger.claim(intent(f"T{n}")) for n in range(5)))

    found = await ledger.get_many(MERCHANT, ["T4", "T1", "nothing", "T1"])

    assert {number: entry.trade_no for number, entry in found.items()} == {"T1": "T1", "T4": "T4"}
    assert await ledger.get_many(MERCHANT, []) == {}


async def test_open_entries_are_those_that_are_not_final(ledger: Ledger):
    """Also those that wait to be sent, and those that wait for a person."""
    await asyncio.gather(*(ledger.claim(intent(state.value)) for state in State))
    for to in (State.NEW, State.PROCESSING, State.SUCCEEDED, State.FAILED):
        await ledger.move(change(to, to.value))
    await ledger.move(change(State.PROCESSING, "missing"))
    await ledger.move(change(State.MISSING, "missing", state=State.PROCESSING, cause=Cause.QUERY))
    await ledger.move(change(State.REVIEW, "review", cause=Cause.QUERY))
    await ledger.move(change(State.SUCCEEDED, "reversed"))
    await ledger.move(change(State.REVERSED, "reversed", state=State.SUCCEEDED, cause=Cause.QUERY))

    assert [entry.trade_no for entry in await ledger.open_entries(MERCHANT)] == [
        "missing",
        "new",
        "processing",
        "review",
        "sending",
    ]


@pytest.mark.parametrize("limit", [1, 3, 7, 10, 11])
async def test_open_entries_come_in_pages(ledger: Ledger, limit: int):
    """Page after page, each behind the last one's end, gives every one once and in order."""
    numbers = sorted(["10", "2", "A-1", "A-10", "A_1", "Z", "a", "b-", "b0", "z9"])
    await asyncio.gather(*(ledger.claim(intent(number)) for number in reversed(numbers)))

    pages, after = [], ""
    while (page := await ledger.open_entries(MERCHANT, after=after, limit=limit)) and len(pages) <= len(numbers):
        pages.append([entry.trade_no for entry in page])
        after = pages[-1][-1]

    assert [number for page in pages for number in page] == numbers
    assert all(len(page) == limit for page in pages[:-1])


async def test_a_page_that_was_read_may_close_meanwhile(ledger: Ledger):
    """Paging goes by trade number: what becomes final between two pages shifts nothing."""
    await asyncio.gather(*(ledger.claim(intent(f"T{n}")) for n in range(6)))
    first = [entry.trade_no for entry in await ledger.open_entries(MERCHANT, limit=3)]
    await asyncio.gather(*(ledger.move(change(State.SUCCEEDED, number)) for number in first))

    assert [entry.trade_no for entry in await ledger.open_entries(MERCHANT, after="T2", limit=3)] == ["T3", "T4", "T5"]


async def test_an_entry_knows_how_long_ago_it_was_sent(ledger: Ledger):
    """Every way of reading tells the age; only a new attempt makes it young again."""
    claimed = await ledger.claim(intent())
    await asyncio.sleep(0.1)

    lost = await ledger.claim(intent())
    moved = await ledger.move(change(State.SENDING, code="1"))
    late = await ledger.move(change(State.FAILED, attempt=7))
    ages = [claimed.entry.age, lost.entry.age, moved.entry.age, late.entry.age]
    ages += [entry.age for entry in (await ledger.get_many(MERCHANT, ["T1"])).values()]
    ages += [entry.age for entry in await ledger.open_entries(MERCHANT)]
    begun = await ledger.move(again())

    assert abs(ages[0]) < 0.05
    assert all(0.09 < age < 5 for age in ages[1:])
    assert abs(begun.entry.age) < 0.05


async def test_a_change_is_measured_from_its_attempt(ledger: Ledger):
    """After a new attempt the next reading counts from there."""
    await ledger.claim(intent())
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await ledger.move(again())
    entry = await ledger.get(MERCHANT, "T1")
    assert entry is not None
    assert entry.age < time.monotonic() - began + 0.05


async def test_what_is_open_is_found_without_a_look_at_all_payouts(durable: SqlLedger):
    """By the index that holds just that: a ledger of five million final payouts is asked as quickly as a new one."""
    await durable.claim(intent("T1"))
    plans: list[str] = []

    def explain(connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "payout" in statement.partition("FROM")[2] or statement.startswith("UPDATE"):
            driver: Any = connection.connection.dbapi_connection
            plan = driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            plans.append(" ".join(step[3] for step in plan if "payout" in step[3]))

    engine = durable._database._engine
    event.listen(engine, "before_cursor_execute", explain)
    await durable.open_entries(MERCHANT)
    await attention(durable, MERCHANT, settle_after=60.0)
    with pytest.warns(PayProWarning, match="restored backup"):
        await durable.mark_restored(why="a test says so")
    event.remove(engine, "before_cursor_execute", explain)

    assert len(plans) == 5
    assert [plan for plan in plans if "INDEX payout_open" not in plan] == []
