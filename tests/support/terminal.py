"""Runs the command line in processes of its own, against a sandbox in the test's event loop."""

import asyncio
import csv
import fcntl
import json
import os
import pty
import re
import signal
import struct
import sys
import termios
import time
from asyncio.subprocess import PIPE
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import frozen

from paypro_async.report.formulas import original
from paypro_async.sandbox import Sandbox
from tests.support.fork_server import Child, ForkServer
from tests.support.programs.command import PROGRAM
from tests.support.valid import PAYEE

QUESTIONS = re.compile(rb" \[y/N\]: |Type the sum: |Type yes: ")
SECRET = "kept-to-itself-4711"
MERCHANT_NO = "0000000001"
FIELDS = ("amount", "name", "mobile", "email", "bank_number", "bank_code", "remark")


@frozen
class Done:
    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


def payout(number: int, **changes: str) -> dict[str, str]:
    own = {"amount": str(100 + number), "bank_number": account(number), "remark": f"invoice {number}"}
    return {**PAYEE, **own, **changes}


def account(number: int) -> str:
    return f"{7_310_000_000_000 + number:015d}"


def write_file(path: Path, payouts: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, payouts[0])
        writer.writeheader()
        writer.writerows(payouts)
    return path


def read_file(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as text:
        return [{name: original(cell) for name, cell in row.items()} for row in csv.DictReader(text)]


def agreed(arguments: Sequence[str]) -> Sequence[str]:
    """The words of a command, with a yes for one that pays: where no terminal is, nobody can be asked."""
    pays = arguments[:1] in (("batch",), ("apply",)) and not {"--yes", "--dry-run", "--expect-total"} & {*arguments}
    return (*arguments, "--yes") if pays else arguments


class Terminal:
    """A folder, an environment, and the program in it.

    ``start`` starts an interpreter, for what a test does to the process while it runs; ``run`` forks one that is ready,
    in a fifth of the time, for what a command does and says.
    """

    def __init__(self, folder: Path, base_url: str, fork_server: ForkServer) -> None:
        self.folder = folder
        self._fork_server = fork_server
        self._started: list[asyncio.subprocess.Process] = []
        self.environment = dict(os.environ) | {
            "PAYPRO_BASE_URL": base_url,
            "PAYPRO_ENVIRONMENT": "sandbox",
            "PAYPRO_MERCHANT_NO": MERCHANT_NO,
            "PAYPRO_SECRET": SECRET,
            "PAYPRO_IP_ADDRESS": "127.0.0.1",
            "PAYPRO_NOTIFY_URL": "http://127.0.0.1:9/paypro",
            "PAYPRO_LEDGER": "payouts.db",
            "PAYPRO_SETTLE_AFTER": "1",
        }

    def file(self, count: int = 30, name: str = "payouts.csv") -> Path:
        return write_file(self.folder / name, [payout(number) for number in range(count)])

    def result(self, name: str = "payouts.result.csv") -> list[dict[str, str]]:
        return read_file(self.folder / name)

    def _environment(self, env: Mapping[str, str | None] | None) -> dict[str, str]:
        return {name: value for name, value in (self.environment | dict(env or {})).items() if value is not None}

    async def start(self, *arguments: str, env: Mapping[str, str | None] | None = None, **settings: Any):
        command = [sys.executable, "-m", "paypro_async", *agreed(arguments)]
        streams = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE} | settings
        process = await asyncio.create_subprocess_exec(*command, cwd=self.folder, env=self._environment(env), **streams)
        self._started.append(process)
        return process

    def begin(
        self,
        *arguments: str,
        env: Mapping[str, str | None] | None = None,
        streams: Mapping[str, str] | None = None,
        ask: bool = False,
    ) -> Child:
        """Fork a command and let it run, for a test that ends it or runs another one beside it."""
        environment = self._environment(env)
        return self._fork_server.start(
            PROGRAM,
            *(arguments if ask else agreed(arguments)),
            folder=self.folder,
            environment=environment,
            streams=streams,
        )

    async def run(
        self,
        *arguments: str,
        stdin: str = "",
        env: Mapping[str, str | None] | None = None,
        streams: Mapping[str, str] | None = None,
    ) -> Done:
        child = self._fork_server.start(
            PROGRAM,
            *agreed(arguments),
            folder=self.folder,
            environment=self._environment(env),
            typed=stdin,
            streams=streams,
        )
        code = await child.ended(within=120)
        return _done(code, child.output, child.errors)

    async def run_alone(self, *arguments: str, env: Mapping[str, str | None] | None = None) -> Done:
        """Run a command in an interpreter of its own, for what it imports when it starts."""
        process = await self.start(*arguments, env=env)
        out, err = await process.communicate()
        return _done(process.returncode or 0, out.decode(), err.decode())

    async def run_on_screen(
        self, *arguments: str, answers: Sequence[str] = (), width: int = 80, whole: bool = False
    ) -> Done:
        """Run a command on a terminal, and give each question an answer; its ``err`` is what the screen showed.

        An answer is what is typed, or ``^C``. What is printed is on the screen too if it is the *whole* that is wanted.
        """
        screen, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        name = os.ttyname(end)
        streams = {"in": name, "err": name} | ({"out": name} if whole else {})
        child = self.begin(*arguments, env={"TERM": "dumb", "COLUMNS": None}, streams=streams, ask=True)
        waiting = list(answers)

        def answer() -> None:
            if (typed := waiting.pop(0)) == "^C":
                _wait_until_it_reads(child.pid)
                os.kill(child.pid, signal.SIGINT)
            else:
                os.write(screen, typed.encode())

        showing = asyncio.create_task(asyncio.to_thread(_shown, screen, answer))
        try:
            code = await child.ended(within=120)
        finally:
            os.close(end)  # not before the child has opened it: a terminal that nobody has open is at its end
            shown = await showing
        assert not waiting, shown
        return _done(code, child.output, shown)

    async def aclose(self) -> None:
        """A test that fails half-way leaves no process behind."""
        for process in self._started:
            if process.returncode is None:
                process.kill()
                await process.communicate()


def _wait_until_it_reads(pid: int) -> None:
    """A signal that comes between the question and the reading is seen after the next line: nobody is so quick."""
    reads = ("0", "0x0"), ("63", "0x0")  # the number of the call on two kinds of machine, and the file
    for _ in range(200):
        if tuple(Path(f"/proc/{pid}/syscall").read_text().split()[:2]) in reads:
            return
        time.sleep(0.01)


def _shown(screen: int, answer: Callable[[], None]) -> str:
    """What is written to a terminal until the last program has left it."""
    shown, asked = b"", 0
    with os.fdopen(screen, "rb", buffering=0) as reading, suppress(OSError):
        while more := reading.read(4096):
            shown += more
            for _ in range(len(QUESTIONS.findall(shown)) - asked):
                asked += 1
                answer()
    return shown.decode().replace("\r\n", "\n")


def on_screen(shown: str, *, width: int = 80) -> list[str]:
    """The lines that stand on a terminal at the end: what was erased or written over is not among them."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|.", shown, re.DOTALL):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part.endswith("A") and part.startswith("\x1b"):
            row -= int(part[2:-1] or 1)
        elif not part.startswith("\x1b"):
            if column == width:
                row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
            lines[row] = lines[row].ljust(column)[:column] + part + lines[row][column + 1 :]
            column += 1
        lines += [""] * (row + 1 - len(lines))
    return lines


def _done(code: int, out: str, err: str) -> Done:
    keeps_quiet(out + err)
    return Done(code, out, err)


def keeps_quiet(output: str) -> None:
    """No secret and no whole account number stands in what was printed."""
    assert SECRET not in output
    assert account(0)[:9] not in output
    assert "8234567890" not in output
    assert "Traceback" not in output


async def until(sandbox: Sandbox, bookings: int) -> None:
    while len(sandbox.books.bookings) < bookings:  # noqa: ASYNC110 - the books send no events
        await asyncio.sleep(0.002)


def booked_exactly(sandbox: Sandbox, results: list[dict[str, str]]) -> bool:
    """Each row of a result file is in the books once, with its amount, and nothing else is."""
    orders = sandbox.books.orders
    amounts = {one["paypro_trade_no"]: one["amount"] for one in results}
    return sandbox.books.booked_once(amounts).exact and all(
        str(orders[trade_no].amount) == amount for trade_no, amount in amounts.items()
    )
