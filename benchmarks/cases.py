"""What is measured. One measurement is one process: ``python -m benchmarks.cases CASE URL CONCURRENCY SECONDS FOLDER``
prints its figures as JSON.

Each case opens its client for a number of workers and gives back one call, which sends one payout and reads the reply.
"""

import asyncio
import itertools
import json
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import define, frozen

from paypro_async import Md5Signer, PayoutStatus, PayProClient
from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.transport import Transport, open_transport

__all__ = ["CASES", "Load", "Target"]

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


@frozen
class Load:
    """One call and what to know about it.

    Args:
        counts: What has been counted up to now, by name.
        settle: CPU seconds after which the case has reached its own pace.
    """

    once: Callable[[], Awaitable[object]]
    counts: Callable[[], dict[str, int]] = dict  # nothing
    settle: float = 0.2


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
async def _paypro(
    target: Target, ledger: str, commits: Callable[[], int] | None = None, *, over: str = "httpx"
) -> AsyncIterator[Load]:
    numbers = itertools.count()
    transport = _Counting(await open_transport(over, target.url, max_connections=target.concurrency))

    def counts() -> dict[str, int]:
        return {"requests": transport.requests} | ({"commits": commits()} if commits else {})

    async with PayProClient(
        base_url=target.url,
        merchant_no="0000000001",
        signer=Md5Signer("not-a-secret"),
        ledger=ledger,
        transport=transport,
    ) as client:

        async def once() -> None:
            result = await client.payout(**FIELDS, trade_no=f"bench-{next(numbers)}")
            if result.status is not PayoutStatus.PROCESSING:
                raise RuntimeError(f"the constant platform was misread: {result}")

        yield Load(once, counts)
    await transport.aclose()


def paypro_memory(target: Target) -> AbstractAsyncContextManager[Load]:
    return _paypro(target, "memory")


def paypro_memory_aiohttp(target: Target) -> AbstractAsyncContextManager[Load]:
    return _paypro(target, "memory", over="aiohttp")


def paypro_sqlite_aiohttp(target: Target) -> AbstractAsyncContextManager[Load]:
    return _paypro(target, f"sqlite:///{target.folder / 'ledger.db'}", over="aiohttp")


def paypro_sqlite(target: Target) -> AbstractAsyncContextManager[Load]:
    from sqlalchemy import Engine, event

    commits = 0

    def count(_: object) -> None:
        nonlocal commits  # only the ledger's one thread writes it
        commits += 1

    event.listen(Engine, "commit", count)
    return _paypro(target, f"sqlite:///{target.folder / 'ledger.db'}", lambda: commits)


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


CASES: Mapping[str, Case] = MappingProxyType(
    {
        "paypro, memory ledger": paypro_memory,
        "paypro, SQLite ledger": paypro_sqlite,
        "paypro, aiohttp, memory": paypro_memory_aiohttp,
        "paypro, aiohttp, SQLite": paypro_sqlite_aiohttp,
        "httpx, one pool": httpx_pool,
        "httpx, bare lanes": httpx_lanes,
        "aiohttp, bare": aiohttp_bare,
    }
)


@define
class _Count:
    """Where a measurement stands."""

    cold: int
    done: int = 0
    running: bool = True

    def now(self) -> tuple[float, float, int]:
        return time.perf_counter(), time.process_time(), self.done


async def measure(case: Case, target: Target, seconds: float) -> dict[str, float]:
    """Keep all workers busy, and count for *seconds* once each has its connection and the pace is steady.

    CPU seconds are those of this process alone, which a busy machine hardly changes. What is counted for each payout
    is counted from the first to the last one, warm-up included.
    """
    count = _Count(cold=target.concurrency)

    async def worker(load: Load) -> None:
        await load.once()
        count.cold -= 1
        count.done += 1
        while count.running:
            await load.once()
            count.done += 1

    async with case(target) as load:
        settled = time.process_time() + load.settle
        async with asyncio.TaskGroup() as workers:
            for _ in range(target.concurrency - 1):
                workers.create_task(worker(load))
            # This task is a worker too, and the one that looks at the clock: workers tend to walk in step, so that only
            # from one of its own calls to another a whole number of steps goes by.
            count.cold -= 1
            while count.cold or time.process_time() < settled:
                await load.once()
                count.done += 1
            began, cpu_began, done_before = count.now()
            while time.perf_counter() < began + seconds:
                await load.once()
                count.done += 1
            ended, cpu_ended, done = count.now()
            count.running = False
        each = {name: total / count.done for name, total in load.counts().items()}
    calls = done - done_before
    return {"rate": calls / (ended - began), "cpu_us": 1e6 * (cpu_ended - cpu_began) / calls, **each}


def main() -> None:
    name, url, concurrency, seconds, folder = sys.argv[1:]
    target = Target(url, int(concurrency), Path(folder))
    print(json.dumps(asyncio.run(measure(CASES[name], target, float(seconds)))))


if __name__ == "__main__":
    main()
