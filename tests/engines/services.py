"""Real Redis and NATS servers, each in a folder and on a port of its own."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_STARTS_WITHIN = 20.0  # seconds; each takes some tenths


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis that keeps nothing."""
    arguments = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder), "--port"]
    with _serving("redis-server", lambda port: [*arguments, str(port)]) as port:
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def nats(folder: Path) -> Iterator[str]:
    """The URL of a NATS with JetStream."""
    arguments = ["-a", "127.0.0.1", "-js", "-sd", str(folder), "-p"]
    with _serving("nats-server", lambda port: [*arguments, str(port)]) as port:
        yield f"nats://127.0.0.1:{port}"


@contextmanager
def _serving(name: str, arguments: Callable[[int], Sequence[str]]) -> Iterator[int]:
    program = shutil.which(name, path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    if program is None:
        assert not os.environ.get("CI"), f"{name} is not installed: apt-get install {name}"
        pytest.skip(f"{name} is not installed; 'apt-get install {name}' or 'brew install {name}' brings it")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([program, *arguments(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, port)
        yield port
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while True:
        assert process.poll() is None, "it ended at once"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, "it does not start"
            time.sleep(0.02)
        else:
            return
