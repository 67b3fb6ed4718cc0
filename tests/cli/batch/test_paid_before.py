"""What a run says of payments that were made before it, and what it asks."""

import json

import pytest

from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.support.raw_sql import run
from tests.support.terminal import SECRET, Terminal, payout, read_file, write_file


def grow_older(terminal: Terminal, days: float) -> None:
    """Let everything in the ledger have happened so many days ago."""
    ledger = f"sqlite:///{terminal.folder / 'payouts.db'}"
    run(ledger, f"UPDATE payout SET created_at = created_at - {days * 86400}")  # noqa: S608  a number of the test's own


async def paid(terminal: Terminal, name: str, week: str, count: int = 5, *, more: int = 0) -> None:
    """Write the wages of a week."""
    rows = [payout(number, remark=f"wages {week}") for number in range(count)]
    write_file(terminal.folder / name, rows + [payout(100 + number) for number in range(more)])


async def test_wages_of_the_next_week_are_shown_and_paid_where_nobody_can_be_asked(
    terminal: Terminal, sandbox: Sandbox
) -> None:
    """A run from cron goes on; each row is named with the number, the day, the file and the remark of the last time."""
    await paid(terminal, "week31.csv", "31")
    assert (await terminal.run("batch", "week31.csv")).code == 0
    grow_older(terminal, 7)
    await paid(terminal, "week32.csv", "32", more=1)

    done = await terminal.run("batch", "week32.csv", "--json")

    assert done.code == 0, done.err
    assert done.err.count("[PAID_BEFORE]") == 5
    assert "from week31.csv; that was another run [PAID_BEFORE]; its remark: 'wages 31'" in done.err
    assert "The same amount went to the same account before, by other runs, for 5 rows." in done.err
    assert (done.summary["sent_now"], done.summary["accepted_before"]["rows"]) == (6, 0)
    assert len(sandbox.books.bookings) == 11


@pytest.mark.parametrize(("answer", "code", "bookings"), [("303\n", 0, 6), ("n\n", 3, 3), ("\n", 3, 3), ("^C", 130, 3)])
async def test_on_a_terminal_it_is_asked(
    terminal: Terminal, sandbox: Sandbox, answer: str, code: int, bookings: int
) -> None:
    """Enter alone is no."""
    await paid(terminal, "week31.csv", "31", 3)
    assert (await terminal.run("batch", "week31.csv")).code == 0
    grow_older(terminal, 7)
    await paid(terminal, "week32.csv", "32", 3)

    done = await terminal.run_on_screen("batch", "week32.csv", answers=[answer])

    assert "Pay 3 rows, 303.00 INR, largest 102.00, balance 99,99,99,697.00?" in done.err
    assert done.code == code, done.err
    assert len(sandbox.books.bookings) == bookings


async def test_equal_rows_of_one_file_are_asked_about_on_a_terminal(terminal: Terminal, sandbox: Sandbox) -> None:
    """Both may be meant, and their sum says so."""
    write_file(terminal.folder / "payouts.csv", [payout(1), payout(1, remark="once more")])
    refused = await terminal.run_on_screen("batch", "payouts.csv", answers=["n\n"])
    assert refused.code == 3
    assert "1 row repeats an earlier row (same amount, same beneficiary): line 3." in refused.err
    assert (await terminal.run_on_screen("batch", "payouts.csv", "--pay-again", answers=["202\n"])).code == 0
    assert len(sandbox.books.bookings) == 2


async def test_what_was_paid_long_ago_is_not_looked_at(terminal: Terminal, sandbox: Sandbox) -> None:
    """After 35 days, or after as many as the option says."""
    await paid(terminal, "a.csv", "31", 2)
    assert (await terminal.run("batch", "a.csv")).code == 0
    grow_older(terminal, 10)
    await paid(terminal, "b.csv", "32", 2)
    assert "PAID_BEFORE" in (await terminal.run("batch", "b.csv", "--dry-run")).err
    assert "PAID_BEFORE" not in (await terminal.run("batch", "b.csv", "--dry-run", "--paid-within", "9")).err
    grow_older(terminal, 26)
    assert "PAID_BEFORE" not in (await terminal.run("batch", "b.csv", "--dry-run")).err
    assert len(sandbox.books.bookings) == 2


async def test_rows_that_are_left_out_say_so_in_the_result_file(terminal: Terminal, sandbox: Sandbox) -> None:
    """With the number that they were paid under; and fed back they are left out again."""
    await paid(terminal, "week31.csv", "31", 2)
    assert (await terminal.run("batch", "week31.csv")).code == 0
    numbers = [one["paypro_trade_no"] for one in terminal.result("week31.result.csv")]
    await paid(terminal, "week32.csv", "32", 2, more=1)

    done = await terminal.run("batch", "week32.csv", "--skip-paid")
    again = await terminal.run("batch", "week32.result.csv", "--skip-paid", "--json")

    assert (done.code, again.code) == (0, 0), again.err
    assert "1 row was sent now. 2 were left out, as known under other numbers (2 processing)." in done.out
    results = read_file(terminal.folder / "week32.result.csv")
    assert [one["paypro_status"] for one in results] == ["not_sent", "not_sent", "processing"]
    assert all(number in one["paypro_message"] for number, one in zip(numbers, results, strict=False))
    assert again.summary["sent_now"] == 0
    assert again.summary["left_out"] == {"rows": 2, "statuses": {"processing": 2}}
    assert len(sandbox.books.bookings) == 3


async def test_the_same_file_once_more_does_not_look_like_a_payment(terminal: Terminal, sandbox: Sandbox) -> None:
    """It says first that nobody was paid now, and when all of them were taken."""
    terminal.file(4)
    first = await terminal.run("batch", "payouts.csv", "--yes", "--json")
    assert (first.summary["sent_now"], first.summary["accepted_before"]["rows"]) == (4, 0)
    grow_older(terminal, 31)

    again = await terminal.run("batch", "payouts.csv", "--yes")
    as_json = (await terminal.run("batch", "payouts.csv", "--yes", "--json")).summary

    assert again.code == 0
    assert again.out.startswith("Nothing new was sent: all 4 rows were accepted before, on ")
    assert again.out.splitlines()[0].endswith(" as payouts.csv.")
    assert as_json["sent_now"] == 0
    before = as_json["accepted_before"]
    assert (before["rows"], before["files"]) == (4, ["payouts.csv"])
    assert before["first"] <= before["last"]
    assert len(sandbox.books.bookings) == 4


async def test_a_run_that_goes_on_tells_both_numbers(terminal: Terminal, sandbox: Sandbox) -> None:
    """What it sent itself, and what was accepted before."""
    rows = [payout(number) | {"trade_no": f"N{number}"} for number in range(3)]
    write_file(terminal.folder / "a.csv", rows[:1])
    assert "1 row was sent now." in (await terminal.run("batch", "a.csv")).out
    write_file(terminal.folder / "b.csv", rows)
    done = await terminal.run("batch", "b.csv")
    assert "2 rows were sent now. 1 was accepted before, on " in done.out
    assert " as a.csv." in done.out
    assert len(sandbox.books.bookings) == 3


@pytest.mark.parametrize("wait", [("--wait", "--wait-timeout", "2"), ("--refresh",)])
async def test_what_was_processing_before_is_not_called_paid(
    terminal: Terminal, sandbox: Sandbox, wait: tuple[str, ...]
) -> None:
    """It was accepted; the table says what has become of it since."""
    terminal.file(2)
    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0
    for trade_no, code in zip(list(sandbox.books.orders), ("0000", "00028"), strict=True):
        sandbox.books.set_status(trade_no, code)

    done = await terminal.run("batch", "payouts.csv", "--yes", *wait)

    first, *table = done.out.splitlines()
    assert first.startswith("Nothing new was sent: all 2 rows were accepted before, on ")
    assert [line.split("  ")[-1].split(":")[0] for line in table[1:3]] == ["succeeded", "failed"]
    assert done.code == 4


async def test_what_was_unknown_or_failed_before_is_not_called_accepted(terminal: Terminal, sandbox: Sandbox) -> None:
    """Whatever the platform says of it now."""
    wishes = ("sandbox:fail:00028", "none", "none")
    rows = [payout(number, remark=wish) | {"trade_no": f"N{number}"} for number, wish in enumerate(wishes)]
    write_file(terminal.folder / "p.csv", rows)
    write_file(terminal.folder / "some.csv", rows[:2])
    write_file(terminal.folder / "other.csv", rows[2:])
    assert (await terminal.run("batch", "some.csv")).code == 4
    silence = FaultPlan(rate=1, query_rate=1, kinds=frozenset({Fault.BROKEN_JSON}))
    async with Sandbox(secret=SECRET, faults=silence) as silent:
        env = {"PAYPRO_BASE_URL": silent.base_url}
        assert (await terminal.run("batch", "other.csv", "--timeout", "0.5", "--ignore-balance", env=env)).code == 5

    done = await terminal.run("batch", "p.csv", "--yes", "--pay-again")

    assert done.out.startswith("1 row was sent now. 1 was accepted before, on "), done.out
    assert [one["paypro_status"] for one in terminal.result("p.result.csv")] == ["failed", "processing", "processing"]


async def test_a_refusal_as_json_holds_what_is_known(terminal: Terminal) -> None:
    """Of each row the other number, its status, when, from which file, with which remark, and why it counts."""
    await paid(terminal, "a.csv", "31", 1)
    assert (await terminal.run("batch", "a.csv")).code == 0
    await paid(terminal, "b.csv", "32", 1, more=1)

    refused = await terminal.run("batch", "b.csv", "--json")

    assert refused.code == 3
    (found,) = json.loads(refused.out)["paid_before"]
    (number,) = [one["paypro_trade_no"] for one in terminal.result("a.result.csv")]
    assert found.pop("stored").startswith("20")
    assert found == {
        "line": 2,
        "row": 1,
        "trade_no": number,
        "status": "processing",
        "file": "a.csv",
        "remark": "wages 31",
        "evidence": "last_day",
    }


async def test_a_result_file_is_known_by_its_columns(terminal: Terminal, sandbox: Sandbox) -> None:
    """It says that it is one; and one that has lost its numbers, in a column or in a cell, is refused."""
    terminal.file(3)
    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0
    results = terminal.result()

    again = await terminal.run("batch", "payouts.result.csv")
    assert again.code == 0
    assert "payouts.result.csv is a result file" in again.err
    for lost in (
        [{key: value for key, value in one.items() if key != "paypro_trade_no"} for one in results],
        [one | ({"paypro_trade_no": ""} if at == 1 else {}) for at, one in enumerate(results)],
    ):
        write_file(terminal.folder / "lost.csv", lost)
        refused = await terminal.run("batch", "lost.csv", "--pay-again", "--new-ledger")
        assert refused.code == 3
        assert "result file" in refused.err
    assert len(sandbox.books.bookings) == 3


async def test_numbers_of_one_file_that_look_alike_are_said_or_refused(terminal: Terminal, sandbox: Sandbox) -> None:
    """Refused where they pay the same; else said, and paid."""
    write_file(terminal.folder / "a.csv", [payout(1) | {"trade_no": "inv-1"}, payout(2) | {"trade_no": "INV-1"}])
    done = await terminal.run("batch", "a.csv")
    assert done.code == 0
    assert "1 row has a trade number that differs from that of an earlier row only by case" in done.err
    write_file(terminal.folder / "b.csv", [payout(5) | {"trade_no": "0007"}, payout(5) | {"trade_no": "7"}])
    refused = await terminal.run("batch", "b.csv")
    assert refused.code == 3
    assert "b.csv:3: row 2, trade_no: " in refused.err
    assert "[TRADE_NO_TWIN]" in refused.err
    assert len(sandbox.books.bookings) == 2


async def test_a_number_that_looks_like_a_known_one_is_named(terminal: Terminal, sandbox: Sandbox) -> None:
    """Of another payment it is said; of the same one it is refused, in whichever file and however old."""
    write_file(terminal.folder / "a.csv", [payout(1) | {"trade_no": "000123"}])
    assert (await terminal.run("batch", "a.csv")).code == 0
    grow_older(terminal, 20)
    write_file(terminal.folder / "b.csv", [payout(2) | {"trade_no": "123"}])
    assert "by case, zeros or number format: line 2 (000123)." in (await terminal.run("batch", "b.csv")).err
    write_file(terminal.folder / "c.csv", [payout(1) | {"trade_no": "0123"}, payout(9) | {"trade_no": "x"}])
    refused = await terminal.run("batch", "c.csv")
    assert refused.code == 3
    assert "is in the ledger as 000123" in refused.err
    assert "its number differs from that one only by case, zeros or number format [PAID_BEFORE]" in refused.err
    assert len(sandbox.books.bookings) == 2
