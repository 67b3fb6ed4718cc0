"""`paypro report`, run as anybody runs it, beside a real ledger and after a real payment."""

import json
import stat

import pytest

from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.support.fork_server import ForkServer
from tests.support.terminal import SECRET, Terminal, payout, write_file

_NO_SETTINGS = dict.fromkeys(
    ("PAYPRO_BASE_URL", "PAYPRO_ENVIRONMENT", "PAYPRO_MERCHANT_NO", "PAYPRO_SECRET", "PAYPRO_IP_ADDRESS")
) | {"PAYPRO_NOTIFY_URL": None}


@pytest.fixture
async def paid(terminal: Terminal, sandbox: Sandbox) -> Terminal:
    """Five rows, two of which are paid by now and one of which failed."""
    terminal.file(5)
    assert (await terminal.run("batch", "payouts.csv", "--yes", "--quiet")).code == 0
    numbers = sorted(sandbox.books.orders)  # in the order of the rows, whichever came first
    for trade_no, code in zip(numbers, ("0000", "0000", "00029"), strict=False):
        sandbox.books.set_status(trade_no, code)
    await terminal.run("batch", "payouts.csv", "--yes", "--quiet", "--refresh")
    return terminal


async def test_the_report_of_a_file_stands_beside_it_and_needs_no_access_to_the_platform(paid: Terminal):
    """Only its owner can read it, and no personal value is in it; the platform hears nothing."""
    done = await paid.run("report", "payouts.csv", env=_NO_SETTINGS)
    assert done.code == 0, done.err
    assert "2 of 5 payouts are paid: 201.00 INR of 510.00 INR." in done.out
    page = paid.folder / "payouts.report.html"
    assert str(page.name) in done.out
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    text = page.read_text(encoding="utf-8")
    assert "The rows add up to what was planned: 5 payouts, 510.00 INR." in text
    for personal in (payout(1)["name"], payout(1)["bank_number"], payout(1)["email"]):
        assert personal not in text


async def test_nothing_is_sent_and_the_ledger_stays_as_it_is(paid: Terminal, sandbox: Sandbox):
    """A report only reads."""
    asked, ledger = len(sandbox.books.requests), (paid.folder / "payouts.db").read_bytes()
    assert (await paid.run("report")).code == 0
    assert (await paid.run("report", "payouts.csv")).code == 0
    assert len(sandbox.books.requests) == asked
    assert (paid.folder / "payouts.db").read_bytes() == ledger


async def test_without_an_argument_it_is_about_the_latest_batch(paid: Terminal):
    """Whose source names it; the same report comes for the batch's own name, and for the file's name alone."""
    latest = await paid.run("report", "--json", env=_NO_SETTINGS)
    assert latest.summary["payouts"] == 5
    text = (paid.folder / "payouts.report.html").read_text(encoding="utf-8")
    batch = text.partition("<dt>Batch</dt><dd><bdi>")[2].partition("<")[0]
    assert batch.startswith("file-")
    (paid.folder / "payouts.csv").unlink()
    for words in (["--batch", batch], [batch], ["payouts.csv"]):
        assert (await paid.run("report", *words, "--json")).summary["message"] == latest.summary["message"]


async def test_rows_that_were_never_begun_are_in_the_report_of_the_file(terminal: Terminal, sandbox: Sandbox):
    """They are not sent, and it says what to do."""
    terminal.file(3)
    await terminal.run("batch", "payouts.csv", "--yes", "--quiet", "--max-attempts", "1")
    write_file(terminal.folder / "more.csv", [payout(number) for number in range(20, 24)])
    done = await terminal.run("report", "more.csv")
    assert "None of 4 payouts is paid" in done.out
    text = (terminal.folder / "more.report.html").read_text(encoding="utf-8")
    assert text.count('<use href="#i-not_sent"/>') > 4
    assert "unless the same was paid before." in text


async def test_a_plan_is_reported_by_the_rows_of_its_file(paid: Terminal):
    """As it was planned, or by the ledger alone once the file is gone."""
    assert (await paid.run("plan", "payouts.csv", "--output", "p.json")).code == 0
    assert (await paid.run("report", "p.json", "-o", "one.html", "--json")).summary["payouts"] == 5
    (paid.folder / "payouts.csv").unlink()
    assert (await paid.run("report", "p.json", "-o", "two.html", "--json")).summary["payouts"] == 5


async def test_names_are_shown_if_they_are_asked_for_by_name(paid: Terminal):
    """And it is said who can read them then."""
    done = await paid.run("report", "payouts.csv", "--unmasked", "-o", "all.html")
    assert payout(1)["bank_number"] in (paid.folder / "all.html").read_text(encoding="utf-8")
    assert "in full" in done.err


async def test_only_an_older_report_beside_the_file_is_replaced(paid: Terminal):
    """Whatever else stands there stays, unless --force is said; and nothing of the ledger is ever overwritten."""
    page = paid.folder / "payouts.report.html"
    for _ in range(2):
        assert (await paid.run("report", "payouts.csv")).code == 0
    page.write_text("<p>mine</p>", encoding="utf-8")
    assert (await paid.run("report", "payouts.csv")).code == 2
    assert page.read_text(encoding="utf-8") == "<p>mine</p>"
    assert (await paid.run("report", "payouts.csv", "--force")).code == 0
    for taken in ("payouts.db", "payouts.csv"):
        assert (await paid.run("report", "payouts.csv", "-o", taken, "--force")).code == 2


async def test_the_page_can_go_to_standard_output(paid: Terminal):
    """Alone, so that a program can take it on."""
    done = await paid.run("report", "payouts.csv", "-o", "-")
    assert done.out.startswith("<!DOCTYPE html>")
    assert done.out.endswith("</html>\n")
    assert (await paid.run("report", "-o", "-", "--json")).code == 2


async def test_what_is_neither_a_file_nor_a_batch_is_said(paid: Terminal):
    """With the ledger that was looked into."""
    done = await paid.run("report", "nothing.csv")
    assert done.code == 2
    assert "nothing.csv is no file here, and no batch of the ledger" in done.err
    (paid.folder / "wrong.csv").write_text("amount,name\n1,A\n", encoding="utf-8")
    refused = await paid.run("report", "wrong.csv", "--json")
    assert refused.code == 3
    assert json.loads(refused.out)["valid"] is False


async def test_an_unknown_outcome_is_never_called_failed(tmp_path, fork_server: ForkServer):
    """The report says that money may have moved, and not to pay it anew."""
    async with Sandbox(
        secret=SECRET, faults=FaultPlan(rate=1, query_rate=1, kinds=frozenset({Fault.BROKEN_JSON}))
    ) as sandbox:
        terminal = Terminal(tmp_path, sandbox.base_url, fork_server)
        terminal.file(2)
        done = await terminal.run("batch", "payouts.csv", "--yes", "--quiet", "--timeout", "0.3")
        assert done.code == 5, done.err
        text = (await terminal.run("report", "-o", "-")).out
    assert "money may have moved" in text
    assert "Never pay it anew" in text
    assert '<span class="badge s-failed">' not in text
