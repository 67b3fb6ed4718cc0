from collections.abc import AsyncIterator

import pytest
from attrs import evolve

from paypro_async._core.lifecycle import Cause, State
from paypro_async._core.wire import Phase
from paypro_async.ledger import BatchRecord
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import Sandbox
from tests.support.commands import Commands
from tests.support.fork_server import ForkServer
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.terminal import SECRET, Terminal

SAID = "\x1b[31m[bold]paid to Asha Rao, 10094038292"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(secret=SECRET) as sandbox:
        yield sandbox


@pytest.fixture
async def terminal(tmp_path, sandbox: Sandbox, fork_server: ForkServer) -> AsyncIterator[Terminal]:
    terminal = Terminal(tmp_path, sandbox.base_url, fork_server)
    yield terminal
    await terminal.aclose()


@pytest.fixture
async def used(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A ledger with some payouts, which the environment names; its URL."""
    monkeypatch.setenv("PAYPRO_LEDGER", database_url)
    ledger = SqlLedger(database_url)
    await ledger.open(ACCOUNT)
    await ledger.record_batch(BatchRecord(merchant_no=MERCHANT, batch_id="B1", source="salaries.csv", total=3))
    for number in range(6):
        batch = {"batch_id": "B1", "position": number} if number < 2 else {}
        await ledger.claim(evolve(intent(f"T{number}", amount=f"{number}00.10" if number else "1"), **batch))
    await ledger.move(change(State.SUCCEEDED, "T1", code="0000", message=SAID, platform_trade_no="P-1", utr="U-1"))
    await ledger.move(change(State.REVIEW, "T2", cause=Cause.QUERY))
    await ledger.move(change(State.FAILED, "T3", code="00029", phase=Phase.ANSWERED))
    await ledger.aclose()
    return database_url


@pytest.fixture
def ledger_command(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)
