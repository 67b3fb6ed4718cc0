import asyncio
import json
import socket

import httpx
import pytest

from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.sandbox.merchant import PAYOUT, Merchant, connect, exchange, http_request, payout_members, signed

REQUEST = http_request(PAYOUT, payout_members())


async def test_a_connection_serves_many_requests(sandbox: Sandbox):
    """Keep-alive: one connection, one reply after the other."""
    reader, writer = await connect(sandbox)
    for n in range(5):
        writer.write(http_request(PAYOUT, payout_members(f"T{n}")))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        assert json.loads(await reader.readexactly(length))["code"] == "0000"
    writer.close()


async def test_a_connection_closes_when_the_client_says_so(sandbox: Sandbox):
    """`Connection: close` and HTTP/1.0 end it after one reply."""
    assert b'"0000"' in await exchange(sandbox, http_request(PAYOUT, payout_members(), headers="Connection: close\r\n"))
    assert b'"orders"' in await exchange(sandbox, b"GET /sandbox/books HTTP/1.0\r\n\r\n")


async def test_a_request_may_come_in_pieces(sandbox: Sandbox):
    """Packets are not requests."""
    reader, writer = await connect(sandbox)
    for start in range(0, len(REQUEST), 100):
        writer.write(REQUEST[start : start + 100])
        await asyncio.sleep(0.002)
    assert b"200" in await reader.readline()
    writer.close()


async def test_a_client_may_ask_before_it_sends(sandbox: Sandbox):
    """`Expect: 100-continue` is answered, so that curl does not wait."""
    head, _, body = http_request(PAYOUT, payout_members(), headers="Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    reader, writer = await connect(sandbox)
    writer.write(head + b"\r\n\r\n")
    assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(body)
    assert b" 200 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize(
    ("garbage", "status"),
    [
        (b"\x16\x03\x01 TLS to a plain port\r\n\r\n", 400),
        (b"POST /v1/paypro/payout HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000, 431),
    ],
)
async def test_malformed_http_is_refused(sandbox: Sandbox, garbage: bytes, status: int):
    """It gets a status and a close, and the next client is served."""
    assert f"HTTP/1.1 {status} ".encode() in await exchange(sandbox, garbage)
    assert b'"orders"' in await exchange(sandbox, b"GET /sandbox/books HTTP/1.0\r\n\r\n")


async def test_a_body_over_a_mebibyte_is_refused(sandbox: Sandbox, merchant: Merchant):
    """413, although the client sends all of it before it reads; just below the limit is fine."""
    body = json.dumps(signed(payout_members())).encode()
    assert (await merchant.http.post(PAYOUT, content=body.ljust(1024 * 1024))).json()["code"] == "0000"
    assert (await merchant.http.post(PAYOUT, content=body.ljust(1024 * 1024 + 1))).status_code == 413
    assert (await merchant.http.post(PAYOUT, content=body.ljust(8 * 1024 * 1024))).status_code == 413
    assert len(sandbox.books.requests) == 1


async def test_a_client_that_dies_while_it_sends_books_nothing(sandbox: Sandbox, merchant: Merchant):
    """Half a request is no request, whether the connection is closed or reset."""
    for linger in (False, True):
        client = socket.create_connection(("127.0.0.1", httpx.URL(sandbox.base_url).port or 0))
        client.sendall(REQUEST[:-10])
        await asyncio.sleep(0.01)
        if linger:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        client.close()
    assert (await merchant.query())["data"] is None


async def test_a_client_that_dies_before_the_reply_is_booked():
    """Its request had arrived: that its reply finds nobody changes nothing, and harms nobody."""
    async with Sandbox(faults=FaultPlan.every(Fault.DRIP, attempts=1), drip_interval=0.01) as sandbox:
        reader, writer = await connect(sandbox)
        writer.write(REQUEST)
        await reader.readexactly(20)
        writer.transport.abort()
        await asyncio.sleep(0.1)
        async with Merchant(sandbox) as merchant:
            assert (await merchant.payout())["code"] == "0100024"


async def test_a_slow_reader_gets_a_large_reply(sandbox: Sandbox, merchant: Merchant):
    """A reply beyond the socket's buffers is sent as fast as it is read."""
    for n in range(40):
        await merchant.payout(f"T{n}", remark="r" * 200_000)
    reader, writer = await connect(sandbox)
    writer.write(b"GET /sandbox/books HTTP/1.0\r\n\r\n")
    await asyncio.sleep(0.1)
    body = (await reader.read()).partition(b"\r\n\r\n")[2]
    assert len(json.loads(body)["orders"]) == 40
    writer.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", PAYOUT, 405), ("POST", "/v1/paypro/other", 404), ("GET", "/", 404), ("HEAD", "/sandbox/nothing", 404)],
)
async def test_other_paths_and_methods(merchant: Merchant, method: str, path: str, status: int):
    """An unknown path is 404, a known one with another method 405, and the connection goes on."""
    for _ in range(2):
        answer = await merchant.http.request(method, path)
        assert answer.status_code == status
        assert method == "HEAD" or "error" in answer.json()


async def test_out_of_file_descriptors_is_survived(sandbox: Sandbox):
    """A client that cannot be accepted waits, and is served when there is room again."""
    resource = pytest.importorskip("resource", reason="only POSIX limits file descriptors")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as client:
        client.settimeout(5)
        # The lowest number that is free now will be the next one given out.
        with socket.socket() as probe:
            lowest = probe.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            client.connect(("127.0.0.1", httpx.URL(sandbox.base_url).port))
            client.sendall(b"GET /sandbox/books HTTP/1.0\r\n\r\n")
            await asyncio.sleep(0.1)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        reply = await asyncio.to_thread(client.recv, 4096)
        assert b" 200 " in reply
