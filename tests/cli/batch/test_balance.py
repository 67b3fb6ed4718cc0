"""The balance, compared with what is still to be paid before the first row is sent."""

import json
from collections.abc import AsyncIterator

import pytest

from paypro_async.sandbox import Sandbox
from tests.support.fork_server import ForkServer
from tests.support.network import Cable
from tests.support.terminal import SECRET, Terminal, payout, write_file


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """With money for two rows and a half."""
    async with Sandbox(secret=SECRET, balance="250") as sandbox:
        yield sandbox


@pytest.fixture
async def terminal(tmp_path, sandbox: Sandbox, fork_server: ForkServer) -> AsyncIterator[Terminal]:
    terminal = Terminal(tmp_path, sandbox.base_url, fork_server)
    yield terminal
    await terminal.aclose()


async def test_a_sum_beyond_the_balance_sends_nothing(terminal: Terminal, sandbox: Sandbox) -> None:
    """Exit code 4, both numbers, and how to go on."""
    terminal.file(3)
    refused = await terminal.run("batch", "payouts.csv", "--yes")
    as_json = await terminal.run("batch", "payouts.csv", "--yes", "--json")

    assert (refused.code, as_json.code) == (4, 4)
    assert "The balance is 250.00 INR, and 303.00 INR are still to be paid." in refused.err
    assert "Nothing was sent." in refused.err
    assert "--ignore-balance" in refused.err
    found = json.loads(as_json.out)
    assert (found["stopped"], found["balance"], found["to_pay"]) == ("low_balance", "250.0000", "303")
    assert not sandbox.books.bookings


@pytest.mark.parametrize("option", ["--ignore-balance", "--no-stop-rules"])
async def test_it_pays_as_far_as_the_money_goes_if_that_is_said(
    terminal: Terminal, sandbox: Sandbox, option: str
) -> None:
    """The platform refuses the rest itself."""
    terminal.file(3)
    done = await terminal.run("batch", "payouts.csv", "--yes", option, "--concurrency", "1")
    assert done.code == 4
    assert len(sandbox.books.bookings) == 2


async def test_only_what_is_still_to_be_paid_counts(terminal: Terminal, sandbox: Sandbox) -> None:
    """A file that goes on needs no more than its rest; one that is paid, nothing."""
    numbered = [payout(number) | {"trade_no": f"N{number}"} for number in range(3)]
    write_file(terminal.folder / "a.csv", numbered[:2])
    assert (await terminal.run("batch", "a.csv")).code == 0
    assert (await terminal.run("batch", "a.csv")).code == 0
    write_file(terminal.folder / "b.csv", numbered)
    refused = await terminal.run("batch", "b.csv")
    assert refused.code == 4
    assert "The balance is 49.00 INR, and 102.00 INR are still to be paid." in refused.err
    assert len(sandbox.books.bookings) == 2


async def test_a_preview_shows_it(terminal: Terminal, sandbox: Sandbox) -> None:
    """Once there is a ledger; and it is no reason to refuse a file that is valid."""
    terminal.file(1)
    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0
    write_file(terminal.folder / "more.csv", [payout(number) for number in range(5, 9)])
    shown = await terminal.run("batch", "more.csv", "--dry-run")
    assert shown.code == 0
    assert "\nBalance  150.00 INR, too low for the 426.00 INR to be paid\n" in shown.out
    as_json = await terminal.run("batch", "more.csv", "--dry-run", "--json")
    assert (as_json.summary["balance"], as_json.summary["to_pay"]) == ("150.0000", "426")


async def test_a_balance_that_cannot_be_had_is_said_and_no_reason_to_stop(terminal: Terminal, sandbox: Sandbox) -> None:
    """A platform without such a page, say."""
    terminal.file(2)
    async with Cable(sandbox.base_url, without="queryBalance") as cable:
        done = await terminal.run("batch", "payouts.csv", "--yes", "--base-url", cable.url)
    assert done.code == 0, done.err
    assert "The balance could not be had, so it was not compared with the sum." in done.err
    assert len(sandbox.books.bookings) == 2
