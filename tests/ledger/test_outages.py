"""The ledger fails while a payout is under way: before sending nothing is sent, after it the answer is not lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from paypro_async import LedgerUnavailableError, OutcomeNotRecordedError, PayoutStatus, PayProClient
from paypro_async._core.lifecycle import State
from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import Sandbox
from paypro_async.transport import TransportSettings
from paypro_async.transport.httpx import HttpxTransport
from tests.support.clock import Hurried
from tests.support.intents import FIELDS, MERCHANT
from tests.support.machine_faults import held
from tests.support.programs.payer import REMARK, SETTINGS

PAYOUT = FIELDS | {"trade_no": "T1", "remark": REMARK}


class Interrupted(HttpxTransport):
    """Something happens once, between a payout's reply and its way back."""

    between: Callable[[], Awaitable[object]] | None = None

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        exchange = await super().send(request, timeout=timeout)
        between, self.between = self.between, None
        if between is not None:
            await between()
        return exchange


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """It books whatever it is sent, as often as it is sent."""
    async with Sandbox(deduplicate=False) as sandbox:
        yield sandbox


@pytest.fixture
def runtime() -> Hurried:
    return Hurried()


@pytest.fixture
async def transport(runtime: Hurried) -> AsyncIterator[Interrupted]:
    transport = Interrupted(TransportSettings(runtime=runtime))
    yield transport
    await transport.aclose()


@pytest.fixture
async def client(
    sandbox: Sandbox, closed: SqlLedger, transport: Interrupted, runtime: Hurried
) -> AsyncIterator[PayProClient]:
    settings = SETTINGS | {"ledger": closed, "transport": transport, "runtime": runtime, "timeout": 100.0}
    async with PayProClient(base_url=sandbox.base_url, **settings) as client:
        yield client


def requests(sandbox: Sandbox) -> list[str]:
    return [one.path.rpartition("/")[2] for one in sandbox.books.requests]


@asynccontextmanager
async def lock(path: Path, transport: Interrupted) -> AsyncIterator[AsyncExitStack]:
    """From the reply of the next payout another process holds the file, until the stack is closed."""
    async with AsyncExitStack() as stack:
        transport.between = lambda: stack.enter_async_context(held(path))
        yield stack


async def test_before_sending_nothing_is_sent(client: PayProClient, sandbox: Sandbox, path: Path):
    """Not one request leaves for a payout that the ledger cannot store, and the same call works afterwards."""
    async with held(path):
        for _ in range(2):
            with pytest.raises(LedgerUnavailableError, match="another process") as caught:
                await client.payout(PAYOUT)
            assert (caught.value.trade_no, caught.value.money_may_have_moved) == ("T1", False)
    assert requests(sandbox) == []

    assert (await client.payout(PAYOUT)).status is PayoutStatus.SUCCEEDED
    assert (requests(sandbox), sandbox.books.booked_once(["T1"]).exact) == (["payout"], True)


async def test_an_answer_is_stored_as_soon_as_the_ledger_is_back(
    client: PayProClient, sandbox: Sandbox, path: Path, transport: Interrupted, closed: SqlLedger, runtime: Hurried
):
    """The caller waits a little longer and hears of nothing."""
    async with lock(path, transport) as stack:
        payment = asyncio.create_task(client.payout(PAYOUT, timeout=1000))
        await asyncio.wait_for(runtime.waited.wait(), 10)
        await stack.aclose()
        result = await payment

    entry = await closed.get(MERCHANT, "T1")
    assert entry is not None
    assert (result.status, entry.state) == (PayoutStatus.SUCCEEDED, State.SUCCEEDED)
    assert requests(sandbox) == ["payout"]


async def test_an_answer_that_cannot_be_stored_is_handed_over(
    client: PayProClient, sandbox: Sandbox, path: Path, transport: Interrupted, closed: SqlLedger, runtime: Hurried
):
    """After many tries the error carries the result; what the ledger still calls unknown, the next call asks about."""
    async with lock(path, transport):
        with pytest.raises(OutcomeNotRecordedError) as caught:
            await client.payout(PAYOUT, timeout=20)
    order = sandbox.books.orders["T1"]
    error = caught.value
    assert (error.result.status, error.result.platform_trade_no) == (PayoutStatus.SUCCEEDED, order.platform_trade_no)
    assert (error.trade_no, error.money_may_have_moved) == ("T1", True)
    assert runtime.sleeps >= 3
    entry = await closed.get(MERCHANT, "T1")
    assert entry is not None
    # A write that nobody waited for any more may have come through when the lock went; it wrote the truth.
    assert (entry.state, entry.attempt) in ((State.SENDING, 1), (State.SUCCEEDED, 1))
    asked = ["queryPayOutResult"] if entry.state is State.SENDING else []

    result = await client.payout(PAYOUT)

    assert (result.status, result.platform_trade_no) == (PayoutStatus.SUCCEEDED, order.platform_trade_no)
    assert requests(sandbox) == ["payout", *asked]
    assert sandbox.books.booked_once(["T1"]).exact


async def test_a_caller_that_is_cancelled_still_stores_the_answer(
    client: PayProClient, sandbox: Sandbox, path: Path, transport: Interrupted, closed: SqlLedger, runtime: Hurried
):
    """The answer may never come again: also while the ledger is away, and however often the caller is cancelled."""
    async with lock(path, transport) as stack:
        payment = asyncio.create_task(client.payout(PAYOUT, timeout=1000))
        await asyncio.wait_for(runtime.waited.wait(), 10)
        for _ in range(2):
            payment.cancel()
            await asyncio.sleep(0)
        await asyncio.sleep(0.15)  # what was asked for before the end has failed by now: somebody must ask again
        await stack.aclose()
        await asyncio.wait({payment}, timeout=10)

    assert payment.cancelled()
    for _ in range(500):
        entry = await closed.get(MERCHANT, "T1")
        if entry is None or entry.state is not State.SENDING:
            break
        await asyncio.sleep(0.01)
    assert entry is not None
    assert entry.state is State.SUCCEEDED
    assert requests(sandbox) == ["payout"]
