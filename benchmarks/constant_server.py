"""The constant platform: every request gets the same reply but for the order's number, as fast as the machine can.

nginx if it is there, else a small asyncio server: ``python -m benchmarks.constant_server`` prints its port and runs
until it is told to end. With a number of seconds as its argument it answers that late, to any number of connections;
with a file behind it, it notes there when each request to pay came, on the machine's steady clock.
"""

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Literal

from attrs import frozen

from benchmarks.processes import FailedError, environment, on_core

__all__ = ["ConstantServer", "Kind", "arrivals_in", "constant_server", "late_server"]

Kind = Literal["nginx", "asyncio"]

# Two payouts with one order number would be taken for a mix-up.
_NUMBER = "$request_id"  # nginx puts 32 hexadecimal digits in its place
_REPLY = (
    '{"msg":"success","code":"0000","timestamp":1719829933893,"success":true,"data":{"platFormTradeNo":'
    f'"{_NUMBER}","status":"0015","desc":"CREDIT_INPROGRESS","remark":"000000"}}}}'
)
_NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {
    listen 127.0.0.1:%(port)d backlog=4096;
    default_type application/json;
    location / { return 200 '%(reply)s'; }
  }
}
"""
_STARTING_SECONDS = 5.0


@frozen
class ConstantServer:
    """Where it listens, what it is, and the number of its process."""

    url: str
    name: str
    process: int


@contextmanager
def constant_server(folder: Path, *, core: int | None, kind: Kind | None = None) -> Iterator[ConstantServer]:
    """Run the constant platform on a free port of loopback.

    Args:
        folder: For nginx's files.
        core: Where it runs.
        kind: Which server; by default nginx if it is installed.

    Raises:
        FailedError: If it does not start.
    """
    # Debian keeps it where only the superuser looks.
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if kind == "nginx" and nginx is None:
        raise FailedError("nginx is not installed")
    with on_core(core):
        process, port = _start_asyncio() if nginx is None or kind == "asyncio" else _start_nginx(nginx, folder)
    try:
        _await(process, port)
        yield ConstantServer(
            url=f"http://127.0.0.1:{port}",
            name="asyncio protocol" if nginx is None or kind == "asyncio" else _version(nginx),
            process=process.pid,
        )
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def late_server(seconds: float, *, core: int | None, arrivals: Path | None = None) -> Iterator[ConstantServer]:
    """Run a platform that answers each request after *seconds*.

    Args:
        seconds: How late.
        core: Where it runs.
        arrivals: A file in which there stands, once it has ended, when each request to pay came: see ``arrivals_in``.

    Raises:
        FailedError: If it does not start.
    """
    with on_core(core):
        process, port = _start_asyncio(str(seconds), *([] if arrivals is None else [str(arrivals)]))
    try:
        _await(process, port)
        yield ConstantServer(
            url=f"http://127.0.0.1:{port}", name=f"asyncio protocol, {seconds:g} s late", process=process.pid
        )
    finally:
        process.terminate()
        process.communicate()


def arrivals_in(file: Path) -> "array[float]":
    """When each request to pay came, in seconds of the machine's steady clock."""
    times = array("d")
    times.frombytes(file.read_bytes())
    return times


def _start_nginx(nginx: str, folder: Path) -> tuple[subprocess.Popen[str], int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(_NGINX % {"port": port, "reply": _REPLY}, encoding="utf-8")
    command = [nginx, "-c", str(config), "-p", str(folder), "-e", "stderr"]
    return subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True), port


def _start_asyncio(*arguments: str) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "benchmarks.constant_server", *arguments]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise FailedError(f"the constant server did not start: {process.communicate()[1].strip()}")
    return process, int(line)


def _await(process: "subprocess.Popen[str]", port: int) -> None:
    give_up = time.monotonic() + _STARTING_SECONDS
    while process.poll() is None and time.monotonic() < give_up:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    process.terminate()
    raise FailedError(f"the constant server did not start: {process.communicate()[1].strip()}")


def _version(nginx: str) -> str:
    said = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr
    return said.removeprefix("nginx version: ").split()[0]


class _Constant(asyncio.Protocol):
    """Just enough HTTP/1.1 for a client that sends a content length; replies to pipelined requests too."""

    _body = _REPLY.replace(_NUMBER, "%032x")
    _length = len(_body % 0)
    _answer = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {_length}\r\n\r\n{_body}".encode()
    _number = count(1)
    _payout = b"POST /v1/paypro/payout "

    def __init__(self, late: float, came: "array[float]") -> None:
        self._late = late
        self._came = came
        self._loop = asyncio.get_running_loop()
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            length = self._received[:end].lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            whole = end + 4 + int(length or 0)
            if len(self._received) < whole:
                return
            if self._received.startswith(self._payout):
                self._came.append(time.monotonic())
            self._received = self._received[whole:]
            if self._late:
                self._loop.call_later(self._late, self._reply)
            else:
                self._reply()

    def _reply(self) -> None:
        self._transport.write(self._answer % next(self._number))  # type: ignore[attr-defined]  # a socket's transport can write


async def _serve(late: float, came: "array[float]") -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Constant(late, came), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    with suppress(NotImplementedError):  # Windows, which ends it at once
        loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()


if __name__ == "__main__":
    came = array("d")
    asyncio.run(_serve(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0, came))
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_bytes(came.tobytes())
