"""``paypro status`` and ``paypro resume``: how far a batch has come, and how it goes on after it was cut off."""

import signal

from paypro_async.sandbox import Sandbox
from tests.support.terminal import Terminal, payout, until, write_file

ROWS = 12
FAILS = {"remark": "sandbox:fail:00029"}


async def cut_off(terminal: Terminal, sandbox: Sandbox, name: str, first: int = 0) -> None:
    """Begin a file, and kill its run when a few of it were booked."""
    write_file(terminal.folder / name, [payout(first + at) for at in range(ROWS)])
    booked = len(sandbox.books.bookings)
    process = terminal.begin("batch", name, "--yes", "--rate", "5", "--quiet")
    await until(sandbox, booked + 3)
    process.signal(signal.SIGKILL)
    await process.ended()


async def test_the_latest_batches(terminal: Terminal):
    """Each with its file, its sum and what became of it; on a terminal in its width."""
    write_file(terminal.folder / "nov.csv", [payout(at, **(FAILS if at == 1 else {})) for at in range(3)])
    await terminal.run("batch", "nov.csv", "--yes")
    told = (await terminal.run("status", "--json")).summary
    (batch,) = told["batches"]
    assert (batch["name"], batch["rows"], batch["ended"]) == ("nov.csv", 3, True)
    assert (batch["statuses"]["failed"]["rows"], batch["amount"]) == (1, "303")
    screen = (await terminal.run_on_screen("status", whole=True)).err
    assert "nov.csv" in screen
    assert "303.00" in screen
    assert batch["batch_id"] in screen
    assert max(map(len, screen.splitlines())) <= 80


async def test_one_of_them(terminal: Terminal):
    """By its file, its plan or its name, with what each status means and what to do; the exit code is that of batch."""
    file = write_file(terminal.folder / "nov.csv", [payout(at, **(FAILS if at == 1 else {})) for at in range(3)])
    await terminal.run("plan", "nov.csv")
    await terminal.run("batch", "nov.csv", "--yes")
    (batch,) = (await terminal.run("status", "--json")).summary["batches"]
    for named in ("file", "batch", "plan", "name of a file that is gone"):
        what = {"batch": batch["batch_id"], "plan": "nov.csv.plan.json"}.get(named, "nov.csv")
        if named.startswith("name"):
            file.unlink()
        done = await terminal.run("status", what, "--json")
        assert done.code == 4, (named, done.err)
        assert done.summary["batch_id"] == batch["batch_id"]
        assert done.summary["statuses"]["failed"]["what_to_do"].startswith("Mend the cause")
        assert [one["code"] for one in done.summary["attention"]] == ["00029"]
        screen = await terminal.run_on_screen("status", what, whole=True)
        assert max(map(len, screen.err.splitlines())) <= 80
        assert done.summary["attention"][0]["trade_no"] in screen.err


async def test_a_file_that_was_never_begun(terminal: Terminal):
    """It says so; a file that is not valid is refused as it would be, and nothing makes a ledger."""
    terminal.file(2)
    assert (await terminal.run("status", "payouts.csv")).code == 2
    await terminal.run("batch", "payouts.csv", "--yes")
    terminal.file(3, "other.csv")
    done = await terminal.run("status", "other.csv")
    assert "knows no run of it" in done.out
    assert "not_sent" in done.out
    assert (await terminal.run("status", "nothing.csv")).code == 2
    (terminal.folder / "bad.csv").write_text("amount,name\nx,y\n")
    assert (await terminal.run("status", "bad.csv")).code == 3


async def test_what_was_cut_off_goes_on(terminal: Terminal, sandbox: Sandbox):
    """Nothing is asked, since it was agreed to; every row is paid once, also when it is resumed once more."""
    await cut_off(terminal, sandbox, "payouts.csv")
    (batch,) = (await terminal.run("status", "--json")).summary["batches"]
    assert batch["ended"] is False
    done = await terminal.run("resume", "--json")
    assert done.code == 0, done.err
    assert done.summary["rows"] == ROWS
    assert len(sandbox.books.bookings) == len({one.trade_no for one in sandbox.books.bookings}) == ROWS
    assert "Every batch has ended" in (await terminal.run("resume")).out
    again = await terminal.run("resume", "payouts.csv", "--json")
    assert (again.code, again.summary["sent_now"]) == (0, 0)


async def test_what_is_not_what_was_begun_is_refused(terminal: Terminal, sandbox: Sandbox):
    """Changed, gone, or never begun: nothing is sent, and it says what to do."""
    await cut_off(terminal, sandbox, "payouts.csv")
    booked = len(sandbox.books.bookings)
    terminal.file(ROWS + 1)
    for words, said in (((), "is not what it was"), (("payouts.csv",), "knows no run of payouts.csv")):
        done = await terminal.run("resume", *words)
        assert (done.code, said in done.err, "Nothing was sent" in done.err) == (2, True, True), done.err
    (terminal.folder / "payouts.csv").unlink()
    done = await terminal.run("resume")
    assert (done.code, "is not there" in done.err, "paypro reconcile" in done.err) == (2, True, True)
    assert len(sandbox.books.bookings) == booked


async def test_of_several_one_has_to_be_named(terminal: Terminal, sandbox: Sandbox):
    """Each is listed with the command that goes on with it."""
    await cut_off(terminal, sandbox, "a.csv")
    await cut_off(terminal, sandbox, "b.csv", first=1000)
    done = await terminal.run("resume")
    assert done.code == 2
    commands = [line.split("#")[0].split()[2] for line in done.err.splitlines() if "paypro resume file-" in line]
    assert len(commands) == 2
    for name in commands:
        assert (await terminal.run("resume", name)).code == 0
    assert len(sandbox.books.bookings) == 2 * ROWS


async def test_rows_that_were_left_out(terminal: Terminal):
    """They are said to be in the ledger under other numbers, and nothing advises to send them."""
    rows = [payout(at, trade_no=f"E{at}") for at in range(3)]
    write_file(terminal.folder / "e.csv", rows[:2])
    write_file(terminal.folder / "f.csv", [one | {"trade_no": f"F{at}"} for at, one in enumerate(rows)])
    await terminal.run("batch", "e.csv", "--yes")
    await terminal.run("batch", "e.csv", "--yes", "--refresh")
    await terminal.run("batch", "f.csv", "--yes", "--skip-paid")
    done = await terminal.run("status", "f.csv", "--json")
    assert done.code == 0
    assert done.summary["rows"] == 3
    assert done.summary["left_out"] == {"rows": 2, "statuses": {"processing": 2}, "trade_nos": ["E0", "E1"]}
    assert "not_sent" not in done.summary["statuses"]
    screen = " ".join((await terminal.run_on_screen("status", "f.csv", whole=True)).err.split())
    assert "under other numbers (2 processing): E0, E1. Do not send these" in screen
    await terminal.run("report", "f.csv", "--force")
    assert "Left out, since the same was paid as E0" in (terminal.folder / "f.report.html").read_text()


async def test_a_batch_that_was_cut_off_does_not_say_all(terminal: Terminal, sandbox: Sandbox):
    """How many rows its file has was not noted; what is counted is what it came to."""
    await cut_off(terminal, sandbox, "nov.csv")
    (terminal.folder / "nov.csv").rename(terminal.folder / "moved.csv")
    done = await terminal.run("status", "nov.csv")
    assert "so far" in done.out
    assert "in all" not in done.out
    assert "not ended" in (await terminal.run("status")).out
