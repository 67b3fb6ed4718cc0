"""Lanes: how many, in which order, and what becomes of them."""

import asyncio

import pytest

from paypro_async._core.wire import Exchange, Phase
from paypro_async.errors import ClientStateError
from tests.support.servers import OK, Peer, Server, answer
from tests.support.transports import Stopwatch, cancel, good, number_of, request, until


async def silent(peer: Peer) -> None:
    await peer.read_request()
    await peer.hang()


async def test_waiters_are_served_in_order(new_transport):
    """Who came first is sent first."""
    transport = new_transport(max_connections=1)
    async with Server(answer) as server:
        await asyncio.gather(*(transport.send(request(server.url, number), timeout=5) for number in range(50)))
        assert [number_of(one) for one in server.requests] == list(range(50))
        await transport.aclose()


async def test_newcomer_does_not_overtake(new_transport):
    """Who has just been served goes to the end of the queue, even when it asks before the next waiter has woken."""
    transport = new_transport(max_connections=1)

    async def greedy(url: str, number: int) -> None:
        for turn in range(3):
            await transport.send(request(url, 100 * turn + number), timeout=5)

    async with Server(answer) as server:
        await asyncio.gather(*(greedy(server.url, number) for number in range(10)))
        assert [number_of(one) for one in server.requests] == [100 * turn + n for turn in range(3) for n in range(10)]
        await transport.aclose()


async def test_busy_lanes_are_a_pool_timeout(new_transport):
    """A request that finds no free lane in time was not sent, and says that this was why."""
    transport = new_transport(max_connections=2)
    async with Server(silent) as server:
        busy = [asyncio.create_task(transport.send(request(server.url), timeout=5)) for _ in range(2)]
        await until(lambda: len(server.requests) == 2)
        with Stopwatch() as watch:
            exchange = await transport.send(request(server.url), timeout=0.1)
        assert exchange == Exchange(phase=Phase.NOT_SENT, cause="every connection was busy", pool_timeout=True)
        assert 0.09 < watch.seconds < 1
        assert server.accepted == len(server.requests) == 2
        for task in busy:
            await cancel(task)
        server.script = answer
        await good(transport, server.url, 20)
        await transport.aclose()


async def test_wait_for_a_lane_counts_towards_the_deadline(new_transport):
    """The time in the queue and the time on the wire together are the total deadline."""
    transport = new_transport(max_connections=1)
    async with Server(silent) as server:
        first = asyncio.create_task(transport.send(request(server.url, 1), timeout=0.4))
        await until(lambda: len(server.requests) == 1)
        with Stopwatch() as watch:
            exchange = await transport.send(request(server.url, 2), timeout=0.8)
        assert (exchange.phase, exchange.pool_timeout) == (Phase.MAYBE_SENT, False)
        assert 0.78 < watch.seconds < 1.15  # not 0.4 and then 0.8
        assert (await first).phase is Phase.MAYBE_SENT
        await transport.aclose()


async def test_closing_closes_every_connection(new_transport):
    """After aclose the server has no connection left."""
    transport = new_transport(max_connections=8)
    async with Server(answer) as server:
        await good(transport, server.url, 40)
        assert server.open > 0
        await transport.aclose()
        await until(lambda: server.open == 0)
        await transport.aclose()  # again is no fault


async def test_request_under_way_survives_the_closing(new_transport):
    """A request that is under way when the transport is closed gets its answer, and its connection goes then."""
    transport = new_transport()
    release = asyncio.Event()

    async def slow(peer: Peer) -> None:
        await peer.read_request()
        await release.wait()
        await peer.write(OK)
        await peer.hang()

    async with Server(slow) as server:
        task = asyncio.create_task(transport.send(request(server.url), timeout=5))
        await until(lambda: len(server.requests) == 1)
        await transport.aclose()
        release.set()
        assert (await task).phase is Phase.ANSWERED
        await until(lambda: server.open == 0)


async def test_closed_transport_says_so(new_transport):
    """A closed transport sends nothing."""
    transport = new_transport()
    await transport.aclose()
    async with Server(answer) as server:
        with pytest.raises(ClientStateError):
            await transport.send(request(server.url), timeout=5)
        assert server.accepted == 0
