"""Connections that rest: for how long they are used again, and what becomes of those that the platform closes."""

import asyncio

import pytest

from paypro_async._core.wire import Phase
from paypro_async.transport.connections.resting import RestingConnections
from paypro_async.transport.connections.sockets import Found
from tests.support.servers import OK, Peer, Server, answer
from tests.support.transports import request, sockets, until
from tests.support.virtual_time import now, virtual_time


class Connection:
    """One that the platform closes after so many seconds of rest."""

    def __init__(self, closes_after: float = 60.0, *, speaks: bool = False) -> None:
        self.ends_at = now() + closes_after
        self.found = Found.SPOILED if speaks else Found.CLOSED
        self.dropped_at: float | None = None

    def look(self) -> Found:
        return self.found if now() >= self.ends_at else Found.QUIET

    def drop(self) -> None:
        self.dropped_at = now()


def new_resting() -> RestingConnections[Connection]:
    return RestingConnections(Connection.drop)


@virtual_time
async def test_what_rested_for_fifteen_seconds_is_dropped_and_then_no_timer_is_left():
    """Nobody has to ask for a connection, and nothing runs while none rests."""
    resting, began = new_resting(), now()
    one = Connection()
    resting.add(one)
    await asyncio.sleep(60)
    assert one.dropped_at is not None
    assert 15 <= one.dropped_at - began <= 15 * 1.1
    assert (len(resting), resting._timer) == (0, None)


@virtual_time
async def test_what_the_platform_closed_is_dropped_at_the_next_look():
    """Within a tenth of the time that it has rested."""
    resting, began = new_resting(), now()
    several = [Connection(closes_after=2.0) for _ in range(5)]
    for one in several:
        resting.add(one)
    await asyncio.sleep(3)
    assert all(one.dropped_at and one.dropped_at - began < 2.3 for one in several)


@virtual_time
async def test_a_rest_that_none_was_seen_to_survive_is_not_trusted():
    """The first that rests longer than a tenth of a second only shows that the platform allows it."""
    resting = new_resting()
    first = Connection()
    resting.add(first)
    await asyncio.sleep(1)
    assert resting.take(room=1) is None
    second = Connection()
    resting.add(second)
    await asyncio.sleep(1)
    assert resting.take(room=1) is second  # the first has rested for two seconds by now
    assert first.dropped_at is None


@virtual_time
async def test_without_room_nothing_rests_that_cannot_be_used():
    """There are never more connections than the caller allows."""
    resting = new_resting()
    several = [Connection() for _ in range(3)]
    for one in several:
        resting.add(one)
    await asyncio.sleep(1)
    assert resting.take(room=0) is None
    assert len(resting) == 0
    assert all(one.dropped_at for one in several)


@virtual_time
async def test_a_close_bounds_every_later_rest_for_a_minute():
    """Those that the platform would have closed soon are dropped before it does, and not used."""
    resting = new_resting()
    resting.add(Connection(closes_after=5.0))
    await asyncio.sleep(6)
    later, began = Connection(closes_after=5.0), now()
    resting.add(later)
    await asyncio.sleep(6)
    assert later.dropped_at is not None
    assert 3.5 < later.dropped_at - began < 4.9
    await asyncio.sleep(60)  # and then it is tried out again
    much_later, began = Connection(), now()
    resting.add(much_later)
    await asyncio.sleep(20)
    assert much_later.dropped_at is not None
    assert much_later.dropped_at - began >= 15


@pytest.mark.parametrize("header", ["timeout=2", "max=100, timeout=2", 'Timeout = "2"'])
@virtual_time
async def test_the_header_of_a_reply_bounds_the_rest(header: str):
    """``Keep-Alive: timeout=2`` means that the platform closes after two seconds."""
    resting, began = new_resting(), now()
    one = Connection()
    resting.add(one, keep_alive=header)
    await asyncio.sleep(10)
    assert one.dropped_at is not None
    assert 1.5 < one.dropped_at - began < 1.9


@virtual_time
async def test_what_spoke_unasked_says_nothing_of_the_rest():
    """It is dropped, and the next one rests as long as ever."""
    resting = new_resting()
    spoilt = Connection(closes_after=0.5, speaks=True)
    resting.add(spoilt)
    await asyncio.sleep(1)
    assert spoilt.dropped_at is not None
    one, began = Connection(), now()
    resting.add(one)
    await asyncio.sleep(20)
    assert one.dropped_at is not None
    assert one.dropped_at - began >= 15


@virtual_time
async def test_a_restart_of_the_platform_costs_only_the_connections_that_rested():
    """Closed at one moment just as they came to rest: the next one is used again."""
    resting = new_resting()
    for _ in range(50):
        resting.add(Connection(closes_after=0.0))
    assert resting.take() is None
    one = Connection()
    resting.add(one)
    assert resting.take() is one


@virtual_time
async def test_a_platform_that_closes_after_each_reply_gets_a_new_connection_each_time():
    """Seen twice, it is believed: the third may race with a close that has not arrived yet."""
    resting = new_resting()
    for _ in range(2):
        resting.add(Connection(closes_after=0.01))
        await asyncio.sleep(1)
    resting.add(Connection(closes_after=0.01))
    assert resting.take() is None


async def answer_until_told(peer: Peer, told: asyncio.Event) -> None:
    await peer.read_request()
    await peer.write(OK)
    await told.wait()


async def test_connections_that_the_platform_closed_do_not_stay_half_open(new_transport):
    """Without another request none of their sockets is left in CLOSE_WAIT."""
    transport, told = new_transport(max_connections=20), asyncio.Event()
    async with Server(lambda peer: answer_until_told(peer, told)) as server:
        before = sockets()
        await asyncio.gather(*(transport.send(request(server.url, number), timeout=5) for number in range(20)))
        assert sockets() > before
        told.set()
        await until(lambda: sockets() == before)
        await transport.aclose()


IDLE = 0.2


async def impatient(peer: Peer) -> None:
    """Close what rests too long; and a request that comes just before goes down with its connection."""
    while True:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(IDLE):
                await peer.read_request()
        except TimeoutError:
            return
        if peer.requests[1:] and asyncio.get_running_loop().time() - began > 0.75 * IDLE:
            return
        await peer.write(OK)


@pytest.mark.parametrize("connections", [1, 4])
@virtual_time
async def test_no_request_meets_the_moment_in_which_the_platform_closes(new_transport, connections: int):
    """Not even the first one that could: a request is never written after a rest that was not seen to be granted."""
    transport = new_transport(max_connections=connections)
    async with Server(impatient) as server:
        for number, pause in enumerate([0.0, 0.18, 0.18, 0.02, 0.18]):
            await asyncio.sleep(pause)
            exchange = await transport.send(request(server.url, number), timeout=5)
            assert exchange.phase is Phase.ANSWERED
        assert server.accepted < 5
        await transport.aclose()


async def test_nothing_is_left_when_a_loop_ends_beside_resting_connections(new_transport):
    """A client that is closed leaves no timer and no task of its connections."""
    transport = new_transport(max_connections=4)
    async with Server(answer) as server:
        await asyncio.gather(*(transport.send(request(server.url, number), timeout=5) for number in range(4)))
        tasks = asyncio.all_tasks()
        await transport.aclose()
        await until(lambda: server.open == 0)
        assert len(asyncio.all_tasks()) <= len(tasks)
