"""Callbacks a second through the ASGI application under uvicorn, on one core, verified and durably merged.

``python -m benchmarks.callbacks {merged,ok} CONNECTIONS COUNT FOLDER`` fills a ledger in SQLite with payouts that are
processing, starts a server of one process on one core, and from another core sends a signed callback for each payout
over kept-alive connections. ``ok`` is the same application with a client that only answers ``OK``.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cases import FIELDS
from benchmarks.ledger import MERCHANT_NO, open_ledger, prepared
from benchmarks.processes import Cores, environment, on_core
from benchmarks.subject import Found, Goal, Measurement, Section, Setting, Subject, divided

__all__ = ["SUBJECT"]

ROWS = {"ok": "only OK", "merged": "verified and merged, SQLite"}
CONNECTIONS = (16, 64)
SECRET = "benchmark-secret"
ENVIRONMENT = "benchmark"


def _measurements(setting: Setting) -> Iterator[Measurement]:
    count = 3_000 if setting.quick else 8_000
    for connections in CONNECTIONS:
        for kind, row in ROWS.items():
            yield Measurement(
                row=row,
                column=connections,
                arguments=("-m", "benchmarks.callbacks", kind, str(connections), str(count)),
                own_folder=True,
                both_cores=True,
            )


def _section(found: Found) -> Section:
    tables = [
        found.table("Callbacks a second on one core", "connections", "rate", "{:,.0f}"),
        found.table("Microseconds of CPU of the server's process for each", "connections", "cpu_us", "{:,.0f}"),
    ]
    most = max(CONNECTIONS)
    merged, ok = (ROWS["merged"], most), (ROWS["ok"], most)
    goals = [
        Goal(
            f"callbacks merged a second, at {most}",
            found.median("rate", *merged),
            by_cpu=divided(1e6, found.median("cpu_us", *merged)),
            at_least=2_000.0,
        ),
        Goal(
            f"callbacks merged over answered OK, at {most}",
            found.ratio("rate", merged, ok),
            by_cpu=found.ratio("cpu_us", ok, merged),
        ),
    ]
    return Section("callbacks", "Callbacks", [one for one in tables if one], goals)


SUBJECT = Subject(name="callbacks", title="Callbacks", measurements=_measurements, section=_section)


async def fill(ledger: Any, numbers: Sequence[str]) -> None:
    """Payouts of these numbers that the platform has accepted."""
    for first in range(0, len(numbers), 64):
        group = numbers[first : first + 64]
        await asyncio.gather(*(ledger.claim(prepared(one)) for one in group))
        await asyncio.gather(*(ledger.move(_accepted(one)) for one in group))


def _accepted(trade_no: str) -> Any:
    from paypro_async._core.lifecycle import Cause, Change, State
    from paypro_async._core.wire import Phase

    return Change(
        merchant_no=MERCHANT_NO,
        trade_no=trade_no,
        state=State.SENDING,
        attempt=1,
        to=State.PROCESSING,
        cause=Cause.ATTEMPT,
        phase=Phase.ANSWERED,
        code="0015",
        message="PROCESSING",
        platform_trade_no=f"P{trade_no}",
    )


def callback_request(trade_no: str) -> bytes:
    """The bytes of a callback that says that a payout was paid."""
    from paypro_async import Md5Signer

    members = {
        "tradeNo": trade_no,
        "platFormTradeNo": f"P{trade_no}",
        "status": "0000",
        "message": "SUCCESS",
        "amount": str(FIELDS["amount"]),
        "successTime": "2026-11-27 18:34:31",
        "timestamp": f"{time.time_ns() // 1_000_000}",
    }
    body = json.dumps({**members, "sign": Md5Signer(SECRET).sign(members)}).encode()
    head = f"POST /paypro HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class _Sender(asyncio.Protocol):
    """One connection: the next request goes out when the last one was answered."""

    def __init__(self, requests: Iterator[bytes], done: "asyncio.Future[None]") -> None:
        self.requests, self.done, self.answer = requests, done, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        request = next(self.requests, None)
        if request is not None:
            self.transport.write(request)
        elif not self.done.done():
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.answer += data
        if self.answer.endswith(b"\r\n\r\nOK"):
            if not self.answer.startswith(b"HTTP/1.1 200 "):
                self.done.set_exception(RuntimeError(self.answer.decode()))
            self.answer = b""
            self.send()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(f"the server has closed a connection: {self.answer!r}"))


async def send_all(port: int, requests: Sequence[bytes], connections: int) -> float:
    """Send them all, each connection one after another; the seconds that it took."""
    loop, left = asyncio.get_running_loop(), iter(requests)
    ends = [loop.create_future() for _ in range(connections)]
    began = time.perf_counter()
    made = [await loop.create_connection(lambda end=end: _Sender(left, end), "127.0.0.1", port) for end in ends]
    await asyncio.gather(*ends)
    elapsed = time.perf_counter() - began
    for transport, _ in made:
        transport.close()
    return elapsed


def _cpu_seconds(process: int) -> float:
    words = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


async def _main(kind: str, connections: int, count: int, folder: Path) -> dict[str, float]:
    numbers = [f"bench-{number}" for number in range(count)]
    warm = [f"warm-{number}" for number in range(500)]
    path = folder / "ledger.db"
    ledger = await open_ledger(f"sqlite:///{path}")
    await fill(ledger, [*warm, *numbers])
    await ledger.aclose()
    cores = Cores.of_this_machine()
    with on_core(cores.client):
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.callbacks", "serve", kind, str(path)),
            env=environment(),
            stdout=asyncio.subprocess.PIPE,
        )
    if cores.server is not None:
        os.sched_setaffinity(0, {cores.server})
    assert server.stdout is not None
    try:
        port = int(await server.stdout.readline())
        await send_all(port, [callback_request(one) for one in warm], connections)
        requests = [callback_request(one) for one in numbers]
        cpu = _cpu_seconds(server.pid)
        elapsed = await send_all(port, requests, connections)
        cpu = _cpu_seconds(server.pid) - cpu
    finally:
        server.send_signal(signal.SIGTERM)
        await server.wait()
    if kind == "merged":
        await _check(path, count + len(warm))
    return {"rate": count / elapsed, "cpu_us": 1e6 * cpu / count}


async def _check(path: Path, count: int) -> None:
    """Raise if one that was answered ``OK`` is not in the ledger."""
    ledger = await open_ledger(f"sqlite:///{path}")
    query = "SELECT count(*) FROM payout WHERE state = 'succeeded'"
    stored = await ledger.read(lambda connection: connection.exec_driver_sql(query).scalar())
    await ledger.aclose()
    if stored != count:
        raise RuntimeError(f"{count} callbacks were answered OK and {stored} are stored")


class _OnlyOk:
    async def receive_callback(self, _: bytes) -> Any:
        from paypro_async import CallbackReply

        return CallbackReply(status=200, body=b"OK")


def _serve(kind: str, path: str) -> None:
    import socket

    import uvicorn

    from paypro_async import Md5Signer, PayProClient
    from paypro_async.integrations.asgi import CallbackApp

    if kind == "ok":
        only_ok: Any = _OnlyOk()
        app = CallbackApp(pick=lambda _: only_ok)
    else:
        app = CallbackApp(
            PayProClient(
                base_url="https://platform.example",
                merchant_no=MERCHANT_NO,
                signer=Md5Signer(SECRET),
                ledger=f"sqlite:///{path}",
                environment=ENVIRONMENT,
            )
        )
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve(*sys.argv[2:])
    else:
        print(json.dumps(asyncio.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))))
