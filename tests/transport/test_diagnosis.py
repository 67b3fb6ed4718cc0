"""Why no connection could be made: words for each kind, alike on every transport, with what mends it."""

import errno
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from paypro_async._core.wire import Exchange, Phase
from paypro_async.transport.causes import HTTPX_CAUSES
from paypro_async.transport.diagnosis import Step, diagnosed
from paypro_async.transport.route import Route
from tests.support.servers import OPENED, Peer, Server, answer, no_room, over_tls, unused_url
from tests.support.transports import request

PAYOUTS = "https://payouts.example/v1/paypro/payout"
PASSWORD = "hunter2"


@pytest.fixture(autouse=True)
def usual_authorities(monkeypatch):
    """No variable of this machine names authorities or a proxy."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def unsent(exchange: Exchange, *, lasting: bool) -> str:
    """The words of an exchange that was not sent, with an error that has no secret in it."""
    fault = exchange.fault
    assert (exchange.phase, fault.lasting, exchange.cause) == (Phase.NOT_SENT, lasting, fault.cause)
    error: BaseException | None = fault.error
    assert error is not None
    while error is not None:
        assert error.__traceback__ is None  # its frames hold the request
        held = f"{error!s} {error!r} {vars(error)}"
        assert PASSWORD not in held
        assert "tradeNo" not in held
        assert error.__context__ is None
        error = error.__cause__
    return str(fault)


async def sent(transport, url: str, *, lasting: bool, timeout: float = 5) -> str:
    try:
        return unsent(await transport.send(request(url), timeout=timeout), lasting=lasting)
    finally:
        await transport.aclose()


async def test_refused(new_transport):
    """Where nobody listens: which host and port."""
    url = unused_url()
    port = url.split("/")[2]
    words = await sent(new_transport(), url, lasting=False)
    assert words == (
        f"{port} refused the connection: nothing listens there. Check host and port of base_url; if they are right, "
        "the platform is down or a firewall refuses."
    )


async def test_unknown_host(new_transport, ours):
    """A name that DNS does not know; or a machine without DNS, which is another matter."""
    # A resolver may ask a second server after five seconds.
    words = await sent(new_transport(ssl_context=ours), "https://no-such-host.invalid/x", lasting=False, timeout=30)
    assert "the name of no-such-host.invalid " in words
    assert "DNS" in words


async def test_dead_proxy(new_transport, ours, monkeypatch):
    """The proxy is named and where it is set, and its password is not."""
    proxy = unused_url().removeprefix("http://").partition("/")[0]
    monkeypatch.setenv("https_proxy", f"http://user:{PASSWORD}@{proxy}")
    words = await sent(new_transport(ssl_context=ours), PAYOUTS, lasting=False)
    assert words == (
        f"the proxy {proxy} (https_proxy) refused the connection: nothing listens there. Start the proxy, or mend the "
        "proxy's URL (https_proxy)."
    )


@pytest.mark.parametrize(
    ("status", "user", "words", "lasting"),
    [
        (407, "", "wants a user and a password (HTTP 407)", True),
        (407, f"user:{PASSWORD}@", "does not take the user and the password of its URL (HTTP 407)", True),
        (403, "", "does not allow a connection to payouts.example:443 (HTTP 403)", True),
        (502, "", "could make no connection to payouts.example:443 (HTTP 502)", False),
    ],
)
async def test_proxy_that_refuses(new_transport, ours, status: int, user: str, words: str, lasting: bool):
    """What a proxy answers in place of a tunnel; what it writes beside the number is quoted nowhere."""

    async def refuse(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(b"HTTP/1.1 %d No hunter2 here\r\nContent-Length: 7\r\n\r\nhunter2" % status)
        await peer.hang()

    async with Server(refuse) as proxy:
        transport = new_transport(ssl_context=ours, proxy=f"http://{user}127.0.0.1:{proxy.port}")
        assert words in await sent(transport, PAYOUTS, lasting=lasting)


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9\r\n", b"\x16\x03\x01 hunter2\r\n\r\n", b"HTTP/1.1 100 Go\r\n\r\n"]
)
async def test_what_is_no_proxy(new_transport, ours, answer: bytes):
    """What speaks no HTTP, or closes, leads nowhere; the same is said of it on every transport."""

    async def other(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(answer)

    async with Server(other) as proxy:
        transport = new_transport(ssl_context=ours, proxy=f"http://127.0.0.1:{proxy.port}")
        words = await sent(transport, PAYOUTS, lasting=False)
        assert words.startswith(f"the proxy 127.0.0.1:{proxy.port} (proxy= or PAYPRO_PROXY) led nowhere")


@pytest.mark.parametrize(
    ("status", "mend"), [(404, "a web server answers so"), (405, "A web server that is no proxy"), (504, "own network")]
)
async def test_web_server_in_a_proxys_place(new_transport, ours, status: int, mend: str):
    """What knows no CONNECT is told from a proxy that cannot reach the platform."""

    async def refuse(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)

    async with Server(refuse) as proxy:
        transport = new_transport(ssl_context=ours, proxy=f"http://127.0.0.1:{proxy.port}")
        exchange = await transport.send(request(PAYOUTS), timeout=5)
    assert exchange.fault is not None
    assert mend in str(exchange.fault)
    assert "NO_PROXY" not in str(exchange.fault)  # It does not count where a proxy is given.


@pytest.mark.parametrize("answer", [b"", b"-ERR unknown command\r\n", b"\x15\x03\x01\x00\x02\x02\x46"])
async def test_another_service_at_base_url(new_transport, answer: bytes):
    """What closes, or speaks otherwise, may be a port of TLS: so the error says, and not the doctor alone."""

    async def other(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(answer)

    async with Server(other) as server:
        exchange = await new_transport().send(request(server.url), timeout=5)
    assert exchange.phase is Phase.MAYBE_SENT
    assert exchange.fault is not None
    assert "begins with https://" in (exchange.fault.mend or "")


async def test_platform_that_closes_behind_the_tunnel(new_transport, ours):
    """The tunnel stands and TLS does not: it is the platform's end that closed."""

    async def open_and_close(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(OPENED)

    async with Server(open_and_close) as proxy:
        transport = new_transport(ssl_context=ours, proxy=f"http://127.0.0.1:{proxy.port}")
        words = await sent(transport, PAYOUTS, lasting=False)
        assert words.startswith("payouts.example:443 closed the connection while TLS was being set up")


@pytest.mark.parametrize(
    ("variables", "authorities", "mend"),
    [
        ({}, "certifi's list", "SSL_CERT_FILE"),
        ({"SSL_CERT_FILE": "other.pem"}, "SSL_CERT_FILE=", "SSL_CERT_FILE"),
    ],
)
async def test_untrusted_authority(new_transport, theirs, monkeypatch, tmp_path, variables, authorities, mend):
    """Which list of authorities does not know the certificate's, and how to add it."""
    for name, file in variables.items():
        trustme.CA().cert_pem.write_to_path(str(tmp_path / file))
        monkeypatch.setenv(name, str(tmp_path / file))
    async with Server(over_tls(theirs), scheme="https") as server:
        words = await sent(new_transport(), server.url, lasting=True)
        assert words.startswith(f"the TLS certificate of 127.0.0.1:{server.port} is not trusted: by {authorities}")
        assert mend in words.partition(". ")[2]


async def test_untrusted_by_the_given_context(new_transport, theirs):
    """A context that the user gave is what has to be mended."""
    context = ssl.create_default_context()
    async with Server(over_tls(theirs), scheme="https") as server:
        words = await sent(new_transport(ssl_context=context), server.url, lasting=True)
        assert "not trusted: by the ssl_context that was given" in words
        assert "SSL_CERT_FILE" not in words


async def test_wrong_name(new_transport, ours, authority: trustme.CA):
    """A certificate of the right authority for another host."""
    another = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(another)
    async with Server(over_tls(another), scheme="https") as server:
        words = await sent(new_transport(ssl_context=ours), server.url, lasting=True)
        assert "is for another host name" in words


@pytest.mark.parametrize(("days", "words"), [(-1, "has expired"), (None, "is not valid yet")])
async def test_certificate_out_of_its_time(new_transport, ours, authority: trustme.CA, days, words):
    """What the platform alone can mend is said to be that."""
    now = datetime.now(UTC)
    times = {"not_after": now + timedelta(days=days)} if days else {"not_before": now + timedelta(days=1)}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", **times).configure_cert(context)
    async with Server(over_tls(context), scheme="https") as server:
        said = await sent(new_transport(ssl_context=ours), server.url, lasting=True)
        assert words in said
        assert "only who runs that server can renew it" in said


async def test_proxy_over_tls_that_is_not_trusted(new_transport, authority: trustme.CA, ours):
    """The certificate in question is the proxy's, and not the platform's."""
    another = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(another)
    async with Server(over_tls(another), scheme="https") as proxy:
        transport = new_transport(ssl_context=ours, proxy=f"https://user:{PASSWORD}@127.0.0.1:{proxy.port}")
        words = await sent(transport, PAYOUTS, lasting=True)
        assert words.startswith(f"the TLS certificate of the proxy 127.0.0.1:{proxy.port} (proxy= or PAYPRO_PROXY) is")
        assert "payouts.example" not in words


async def test_proxy_over_tls_is_trusted_by_the_same_authorities(new_transport, ours, theirs):
    """The context that is given counts for a proxy that speaks TLS as well."""

    async def refuse(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
        await peer.hang()

    async with Server(over_tls(theirs, refuse), scheme="https") as proxy:
        transport = new_transport(ssl_context=ours, proxy=f"https://127.0.0.1:{proxy.port}")
        assert "wants a user and a password" in await sent(transport, PAYOUTS, lasting=True)


async def test_platform_behind_the_tunnel_that_is_not_trusted(new_transport, theirs, certificate):
    """Behind a proxy the certificate is the platform's."""

    async def open_and_speak(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(OPENED)
        await peer.start_tls(theirs)
        await answer(peer)

    async with Server(open_and_speak) as proxy:
        transport = new_transport(proxy=f"http://127.0.0.1:{proxy.port}")
        words = await sent(transport, PAYOUTS, lasting=True)
        assert words.startswith("the TLS certificate of payouts.example:443 is not trusted")


async def test_tls_to_a_port_that_speaks_none(new_transport, ours):
    """A URL with https for a server that speaks plain http."""

    async def plain(peer: Peer) -> None:
        await peer.read()
        await peer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await peer.hang()

    async with Server(plain, scheme="https") as server:
        words = await sent(new_transport(ssl_context=ours), server.url, lasting=True)
        assert words.startswith(f"no TLS is spoken at 127.0.0.1:{server.port} (")
        assert "http://" in words


async def test_plain_http_to_a_port_that_speaks_tls(new_transport, theirs):
    """The other way round bytes have left; the words say what is wrong all the same."""

    async def alert(peer: Peer) -> None:
        await peer.read()
        await peer.write(b"\x15\x03\x01\x00\x02\x02\x16")
        await peer.hang()

    async with Server(alert) as server:
        transport = new_transport()
        exchange = await transport.send(request(server.url), timeout=1)
        await transport.aclose()
        assert exchange.phase is Phase.MAYBE_SENT
        assert exchange.cause.startswith("TLS is spoken there")
        assert "https://" in exchange.cause


@contextmanager
def old_tls(certificate: trustme.LeafCert) -> Iterator[int]:
    """The port of a server that shakes one hand and knows TLS 1.2 alone; a thread, since asyncio's drops its alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def shake() -> None:
            peer, _ = listener.accept()
            with peer, pytest.raises(ssl.SSLError):
                context.wrap_socket(peer, server_side=True)

        thread = threading.Thread(target=shake)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


async def test_tls_of_another_version(new_transport, ours, certificate: trustme.LeafCert):
    """A server that speaks no version of TLS that this process does."""
    ours.minimum_version = ssl.TLSVersion.TLSv1_3
    with old_tls(certificate) as port:
        words = await sent(new_transport(ssl_context=ours), f"https://127.0.0.1:{port}/x", lasting=True)
        assert words.startswith(f"127.0.0.1:{port} and this process have no version of TLS")


async def test_connection_that_is_reset_while_it_is_made(new_transport, ours):
    """A handshake that the other end cuts may succeed the next time."""

    async def reset(peer: Peer) -> None:
        await peer.read()
        peer.reset()

    async with Server(reset, scheme="https") as server:
        words = await sent(new_transport(ssl_context=ours), server.url, lasting=False)
        assert words.startswith(f"127.0.0.1:{server.port} closed the connection while TLS was being set up")


async def test_connection_that_hangs(new_transport):
    """Packets that nobody answers: where they went to, and that nothing was sent."""
    async with no_room() as url:
        transport = new_transport()
        exchange = await transport.send(request(url), timeout=0.1)
        await transport.aclose()
        assert exchange.phase is Phase.NOT_SENT
        assert exchange.cause == f"no connection to {url.split('/')[2]} stood within 0.1 s"
        assert "firewall" in exchange.fault.mend


NUMBERS = {
    errno.EHOSTUNREACH: "no way through the network",
    errno.ENETUNREACH: "no way through the network",
    errno.ETIMEDOUT: "did not answer",
    errno.EMFILE: "may open no more files",
    errno.ENFILE: "may open no more files",
    errno.EADDRNOTAVAIL: "no free port",
    errno.EACCES: "does not allow a connection",
    errno.EPERM: "does not allow a connection",
    errno.ECONNRESET: "closed the connection while it was being made",
}


@pytest.mark.parametrize("number", NUMBERS)
def test_faults_of_the_system_have_words(number: int):
    """Each number that a system gives for a connection that could not be made, whatever library wraps it."""
    route = Route(platform="payouts.example:443", secure=False)
    wrapped = RuntimeError()
    wrapped.__context__ = OSError(number, f"Connect call failed ('203.0.113.7', {number})")
    fault = diagnosed(wrapped, HTTPX_CAUSES, route, Step(begun=False))
    assert NUMBERS[number] in fault.cause
    assert fault.error.__cause__.errno == number
    assert not fault.lasting


def test_host_with_addresses_of_version_6_alone():
    """A machine without IPv6 is told that this is what is missing."""
    route = Route(platform="payouts.example:443", secure=True)
    tried = ExceptionGroup(
        "", [OSError(errno.ENETUNREACH, f"Connect call failed ('fd00::{n}', 443, 0, 0)") for n in "12"]
    )
    fault = diagnosed(tried, HTTPX_CAUSES, route, Step(begun=False))
    assert "IPv6 alone" in fault.cause


@pytest.mark.parametrize(
    ("number", "words"), [(socket.EAI_NONAME, "is not known to DNS"), (socket.EAI_AGAIN, "DNS gave no answer")]
)
def test_dns(number: int, words: str):
    """A name that does not exist is not the same as name servers that do not answer."""
    route = Route(platform="payouts.example:443", secure=True)
    assert words in diagnosed(socket.gaierror(number, "-"), HTTPX_CAUSES, route, Step(begun=False)).cause


def test_no_word_of_the_reply_is_kept():
    """A library quotes what it could not read, which may be anything, a name or a header."""
    error = ValueError("illegal status line: bytearray(b'Asha Rao')")
    fault = diagnosed(error, HTTPX_CAUSES, Route(platform="h:1", secure=False), Step(begun=True))
    assert "Asha" not in f"{fault} {fault.error!r}"


SOCKS_REFUSES = {
    "no way to say who asks": [b"\x05\xff"],
    "no connection there": [b"\x05\x00", b"\x05\x05\x00\x01" + bytes(6)],
    "another language": [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
    "nothing": [b""],
}


@pytest.mark.parametrize("kind", ["httpx", "httpx2"])
@pytest.mark.parametrize("answers", SOCKS_REFUSES.values(), ids=SOCKS_REFUSES)
async def test_socks_proxy_that_refuses(kind: str, new_transport, ours, answers: list[bytes]):
    """The proxy and the platform are named, and nothing but an exchange comes back, whatever the proxy says."""
    pytest.importorskip("socksio", reason="SOCKS is optional")

    async def socks(peer: Peer) -> None:
        for one in answers:
            await peer.read()
            await peer.write(one)

    async with Server(socks) as proxy:
        at = f"127.0.0.1:{proxy.port}"
        transport = new_transport(ssl_context=ours, proxy=f"socks5://{at}")
        words = await sent(transport, PAYOUTS, lasting=False)
    assert words.startswith(f"the proxy {at} (proxy= or PAYPRO_PROXY) ")
    assert "payouts.example:443" in words
