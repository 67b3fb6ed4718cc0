"""Who is talked to over TLS, and as whom."""

import asyncio
import ssl

import pytest
import trustme

from paypro_async._core.wire import Phase
from paypro_async.errors import ConfigurationError
from tests.support.servers import Peer, Server, answer, over_tls
from tests.support.transports import Stopwatch, good, request, until

pytestmark = pytest.mark.each_loop


async def test_own_authority_is_accepted(new_transport, ours, theirs):
    """A context that knows the server's authority reaches it, and lanes keep their TLS connections."""
    transport = new_transport(max_connections=4, ssl_context=ours)
    async with Server(over_tls(theirs), scheme="https") as server:
        await good(transport, server.url, 40)
        assert server.accepted <= 4
        await transport.aclose()
        await until(lambda: server.open == 0)


async def test_unknown_authority_is_not_sent(new_transport, theirs):
    """By default a server whose authority nobody knows gets no byte of the request."""
    transport = new_transport()
    async with Server(over_tls(theirs), scheme="https") as server:
        exchange = await transport.send(request(server.url), timeout=5)
        assert exchange.phase is Phase.NOT_SENT
        await until(lambda: server.open == 0)
        assert server.received == b""
        await transport.aclose()


async def test_wrong_name_is_not_sent(new_transport, ours, authority: trustme.CA):
    """A certificate of the right authority for another host gets no byte of the request."""
    another = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(another)
    transport = new_transport(ssl_context=ours)
    async with Server(over_tls(another), scheme="https") as server:
        exchange = await transport.send(request(server.url), timeout=5)
        assert exchange.phase is Phase.NOT_SENT
        await until(lambda: server.open == 0)
        assert server.received == b""
        await transport.aclose()


async def test_client_certificate_is_presented(new_transport, ours, theirs, authority: trustme.CA):
    """With mTLS the server sees the client's certificate."""
    theirs.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(theirs)
    authority.issue_cert("merchant@paypro.invalid").configure_cert(ours)
    seen = []

    async def look(peer: Peer) -> None:
        await peer.start_tls(theirs)
        seen.append(peer.certificate())
        await answer(peer)

    transport = new_transport(ssl_context=ours)
    async with Server(look, scheme="https") as server:
        exchange = await transport.send(request(server.url), timeout=5)
        assert exchange.phase is Phase.ANSWERED
        assert seen[0]["subjectAltName"] == (("email", "merchant@paypro.invalid"),)
        await transport.aclose()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_missing_client_certificate_is_never_answered(
    new_transport, ours, theirs, authority: trustme.CA, version
):
    """A server that wants a certificate and gets none reads nothing; under TLS 1.3 we only learn it after sending."""
    theirs.verify_mode = ssl.CERT_REQUIRED
    theirs.minimum_version = theirs.maximum_version = version
    authority.configure_trust(theirs)
    transport = new_transport(ssl_context=ours)
    async with Server(over_tls(theirs), scheme="https") as server:
        exchange = await transport.send(request(server.url), timeout=5)
        expected = Phase.NOT_SENT if version is ssl.TLSVersion.TLSv1_2 else Phase.MAYBE_SENT
        assert exchange.phase is expected
        await until(lambda: server.open == 0)
        assert server.received == b""
        await transport.aclose()


async def garbage(peer: Peer) -> None:
    await peer.read()
    await peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def reset(peer: Peer) -> None:
    await peer.read()
    peer.reset()


async def close(peer: Peer) -> None:
    await peer.read()


@pytest.mark.parametrize("script", [garbage, reset, close])
async def test_broken_handshake_is_not_sent(new_transport, ours, theirs, script):
    """A server that does not speak TLS, or goes away in the handshake, gets no byte of the request."""
    transport = new_transport(max_connections=1, ssl_context=ours)
    async with Server(script, scheme="https") as server:
        exchange = await transport.send(request(server.url), timeout=5)
        assert exchange.phase is Phase.NOT_SENT
        await until(lambda: server.open == 0)
        assert b"tradeNo" not in server.received
        server.script = over_tls(theirs)
        await good(transport, server.url, 10)
        await transport.aclose()


async def test_handshake_that_hangs_keeps_the_deadline(new_transport, ours):
    """The handshake is inside the total deadline."""
    transport = new_transport(ssl_context=ours)
    async with Server(lambda peer: peer.hang(), scheme="https") as server:
        with Stopwatch() as watch:
            exchange = await transport.send(request(server.url), timeout=0.15)
        assert exchange.phase is Phase.NOT_SENT
        assert 0.14 < watch.seconds < 1
        await transport.aclose()


async def test_farewell_in_the_body_is_no_whole_reply(new_transport, ours, theirs):
    """A connection that ends under TLS in the middle of the body, with or without a farewell, is half a reply."""

    async def half(peer: Peer) -> None:
        await peer.start_tls(theirs)
        await peer.read_request()
        await peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}")
        await asyncio.sleep(0.02)

    transport = new_transport(ssl_context=ours)
    async with Server(half, scheme="https") as server:
        exchange = await transport.send(request(server.url), timeout=5)
        assert exchange.phase is Phase.MAYBE_SENT
        await transport.aclose()


async def test_authorities_are_read_once(new_transport, theirs, monkeypatch, tmp_path, authority: trustme.CA):
    """All lanes share one context, made when it is first needed; SSL_CERT_FILE names its authorities."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    made = []
    original = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda *a, **k: made.append(1) or original(*a, **k))
    transport = new_transport(max_connections=8)
    async with Server(over_tls(theirs), scheme="https") as server:
        await good(transport, server.url, 40)
        assert server.accepted > 1
        assert len(made) == 1
        await transport.aclose()


async def test_authorities_that_cannot_be_read_are_a_wrong_setting(new_transport, monkeypatch, tmp_path):
    """An SSL_CERT_FILE that is not there is said to be a wrong setting; nothing is sent."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))

    async def send(url: str) -> None:
        transport = new_transport()
        await transport.send(request(url), timeout=5)

    async with Server(answer, scheme="https") as server:
        with pytest.raises(ConfigurationError):
            await send(server.url)
        assert server.accepted == 0


async def test_authorities_that_cannot_be_read_are_refused_beforehand(new_transport, monkeypatch, tmp_path):
    """Making ready is enough to learn of it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        await new_transport().prepare("https://payouts.example/")


async def test_plain_http_first_does_not_spoil_tls_later(
    new_transport, ours, theirs, monkeypatch, tmp_path, authority: trustme.CA
):
    """A transport that was first used for plain http verifies a server of https as any other does."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    transport = new_transport(max_connections=4)
    async with Server(answer) as plain, Server(over_tls(theirs), scheme="https") as secure:
        await good(transport, plain.url, 10)
        await good(transport, secure.url, 10)
        await transport.aclose()
