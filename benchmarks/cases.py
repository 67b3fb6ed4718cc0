"""The clients that are compared. Each case opens one for a number of workers and gives back one call, which sends one
payout and reads the reply.
"""

import asyncio
import itertools
import json
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import define, frozen

from paypro_async import Md5Signer, PayoutStatus, PayProClient
from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.transport import Transport, TransportSettings, open_transport

__all__ = ["CASES", "FIELDS", "Case", "Load", "Target"]

FIELDS: Mapping[str, Any] = MappingProxyType(
    {
        "amount": "300",
        "name": "Asha Rao",
        "mobile": "8234567890",
        "email": "asha@gmail.com",
        "bank_number": "10094038292",
        "bank_code": "IDFB0043121",
        "ip_address": "203.0.113.7",
        "notify_url": "https://merchant.example/paypro",
        "remark": "000000",
    }
)
# What the peers send: the same request, signed once and for all.
PATH = "/v1/paypro/payout"
BODY = json.dumps(
    {
        "timestamp": "1724149702962",
        "tradeNo": "123231222",
        "amount": "300",
        "name": "Asha Rao",
        "mobile": "8234567890",
        "email": "asha@gmail.com",
        "bankNumber": "10094038292",
        "bankCode": "IDFB0043121",
        "ipAddress": "203.0.113.7",
        "notifyUrl": "https://merchant.example/paypro",
        "remark": "000000",
        "sign": "677550dd9156c8ba942bcf096f57df50",
    }
).encode()
HEADERS = MappingProxyType({"content-type": "application/json", "merchantNo": "0000000001"})


@frozen
class Target:
    """Where to send, from how many workers, and where a ledger may lie."""

    url: str
    concurrency: int
    folder: Path
    postgres: str = ""


@frozen
class Load:
    """One call and what to know about it.

    Args:
        counts: What was counted, by name; it may block, and is asked for when all is closed.
        settle: CPU seconds after which the case has reached its own pace.
        fair: Whether each worker gets its turn. Else nobody waits for the last one to have had its first.
    """

    once: Callable[[], Awaitable[object]]
    counts: Callable[[], dict[str, int]] = dict  # nothing
    settle: float = 0.2
    fair: bool = True


Case = Callable[[Target], AbstractAsyncContextManager[Load]]


@define
class _Counting:
    """A transport, and how often it was asked to send: more than once a payout costs a merchant money."""

    transport: Transport
    requests: int = 0

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        self.requests += 1
        return await self.transport.send(request, timeout=timeout)

    async def aclose(self) -> None:
        await self.transport.aclose()


@asynccontextmanager
async def _paypro(target: Target, *, over: str, ledger: str) -> AsyncIterator[Load]:
    # PostgreSQL's ledger is the same in all rounds, and a number that it knows would not be paid but asked about.
    run, numbers = secrets.token_hex(6), itertools.count()
    settings = TransportSettings(max_connections=target.concurrency)
    transport = _Counting(await open_transport(over, target.url, settings))
    url, counts = _ledger(target, ledger)
    async with PayProClient(
        base_url=target.url,
        environment="benchmark",
        merchant_no="0000000001",
        signer=Md5Signer("not-a-secret"),
        ledger=url,
        transport=transport,
    ) as client:

        async def once() -> None:
            result = await client.payout(**FIELDS, trade_no=f"{run}-{next(numbers)}")
            if result.status is not PayoutStatus.PROCESSING:
                raise RuntimeError(f"the constant platform was misread: {result}")

        yield Load(once, lambda: {"requests": transport.requests} | counts())
    await transport.aclose()


def _ledger(target: Target, kind: str) -> tuple[str, Callable[[], dict[str, int]]]:
    """The URL of a new ledger, and what it has counted up to now."""
    if kind == "memory":
        return kind, dict
    from benchmarks.commits import count_commits
    from benchmarks.syncs import count_syncs

    syncs = count_syncs() if kind == "sqlite" else _postgres_syncs(target.postgres)
    commits = count_commits()
    url = f"sqlite:///{target.folder / 'ledger.db'}" if kind == "sqlite" else target.postgres
    return url, lambda: {"commits": commits()} | ({"fsyncs": syncs()} if syncs else {})


def _postgres_syncs(url: str) -> Callable[[], int] | None:
    """What the server itself counts; it tells of all work of a connection once that is closed."""
    import psycopg

    def count() -> int:
        with psycopg.connect(url, autocommit=True) as connection:
            version = connection.info.server_version
            query = (
                "SELECT wal_sync FROM pg_stat_wal"
                if version < 180000
                else "SELECT sum(fsyncs)::bigint FROM pg_stat_io WHERE object = 'wal'"
            )
            row = connection.execute(query).fetchone()
            return int(row[0]) if row else 0

    with psycopg.connect(url) as connection:
        if connection.info.server_version < 140000:
            return None
    before = count()

    def since() -> int:
        time.sleep(0.5)
        return count() - before

    return since


def _paypro_over(over: str, ledger: str) -> Case:
    return lambda target: _paypro(target, over=over, ledger=ledger)


@asynccontextmanager
async def httpx_pool(target: Target) -> AsyncIterator[Load]:
    import httpx

    url = target.url + PATH
    limits = httpx.Limits(
        max_connections=target.concurrency,
        max_keepalive_connections=target.concurrency,
    )
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def once() -> Any:
            return (await client.post(url, content=BODY, headers=HEADERS)).json()

        # A burst opens a connection for each worker and needs a dozen. Until the idle ones have expired (5 s, httpx's
        # default) the pool is ten times slower than afterwards, and that start is not held against it.
        yield Load(once, settle=0.2 if target.concurrency < 32 else 6.0)


@asynccontextmanager
async def httpx_lanes(target: Target) -> AsyncIterator[Load]:
    import httpx

    url = httpx.URL(target.url + PATH)
    context = ssl.create_default_context()
    one = httpx.Limits(max_connections=1, max_keepalive_connections=1)
    lanes = [httpx.AsyncHTTPTransport(verify=context, limits=one) for _ in range(target.concurrency)]
    free = list(lanes)
    extensions = {"timeout": {"connect": 5, "read": 5, "write": 5, "pool": 5}}

    async def once() -> None:
        lane = free.pop()
        response = await lane.handle_async_request(
            httpx.Request("POST", url, content=BODY, headers=HEADERS, extensions=extensions)
        )
        json.loads(await response.aread())
        await response.aclose()
        free.append(lane)

    yield Load(once)
    for lane in lanes:
        await lane.aclose()


@asynccontextmanager
async def aiohttp_bare(target: Target) -> AsyncIterator[Load]:
    import aiohttp

    url = target.url + PATH
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=target.concurrency)) as session:

        async def once() -> None:
            async with session.post(url, data=BODY, headers=HEADERS) as response:
                json.loads(await response.read())

        yield Load(once)


def _stripe(http_client: str) -> Case:
    @asynccontextmanager
    async def case(target: Target) -> AsyncIterator[Load]:
        import stripe

        made = getattr(stripe, http_client)()
        client = stripe.StripeClient(
            "sk_test_x", http_client=made, base_addresses={"api": target.url}, max_network_retries=0
        )
        payout: Any = {
            "amount": 300,
            "currency": "inr",
            "destination": "ba_x",
            "metadata": {key: value for key, value in FIELDS.items() if key != "amount"},
        }

        async def once() -> None:
            await client.v1.payouts.create_async(params=payout)

        # As it comes it has at most 100 connections; whoever waits for one may be passed by others for a minute.
        # Over httpx they are one pool, which takes as long as httpx's own to reach its pace.
        settle = 1.0 if http_client == "HTTPXClient" and target.concurrency >= 32 else 0.2
        yield Load(once, settle=settle, fair=target.concurrency <= 100)
        await made.close_async()

    return case


class _Floor(asyncio.Protocol):
    """The least that a request can cost: one write, one look for the end of the reply."""

    reply: "asyncio.Future[bytes]"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = self._received[:end].lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(self._received) >= (whole := end + 4 + int(length)):
            body, self._received = self._received[end + 4 : whole], self._received[whole:]
            self.reply.set_result(body)


@asynccontextmanager
async def floor(target: Target) -> AsyncIterator[Load]:
    loop = asyncio.get_running_loop()
    host, port = target.url.removeprefix("http://").split(":")
    lines = [f"POST {PATH} HTTP/1.1", f"host: {host}:{port}", *(f"{name}: {value}" for name, value in HEADERS.items())]
    request = "\r\n".join([*lines, f"content-length: {len(BODY)}", "", ""]).encode() + BODY
    free = [(await loop.create_connection(_Floor, host, int(port)))[1] for _ in range(target.concurrency)]

    async def once() -> None:
        connection = free.pop()
        connection.reply = loop.create_future()
        connection.transport.write(request)
        json.loads(await connection.reply)
        free.append(connection)

    yield Load(once)
    for connection in free:
        connection.transport.close()


CASES: Mapping[str, Case] = MappingProxyType(
    {
        "raw floor": floor,
        "bare aiohttp": aiohttp_bare,
        "paypro, aiohttp": _paypro_over("aiohttp", "memory"),
        "stripe, aiohttp": _stripe("AIOHTTPClient"),
        "bare httpx, one pool": httpx_pool,
        "bare httpx, lanes": httpx_lanes,
        "paypro, httpx": _paypro_over("httpx", "memory"),
        "stripe, httpx": _stripe("HTTPXClient"),
        "paypro, aiohttp, SQLite": _paypro_over("aiohttp", "sqlite"),
        "paypro, aiohttp, PostgreSQL": _paypro_over("aiohttp", "postgres"),
    }
)
"""By their names in the tables. What is compared stands together, and runs close together in time."""
