"""Opening a ledger while other processes write to it."""

from pathlib import Path

import pytest

from paypro_async.ledger import sqlite
from paypro_async.ledger.mark import Mark
from paypro_async.ledger.sql import SqlLedger
from tests.ledger.machine import Make, rows
from tests.ledger.payouts import ACCOUNT, intent


async def test_a_ledger_that_others_carry_on_while_it_is_opened_is_no_backup(
    durable: SqlLedger, make: Make, path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Between the reading of its history and that of its mark, another process may commit and move the mark on."""
    await durable.claim(intent("T1"))
    ((ledger_id,),) = rows(path, "SELECT value FROM meta WHERE key = 'ledger_id'")

    def read_slowly(connection):
        last = real(connection)
        Mark(path).write(ledger_id, last + 1)
        return last

    real = sqlite.last_event_of
    monkeypatch.setattr(sqlite, "last_event_of", read_slowly)
    second = make(f"sqlite:///{path}")
    await second.open(ACCOUNT)

    assert second.forgetful_since is None
