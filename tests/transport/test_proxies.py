"""Proxies: a tunnel to the platform is not yet a request to it."""

import asyncio
import base64
import sys
import traceback

import pytest

from paypro_async._core.wire import Phase
from paypro_async.errors import ConfigurationError
from paypro_async.transport.proxies import proxy_to
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
            exchange = await transport.send(request(PAYOUTS), timeout=0.6)
        assert (exchange.phase, exchange.pool_timeout) == (Phase.NOT_SENT, False)
        assert watch.seconds < 3
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
        cause = (await transport.send(request(PAYOUTS), timeout=5)).cause
        assert cause == (
            f"the proxy 127.0.0.1:{proxy.port} (proxy= or PAYPRO_PROXY) does not allow a connection to "
            "payouts.example:443 (HTTP 403)"
        )
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
    for scheme in ("socks5", "socks5h", "SOCKS5"):
        with pytest.raises(ConfigurationError, match=r"transport='httpx'.*httpx\[socks\]"):
            await new_transport(ssl_context=ours, proxy=f"{scheme}://127.0.0.1:1080").prepare(PAYOUTS)


@pytest.mark.parametrize("scheme", ["socks", "socks4", "socks4a"])
async def test_older_socks_says_what_is_needed(ours, new_transport, monkeypatch, scheme: str):
    """What no transport speaks is named, and where it is set."""
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:1080/")
    with pytest.raises(ConfigurationError, match=rf"\(ALL_PROXY\): {scheme}:// .*socks5://.*httpx\[socks\]"):
        await new_transport(ssl_context=ours).prepare(PAYOUTS)


@pytest.mark.parametrize("kind", ["httpx", "httpx2"])
async def test_missing_package_for_socks_is_named(kind: str, ours, new_transport, monkeypatch):
    """SOCKS 5 without its package: the text says how to install it."""
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ConfigurationError, match=rf"pip install '{kind}\[socks\]'"):
        await new_transport(ssl_context=ours, proxy="socks5://127.0.0.1:1080").prepare(PAYOUTS)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://user:hunter2/x@proxy.example:1",
        "http://user:hunter2#x@proxy.example:1",
        "http://user:1234/hunter2@proxy.example:1",
        "http://user:hunter2 @proxy.example:1",
        "http://user:hunter2@proxy.example:port",
        "user:hunter2/@proxy.example:1",
        "nonsense://user:hunter2@proxy.example:1",
        "socks4://user:hunter2@proxy.example:1",
    ],
)
async def test_proxy_that_cannot_be_read_keeps_its_password(ours, new_transport, proxy: str):
    """No error of it, nor any that it came from, holds the password, in its text or in a variable of ours."""
    transport = new_transport(ssl_context=ours, proxy=proxy)
    with pytest.raises(ConfigurationError) as raised:
        await transport.prepare(PAYOUTS)
    error = raised.value
    assert error.__context__ is None
    assert error.__cause__ is None
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    ours_alone = shown.partition("await transport.prepare(PAYOUTS)")[2].partition("paypro_async")[2]
    assert "hunter2" not in ours_alone
    assert "hunter2" not in repr(transport._settings)


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
    found = proxy_to(url)
    assert (found.url.reveal() if found else None) == proxy
    assert found is None or environment[found.setting] == proxy


@pytest.mark.parametrize(
    ("listed", "url", "direct"),
    [
        ("10.0.0.0/8", "https://10.9.8.7/", True),
        ("10.0.0.0/8", "https://11.9.8.7/", False),
        ("10.1.2.3/8", "https://10.9.8.7/", True),
        ("10.0.0.0/8:8443", "https://10.9.8.7/", False),
        ("10.0.0.0/8:8443", "https://10.9.8.7:8443/", True),
        ("fd00::/8", "https://[fd12::1]/", True),
        ("[fd00::]/8", "https://[fd12::1]/", True),
        ("fd00::/8", "https://10.9.8.7/", False),
        ("fd00::1", "https://[fd00:0::1]/", True),
        ("[fd00::1]:8443", "https://[fd00::1]:8443/", True),
        ("[fd00::1]:8443", "https://[fd00::1]/", False),
        ("203.0.113.7", "https://203.0.113.7/", True),
        ("203.0.113.7:443", "https://203.0.113.7/", True),
        ("0.0.0.0/0", "https://payouts.example/", False),
        ("payouts.example:443", "https://payouts.example/", True),
        ("payouts.example:443", "https://payouts.example:8443/", False),
        (".example", "https://payouts.example/", True),
        (".payouts.example", "https://payouts.example/", True),
        ("*.example", "https://payouts.example/", True),
        ("example", "https://payouts.example/", True),
        ("outs.example", "https://payouts.example/", False),
        ("PayOuts.Example", "https://payouts.EXAMPLE/", True),
        ("payouts.example.", "https://payouts.example/", True),
        ("others.test , payouts.example", "https://payouts.example/", True),
        ("others.test payouts.example", "https://payouts.example/", True),
        (",, ,", "https://payouts.example/", False),
        ("10.0.0.0/99", "https://10.9.8.7/", False),
        ("*", "https://[fd00::1]/", True),
    ],
)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_no_proxy_lists_what_is_reached_without(monkeypatch, listed: str, url: str, direct: bool, variable: str):
    """NO_PROXY takes names, addresses, networks and ports, between commas or blanks, in either case."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv(variable, listed)
    assert (proxy_to(url) is None) is direct


def test_lower_case_wins_and_an_empty_one_means_none(monkeypatch):
    """Where a variable is set in both cases the lower one counts, as for other programs."""
    monkeypatch.setenv("HTTPS_PROXY", "http://upper.example:1")
    monkeypatch.setenv("https_proxy", "http://lower.example:2")
    assert proxy_to(PAYOUTS).address == "lower.example:2"
    monkeypatch.setenv("https_proxy", "")
    assert proxy_to(PAYOUTS) is None


def test_header_of_a_web_server_names_no_proxy(monkeypatch):
    """A request's header "Proxy" arrives as HTTP_PROXY in a program that a web server calls."""
    monkeypatch.setenv("HTTP_PROXY", "http://evil.example:1")
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    assert proxy_to("http://payouts.example/") is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "[::1]", "localhost", "LOCALHOST"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_loopback_needs_no_proxy(monkeypatch, host: str, scheme: str):
    """A sandbox on this machine is never looked for behind the proxy of the environment."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    assert proxy_to(f"{scheme}://{host}:8443/v1") is None


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
