"""Each watcher sees every change from when it began."""

import asyncio
from typing import Any

import pytest

from paypro_async import ConfigurationError, LedgerUnavailableError, MemoryLedger, PayoutChange, PayProClient
from paypro_async.ledger.outbox import Cursor
from paypro_async.sandbox import Sandbox
from tests.tracking.test_delivery import PAID, Make, fields, make, sandbox, url

__all__ = ["make", "sandbox", "url"]  # fixtures


async def collect(changes: object, count: int) -> list[PayoutChange]:
    found: list[PayoutChange] = []
    async with asyncio.timeout(20):
        async for change in changes:
            found.append(change)
            if len(found) == count:
                break
    return found


async def test_every_watcher_sees_all_whoever_makes_it(make: Make, url: str):
    """Two of them, in another process than the one that pays."""
    async with make(url) as client, make(url) as other:
        await other.payout(**fields("BEFORE", remark=PAID))
        one, two = (asyncio.ensure_future(collect(client.watch(), 4)) for _ in range(2))
        await client.ledger.get("0000000001", "T1")  # Another process may else be quicker than the first look.
        await other.payout(**fields("T1", remark=PAID))
        await client.payout(**fields("T2", remark=PAID))
        seen = [(change.trade_no, change.status.value) for change in await one]
        assert seen == [("T1", "unknown"), ("T1", "succeeded"), ("T2", "unknown"), ("T2", "succeeded")]
        assert [change.id for change in await two] == [change.id for change in one.result()]


@pytest.mark.parametrize("kept", ["memory", "in a file or on a server"])
async def test_what_its_client_does_next_is_seen(make: Make, sandbox: Sandbox, url: str, kept: str):
    """Also if nothing has read from it yet: a payout that is made at once, and the end of one that is asked about."""
    async with make("memory" if kept == "memory" else url) as client:
        # Others keep the ledger busy, so that what is asked next to each other shares a transaction.
        others = asyncio.ensure_future(_pay_many(client))
        for number in range(20):
            paid = client.watch(trade_no=f"P{number}")
            await client.payout(**fields(f"P{number}"))
            assert [change.status.value for change in await collect(paid, 2)] == ["unknown", "processing"]
            sandbox.books.set_status(f"P{number}", "0000")
            asked = client.watch(trade_no=f"P{number}")
            await client.query(f"P{number}")
            assert [change.status.value for change in await collect(asked, 1)] == ["succeeded"]
        others.cancel()


async def _pay_many(client: PayProClient) -> None:
    for number in range(100_000):
        await asyncio.gather(*(client.payout(**fields(f"O{number}-{one}", remark=PAID)) for one in range(4)))


async def test_a_watch_that_begins_while_the_ledger_is_away_goes_on(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Of whatever kind the failure is. It says so once."""
    monkeypatch.setattr("paypro_async.tracking.watcher._LOOK_SECONDS", 0.01)
    ledger, answered, failures = (
        MemoryLedger(),
        asyncio.Event(),
        [LedgerUnavailableError("It is away."), OSError(), OSError()],
    )
    cursor = ledger.cursor

    async def away(merchant_no: str) -> Cursor:
        if failures:
            raise failures.pop()
        answered.set()
        return await cursor(merchant_no)

    monkeypatch.setattr(ledger, "cursor", away)
    async with make(ledger) as client:
        watching = asyncio.ensure_future(collect(client.watch(), 2))
        async with asyncio.timeout(10):
            await answered.wait()
        await client.payout(**fields("T1", remark=PAID))
        assert [change.status.value for change in await watching] == ["unknown", "succeeded"]
    assert caplog.text.count("Changes are watched again") == 1


async def test_two_readers_of_one_watcher_share_its_changes(make: Make):
    """Each change goes to one of them."""
    async with make() as client:
        changes = client.watch()
        first, second = asyncio.ensure_future(collect(changes, 3)), asyncio.ensure_future(collect(changes, 3))
        for number in range(3):
            await client.payout(**fields(f"T{number}", remark=PAID))
        assert len({change.id for change in [*await first, *await second]}) == 6


async def test_one_payout_alone(make: Make):
    """Others are passed over."""
    async with make() as client:
        watching = asyncio.ensure_future(collect(client.watch(trade_no="T2"), 2))
        await asyncio.sleep(0)
        await client.payout(**fields("T1", remark=PAID))
        await client.payout(**fields("T2", remark=PAID))
        assert {change.trade_no for change in await watching} == {"T2"}


async def test_it_ends_with_its_client_and_leaves_nothing(make: Make, url: str):
    """A loop that is broken off, too."""
    before = asyncio.all_tasks()
    client = make(url)
    async with client:
        watching = asyncio.ensure_future(collect(client.watch(), 9))
        broken = client.watch()
        await asyncio.sleep(0)
        await client.payout(**fields("T1", remark=PAID))
        await collect(broken, 1)
    assert [change.status.value for change in await watching] == ["unknown", "succeeded"]
    tasks = {task.get_name() for task in asyncio.all_tasks() - before - {asyncio.current_task()}}
    assert {name for name in tasks if "sandbox" not in name} == set()


async def test_it_may_be_cancelled(make: Make):
    """And be gone on with."""
    async with make() as client:
        changes = client.watch()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await anext(changes)
        await client.payout(**fields("T1", remark=PAID))
        assert (await anext(changes)).status == "unknown"


async def test_a_slow_reader_misses_nothing(make: Make, monkeypatch: pytest.MonkeyPatch):
    """It reads page by page."""
    monkeypatch.setattr("paypro_async.tracking.watcher.PAGE", 3)
    async with make() as client:
        changes = client.watch()
        await asyncio.sleep(0)
        for number in range(10):
            await client.payout(**fields(f"T{number}", remark=PAID))
        assert len({change.id for change in await collect(changes, 20)}) == 20


async def test_a_client_without_a_ledger_has_nothing_to_watch(make: Make, sandbox: Sandbox):
    """And says what to do."""
    async with make(None) as client:
        with pytest.raises(ConfigurationError, match="no ledger"):
            client.watch()


@pytest.mark.parametrize("trade_no", [123, "", "a b"])
async def test_what_cannot_be_a_number_is_not_watched(make: Make, trade_no: Any):
    """It would yield nothing for ever."""
    async with make("memory") as client:
        with pytest.raises(ConfigurationError, match="trade_no must be"):
            client.watch(trade_no=trade_no)
