"""The disk fails to sync or to write while a client pays: before sending nothing leaves, after it nothing is lost."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from paypro_async import LedgerUnavailableError, OutcomeNotRecordedError, PayoutResult, PayoutStatus, PayProClient
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import Sandbox
from paypro_async.transport import TransportSettings
from tests.support.agreement import agree
from tests.support.clock import Hurried
from tests.support.disk import Disk
from tests.support.intents import FIELDS
from tests.support.machine_faults import rows
from tests.support.network import Watched
from tests.support.programs.payer import BATCH_SETTINGS, REMARK, SETTINGS

FAULTS = {
    "sync": ("sync", sqlite3.SQLITE_IOERR_FSYNC),
    "full": ("write", sqlite3.SQLITE_FULL),
    "write": ("write", sqlite3.SQLITE_IOERR_WRITE),
}
NUMBERS = [f"T{n}" for n in range(16)]


def payout(trade_no: str) -> dict[str, str]:
    return FIELDS | {"trade_no": trade_no, "remark": REMARK}


async def pay(client: PayProClient, numbers: Sequence[str] = NUMBERS) -> list[PayoutResult | BaseException]:
    """What each caller hears."""
    return await asyncio.gather(*(client.payout(payout(one)) for one in numbers), return_exceptions=True)


def succeeded(results: Sequence[PayoutResult | BaseException]) -> bool:
    return all(isinstance(one, PayoutResult) and one.status is PayoutStatus.SUCCEEDED for one in results)


def refused(results: Sequence[PayoutResult | BaseException]) -> bool:
    return all(isinstance(one, LedgerUnavailableError) and not one.money_may_have_moved for one in results)


def sent(sandbox: Sandbox) -> set[str | None]:
    return {one.trade_no for one in sandbox.books.requests if one.path.endswith("/payout")}


def after_a_power_loss(disk: Disk, folder: Path) -> list[tuple[Any, ...]]:
    path = disk.power_loss(folder) / "ledger.db"
    return rows(path, "SELECT trade_no, state, attempt FROM payout")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """It books whatever it is sent, as often as it is sent."""
    async with Sandbox(deduplicate=False) as sandbox:
        yield sandbox


@pytest.fixture
async def transport() -> AsyncIterator[Watched]:
    transport = Watched()
    yield transport
    await transport.aclose()


@pytest.fixture
async def client(disk: Disk, sandbox: Sandbox, closed: SqlLedger, transport: Watched) -> AsyncIterator[PayProClient]:
    """Its time is real, for many payouts at once."""
    settings = BATCH_SETTINGS | {"transport": transport}
    async with PayProClient(base_url=sandbox.base_url, ledger=closed, **settings) as client:
        yield client


@pytest.fixture
async def hurried(disk: Disk, sandbox: Sandbox, closed: SqlLedger, transport: Watched) -> AsyncIterator[PayProClient]:
    """For one payout, and waiting takes no time."""
    runtime = Hurried()
    transport._settings = TransportSettings(runtime=runtime)
    settings = SETTINGS | {"transport": transport, "runtime": runtime}
    async with PayProClient(base_url=sandbox.base_url, ledger=closed, **settings) as client:
        yield client


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failing_disk_sends_nothing(
    client: PayProClient, disk: Disk, sandbox: Sandbox, closed: SqlLedger, fault: str
):
    """Not one request leaves, each caller hears why, and once the disk works each payout is made once."""
    disk.fail(*FAULTS[fault])
    for _ in range(2):
        assert refused(await pay(client))
    assert sandbox.books.requests == []

    disk.mend()
    assert succeeded(await pay(client))
    await agree(sandbox, closed, NUMBERS)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_disk_that_fails_in_the_middle(
    client: PayProClient, disk: Disk, sandbox: Sandbox, closed: SqlLedger, transport: Watched, fault: str
):
    """Those that are under way are stored as soon as it works again, and of the others nothing has left."""
    failing = asyncio.Event()

    async def fail(_: str) -> None:
        if not failing.is_set():
            disk.fail(*FAULTS[fault])
            failing.set()

    transport.answered = fail
    under_way = asyncio.create_task(pay(client, NUMBERS[:6]))
    await failing.wait()
    assert refused(await pay(client, NUMBERS[6:]))
    assert not under_way.done()
    disk.mend()

    assert succeeded(await under_way)
    assert sent(sandbox) == set(NUMBERS[:6])
    assert succeeded(await pay(client))
    await agree(sandbox, closed, NUMBERS)


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_outcome_that_the_disk_takes_at_the_second_try(
    hurried: PayProClient, disk: Disk, transport: Watched, tmp_path: Path, fault: str
):
    """The caller hears of nothing, and the outcome survives a power loss."""

    async def fail_once(_: str) -> None:
        disk.fail(*FAULTS[fault], times=1)

    transport.answered = fail_once
    assert (await hurried.payout(payout("T1"))).status is PayoutStatus.SUCCEEDED
    assert after_a_power_loss(disk, tmp_path / "after") == [("T1", "succeeded", 1)]


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_outcome_that_the_disk_does_not_take(
    hurried: PayProClient,
    disk: Disk,
    sandbox: Sandbox,
    closed: SqlLedger,
    transport: Watched,
    tmp_path: Path,
    fault: str,
):
    """It is handed over; on the disk the payout is unknown, which is true, and the next call asks."""

    async def fail(_: str) -> None:
        disk.fail(*FAULTS[fault])

    transport.answered = fail
    with pytest.raises(OutcomeNotRecordedError) as caught:
        await hurried.payout(payout("T1"))
    assert caught.value.result.status is PayoutStatus.SUCCEEDED
    assert after_a_power_loss(disk, tmp_path / "after") == [("T1", "sending", 1)]

    transport.answered = None
    disk.mend()
    assert (await hurried.payout(payout("T1"))).status is PayoutStatus.SUCCEEDED
    assert after_a_power_loss(disk, tmp_path / "later") == [("T1", "succeeded", 1)]
    await agree(sandbox, closed, ["T1"])
