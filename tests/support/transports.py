"""What the tests of the transport say again and again."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from paypro_async._core.wire import Exchange, Phase, WireRequest
from paypro_async.runtime import SystemRuntime
from paypro_async.transport import Transport, TransportSettings


def transport_named(name: str) -> Callable[..., Transport]:
    """What makes a transport by its settings, as the client does."""
    if name == "aiohttp":
        from paypro_async.transport.aiohttp import AiohttpTransport

        return lambda **settings: AiohttpTransport(TransportSettings(**settings))
    from paypro_async.transport.httpx import HttpxTransport

    return lambda **settings: HttpxTransport(TransportSettings(**settings), library=name)


def request(url: str, number: int = 0, *, send_by: float | None = None) -> WireRequest:
    return WireRequest(url=url, body=b'{"tradeNo":"T%d"}' % number, merchant_no="0000000001", send_by=send_by)


def number_of(received: bytes) -> int:
    """The number in a request that :func:`request` made."""
    return int(received.rpartition(b'"T')[2][:-2])


async def good(transport: Transport, url: str, count: int) -> None:
    """*count* requests, eight at a time, that are all answered."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            exchange = await transport.send(request(url, number), timeout=5)
            assert (exchange.phase, exchange.cause, exchange.body) == (Phase.ANSWERED, None, b"{}")

    await asyncio.gather(*(worker() for _ in range(8)))


async def until(condition: Callable[[], bool], *, within: float = 10.0) -> None:
    """Wait for what other tasks or the kernel are about to do; fail when they do not."""
    give_up = time.monotonic() + within
    while not condition():
        assert time.monotonic() < give_up, "it did not happen"
        await asyncio.sleep(0.002)


async def cancel(task: "asyncio.Task[Exchange]") -> None:
    """Cancel and see that the cancellation came through."""
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


def sockets() -> int:
    """How many sockets this process holds."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            count += str(descriptor.readlink()).startswith("socket:")
        except FileNotFoundError:
            continue  # the one that listed the folder
    return count


class Stopwatch:
    """Seconds spent inside ``with``."""

    seconds: float

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began


class Clock(SystemRuntime):
    """A steady clock that goes on when a test says so.

    Args:
        step: Seconds that pass with every look at it.
    """

    def __init__(self, *, step: float = 0.0) -> None:
        self.at = 1000.0
        self._step = step

    def steady(self) -> float:
        self.at += self._step
        return self.at
