"""A reply that belongs to another request costs its connection, as soon as its reader finds out."""

import asyncio
from collections.abc import Callable

import pytest

from paypro_async._core.wire import Phase
from tests.support.servers import OK, Peer, Server, over_tls, tunnel
from tests.support.transports import good, number_of, request, sockets, until

pytestmark = pytest.mark.each_loop

LATER = 0.005


def reply_to(received: bytes) -> bytes:
    """A reply that says whose it is."""
    body = b"%d" % number_of(received)
    return OK.replace(b"Length: 2", b"Length: %d" % len(body)).replace(b"{}", body)


async def echo(peer: Peer) -> None:
    while True:
        await peer.write(reply_to(await peer.read_request()))


async def doubled_once(peer: Peer) -> None:
    """Double the first reply of the server, as a middlebox may: its copy comes while the second request waits."""
    if peer.number == 1:
        reply = reply_to(await peer.read_request())
        await peer.write(reply)
        await peer.read_request()
        await asyncio.sleep(LATER)
        await peer.write(reply)
        await peer.write(reply_to(peer.requests[-1]))
    await echo(peer)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_after_a_discard_the_next_request_gets_its_own_answer(new_transport, ours, theirs, secure: bool):
    """A copy shifts a kept connection for good; discarding the exchange that shows it ends that with one reply."""
    transport = new_transport(max_connections=1, ssl_context=ours)
    script = over_tls(theirs, doubled_once) if secure else doubled_once
    async with Server(script, scheme="https" if secure else "http") as server:
        bodies = []
        for number in range(5):
            exchange = await transport.send(request(server.url, number), timeout=5)
            bodies.append(exchange.body)
            if exchange.body != b"%d" % number:
                assert exchange.discard is not None
                exchange.discard()
        assert bodies == [b"0", b"0", b"2", b"3", b"4"]
        assert server.accepted == 2
        await until(lambda: server.open == 1)
        await transport.aclose()


async def test_a_request_that_waits_on_it_meanwhile_is_maybe_sent(new_transport):
    """The discarded connection may have been given to the next request already: its answer would be a wrong one too."""
    transport = new_transport(max_connections=1)
    waiting = asyncio.Event()

    async def doubled_later(peer: Peer) -> None:
        reply = reply_to(await peer.read_request())
        await peer.write(reply)
        await peer.read_request()
        waiting.set()
        await peer.hang()

    async with Server(doubled_later) as server:
        first = await transport.send(request(server.url, 1), timeout=5)
        second = asyncio.create_task(transport.send(request(server.url, 2), timeout=5))
        await waiting.wait()
        assert first.discard is not None
        first.discard()
        exchange = await second
        assert (exchange.phase, exchange.body) == (Phase.MAYBE_SENT, b"")
        assert exchange.cause
        server.script = echo
        assert (await transport.send(request(server.url, 3), timeout=5)).body == b"3"
        assert server.accepted == 2
        await transport.aclose()


@pytest.mark.parametrize("through", ["tunnel", "forwarded"])
async def test_behind_a_proxy_the_connection_to_it_is_closed(new_transport, ours, theirs, through: str):
    """Whoever doubled the reply, what comes on that connection is trusted no more."""
    tunnelled = through == "tunnel"
    script = over_tls(theirs, doubled_once) if tunnelled else doubled_once
    async with Server(script) as server, Server(tunnel(lambda: server.port)) as proxy:
        url = "https://payouts.example/v1/paypro/payout" if tunnelled else "http://payouts.example/v1/paypro/payout"
        # A forward proxy answers in the server's place.
        address = f"http://127.0.0.1:{(proxy if tunnelled else server).port}"
        transport = new_transport(max_connections=1, ssl_context=ours, proxy=address)
        bodies = []
        for number in range(4):
            exchange = await transport.send(request(url, number), timeout=5)
            bodies.append(exchange.body)
            if exchange.body != b"%d" % number:
                exchange.discard()
        assert bodies == [b"0", b"0", b"2", b"3"]
        assert server.accepted == 2
        await transport.aclose()


@pytest.mark.parametrize("turns", range(6))
async def test_a_reply_that_has_come_and_was_not_taken_is_not_believed(new_transport, turns: int):
    """Also when the wrong reply of the next request is in the kernel or in this process as the connection goes."""
    transport = new_transport(max_connections=1)
    written = asyncio.Event()

    async def doubled_unread(peer: Peer) -> None:
        reply = reply_to(await peer.read_request())
        await peer.write(reply)
        await peer.read_request()
        await peer.write(reply)
        written.set()
        await peer.hang()

    async with Server(doubled_unread) as server:
        first = await transport.send(request(server.url, 1), timeout=5)
        second = asyncio.create_task(transport.send(request(server.url, 2), timeout=5))
        await written.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        taken = second.done()
        assert first.discard is not None
        first.discard()
        assert (await second).phase is (Phase.ANSWERED if taken else Phase.MAYBE_SENT)
        await transport.aclose()


async def test_discarding_again_or_late_harms_nothing(transport):
    """However often it is called, and whatever has become of the connection, other requests go on undisturbed."""

    async def one_reply_each(peer: Peer) -> None:
        await peer.write(reply_to(await peer.read_request()))

    async with Server(one_reply_each) as server:
        old = await transport.send(request(server.url, 1), timeout=5)
        await until(lambda: server.open == 0)
        server.script = echo
        kept = await transport.send(request(server.url, 2), timeout=5)
        for _ in range(3):
            old.discard()
        assert (await transport.send(request(server.url, 3), timeout=5)).body == b"3"
        assert server.accepted == 2  # the later connection is another one, and was left alone
        kept.discard()
        kept.discard()
    await transport.aclose()
    kept.discard()


async def test_a_discarded_connection_is_closed_and_none_leaks(new_transport: Callable[..., object]):
    """A hundred discards hold no socket, and the transport serves as before."""
    before = sockets()
    transport = new_transport(max_connections=4)
    async with Server(echo) as server:
        for number in range(100):
            exchange = await transport.send(request(server.url, number), timeout=5)
            assert exchange.body == b"%d" % number
            exchange.discard()
        assert server.accepted == 100
        await until(lambda: server.open == 0)

        async def empty(peer: Peer) -> None:
            while True:
                await peer.read_request()
                await peer.write(OK)

        server.script = empty
        await good(transport, server.url, 20)
        await transport.aclose()
    await until(lambda: sockets() <= before)
