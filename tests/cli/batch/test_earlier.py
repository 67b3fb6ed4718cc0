"""A ledger that does not know what earlier runs have sent, as their result files say, would pay it again."""

# ruff: noqa: ASYNC240  nobody else waits in the event loop of a test

import json
import shutil
from pathlib import Path

import pytest

from paypro_async.sandbox import Sandbox
from tests.support.postgres import Server
from tests.support.terminal import Terminal, booked_exactly, payout, write_file

REFUSED = "rows were sent in an earlier run"


async def paid(terminal: Terminal, *more: str) -> None:
    terminal.file(3)
    assert (await terminal.run("batch", "payouts.csv", "--yes", *more)).code == 0


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--json"], ["--result", "elsewhere.csv"], ["--pay-again"]])
async def test_a_new_ledger_beside_the_result_of_an_earlier_run_is_refused(
    terminal: Terminal, sandbox: Sandbox, more: list[str]
) -> None:
    """Exit code 2 and nothing sent, not even a ledger is made; the text names the file and the ledger with its path."""
    await paid(terminal)
    done = await terminal.run("batch", "payouts.csv", "--yes", "--ledger", "another/payouts.db", *more)
    (terminal.folder / "another").mkdir()
    done = await terminal.run("batch", "payouts.csv", "--yes", "--ledger", "another/payouts.db", *more)
    assert done.code == 2
    assert f"According to payouts.result.csv {REFUSED}" in done.err
    assert str(terminal.folder / "another" / "payouts.db") in done.err
    assert "Nothing was sent" in done.err
    assert list((terminal.folder / "another").iterdir()) == []
    assert len(sandbox.books.bookings) == 3


async def test_the_result_that_was_put_elsewhere_counts_too(terminal: Terminal, sandbox: Sandbox) -> None:
    """By the name that --result gives it again."""
    await paid(terminal, "--result", "told.csv")
    done = await terminal.run("batch", "payouts.csv", "--yes", "--ledger", "another.db", "--result", "told.csv")
    assert (done.code, f"told.csv {REFUSED}" in done.err) == (2, True)
    assert len(sandbox.books.bookings) == 3


async def test_a_ledger_that_is_meant_to_be_new_is_used(terminal: Terminal, sandbox: Sandbox) -> None:
    """--new-ledger says so; here the platform refuses the numbers that it knows."""
    await paid(terminal)
    done = await terminal.run("batch", "payouts.csv", "--yes", "--ledger", "another.db", "--new-ledger")
    assert REFUSED not in done.err
    assert f"The ledger {terminal.folder / 'another.db'} is new" in done.err


async def test_a_first_run_says_that_the_ledger_is_new_and_a_second_does_not(
    terminal: Terminal, sandbox: Sandbox
) -> None:
    """With the whole path, so that a folder that was not mounted shows."""
    terminal.file(3)
    first = await terminal.run("batch", "payouts.csv", "--yes")
    again = await terminal.run("batch", "payouts.csv", "--yes")
    said = f"The ledger {terminal.folder / 'payouts.db'} is new: it holds no payout of merchant 0000000001 yet.\n"
    assert (said in first.err, said in again.err, again.code) == (True, False, 0)
    assert booked_exactly(sandbox, terminal.result())


async def test_a_ledger_that_holds_other_payouts_does_not_know_these(terminal: Terminal, sandbox: Sandbox) -> None:
    """It is not empty, and yet it is not the one."""
    write_file(terminal.folder / "others.csv", [payout(number) for number in range(70, 73)])
    assert (await terminal.run("batch", "others.csv", "--ledger", "another.db")).code == 0
    await paid(terminal)
    done = await terminal.run("batch", "payouts.csv", "--yes", "--ledger", "another.db")
    assert (done.code, f"payouts.result.csv {REFUSED}" in done.err, "does not know" in done.err) == (2, True, True)
    assert len(sandbox.books.bookings) == 6


async def test_an_older_copy_of_the_ledger_does_not_know_the_last_rows(terminal: Terminal, sandbox: Sandbox) -> None:
    """Also where a person has said that nothing that it has forgotten can come again: the result file tells of it."""
    write_file(terminal.folder / "others.csv", [payout(70)])
    assert (await terminal.run("batch", "others.csv")).code == 0
    old = terminal.folder / "old.db"
    shutil.copy(terminal.folder / "payouts.db", old)
    await paid(terminal)
    ended = await terminal.run("ledger", "restored", "--begin", "--ledger", "old.db")
    assert ended.code == 0
    assert (await terminal.run("ledger", "restored", "--end", "--yes", "--ledger", "old.db")).code == 0
    done = await terminal.run("batch", "payouts.csv", "--yes", "--ledger", "old.db")
    assert (done.code, REFUSED in done.err) == (2, True)


async def test_a_ledger_that_asks_first_is_not_refused(terminal: Terminal, sandbox: Sandbox) -> None:
    """A backup knows that it has forgotten something, and finds out what."""
    write_file(terminal.folder / "others.csv", [payout(70)])
    assert (await terminal.run("batch", "others.csv")).code == 0
    assert (await terminal.run("ledger", "backup", "old.db")).code == 0
    await paid(terminal)
    done = await terminal.run("batch", "payouts.csv", "--yes", "--ledger", "old.db")
    assert (done.code, REFUSED in done.err) == (0, False)
    assert len(sandbox.books.bookings) == 4


async def test_a_result_that_is_fed_back_speaks_for_itself(terminal: Terminal, sandbox: Sandbox) -> None:
    """In another folder, with another ledger: its own columns say what was sent."""
    await paid(terminal)
    shutil.move(terminal.folder / "payouts.result.csv", terminal.folder / "again.csv")
    done = await terminal.run("batch", "again.csv", "--ledger", "another.db")
    assert (done.code, f"the file itself {REFUSED}" in done.err) == (2, True)
    text = (terminal.folder / "again.csv").read_text()
    piped = await terminal.run("batch", "-", "--ledger", "another.db", stdin=text)
    assert (piped.code, REFUSED in piped.err) == (2, True)
    assert len(sandbox.books.bookings) == 3


async def test_an_empty_server_beside_the_result_of_an_earlier_run_is_refused(
    terminal: Terminal, sandbox: Sandbox, server: Server
) -> None:
    """Its tables were made, in whatever database; no payout is in it."""
    await paid(terminal)
    url = await server.ledger()
    done = await terminal.run("batch", "payouts.csv", "--yes", "--ledger", url)
    assert (done.code, f"{REFUSED}, and the ledger" in done.err, "is new" in done.err) == (2, True, True)
    assert len(sandbox.books.bookings) == 3


async def test_a_result_in_which_nothing_was_sent_tells_of_nothing(terminal: Terminal, sandbox: Sandbox) -> None:
    """A run that was stopped before its first payout leaves such a one."""
    terminal.file(3)
    row = payout(0) | {"paypro_trade_no": "x-1", "paypro_status": "not_sent"}
    write_file(terminal.folder / "payouts.result.csv", [row])
    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0
    assert len(sandbox.books.bookings) == 3


@pytest.mark.parametrize("separator", [";", "\t"])
async def test_a_result_that_a_spreadsheet_has_saved_is_understood(
    terminal: Terminal, sandbox: Sandbox, separator: str
) -> None:
    """With its own separator and a byte order mark."""
    await paid(terminal)
    result: Path = terminal.folder / "payouts.result.csv"
    result.write_text("\ufeff" + result.read_text().replace(",", separator))
    done = await terminal.run("batch", "payouts.csv", "--yes", "--ledger", "another.db")
    assert (done.code, REFUSED in done.err) == (2, True)


async def test_what_is_no_result_file_counts_for_a_new_ledger(terminal: Terminal, sandbox: Sandbox) -> None:
    """Where the result would be put there is something else, and nobody knows what it was."""
    terminal.file(3)
    (terminal.folder / "payouts.result.csv").write_text(json.dumps({"what": "is this"}))
    done = await terminal.run("batch", "payouts.csv", "--yes")
    assert (done.code, REFUSED in done.err) == (2, True)
    assert sandbox.books.bookings == []
