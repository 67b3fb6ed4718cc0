"""``paypro listen``: a process that receives callbacks on loopback, shows them masked, and passes them on."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from paypro_async.sandbox import Sandbox
from tests.sandbox.merchant import Merchant, signed
from tests.sandbox.receiver import Receiver, answer
from tests.support.fork_server import Child
from tests.support.terminal import SECRET, Terminal

CALLBACK = {
    "status": "0000",
    "message": "SUCCESS to Asha Rao",
    "platFormTradeNo": "P-1",
    "tradeNo": "T1",
    "amount": "300",
    "successTime": "2026-11-27 18:34:31",
    "timestamp": "1724740395968",
    "remark": "for 10094038292",
}


async def shown(child: Child, count: int) -> list[str]:
    """The first lines that it has printed, once there are so many."""
    async with asyncio.timeout(10):
        while len(lines := child.output.splitlines()) < count:
            assert child.poll() is None, child.errors
            await asyncio.sleep(0.005)
    return lines


@asynccontextmanager
async def listening(terminal: Terminal, *options: str, **env: str | None) -> AsyncIterator[tuple[Child, str]]:
    """The process, and the URL that it says."""
    child = terminal.begin("listen", "--port", "0", *options, env=env)
    try:
        as_json = "--json" in options
        line = (await shown(child, 1 if as_json else 2))[-1]
        yield child, json.loads(line)["listening"] if as_json else line.removeprefix("export PAYPRO_NOTIFY_URL=")
    finally:
        child.signal(signal.SIGINT)
        await child.ended()


def body_of(secret: str = SECRET, **changes: str) -> bytes:
    return json.dumps(signed(CALLBACK | changes, secret)).encode()


async def test_it_shows_whose_callback_came_and_whether_it_is_genuine(terminal: Terminal) -> None:
    """A line each, with no text that may name a person; what is not genuine is not acknowledged."""
    async with listening(terminal) as (child, url), httpx.AsyncClient() as sender:
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/paypro")
        genuine = await sender.post(url, content=body_of())
        forged = await sender.post(url, content=body_of("another", status="00029"))
        broken = await sender.post(url, content=b"{")
        lines = (await shown(child, 5))[2:]

    assert (genuine.status_code, genuine.text) == (200, "OK")
    assert (forged.status_code, broken.status_code) == (400, 400)
    assert [line.partition("  ")[2] for line in lines] == [
        "T1: status 0000, amount 300, verified, answered 200 OK",
        "T1: status 00029, amount 300, NOT VERIFIED, answered 400",
        "no number: status none, amount none, NOT READABLE, answered 400",
    ]
    assert not [word for word in ("Asha", "10094038292", SECRET) if word in child.output + child.errors]
    assert child.code == 0
    assert child.errors == "Received: 1 NOT READABLE, 1 NOT VERIFIED, 1 verified.\n"


async def test_the_secret_of_before_is_good_as_long_as_it_is_set(terminal: Terminal) -> None:
    """During a rotation both sign."""
    async with (
        listening(terminal, PAYPRO_SECRET="the-next-secret", PAYPRO_CALLBACK_SECRET=SECRET) as (child, url),
        httpx.AsyncClient() as sender,
    ):
        for secret in (SECRET, "the-next-secret"):
            assert (await sender.post(url, content=body_of(secret))).text == "OK"
        assert [", verified, " in line for line in (await shown(child, 4))[2:]] == [True, True]


async def test_without_a_secret_nothing_is_checked_and_it_says_so(terminal: Terminal) -> None:
    """It acknowledges all of it; and what would steer a terminal does not get there."""
    async with listening(terminal, PAYPRO_SECRET=None) as (child, url), httpx.AsyncClient() as sender:
        assert (await sender.post(url, content=body_of("any", tradeNo="\x1b[31mT1" + "9" * 100))).text == "OK"
        assert (await sender.post(url, content=b"no JSON")).status_code == 400
        line, unread = (await shown(child, 4))[2:]
    assert "NOT READABLE, answered 400" in unread
    assert "no signature is checked" in child.errors
    assert "not checked" in line
    assert "\x1b" not in line
    assert "9" * 65 not in line


async def test_it_passes_the_same_bytes_on_and_the_answer_back(terminal: Terminal) -> None:
    """Whether genuine or not: the service behind it decides, and what it does not answer with OK comes again."""
    typed = b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 2\r\n\r\nOK"
    async with (
        Receiver(answer(503, b"later"), typed) as service,
        listening(terminal, "--json", "--forward", service.url) as (child, url),
        httpx.AsyncClient() as sender,
    ):
        body = body_of("another").replace(b", ", b" ,\n ")
        first = await sender.post(url, content=body)
        second = await sender.post(url, content=body, headers={"Content-Type": "text/plain"})
        told = [json.loads(line) for line in (await shown(child, 3))[1:]]

    assert (first.status_code, first.text) == (503, "later")
    assert (second.status_code, second.text, second.headers["Content-Type"]) == (200, "OK", "text/x")
    assert service.bodies == [body, body]
    assert "content-type: text/plain\r\n" in service.heads[1].lower()
    assert [(one["trade_no"], one["verified"], one["answered"], one["ok"]) for one in told] == [
        ("T1", False, 503, False),
        ("T1", False, 200, True),
    ]
    assert "key=K" not in child.output


async def test_a_service_that_is_not_there_is_no_acknowledgement(terminal: Terminal) -> None:
    """HTTP 502, and the line says why."""
    async with Receiver() as service:
        gone = service.url
    async with listening(terminal, "--forward", gone) as (child, url), httpx.AsyncClient() as sender:
        assert (await sender.post(url, content=body_of())).status_code == 502
        assert "answered 502 (the service: " in (await shown(child, 3))[2]


async def test_it_has_limits(terminal: Terminal) -> None:
    """Another path, another method, and a body of more than 64 KiB."""
    async with listening(terminal, "--path", "/in") as (child, url), httpx.AsyncClient() as sender:
        assert (await sender.post(url.replace("/in", "/paypro"), content=body_of())).status_code == 404
        assert (await sender.get(url)).status_code == 405
        assert (await sender.post(url, content=b" " * (64 * 1024 + 1))).status_code == 413
        assert (await sender.post(url, content=body_of())).status_code == 200
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2].partition("/")[0]))
        writer.write(b"\x16\x03\x01 TLS\r\n\r\n")
        assert b" 400 " in await reader.readline()
        writer.close()
    told = [line for line in child.errors.splitlines() if line.startswith("Not received")]
    assert told == [
        "Not received: POST /paypro. The path is /in.",
        "Not received: GET /in. Callbacks come with POST.",
        "Not received: what came was answered with 413. Its body has more than 64 KiB.",
        "Not received: what came was answered with 400. It is no HTTP/1.1.",
    ]


@pytest.mark.parametrize("path", ["/paypro?key=1", "/paypro#part", "paypro"])
async def test_a_path_that_can_never_come_is_wrong_usage(terminal: Terminal, path: str) -> None:
    """What stands behind a question mark is not compared."""
    done = await terminal.run("listen", "--path", path)
    assert (done.code, "no ? or #" in done.err) == (2, True)


async def test_credentials_that_would_not_be_sent_are_refused(terminal: Terminal) -> None:
    """And not shown."""
    done = await terminal.run("listen", "--forward", "http://user:w0rd@127.0.0.1:8000/paypro")
    assert (done.code, "would not be sent" in done.err, "w0rd" in done.err) == (2, True, False)


@pytest.mark.parametrize("options", [(), ("--json",)])
async def test_it_says_when_the_sender_had_gone(terminal: Terminal, options: tuple[str, ...]) -> None:
    """The service took longer than the sender waited, so its OK reached nobody and the callback comes again."""
    async with Receiver() as service, listening(terminal, "--forward", service.url, *options) as (child, url):
        service.held = asyncio.Event()
        async with httpx.AsyncClient(timeout=0.1) as sender:
            with pytest.raises(httpx.ReadTimeout):
                await sender.post(url, content=body_of())
        service.held.set()
        line = (await shown(child, 2 if options else 3))[-1]
    if options:
        assert [json.loads(line)[name] for name in ("answered", "ok", "sender_gone")] == [200, False, True]
    else:
        assert line.endswith("answered 200, but the sender had gone")


async def test_between_the_sandbox_and_a_service(terminal: Terminal) -> None:
    """The service is deaf at first; the sandbox sends again, and learns that it has arrived."""
    async with (
        Receiver(answer(500)) as service,
        listening(terminal, "--forward", service.url) as (child, url),
        Sandbox(secret=SECRET) as sandbox,
        Merchant(sandbox, secret=SECRET) as merchant,
    ):
        await merchant.payout("T1", notifyUrl=url, remark="sandbox:fail:60030")
        await sandbox.callbacks_sent()
        sandbox.advance(2)
        await sandbox.callbacks_sent()
        lines = (await shown(child, 4))[2:]
        assert [record.outcome for record in sandbox.callbacks] == ["other_answer", "ok"]
    assert [line.partition(": ")[2] for line in lines] == [
        "status 60030, amount 300, verified, answered 500",
        "status 60030, amount 300, verified, answered 200 OK",
    ]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--forward", "http://127.0.0.1:8081/paypro"), 2, "names the port that it listens on"),
        (("--forward", "ftp://127.0.0.1/"), 2, "no http or https URL"),
        (("--forward", "http://[::1"), 2, "no URL"),
        (("--path", "paypro"), 2, "begins with /"),
        (("--host", "203.0.113.77"), 1, "cannot listen on 203.0.113.77"),
    ],
)
async def test_what_cannot_be_is_said_in_a_sentence(
    terminal: Terminal, options: tuple[str, ...], code: int, message: str
) -> None:
    """Before it begins to listen."""
    done = await terminal.run("listen", *options)
    assert (done.code, message in done.err) == (code, True)
    assert "Traceback" not in done.err


async def test_a_port_that_is_taken(terminal: Terminal, sandbox: Sandbox) -> None:
    """Another one is asked for."""
    done = await terminal.run("listen", "--port", sandbox.base_url.rpartition(":")[2])
    assert (done.code, "name another one with --port" in done.err) == (1, True)
