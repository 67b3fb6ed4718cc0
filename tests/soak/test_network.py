"""The network between the ledger and PostgreSQL breaks: a commit in doubt, refused connections, silence."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from paypro_async import LedgerUnavailableError, PayoutStatus, PayProClient
from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.ledger.sql import ledger as sql
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import Sandbox
from paypro_async.transport.httpx import HttpxTransport
from tests.soak.proxy import Proxy
from tests.support.intents import FIELDS, MERCHANT
from tests.support.postgres import Server
from tests.support.programs.payer import REMARK, SETTINGS

PAYOUT = FIELDS | {"trade_no": "T1", "remark": REMARK}
SLACK = 2.0


class Interrupted(HttpxTransport):
    """Something happens once, between a payout's reply and its way back."""

    between: Callable[[], object] | None = None

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        exchange = await super().send(request, timeout=timeout)
        between, self.between = self.between, None
        if between is not None:
            between()
        return exchange


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    async with Proxy(await server.ledger()) as proxy:
        yield proxy


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(deduplicate=False) as sandbox:
        yield sandbox


@pytest.fixture
async def transport() -> AsyncIterator[Interrupted]:
    transport = Interrupted()
    yield transport
    await transport.aclose()


@pytest.fixture
async def client(proxy: Proxy, sandbox: Sandbox, transport: Interrupted) -> AsyncIterator[PayProClient]:
    settings: dict[str, Any] = SETTINGS | {"ledger": SqlLedger(proxy.url), "transport": transport}
    async with PayProClient(base_url=sandbox.base_url, **settings) as client:
        yield client
        proxy.delay, proxy.swallowing = 0.0, False
        proxy.cut()
    assert isinstance(client.ledger, SqlLedger)
    await client.ledger.aclose()


def requests(sandbox: Sandbox) -> list[str]:
    return [one.path.rpartition("/")[2] for one in sandbox.books.requests]


async def steps(client: PayProClient) -> list[tuple[str, int]]:
    assert client.ledger is not None
    return [(one.to.value, one.attempt) for one in await client.ledger.history(MERCHANT, "T1")]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_the_commit_of_an_intent_in_doubt(client: PayProClient, proxy: Proxy, sandbox: Sandbox, when: str):
    """Whether it went through or not, the caller finds that the claim is its own and pays at once, and once."""
    proxy.cut_at_commit(when)
    began = time.monotonic()
    result = await client.payout(PAYOUT)
    assert time.monotonic() - began < 8  # and not a settle window of 60 seconds
    assert (result.status, result.attempts, proxy.cuts) == (PayoutStatus.SUCCEEDED, 1, 1)
    assert requests(sandbox) == ["payout"]
    assert await steps(client) == [("sending", 1), ("succeeded", 1)]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_the_commit_of_an_outcome_in_doubt(
    client: PayProClient, proxy: Proxy, sandbox: Sandbox, transport: Interrupted, when: str
):
    """It is recorded once, and the platform is not asked."""
    transport.between = lambda: proxy.cut_at_commit(when)
    result = await client.payout(PAYOUT)
    assert (result.status, result.attempts, proxy.cuts) == (PayoutStatus.SUCCEEDED, 1, 1)
    assert requests(sandbox) == ["payout"]
    assert await steps(client) == [("sending", 1), ("succeeded", 1)]


async def unavailable_within(client: PayProClient, sandbox: Sandbox, seconds: float) -> None:
    sent, began = len(sandbox.books.requests), time.monotonic()
    with pytest.raises(LedgerUnavailableError):
        await client.payout(PAYOUT, timeout=seconds)
    assert time.monotonic() - began < seconds + SLACK
    assert len(sandbox.books.requests) == sent


async def recovers(client: PayProClient, sandbox: Sandbox) -> None:
    result = await client.payout(PAYOUT | {"trade_no": "T2"}, timeout=30)
    assert result.status is PayoutStatus.SUCCEEDED
    assert [one.trade_no for one in sandbox.books.bookings] == ["T2"]


async def test_a_server_that_refuses_connections(client: PayProClient, proxy: Proxy, sandbox: Sandbox):
    """A call ends at its deadline, nothing is sent, and the same client works when the server is back."""
    await proxy.refuse()
    await unavailable_within(client, sandbox, 1.0)
    await proxy.accept()
    await recovers(client, sandbox)


async def test_a_server_that_answers_after_three_seconds(client: PayProClient, proxy: Proxy, sandbox: Sandbox):
    """So does a call that is slowed down beyond its deadline."""
    proxy.delay = 3.0
    await unavailable_within(client, sandbox, 2.0)
    proxy.delay = 0.0
    await recovers(client, sandbox)


async def test_a_network_that_swallows(client: PayProClient, proxy: Proxy, sandbox: Sandbox):
    """So does one that hears nothing; when the connection is known to be gone, the ledger works again."""
    proxy.swallowing = True
    await unavailable_within(client, sandbox, 1.0)
    proxy.swallowing = False
    proxy.cut()
    await recovers(client, sandbox)


async def test_closing_while_the_network_swallows(proxy: Proxy, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    """A ledger can be closed although its server says nothing any more, and opened again when it does."""
    monkeypatch.setattr(sql, "_CLOSING_SECONDS", 1.0)
    ledger = SqlLedger(proxy.url)
    async with PayProClient(base_url=sandbox.base_url, ledger=ledger, **SETTINGS) as client:
        proxy.swallowing = True
        await unavailable_within(client, sandbox, 0.5)
        began = time.monotonic()
        await ledger.aclose()
        assert time.monotonic() - began < 1.0 + SLACK
    proxy.swallowing = False
    proxy.cut()
    again = SqlLedger(proxy.url)
    async with PayProClient(base_url=sandbox.base_url, ledger=again, **SETTINGS) as client:
        await recovers(client, sandbox)
    await again.aclose()
