"""What only the transport over aiohttp has: parts of aiohttp that it does not promise to keep."""

import asyncio
from functools import partial
from typing import Any

import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from paypro_async._core.wire import Phase
from paypro_async.errors import ConfigurationError
from paypro_async.transport.aiohttp import AiohttpTransport, _Connector, _Handler
from tests.support.servers import OK, Peer, Server, answer
from tests.support.transports import request, until


async def test_connections_are_ours():
    """The private factory still makes the connections, so each byte that comes is seen."""
    transport = AiohttpTransport()
    async with Server(answer) as server:
        await transport.send(request(server.url), timeout=5)
        [handler] = next(iter(transport._origins.values())).resting.drop_all()
        assert isinstance(handler, _Handler)
        handler.drop()
        await transport.aclose()


async def test_aiohttp_that_makes_other_connections_is_refused():
    """An aiohttp that no longer asks the factory: nothing is written on what cannot be watched."""
    transport = AiohttpTransport()
    async with Server(answer) as server:
        transport._connector = _Connector()
        transport._connector._factory = partial(ResponseHandler, loop=asyncio.get_running_loop())
        with pytest.raises(ConfigurationError, match="This version of aiohttp"):
            await transport.send(request(server.url), timeout=5)
        await until(lambda: server.open == 0)
        assert server.received == b""


async def test_aiohttp_keeps_no_connection_of_its_own():
    """What aiohttp's pool holds it would hand out without a look at what came behind the last reply."""
    transport = AiohttpTransport()
    async with Server(answer) as server:
        for number in range(5):
            await transport.send(request(server.url, number), timeout=5)
        assert server.accepted == 1
        assert not transport._connector._conns
        await transport.aclose()


class _SlowConnector(_Connector):
    """Gives what a server says first the time to arrive."""

    async def connect(self, *arguments: Any) -> Connection:
        connection = await super().connect(*arguments)
        await asyncio.sleep(0.02)
        return connection


@pytest.mark.parametrize("greeting", [OK, OK[:30], b"220 smtp.paypro.invalid ESMTP\r\n"])
async def test_server_that_speaks_first_gets_nothing(greeting: bytes):
    """What came before the request would be taken for its reply, so the request is not written."""

    async def greet(peer: Peer) -> None:
        await peer.write(greeting)
        await answer(peer)

    transport = AiohttpTransport()
    async with Server(greet) as server:
        transport._connector = _SlowConnector()
        assert (await transport.send(request(server.url), timeout=5)).phase is Phase.NOT_SENT
        await until(lambda: server.open == 0)
        assert server.received == b""
        await transport.aclose()
