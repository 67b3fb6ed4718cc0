"""From what a user writes to a transport."""

import sys

import pytest

from paypro_async.errors import ConfigurationError
from paypro_async.transport import TRANSPORTS, TransportSettings, check_transport, open_transport
from tests.support.servers import Server, answer
from tests.support.transports import request


async def test_each_name_opens_a_transport(kind: str):
    """Every name that is known makes a transport that sends."""
    async with Server(answer) as server:
        transport = await open_transport(kind, server.url, TransportSettings(max_connections=2))
        exchange = await transport.send(request(server.url), timeout=5)
        assert exchange.body == b"{}"
        await transport.aclose()


@pytest.mark.parametrize("kind", ["httpx2"])
async def test_httpx2_is_httpx2(kind: str):
    """The library that was chosen does the work, and not the other one."""
    import httpx
    import httpx2

    async with Server(answer) as server:
        transport = await open_transport(kind, server.url)
        [origin] = transport._origins.values()
        connecting = origin.way()
        assert isinstance(connecting, httpx2.AsyncHTTPTransport)
        assert not isinstance(connecting, httpx.AsyncHTTPTransport)
        await transport.aclose()


@pytest.mark.parametrize("name", ["aiohttp", "httpx2"])
async def test_missing_package_is_named_with_its_extra(monkeypatch, name: str):
    """Who has not installed it is told what to type."""
    monkeypatch.delitem(sys.modules, f"paypro_async.transport.{name}", raising=False)
    monkeypatch.setitem(sys.modules, name, None)  # as if it were not there
    with pytest.raises(ConfigurationError, match=rf"pip install 'paypro-async\[{name}\]'"):
        await open_transport(name, "https://payouts.example")


async def test_an_own_transport_is_taken_as_it_is(transport):
    """It is neither made nor made ready."""
    assert await open_transport(transport, "https://payouts.example") is transport


def test_names_are_checked():
    """Of names and objects, those that can be meant are let through."""
    for name in TRANSPORTS:
        check_transport(name)
    for wrong in ("requests", "", "HTTPX", None, 7):
        with pytest.raises(ConfigurationError, match="transport"):
            check_transport(wrong)
