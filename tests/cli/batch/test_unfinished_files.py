"""A file that is still being written, or was cut off: refused, asked about, or paid because that was said."""

import json
from pathlib import Path

import pytest

from paypro_async.sandbox import Sandbox
from tests.support.terminal import Terminal


def cut(path: Path) -> Path:
    """Take the last line end away."""
    path.write_bytes(path.read_bytes().rstrip(b"\r\n"))
    return path


async def test_a_last_line_without_an_end_is_refused_until_the_file_is_said_to_be_whole(
    terminal: Terminal, sandbox: Sandbox
) -> None:
    """Where nobody can be asked: exit code 3, and how to go on."""
    cut(terminal.file(3))
    for extra in ([], ["--dry-run"], ["--json"]):
        refused = await terminal.run("batch", "payouts.csv", "--yes", *extra)
        assert refused.code == 3
        assert "payouts.csv:4: " in refused.err
        assert "[NO_LINE_END]" in refused.err
        assert "--file-complete" in refused.err
        assert refused.err.endswith("Nothing was sent.\n")
    assert json.loads(refused.out)["problems"][0]["code"] == "NO_LINE_END"
    assert not sandbox.books.bookings

    assert (await terminal.run("batch", "payouts.csv", "--yes", "--file-complete")).code == 0
    assert len(sandbox.books.bookings) == 3


async def test_a_stream_that_breaks_off_is_refused(terminal: Terminal, sandbox: Sandbox) -> None:
    """A program that was killed closes its pipe as if it had ended."""
    data = cut(terminal.file(3)).read_text()[:-1]
    refused = await terminal.run("batch", "-", stdin=data)

    assert refused.code == 3
    assert "[NO_LINE_END]" in refused.err
    assert not sandbox.books.bookings


@pytest.mark.parametrize(
    ("answer", "code", "paid"), [("303\n", 0, 3), ("n\n", 3, 0), ("\n", 3, 0), ("\x04", 130, 0), ("^C", 130, 0)]
)
async def test_on_a_terminal_it_is_asked(
    terminal: Terminal, sandbox: Sandbox, answer: str, code: int, paid: int
) -> None:
    """With what would be paid; Enter alone is no, and Ctrl-D and Ctrl-C end it."""
    cut(terminal.file(3))
    done = await terminal.run_on_screen("batch", "payouts.csv", answers=[answer])

    assert "Pay 3 rows, 303.00 INR, " in done.err
    assert "[NO_LINE_END]" in done.err
    assert done.code == code, done.err
    assert len(sandbox.books.bookings) == paid


async def test_a_file_that_is_open_for_writing_is_refused(terminal: Terminal, sandbox: Sandbox) -> None:
    """Also between two of its lines."""
    path = terminal.file(3)
    with path.open("a") as writing:
        refused = await terminal.run("batch", "payouts.csv", "--yes")
        assert refused.code == 3
        assert "[FILE_OPEN]" in refused.err
        writing.write(path.read_text().splitlines()[-1] + "\n")
    assert not sandbox.books.bookings
    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0
    assert len(sandbox.books.bookings) == 4


async def test_a_plan_is_made_of_it_and_pays_what_was_looked_at(terminal: Terminal, sandbox: Sandbox) -> None:
    """Some programs write no last line end; a file that has grown since is refused."""
    path = cut(terminal.file(3))
    planned = await terminal.run("plan", "payouts.csv")
    assert planned.code == 0, planned.err
    assert "[NO_LINE_END]" in planned.err

    whole = path.read_bytes()
    path.write_bytes(whole + b"0")
    assert (await terminal.run("apply", "payouts.csv.plan.json", "--yes")).code == 3
    assert not sandbox.books.bookings

    path.write_bytes(whole)
    assert (await terminal.run("apply", "payouts.csv.plan.json", "--yes")).code == 0
    assert len(sandbox.books.bookings) == 3


async def test_no_plan_is_made_of_a_file_that_is_open_for_writing(terminal: Terminal) -> None:
    """What is looked at is not what it will be."""
    path = terminal.file(3)
    with path.open("a"):
        refused = await terminal.run("plan", "payouts.csv")
    assert refused.code == 3
    assert "[FILE_OPEN]" in refused.err
