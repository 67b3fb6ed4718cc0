"""Proxies: a tunnel to the platform is not yet a request to it."""

import asyncio
import base64

import pytest

from paypro_async._core.wire import Phase
from paypro_async.errors import ConfigurationError
from paypro_async.transport.proxies import environment_proxy
from tests.support.servers import OPENED, Peer, Script, Server, answer, over_tls, tunnel
from tests.support.transports import Clock, Stopwatch, cancel, good, request, sockets, until

PAYOUTS = "https://payouts.example/v1/paypro/payout"
REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


def address(proxy: Server) -> str:
    return f"http://127.0.0.1:{proxy.port}"


async def test_accepted_tunnel_carries_the_request(new_transport, ours, theirs):
    """Through a proxy that opens the tunnel the request reaches the server; the proxy sees where to, and no more."""
    async with Server(over_tls(theirs), scheme="https") as server, Server(tunnel(lambda: server.port)) as proxy:
        transport = new_transport(max_connections=2, ssl_context=ours, proxy=address(proxy))
        await good(transport, PAYOUTS, 20)
        assert proxy.requests[0].startswith(b"CONNECT payouts.example:443 HTTP/1.1\r\n")
        assert len(server.requests) == 20
        assert proxy.accepted == server.accepted <= 2
        assert b"tradeNo" not in proxy.received
        assert b"0000000001" not in proxy.received
        await transport.aclose()
        await until(lambda: server.open == proxy.open == 0)


async def hang(peer: Peer) -> None:
    await peer.read_request()
    await peer.hang()


async def reset(peer: Peer) -> None:
    await peer.read_request()
    peer.reset()


async def close(peer: Peer) -> None:
    await peer.read_request()


async def refuse(peer: Peer) -> None:
    await peer.read_request()
    await peer.write(REFUSED)
    await peer.hang()


async def garbage(peer: Peer) -> None:
    await peer.read_request()
    await peer.write(b"no proxy here\r\n\r\n")


async def open_and_reset(peer: Peer) -> None:
    await peer.read_request()
    await peer.write(OPENED)
    await peer.read()
    peer.reset()


async def open_and_hang(peer: Peer) -> None:
    await peer.read_request()
    await peer.write(OPENED)
    await peer.hang()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("script", [hang, reset, close, refuse, garbage, open_and_reset, open_and_hang])
async def test_proxy_that_fails_is_not_sent(new_transport, ours, theirs, script: Script):
    """As long as the tunnel does not stand, nothing was sent to the platform, and no connection is left behind."""
    before = sockets()
    async with Server(over_tls(theirs), scheme="https") as server, Server(script) as proxy:
        transport = new_transport(max_connections=1, ssl_context=ours, proxy=address(proxy))
        with Stopwatch() as watch:
            exchange = await transport.send(request(PAYOUTS), timeout=0.2)
        assert (exchange.phase, exchange.pool_timeout) == (Phase.NOT_SENT, False)
        assert watch.seconds < 1
        await until(lambda: proxy.open == 0)
        assert proxy.received.count(b"CONNECT ") == 1
        assert b"tradeNo" not in proxy.received
        proxy.script = tunnel(lambda: server.port)
        await good(transport, PAYOUTS, 20)
        await transport.aclose()
    await until(lambda: sockets() == before)


async def test_refused_tunnel_is_said(new_transport, ours):
    """A proxy that refuses is named as the cause."""
    async with Server(refuse) as proxy:
        transport = new_transport(ssl_context=ours, proxy=address(proxy))
        assert (await transport.send(request(PAYOUTS), timeout=5)).cause == "the proxy refused"
        await transport.aclose()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("script", [hang, open_and_hang])
async def test_cancelled_while_the_tunnel_is_made(new_transport, ours, theirs, script: Script):
    """A call that is cancelled before the tunnel stands leaves no connection to the proxy."""
    before = sockets()
    async with Server(over_tls(theirs), scheme="https") as server, Server(script) as proxy:
        transport = new_transport(max_connections=4, ssl_context=ours, proxy=address(proxy))
        tasks = [asyncio.create_task(transport.send(request(PAYOUTS), timeout=5)) for _ in range(4)]
        await until(lambda: len(proxy.requests) == 4)
        await asyncio.sleep(0.02)
        for task in tasks:
            await cancel(task)
        await until(lambda: proxy.open == 0)
        proxy.script = tunnel(lambda: server.port)
        await good(transport, PAYOUTS, 100)
        await transport.aclose()
    await until(lambda: sockets() == before)


async def test_send_deadline_that_passes_in_the_tunnel_sends_nothing(new_transport, ours, theirs):
    """A proxy that takes too long: the send deadline is looked at behind it."""
    clock = Clock()
    async with Server(over_tls(theirs), scheme="https") as server:

        async def slow(peer: Peer) -> None:
            clock.at += 100
            await tunnel(lambda: server.port)(peer)

        async with Server(slow) as proxy:
            transport = new_transport(ssl_context=ours, proxy=address(proxy), runtime=clock)
            exchange = await transport.send(request(PAYOUTS, send_by=clock.at + 10), timeout=5)
            assert exchange.phase is Phase.NOT_SENT
            assert len(proxy.requests) == 1
            await until(lambda: server.open == 0)
            assert server.received == b""
            await transport.aclose()


async def test_plain_http_through_a_proxy_is_maybe_sent(new_transport):
    """Without a tunnel the proxy gets the request itself: from its first byte on nobody knows."""
    async with Server(close) as proxy:
        transport = new_transport(proxy=address(proxy))
        exchange = await transport.send(request("http://payouts.example/v1/paypro/payout"), timeout=5)
        assert exchange.phase is Phase.MAYBE_SENT
        assert proxy.requests[0].startswith(b"POST http://payouts.example/v1/paypro/payout HTTP/1.1\r\n")
        proxy.script = answer
        await good(transport, "http://payouts.example/", 10)
        await transport.aclose()


async def test_credentials_of_the_proxy_stay_with_it(new_transport, ours, theirs):
    """The user and the password of a proxy's URL go to the proxy, and not to the platform."""
    async with Server(over_tls(theirs), scheme="https") as server, Server(tunnel(lambda: server.port)) as proxy:
        transport = new_transport(ssl_context=ours, proxy=f"http://user:word@127.0.0.1:{proxy.port}")
        await good(transport, PAYOUTS, 1)
        assert base64.b64encode(b"user:word") in proxy.received
        assert b"roxy" not in server.received
        await transport.aclose()


async def test_credentials_of_the_proxy_go_with_plain_http(new_transport):
    """Without a tunnel the proxy sees them with each request."""
    async with Server(answer) as proxy:
        transport = new_transport(proxy=f"http://user:w%20rd@127.0.0.1:{proxy.port}")
        await good(transport, "http://payouts.example/", 10)
        expected = b"proxy-authorization: basic " + base64.b64encode(b"user:w rd").lower()
        assert all(expected in one.lower() for one in proxy.requests)
        await transport.aclose()


@pytest.mark.parametrize("kind", ["aiohttp"])
async def test_proxy_that_aiohttp_does_not_speak_names_httpx(ours, new_transport):
    """SOCKS is what httpx can do."""
    with pytest.raises(ConfigurationError, match="transport='httpx'"):
        await new_transport(ssl_context=ours, proxy="socks5://127.0.0.1:1080").prepare(PAYOUTS)


@pytest.mark.parametrize("name", ["nonsense://127.0.0.1:1", "http://127.0.0.1:port"])
async def test_proxy_that_cannot_work_is_refused_beforehand(ours, new_transport, name: str):
    """Making ready is enough to learn of it: no payout is announced that can never leave."""
    with pytest.raises(ConfigurationError, match="proxy cannot be used"):
        await new_transport(ssl_context=ours, proxy=name).prepare(PAYOUTS)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, PAYOUTS, "http://proxy.example:3128"),
        ({"https_proxy": "http://proxy.example:3128"}, PAYOUTS, "http://proxy.example:3128"),
        ({"ALL_PROXY": "http://proxy.example:3128"}, PAYOUTS, "http://proxy.example:3128"),
        ({"HTTPS_PROXY": "http://one.example", "ALL_PROXY": "http://two.example"}, PAYOUTS, "http://one.example"),
        ({"HTTP_PROXY": "http://proxy.example:3128"}, PAYOUTS, None),
        ({"HTTP_PROXY": "http://proxy.example:3128"}, "http://payouts.example/", "http://proxy.example:3128"),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "payouts.example"}, PAYOUTS, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": ".example"}, PAYOUTS, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "*"}, PAYOUTS, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "others.test"}, PAYOUTS, "http://proxy.example:3128"),
        ({"HTTPS_PROXY": ""}, PAYOUTS, None),
        ({}, PAYOUTS, None),
    ],
)
def test_environment_names_the_proxy(monkeypatch, environment: dict[str, str], url: str, proxy: str | None):
    """HTTPS_PROXY, ALL_PROXY and NO_PROXY mean what they mean to other programs."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert environment_proxy(url) == proxy


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "[::1]", "localhost", "LOCALHOST"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_loopback_needs_no_proxy(monkeypatch, host: str, scheme: str):
    """A sandbox on this machine is never looked for behind the proxy of the environment."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    assert environment_proxy(f"{scheme}://{host}:8443/v1") is None


@pytest.mark.parametrize("prefix", ["http://", ""])
async def test_proxy_of_the_environment_is_used(new_transport, monkeypatch, ours, theirs, prefix: str):
    """The proxy of the environment is asked, with or without ``http://`` before it as other programs allow."""
    async with Server(over_tls(theirs), scheme="https") as server, Server(tunnel(lambda: server.port)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"{prefix}127.0.0.1:{proxy.port}")
        transport = new_transport(ssl_context=ours)
        await good(transport, PAYOUTS, 5)
        assert proxy.accepted > 0
        await transport.aclose()


@pytest.mark.parametrize("name", ["nonsense://127.0.0.1:1", "socks9://127.0.0.1:1", "http://127.0.0.1:port"])
@pytest.mark.parametrize("given", [True, False])
async def test_proxy_that_cannot_work_is_a_wrong_setting(new_transport, monkeypatch, ours, name: str, given: bool):
    """A proxy that nobody can use is said to be a wrong setting, not an error of a library that is not ours."""
    if not given:
        monkeypatch.setenv("HTTPS_PROXY", name)

    async def send() -> None:
        transport = new_transport(ssl_context=ours, proxy=name if given else None)
        await transport.send(request(PAYOUTS), timeout=1)

    with pytest.raises(ConfigurationError):
        await send()
