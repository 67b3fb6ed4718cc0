"""Opening a ledger while other processes write to it."""

import asyncio
import sys
from pathlib import Path

import pytest

from paypro_async.ledger.sql import sqlite
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.provenance.watermark import Watermark
from tests.support.intents import ACCOUNT, intent
from tests.support.machine_faults import Make, numbers, rows


async def test_a_ledger_that_others_carry_on_while_it_is_opened_is_no_backup(
    durable: SqlLedger, make: Make, path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Between the reading of its history and that of its mark, another process may commit and move the mark on."""
    await durable.claim(intent("T1"))
    ((ledger_id,),) = rows(path, "SELECT value FROM meta WHERE key = 'ledger_id'")

    def read_slowly(connection):
        last = real(connection)
        Watermark(path).write(ledger_id, last + 1)
        return last

    real = sqlite.last_event_of
    monkeypatch.setattr(sqlite, "last_event_of", read_slowly)
    second = make(f"sqlite:///{path}")
    await second.open(ACCOUNT)

    assert second.restored_since is None


async def test_a_second_ledger_in_this_process_takes_no_lock_from_the_first(durable: SqlLedger, make: Make, path: Path):
    """Else another process would think itself alone at its end, and delete the log that the first one writes to."""
    await durable.claim(intent("T1"))
    for purpose in ("open", "open_to_read", "open_to_maintain"):
        beside = make(f"sqlite:///{path}")
        await (beside.open(ACCOUNT) if purpose == "open" else getattr(beside, purpose)())
        await beside.aclose()
    # A process that opens the ledger as SQLite does, and is the last to close it as far as it can tell.
    command = (
        "import sqlite3, sys; file = sqlite3.connect(sys.argv[1]); file.execute('SELECT * FROM meta'); file.close()"
    )
    async with asyncio.timeout(30):
        other = await asyncio.create_subprocess_exec(sys.executable, "-c", command, str(path))
        assert await other.wait() == 0

    assert (await durable.claim(intent("T2"))).done

    assert numbers(path) == {"T1", "T2"}
