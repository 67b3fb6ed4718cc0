"""The terminal in which the commands of a page are typed, one after the other, by bash."""

import asyncio
import os
import re
import shlex
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from paypro_async.sandbox import Sandbox
from tests.docs.pages import ROOT

# What pages write, and what stands there by itself: other programs of this machine, and other pages, may have them.
_PORTS = (8000, 8080, 8081, 8090)
_OWN_PORT = {"paypro sandbox": 8080, "paypro listen": 8081, "uvicorn": 8000}
_STAYS = re.compile(r"paypro (sandbox|listen|worker)\b|uvicorn\b|python -m aiohttp\.web\b")
_READY = 40.0  # seconds; a machine that is not busy needs one
_ENDS = 30.0


@dataclass
class Staying:
    """A program that stays in a terminal of its own until Ctrl-C."""

    typed: str
    process: Process
    log: Path


class Terminal:
    """Variables and the current folder go from one command to the next, as in a terminal."""

    def __init__(self, folder: Path, variables: Mapping[str, str], words: Mapping[str, str]) -> None:
        self._home = folder / "home"
        self._home.mkdir()
        self._state = folder / "state"
        for name in ("examples", "benchmarks", "pyproject.toml"):  # "from a checkout of this repository"
            (self._home / name).symlink_to(ROOT / name)
        self._write_state(variables)
        self._ports = _free_ports()
        self._words = words
        self._staying: list[Staying] = []

    def save(self, name: str, text: str) -> None:
        """Save a block as the file that the page names."""
        (self._home / name).write_text(self._on_free_ports(text), encoding="utf-8")

    async def type(self, typed: str, *, answer: str | None = None, within: float = 120) -> tuple[int, str]:
        """Run one command to its end, and give *answer* to its question; its exit code, and what it wrote."""
        script = f"{self._enter}\n{self._words_filled_in(typed)}\n{self._leave}"
        reader, writer = os.pipe() if answer is None else os.openpty()
        stdin = DEVNULL if answer is None else writer
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", script), cwd=self._home, env={}, stdin=stdin, stdout=writer, stderr=writer
        )
        os.close(writer)
        reading = asyncio.create_task(asyncio.to_thread(_all_of, reader))
        try:
            if answer is not None:
                os.write(reader, f"{answer}\n".encode())
            async with asyncio.timeout(within):
                return await process.wait(), await reading
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await reading
            os.close(reader)

    def stays(self, typed: str) -> bool:
        return _STAYS.match(typed) is not None and "--help" not in typed

    async def open(self, typed: str) -> None:
        """Start a program that stays, in another terminal, and wait until it is ready."""
        command = shlex.join(shlex.split(self._words_filled_in(typed), comments=True))
        for beginning, port in _OWN_PORT.items():
            if command.startswith(beginning) and "--port" not in command:
                command += f" --port {self._ports[port]}"
        log = self._home.parent / f"{len(self._staying)}.log"
        with log.open("w", encoding="utf-8") as out:
            process = await asyncio.create_subprocess_exec(
                *("bash", "-c", f"{self._enter}\nexec {command}"),
                cwd=self._home,
                env={},
                stdin=DEVNULL,
                stdout=out,
                stderr=STDOUT,
                start_new_session=True,
            )
        staying = Staying(typed, process, log)
        self._staying.append(staying)
        await self._ready(staying, command)

    async def close(self) -> None:
        """Ctrl-C in each terminal; what stayed must have stayed until now, and end by it."""
        ended = [(one.typed, one.log.read_text()) for one in self._staying if one.process.returncode is not None]
        codes = [(one.typed, await _end(one.process), one.log.read_text()) for one in reversed(self._staying)]
        assert ended == []
        assert [one for one in codes if one[1] not in (0, 130, -signal.SIGINT)] == []

    async def _ready(self, staying: Staying, command: str) -> None:
        async with asyncio.timeout(_READY):
            if command.startswith("paypro sandbox"):
                while "PAYPRO_SETTLE_AFTER" not in staying.log.read_text():
                    assert staying.process.returncode is None, staying.log.read_text()
                    await asyncio.sleep(0.05)
                lines = re.findall(r"^export .*$", staying.log.read_text(), re.MULTILINE)
                code, said = await self.type("\n".join(lines))  # pasted, as the pages say
                assert code == 0, said
            elif (port := re.search(r"(?:--port |--health \S*:)(\d+)", command)) is not None:
                while not await _listens(int(port[1])):
                    assert staying.process.returncode is None, staying.log.read_text()
                    await asyncio.sleep(0.05)

    @property
    def _enter(self) -> str:
        return f'. {shlex.quote(str(self._state))}\ncd "$PWD"'

    @property
    def _leave(self) -> str:
        return f"code=$?\nexport -p > {shlex.quote(str(self._state))}\nexit $code"

    def _write_state(self, variables: Mapping[str, str]) -> None:
        own = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self._home),
            "PWD": str(self._home),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
        }
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in (own | dict(variables)).items()]
        self._state.write_text("".join(lines), encoding="utf-8")

    def _words_filled_in(self, typed: str) -> str:
        for word, meaning in self._words.items():
            typed = typed.replace(word, meaning)
        return self._on_free_ports(typed)

    def _on_free_ports(self, text: str) -> str:
        return re.sub(
            rf"(?:(?<=:)|(?<=--port ))({'|'.join(map(str, _PORTS))})\b",
            lambda match: str(self._ports[int(match[1])]),
            text,
        )


@asynccontextmanager
async def terminal(folder: Path, *, paid_after: float, words: Mapping[str, str]) -> AsyncIterator[Terminal]:
    """A terminal with the variables that a reader of the page has set, for a sandbox that loses nothing."""
    async with Sandbox(paid_after=paid_after) as sandbox:
        variables = {
            "PAYPRO_BASE_URL": sandbox.base_url,
            "PAYPRO_ENVIRONMENT": sandbox.environment,
            "PAYPRO_MERCHANT_NO": "0000000001",
            "PAYPRO_SECRET": "sandbox-secret",
            "PAYPRO_IP_ADDRESS": "203.0.113.7",
            "PAYPRO_NOTIFY_URL": "http://127.0.0.1:8081/paypro",
            "PAYPRO_LEDGER": "sqlite:///payouts.db",
            "PAYPRO_SETTLE_AFTER": "2",
        }
        opened = Terminal(folder, variables, words)
        try:
            yield opened
        finally:
            await opened.close()


def _free_ports() -> dict[int, int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in _PORTS]
    ports = {shown: one.getsockname()[1] for shown, one in zip(_PORTS, held, strict=True)}
    for one in held:
        one.close()
    return ports


def _all_of(reader: int) -> str:
    """Until the last program has closed the other end, of which a terminal tells by an error."""
    said = b""
    with suppress(OSError):
        while some := os.read(reader, 1 << 16):
            said += some
    return said.decode()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def _end(process: Process) -> int:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGINT)  # the terminal's Ctrl-C goes to all of its processes
        try:
            async with asyncio.timeout(_ENDS):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode is not None
    return process.returncode
