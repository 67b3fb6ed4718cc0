"""Each framework's receiver of callbacks, with the real framework over a real socket."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator

import pytest

from paypro_async import CallbackReply
from tests.support.web import FRAMEWORKS, OK, ScriptedClient, Served, exchange, path_of, receiver, request

MAX = 64 * 1024


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


@pytest.fixture
async def served(framework: str, client: ScriptedClient) -> AsyncIterator[Served]:
    async with receiver(framework, client, body_seconds=5.0) as running:
        yield running


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


async def test_a_callback_is_handed_over_byte_for_byte_and_answered_as_the_client_says(framework, served, client):
    body = b'{"tradeNo": "1",  "sign": "\xff"}'
    status, headers, answer = await exchange(served.port, request(path_of(framework), body))

    assert client.bodies == [body]
    assert (status, answer) == (200, b"OK")
    assert headers["content-type"].startswith("text/plain")
    assert "paypro" not in str(headers).lower()


async def test_what_the_client_refuses_is_answered_with_its_status_and_words(framework):
    async def refuse(_: bytes) -> CallbackReply:
        return CallbackReply(status=400, body=b"Bad Request", content_type="text/plain")

    async with receiver(framework, ScriptedClient(refuse)) as served:
        status, _, answer = await exchange(served.port, request(path_of(framework)))
    assert (status, answer) == (400, b"Bad Request")


async def test_another_method_than_post_is_refused(framework, served, client):
    for method in ("GET", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH", "TRACE"):
        data = request(path_of(framework), b"", method=method, length=False)
        status, headers, _ = await exchange(served.port, data)
        assert (method, status, headers["allow"]) == (method, 405, "POST")
    assert client.bodies == []


READ = [
    "",
    "application/json",
    "Application/JSON ; charset=utf-8",
    "application/vnd.api+json",
    "text/plain",
    "application/octet-stream",
]


async def test_types_that_a_callback_may_be_called_are_read(framework, served, client):
    for kind in READ:
        headers = [f"Content-Type: {kind}"] if kind else []
        status, _, _ = await exchange(served.port, request(path_of(framework), b"{}", *headers))
        assert (kind, status) == (kind, 200)
    assert client.bodies == [b"{}"] * len(READ)


REFUSED = [
    "Content-Type: multipart/form-data; boundary=x",
    "Content-Type: image/png",
    "Content-Type: text/html",
    "Content-Type: application/xml",
    "Content-Type: nonsense",
    "Content-Encoding: gzip",
]


async def test_types_that_no_callback_has_are_refused_before_a_byte_of_the_body_came(framework, served, client):
    for header in REFUSED:
        head = request(path_of(framework), gzip.compress(b"{}"), header).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        status, headers, _ = await exchange(served.port, head)
        assert (header, status, headers["connection"]) == (header, 415, "close")
    assert client.bodies == []


async def test_a_body_as_long_as_allowed_is_read_and_one_byte_more_is_not(framework, served, client):
    status, _, _ = await exchange(served.port, request(path_of(framework), b"x" * MAX))
    assert status == 200
    assert client.bodies == [b"x" * MAX]
    status, _, _ = await exchange(served.port, request(path_of(framework), b"x" * (MAX + 1)))
    assert (status, len(client.bodies)) == (413, 1)


async def test_a_length_above_the_limit_is_refused_before_a_byte_of_the_body_came(framework, served, client):
    head = request(path_of(framework), b"", "Content-Length: 1000000000000", length=False)
    status, _, _ = await exchange(served.port, head)
    assert (status, client.bodies) == (413, [])


async def test_a_length_that_is_no_length_is_refused(framework, served, client, caplog):
    """Also one with more digits than Python reads as a number, and one that would be a small number."""
    for length in ("0" * 5000 + "2", "9" * 5000, "+2", "-2", "0x2", "2.0", "²", "٢", "1_0"):
        data = request(path_of(framework), b"{}", f"Content-Length: {length}", length=False)
        try:
            status, _, _ = await exchange(served.port, data)
        except EOFError:
            continue  # a server may refuse it without a word
        assert (length[:5], 400 <= status < 500) == (length[:5], True)
    assert client.bodies == []
    assert [one for one in complaints(caplog) if "callback" in one] == []


async def test_the_rest_of_a_body_that_is_too_large_is_not_read(framework, served, client):
    """What is on its way when it is refused may be, so that the sender gets to read its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(request(path_of(framework), b"", "Content-Length: 1000000000", length=False) + b"x" * MAX)
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 5)

    async def go_on() -> None:
        while True:
            writer.write(b"x" * MAX)
            await writer.drain()

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(go_on(), 5)
    writer.close()


async def test_a_body_whose_length_is_not_told_is_read_no_further_than_allowed(framework, served, client):
    piece = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    head = request(path_of(framework), b"", "Transfer-Encoding: chunked", length=False)

    status, _, _ = await exchange(served.port, head + 4 * piece + b"0\r\n\r\n")
    assert status == 200
    assert client.bodies == [b"x" * MAX]

    status, _, _ = await exchange(served.port, head + 5 * piece)  # and it does not end
    assert (status, len(client.bodies)) == (413, 1)


async def test_a_body_that_does_not_come_is_waited_for_for_a_time(framework, client):
    async with receiver(framework, client, body_seconds=0.1) as served:
        whole = request(path_of(framework), b"{}   ")
        status, headers, answer = await exchange(served.port, whole[:-3])
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(whole[:-3])
        assert await asyncio.wait_for(reader.read(), 2)  # to the end: the server has closed
        writer.close()
    assert (status, answer) == (408, b"Request Timeout")
    assert headers["connection"] == "close"
    assert client.bodies == []


async def test_a_body_that_comes_byte_by_byte_has_no_more_time_for_it(framework, client):
    """The time is that of the whole body, and not of each byte."""
    async with receiver(framework, client, body_seconds=0.1) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(request(path_of(framework), b"x" * 1000)[:-1000])

        async def drip() -> None:
            while True:
                writer.write(b"x")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        answer = await asyncio.wait_for(reader.readline(), 5)
        dripping.cancel()
        writer.close()
    assert b" 408 " in answer
    assert client.bodies == []


async def test_a_sender_that_goes_in_the_middle_of_its_body_is_no_error(framework, client, caplog):
    arrived = asyncio.Event()
    async with receiver(framework, client, body_seconds=5.0) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        # The server says "100 Continue" when the body is wanted.
        writer.write(request(path_of(framework), b"x" * 100, "Expect: 100-continue")[:-100])
        assert b" 100 " in await asyncio.wait_for(reader.readline(), 5)
        writer.write(b"x" * 50)
        writer.transport.abort()
        client.then = lambda _: _set(arrived)
        await exchange(served.port, request(path_of(framework)))
        assert arrived.is_set()
    assert client.bodies == [b"{}"]
    assert complaints(caplog) == []


async def _set(event: asyncio.Event) -> CallbackReply:
    event.set()
    return OK


async def test_a_sender_that_goes_before_its_answer_is_no_error_and_its_callback_is_kept(framework, caplog):
    arrived, go_on, kept = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slowly(_: bytes) -> CallbackReply:
        arrived.set()
        await go_on.wait()
        kept.set()
        return OK

    async with receiver(framework, ScriptedClient(slowly)) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(request(path_of(framework)))
        await arrived.wait()
        writer.transport.abort()
        # A whole exchange on another connection, after which the server knows of the first one's end.
        await exchange(served.port, request(path_of(framework), b"", method="GET", length=False))
        go_on.set()
        await asyncio.wait_for(kept.wait(), 5)
    assert complaints(caplog) == []


async def test_whatever_goes_wrong_is_a_503_without_a_word_of_why_and_stands_in_the_log(framework, caplog):
    async def fail(_: bytes) -> CallbackReply:
        raise RuntimeError("the disk of Asha Rao is full")

    async with receiver(framework, ScriptedClient(fail)) as served:
        status, headers, answer = await exchange(served.port, request(path_of(framework)))
    assert (status, answer) == (503, b"Service Unavailable")
    assert "Asha" not in str(headers)
    assert complaints(caplog) == [
        "A callback could not be received, and was answered with 503, so that it comes again."
    ]


async def test_a_client_that_is_closed_meanwhile_is_a_503_and_says_so_in_the_log(framework, client, caplog):
    async def receive(_: bytes) -> CallbackReply:
        client._lifetime.session()  # as every call of a client does first
        return OK

    client.then = receive
    async with receiver(framework, client) as served:
        await client.aclose()
        status, _, answer = await exchange(served.port, request(path_of(framework)))
    assert (status, answer) == (503, b"Service Unavailable")
    assert "The client is closed" in complaints(caplog)[0]


async def test_a_stop_in_the_middle_of_a_callback_never_answers_ok(framework, caplog):
    """Nor does it hang: what was not answered comes again."""
    arrived, never = asyncio.Event(), asyncio.Event()

    async def hang(_: bytes) -> CallbackReply:
        arrived.set()
        await never.wait()
        raise AssertionError

    async with receiver(framework, ScriptedClient(hang), grace=0) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(request(path_of(framework)))
        await arrived.wait()
        await asyncio.wait_for(served.stop(), 10)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert b" 200 " not in answer
    assert b"OK" not in answer
    if framework in ("asgi", "starlette", "fastapi", "mounted"):
        assert b" 503 " in answer


async def test_a_callback_that_is_being_stored_when_the_server_stops_is_answered(framework):
    """A stop in good time waits for it, and closes the client after it."""
    arrived, go_on = asyncio.Event(), asyncio.Event()
    client = ScriptedClient()

    async def slowly(_: bytes) -> CallbackReply:
        arrived.set()
        await go_on.wait()
        client._lifetime.session()
        return OK

    client.then = slowly
    async with receiver(framework, client) as served:
        asked = asyncio.create_task(exchange(served.port, request(path_of(framework))))
        await arrived.wait()
        stopping = asyncio.create_task(served.stop())
        await asyncio.sleep(0)
        go_on.set()
        status, _, answer = await asked
        await stopping
    assert (status, answer) == (200, b"OK")


async def test_a_body_that_is_no_http_is_not_handed_over(framework, client, caplog):
    async with receiver(framework, client, body_seconds=0.1) as served:
        head = request(path_of(framework), b"", "Transfer-Encoding: chunked", length=False)
        for body in (b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n{}", b"5\r\n{}"):
            status, _, _ = await exchange(served.port, head + body)
            assert 400 <= status < 500
    assert client.bodies == []
    assert [one for one in caplog.records if one.name == "paypro_async" and one.levelno >= logging.WARNING] == []


async def test_what_was_refused_stands_in_the_log_without_the_body(framework, served, caplog):
    with caplog.at_level(logging.INFO, logger="paypro_async"):
        await exchange(served.port, request(path_of(framework), b"Asha Rao", "Content-Type: image/png"))
    told = [one.getMessage() for one in caplog.records if one.name == "paypro_async"]
    assert "415 (Unsupported Media Type): content type 'image/png', 8 bytes" in told[-1]
    assert "Asha" not in str(told)
