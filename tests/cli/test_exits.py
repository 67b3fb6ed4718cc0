"""However a command ends, and whatever becomes of its output: the exit code is the money's, and JSON is JSON."""

import asyncio
import csv
import fcntl
import json
import os
import signal
import socket
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from paypro_async.sandbox import Sandbox
from tests.support.terminal import Terminal, payout, until, write_file

NO_ROOM = "/dev/full"
CLOSED = ""


def one_of_two_fails(folder: Path, name: str = "p.csv") -> str:
    """Exit code 4 is what its money says."""
    write_file(folder / name, [payout(1), payout(2, remark="sandbox:fail:7001")])
    return name


def statuses(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as text:
        return [row["paypro_status"] for row in csv.DictReader(text)]


LOST: list[dict[str, str]] = [
    {"out": NO_ROOM},
    {"out": NO_ROOM, "err": NO_ROOM},
    {"out": CLOSED},
    {"err": CLOSED},
    {"in": CLOSED, "out": CLOSED, "err": CLOSED},
]


async def test_output_that_is_lost_changes_nothing(terminal: Terminal) -> None:
    """A full disk or a closed descriptor, of one stream or of all: exit code and result file are those of the money."""
    file = one_of_two_fails(terminal.folder)
    for number, streams in enumerate(LOST):
        as_json = ("--json",) if number % 2 else ()
        done = await terminal.run("batch", file, *as_json, streams=streams)
        assert done.code == 4, streams
        assert statuses(terminal.folder / "p.result.csv") == ["processing", "failed"]
        (terminal.folder / "p.result.csv").unlink()
        if streams == {"out": NO_ROOM}:
            assert "Error: Standard output took not all of it: No space left on device." in done.err
    # What does nothing but print has failed if that could not be kept, and not if nobody wanted it.
    assert (await terminal.run("ledger", "show", streams={"out": NO_ROOM})).code == 1
    assert (await terminal.run("ledger", "show", streams={"out": CLOSED})).code == 0


async def test_a_reader_that_has_gone_and_a_console_that_cannot_show_it(terminal: Terminal) -> None:
    """Interpreters of their own, since encodings are chosen when one starts; and a name that no encoding has."""
    names = [one_of_two_fails(terminal.folder, name) for name in ("p\u2605\xe9.csv", os.fsdecode(b"p\xff\xe9.csv"))]
    ours, theirs = os.pipe()
    os.close(ours)
    ascii_only, western = {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "cp1252"}
    starts: list[tuple[str, dict[str, str], dict[str, Any]]] = [
        (names[1], ascii_only, {"stdout": theirs}),
        (names[0], western, {}),
    ]

    async def end(number: int, name: str, env: dict[str, str], streams: dict[str, Any]) -> None:
        ledger = ("--ledger", f"{number}.db", "--run", str(number), "--result", f"{number}.csv")
        process = await terminal.start("batch", name, *ledger, env=env, **streams)
        out, err = await process.communicate()
        assert process.returncode == 4, err
        assert b"Traceback" not in err
        assert "stdout" in streams or b"in the file" in out
        assert statuses(terminal.folder / f"{number}.csv") == ["processing", "failed"]

    await asyncio.gather(*(end(number, *start) for number, start in enumerate(starts)))
    os.close(theirs)


async def test_names_that_are_not_utf_8(terminal: Terminal) -> None:
    """Of the file, the result, the ledger and the folder: paid, shown, and found again."""
    folder = os.fsdecode(b"r\xff")
    (terminal.folder / folder).mkdir()
    file = one_of_two_fails(terminal.folder / folder)
    ledger = ("--ledger", f"{folder}/\udcfe.db")
    for _ in range(2):
        done = await terminal.run("batch", f"{folder}/{file}", *ledger, "--json")
        assert (done.code, done.summary["exit_code"]) == (4, 4), done.err
    assert done.summary["sent_now"] == 0
    assert statuses(terminal.folder / folder / "p.result.csv") == ["processing", "failed"]
    assert (await terminal.run("ledger", "show", *ledger, "--json")).summary["batches"][0]["source"].endswith("/p.csv")


async def test_names_that_steer_a_terminal(terminal: Terminal) -> None:
    """A file that somebody has sent is called as they like: the name gives no orders and fakes no line."""
    name = "p\x1b]0;paid\x07\n 30 rows  all paid\u202e\x9b2J.csv"
    file = one_of_two_fails(terminal.folder, name)
    write_file(terminal.folder / f"wrong{name}", [payout(1, amount="x")])
    runs = [
        ("batch", file),
        ("batch", "p.csv", "--result", file),
        ("batch", f"wrong{name}"),
        ("ledger", "export", file),
        ("ledger", "export", f"new{file}"),
        ("ledger", "backup", f"backup{file}"),
    ]
    one_of_two_fails(terminal.folder)
    for words in runs:
        done = await terminal.run(*words)
        said = done.out + done.err
        assert "all paid" in said
        assert not [line for line in said.splitlines() if line.startswith(" 30 rows") or not line.isprintable()], words


async def test_a_result_where_the_command_prints(terminal: Terminal) -> None:
    """A file that was put there would take the place of ``/dev/stdout`` for every program; refused before it pays."""
    terminal.file(2)
    streams = terminal.folder / "streams"
    streams.symlink_to("/proc/self/fd")
    (terminal.folder / "link").symlink_to("/proc/self/fd/1")
    out = {"out": str(terminal.folder / "out.csv")}
    for place in ("out.csv", "link", "streams/1", "streams/77"):
        done = await terminal.run("batch", "payouts.csv", "--yes", "--result", place, streams=out)
        assert done.code == 2, done.err
        assert "cannot be written" in done.err
        assert not (terminal.folder / "payouts.db").exists()
    rows = (terminal.folder / "payouts.csv").read_bytes()
    done = await terminal.run(
        "batch", "-", "--result", "payouts.csv", streams={"in": str(terminal.folder / "payouts.csv")}
    )
    assert (done.code, (terminal.folder / "payouts.csv").read_bytes()) == (2, rows)
    long = "r" * 255
    assert (await terminal.run("batch", "payouts.csv", "--yes", "--result", f"{long}r")).code == 2
    assert (await terminal.run("batch", "payouts.csv", "--yes", "--result", long)).code == 0
    assert len(terminal.result(long)) == 2


async def test_the_result_on_standard_output(terminal: Terminal) -> None:
    """Alone, while the summary goes to standard error; that it took not all of it is no success."""
    terminal.file(2)
    child = terminal.begin("batch", "payouts.csv", "--result", "-")
    assert await child.ended() == 0
    rows = list(csv.DictReader(child.output.splitlines()))
    assert [row["paypro_status"] for row in rows] == ["processing"] * 2
    assert "2 rows were sent now" in child.errors
    assert sorted(one.name for one in terminal.folder.glob("*.csv")) == ["payouts.csv"]

    assert (await terminal.run("batch", "payouts.csv", "--yes", "--result", "-", streams={"out": NO_ROOM})).code == 1
    checked = await terminal.run("batch", "payouts.csv", "--result", "-", "--dry-run")
    assert (checked.code, checked.out) == (0, "")
    both = await terminal.run("batch", "payouts.csv", "--yes", "--result", "-", "--json")
    assert (both.code, both.summary["kind"]) == (2, "usage")


async def test_json_on_every_exit(terminal: Terminal, unused_tcp_port: int) -> None:
    """One object with exit code, kind and message: wrong usage, settings, files, plans, platforms and ledgers."""
    terminal.file(2)
    (terminal.folder / "wrong.csv").write_text("amount\n1\n")
    (terminal.folder / "no.db").write_bytes(b"no ledger" * 1000)
    (terminal.folder / "folder").mkdir()
    os.mkfifo(terminal.folder / "pipe")
    nowhere = {"PAYPRO_BASE_URL": f"http://127.0.0.1:{unused_tcp_port}"}
    cases: list[tuple[str, dict[str, str | None], int, str]] = [
        ("batch", {}, 2, "Missing argument"),
        ("batch payouts.csv --concurrency 0", {}, 2, "concurrency"),
        ("batch none.csv", {}, 2, "does not exist"),
        ("batch payouts.csv --no-such-option", {}, 2, "no-such-option"),
        ("no-such-command", {}, 2, "no-such-command"),
        ("batch payouts.csv", {"PAYPRO_LEDGER": None}, 2, "Where are payouts remembered?"),
        ("batch payouts.csv", {"PAYPRO_SECRET": None}, 2, "PAYPRO_SECRET"),
        ("batch payouts.csv", {"PAYPRO_BASE_URL": "ftp://x"}, 2, "base-url"),
        ("batch payouts.csv --result folder", {}, 2, "folder"),
        ("batch payouts.csv --result pipe", {}, 2, "cannot be written"),
        ("batch payouts.csv --ledger no.db", {}, 1, "no.db"),
        ("batch wrong.csv", {}, 3, "refused"),
        ("batch wrong.csv --dry-run", {}, 3, "refused"),
        ("query T1", nowhere, 1, "could not be asked"),
        ("balance", nowhere, 1, "could not be asked"),
        ("ledger show", {}, 2, "There is no ledger"),
        ("ledger history T1 --ledger no.db", {}, 1, "no.db"),
        ("ledger decide T1 paid --by a", {}, 2, "--note"),
        ("ledger export out.csv --since soon", {}, 2, "not a date"),
    ]
    for words, env, code, said in cases:
        done = await terminal.run(*words.split(), "--json", env=env)
        told = json.loads(done.out)
        assert (done.code, told["exit_code"]) == (code, code), (words, done)
        assert said in told["message"], (words, told)
        assert told["kind"] == {1: "unexpected", 2: "usage", 3: "not_valid"}[code]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_json_at_a_signal_to_a_question(terminal: Terminal, number: signal.Signals) -> None:
    """Also where nothing has to be brought to an end."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.setblocking(False)
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        child = terminal.begin("query", "T1", "--json", env={"PAYPRO_BASE_URL": url, "PAYPRO_LEDGER": None})
        connection, _ = await asyncio.get_running_loop().sock_accept(deaf)
        with connection:
            child.signal(number)
            assert await child.ended() == 130
    told = json.loads(child.output)
    assert (told["exit_code"], told["kind"]) == (130, "interrupted")
    assert child.errors.strip() == "Interrupted."


async def test_what_is_left_to_say_is_said_whatever_signal_comes(terminal: Terminal) -> None:
    """A reader that is slow, and a person who is not: one object, and the exit code of the command."""
    terminal.file(20)
    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0
    os.mkfifo(terminal.folder / "slow")
    reader = os.open(terminal.folder / "slow", os.O_RDWR | os.O_NONBLOCK)
    size = fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    child = terminal.begin(
        "ledger", "show", "--state", "processing", "--json", streams={"out": str(terminal.folder / "slow")}
    )
    while int.from_bytes(fcntl.ioctl(reader, termios.FIONREAD, bytes(4)), sys.byteorder) < size:  # noqa: ASYNC110  a pipe tells nobody
        await asyncio.sleep(0.005)
    said = b""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        child.signal(number)
        await asyncio.sleep(0.005)
    while child.poll() is None:
        with suppress(BlockingIOError):
            said += os.read(reader, size)
        await asyncio.sleep(0.001)
    with suppress(BlockingIOError):
        said += os.read(reader, size)
    os.close(reader)
    assert (child.code, child.errors) == (0, "")
    assert len(json.loads(said)["payouts"]) == 20


async def test_json_at_a_signal_to_a_batch(terminal: Terminal, sandbox: Sandbox) -> None:
    """Stopped in order: the summary."""
    terminal.file(40)
    child = terminal.begin("batch", "payouts.csv", "--json", "--rate", "20", "--concurrency", "2")
    await until(sandbox, 2)
    child.signal(signal.SIGINT)
    assert await child.ended() == 130
    told = json.loads(child.output)
    assert (told["exit_code"], told["kind"], told["interrupted"]) == (130, "interrupted", True)
