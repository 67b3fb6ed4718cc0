"""Connections are kept between requests; a server may close them at any moment."""

import asyncio
import socket

import pytest

from paypro_async._core.wire import Phase, WireRequest
from tests.support.servers import OK, Peer, Script, Server, answer, over_tls
from tests.support.transports import good, number_of, request, until

pytestmark = pytest.mark.each_loop

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


async def answer_once(peer: Peer) -> None:
    await peer.read_request()
    await peer.write(OK)


async def test_connection_is_used_again(transport):
    """One connection serves requests that follow each other."""
    async with Server(answer) as server:
        for number in range(20):
            await transport.send(request(server.url, number), timeout=5)
        assert server.accepted == 1
        assert [number_of(one) for one in server.requests] == list(range(20))


async def test_as_many_connections_as_requests_at_one_time(new_transport):
    """There are never more connections than lanes, and no more than are needed."""
    transport = new_transport(max_connections=3)
    async with Server(answer) as server:
        await good(transport, server.url, 60)
        assert 1 <= server.accepted <= 3
        await transport.aclose()
        await until(lambda: server.open == 0)


async def test_connection_closed_long_before_is_replaced(transport):
    """A kept connection that the server closed is seen to be closed: the request goes over a new one, once."""
    async with Server(answer_once) as server:
        for number in range(10):
            exchange = await transport.send(request(server.url, number), timeout=5)
            assert exchange.phase is Phase.ANSWERED
            await until(lambda: server.open == 0)
        assert server.accepted == 10
        assert [number_of(one) for one in server.requests] == list(range(10))


async def test_connection_reset_long_before_is_replaced(transport):
    """The same with a reset."""

    async def answer_and_reset(peer: Peer) -> None:
        await answer_once(peer)
        await asyncio.sleep(0.02)
        peer.reset()

    async with Server(answer_and_reset) as server:
        for number in range(3):
            exchange = await transport.send(request(server.url, number), timeout=5)
            assert exchange.phase is Phase.ANSWERED
            await until(lambda: server.open == 0)
        assert len(server.requests) == server.accepted == 3


async def close_as_the_second_arrives(peer: Peer) -> None:
    await answer_once(peer)
    await peer.read()
    peer.close()


async def reset_as_the_second_arrives(peer: Peer) -> None:
    await answer_once(peer)
    await peer.read_request()
    peer.reset()


@pytest.mark.parametrize("script", [close_as_the_second_arrives, reset_as_the_second_arrives])
async def test_connection_closed_as_the_request_arrives_is_maybe_sent(transport, script: Script):
    """A kept connection that breaks with the request under way: nobody knows, so it is not sent again by itself."""
    async with Server(script) as server:
        await transport.send(request(server.url, 1), timeout=5)
        exchange = await transport.send(request(server.url, 2), timeout=5)
        assert exchange.phase is Phase.MAYBE_SENT
        assert exchange.cause
        await asyncio.sleep(0.05)
        assert server.accepted == 1
        assert server.received.count(b'"T2"') <= 1
        server.script = answer
        await good(transport, server.url, 20)


async def test_race_of_request_and_close_never_sends_twice(transport):
    """Whenever the server closes, around the moment of the next request, that request reaches it at most once."""
    delay = 0.0

    async def close_soon(peer: Peer) -> None:
        await answer_once(peer)
        closing = asyncio.get_running_loop().call_later(delay, peer.sock.shutdown, socket.SHUT_RDWR)
        try:
            await peer.read_request()
            await peer.write(OK)
        finally:
            closing.cancel()

    phases = []
    async with Server(close_soon) as server:
        for number in range(0, 200, 2):
            delay = number * 5e-6
            await transport.send(request(server.url, number), timeout=5)
            exchange = await transport.send(request(server.url, number + 1), timeout=5)
            phases.append(exchange.phase)
        numbers = [number_of(one) for one in server.requests]
    assert len(numbers) == len(set(numbers))
    answered = {2 * index + 1 for index, phase in enumerate(phases) if phase is Phase.ANSWERED}
    assert answered <= set(numbers)
    assert {Phase.ANSWERED, Phase.MAYBE_SENT} >= set(phases)


async def test_reply_that_closes_the_connection_is_whole(transport):
    """``Connection: close`` ends the connection and not the trust in its reply."""

    async def answer_and_close(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    async with Server(answer_and_close) as server:
        await good(transport, server.url, 20)
        assert server.accepted == 20
        await until(lambda: server.open == 0)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("together", [True, False], ids=["in-one", "in-two"])
async def test_reply_that_nobody_asked_for_answers_nothing(new_transport, ours, theirs, secure: bool, together: bool):
    """A second reply behind the first, as a broken gateway sends it, never answers the next request: that one would be
    called refused while it is paid.
    """
    first, second = OK, OK.replace(b"{}", b"NO")

    async def answer_twice(peer: Peer) -> None:
        await peer.read_request()
        for part in [first + second] if together else [first, second]:
            await peer.write(part)
        await answer(peer)

    transport = new_transport(max_connections=1, ssl_context=ours)
    script = over_tls(theirs, answer_twice) if secure else answer_twice
    async with Server(script, scheme="https" if secure else "http") as server:
        for number in range(10):
            exchange = await transport.send(request(server.url, number), timeout=5)
            assert exchange.body != b"NO"
        await transport.aclose()


@pytest.mark.parametrize("rest", [OK[:30], b"{", b"\x00"], ids=["half-a-reply", "a-letter", "a-zero"])
@pytest.mark.parametrize("reply", [OK, CHUNKED], ids=["length", "chunked"])
async def test_anything_behind_a_reply_costs_its_connection(transport, reply: bytes, rest: bytes):
    """Whatever came behind a reply, whole or not, the next request goes over another connection."""

    async def too_much(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(reply + rest if peer.number == 1 else reply)
        await answer(peer)

    async with Server(too_much) as server:
        for number in range(3):
            exchange = await transport.send(request(server.url, number), timeout=5)
            assert (exchange.phase, exchange.body) == (Phase.ANSWERED, b"{}")
        assert server.accepted == 2
        await until(lambda: server.open == 1)


async def test_reply_before_the_request_was_read_costs_its_connection(transport):
    """What has not left yet of one request would stand before the next."""

    async def hasty(peer: Peer) -> None:
        await peer.write(OK)
        await peer.hang_deaf()

    async with Server(hasty) as server:
        big = WireRequest(url=server.url, body=b" " * 8_000_000, merchant_no="1")
        await transport.send(big, timeout=0.5)
        server.script = answer
        exchange = await transport.send(request(server.url, 2), timeout=5)
        assert (exchange.phase, exchange.body) == (Phase.ANSWERED, b"{}")
        assert [number_of(one) for one in server.requests] == [2]


@pytest.mark.parametrize("size", [200_000, 8_000_000], ids=["in-the-kernel", "in-the-process"])
async def test_request_that_was_given_up_does_not_arrive_later(transport, size: int):
    """What had not left when the time was over, as in a break of the network, is never delivered."""
    given_up = asyncio.Event()

    async def deaf(peer: Peer) -> None:
        await given_up.wait()
        await peer.hang()

    async with Server(deaf, buffer=4096) as server:
        big = WireRequest(url=server.url, body=b" " * size, merchant_no="1")
        exchange = await transport.send(big, timeout=0.5)
        assert exchange.phase is Phase.MAYBE_SENT
        await asyncio.sleep(0.05)
        given_up.set()
        await until(lambda: server.open == 0)
        assert 0 < len(server.received) < size / 2


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("rest", [OK.replace(b"{}", b"NO"), OK[:30]], ids=["whole", "half"])
async def test_reply_that_comes_later_answers_nothing(new_transport, ours, theirs, rest: bytes, secure: bool):
    """The same when the second reply, or a part of it, arrives while the connection rests."""
    late = asyncio.Event()

    async def answer_later(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(OK)
        if peer.number == 1:
            await asyncio.sleep(0.02)
            await peer.write(rest)
            late.set()
        await answer(peer)

    transport = new_transport(max_connections=1, ssl_context=ours)
    script = over_tls(theirs, answer_later) if secure else answer_later
    async with Server(script, scheme="https" if secure else "http") as server:
        await transport.send(request(server.url, 1), timeout=5)
        await late.wait()
        await asyncio.sleep(0.01)
        exchange = await transport.send(request(server.url, 2), timeout=5)
        assert exchange.body == b"{}"
        assert server.accepted == 2
        await transport.aclose()


@pytest.mark.parametrize("size", [1 << 16, 1 << 17], ids=["one-read", "two-reads"])
async def test_reply_as_long_as_a_read_hides_nothing_behind_it(new_transport, size: int):
    """A reply that ends where a library's reads end, with its copy behind it: what is read already counts."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    length = size - len(head % size)
    first = head % length + b"Y" * length

    async def answer_twice(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(first + OK.replace(b"{}", b"NO"))
        await answer(peer)

    transport = new_transport(max_connections=1, max_reply_bytes=size)
    async with Server(answer_twice) as server:
        for number in range(20):
            exchange = await transport.send(request(server.url, number), timeout=5)
            assert exchange.body == b"Y" * length
        await transport.aclose()
