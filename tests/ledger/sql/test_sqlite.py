"""What stands in the file, and how it is written."""

import asyncio
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from paypro_async import ConfigurationError, LedgerUnavailableError
from paypro_async._core.lifecycle import State
from paypro_async.ledger.sql import statements
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.machine_faults import Make, execute, numbers, rows


@contextmanager
def at_each_commit(look: Any) -> Iterator[None]:
    """Call *look* with the ledger's own connection, just before each of its commits."""
    event.listen(Engine, "commit", look)
    try:
        yield
    finally:
        event.remove(Engine, "commit", look)


async def test_every_commit_is_made_with_the_durable_settings(durable: SqlLedger, path: Path):
    """Write-ahead log, and a flush at each commit: on the connection that writes, also after a failure."""
    seen: list[tuple[Any, ...]] = []

    def look(connection: Connection) -> None:
        pragmas = ("journal_mode", "synchronous", "fullfsync")
        seen.append(tuple(connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas))

    with at_each_commit(look):
        await durable.claim(intent("T1"))
        await durable.move(change(State.SUCCEEDED))
        execute(path, "CREATE TRIGGER no BEFORE INSERT ON payout BEGIN SELECT RAISE(ABORT, 'no'); END")
        with pytest.raises(LedgerUnavailableError):
            await durable.claim(intent("T2"))
        execute(path, "DROP TRIGGER no")
        await durable.claim(intent("T2"))

    assert len(seen) >= 4
    assert set(seen) == {("wal", 2, 1)}


async def test_only_the_owner_can_read_the_file(closed: SqlLedger, path: Path):
    """It holds names and account numbers, so it and its logs are private under the most generous umask."""
    before = os.umask(0)
    try:
        await closed.open(ACCOUNT)
        await closed.claim(intent())
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600, "ledger.db-mark": 0o600}


async def test_the_file_says_which_schema_it_has(durable: SqlLedger, path: Path):
    """So that a later release knows what to do with it."""
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema_version'") == [("7",)]


async def test_a_file_of_a_newer_release_is_refused(durable: SqlLedger, path: Path):
    """However often it is tried, and nothing is written to it."""
    await durable.claim(intent("T1"))
    await durable.aclose()
    execute(path, "UPDATE meta SET value = '8' WHERE key = 'schema_version'")

    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"schema version 8.*knows 7") as caught:
            await durable.open(ACCOUNT)
        assert str(path) in str(caught.value)
        with pytest.raises(ConfigurationError):
            await durable.claim(intent("T2"))

    assert numbers(path) == {"T1"}


async def test_an_amount_is_stored_as_text(durable: SqlLedger, path: Path):
    """No binary number stands between what was meant and what is paid."""
    await durable.claim(intent("T1", amount="999999999999999.10"))
    assert rows(path, "SELECT amount, typeof(amount) FROM payout") == [("999999999999999.10", "text")]


async def test_the_history_tells_every_step_with_its_cause(durable: SqlLedger, path: Path):
    """Append-only, and what did not happen is not in it."""
    await durable.claim(intent())
    await durable.claim(intent())
    await durable.move(change(State.PROCESSING, code="0015"))
    await durable.move(change(State.FAILED))
    assert rows(path, "SELECT trade_no, from_state, to_state, cause, attempt, code FROM event ORDER BY id") == [
        ("T1", None, "sending", "attempt", 1, None),
        ("T1", "sending", "processing", "attempt", 1, "0015"),
    ]


async def test_reopening_finds_everything(make: Make, durable: SqlLedger, path: Path):
    """By another object, as after a restart."""
    entry = (await durable.claim(intent("T1", name="José Ñ. 渡辺"))).entry
    await durable.aclose()

    second = make(f"sqlite:///{path}")
    await second.open(ACCOUNT)
    found = await second.get(MERCHANT, "T1")

    assert found is not None
    assert (dict(found.content), found.sent_at, found.state) == (dict(entry.content), entry.sent_at, entry.state)
    assert found.age > 0


async def test_a_group_is_one_transaction(durable: SqlLedger, path: Path):
    """Four hundred payouts at once cost less than one commit for ten of them, intents and outcomes together."""
    commits: list[Connection] = []

    async def pay(number: str) -> None:
        assert (await durable.claim(intent(number))).done
        assert (await durable.move(change(State.SUCCEEDED, number, code="0000"))).done

    with at_each_commit(commits.append):
        await asyncio.gather(*(pay(f"T{n}") for n in range(400)))

    assert 0 < len(commits) <= 40
    assert rows(path, "SELECT count(*) FROM payout WHERE state = 'succeeded'") == [(400,)]


async def test_whoever_is_woken_finds_its_own_row_durable(durable: SqlLedger, path: Path):
    """A reader from outside sees the row at the moment when claim() or move() comes back."""

    async def pay(number: str) -> tuple[list[Any], list[Any]]:
        find = "SELECT state FROM payout WHERE trade_no = ?"
        await durable.claim(intent(number))
        claimed = rows(path, find, number)
        await durable.move(change(State.FAILED, number))
        return claimed, rows(path, find, number)

    answers = await asyncio.gather(*(pay(f"T{n}") for n in range(100)))

    assert set(map(str, answers)) == {"([('sending',)], [('failed',)])"}


async def test_a_cancelled_caller_still_has_its_row(durable: SqlLedger):
    """What was asked for is done: a payout that may have been announced is never forgotten."""
    task = asyncio.create_task(durable.claim(intent("T1")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (await durable.claim(intent("T1"))).done


async def test_an_sqlite_that_takes_no_rows_for_an_update(durable: SqlLedger, monkeypatch: pytest.MonkeyPatch):
    """Before 3.33: each row is a statement, and what is otherwise than it was known is found just so."""
    monkeypatch.setattr(statements, "_UPDATES_FROM_ROWS", False)
    await asyncio.gather(*(durable.claim(intent(f"T{number}")) for number in range(5)))
    answers = await asyncio.gather(*(durable.move(change(State.PROCESSING, f"T{number}")) for number in range(5)))
    again = await durable.move(change(State.PROCESSING, "T1"))
    assert [answer.done for answer in (*answers, again)] == [True] * 5 + [False]
