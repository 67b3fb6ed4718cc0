"""A connection that is held for one request: made before, written to when its turn comes, given back otherwise."""

import asyncio
from contextlib import suppress

import pytest
from attrs import evolve

from paypro_async._core.wire import Exchange, Phase
from tests.support.servers import Peer, Server, answer, no_room, over_tls, unused_url
from tests.support.transports import good, number_of, request, sockets, until
from tests.support.virtual_time import virtual_time


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_it_is_made_before_and_carries_the_request_at_once(new_transport, ours, theirs, secure: bool):
    """Nothing is written until the request comes, which needs no further connection then."""
    transport = new_transport(max_connections=2, ssl_context=ours)
    script = over_tls(theirs, answer) if secure else answer
    async with Server(script, scheme="https" if secure else "http") as server:
        for number in range(3):
            one = request(server.url, number)
            held = await transport.connect(one, timeout=5)
            await asyncio.sleep(0.02)
            assert len(server.requests) == number
            exchange = await transport.send(evolve(one, connection=held), timeout=5)
            assert (exchange.phase, exchange.body) == (Phase.ANSWERED, b"{}")
            await held.aclose()  # used already, so no fault
        assert [number_of(one) for one in server.requests] == [0, 1, 2]
        assert server.accepted == 1
        await transport.aclose()


async def test_what_is_given_back_leaves_nothing_behind(new_transport):
    """Its slot is free for the next, and no socket stays."""
    before = sockets()
    transport = new_transport(max_connections=1)
    async with Server(answer) as server:
        for _ in range(3):
            held = await transport.connect(request(server.url), timeout=5)
            await held.aclose()
            await held.aclose()
        await good(transport, server.url, 8)
        held = await transport.connect(request(server.url), timeout=5)
        await transport.aclose()
        await held.aclose()
        await until(lambda: server.open == 0)
    await until(lambda: sockets() == before)


async def test_one_that_was_closed_meanwhile_is_replaced(new_transport):
    """The request goes over another one, once."""
    transport = new_transport(max_connections=1)

    async def impatient(peer: Peer) -> None:
        if peer.number > 1:
            await answer(peer)

    async with Server(impatient) as server:
        one = request(server.url, 7)
        held = await transport.connect(one, timeout=5)
        await until(lambda: server.open == 0)
        await asyncio.sleep(0.01)
        exchange = await transport.send(evolve(one, connection=held), timeout=5)
        assert exchange.phase is Phase.ANSWERED
        assert (len(server.requests), server.accepted) == (1, 2)
        await transport.aclose()


async def test_past_its_send_deadline_it_is_not_written(new_transport):
    """The deadline is that of the request as it is sent, and not as it was when the connection was made."""
    transport = new_transport(max_connections=1)
    async with Server(answer) as server:
        one = request(server.url, 7)
        held = await transport.connect(one, timeout=5)
        exchange = await transport.send(evolve(one, connection=held, send_by=float("-inf")), timeout=5)
        assert (exchange.phase, exchange.late) == (Phase.NOT_SENT, True)
        assert server.received == b""
        await good(transport, server.url, 8)
        await transport.aclose()


async def test_none_in_time_is_an_exchange_that_says_why(new_transport):
    """Nobody listens, nobody accepts, and every connection is held by others."""
    before = sockets()
    transport = new_transport(max_connections=1)
    refused = await transport.connect(request(unused_url()), timeout=5)
    assert isinstance(refused, Exchange)
    assert (refused.phase, refused.pool_timeout) == (Phase.NOT_SENT, False)
    async with no_room() as url:
        slow = await transport.connect(request(url), timeout=0.05)
        assert isinstance(slow, Exchange)
        assert slow.phase is Phase.NOT_SENT
        connecting = asyncio.ensure_future(transport.connect(request(url), timeout=5))
        await asyncio.sleep(0.02)
        connecting.cancel()
        await asyncio.wait({connecting})
    async with Server(answer) as server:
        held = await transport.connect(request(server.url), timeout=5)
        busy = await transport.connect(request(server.url), timeout=0.05)
        assert isinstance(busy, Exchange)
        assert (busy.phase, busy.pool_timeout) == (Phase.NOT_SENT, True)
        await held.aclose()
        await good(transport, server.url, 8)
        await transport.aclose()
        await until(lambda: server.open == 0)
    await until(lambda: sockets() == before)


async def test_cancelled_while_it_sends(new_transport):
    """The slot is free again, and the connection is gone."""
    before = sockets()
    transport = new_transport(max_connections=1)
    async with Server(lambda peer: peer.hang()) as server:
        one = request(server.url)
        held = await transport.connect(one, timeout=5)
        sending = asyncio.ensure_future(transport.send(evolve(one, connection=held), timeout=5))
        await until(lambda: b"tradeNo" in server.received)
        sending.cancel()
        await asyncio.wait({sending})
        await until(lambda: server.open == 0)
        server.script = answer
        await good(transport, server.url, 8)
        await transport.aclose()
    await until(lambda: sockets() == before)


@virtual_time
async def test_a_new_one_may_wait_for_its_turn_until_the_platform_shows_otherwise(new_transport):
    """Two seconds are no reason to connect anew; after one was closed within a second, nine tenths of one are."""
    transport = new_transport(max_connections=4)
    patience = 60.0

    async def close_later(peer: Peer) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await answer(peer)

    async with Server(close_later) as server:

        async def connections_for(waits: float) -> int:
            """How many are made for one request that is held so long."""
            await asyncio.sleep(20)  # none rests so long
            before, one = server.accepted, request(server.url, 1)
            held = await transport.connect(one, timeout=5)
            await asyncio.sleep(waits)
            assert (await transport.send(evolve(one, connection=held), timeout=5)).phase is Phase.ANSWERED
            return server.accepted - before

        assert await connections_for(2) == 1
        patience = 1.0
        assert await connections_for(2) == 2
        patience = 60.0
        assert await connections_for(0.9) == 2
        await transport.aclose()
