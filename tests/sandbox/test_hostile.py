"""What anybody may send to the sandbox: nothing ends its service, and nothing fills the machine."""

import asyncio
import hashlib
import json
import logging
import random
import socket
from contextlib import suppress

import httpx
import pytest

from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from paypro_async.sandbox import books as books_module
from paypro_async.sandbox import journal as journal_module
from paypro_async.sandbox import platform as platform_module
from paypro_async.sandbox.http11 import Wire
from paypro_async.sandbox.journal import Journal, RequestRecord
from tests.sandbox.merchant import (
    NOW,
    PAYOUT,
    QUERY,
    Merchant,
    connect,
    exchange,
    http_request,
    payout_members,
    signed,
)
from tests.support.transports import until

BODIES = [
    b'{"a":1e99999999999999999999}',
    b'{"tradeNo":"T9","amount":-1e-99999999999999999999,"sign":"x"}',
    b'{"a":%s}' % (b"9" * 100_000),
    b'{"a":1.%s}' % (b"9" * 100_000),
    b'{"a":NaN,"b":Infinity}',
    b'{"a":"\\ud800","tradeNo":"\\udfff","sign":"\\ud83d"}',
    b"[" * 200_000,
    b'{"a":' * 200_000,
    b'{"tradeNo":{"a":[1,2]},"sign":[]}',
    b'{"tradeNo":"%s","sign":"x"}' % (b"T" * 900_000),
    b"{%s}" % b",".join(b'"k%d":1' % n for n in range(50_000)),
    b'{"a":"\xff\xfe"}',
    b"\xff\xfe{\x00}\x00",
    b"null",
    b"",
]


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nmerchantNo: 0000000001\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def serves(sandbox: Sandbox) -> None:
    question = json.dumps(signed({"tradeNo": "nobody", "timestamp": NOW})).encode()
    assert b'"code": "0000"' in await exchange(sandbox, post(QUERY, question))


@pytest.mark.parametrize("path", [PAYOUT, QUERY, "/sandbox/orders/T1"])
async def test_any_body_is_answered_and_the_service_goes_on(sandbox: Sandbox, path: str, caplog):
    """Whatever a JSON text may hold: a refusal, no failure of the sandbox's own, and the pages show it."""
    for body in BODIES:
        status = int((await exchange(sandbox, post(path, body))).split()[1])
        assert status in {200, 400}, body[:60]
        await serves(sandbox)
    for page in ("books", "requests"):
        assert b" 200 " in (await exchange(sandbox, f"GET /sandbox/{page} HTTP/1.0\r\n\r\n".encode()))[:20]
    assert caplog.records == []


async def test_a_signed_payout_may_hold_half_a_pair(sandbox: Sandbox, merchant: Merchant):
    """Half of a surrogate pair is a text in JSON; its order is booked and shown."""
    members = {**payout_members(), "bankNumber": "1\ud800", "name": "\udfff"}
    text = "".join(f"{key}={value}" for key, value in sorted(members.items())) + "sandbox-secret"
    members["sign"] = hashlib.md5(text.encode("utf-8", "replace")).hexdigest()
    assert (await merchant.http.post(PAYOUT, content=json.dumps(members))).json()["data"]["status"] == "0015"
    assert len((await merchant.http.get("/sandbox/books")).json()["orders"]) == 1


@pytest.mark.parametrize("seed", range(3))
async def test_random_bytes_end_nothing(sandbox: Sandbox, seed: int):
    """Requests that were damaged anywhere, and bytes that are none: some answer or a close, and the next is served."""
    dice = random.Random(seed)
    whole = http_request(PAYOUT, payout_members(), headers="Connection: close\r\n")
    for _ in range(40):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 20)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        data = data[: dice.randint(1, len(data))] if dice.random() < 0.3 else data
        reader, writer = await connect(sandbox)
        writer.write(dice.randbytes(200) if dice.random() < 0.2 else bytes(data))
        writer.write_eof()
        await asyncio.wait_for(reader.read(), timeout=5)
        writer.close()
    await serves(sandbox)


async def test_requests_may_stand_in_line(sandbox: Sandbox):
    """Pipelining: many requests in one write, and as many replies in their order."""
    many = b"".join(http_request(PAYOUT, payout_members(f"T{n}")) for n in range(20))
    reply = await exchange(sandbox, many + post(QUERY, b"{}"))
    assert reply.count(b"HTTP/1.1 200") == 21
    assert len(sandbox.books.bookings) == 20


async def test_one_client_does_not_have_the_service_for_itself(sandbox: Sandbox):
    """Requests in line that were all there before do not keep another client waiting until the last is answered."""
    keeping = post(QUERY, b"{}").replace(b"Connection: close\r\n", b"")
    _, greedy = await connect(sandbox)
    _, modest = await connect(sandbox)
    greedy.write(keeping * 100)
    modest.write(http_request(PAYOUT, payout_members()))
    await until(lambda: sandbox.books.request_count == 101, within=5)
    assert sandbox.books.requests[-1].trade_no is None
    assert [one.trade_no for one in sandbox.books.requests].index("T1") < 50
    greedy.close()
    modest.close()


async def test_bytes_without_an_end_do_not_stop_the_others():
    """Where more is there with each look, what else there is to do is done in between."""
    turns = []

    class Endless(socket.socket):
        def recv(self, size: int, flags: int = 0) -> bytes:
            turns.append("bytes")
            return b"a" * size

    async def another() -> None:
        for _ in range(5):
            turns.append("another")
            await asyncio.sleep(0)

    async def all_bytes(wire: Wire) -> None:
        for _ in range(5):
            await wire.receive()

    with Endless() as endless:
        await asyncio.gather(all_bytes(Wire(endless)), another())
    assert set(turns[:2]) == set(turns[-2:]) == {"bytes", "another"}


async def test_a_failure_of_its_own_is_a_500_and_stands_in_the_log(sandbox: Sandbox, monkeypatch, caplog):
    """The request is answered, the connection goes on, and so does the service."""

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    async with Merchant(sandbox) as merchant:
        with monkeypatch.context() as patched:
            patched.setattr(platform_module, "read_wishes", fails)
            answer = await merchant.post(PAYOUT, payout_members())
        assert (answer.status_code, answer.json().keys()) == (500, {"error"})
        assert (await merchant.payout())["code"] == "0000"
    assert [(one.levelno, "ZeroDivisionError" in (one.exc_text or "")) for one in caplog.records] == [
        (logging.ERROR, True)
    ]


FOREIGN_HOSTS = [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "10.0.0.5:80",
    "0.0.0.0",  # noqa: S104  as a name
    "[::2]",
    "127.1",
    "2130706433",
    "[::1%lo]",
    "\u00a0localhost",
    "localhost evil.example",
    "localhost,evil.example",
    "evil.example#localhost",
    "a@localhost",
    "",
]
OWN_HOSTS = [
    "localhost",
    "LocalHost:9000",
    "127.0.0.1",
    "127.3.2.1:1",
    "[::1]:8080",
    "app.localhost",
    "localhost.",
    "sandbox",
]


@pytest.mark.parametrize("path", [PAYOUT, "/sandbox/books", "/sandbox/requests", "/sandbox/orders/T1"])
async def test_only_programs_of_this_machine_are_heard(sandbox: Sandbox, path: str):
    """Not a page of another site, under a name that points here (DNS rebinding) or from its own origin."""
    method = "GET" if path in {"/sandbox/books", "/sandbox/requests"} else "POST"
    body = json.dumps(signed(payout_members()) if path == PAYOUT else {"delete": True}).encode()

    async def status(host: str, headers: str = "") -> int:
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nmerchantNo: 0000000001\r\nConnection: close\r\n{headers}"
        return int((await exchange(sandbox, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)).split()[1])

    assert {await status(host) for host in FOREIGN_HOSTS} <= {400, 403}
    for origin in (
        "https://evil.example",
        "null",
        "http://localhost:3000",
        "https://localhost:9000",
        "http://localhost",
    ):
        assert await status("localhost:9000", f"Origin: {origin}\r\n") == 403
    for site in ("cross-site", "same-site", "Cross-Site", "cross-site, same-origin"):
        assert await status("localhost:9000", f"Sec-Fetch-Site: {site}\r\n") == 403
    for header, foreign, own in (
        ("Origin", "http://evil.example", "http://localhost:9000"),
        ("Sec-Fetch-Site", "cross-site", "same-origin"),
    ):
        assert await status("localhost:9000", f"{header}: {foreign}\r\n{header}: {own}\r\n") == 403
    assert (sandbox.books.bookings, sandbox.books.request_count) == ([], 0)
    welcome = {await status(host) for host in OWN_HOSTS}
    welcome |= {await status("localhost:9000", "Origin: http://localhost:9000\r\nSec-Fetch-Site: same-origin\r\n")}
    assert welcome <= {200, 404}


@pytest.mark.parametrize(
    "target", ["http://evil.example", "http://[", "http://[::1", "http://[x]", "http://a@localhost", "http://", "x:80"]
)
async def test_another_host_in_the_first_line_counts_too(sandbox: Sandbox, target: str, caplog):
    """As a request to a proxy has it, and however it is misspelt."""
    request = f"POST {target}/v1/paypro/payout HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode()
    assert b" 403 " in await exchange(sandbox, request)
    assert caplog.records == []


@pytest.mark.parametrize("length", ["4", "300"])
async def test_a_request_of_two_lengths_is_none(sandbox: Sandbox, length: str):
    """What a proxy might cut otherwise than the sandbox, so that a second request hides in the first (smuggling)."""
    inner = http_request(PAYOUT, payout_members())
    request = post(PAYOUT, b"2\r\n{}\r\n0\r\n\r\n").replace(
        b"Content-Length: 12", f"Content-Length: {length}\r\nTransfer-Encoding: chunked".encode()
    )
    assert b" 400 " in (await exchange(sandbox, request + inner))[:20]
    assert sandbox.books.bookings == []


@pytest.mark.parametrize("said", [b"", b"POST / HTTP/1.1\r\n", http_request(PAYOUT, payout_members())[:-5]])
async def test_a_connection_that_says_nothing_or_too_little_is_closed(said: bytes):
    """However slowly the bytes come; one that speaks is kept."""
    async with Sandbox(idle_timeout=0.2) as sandbox:
        reader, writer = await connect(sandbox)
        began = asyncio.get_running_loop().time()
        with suppress(ConnectionError):  # what is written after the close is answered with a reset
            for byte in said:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)
                if reader.at_eof():
                    break
            assert await asyncio.wait_for(reader.read(), timeout=5) == b""
        assert asyncio.get_running_loop().time() - began > 0.15
        writer.close()
        await serves(sandbox)
        assert sandbox.books.bookings == []


async def test_a_client_that_does_not_listen_is_dropped():
    """Its reply is not kept for ever."""
    async with Sandbox() as sandbox:
        async with Merchant(sandbox) as merchant:
            for n in range(8):
                await merchant.payout(f"T{n}", remark="r" * 900_000)
        sandbox._patience = 0.2
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", httpx.URL(sandbox.base_url).port))
            client.sendall(b"GET /sandbox/books HTTP/1.0\r\n\r\n")
            await until(lambda: bool(sandbox._service._connections.open), within=5)
            await until(lambda: not sandbox._service._connections.open, within=5)
            client.settimeout(5)
            received = 0
            with suppress(ConnectionError):
                while data := client.recv(1 << 20):
                    received += len(data)
        assert received < 8 * 900_000


async def test_silence_has_an_end_too():
    """A client that never hangs up is hung up on."""
    async with Sandbox(idle_timeout=0.02, faults=FaultPlan.every(Fault.SILENCE)) as sandbox:
        assert await exchange(sandbox, http_request(PAYOUT, payout_members())) == b""
        assert len(sandbox.books.bookings) == 1


async def test_the_connection_that_waited_longest_makes_room():
    """More connections than are held at one time: those that say nothing go first, and those that speak are served."""
    async with Sandbox(max_connections=5) as sandbox:
        silent = [await connect(sandbox) for _ in range(20)]
        await serves(sandbox)
        await asyncio.sleep(0.05)
        closed = [reader.at_eof() for reader, _ in silent]
        assert closed[:15] == [True] * 15
        for _, writer in silent:
            writer.close()


async def test_silent_connections_do_not_take_all_file_descriptors(sandbox: Sandbox):
    """Where the system gives no more of them, those that say nothing make room too."""
    resource = pytest.importorskip("resource", reason="only POSIX limits file descriptors")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    silent = [await connect(sandbox) for _ in range(5)]
    with socket.socket() as client, socket.socket() as probe:
        lowest = probe.fileno()
        client.setblocking(False)
        probe.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            client.connect_ex(("127.0.0.1", httpx.URL(sandbox.base_url).port))
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, b"GET /sandbox/books HTTP/1.0\r\n\r\n")
            assert b" 200 " in await asyncio.wait_for(loop.sock_recv(client, 4096), timeout=5)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert silent[0][0].at_eof()
    assert not silent[-1][0].at_eof()
    for _, writer in silent:
        writer.close()


def record(number: int, **changes: object) -> RequestRecord:
    values = {
        "number": number,
        "at_ms": 0,
        "method": "POST",
        "path": "/",
        "trade_no": None,
        "members": None,
        "fault": "drip",
    }
    return RequestRecord(**(values | {"http_status": 200, "code": None, "booked": False} | changes))  # type: ignore[arg-type]


def test_the_journal_keeps_the_latest_and_counts_all():
    """In bounded memory, whatever a request holds."""
    journal = Journal(keep=100)
    for number in range(1, 1001):
        journal.add(record(number))
    assert 100 <= len(journal.records) <= 110
    assert [journal.records[-1].number, journal.count, journal.fault_counts["drip"]] == [1000, 1000, 1000]
    long = "x" * 1_000_000
    journal.add(
        record(1001, path=long, trade_no=long, members={long: long, **dict.fromkeys(map(str, range(10_000)), "")})
    )
    assert len(repr(journal.records[-1])) < 5_000


def test_the_journal_keeps_fewer_of_long_requests(monkeypatch):
    """So many texts of a length that no request has as a rule would fill the machine."""
    monkeypatch.setattr(journal_module, "_MOST_TEXT", 1_000_000)
    long = {f"{n}{'x' * 300}": "***" for n in range(100)}
    journal = Journal(keep=1000)
    for number in range(1, 201):
        journal.add(record(number, members=long))
    assert 500_000 < len(repr(journal.records)) < 1_200_000
    assert (journal.records[-1].number, journal.count) == (200, 200)
    for number in range(201, 1501):
        journal.add(record(number))
    assert 1000 <= len(journal.records) <= 1100


async def test_the_books_say_when_they_are_full(monkeypatch):
    """They forget no number, since it could be booked twice: they book no more, and say so."""
    monkeypatch.setattr(books_module, "MOST_BOOKINGS", 2)
    async with Sandbox() as sandbox, Merchant(sandbox) as merchant:
        codes = [(await merchant.payout(f"T{n}"))["code"] for n in range(3)]
        assert (codes, (await merchant.payout("T0"))["code"]) == (["0000", "0000", "9998"], "0100024")


async def test_numbers_that_were_only_asked_for_are_counted_for_a_while(monkeypatch):
    """How often a number was tried decides over its fault; of numbers that anybody may invent it forgets the oldest."""
    monkeypatch.setattr(platform_module, "_KEPT_ATTEMPTS", 10)
    async with Sandbox() as sandbox, Merchant(sandbox) as merchant:
        for n in range(30):
            await merchant.query(f"T{n}")
        assert len(sandbox._platform._attempts) == 10


async def test_a_port_that_was_taken_meanwhile_ends_the_service_in_words():
    """It is not silent: serving for ever raises, and so does the closing."""
    sandbox = Sandbox(faults=FaultPlan.every(Fault.REFUSE), refuse_seconds=0.2)
    await sandbox.__aenter__()
    serving = asyncio.create_task(sandbox.serve_forever())
    port = httpx.URL(sandbox.base_url).port
    with pytest.raises((OSError, asyncio.TimeoutError)):
        await exchange(sandbox, http_request(PAYOUT, payout_members()))
    await asyncio.sleep(0.05)
    async with Sandbox(port=port or 0):
        with pytest.raises(OSError, match=f"Port {port} is taken"):
            await asyncio.wait_for(serving, timeout=10)
        with pytest.raises(OSError, match=f"Port {port} is taken"):
            await sandbox.aclose()


async def test_the_port_is_kept_while_connections_are_refused():
    """No other program gets it meanwhile, be it as the port that a client goes out by."""
    async with Sandbox(faults=FaultPlan.every(Fault.REFUSE, attempts=1), refuse_seconds=30) as sandbox:
        port = httpx.URL(sandbox.base_url).port
        with pytest.raises(ConnectionResetError):
            await exchange(sandbox, http_request(PAYOUT, payout_members()))
        await asyncio.sleep(0.02)
        with pytest.raises(ConnectionRefusedError):
            await connect(sandbox)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
