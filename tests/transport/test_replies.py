"""Which replies are read, and how."""

import gzip
import zlib

import pytest

from paypro_async._core.wire import Phase
from tests.support.servers import CONTINUE, OK, Peer, Server, answer, replies
from tests.support.transports import good, request, until

pytestmark = pytest.mark.each_loop

LIMIT = 10_000


def reply(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*chunks: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("parts", "body"),
    [
        ([OK], b"{}"),
        ([bytes([byte]) for byte in OK], b"{}"),
        ([CONTINUE, OK], b"{}"),
        ([CONTINUE + OK], b"{}"),
        ([b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK], b"{}"),
        ([b"HTTP/1.0 200 OK\r\n\r\n{}"], b"{}"),
        ([b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"], b"{}"),
        ([b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"{", b"}"], b"{}"),
        ([b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}"], b"{}"),
        ([chunked(b"{", b"}")], b"{}"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n"], b"{}"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], b""),
        ([reply(b"")], b""),
        ([reply(gzip.compress(b'{"code":"0000"}'), b"Content-Encoding: gzip")], b'{"code":"0000"}'),
        ([reply(zlib.compress(b"{}"), b"Content-Encoding: deflate")], b"{}"),
        ([reply(b"{}", b"Content-Encoding: identity")], b"{}"),
        ([reply(b"\xff\x00", b"Content-Type: text/html; charset=nonsense")], b"\xff\x00"),
    ],
    ids=[
        "plain",
        "byte-by-byte",
        "continue",
        "continue-in-one",
        "early-hints",
        "http-1.0",
        "http-1.0-length",
        "until-close",
        "no-reason",
        "chunked",
        "trailers",
        "no-content",
        "empty",
        "gzip",
        "deflate",
        "identity",
        "binary",
    ],
)
async def test_every_form_of_a_whole_reply_is_read(transport, parts: list[bytes], body: bytes):
    """Whatever way HTTP allows to write a reply, its body comes back, and the transport goes on."""
    async with Server(replies(*parts)) as server:
        exchange = await transport.send(request(server.url), timeout=5)
        assert (exchange.phase, exchange.cause, exchange.body) == (Phase.ANSWERED, None, body)
        assert len(server.requests) == 1
        server.script = answer
        await good(transport, server.url, 20)


@pytest.mark.parametrize("status", [b"301 Written", b"302 Found", b"303 See Other", b"307 Temporary", b"308 Permanent"])
async def test_redirect_is_not_followed(transport, status: bytes):
    """A redirect is an answer like another: the signed payout goes nowhere else."""
    async with Server(answer) as elsewhere:
        moved = reply(b"moved", b"Location: " + elsewhere.url.encode(), status=status)
        async with Server(replies(moved)) as server:
            exchange = await transport.send(request(server.url), timeout=5)
        assert (exchange.phase, exchange.status, exchange.body) == (Phase.ANSWERED, int(status[:3]), b"moved")
        assert (elsewhere.accepted, len(server.requests)) == (0, 1)


async def test_cookies_are_not_kept(transport):
    """What the platform sets as a cookie comes back with no request: each stands for itself."""

    async def baker(peer: Peer) -> None:
        while True:
            await peer.read_request()
            await peer.write(reply(b"{}", b"Set-Cookie: a=b"))

    async with Server(baker) as server:
        await good(transport, server.url, 20)
        assert not [one for one in server.requests if b"cookie" in one.lower()]


@pytest.mark.parametrize("status", [b"401 Who", b"407 Proxy", b"408 Late", b"421 Misdirected", b"425 Early", b"503 No"])
async def test_no_status_makes_it_send_again(transport, status: bytes):
    """Statuses that other clients answer with a second try are only reported."""
    async with Server(replies(reply(b"", b"Retry-After: 0", b"WWW-Authenticate: Basic", status=status))) as server:
        exchange = await transport.send(request(server.url), timeout=5)
        assert (exchange.phase, exchange.status) == (Phase.ANSWERED, int(status[:3]))
        assert (server.accepted, len(server.requests)) == (1, 1)


@pytest.mark.parametrize(
    "data",
    [
        reply(b"a" * (LIMIT + 1)),
        chunked(*[b"a" * 1000] * 11),
        b"HTTP/1.0 200 OK\r\n\r\n" + b"a" * (LIMIT + 1),
        reply(gzip.compress(b"a" * 1_000_000), b"Content-Encoding: gzip"),
    ],
    ids=["length", "chunked", "until-close", "gzip-bomb"],
)
async def test_too_long_a_reply_is_refused(new_transport, data: bytes):
    """A reply longer than the limit, packed or not, is not used, and its connection is closed."""
    transport = new_transport(max_connections=2, max_reply_bytes=LIMIT)

    async def too_much(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(data)
        if not data.startswith(b"HTTP/1.0"):
            await peer.hang()

    async with Server(too_much) as server:
        exchange = await transport.send(request(server.url), timeout=5)
        assert (exchange.phase, exchange.status, exchange.body) == (Phase.ANSWERED, 200, b"")
        assert exchange.cause == f"the reply is longer than {LIMIT} bytes"
        await until(lambda: server.open == 0)
        server.script = answer
        await good(transport, server.url, 20)
        await transport.aclose()


async def test_endless_reply_is_refused_early(new_transport):
    """Of a reply that says it is huge only a little is read."""
    transport = new_transport(max_connections=2, max_reply_bytes=LIMIT)
    written = 0

    async def endless(peer: Peer) -> None:
        nonlocal written
        await peer.read_request()
        await peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n")
        while True:
            await peer.write(b"a" * 4096)
            written += 4096

    async with Server(endless) as server:
        exchange = await transport.send(request(server.url), timeout=5)
        await until(lambda: server.open == 0)
    assert exchange.cause == f"the reply is longer than {LIMIT} bytes"
    assert written < 16 * 1024 * 1024  # what fits into the buffers of the kernel
    await transport.aclose()


async def test_longest_allowed_reply_is_read(new_transport):
    """The limit itself is allowed."""
    transport = new_transport(max_reply_bytes=LIMIT)
    async with Server(replies(reply(b"a" * LIMIT))) as server:
        exchange = await transport.send(request(server.url), timeout=5)
    assert (exchange.cause, len(exchange.body)) == (None, LIMIT)
    await transport.aclose()


@pytest.mark.parametrize(
    "data",
    [
        reply(b"this is not gzip", b"Content-Encoding: gzip"),
        reply(gzip.compress(b"{}" * 50)[:10] + b"\xff" * 30, b"Content-Encoding: gzip"),
        reply(b"\xff\xff\xff", b"Content-Encoding: deflate"),
        reply(gzip.compress(gzip.compress(b"{}")), b"Content-Encoding: gzip, gzip"),
        reply(gzip.compress(gzip.compress(b"{}")), b"Content-Encoding: gzip", b"Content-Encoding: gzip"),
    ],
    ids=["no-gzip", "broken-gzip", "no-deflate", "twice", "two-headers"],
)
async def test_broken_encoding_is_answered_and_unreadable(transport, data: bytes):
    """A reply whose encoding is broken says nothing but its status, and names the cause."""
    async with Server(replies(data)) as server:
        exchange = await transport.send(request(server.url), timeout=5)
        assert (exchange.phase, exchange.status, exchange.body) == (Phase.ANSWERED, 200, b"")
        assert exchange.cause == "the reply's content encoding could not be read"
        server.script = answer
        await good(transport, server.url, 20)


async def test_cut_gzip_is_never_taken_for_a_whole_reply(transport):
    """A gzip stream that stops half-way, in an HTTP body that is whole, is no readable reply."""
    packed = gzip.compress(b'{"code":"0000","msg":"' + bytes(range(32, 127)) * 5 + b'"}')[:-12]
    async with Server(replies(reply(packed, b"Content-Encoding: gzip"))) as server:
        exchange = await transport.send(request(server.url), timeout=5)
    assert exchange.phase is Phase.ANSWERED
    assert not exchange.body.endswith(b"}")
