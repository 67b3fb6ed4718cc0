"""A server that goes away and comes back, stands still, or has become a standby."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from paypro_async import LedgerUnavailableError
from paypro_async._core.lifecycle import State
from paypro_async.ledger.sql import ledger as ledger_module
from paypro_async.ledger.sql.server import connection as connection_module
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.machine_faults import Make
from tests.support.pooler import Pooler, needs_pgbouncer
from tests.support.postgres import Server

PROCESS = text("SELECT pg_backend_pid()")


@pytest.fixture(scope="module")
def own() -> Iterator[Server]:
    """A server of these tests alone, which they stop."""
    with Server() as server:
        yield server


async def test_opening_waits_for_a_server_that_restarts(own: Server, make: Make):
    """As a write does: a client is often started together with its server."""
    url = await own.ledger()
    own.stop()
    try:
        opening = asyncio.create_task(make(url).open(ACCOUNT))
        migrating = asyncio.create_task(make(url).migrate())
        await asyncio.sleep(0.2)
        assert not opening.done()
    finally:
        await asyncio.to_thread(own.start)
    await opening
    await migrating


async def test_a_server_that_stays_away_is_named_within_the_patience(own: Server, make: Make):
    """Who opens is told after the time that is stated, and who only looks is told at once."""
    url = await own.ledger()
    own.stop()
    try:
        begun = time.monotonic()
        with pytest.raises(LedgerUnavailableError, match="no server listens on that socket; start it"):
            await make(url, patience=0.5).open(ACCOUNT)
        assert 0.2 < time.monotonic() - begun < 3
        begun = time.monotonic()
        with pytest.raises(LedgerUnavailableError, match="start it"):
            await make(url).open_to_read()
        assert time.monotonic() - begun < 3
    finally:
        own.start()


async def test_who_gives_up_opening_does_not_wait_for_the_server(make: Make):
    """Ctrl-C while a client opens ends it at once; nothing is written yet."""
    ledger = make("postgresql://payer@127.0.0.1:1/payments")
    opening = asyncio.create_task(ledger.open(ACCOUNT))
    await asyncio.sleep(0.1)
    opening.cancel()
    begun = time.monotonic()
    await ledger.aclose()
    assert time.monotonic() - begun < 3


async def test_waiting_for_a_server_is_said(
    make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """Who looks at the log knows what a program waits for."""
    monkeypatch.setattr(ledger_module, "_TELLING_SECONDS", 0.05)  # also on a busy machine within its patience
    with pytest.raises(LedgerUnavailableError):
        await make("postgresql://payer@127.0.0.1:1/payments", patience=1.2).open(ACCOUNT)
    assert "start it, or mend host and port in the URL" in caplog.text
    assert "It is tried again, for up to 1 seconds." in caplog.text


async def test_a_standby_is_read_from_and_not_paid_from(own: Server, make: Make, monkeypatch: pytest.MonkeyPatch):
    """The text says which server is wanted."""
    url = await own.ledger()
    own.stop("fast")
    (own.folder / "standby.signal").touch()
    os.chown(own.folder / "standby.signal", *owner_of(own))
    own.start()
    try:
        await make(url).open_to_read()
        with pytest.raises(LedgerUnavailableError, match="only reads, as a standby does; name the primary"):
            await make(url).open(ACCOUNT)
        both = f"{url}&port=5432,5432".replace("host=", f"host={own.folder},")
        with pytest.raises(LedgerUnavailableError, match=r"only reads.*hot standby mode"):
            await make(both, patience=0).open(ACCOUNT)
        monkeypatch.setenv("PGHOST", f"{own.folder},{own.folder}")
        with pytest.raises(LedgerUnavailableError, match=r"only reads.*hot standby mode"):
            await make(url.partition("?")[0], patience=0).open(ACCOUNT)
    finally:
        own.stop("fast")
        (own.folder / "standby.signal").unlink()
        own.start()


def owner_of(server: Server) -> tuple[int, int]:
    found = server.folder.stat()
    return found.st_uid, found.st_gid


async def test_a_server_that_stands_still_keeps_the_ledger_for_no_longer_than_is_said(
    server: Server, make: Make, monkeypatch: pytest.MonkeyPatch
):
    """Then the connection is given up, and with another one it goes on; what was claimed meanwhile is known."""
    monkeypatch.setattr(connection_module, "_ANSWER_SECONDS", 0.3)
    ledger = make(await server.ledger(), patience=0)
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    frozen = await ledger.write(lambda connection: int(connection.execute(PROCESS).scalar_one()))
    os.kill(frozen, signal.SIGSTOP)
    try:
        with pytest.raises(LedgerUnavailableError, match="does not answer; look whether it, a pooler or a firewall"):
            await ledger.claim(intent("T2"))
        assert (await ledger.move(change(State.SUCCEEDED, "T1"))).done
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert (await ledger.claim(intent("T2"))).done


@needs_pgbouncer
async def test_a_server_that_restarts_behind_a_pooler(own: Server, make: Make):
    """A write that met the restart is done once, and once only."""
    url = await own.ledger()
    with Pooler(own, pool_mode="transaction", server_login_retry=0.2) as pooler:
        ledger = make(pooler.url(url))
        await ledger.open(ACCOUNT)
        await ledger.claim(intent("T1"))
        own.stop()
        claiming = [asyncio.create_task(ledger.claim(intent(f"N{number}"))) for number in range(5)]
        await asyncio.to_thread(own.start)
        assert [(await one).done for one in claiming] == [True] * 5
        assert len(await ledger.open_entries(MERCHANT)) == 6
