"""Starts programs in a tenth of the time: one process that has imported the whole package forks a child for each.

A child is a process of its own like any other: it opens its own files, and SIGKILL leaves nothing of it tidied up.
"""

import asyncio
import ctypes
import gc
import importlib
import inspect
import io
import json
import math
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import paypro_async
from paypro_async._core.codec import _converter

ROOT = Path(__file__).parents[2]
_PARENT_DIED = 1  # PR_SET_PDEATHSIG
_WRITING = os.O_WRONLY | os.O_CREAT | os.O_APPEND


class Child:
    """One program that runs.

    Args:
        pid: Its number, which nobody else gets before ``poll`` has told of its end.
        output: The file of what it prints; *errors*, of what it prints to the other channel.
    """

    def __init__(self, fork_server: "ForkServer", pid: int, output: Path, errors: Path) -> None:
        self._fork_server = fork_server
        self._files = output, errors
        self.pid = pid
        self.code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for the signal that ended it; None while it runs."""
        if self.code is None:
            self.code = self._fork_server.ask({"poll": self.pid})
        return self.code

    @property
    def returncode(self) -> int | None:
        """As :class:`asyncio.subprocess.Process` has it."""
        return self.poll()

    async def wait(self) -> int:
        """Wait for its end, however long it takes."""
        return await self.ended(within=math.inf)

    def send_signal(self, number: int) -> None:
        self.signal(number)

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if self.poll() is None:
            os.kill(self.pid, number)

    async def ended(self, *, within: float = 20.0) -> int:
        """Wait for its end."""
        until = time.monotonic() + within
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                self.signal(signal.SIGKILL)
                raise TimeoutError(f"a program did not end within {within} s: {self.output}{self.errors}")
            await asyncio.sleep(0.02)
        return code

    async def stopped(self, *, within: float = 10.0) -> None:
        """Wait until it is frozen."""
        async with asyncio.timeout(within):
            while Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "Tt":  # noqa: ASYNC240
                assert self.poll() is None, self.errors
                await asyncio.sleep(0.005)

    @property
    def output(self) -> str:
        return self._files[0].read_text()

    @property
    def errors(self) -> str:
        return self._files[1].read_text()


class ForkServer:
    """The process that forks, as the tests see it. No child outlives the block."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="paypro-fork_server-")
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate("")
        self._folder.cleanup()

    def start(
        self,
        module: str,
        *arguments: Any,
        folder: Path = ROOT,
        environment: Mapping[str, str] | None = None,
        typed: str = "",
        streams: Mapping[str, str] | None = None,
        apart: bool = False,
    ) -> Child:
        """Run ``main(*arguments)`` of a module in a process of its own; the arguments go as JSON.

        Args:
            folder: Where it runs.
            environment: All of its variables; those of the fork server if not given.
            typed: What it finds on its standard input.
            streams: Other files for its ``in``, ``out`` and ``err``; an empty name closes one.
            apart: In a group of processes of its own.
        """
        self._count += 1
        files = {name: str(Path(self._folder.name, f"{self._count}.{name}")) for name in ("in", "out", "err")}
        for file in files.values():
            Path(file).touch()  # so that a test may look before the child has opened it
        Path(files["in"]).write_text(typed, encoding="utf-8")
        order = {"run": module, "arguments": arguments, "files": files | dict(streams or {}), "folder": str(folder)}
        pid = self.ask(order | {"environment": environment and dict(environment), "apart": apart})
        return Child(self, pid, Path(files["out"]), Path(files["err"]))

    def ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def _serve() -> None:
    children: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "run" in order:
            pid = os.fork()
            if pid == 0:
                _live(order)
            children.add(pid)
            print(json.dumps(pid), flush=True)
            continue
        pid, status = os.waitpid(order["poll"], os.WNOHANG)
        children.discard(pid)
        print(json.dumps(os.waitstatus_to_exitcode(status) if pid else None), flush=True)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _live(order: dict[str, Any]) -> NoReturn:
    ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGKILL)
    if order["apart"]:
        os.setsid()
    modes = {"in": os.O_RDONLY, "out": _WRITING, "err": _WRITING}
    # The server has read ahead in its own input.
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    for number, (name, mode) in enumerate(modes.items()):
        if order["files"][name]:
            os.dup2(os.open(order["files"][name], mode), number)
        else:
            os.close(number)
            setattr(sys, f"std{name}", None)  # as the interpreter has it then
    os.chdir(order["folder"])
    if order["environment"] is not None:
        os.environ.clear()
        os.environ.update(order["environment"])
    os._exit(_code(order))


def _code(order: dict[str, Any]) -> int:
    """Runs the program; the exit code, as the interpreter makes it of the program's end."""
    try:
        result = importlib.import_module(order["run"]).main(*order["arguments"])
        if inspect.iscoroutine(result):
            asyncio.run(result)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  whatever it is, the test reads of it
        traceback.print_exc()
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    return 0


def _import_all() -> None:
    """Everything that a child may need, of the package and of what it imports only when it is used."""
    for module in pkgutil.walk_packages(paypro_async.__path__, "paypro_async."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ImportError:
            if not module.name.startswith("paypro_async.integrations."):
                raise  # An engine or a framework need not be there.
    for name in (
        "anyio._backends._asyncio",
        "cattrs",
        "encodings.idna",
        "encodings.utf_8_sig",
        "httpcore",
        "psycopg",
        "sqlalchemy.dialects.postgresql.psycopg",
        "sqlalchemy.dialects.sqlite.pysqlite",
    ):
        importlib.import_module(name)
    _converter()
    gc.collect()
    gc.freeze()  # the collector of a child would copy every page that it looks at


if __name__ == "__main__":
    _import_all()
    _serve()
