"""The phase is what really happened on the wire."""

import asyncio
import socket

import anyio
import pytest

from paypro_async._core.wire import Phase, WireRequest
from tests.support.servers import OK, Peer, Script, Server, answer, no_room, replies, unused_url
from tests.support.transports import Stopwatch, good, request

pytestmark = pytest.mark.each_loop


async def test_whole_reply_is_answered(transport):
    """A whole reply comes back with status, body and Retry-After, and the request was sent as it was given."""
    reply = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nwait"
    async with Server(replies(reply)) as server:
        exchange = await transport.send(request(server.url, 5), timeout=5)
    assert (exchange.phase, exchange.status, exchange.body, exchange.retry_after, exchange.cause) == (
        Phase.ANSWERED,
        503,
        b"wait",
        "7",
        None,
    )
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /v1/paypro/payout http/1.1"
    assert body == b'{"tradeNo":"T5"}'
    assert {b"merchantno: 0000000001", b"content-type: application/json", b"content-length: 16"} < set(lines)
    assert not [line for line in lines if line.startswith((b"authorization", b"cookie", b"expect"))]


async def test_refused_connection_is_not_sent(transport):
    """Where nobody listens nothing is sent."""
    exchange = await transport.send(request(unused_url()), timeout=5)
    assert exchange.phase is Phase.NOT_SENT
    assert not exchange.pool_timeout


async def test_connection_that_hangs_is_not_sent(transport):
    """A connection that is not made within the deadline sends nothing and keeps the deadline."""
    async with no_room() as url:
        with Stopwatch() as watch:
            exchange = await transport.send(request(url), timeout=0.15)
    assert (exchange.phase, exchange.pool_timeout) == (Phase.NOT_SENT, False)
    assert 0.14 < watch.seconds < 1


async def test_unknown_host_is_not_sent(transport, monkeypatch):
    """A host that cannot be found gets nothing."""

    async def fails(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fails)
    exchange = await transport.send(request("http://nobody.invalid/"), timeout=5)
    assert exchange.phase is Phase.NOT_SENT


async def test_host_that_is_no_name_is_not_sent(transport):
    """A host name with an empty label is a fault of the network like any other, not an exception."""
    exchange = await transport.send(request("http://api..paypro.invalid/"), timeout=5)
    assert exchange.phase is Phase.NOT_SENT


async def test_header_that_http_does_not_allow_is_not_sent(transport):
    """A line break in a header would begin another one: nothing is sent at all."""
    async with Server(answer) as server:
        broken = WireRequest(url=server.url, body=b"{}", merchant_no="1\r\nX-Other: 1")
        exchange = await transport.send(broken, timeout=5)
        assert exchange.phase is Phase.NOT_SENT
        assert exchange.cause == "the request could not be written as HTTP"
        assert server.received == b""


async def hang_deaf(peer: Peer) -> None:
    await peer.hang_deaf()


async def hang_after_reading(peer: Peer) -> None:
    await peer.read_request()
    await peer.hang()


async def reset_before_reading(peer: Peer) -> None:
    peer.reset()


async def close_before_reading(peer: Peer) -> None:
    peer.close()


async def reset_after_reading(peer: Peer) -> None:
    await peer.read_request()
    peer.reset()


async def close_after_reading(peer: Peer) -> None:
    await peer.read_request()


async def reset_before_the_end(peer: Peer) -> None:
    await peer.read_request()
    await peer.write(b"HTTP/1.0 200 OK\r\n\r\n{")
    await asyncio.sleep(0.02)
    peer.reset()


async def reset_in_the_body(peer: Peer) -> None:
    await peer.read_request()
    await peer.write(OK[:-1])
    await asyncio.sleep(0.02)  # else the reset would throw away what was just written
    peer.reset()


@pytest.mark.parametrize("script", [hang_deaf, hang_after_reading])
async def test_silence_is_maybe_sent(transport, script: Script):
    """A server that says nothing may have acted; the total deadline holds."""
    async with Server(script) as server:
        with Stopwatch() as watch:
            exchange = await transport.send(request(server.url), timeout=0.15)
    assert (exchange.phase, exchange.status, exchange.body) == (Phase.MAYBE_SENT, None, b"")
    assert exchange.cause == "no whole reply came within 0.1 s"
    assert 0.14 < watch.seconds < 1


@pytest.mark.parametrize(
    "script",
    [
        reset_before_reading,
        close_before_reading,
        reset_after_reading,
        close_after_reading,
        reset_in_the_body,
        reset_before_the_end,
        replies(b"HTTP/1.1 200 OK\r\nContent-Le"),
        replies(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}"),
        replies(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
        replies(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}"),
        replies(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
        replies(b"220 smtp.paypro.invalid ESMTP\r\n"),
        replies(b"\x15\x03\x01\x00\x02\x02\x28"),
        replies(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 200_000 + b"\r\n\r\n"),
        replies(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        replies(b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}"),
        replies(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n{}"),
        replies(b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=[
        "reset-before-reading",
        "closed-before-reading",
        "reset-after-reading",
        "closed-after-reading",
        "reset-in-the-body",
        "reset-instead-of-the-end",
        "cut-head",
        "cut-body",
        "chunks-without-end",
        "cut-chunk",
        "chunk-without-size",
        "another-protocol",
        "tls-alert",
        "endless-head",
        "two-lengths",
        "negative-length",
        "upgraded",
        "only-continue",
    ],
)
async def test_half_a_reply_is_maybe_sent(transport, script: Script):
    """A connection that was made and gives no whole reply: the request may have arrived, and is sent no second time."""
    seen_before_writing = script in (reset_before_reading, close_before_reading)
    phases = {Phase.MAYBE_SENT, Phase.NOT_SENT} if seen_before_writing else {Phase.MAYBE_SENT}
    async with Server(script) as server:
        exchange = await transport.send(request(server.url), timeout=5)
        assert exchange.phase in phases
        assert (exchange.status, exchange.body) == (None, b"")
        assert exchange.cause
        assert server.accepted == 1
        assert len(server.requests) <= 1
        server.script = answer
        await good(transport, server.url, 20)


@pytest.mark.parametrize("head", [OK[:-2], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
async def test_dripped_reply_keeps_the_deadline(transport, head: bytes):
    """Bytes that come one by one, each soon after the last, do not stretch the total deadline."""

    async def drip(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(head.replace(b" 2\r\n", b" 999\r\n"))
        while True:
            await asyncio.sleep(0.01)
            await peer.write(b" " if b"Length" in head else b"1\r\n \r\n")

    async with Server(drip) as server:
        with Stopwatch() as watch:
            exchange = await transport.send(request(server.url), timeout=0.2)
    assert exchange.phase is Phase.MAYBE_SENT
    assert 0.19 < watch.seconds < 1


async def test_dripped_head_keeps_the_deadline(transport):
    """A head whose lines never end does not stretch the total deadline."""

    async def drip(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            await asyncio.sleep(0.01)
            await peer.write(b"X-More: 1\r\n")

    async with Server(drip) as server:
        with Stopwatch() as watch:
            exchange = await transport.send(request(server.url), timeout=0.2)
    assert exchange.phase is Phase.MAYBE_SENT
    assert 0.19 < watch.seconds < 1


async def test_no_time_at_all_sends_nothing(transport):
    """A call whose time is over before it begins writes nothing, on a new connection and on a kept one."""
    async with Server(answer) as server:
        first = await transport.send(request(server.url), timeout=0)
        await good(transport, server.url, 1)
        kept = await transport.send(request(server.url), timeout=0)
        assert (first.phase, kept.phase) == (Phase.NOT_SENT, Phase.NOT_SENT)
        assert len(server.requests) == 1


async def test_deadline_of_the_caller_counts_too(new_transport):
    """A cancel scope around send ends it like any cancellation, and the lane is given back."""
    transport = new_transport(max_connections=1)
    async with Server(hang_after_reading) as server:
        with anyio.move_on_after(0.05) as scope:
            await transport.send(request(server.url), timeout=5)
        assert scope.cancelled_caught
        server.script = answer
        await good(transport, server.url, 10)
        await transport.aclose()
