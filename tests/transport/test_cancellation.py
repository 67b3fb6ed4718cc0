"""A cancelled call costs nothing: no lane, no connection, no wrong word about what was sent."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from paypro_async._core.wire import Phase
from paypro_async.transport import Transport
from tests.support.servers import OK, Peer, Server, answer, no_room, over_tls
from tests.support.transports import cancel, good, request, sockets, until

pytestmark = [pytest.mark.each_loop, pytest.mark.usefixtures("no_collector")]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(answer) as server:
        yield server


async def all_is_well(transport: Transport, server: Server, *, before: int) -> None:
    """Good requests for every lane, and then no socket is left that was not there before."""
    await good(transport, server.url, 20)
    await transport.aclose()
    await until(lambda: server.open == 0)
    await until(lambda: sockets() == before)


async def test_cancelled_while_it_waits_for_a_lane(new_transport, server):
    """Who is cancelled in the queue leaves the queue; those behind still get their turn."""
    before = sockets()
    transport = new_transport(max_connections=1)
    release = asyncio.Event()

    async def slow(peer: Peer) -> None:
        await peer.read_request()
        await release.wait()
        await peer.write(OK)
        await answer(peer)

    server.script = slow
    first = asyncio.create_task(transport.send(request(server.url, 1), timeout=5))
    await until(lambda: len(server.requests) == 1)
    waiting = [asyncio.create_task(transport.send(request(server.url, 10 + n), timeout=5)) for n in range(20)]
    await asyncio.sleep(0.01)
    for task in waiting[::2]:
        await cancel(task)
    release.set()
    exchanges = await asyncio.gather(first, *waiting[1::2])
    assert {exchange.phase for exchange in exchanges} == {Phase.ANSWERED}
    assert len(server.requests) == 11
    await all_is_well(transport, server, before=before)


async def test_cancelled_as_its_turn_comes(new_transport, server):
    """A turn that comes in the very moment of the cancellation goes to the next in the queue."""
    before = sockets()
    transport = new_transport(max_connections=1)
    for _ in range(20):
        first = asyncio.create_task(transport.send(request(server.url), timeout=5))
        second = asyncio.create_task(transport.send(request(server.url), timeout=5))
        third = asyncio.create_task(transport.send(request(server.url), timeout=5))
        first.add_done_callback(lambda _, second=second: second.cancel())
        assert (await third).phase is Phase.ANSWERED
        await asyncio.wait({first, second})
    await all_is_well(transport, server, before=before)


async def test_cancelled_while_it_connects(transport, server):
    """A connection that was never made leaves no socket behind."""
    before = sockets()
    async with no_room() as url:
        tasks = [asyncio.create_task(transport.send(request(url), timeout=5)) for _ in range(12)]
        with_listener = before + 1 + 4
        await until(lambda: sockets() == with_listener + 4)
        for task in tasks:
            await cancel(task)
        await until(lambda: sockets() == with_listener)
    await all_is_well(transport, server, before=before)


async def test_cancelled_in_the_tls_handshake(new_transport, server, ours):
    """A server that never ends the handshake loses its connection when the call is cancelled."""
    before = sockets()
    transport = new_transport(max_connections=4, ssl_context=ours)
    async with Server(lambda peer: peer.hang(), scheme="https") as silent:
        for _ in range(3):
            tasks = [asyncio.create_task(transport.send(request(silent.url), timeout=5)) for _ in range(4)]
            await until(lambda: silent.open == 4 and all(peer.received for peer in silent.peers))
            for task in tasks:
                await cancel(task)
            await until(lambda: silent.open == 0)
    await all_is_well(transport, server, before=before)


async def test_handshake_past_the_deadline_leaves_no_connection(new_transport, server, ours):
    """The same when the time is over: nothing was sent, and the connection is closed."""
    before = sockets()
    transport = new_transport(max_connections=4, ssl_context=ours)
    async with Server(lambda peer: peer.hang(), scheme="https") as silent:
        exchange = await transport.send(request(silent.url), timeout=0.1)
        assert exchange.phase is Phase.NOT_SENT
        await until(lambda: silent.open == 0)
    await all_is_well(transport, server, before=before)


async def test_cancelled_after_it_was_sent(transport, server):
    """While the reply is awaited."""
    before = sockets()

    async def silent(peer: Peer) -> None:
        await peer.read_request()
        await peer.hang()

    server.script = silent
    tasks = [asyncio.create_task(transport.send(request(server.url), timeout=5)) for _ in range(4)]
    await until(lambda: len(server.requests) == 4)
    for task in tasks:
        await cancel(task)
    await until(lambda: server.open == 0)
    assert len(server.requests) == 4
    server.script = answer
    await all_is_well(transport, server, before=before)


async def test_cancelled_in_the_reply(transport, server):
    """While the body is read."""
    before = sockets()

    async def half(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(OK[:-1])
        await peer.hang()

    server.script = half
    tasks = [asyncio.create_task(transport.send(request(server.url), timeout=5)) for _ in range(4)]
    await until(lambda: len(server.requests) == 4)
    await asyncio.sleep(0.02)
    for task in tasks:
        await cancel(task)
    await until(lambda: server.open == 0)
    server.script = answer
    await all_is_well(transport, server, before=before)


async def test_cancelled_in_the_reply_over_tls(new_transport, server, ours, theirs):
    """The same under TLS, where no farewell is waited for."""
    before = sockets()
    transport = new_transport(max_connections=4, ssl_context=ours)

    async def half(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(OK[:-1])
        await peer.hang()

    async with Server(over_tls(theirs, half), scheme="https") as secure:
        task = asyncio.create_task(transport.send(request(secure.url), timeout=5))
        await until(lambda: len(secure.requests) == 1)
        await asyncio.sleep(0.02)
        await cancel(task)
        await until(lambda: secure.open == 0)
    await all_is_well(transport, server, before=before)


async def test_cancelled_twice(transport, server):
    """A second cancellation, while the first is being cleaned up, does not stop the cleaning."""
    before = sockets()

    async def silent(peer: Peer) -> None:
        await peer.read_request()
        await peer.hang()

    server.script = silent
    for steps in range(8):
        task = asyncio.create_task(transport.send(request(server.url), timeout=5))
        await until(lambda steps=steps: len(server.requests) == steps + 1)
        task.cancel()
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
    await until(lambda: server.open == 0)
    server.script = answer
    await all_is_well(transport, server, before=before)


async def test_cancelled_at_every_step_of_the_loop(transport, server):
    """However many turns of the event loop a call has had when it is cancelled, the next one is served."""
    before = sockets()
    ended = 0
    for steps in range(60):
        task = asyncio.create_task(transport.send(request(server.url, steps), timeout=5))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        ended += not task.cancelled()
        assert (await transport.send(request(server.url, 1000), timeout=5)).phase is Phase.ANSWERED
    assert ended < 60
    await all_is_well(transport, server, before=before)


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.trial)])
async def test_a_hundred_are_cancelled_and_the_next_are_all_good(transport, server, count: int):
    """100 calls cancelled at any moment cost no lane and no connection: the next 1,000 are all answered."""
    before = sockets()
    dice = random.Random(7)

    async def rounds(count: int) -> None:
        # Of the loop, which both ends share, and no seconds: on a busy machine the replies would be there first.
        for _ in range(count):
            await asyncio.sleep(0)

    async def slowly(peer: Peer) -> None:
        while True:
            await peer.read_request()
            await rounds(7)
            await peer.write(OK[:20])
            await rounds(7)
            await peer.write(OK[20:])

    server.script = slowly
    cancelled = 0
    for _ in range(10):
        tasks = [asyncio.create_task(transport.send(request(server.url), timeout=5)) for _ in range(10)]
        for task in tasks:
            await rounds(dice.randrange(12))
            task.cancel()
        await asyncio.wait(tasks)
        cancelled += sum(task.cancelled() for task in tasks)
    assert cancelled >= 50
    server.script = answer
    await good(transport, server.url, count)
    assert server.open <= 4
    await all_is_well(transport, server, before=before)
