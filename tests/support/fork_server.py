"""Starts programs in a tenth of the time: one process that has imported everything forks a child for each of them.

A child is a process of its own like any other: it opens its own files, and SIGKILL leaves nothing of it tidied up.
"""

import asyncio
import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

ROOT = Path(__file__).parents[2]
_PARENT_DIED = 1  # PR_SET_PDEATHSIG


class Child:
    """One program that runs.

    Args:
        pid: Its number, which nobody else gets before ``poll`` has told of its end.
        output: The file of what it prints; *errors*, of what it prints to the other channel.
    """

    def __init__(self, nursery: "Nursery", pid: int, output: Path, errors: Path) -> None:
        self._nursery = nursery
        self._files = output, errors
        self.pid = pid
        self.code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for the signal that ended it; None while it runs."""
        if self.code is None:
            self.code = self._nursery.ask({"poll": self.pid})
        return self.code

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
            await asyncio.sleep(0.005)
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


class Nursery:
    """The process that forks, as the tests see it. No child outlives the block.

    Args:
        preload: Modules to import beforehand.
    """

    def __init__(self, *preload: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="paypro-nursery-")
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", *preload],
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

    def start(self, module: str, *arguments: Any) -> Child:
        """Run ``main(*arguments)`` of a module in a process of its own; the arguments go as JSON."""
        self._count += 1
        output, errors = (Path(self._folder.name, f"{self._count}.{name}") for name in ("out", "err"))
        order = {"run": module, "arguments": arguments, "output": str(output), "errors": str(errors)}
        return Child(self, self.ask(order), output, errors)

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
    for number, path in ((1, order["output"]), (2, order["errors"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    code = 1
    try:
        asyncio.run(importlib.import_module(order["run"]).main(*order["arguments"]))
        code = 0
    except BaseException:  # noqa: BLE001  whatever it is, the test reads of it
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        importlib.import_module(name)
    _serve()
