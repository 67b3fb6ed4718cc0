"""`paypro batch --wait`: it ends when every row is final, and its exit code and result file say how."""

import signal

from paypro_async.sandbox import Sandbox
from tests.support.fork_server import ForkServer
from tests.support.terminal import SECRET, Terminal, booked_exactly, payout, until, write_file


async def test_every_row_paid_is_exit_code_0(tmp_path, fork_server: ForkServer) -> None:
    """The summary and the result file say so, and the progress tells what is waited for."""
    async with Sandbox(secret=SECRET, paid_after=0.2) as sandbox:
        terminal = Terminal(tmp_path, sandbox.base_url, fork_server)
        terminal.file(5)
        done = await terminal.run("batch", "payouts.csv", "--yes", "--json", "--wait", "--wait-timeout", "1")
        assert done.code == 0, done.out + done.err
        assert done.summary["statuses"] == {"succeeded": {"rows": 5, "amount": "510"}}
        assert (done.summary["waited"], done.summary["not_final"]) == (True, 0)
        assert "5 of 5 done: 5 accepted" in done.err
        assert {one["paypro_status"] for one in terminal.result()} == {"succeeded"}
        assert booked_exactly(sandbox, terminal.result())


async def test_some_failed_is_exit_code_4(tmp_path, fork_server: ForkServer) -> None:
    """As without waiting."""
    async with Sandbox(secret=SECRET, paid_after=0.2) as sandbox:
        terminal = Terminal(tmp_path, sandbox.base_url, fork_server)
        write_file(tmp_path / "p.csv", [payout(1), payout(2, remark="sandbox:fail:00028")])
        done = await terminal.run("batch", "p.csv", "--yes", "--wait", "--wait-timeout", "1")
        assert done.code == 4, done.out + done.err
        assert [one["paypro_status"] for one in terminal.result("p.result.csv")] == ["succeeded", "failed"]


async def test_what_is_open_at_the_deadline_is_exit_code_5(terminal: Terminal, sandbox: Sandbox) -> None:
    """It says what to do; without --wait the same rows are good."""
    terminal.file(2)
    done = await terminal.run("batch", "payouts.csv", "--yes", "--wait", "--wait-timeout", "0.3")
    assert done.code == 5, done.out + done.err
    assert "2 rows were not final when the waiting ended. Run the same command again to go on waiting" in done.out
    assert "--refresh" not in done.out
    assert {one["paypro_status"] for one in terminal.result()} == {"processing"}
    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0


async def test_what_is_only_processing_is_not_called_unknown(terminal: Terminal, sandbox: Sandbox) -> None:
    """The message of exit code 5 says what it is, unless something is unknown too."""
    write_file(terminal.folder / "p.csv", [payout(1), payout(2, remark="sandbox:fail:00028")])
    done = await terminal.run("batch", "p.csv", "--yes", "--wait", "--wait-timeout", "0.3", "--json")
    assert (done.code, done.summary["kind"]) == (5, "unknown_left")
    assert done.summary["message"].startswith("Some rows were still processing when the waiting ended")
    assert "unknown" not in done.summary["message"]

    write_file(terminal.folder / "q.csv", [payout(3), payout(4, remark="sandbox:vanish")])
    done = await terminal.run("batch", "q.csv", "--wait", "--wait-timeout", "0.3", "--json")
    assert set(done.summary["statuses"]) == {"processing", "missing"}
    assert done.summary["message"].startswith("Some outcomes are unknown")


async def test_an_interrupted_wait_goes_on_with_the_same_command(terminal: Terminal, sandbox: Sandbox) -> None:
    """What is paid stays paid, and nothing is sent again."""
    terminal.file(3)
    process = await terminal.start("batch", "payouts.csv", "--wait")
    await until(sandbox, 3)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130, err
    assert b"Interrupted. Continue with: paypro batch payouts.csv" in err
    for trade_no in sandbox.books.orders:
        sandbox.books.set_status(trade_no, "0000")
    done = await terminal.run("batch", "payouts.csv", "--yes", "--wait", "--wait-timeout", "1")
    assert done.code == 0, done.out + done.err
    assert {one["paypro_status"] for one in terminal.result()} == {"succeeded"}
    assert len(sandbox.books.bookings) == 3


async def test_a_time_to_wait_without_waiting_is_refused(terminal: Terminal) -> None:
    """It would mean nothing."""
    terminal.file(1)
    done = await terminal.run("batch", "payouts.csv", "--yes", "--wait-timeout", "5")
    assert done.code == 2
    assert "give --wait too" in done.err
