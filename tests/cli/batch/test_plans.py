"""Plan, look, apply: exactly what was planned is paid, or nothing is."""

import json
import shlex
import signal
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from paypro_async.sandbox import FaultPlan, Sandbox
from tests.support.fork_server import ForkServer
from tests.support.terminal import SECRET, Terminal, account, booked_exactly, payout, until, write_file
from tests.support.workbooks import HEADER, PAYOUT, changed, sheet, workbook

PLAN = "payouts.csv.plan.json"


async def planned(terminal: Terminal, *options: str, count: int = 3) -> dict[str, object]:
    """Plan a file of payouts of 100, 101, and so on."""
    terminal.file(count)
    done = await terminal.run("plan", "payouts.csv", *options)
    assert done.code == 0, done.err
    return dict(json.loads((terminal.folder / PLAN).read_text()))


async def test_a_plan_sends_nothing_and_is_paid_later(terminal: Terminal, sandbox: Sandbox) -> None:
    """Each row once, under the numbers that the plan names; a second time nothing new is sent."""
    plan = await planned(terminal)
    assert not sandbox.books.bookings
    assert not (terminal.folder / "payouts.db").exists()

    done = await terminal.run("apply", PLAN, "--yes", "--json")
    assert done.code == 0, done.err
    assert (done.summary["sent_now"], done.summary["known_before"]) == (3, 0)
    results = terminal.result()
    assert booked_exactly(sandbox, results)
    assert plan["first_trade_no"] == results[0]["paypro_trade_no"]
    assert plan["last_trade_no"] == results[-1]["paypro_trade_no"]

    again = await terminal.run("apply", PLAN, "--yes", "--json")
    assert (again.code, again.summary["sent_now"], again.summary["known_before"]) == (0, 0, 3)
    assert len(sandbox.books.bookings) == 3


async def test_what_a_plan_shows(terminal: Terminal) -> None:
    """File, ledger with its full path and that it is new, account, balance beside the sum, and rows."""
    terminal.file(7)
    shown = await terminal.run("plan", "payouts.csv")
    lines = shown.out.splitlines()
    assert lines[0] == "7 payouts, 721.00 INR in all."
    assert f"File     {terminal.folder}/payouts.csv" in lines
    assert f"Ledger   {terminal.folder}/payouts.db (new: the first payment makes it)" in lines
    assert "Account  merchant 0000000001 on sandbox" in lines
    assert "Balance  1,00,00,00,000.00 INR, enough for the 721.00 INR to be paid" in lines
    assert "        7              721.00  new: nothing was sent yet" in lines
    assert lines[lines.index("Largest rows") + 2].split()[:2] == ["8", "106.00"]
    assert f"Pay it with: paypro apply {PLAN}" in shown.err

    await terminal.run("apply", PLAN)
    known = await terminal.run("plan", "payouts.csv")
    assert f"Ledger   {terminal.folder}/payouts.db\n" in known.out
    assert "Balance  not asked for, since nothing is left to be paid" in known.out
    assert "processing: " in known.out


async def test_a_plan_says_which_sheet_it_is_of(terminal: Terminal, sandbox: Sandbox) -> None:
    """And pays that one, although somebody has added another one that could be paid since."""
    (terminal.folder / "pay.xlsx").write_bytes(
        workbook(sheet(["Name", "Amount"], ["Asha", "300"]), sheet(HEADER, PAYOUT), names=["Summary", "June"])
    )
    shown = await terminal.run("plan", "pay.xlsx")
    assert "Sheet    June" in shown.out.splitlines()
    assert "from the sheet 'June' alone, not from 'Summary'" in shown.err

    (terminal.folder / "pay.xlsx").write_bytes(
        workbook(sheet(HEADER, changed(amount="900")), sheet(HEADER, PAYOUT), names=["July", "June"])
    )
    done = await terminal.run("apply", "pay.xlsx.plan.json", "--yes", "--json")
    assert done.code == 0, done.err
    assert [one.amount for one in sandbox.books.bookings] == [Decimal(300)]


async def test_a_plan_names_the_columns_that_were_taken(terminal: Terminal) -> None:
    """The amount first; a column that is called as its field is not named."""
    terminal.file(2)
    path = terminal.folder / "payouts.csv"
    path.write_text(path.read_text().replace("amount", "Net Pay", 1).replace("bank_code", "IFSC", 1))

    shown = await terminal.run("plan", "payouts.csv")

    assert "Columns  amount: Net Pay, bank_code: IFSC\n" in shown.out


async def test_a_plan_holds_no_secret_and_no_account(terminal: Terminal) -> None:
    """It may be mailed to whom approves it."""
    await planned(terminal)
    text = (terminal.folder / PLAN).read_text()
    assert SECRET not in text
    for value in (account(0), payout(0)["mobile"], payout(0)["email"], payout(0)["name"]):
        assert value not in text


async def test_a_plan_as_json_is_one_object(terminal: Terminal) -> None:
    """With the plan's path, and that nothing was sent."""
    terminal.file(3)
    found = (await terminal.run("plan", "payouts.csv", "--json")).summary
    assert (found["rows"], found["amount"], found["to_pay_rows"], found["to_pay"]) == (3, "303", 3, "303")
    assert (found["plan"], found["sent_now"], found["known_before"]) == (PLAN, 0, 0)
    assert found["ledger"] == f"{terminal.folder}/payouts.db"


def move_both(folder: Path) -> list[str]:
    (folder / "there").mkdir()
    for name in ("payouts.csv", PLAN):
        (folder / name).rename(folder / "there" / name)
    return ["apply", f"there/{PLAN}"]


def rename_file(folder: Path) -> list[str]:
    (folder / "payouts.csv").rename(folder / "other.csv")
    return ["apply", PLAN, "--file", "other.csv"]


def save_otherwise(folder: Path) -> list[str]:
    path = folder / "payouts.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b",", b";").replace(b"\n", b"\r\n"))
    return ["apply", PLAN]


@pytest.mark.parametrize("change", [move_both, rename_file, save_otherwise])
async def test_the_same_content_is_paid(
    terminal: Terminal, sandbox: Sandbox, change: Callable[[Path], list[str]]
) -> None:
    """Moved with its plan, named with --file, or saved with another separator, line end and mark."""
    await planned(terminal)
    done = await terminal.run(*change(terminal.folder), "--result", "result.csv")
    assert done.code == 0, done.err
    assert len(sandbox.books.bookings) == 3


async def test_a_file_that_is_gone_is_asked_for(terminal: Terminal, sandbox: Sandbox) -> None:
    """Exit code 2, and the option that names it."""
    await planned(terminal)
    (terminal.folder / "payouts.csv").unlink()
    done = await terminal.run("apply", PLAN)
    assert done.code == 2
    assert "--file" in done.err
    assert "Nothing was sent" in done.err


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("invoice 1", "invoice 9", "has another content than what was planned, though its sum is the same"),
        ("\n101,", "\n900,", "holds 3 payouts over 1,102.00 INR, and 3 over 303.00 INR were planned"),
    ],
)
async def test_a_file_that_was_edited_since_is_refused(
    terminal: Terminal, sandbox: Sandbox, was: str, becomes: str, said: str
) -> None:
    """Also where its sum is the same; exit code 3, and nothing is sent whatever is agreed to."""
    await planned(terminal)
    path = terminal.folder / "payouts.csv"
    assert was in path.read_text()
    path.write_text(path.read_text().replace(was, becomes))
    done = await terminal.run("apply", PLAN, "--yes", "--json")
    assert done.code == 3
    assert said in " ".join(done.err.split())
    assert [one["code"] for one in done.summary["problems"]] == ["FILE_NOT_AS_PLANNED"]
    assert (done.summary["sent_now"], done.summary["failed"]) == (0, 0)
    assert not sandbox.books.bookings


async def test_a_plan_that_was_edited_is_refused(terminal: Terminal, sandbox: Sandbox) -> None:
    """By apply and by approve; exit code 3."""
    await planned(terminal)
    path = terminal.folder / PLAN
    path.write_text(path.read_text().replace('"amount": "303"', '"amount": "3030"'))
    for command in (["apply", PLAN, "--yes"], ["approve", PLAN, "--by", "B", "--yes"]):
        done = await terminal.run(*command, env={"PAYPRO_APPROVAL_SECRET": "k" * 32})
        assert done.code == 3
        assert "[PLAN_EDITED]" in done.err
    assert (await terminal.run("apply", PLAN, "--yes", "--json")).summary["sent_now"] == 0
    assert not sandbox.books.bookings


async def test_a_file_of_payouts_is_no_plan(terminal: Terminal) -> None:
    """And says which command pays it."""
    terminal.file(1)
    done = await terminal.run("apply", "payouts.csv")
    assert done.code == 3
    assert "'paypro batch'" in done.err


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"PAYPRO_LEDGER": "other.db"}, "was planned for the ledger"),
        ({"PAYPRO_MERCHANT_NO": "0000000002"}, "was planned for the merchant 0000000001, and this is 0000000002"),
        ({"PAYPRO_ENVIRONMENT": "staging"}, "was planned for the environment sandbox, and this is staging"),
    ],
)
async def test_a_plan_for_another_place_is_refused(
    terminal: Terminal, sandbox: Sandbox, env: dict[str, str], said: str
) -> None:
    """Another ledger knows nothing of what was paid; another account is not the one that was looked at."""
    await planned(terminal)
    done = await terminal.run("apply", PLAN, "--yes", env=env)
    assert done.code == 3
    assert said in " ".join(done.err.split())
    assert not sandbox.books.bookings
    assert not (terminal.folder / "other.db").exists()


async def test_the_ledger_of_the_plan_is_used_where_none_is_named(terminal: Terminal, sandbox: Sandbox) -> None:
    """From another folder too, since the plan has its full path."""
    await planned(terminal)
    (terminal.folder / "elsewhere").mkdir()
    before, terminal.folder = terminal.folder, terminal.folder / "elsewhere"
    done = await terminal.run("apply", f"../{PLAN}", env={"PAYPRO_LEDGER": None})
    assert done.code == 0, done.err
    assert (before / "payouts.db").exists()
    assert len(sandbox.books.bookings) == 3


async def test_a_plan_is_replaced_and_nothing_else(terminal: Terminal) -> None:
    """A file that is no plan stays as it is."""
    await planned(terminal)
    assert (await terminal.run("plan", "payouts.csv")).code == 0
    (terminal.folder / "notes.txt").write_text("mine")
    for name in ("notes.txt", "payouts.csv"):
        refused = await terminal.run("plan", "payouts.csv", "-o", name)
        assert refused.code == 2, refused.err
    assert (terminal.folder / "notes.txt").read_text() == "mine"
    (terminal.folder / PLAN).unlink()


async def test_a_plan_of_a_wrong_file_is_not_made(terminal: Terminal) -> None:
    """Exit code 3, as from batch; nor one of a file beyond its limits."""
    write_file(terminal.folder / "payouts.csv", [payout(1, bank_code="x")])
    assert (await terminal.run("plan", "payouts.csv")).code == 3
    terminal.file(3)
    assert (await terminal.run("plan", "payouts.csv", "--max-total", "302.99")).code == 3
    assert not (terminal.folder / PLAN).exists()


async def test_a_plan_remembers_how_its_file_was_read(terminal: Terminal, sandbox: Sandbox) -> None:
    """Columns that were named, the run, and that it is whole though its last line has no end."""
    path = terminal.file(2)
    path.write_text(path.read_text().replace("bank_number", "Konto").rstrip("\n"))
    read = ["--map", "Konto=bank_number", "--run", "2", "--file-complete"]
    assert (await terminal.run("plan", "payouts.csv", *read)).code == 0
    done = await terminal.run("apply", PLAN)
    assert done.code == 0, done.err
    assert len(sandbox.books.bookings) == 2


async def test_the_balance_is_shown_without_a_ledger(terminal: Terminal) -> None:
    """By --dry-run, which makes none."""
    terminal.file(2)
    done = await terminal.run("batch", "payouts.csv", "--dry-run")
    assert "Balance  1,00,00,00,000.00 INR, enough for the 201.00 INR to be paid" in done.out
    assert not (terminal.folder / "payouts.db").exists()


async def test_a_run_that_is_interrupted_says_how_to_go_on(terminal: Terminal, sandbox: Sandbox) -> None:
    """And the command that it prints does, when it is pasted as it stands."""
    terminal.file(40, "my wages.csv")
    assert (await terminal.run("plan", "my wages.csv", "-o", "my plan.json")).code == 0
    process = terminal.begin("apply", "my plan.json", "--yes", "--rate", "60", "--concurrency", "2")
    await until(sandbox, 5)
    process.signal(signal.SIGINT)
    assert await process.ended() == 130
    (said,) = (line for line in process.errors.splitlines() if "Continue with: " in line)
    words = shlex.split(said.partition("Continue with: ")[2])
    assert words[0] == "paypro"
    booked = len(sandbox.books.bookings)
    assert booked < 40

    done = await terminal.run(*words[1:], "--json")
    assert done.code == 0, done.err
    assert (done.summary["sent_now"], done.summary["known_before"]) == (40 - booked, booked)
    assert booked_exactly(sandbox, terminal.result("my wages.result.csv"))


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
async def test_killed_between_and_within(tmp_path: Path, fork_server: ForkServer, database_url: str) -> None:
    """Five SIGKILLs, one of them on the way from plan to apply: each row is booked once, and sums are right."""
    async with Sandbox(secret=SECRET, faults=FaultPlan(rate=0.2, seed=5), booking_lag=0.1) as sandbox:
        terminal = Terminal(tmp_path, sandbox.base_url, fork_server)
        terminal.environment["PAYPRO_LEDGER"] = database_url
        amounts = [f"{100 + number}.{number:02}" for number in range(60)]
        write_file(tmp_path / "payouts.csv", [payout(n, amount=amount) for n, amount in enumerate(amounts)])
        process = terminal.begin("plan", "payouts.csv")
        process.signal(signal.SIGKILL)
        await process.ended()
        assert (await terminal.run("plan", "payouts.csv")).code == 0
        for bookings in (0, 1, 20, 45, 55):
            process = terminal.begin("apply", PLAN)
            await until(sandbox, bookings)
            process.signal(signal.SIGKILL)
            await process.ended()
        done = await terminal.run("apply", PLAN, "--yes", "--json")

        assert done.code == 0, done.out + done.err
        results = {one["paypro_trade_no"]: one for one in terminal.result()}
        assert sandbox.books.booked_once(results).exact
        assert all(sandbox.books.orders[one].amount == Decimal(row["amount"]) for one, row in results.items())
        wanted = sum(map(Decimal, amounts))
        assert Decimal(done.summary["amount"]) == wanted
        assert sum(order.amount for order in sandbox.books.orders.values()) == wanted
