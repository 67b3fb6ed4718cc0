"""`paypro batch`, run as anybody runs it: a process of its own, real HTTP, a real ledger."""

import os

from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.support.fork_server import ForkServer
from tests.support.postgres import Server
from tests.support.terminal import SECRET, Terminal, account, booked_exactly, payout, until, write_file


async def test_a_file_is_paid_and_told_row_by_row(terminal: Terminal, sandbox: Sandbox) -> None:
    """Exit code 0, a summary on standard output, a result file with every row, and each booked once."""
    terminal.file(30)
    done = await terminal.run_alone("batch", "payouts.csv", "--ledger", "sqlite:///elsewhere.db")

    assert done.code == 0, done.err
    assert "3,435.00 INR" in done.out
    assert "processing" in done.out
    assert "30 of 30 done: 30 accepted" in done.err
    results = terminal.result()
    assert {one["paypro_status"] for one in results} == {"processing"}
    assert [one["bank_number"] for one in results] == [account(number) for number in range(30)]
    assert booked_exactly(sandbox, results)
    assert (terminal.folder / "elsewhere.db").exists()


async def test_the_same_command_again_pays_nothing_twice(terminal: Terminal, sandbox: Sandbox) -> None:
    """It says that it knows the rows, and sends no payout; with --refresh it asks what became of them."""
    terminal.file(5)
    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0
    requests = len(sandbox.books.requests)

    again = await terminal.run("batch", "payouts.csv", "--yes", "--json")
    assert again.code == 0
    assert "Continuing: 5 of 5" in again.err
    assert len(sandbox.books.requests) == requests

    for trade_no in list(sandbox.books.orders)[:2]:
        sandbox.books.set_status(trade_no, "0000")
    fresh = await terminal.run("batch", "payouts.csv", "--yes", "--json", "--quiet", "--refresh")
    assert fresh.summary["statuses"]["succeeded"]["rows"] == 2
    assert fresh.summary["statuses"]["processing"]["rows"] == 3
    assert len(sandbox.books.bookings) == 5
    assert fresh.err == ""


async def test_json_is_one_object_of_everything(terminal: Terminal) -> None:
    """Amounts are text, and the result can be put anywhere."""
    write_file(terminal.folder / "p.csv", [payout(1, amount="0.10"), payout(2, amount="0.20")])
    done = await terminal.run("batch", "p.csv", "--yes", "--json", "--result", "out.csv")

    assert done.summary["amount"] == "0.30"
    assert done.summary["rows"] == 2
    assert done.summary["statuses"] == {"processing": {"rows": 2, "amount": "0.30"}}
    assert (done.summary["exit_code"], done.code) == (0, 0)
    assert done.summary["result_file"] == "out.csv"
    assert len(terminal.result("out.csv")) == 2
    assert "2 rows have amounts with decimals" in done.err


async def test_a_file_from_standard_input(terminal: Terminal, sandbox: Sandbox) -> None:
    """Without a name it has no result file, and says so."""
    text = terminal.file(3).read_text()
    done = await terminal.run("batch", "-", stdin=text)

    assert done.code == 0
    assert "--result" in done.err
    assert len(sandbox.books.bookings) == 3
    assert not (terminal.folder / "payouts.result.csv").exists()


async def test_refused_rows_give_exit_code_4(terminal: Terminal, sandbox: Sandbox) -> None:
    """The codes are counted, and the rest is paid."""
    rows = [payout(1), payout(2, remark="sandbox:refuse:00029"), payout(3, remark="sandbox:fail:00028")]
    write_file(terminal.folder / "p.csv", rows)
    done = await terminal.run("batch", "p.csv", "--yes")

    assert done.code == 4
    assert "00029, the transaction was rejected (1 row)" in done.out
    assert [one["paypro_status"] for one in terminal.result("p.result.csv")] == ["processing", "failed", "failed"]


async def test_a_number_of_another_payout_is_refused_before_paying(terminal: Terminal, sandbox: Sandbox) -> None:
    """Exit code 3, in a dry run as well and whatever --pay-again says, and no other row is sent either."""
    write_file(terminal.folder / "a.csv", [payout(1, trade_no="T1")])
    write_file(terminal.folder / "b.csv", [payout(2, trade_no="T1"), payout(3, trade_no="T3")])
    assert (await terminal.run("batch", "a.csv")).code == 0

    for extra in ([], ["--dry-run"], ["--pay-again"], ["--json"]):
        done = await terminal.run("batch", "b.csv", *extra)
        assert done.code == 3
        assert done.err.startswith("b.csv:2: row 1, trade_no: belongs to another payout in the ledger; give a new")
        assert "[TRADE_NO_CONFLICT]\n1 problem in 1 row. Nothing was sent.\n" in done.err
    assert [one["code"] for one in done.summary["problems"]] == ["TRADE_NO_CONFLICT"]
    assert len(sandbox.books.bookings) == 1


async def test_unknown_outcomes_give_exit_code_5_and_win_over_failures(tmp_path, fork_server: ForkServer) -> None:
    """The platform books and never says so; the next run finds out."""
    silent = FaultPlan(rate=1, query_rate=1, kinds=frozenset({Fault.BROKEN_JSON}))
    rows = [payout(1), payout(2, remark="sandbox:refuse:00029")]
    async with Sandbox(secret=SECRET, faults=silent) as sandbox:
        terminal = Terminal(tmp_path, sandbox.base_url, fork_server)
        write_file(tmp_path / "p.csv", rows)
        done = await terminal.run("batch", "p.csv", "--yes", "--json", "--timeout", "0.3")

    assert done.code == 5
    assert done.summary["statuses"]["unknown"]["rows"] == 2
    assert {one["paypro_status"] for one in terminal.result("p.result.csv")} == {"unknown"}


async def test_what_never_arrived_is_left_to_a_person_when_that_is_wanted(tmp_path, fork_server: ForkServer) -> None:
    """--resend never: review, and exit code 5."""
    lost = FaultPlan(rate=1, kinds=frozenset({Fault.RESET_BEFORE}))
    async with Sandbox(secret=SECRET, faults=lost) as sandbox:
        terminal = Terminal(tmp_path, sandbox.base_url, fork_server)
        terminal.file(1)
        done = await terminal.run(
            "batch", "payouts.csv", "--yes", "--json", "--resend", "never", "--settle-after", "0.4"
        )
        assert done.code == 5
        assert list(done.summary["statuses"]) == ["review"]
        assert len(sandbox.books.bookings) == 0


async def test_a_wrong_secret_stops_the_batch_at_once(terminal: Terminal, sandbox: Sandbox) -> None:
    """Exit code 4: nothing was accepted, most was not even begun, and the reason is said."""
    terminal.file(30)
    done = await terminal.run("batch", "payouts.csv", "--yes", "--concurrency", "2", env={"PAYPRO_SECRET": "wrong"})

    assert done.code == 4
    assert "PAYPRO_SECRET" in done.out
    assert {one["paypro_status"] for one in terminal.result()} == {"not_sent"}
    sent = [request.path for request in sandbox.books.requests if request.path.endswith("payout")]
    assert len(sent) < 10

    right = await terminal.run("batch", "payouts.csv", "--yes")
    assert right.code == 0
    assert len(sandbox.books.bookings) == 30


async def test_stop_rules_can_be_switched_off(terminal: Terminal, sandbox: Sandbox) -> None:
    """Then every row is tried, whatever the platform answers."""
    terminal.file(30)
    done = await terminal.run(
        "batch", "payouts.csv", "--yes", "--no-stop-rules", "--json", env={"PAYPRO_SECRET": "wrong"}
    )

    assert done.code == 4
    assert done.summary["stopped"] is None
    assert len(sandbox.books.requests) >= 30


async def test_a_platform_that_is_not_there_gives_exit_code_4(terminal: Terminal, unused_tcp_port) -> None:
    """Nothing was sent, and that is certain."""
    terminal.file(2)
    nowhere = f"http://127.0.0.1:{unused_tcp_port}"
    done = await terminal.run("batch", "payouts.csv", "--yes", "--json", "--base-url", nowhere, "--max-attempts", "1")

    assert done.code == 4
    assert list(done.summary["statuses"]) == ["not_sent"]


async def test_a_dry_run_sends_nothing_and_makes_nothing(terminal: Terminal, sandbox: Sandbox) -> None:
    """Neither a ledger nor a result file."""
    terminal.file(4)
    done = await terminal.run("batch", "payouts.csv", "--dry-run")

    assert done.code == 0
    assert done.out.startswith("4 payouts, 406.00 INR in all.\n")
    assert f"\nLedger   {terminal.folder}/payouts.db (new: the first payment makes it)\n" in done.out
    assert "\n        4              406.00  new: nothing was sent yet\n" in done.out
    assert [one.name for one in terminal.folder.iterdir()] == ["payouts.csv"]
    assert not sandbox.books.bookings


async def test_a_dry_run_counts_what_the_ledger_holds(terminal: Terminal) -> None:
    """For people and for programs."""
    terminal.file(4)
    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0

    done = await terminal.run("batch", "payouts.csv", "--dry-run")
    assert "\n        4              406.00  processing: accepted by the platform, not yet paid\n" in done.out
    done = await terminal.run("batch", "payouts.csv", "--dry-run", "--json")
    told = {"rows": 4, "amount": "406", "currency": "INR", "in_ledger": 4, "valid": True, "to_pay_rows": 0}
    assert done.summary | told == done.summary


async def test_a_result_file_that_cannot_be_written_in_the_end_is_said(terminal: Terminal, sandbox: Sandbox) -> None:
    """Exit code 1, with the summary; what was paid is in the ledger, and the same command again writes the file."""
    terminal.file(4)
    folder = terminal.folder / "out"
    folder.mkdir()
    command = ("batch", "payouts.csv", "--result", "out/r.csv")
    process = terminal.begin(*command, "--rate", "10")
    await until(sandbox, 1)
    folder.rmdir()

    assert await process.ended(within=60) == 1
    assert "result file could not be written" in process.errors
    assert "        4 " in process.output
    folder.mkdir()
    assert (await terminal.run(*command)).code == 0
    assert booked_exactly(sandbox, terminal.result("out/r.csv"))


async def test_the_rate_is_kept(terminal: Terminal, sandbox: Sandbox) -> None:
    """No second has more payouts than that."""
    terminal.file(7)
    done = await terminal.run("batch", "payouts.csv", "--yes", "--rate", "10", "--json")

    assert done.code == 0
    assert done.summary["seconds"] >= 0.5
    assert len(sandbox.books.bookings) == 7


async def test_a_ledger_that_cannot_be_opened_is_said_in_a_sentence(terminal: Terminal) -> None:
    """Exit code 1, and nothing was sent."""
    terminal.file(1)
    (terminal.folder / "bad.db").write_text("this is no ledger, but it is quite long for a text that is none at all")
    done = await terminal.run("batch", "payouts.csv", "--yes", "--ledger", "bad.db")

    assert done.code == 1
    assert done.err.startswith("Error: The ledger ")
    assert "bad.db cannot be used" in done.err


async def test_a_ledger_of_another_platform_is_refused(terminal: Terminal) -> None:
    """Test payouts and real ones do not mix; exit code 2."""
    terminal.file(1)
    assert (await terminal.run("batch", "payouts.csv", "--yes")).code == 0
    done = await terminal.run("batch", "payouts.csv", "--yes", "--environment", "production")

    assert done.code == 2
    assert "--environment='sandbox'" in done.err


async def test_the_transport_is_aiohttp_unless_the_environment_says_otherwise(terminal: Terminal, sandbox) -> None:
    """Without aiohttp the command says what to install and sends nothing; with PAYPRO_TRANSPORT=httpx it pays."""
    terminal.file(3)
    (terminal.folder / "without").mkdir()
    missing = 'raise ModuleNotFoundError("as if it were not installed", name="aiohttp")\n'
    (terminal.folder / "without" / "aiohttp.py").write_text(missing, encoding="utf-8")
    places = [str(terminal.folder / "without"), *filter(None, [os.environ.get("PYTHONPATH")])]
    without = {"PYTHONPATH": os.pathsep.join(places)}

    refused = await terminal.run_alone("batch", "payouts.csv", env=without)
    assert refused.code == 2
    assert "pip install 'paypro-async[aiohttp]'" in refused.err
    assert not sandbox.books.bookings

    paid = await terminal.run_alone("batch", "payouts.csv", env=without | {"PAYPRO_TRANSPORT": "httpx"})
    assert paid.code == 0, paid.err
    assert booked_exactly(sandbox, terminal.result())


async def test_a_ledger_on_a_server(terminal: Terminal, sandbox: Sandbox, server: Server) -> None:
    """Once its owner has made the tables; then a second run, perhaps on another machine, pays nothing twice."""
    terminal.file(5)
    url = server.database()
    refused = await terminal.run("batch", "payouts.csv", "--yes", "--ledger", url)
    assert refused.code == 2
    assert "paypro ledger migrate" in refused.err

    assert (await terminal.run("ledger", "migrate", "--ledger", url)).code == 0
    done = await terminal.run("batch", "payouts.csv", "--yes", "--ledger", url)
    assert done.code == 0, done.err
    again = await terminal.run("batch", "payouts.csv", "--yes", "--ledger", url)
    assert "Continuing: 5 of 5" in again.err
    assert booked_exactly(sandbox, terminal.result())
    asked = await terminal.run("query", terminal.result()[0]["paypro_trade_no"], "--ledger", url)
    assert asked.code == 0, asked.err
    shown = await terminal.run("ledger", "show", "--ledger", url)
    assert "payouts.csv" in shown.out
