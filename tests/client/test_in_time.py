"""Every public call against every fault of a real ledger file and a real platform, each with two seconds."""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from paypro_async import LedgerUnavailableError, OutcomeUnknownError, PayProClient, PayProError
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.merchant import MERCHANT_NO, SIGNER, fields
from tests.support.servers import OK, Peer, Server, drip, unused_url

pytestmark = pytest.mark.trial

TIMEOUT = 2.0
SPARE = 0.5
RECORDING = 5.0

CALLS: dict[str, Callable[[PayProClient], Awaitable[Any]]] = {
    "payout": lambda client: client.payout(**fields("NEW"), timeout=TIMEOUT),
    "payout again": lambda client: client.payout(**fields("OLD"), timeout=TIMEOUT),
    "query": lambda client: client.query("OLD", timeout=TIMEOUT),
    "balance": lambda client: client.balance(timeout=TIMEOUT),
    "reconcile": lambda client: client.reconcile(deadline=TIMEOUT),
    "batch": lambda client: _batch(client, rate=None),
    "batch at a rate": lambda client: _batch(client, rate=1000),
    "aclose": lambda client: client.aclose(),
}


async def _batch(client: PayProClient, *, rate: float | None) -> Any:
    return await client.batch_payout([fields(f"B{number}") for number in range(5)], timeout=TIMEOUT, rate=rate)


# What the platform does with every request.


async def answers(peer: Peer) -> None:
    while True:
        await peer.read_request()
        await peer.write(OK)


async def is_silent(peer: Peer) -> None:
    await peer.read_request()
    await peer.hang()


async def is_deaf(peer: Peer) -> None:
    await peer.hang_deaf()


async def drips(peer: Peer) -> None:
    await drip(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b" ")


async def drips_headers(peer: Peer) -> None:
    await drip(peer, b"HTTP/1.1 200 OK\r\nX: ", b"x")


async def resets(peer: Peer) -> None:
    await peer.read_request()
    peer.reset()


async def closes(peer: Peer) -> None:
    peer.close()


PLATFORMS = {one.__name__: one for one in (answers, is_silent, is_deaf, drips, drips_headers, resets, closes)}


# What the ledger does, from the moment that the call begins.


@asynccontextmanager
async def _in_order(_ledger: SqlLedger, _path: Path) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _locked(_ledger: SqlLedger, path: Path) -> AsyncIterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@asynccontextmanager
async def _stuck(ledger: SqlLedger, _path: Path) -> AsyncIterator[None]:
    go_on = threading.Event()
    held = asyncio.ensure_future(ledger.read(lambda _: go_on.wait(60)))
    await asyncio.sleep(0.05)
    try:
        yield
    finally:
        go_on.set()
        with suppress(LedgerUnavailableError):
            await held


@asynccontextmanager
async def _slow(ledger: SqlLedger, _path: Path) -> AsyncIterator[None]:
    work = ledger._writer._work  # type: ignore[union-attr]
    ledger._writer._work = lambda requests: (time.sleep(0.4), work(requests))[1]  # type: ignore[union-attr]
    yield


@asynccontextmanager
async def _closed(ledger: SqlLedger, _path: Path) -> AsyncIterator[None]:
    await ledger.aclose()
    yield


LEDGERS = {"in order": _in_order, "locked": _locked, "stuck": _stuck, "slow": _slow, "closed": _closed}


def _flush(path: Path) -> float:
    began = time.monotonic()
    with path.open("ab") as file:
        file.write(b"x")
        file.flush()
        os.fsync(file.fileno())
    return time.monotonic() - began


async def _lag(most: list[float], path: Path) -> None:
    """How late this event loop has been, and how long a flush of the disk took, which is the machine's fault."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.02)
        most.append(time.monotonic() - began - 0.02)
        most.append(4 * await asyncio.to_thread(_flush, path))  # as many as a call waits for


async def _too_long(name: str, base_url: str, ledger_does: str, transport: str, folder: Path) -> str | None:
    path = folder.with_suffix(".db")
    ledger = SqlLedger(f"sqlite:///{path}")
    settings: dict[str, Any] = {"merchant_no": MERCHANT_NO, "signer": SIGNER, "environment": "trial"}
    client = PayProClient(base_url=base_url, transport=transport, ledger=ledger, timeout=TIMEOUT, **settings)
    client._owns_ledger = True
    most = [0.0]
    async with AsyncExitStack() as stack:
        before = PayProClient(base_url=unused_url(path=""), ledger=f"sqlite:///{path}", **settings)
        async with before:
            await before.ledger.claim(before._intake.intent(None, fields("OLD")))  # type: ignore[union-attr]
        await ledger.open(client._account)  # without a bound, which a busy machine may need more than
        await client.open()
        stack.push_async_callback(client.aclose)
        await stack.enter_async_context(LEDGERS[ledger_does](ledger, path))
        watch = asyncio.ensure_future(_lag(most, folder))
        began = time.monotonic()
        try:
            await asyncio.wait_for(CALLS[name](client), 60)
        except PayProError as error:
            learned = not isinstance(error, LedgerUnavailableError) and ledger_does != "in order"
        else:
            learned = ledger_does != "in order"
        took = time.monotonic() - began
        watch.cancel()
    allowed = TIMEOUT + SPARE + max(most) + (RECORDING if learned else 0.0)
    return f"{name}, {transport}, {base_url}, ledger {ledger_does}: {took:.2f} s" if took > allowed else None


OF_PLATFORMS = [(platform, "in order") for platform in (*PLATFORMS, "refuses")]
OF_LEDGERS = [("is_silent", does) for does in LEDGERS]


@pytest.mark.parametrize(("transport", "faults"), [("httpx", OF_PLATFORMS), ("aiohttp", OF_PLATFORMS + OF_LEDGERS)])
async def test_every_call_ends_in_its_time(transport: str, faults: list[tuple[str, str]], tmp_path: Path):
    """Two seconds and a half on a quiet machine; where something was learned, five more for storing it."""
    few = asyncio.Semaphore(8)  # more at one time would wait for each other, and not for a fault

    async def late(name: str, platform: str, does: str, turn: int) -> str | None:
        async with few:
            folder = tmp_path / f"{name}-{platform}-{does}-{turn}"
            return await _too_long(name, urls[platform], does, transport, folder)

    async with AsyncExitStack() as stack:
        urls = {"refuses": unused_url(path="")}
        urls |= {name: (await stack.enter_async_context(Server(script))).base_url for name, script in PLATFORMS.items()}
        trials = [(name, *fault) for name in CALLS for fault in faults]
        found = await asyncio.gather(*(late(*one, 1) for one in trials))
        # What is late is so each time, and by itself too; what a busy machine has held up is not.
        again = [one for one, was_late in zip(trials, found, strict=True) if was_late]
        still = [[await late(*one, turn) for turn in (2, 3, 4)] for one in again]
    assert [turns for turns in still if all(turns)] == []


async def test_opening_a_locked_ledger_ends_in_its_time(tmp_path: Path):
    """So that a service that starts beside a stuck process says so."""
    path = tmp_path / "ledger.db"
    settings: dict[str, Any] = {"merchant_no": MERCHANT_NO, "signer": SIGNER, "environment": "trial"}
    async with PayProClient(base_url=unused_url(path=""), ledger=f"sqlite:///{path}", **settings):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        client = PayProClient(base_url=unused_url(path=""), ledger=f"sqlite:///{path}", timeout=TIMEOUT, **settings)
        began = time.monotonic()
        with pytest.raises(LedgerUnavailableError):
            await client.open()
        assert time.monotonic() - began < TIMEOUT + SPARE + 0.5


async def test_closing_while_payouts_wait_for_a_locked_ledger(tmp_path: Path):
    """Nobody tries a closed ledger for the rest of its time."""
    path = tmp_path / "ledger.db"
    settings: dict[str, Any] = {"merchant_no": MERCHANT_NO, "signer": SIGNER, "environment": "trial"}
    async with Server(answers) as server:
        client = PayProClient(
            base_url=server.base_url, ledger=f"sqlite:///{path}", timeout=20, request_timeout=1, **settings
        )
        await client.open()
        calls = [asyncio.ensure_future(client.payout(**fields(f"T{number}"))) for number in range(20)]
        await asyncio.sleep(0.2)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            await client.aclose()
            closed_after = time.monotonic() - began
            results = await asyncio.gather(*calls, return_exceptions=True)
            ended_after = time.monotonic() - began
    assert closed_after < 1 + RECORDING + SPARE + 0.5
    assert ended_after < closed_after + 1
    assert all(isinstance(result, OutcomeUnknownError | LedgerUnavailableError) for result in results)
