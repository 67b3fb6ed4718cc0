"""Crashes and signals: whatever ends the process, the same command again continues and pays nothing twice."""

import asyncio
import json
import os
import pty
import re
import signal
import socket
from collections.abc import Awaitable, Callable

import pytest

from paypro_async.sandbox import FaultPlan, Sandbox
from tests.support.fork_server import Child, ForkServer
from tests.support.terminal import SECRET, Terminal, booked_exactly, keeps_quiet, on_screen, until


async def test_killed_again_and_again_and_run_to_its_end(tmp_path, fork_server: ForkServer) -> None:
    """With faults of all kinds, SIGKILL at several moments: each row is booked once and the result file says so."""
    async with Sandbox(secret=SECRET, faults=FaultPlan(rate=0.3, seed=3), booking_lag=0.1) as sandbox:
        terminal = Terminal(tmp_path, sandbox.base_url, fork_server)
        terminal.file(60)
        for bookings in (1, 20, 45):
            process = terminal.begin("batch", "payouts.csv")
            await until(sandbox, bookings)
            process.signal(signal.SIGKILL)
            await process.ended()
        assert not (tmp_path / "payouts.result.csv").exists()

        done = await terminal.run("batch", "payouts.csv", "--yes")
        await asyncio.sleep(0.1)

        assert done.code == 0, done.out + done.err
        assert booked_exactly(sandbox, terminal.result())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_in_order(terminal: Terminal, sandbox: Sandbox, number: signal.Signals) -> None:
    """What is in flight is recorded, the result file is written, exit code 130; then the same command continues."""
    terminal.file(40)
    process = terminal.begin("batch", "payouts.csv", "--rate", "100", "--concurrency", "4")
    await until(sandbox, 5)
    process.signal(number)

    assert await process.ended() == 130, process.errors
    assert "Interrupted. Continue with: paypro batch payouts.csv" in process.errors
    assert "not_sent" in process.output
    results = terminal.result()
    assert len(results) == 40
    booked = {one["paypro_trade_no"] for one in results if one["paypro_status"] == "processing"}
    assert booked == set(sandbox.books.orders)
    assert 5 <= len(booked) < 40

    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0
    assert booked_exactly(sandbox, terminal.result())


async def test_a_second_signal_ends_at_once(terminal: Terminal, sandbox: Sandbox) -> None:
    """Without waiting for what is in flight; the ledger has it as unknown, and the next run asks."""
    terminal.file(4)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.setblocking(False)
        nowhere = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        process = terminal.begin(
            "batch", "payouts.csv", "--base-url", nowhere, "--settle-after", "6", "--ignore-balance", "--json"
        )
        connection, _ = await asyncio.get_running_loop().sock_accept(deaf)
        with connection:
            process.signal(signal.SIGINT)
            while "Once more" not in process.errors:
                assert process.poll() is None
                await asyncio.sleep(0.01)
            process.signal(signal.SIGINT)
            assert await process.ended(within=5) == 130

    assert json.loads(process.output)["kind"] == "interrupted"
    assert not (terminal.folder / "payouts.result.csv").exists()
    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0
    assert booked_exactly(sandbox, terminal.result())


Meanwhile = Callable[[Child, Callable[[], Awaitable[None]]], Awaitable[object]]


async def on_a_terminal(
    terminal: Terminal, *arguments: str, env: dict[str, str] | None = None, meanwhile: Meanwhile | None = None
) -> tuple[int, str]:
    """Run with standard error on a pseudo-terminal; the exit code and what appeared there.

    *meanwhile* is given the process, and what types a ``^C``.
    """
    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm-256color", "COLUMNS": "80"} | (env or {})
    process = terminal.begin(*arguments, env=environment, streams={"err": os.ttyname(theirs)})
    loop, shown, ended = asyncio.get_running_loop(), bytearray(), asyncio.Event()

    def read() -> None:
        try:
            data = os.read(ours, 65536)
        except OSError:  # how a terminal ends on Linux
            data = b""
        shown.extend(data)
        if not data:
            loop.remove_reader(ours)
            ended.set()

    async def type_ctrl_c() -> None:
        os.write(ours, b"\x03")
        # A terminal throws away what it has not shown yet when it meets one, which it does when it comes round to it.
        while b"^C" not in shown:  # noqa: ASYNC110 - a terminal sends no events
            await asyncio.sleep(0.002)

    loop.add_reader(ours, read)
    if meanwhile:
        await meanwhile(process, type_ctrl_c)
    code = await process.ended(within=120)
    os.close(theirs)  # not before the process has opened it: a terminal that nobody has open is at its end
    await ended.wait()
    os.close(ours)
    keeps_quiet(shown.decode())
    return code, shown.decode()


async def test_a_terminal_shows_a_bar(terminal: Terminal) -> None:
    """With colours and the numbers of what is accepted, failed, unknown and waiting."""
    terminal.file(30)
    code, shown = await on_a_terminal(terminal, "batch", "payouts.csv", "--rate", "60")

    assert code == 0
    assert "━" in shown
    assert "30/30" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "30 accepted 0 unknown" in plain
    assert re.search(r"\b[1-2]?[0-9]/30", plain), "it moves"
    assert "\x1b[32m" in shown


async def test_a_terminal_without_colours_shows_none(terminal: Terminal) -> None:
    """NO_COLOR is honoured; a dumb terminal gets plain lines; --quiet shows nothing."""
    terminal.file(3)
    _, shown = await on_a_terminal(terminal, "batch", "payouts.csv", env={"NO_COLOR": "1"})
    assert "━" in shown
    assert "\x1b[3" not in shown

    _, shown = await on_a_terminal(terminal, "batch", "payouts.csv", env={"TERM": "dumb"})
    assert "3 of 3 done" in shown
    assert "\x1b" not in shown

    _, shown = await on_a_terminal(terminal, "batch", "payouts.csv", "--quiet")
    assert shown == ""


async def test_a_bar_leaves_the_terminal_in_order_when_interrupted(terminal: Terminal, sandbox: Sandbox) -> None:
    """The cursor is shown again before anything else is said."""
    terminal.file(40)

    async def interrupt(process: Child, type_ctrl_c: Callable[[], Awaitable[None]]) -> None:
        async with asyncio.timeout(20):
            await until(sandbox, 8)
            await type_ctrl_c()  # the terminal shows it, and sends the signal to its own processes alone
        process.signal(signal.SIGINT)

    code, shown = await on_a_terminal(terminal, "batch", "payouts.csv", "--rate", "40", meanwhile=interrupt)

    assert code == 130
    assert sum("━" in line for line in on_screen(shown)) == 1, shown
    assert shown.index("\x1b[?25h") < shown.index("Stopping")
    assert "━" not in shown[shown.index("Stopping") :]
