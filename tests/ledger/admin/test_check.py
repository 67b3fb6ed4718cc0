"""A ledger that is sound has no findings; one that somebody has been at has."""

# ruff: noqa: ASYNC240  nobody else waits in the event loop of a test

import tracemalloc
from pathlib import Path

import pytest

from paypro_async import LedgerUnavailableError
from paypro_async._core.lifecycle import Cause, State
from paypro_async._core.wire import Phase
from paypro_async.ledger.admin.check import Finding, findings
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.migrations import SCHEMA_VERSION
from tests.support.intents import ACCOUNT, MERCHANT, PERSONAL, again, change, intent
from tests.support.machine_faults import Make, rows
from tests.support.raw_sql import against_all_guards, file_of, fill, run


async def found_in(url: str) -> list[Finding]:
    ledger = SqlLedger(url)
    try:
        await ledger.open_to_read()
        return [one async for one in findings(ledger)]
    finally:
        await ledger.aclose()


@pytest.fixture
async def sound(database_url: str) -> str:
    """A ledger with payouts on every way of the lifecycle that clients go."""
    ledger = SqlLedger(database_url)
    await ledger.open(ACCOUNT)
    for number in range(8):
        await ledger.claim(intent(f"T{number}", remark="it's fine"))
    await ledger.move(change(State.SUCCEEDED, "T1", code="0000"))
    await ledger.move(change(State.NEW, "T2", phase=Phase.NOT_SENT))
    await ledger.move(change(State.SENDING, "T2", state=State.NEW, begins=True))
    await ledger.move(change(State.SENDING, "T3", phase=Phase.MAYBE_SENT))
    await ledger.move(again("T3", doubt=True))
    await ledger.move(change(State.FAILED, "T3", attempt=2))
    await ledger.move(change(State.PROCESSING, "T4", attempt=None))
    await ledger.move(change(State.REVIEW, "T5", cause=Cause.QUERY))
    await ledger.move(change(State.NEW, "T5", state=State.REVIEW, cause=Cause.PERSON, doubt=True, by="M", note="n"))
    await ledger.mark_restored(why="a test says so")
    await ledger.claim(intent("T8"))
    await ledger.move(again("T8", attempt=0))
    await ledger.aclose()
    return database_url


pytestmark = pytest.mark.filterwarnings("ignore::paypro_async.PayProWarning")


async def test_a_ledger_that_only_clients_wrote_is_sound(sound: str):
    """Also with attempts that were announced again, decisions of a person, and a restore."""
    assert await found_in(sound) == []


async def test_an_empty_ledger_is_sound(database_url: str):
    """There is nothing in it that could be wrong."""
    ledger = SqlLedger(database_url)
    await ledger.migrate()
    assert await found_in(database_url) == []


BREAKS = {
    "state": ("UPDATE payout SET state = 'paid' WHERE trade_no = 'T1'", {"STATE", "STATE_DIFFERS"}),
    "other state": ("UPDATE payout SET state = 'failed' WHERE trade_no = 'T1'", {"STATE_DIFFERS"}),
    "attempt": ("UPDATE payout SET attempt = 0 WHERE trade_no = 'T1'", {"ATTEMPT_DIFFERS"}),
    "amount": ("UPDATE payout SET amount = '301' WHERE trade_no = 'T1'", {"CONTENT"}),
    "no amount": ("UPDATE payout SET amount = '3e2' WHERE trade_no = 'T1'", {"AMOUNT", "CONTENT"}),
    "nothing": ("UPDATE payout SET amount = '0' WHERE trade_no = 'T1'", {"AMOUNT", "CONTENT"}),
    "beneficiary": (
        "UPDATE payout SET content = replace(content, '10094038292', '10094038293') WHERE trade_no = 'T1'",
        {"FINGERPRINT"},
    ),
    "fingerprint": ("UPDATE payout SET fingerprint = 'f' WHERE trade_no = 'T1'", {"FINGERPRINT"}),
    "content": ("UPDATE payout SET content = '{\"a\":' WHERE trade_no = 'T1'", {"CONTENT"}),
    "other number": (
        "UPDATE payout SET content = replace(content, '\"T1\"', '\"T9\"') WHERE trade_no = 'T1'",
        {"CONTENT"},
    ),
    "erased": ("UPDATE payout SET content = '{}' WHERE trade_no = 'T2'", {"ERASED"}),
    "currency": ("UPDATE payout SET currency = 'USD' WHERE trade_no = 'T1'", {"CURRENCY"}),
    "region": ("UPDATE payout SET region = 'atlantis' WHERE trade_no = 'T1'", {"REGION"}),
    "phase": ("UPDATE payout SET phase = 'lost' WHERE trade_no = 'T1'", {"PHASE"}),
    "reply": ("UPDATE payout SET reply = 'maybe' WHERE trade_no = 'T1'", {"REPLY"}),
    "long ago": ("UPDATE payout SET created_at = 12 WHERE trade_no = 'T1'", {"TIME"}),
    "tomorrow": ("UPDATE payout SET sent_at = sent_at + 200000 WHERE trade_no = 'T1'", {"TIME"}),
    "deleted": ("DELETE FROM payout WHERE trade_no = 'T1'", {"EVENT_WITHOUT_PAYOUT"}),
    "deleted last": ("DELETE FROM payout WHERE trade_no = 'T8'", {"EVENT_WITHOUT_PAYOUT"}),
    "no history": ("DELETE FROM event WHERE trade_no = 'T1'", {"NO_HISTORY"}),
    "no claim": ("DELETE FROM event WHERE trade_no = 'T1' AND from_state IS NULL", {"HISTORY"}),
    "a gap": ("DELETE FROM event WHERE trade_no = 'T3' AND to_state = 'failed'", {"STATE_DIFFERS"}),
    "a jump": ("UPDATE event SET from_state = 'new' WHERE trade_no = 'T1' AND to_state = 'succeeded'", {"HISTORY"}),
    "no way": (
        "UPDATE event SET cause = 'restore' WHERE trade_no = 'T1' AND to_state = 'succeeded'",
        {"HISTORY"},
    ),
    "cause": ("UPDATE event SET cause = 'magic' WHERE trade_no = 'T1' AND to_state = 'succeeded'", {"HISTORY"}),
    "event's phase": ("UPDATE event SET phase = 'lost' WHERE trade_no = 'T1' AND to_state = 'succeeded'", {"PHASE"}),
    "event's time": ("UPDATE event SET at = -1 WHERE trade_no = 'T1' AND to_state = 'succeeded'", {"TIME"}),
    "attempts back": (
        "UPDATE event SET attempt = 0 WHERE trade_no = 'T3' AND to_state = 'failed'",
        {"HISTORY", "ATTEMPT_DIFFERS"},
    ),
    "attempts ahead": ("UPDATE event SET attempt = 3 WHERE trade_no = 'T1'", {"HISTORY", "ATTEMPT_DIFFERS"}),
    "not counted": (
        "UPDATE event SET attempt = 1 WHERE trade_no = 'T2' AND from_state = 'new'",
        {"HISTORY"},
    ),
    "no environment": ("DELETE FROM account", {"NO_ENVIRONMENT"}),
}


# What is wrong with one payout is found in its row, wherever that lies; the server gets some of it.
CASES = [("sqlite", how) for how in BREAKS] + [("postgresql", how) for how in ("other state", "deleted", "no history")]


@pytest.mark.parametrize(("database_url", "how"), CASES, indirect=["database_url"])
async def test_what_somebody_did_by_hand_is_found(sound: str, how: str):
    """By its trade number, with a code for programs and no personal value; the other payouts have no findings."""
    statement, codes = BREAKS[how]
    await against_all_guards(sound, statement)

    found = await found_in(sound)

    assert {one.code for one in found} >= codes
    assert {one.code for one in found} - codes <= {"HISTORY", "ATTEMPT_DIFFERS", "STATE_DIFFERS"}
    assert len({one.trade_no for one in found}) == 1
    assert not [value for value in PERSONAL for one in found if value in str(one)]


@pytest.mark.parametrize("guard", ["payout_kept", "event_kept"])
async def test_a_guard_that_is_missing_is_found_and_made_again(sound: str, guard: str):
    """By a migration that has nothing else to do."""
    table = guard.partition("_")[0]
    on = "" if sound.startswith("sqlite:") else f" ON {table}"
    run(sound, f"DROP TRIGGER {guard}{on}")
    assert [one.code for one in await found_in(sound)] == ["GUARD"]
    assert await SqlLedger(sound).migrate() == SCHEMA_VERSION
    assert await found_in(sound) == []


async def test_a_guard_that_was_switched_off_or_weakened_is_found(sound: str):
    """It is there by name, and guards nothing."""
    if sound.startswith("sqlite:"):
        run(sound, "DROP TRIGGER payout_kept", "CREATE TRIGGER payout_kept BEFORE DELETE ON payout BEGIN SELECT 1; END")
    else:
        run(sound, "ALTER TABLE payout DISABLE TRIGGER payout_kept")
    assert [one.code for one in await found_in(sound)] == ["GUARD"]


async def test_a_damaged_file_is_a_finding(durable: SqlLedger, path: Path):
    """As much as can be read is read, and no error of the database comes through."""
    for number in range(200):
        await durable.claim(intent(f"T{number}"))
    await durable.aclose()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size * 3 // 4)
        file.write(b"\xa5" * 16384)

    found = await found_in(f"sqlite:///{path}")

    assert {one.code for one in found} & {"INTEGRITY", "UNREADABLE"}
    assert not [one for one in found if "Traceback" in str(one)]


async def test_a_file_that_is_no_ledger_cannot_be_checked(path: Path):
    """It says so."""
    path.write_text("name,amount\n" * 500)
    with pytest.raises(LedgerUnavailableError, match="not a ledger"):
        await found_in(f"sqlite:///{path}")


async def test_checking_writes_nothing_and_waits_for_nobody(durable: SqlLedger, path: Path, make: Make):
    """The file and its log are the same afterwards, and a payer that holds it goes on."""
    await durable.claim(intent("T1"))
    files = {one.name: one.read_bytes() for one in path.parent.iterdir() if not one.name.endswith("-shm")}
    assert await found_in(f"sqlite:///{path}") == []
    assert {one.name: one.read_bytes() for one in path.parent.iterdir() if not one.name.endswith("-shm")} == files
    assert (await durable.claim(intent("T2"))).done


async def test_a_reader_cannot_write(database_url: str, make: Make):
    """Whatever it asks for: the file's mode, or the server's transaction, refuses it."""
    ledger = make(database_url)
    await ledger.open(ACCOUNT)
    await ledger.aclose()
    await ledger.open_to_read()
    with pytest.raises(LedgerUnavailableError):
        await ledger.claim(intent("T1"))
    assert await ledger.get(MERCHANT, "T1") is None


@pytest.mark.trial
async def test_a_large_ledger_is_checked_in_little_memory(database_url: str):
    """Thousands of payouts; what is held at one time is a page of them."""
    await fill(database_url, 8_000)
    await against_all_guards(database_url, "UPDATE payout SET attempt = 7 WHERE trade_no = 'T7998'")
    tracemalloc.start()
    try:
        found = await found_in(database_url)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [(one.trade_no, one.code) for one in found] == [("T7998", "ATTEMPT_DIFFERS")]
    assert peak < 12_000_000
    if database_url.startswith("sqlite:"):
        assert rows(file_of(database_url), "SELECT count(*) FROM payout") == [(8_000,)]


async def test_a_change_that_can_never_be_told_is_found(sound: str):
    ledger = SqlLedger(sound)
    await ledger.open(ACCOUNT)
    await ledger.register(MERCHANT, "mails")
    await ledger.move(change(State.SUCCEEDED, "T7"))
    assert len(await ledger.take(MERCHANT, "mails", owner="one", limit=1, seconds=60)) == 1
    await ledger.aclose()
    assert await found_in(sound) == []
    await ledger.open(ACCOUNT)
    of_another = "UPDATE delivery SET trade_no = 'T6'"
    await ledger.write(lambda connection: connection.exec_driver_sql(of_another))
    await ledger.aclose()
    assert [(one.code, one.trade_no) for one in await found_in(sound)] == [("CHANGE_WITHOUT_STEP", "T6")]
