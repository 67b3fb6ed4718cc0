"""A server that pours bytes is cut off: whatever it says and whenever, little is kept and the others go on."""

import asyncio
import gzip
import os
import time
from functools import partial
from pathlib import Path

import pytest

from paypro_async._core.wire import Phase
from tests.support.servers import CONTINUE, OK, Peer, Server, answer, drip
from tests.support.transports import good, request, until

CONNECTIONS = 20
BLOCK = 1 << 16
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def filled(line: bytes) -> bytes:
    return line * (BLOCK // len(line))


@pytest.mark.parametrize(
    ("begin", "block"),
    [
        (b"HTTP/1.1 200 OK\r\nA: ", b"a" * BLOCK),
        (b"HTTP/1.1 200 OK\r\n", filled(b"A: b\r\n")),
        (b"", b"\0" * BLOCK),
        (b"", filled(CONTINUE)),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"a" * BLOCK),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"a" * 59_999, b"a" * BLOCK),
        (CHUNKED + b"1;", b"a" * BLOCK),
        (CHUNKED, filled(b"1;a=b\r\na\r\n")),
        (CHUNKED + b"0\r\n", filled(b"A: b\r\n")),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(b"a" * 50_000_000)),
        (OK, b"a" * BLOCK),
    ],
    ids=[
        "head",
        "headers",
        "zeros",
        "interim",
        "body",
        "behind-length",
        "extension",
        "chunks",
        "trailers",
        "gzip",
        "behind",
    ],
)
async def test_what_is_poured_is_not_kept(new_transport, begin: bytes, block: bytes):
    """Twenty connections that each pour are closed at once, in bounded memory, and the loop goes on meanwhile."""
    longest = 0.0

    async def pour(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(begin)
        while True:
            await peer.write(block)

    async def look() -> None:
        nonlocal longest
        while True:
            began = time.process_time()  # what other processes take is not the loop's fault
            await asyncio.sleep(0.005)
            longest = max(longest, time.process_time() - began)

    transport = new_transport(max_connections=CONNECTIONS)
    async with Server(pour) as server:
        before = resident()
        looking = asyncio.ensure_future(look())
        sent = [transport.send(request(server.url, number), timeout=5) for number in range(CONNECTIONS)]
        exchanges = await asyncio.gather(*sent)
        await until(lambda: server.open == 0)
        looking.cancel()
        assert resident() - before < 50_000_000
        assert longest < 1.0
        assert {exchange.phase for exchange in exchanges} <= {Phase.ANSWERED, Phase.MAYBE_SENT}
        server.script = answer
        await good(transport, server.url, 20)
        await transport.aclose()


async def test_what_is_poured_on_resting_connections_is_not_kept(new_transport):
    """The same when the server begins while nobody waits for a reply; the next requests go over other connections."""
    transport = new_transport(max_connections=CONNECTIONS)
    rest = asyncio.Event()

    async def pour_later(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(OK)
        await rest.wait()
        while True:
            await peer.write(b"a" * BLOCK)

    async with Server(pour_later) as server:
        await asyncio.gather(*(transport.send(request(server.url, one), timeout=5) for one in range(CONNECTIONS)))
        before = resident()
        rest.set()
        await asyncio.sleep(0.1)
        assert resident() - before < 50_000_000
        server.script = answer
        await good(transport, server.url, 2 * CONNECTIONS)
        await transport.aclose()


async def test_slow_drip_ends_in_time(transport):
    """A reply that comes a byte at a time is waited for no longer than one that does not come."""
    script = partial(drip, begin=b"HTTP/1.1 200 OK\r\n", piece=b"A: b\r\n", every=0.002)
    async with Server(script) as server:
        began = time.monotonic()
        exchange = await transport.send(request(server.url), timeout=0.2)
        assert time.monotonic() - began < 5.0  # a busy machine may be late, and the drip never ends
        assert exchange.phase is Phase.MAYBE_SENT
        await until(lambda: server.open == 0)
