"""A file that was edited after a part of it was paid is not paid a second time."""

import signal

from paypro_async.sandbox import Sandbox
from tests.support.terminal import Terminal, booked_exactly, payout, read_file, until, write_file


async def test_an_edited_file_is_refused_until_somebody_says_what_is_meant(
    terminal: Terminal, sandbox: Sandbox
) -> None:
    """Exit code 3 with each row and the number it was paid under; --pay-again pays it; then all is known."""
    terminal.file(3)
    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0
    first = [one["paypro_trade_no"] for one in terminal.result()]
    write_file(terminal.folder / "payouts.csv", [payout(0), payout(1, remark="other"), payout(2), payout(3)])

    for extra in ([], ["--dry-run"]):
        refused = await terminal.run("batch", "payouts.csv", "--yes", *extra)
        assert refused.code == 3
        lines = [line for line in refused.err.splitlines() if "[PAID_BEFORE]" in line]
        assert [line.partition(": row")[0] for line in lines] == ["payouts.csv:2", "payouts.csv:3", "payouts.csv:4"]
        assert all(number in line for number, line in zip(first, lines, strict=True))
        assert "from payouts.csv; that file has the same name [PAID_BEFORE]; its remark: 'invoice 1'" in lines[1]
        assert "Nothing was sent." in refused.err
        assert "--pay-again" in refused.err
    assert len(sandbox.books.bookings) == 3

    assert (await terminal.run("batch", "payouts.csv", "--yes", "--pay-again")).code == 0
    assert len(sandbox.books.bookings) == 7


async def test_the_result_file_is_the_way_to_edit_a_file_that_was_paid_in_part(
    terminal: Terminal, sandbox: Sandbox
) -> None:
    """Fed back with a row more, it pays that row and no other."""
    terminal.file(20)
    process = terminal.begin("batch", "payouts.csv", "--rate", "50", "--concurrency", "2")
    await until(sandbox, 5)
    process.signal(signal.SIGTERM)
    assert await process.ended(within=120) == 130

    rows = read_file(terminal.folder / "payouts.result.csv")
    more = dict.fromkeys(rows[0], "") | payout(99)
    write_file(terminal.folder / "edited.csv", [*rows, more])
    done = await terminal.run("batch", "edited.csv", "--json")

    assert done.code == 0, done.err
    assert len(sandbox.books.bookings) == 21
    results = terminal.result("edited.result.csv")
    assert booked_exactly(sandbox, results)
    assert list(results[0]).count("paypro_status") == 1


async def test_the_same_file_is_paid_anew_when_that_is_said_twice(terminal: Terminal, sandbox: Sandbox) -> None:
    """--run gives other numbers, and --pay-again says that it is meant; one alone pays nothing."""
    terminal.file(2)
    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0
    assert (await terminal.run("batch", "payouts.csv", "--yes", "--run", "july")).code == 3
    assert (await terminal.run("batch", "payouts.csv", "--yes", "--pay-again")).code == 0
    assert len(sandbox.books.bookings) == 2

    assert (await terminal.run("batch", "payouts.csv", "--yes", "--run", "july", "--pay-again")).code == 0
    assert len(sandbox.books.bookings) == 4
