"""The file of failed rows: ready to mend and to pay, written beside the result, and never over what a person mended."""

from pathlib import Path
from typing import Any

from paypro_async.cli.batch.failed_file import failed_beside
from paypro_async.sandbox import Sandbox
from tests.support.terminal import Terminal, payout, read_file, write_file

FAILED = "payouts.failed.csv"


LATER = {"remark": "mended"}
FAILS = {"remark": "sandbox:fail:00029"}


def two_of_four() -> list[dict[str, str]]:
    return [payout(number, **(FAILS if number % 2 else {})) for number in range(4)]


async def pay(terminal: Terminal, name: str, *options: str, code: int = 0) -> dict[str, Any]:
    done = await terminal.run("batch", name, "--json", *options)
    assert done.code == code, done.err
    return done.summary


def mend(path: Path, **changes: str) -> list[dict[str, str]]:
    mended = [one | changes for one in read_file(path)]
    write_file(path, mended)
    return mended


def test_where_it_stands():
    """Beside the result, under a name that says whose rows they are."""
    names = ["a.result.csv", "a.result.xlsx", "a.txt-result.csv", "out.csv", "out", "a.result.result.csv"]
    assert [failed_beside(Path(name)).name for name in names] == [
        *("a.failed.csv", "a.failed.xlsx", "a.txt-failed.csv", "out.failed.csv", "out.failed", "a.result.failed.csv")
    ]


async def test_failed_rows_are_mended_and_paid_once(terminal: Terminal, sandbox: Sandbox):
    """They stand in a file of their own, without our columns; paid as often as one likes, each is paid once."""
    write_file(terminal.folder / "payouts.csv", two_of_four())
    told = await pay(terminal, "payouts.csv", code=4)
    assert told["failed_file"] == FAILED
    found = read_file(terminal.folder / FAILED)
    numbers = [one["paypro_trade_no"] for one in terminal.result() if one["paypro_status"] == "failed"]
    assert [one["retry_of"] for one in found] == numbers
    assert [one["trade_no"] for one in found] == [f"{number}-r2" for number in numbers]
    assert not [name for name in found[0] if name.startswith("paypro_")]
    assert found[0]["failed_because"].startswith("00029")

    mend(terminal.folder / FAILED, **LATER)
    for sent in (2, 0):
        told = await pay(terminal, FAILED)
        assert (told["sent_now"], told["rows"], told["failed_file"]) == (sent, 2, None)
    (terminal.folder / FAILED).rename(terminal.folder / "renamed.csv")
    assert (await pay(terminal, "renamed.csv"))["sent_now"] == 0
    paid = [one for one in sandbox.books.bookings if one.trade_no.endswith("-r2")]
    assert len(paid) == len({one.trade_no for one in paid}) == 2
    # The first file again has nothing more to mend.
    assert (await pay(terminal, "payouts.csv", code=4))["failed_file"] is None
    assert not (terminal.folder / FAILED).exists()


async def test_a_second_failure_counts_on(terminal: Terminal):
    """Each in the file of failed rows of its own file."""
    write_file(terminal.folder / "payouts.csv", [payout(0, trade_no="INV-7", **FAILS)])
    name = "payouts.csv"
    for number in ("INV-7-r2", "INV-7-r3", "INV-7-r4"):
        told = await pay(terminal, name, code=4)
        name = told["failed_file"]
        (row,) = read_file(terminal.folder / name)
        assert (row["trade_no"], [*row].count("trade_no")) == (number, 1)
    assert [*row][-2:] == ["retry_of", "failed_because"]


async def test_a_file_that_was_mended_is_never_written_over(terminal: Terminal):
    """Nor taken away; what it does not hold goes to a file beside it, which is replaced as long as nobody mends it."""
    source = terminal.folder / "payouts.csv"
    write_file(source, [payout(number, trade_no=f"T{number}", **FAILS) for number in range(2)])
    await pay(terminal, "payouts.csv", code=4)
    mended = mend(terminal.folder / FAILED, bank_number="4711")
    done = await terminal.run("batch", "payouts.csv")
    assert f"{FAILED} was changed since it was written, and was left as it is" in done.out
    write_file(source, [payout(number, trade_no=f"T{number}", **FAILS) for number in range(4)])
    for _ in range(2):
        told = await pay(terminal, "payouts.csv", code=4)
        assert told["failed_file"] == "payouts.failed-2.csv"
    assert read_file(terminal.folder / FAILED) == mended
    assert [one["retry_of"] for one in read_file(terminal.folder / "payouts.failed-2.csv")] == ["T2", "T3"]


async def test_a_foreign_file_of_that_name_is_left_alone(terminal: Terminal):
    """Whatever it is."""
    write_file(terminal.folder / "payouts.csv", two_of_four())
    (terminal.folder / FAILED).write_bytes(b"\xff notes")
    assert (await pay(terminal, "payouts.csv", code=4))["failed_file"] == "payouts.failed-2.csv"
    assert (terminal.folder / FAILED).read_bytes() == b"\xff notes"


async def test_the_input_is_never_written_over(terminal: Terminal):
    """A file of failed rows that is paid as it is, with the result under the name of another."""
    write_file(terminal.folder / "payouts.csv", two_of_four())
    await pay(terminal, "payouts.csv", code=4)
    before = (terminal.folder / FAILED).read_bytes()
    told = await pay(terminal, FAILED, "--result", "payouts.result.csv", "--replace-result", code=4)
    assert told["failed_file"] == "payouts.failed-2.csv"
    assert (terminal.folder / FAILED).read_bytes() == before


async def test_only_what_failed_for_good_is_in_it(terminal: Terminal):
    """Not what is processing or unknown: for those the same command again is the way."""
    wishes = ["sandbox:fail:00029", "sandbox:vanish", "sandbox:later:never", ""]
    write_file(terminal.folder / "p.csv", [payout(at, remark=wish) for at, wish in enumerate(wishes)])
    await pay(terminal, "p.csv", code=4)
    assert len(read_file(terminal.folder / "p.failed.csv")) == 1


async def test_a_retry_of_what_did_not_fail_is_refused(terminal: Terminal):
    """With the number and what is known of it, and nothing is sent."""
    write_file(terminal.folder / "a.csv", [payout(0, trade_no="T0")])
    await pay(terminal, "a.csv")
    write_file(terminal.folder / "b.csv", [payout(0, trade_no="T0-r2", retry_of="T0"), payout(1, trade_no="T1")])
    done = await terminal.run("batch", "b.csv", "--pay-again")
    assert done.code == 3
    assert "names T0, which is processing in the ledger" in done.err


async def test_what_was_paid_since_is_never_to_be_paid_as_another(terminal: Terminal):
    """Summary, JSON, result file, status and ledger name the new number and what became of it."""
    write_file(terminal.folder / "payouts.csv", [payout(at, trade_no=f"T{at}", **FAILS) for at in range(3)])
    await pay(terminal, "payouts.csv", code=4)
    rows = [
        one | ({"remark": "sandbox:paid"} if at < 2 else {})
        for at, one in enumerate(read_file(terminal.folder / FAILED))
    ]
    write_file(terminal.folder / "mended.csv", rows)
    await pay(terminal, "mended.csv", code=4)

    told = await pay(terminal, "payouts.csv", code=4)
    assert told["retried"]["statuses"] == {"succeeded": 2, "failed": 1}
    assert told["retried"]["first"]["T0"] == {"trade_no": "T0-r2", "status": "succeeded"}
    done = await terminal.run("batch", "payouts.csv", "--yes")
    assert "T0 as T0-r2 (succeeded), T1 as T1-r2 (succeeded), T2 as T2-r2 (failed)" in done.out
    assert "mend" not in done.out
    first, _, last = terminal.result()
    assert first["paypro_what_to_do"] == "Nothing: it was paid since, as T0-r2."
    assert "sent since as T2-r2, which failed too" in last["paypro_message"]
    batch_id = (await terminal.run("status", "payouts.csv", "--json")).summary["batch_id"]
    for what in ("payouts.csv", batch_id):
        status = (await terminal.run("status", what, "--json")).summary
        assert status["retried"] == {"rows": 3, "statuses": {"succeeded": 2, "failed": 1}}
        assert "never pay these as others" in status["statuses"]["failed"]["what_to_do"]
        assert "T0-r2, which succeeded" in status["attention"][0]["code"]
    (shown,) = (await terminal.run("ledger", "show", "T0", "--json")).summary["payouts"]
    assert shown["retry"] == {"trade_no": "T0-r2", "status": "succeeded"}
    assert "it was paid since, as T0-r2" in (await terminal.run_on_screen("ledger", "show", "T0", whole=True)).err
