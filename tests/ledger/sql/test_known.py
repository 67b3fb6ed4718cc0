"""What a process knows of the payouts that it has under way is no more than what another one has made of them."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
from attrs import evolve

from paypro_async._core.lifecycle import Cause, Reply, State
from paypro_async._core.wire import Phase
from paypro_async.errors import PaidMeanwhileError, PayProWarning
from paypro_async.ledger.sql import group
from paypro_async.ledger.sql.group import Claim, Group, Move
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, again, ageless, change, intent
from tests.support.machine_faults import Make
from tests.support.postgres import Server

Two = tuple[SqlLedger, SqlLedger]


@pytest.fixture(params=["sqlite", "postgresql"])
async def two(request: pytest.FixtureRequest, path: Path, make: Make) -> Two:
    """Two processes' views of one ledger; the first one has T1 under way."""
    url = f"sqlite:///{path}" if request.param == "sqlite" else await request.getfixturevalue("server").ledger()
    mine, other = make(url, busy_timeout=5.0), make(url, busy_timeout=5.0)
    await mine.open(ACCOUNT)
    await other.open(ACCOUNT)
    await mine.claim(evolve(intent("T1"), settle_after=60.0))
    return mine, other


NOTES = [
    {"phase": Phase.MAYBE_SENT},
    {"phase": Phase.MAYBE_SENT, "doubt": True},
    {"phase": Phase.MAYBE_SENT, "message": "no reply came"},
    {"phase": Phase.MAYBE_SENT, "platform_trade_no": "P1", "utr": "U1", "code": "0015"},
]


@pytest.mark.parametrize("note", NOTES)
async def test_what_another_process_has_noted_is_kept(two: Two, note: dict[str, Any]):
    """Also where neither the state nor the attempt tells of it."""
    mine, other = two
    noted = (await other.move(change(State.SENDING, **note))).entry

    moved = await mine.move(change(State.PROCESSING))

    assert moved.done
    kept = {name: getattr(moved.entry, name) for name in note}
    assert kept == note
    assert ageless(await other.get(MERCHANT, "T1")) == ageless(moved.entry)
    assert moved.entry.attempt == noted.attempt


async def test_the_newest_entry_is_answered_where_another_process_was_faster(two: Two):
    """An older attempt's end says nothing of the one that another process has announced."""
    mine, other = two
    await other.move(change(State.NEW, reply=Reply.FAILING, phase=Phase.NOT_SENT))
    newest = (await other.move(again(attempt=1, state=State.NEW, settle_after=90.0))).entry

    late = await mine.move(change(State.NEW, phase=Phase.NOT_SENT))

    assert not late.done
    assert ageless(late.entry) == ageless(newest)
    assert [one.attempt for one in await mine.history(MERCHANT, "T1")] == [1, 1, 2]


async def test_a_change_may_be_decided_from_what_another_process_wrote(two: Two):
    """Its writer has read it, and the ledger that knew less reads it as well."""
    mine, other = two
    await other.move(change(State.PROCESSING, platform_trade_no="P1"))

    moved = await mine.move(change(State.SUCCEEDED, state=State.PROCESSING, cause=Cause.QUERY, attempt=None))

    assert moved.done
    assert (moved.entry.state, moved.entry.platform_trade_no) == (State.SUCCEEDED, "P1")


async def test_one_entry_that_is_otherwise_takes_nothing_from_the_others_of_its_group(two: Two):
    """The group is decided anew, and each step is written once."""
    mine, other = two
    await asyncio.gather(*(mine.claim(intent(f"M{number}")) for number in range(8)))
    await other.move(change(State.PROCESSING, "M3"))

    answers = await asyncio.gather(
        *(mine.move(change(State.PROCESSING, f"M{number}", platform_trade_no=f"P{number}")) for number in range(8)),
        *(mine.claim(intent(f"N{number}")) for number in range(8)),
    )

    assert [answer.done for answer in answers] == [number != 3 for number in range(16)]
    for number in range(8):
        assert len(await mine.history(MERCHANT, f"M{number}")) == 2
        assert len(await mine.history(MERCHANT, f"N{number}")) == 1


async def test_a_ledger_that_another_process_found_restored_is_read(two: Two):
    """From then on the attempt counts as announced when that was found, and no change takes that back."""
    mine, other = two
    await mine.move(change(State.NEW, phase=Phase.NOT_SENT))
    await mine.move(again(state=State.NEW, doubt=True))
    with pytest.warns(PayProWarning, match="restored backup"):
        await other.mark_restored(why="a test says so")
    since = await other.get(MERCHANT, "T1")
    assert since is not None

    moved = await mine.move(change(State.PROCESSING, attempt=2))

    assert moved.done
    assert (moved.entry.sent_at, moved.entry.doubt) == (since.sent_at, True)


async def test_a_number_that_is_there_is_not_one_payment_too_many(two: Two):
    """The second run of a file that knows of no other payment finds its own."""
    mine, other = two
    first = evolve(intent("G1"), batch_id="B1", others=1)

    assert (await other.claim(first)).done
    assert not (await mine.claim(evolve(first, batch_id="B2"))).done
    with pytest.raises(PaidMeanwhileError):
        await mine.claim(evolve(intent("G2"), batch_id="B2", others=1))


async def test_one_payout_may_occur_in_a_group_more_than_once(two: Two):
    """Each step acts on what the one before it left."""
    mine, _ = two
    claims = [Claim(intent("W1")), Move(change(State.PROCESSING, "W1")), Claim(intent("W1"))]

    def carry_out(connection: Any) -> list[Any]:
        return Group(connection, claims, owner="me", began=mine._database.began, known={}).carry_out()

    claimed, moved, twice = await mine.write(carry_out)

    assert (claimed.done, moved.done, twice.done) == (True, True, False)
    assert ageless(await mine.get(MERCHANT, "W1")) == ageless(moved.entry)


async def test_a_group_that_waited_for_a_lock_writes_no_time_from_before(
    server: Server, make: Make, monkeypatch: pytest.MonkeyPatch
):
    """Its attempt is as old as what it has read last, and not as its question for the lock."""
    monkeypatch.setattr(group, "_PROMPT", 0.1)
    url = await server.ledger()
    ledger = make(url)
    await ledger.open(ACCOUNT)
    async with await psycopg.AsyncConnection.connect(url) as other:
        await other.execute("LOCK TABLE event IN EXCLUSIVE MODE")
        claiming = asyncio.create_task(ledger.claim(intent("W1")))
        await asyncio.sleep(0.3)
        (released,) = await (await other.execute("SELECT extract(epoch from clock_timestamp())::float8")).fetchone()
        await other.rollback()
        claimed = await claiming

    assert claimed.entry.sent_at.timestamp() >= released
    assert len(await ledger.history(MERCHANT, "W1")) == 1
