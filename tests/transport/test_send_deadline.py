"""After its send deadline no byte of a request leaves, whatever held it up."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from paypro_async._core.wire import Phase
from paypro_async.runtime import SystemRuntime
from tests.support.servers import OK, Peer, Server, answer, over_tls
from tests.support.transports import Clock, Stopwatch, good, request, until

TOO_LATE = "its send deadline passed before it was written"


async def test_deadline_in_the_past_sends_nothing(new_transport):
    """A deadline that has passed already: no byte, on a new connection and on a kept one, and the lane stays good."""
    clock = Clock()
    transport = new_transport(max_connections=1, runtime=clock)
    async with Server(answer) as server:
        new = await transport.send(request(server.url, send_by=clock.at - 0.001), timeout=5)
        assert (new.phase, new.cause) == (Phase.NOT_SENT, TOO_LATE)
        assert server.received == b""
        await good(transport, server.url, 10)
        kept = await transport.send(request(server.url, 99, send_by=clock.at - 0.001), timeout=5)
        assert (kept.phase, kept.cause) == (Phase.NOT_SENT, TOO_LATE)
        await good(transport, server.url, 10)
        assert b'"T99"' not in server.received
        await transport.aclose()


async def test_deadline_in_the_future_sends(new_transport):
    """A deadline that has not passed is none."""
    clock = Clock()
    transport = new_transport(runtime=clock)
    async with Server(answer) as server:
        exchange = await transport.send(request(server.url, send_by=clock.at + 0.001), timeout=5)
        assert exchange.phase is Phase.ANSWERED
        await transport.aclose()


async def test_deadline_that_passes_while_it_connects_sends_nothing(new_transport, ours, theirs):
    """The delay lies between the connection and the first byte: TLS that takes too long."""
    clock = Clock()
    transport = new_transport(ssl_context=ours, runtime=clock)

    async def slow_handshake(peer: Peer) -> None:
        clock.at += 100
        await over_tls(theirs)(peer)

    async with Server(slow_handshake, scheme="https") as server:
        exchange = await transport.send(request(server.url, send_by=clock.at + 10), timeout=5)
        assert (exchange.phase, exchange.cause) == (Phase.NOT_SENT, TOO_LATE)
        await until(lambda: server.open == 0)
        assert server.received == b""
        await transport.aclose()


async def test_deadline_that_passes_in_real_time_sends_nothing(new_transport, ours, theirs):
    """The same by the real clock."""
    transport = new_transport(ssl_context=ours)

    async def slow_handshake(peer: Peer) -> None:
        await asyncio.sleep(0.15)
        await over_tls(theirs)(peer)

    async with Server(slow_handshake, scheme="https") as server:
        send_by = SystemRuntime().steady() + 0.1
        with Stopwatch() as watch:
            exchange = await transport.send(request(server.url, send_by=send_by), timeout=5)
        assert (exchange.phase, exchange.cause) == (Phase.NOT_SENT, TOO_LATE)
        assert watch.seconds < 2
        await until(lambda: server.open == 0)
        assert server.received == b""
        await transport.aclose()


async def test_deadline_that_passes_in_the_queue_sends_nothing(new_transport):
    """The delay lies in the wait for a lane."""
    clock = Clock()
    transport = new_transport(max_connections=1, runtime=clock)
    release = asyncio.Event()

    async def slow(peer: Peer) -> None:
        await peer.read_request()
        await release.wait()
        await peer.write(OK)
        await answer(peer)

    async with Server(slow) as server:
        send_by = clock.at + 10
        first = asyncio.create_task(transport.send(request(server.url, 1, send_by=send_by), timeout=5))
        await until(lambda: len(server.requests) == 1)
        second = asyncio.create_task(transport.send(request(server.url, 77, send_by=send_by), timeout=5))
        await asyncio.sleep(0.01)
        clock.at += 100
        release.set()
        assert (await first).phase is Phase.ANSWERED
        exchange = await second
        assert (exchange.phase, exchange.cause) == (Phase.NOT_SENT, TOO_LATE)
        await good(transport, server.url, 10)
        assert b'"T77"' not in server.received
        await transport.aclose()


@pytest.mark.parametrize("kind", ["aiohttp"])
async def test_no_moment_lies_between_head_and_body(new_transport):
    """Both go to aiohttp in one write, so that one look at the clock is enough: a second would come too late."""
    clock = Clock(step=10)
    transport = new_transport(runtime=clock)
    async with Server(answer) as server:
        exchange = await transport.send(request(server.url, send_by=1015), timeout=5)
        assert (exchange.phase, clock.at) == (Phase.ANSWERED, 1010)
        late = await transport.send(request(server.url, 77, send_by=1015), timeout=5)
        assert (late.phase, late.late) == (Phase.NOT_SENT, True)
        assert b'"T77"' not in server.received
        await transport.aclose()


@pytest.mark.parametrize("kind", ["httpx", "httpx2"])
async def test_deadline_that_passes_between_head_and_body_sends_no_body(new_transport):
    """A process that froze between the two: without its body the platform cannot act, but a byte has left."""
    transport = new_transport(runtime=Clock(step=10))
    async with Server(answer) as server:
        exchange = await transport.send(request(server.url, send_by=1015), timeout=5)
        assert (exchange.phase, exchange.cause) == (Phase.MAYBE_SENT, TOO_LATE)
        await until(lambda: server.open == 0)
        assert b"tradeNo" not in server.received
        assert server.requests == []
        await transport.aclose()


@pytest.mark.parametrize("kind", ["httpx", "httpx2"])
async def test_deadline_that_passes_after_the_last_look_but_one_sends_no_body(new_transport):
    """A process that froze after httpcore began with the body: the write itself looks at the clock once more."""
    transport = new_transport(runtime=Clock(step=10))
    async with Server(answer) as server:
        exchange = await transport.send(request(server.url, send_by=1035), timeout=5)
        assert (exchange.phase, exchange.cause) == (Phase.MAYBE_SENT, TOO_LATE)
        await until(lambda: server.open == 0)
        assert b"tradeNo" not in server.received
        await transport.aclose()


async def test_question_has_no_deadline(new_transport):
    """A request without a send deadline may leave at any time."""
    transport = new_transport(runtime=Clock(step=1e9))
    async with Server(answer) as server:
        assert (await transport.send(request(server.url), timeout=5)).phase is Phase.ANSWERED
        await transport.aclose()


@asynccontextmanager
async def child(
    kind: str, url: str, authority: trustme.CA, folder: Path, send_within: float
) -> AsyncIterator[asyncio.subprocess.Process]:
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    script = Path(__file__).parents[1] / "support" / "programs" / "frozen_sender.py"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        url,
        str(ca_file),
        str(send_within),
        kind,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def frozen(process: asyncio.subprocess.Process, seconds: float, meanwhile: Callable[[], object]) -> None:
    """Freeze *process* as a suspended laptop would be, and thaw it later."""
    process.send_signal(signal.SIGSTOP)
    stat = Path(f"/proc/{process.pid}/stat")
    await until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
    meanwhile()
    await asyncio.sleep(seconds)
    process.send_signal(signal.SIGCONT)


async def test_process_frozen_after_its_announcement_never_sends(kind, authority, theirs, tmp_path):
    """Frozen between intent and send, thawed after the deadline: not even a connection is needed to say so."""
    async with (
        Server(over_tls(theirs), scheme="https") as server,
        child(kind, server.url, authority, tmp_path, 0.2) as process,
    ):
        assert await process.stdout.readline() == b"announced\n"
        await frozen(process, 0.25, lambda: process.stdin.write(b"go\n"))
        output = await asyncio.wait_for(process.stdout.read(), 10)
        assert output.decode().strip() == f"NOT_SENT {TOO_LATE}"
        await until(lambda: server.open == 0)
        assert server.received == b""


async def test_process_frozen_while_it_connects_never_sends(kind, authority, theirs, tmp_path):
    """Frozen in the middle of the TLS handshake, thawed after the deadline: the handshake ends and nothing follows."""
    stopped = asyncio.Event()

    async def wait_for_the_frost(peer: Peer) -> None:
        await stopped.wait()
        await over_tls(theirs)(peer)

    async with (
        Server(wait_for_the_frost, scheme="https") as server,
        child(kind, server.url, authority, tmp_path, 0.6) as process,
    ):
        assert await process.stdout.readline() == b"announced\n"
        process.stdin.write(b"go\n")
        await until(lambda: server.accepted == 1, within=10)
        await frozen(process, 0.65, stopped.set)
        output = await asyncio.wait_for(process.stdout.read(), 10)
        assert output.decode().strip() == f"NOT_SENT {TOO_LATE}"
        await until(lambda: server.open == 0)
        assert server.received == b""


async def test_process_frozen_and_thawed_in_time_sends(kind, authority, theirs, tmp_path):
    """The same process, thawed before its deadline, does send: the tests above see what they say."""
    async with (
        Server(over_tls(theirs), scheme="https") as server,
        child(kind, server.url, authority, tmp_path, 30) as process,
    ):
        assert await process.stdout.readline() == b"announced\n"
        await frozen(process, 0.05, lambda: process.stdin.write(b"go\n"))
        output = await asyncio.wait_for(process.stdout.read(), 10)
        assert output.decode().strip() == "ANSWERED None"
        assert len(server.requests) == 1
