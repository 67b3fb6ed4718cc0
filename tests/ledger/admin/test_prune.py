"""Personal values of old payouts are erased, and nothing that keeps a payout from being paid twice."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from paypro_async import (
    Decision,
    DecisionRefusedError,
    IdempotencyConflictError,
    Md5Signer,
    PayoutStatus,
    PayProClient,
    decide,
)
from paypro_async._core.lifecycle import FINAL, Cause, State
from paypro_async._core.payment_key import payment_key
from paypro_async.ledger.admin.check import findings
from paypro_async.ledger.admin.prune import erasable, erase
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, FIELDS, MERCHANT, OTHER_MERCHANT, PERSONAL, change, intent
from tests.support.merchant import fields
from tests.support.raw_sql import ask, fill, run
from tests.support.scripted import Scripted

SAID = "paid to Asha Rao"


@pytest.fixture
async def kept(database_url: str, make) -> SqlLedger:
    """An open ledger with a payout in each state, by whose name it goes."""
    ledger: SqlLedger = make(database_url)
    await ledger.open(ACCOUNT)
    for state in State:
        await ledger.claim(intent(state.value))
    for to in (State.NEW, State.PROCESSING, State.SUCCEEDED, State.FAILED):
        await ledger.move(change(to, to.value, code="1", message=SAID))
    await ledger.move(change(State.REVIEW, "review", cause=Cause.QUERY, code="1", message=SAID))
    await ledger.move(change(State.SUCCEEDED, "reversed", code="1", message=SAID))
    await ledger.move(change(State.REVERSED, "reversed", state=State.SUCCEEDED, cause=Cause.QUERY))
    return ledger


def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


async def test_what_is_final_and_old_enough_loses_its_personal_values_alone(kept: SqlLedger):
    """What is open or waits for a person keeps them, since it may have to be sent or looked into."""
    before = {state: await kept.get(MERCHANT, state.value) for state in State}
    assert await erasable(kept, datetime.now(UTC) - timedelta(hours=1)) == {}
    assert await erase(kept, datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await erasable(kept, in_an_hour()) == {state.value: 1 for state in FINAL}

    assert await erase(kept, in_an_hour()) == len(FINAL)

    for state in State:
        entry, was = await kept.get(MERCHANT, state.value), before[state]
        assert entry
        assert was
        assert dict(entry.content) == ({} if state in FINAL else dict(was.content))
        assert entry.message == (None if state in FINAL else was.message)
        assert (entry.state, entry.attempt, entry.fingerprint, entry.amount, entry.code, entry.updated_at) == (
            (was.state, was.attempt, was.fingerprint, was.amount, was.code, was.updated_at)
        )
    assert len(await kept.history(MERCHANT, "reversed")) == 3
    assert await erasable(kept, in_an_hour()) == {}
    assert [one async for one in findings(kept)] == []


async def test_no_payout_becomes_payable_again(kept: SqlLedger):
    """The same content gets the stored result without a request, another one is a conflict; the look back finds it."""
    await erase(kept, in_an_hour())
    transport = Scripted()
    async with PayProClient(
        base_url="https://paypro.example/in",
        merchant_no=MERCHANT,
        signer=Md5Signer("s"),
        transport=transport,
        ledger=kept,
        environment=ACCOUNT.environment,
    ) as client:
        for state in FINAL:
            result = await client.payout(**fields(state.value))
            assert result.status is PayoutStatus(state.value)
            with pytest.raises(IdempotencyConflictError):
                await client.payout(**fields(state.value, amount="301"))
    assert transport.log == []
    key = payment_key("india", intent("x").content)
    assert key is not None
    same = await kept.same_payments(MERCHANT, [key])
    assert sorted(one.trade_no for one in same[key]) == sorted(state.value for state in State)


async def test_what_has_no_content_is_never_sent(kept: SqlLedger, database_url: str):
    """A person may hold it and look, and cannot have it paid again; nor can whoever writes to the database."""
    await erase(kept, in_an_hour())
    who = {"by": "Meera", "note": "hm", "settle_after": 0}
    await decide(kept, MERCHANT, "failed", Decision.HOLD, **who)
    with pytest.raises(DecisionRefusedError, match="content of payout failed was erased") as caught:
        await decide(kept, MERCHANT, "failed", Decision.PAY_AGAIN, **who)
    assert set(caught.value.allowed) == {"paid", "not-paid", "processing"}
    with pytest.raises((sqlite3.DatabaseError, psycopg.Error), match="was erased"):
        run(database_url, "UPDATE payout SET state = 'new' WHERE trade_no = 'failed'")
    assert (await decide(kept, MERCHANT, "failed", Decision.NOT_PAID, **who)).state is State.FAILED


@pytest.mark.parametrize("state", ["sending", "review", "processing", "new"])
async def test_the_database_itself_keeps_what_is_open(kept: SqlLedger, database_url: str, state: str):
    """Whoever tries to erase it."""
    with pytest.raises((sqlite3.DatabaseError, psycopg.Error), match="content of a payout never changes"):
        run(database_url, f"UPDATE payout SET content = '{{}}' WHERE trade_no = '{state}'")  # noqa: S608  the test's own


async def test_content_is_erased_and_never_replaced(kept: SqlLedger, database_url: str):
    """Also that of a final payout."""
    with pytest.raises((sqlite3.DatabaseError, psycopg.Error), match="content of a payout never changes"):
        run(database_url, "UPDATE payout SET content = '{\"name\":\"X\"}' WHERE trade_no = 'succeeded'")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_byte_of_what_was_erased_is_left(database_url: str, make, path: Path):
    """Neither in the file nor in its write-ahead log, while another process has the ledger open."""
    ledger, other = make(database_url), make(database_url, busy_timeout=5)
    await ledger.open(ACCOUNT)
    await other.open(ACCOUNT)
    for number in range(50):
        await ledger.claim(intent(f"T{number}"))
        await ledger.move(change(State.SUCCEEDED, f"T{number}", message=SAID))
    assert FIELDS["bank_number"] in in_files(path)

    await erase(ledger, in_an_hour())
    await ledger.aclose()
    assert await ledger.rewrite() is True

    assert not [value for value in PERSONAL if value in in_files(path)]
    assert (await other.claim(intent("T1"))).entry.state is State.SUCCEEDED
    assert (await other.claim(intent("later"))).done


def in_files(path: Path) -> str:
    return "".join(one.read_bytes().decode("latin-1") for one in path.parent.glob(f"{path.name}*"))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_server_frees_the_space_itself(kept: SqlLedger):
    """Nothing is promised for it."""
    await kept.aclose()
    assert await kept.rewrite() is False


async def test_pages_and_merchants_are_all_gone_through(database_url: str, make):
    """More payouts than a page, and those of another merchant."""
    await fill(database_url, 1201)
    ledger = make(database_url)
    await ledger.open(ACCOUNT)
    run(database_url, "UPDATE payout SET state = 'succeeded'")
    await ledger.claim(intent("other", merchant_no=OTHER_MERCHANT))
    await ledger.move(change(State.FAILED, "other", merchant_no=OTHER_MERCHANT))

    assert await erase(ledger, in_an_hour()) == 1202

    assert ask(database_url, "SELECT count(*) FROM payout WHERE content <> '{}'") == [(0,)]
