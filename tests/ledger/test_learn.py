"""What is learned of a payout is decided from the row as it is, in one step of the ledger."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import evolve

from paypro_async import Entry, MemoryLedger
from paypro_async._core.lifecycle import Cause, Change, State
from paypro_async.ledger import Ledger
from paypro_async.ledger.base import OrderNumberTakenError
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.machine_faults import Make
from tests.support.postgres import Server


def paid(entry: Entry) -> Change | None:
    """By a callback, unless that is known."""
    if entry.state is State.SUCCEEDED:
        return None
    return change(State.SUCCEEDED, entry.trade_no, state=entry.state, cause=Cause.CALLBACK, platform_trade_no="P1")


async def test_it_is_written_once_whoever_learns_it(ledger: Ledger):
    """Of many who learn the same at one time, one has written it; the others hear how it stands."""
    await ledger.claim(intent())
    written = await asyncio.gather(*(ledger.learn(MERCHANT, "T1", paid) for _ in range(9)))
    assert [one.entry.state for one in written] == [State.SUCCEEDED] * 9
    assert sum(one.done for one in written) == 1
    assert [step.cause for step in await ledger.history(MERCHANT, "T1")] == [Cause.ATTEMPT, Cause.CALLBACK]


async def test_what_is_not_there_is_told(ledger: Ledger):
    """The ledger may hold the others of the same group."""
    await ledger.claim(intent())
    none, one = await asyncio.gather(ledger.learn(MERCHANT, "T2", paid), ledger.learn(MERCHANT, "T1", paid))
    assert none is None
    assert one.done


async def test_a_number_that_another_payout_has_is_refused_to_that_caller_alone(ledger: Ledger):
    """And nothing of it is stored."""
    for number in ("T1", "T2", "T3"):
        await ledger.claim(evolve(intent(number), settle_after=60.0))
    assert (await ledger.learn(MERCHANT, "T1", paid)).done
    taken, other = await asyncio.gather(
        ledger.learn(MERCHANT, "T2", paid), ledger.move(change(State.PROCESSING, "T3")), return_exceptions=True
    )
    assert isinstance(taken, OrderNumberTakenError)
    assert other.done
    assert (await ledger.get(MERCHANT, "T2")).state is State.SENDING


async def test_a_decision_that_fails_is_its_callers_alone(ledger: Ledger):
    """Others of the group are written."""

    def fails(_: Entry) -> Change | None:
        raise ZeroDivisionError

    await ledger.claim(intent())
    await ledger.claim(intent("T2"))
    failed, other = await asyncio.gather(
        ledger.learn(MERCHANT, "T1", fails), ledger.learn(MERCHANT, "T2", paid), return_exceptions=True
    )
    assert isinstance(failed, ZeroDivisionError)
    assert other.done


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_it_goes_by_the_row_and_not_by_what_this_process_wrote_last(
    path: Path, server: Server, make: Make, database: str
):
    """Another process has changed a payout that is under way here."""
    url = f"sqlite:///{path}" if database == "sqlite" else await server.ledger()
    mine, others = make(url), make(url)
    await mine.open(ACCOUNT)
    await others.open(ACCOUNT)
    await mine.claim(intent())
    await others.move(change(State.PROCESSING))
    seen: list[State] = []

    def look(entry: Entry) -> Change | None:
        seen.append(entry.state)
        return None

    assert not (await mine.learn(MERCHANT, "T1", look)).done
    assert seen[-1] is State.PROCESSING


async def test_a_callback_that_is_kept_apart_is_counted(ledger: Ledger):
    """Each payout and reason once, the latest first; other merchants see nothing of it."""
    for number in ("X1", "X2", "X1"):
        told = {"status": "0000", "amount": str(Decimal(300)), "platform_trade_no": "P"}
        await ledger.keep_callback(MERCHANT, number, why="unknown", **told)
    kept = await ledger.kept_callbacks(MERCHANT)
    assert {one.trade_no: one.count for one in kept} == {"X1": 2, "X2": 1}
    assert kept[0].last_at >= kept[1].last_at >= kept[1].first_at
    assert (kept[0].why, kept[0].status, kept[0].amount) == ("unknown", "0000", "300")
    assert await ledger.kept_callbacks("0000000002") == []


async def test_no_more_are_kept_than_fit(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    """The oldest give way."""
    for module in ("paypro_async.ledger.memory", "paypro_async.ledger.sql.queries"):
        monkeypatch.setattr(f"{module}.MOST_KEPT", 3)
    for number in range(5):
        await ledger.keep_callback(
            MERCHANT, f"X{number}", why="unknown", status="0000", amount=None, platform_trade_no=None
        )
        await asyncio.sleep(0.005)  # The databases' clocks may count milliseconds.
    assert [one.trade_no for one in await ledger.kept_callbacks(MERCHANT)] == ["X4", "X3", "X2"]


async def test_memory_forgets_nobody_who_listens():
    """It remembers the history in one row from when somebody listens first."""
    ledger = MemoryLedger()
    await ledger.claim(intent("BEFORE"))
    await ledger.register(MERCHANT, "mails")
    await ledger.claim(intent("AFTER"))
    (lent,) = await ledger.take(MERCHANT, "mails", owner="one", limit=10, seconds=30)
    assert lent.change.trade_no == "AFTER"
