"""Refusals on the command line: which rows they end, what is said of the money, and how it goes on."""

from paypro_async.sandbox import Sandbox
from tests.support.terminal import Terminal, booked_exactly, payout, write_file


async def test_a_wrong_secret_ends_no_row(terminal: Terminal, sandbox: Sandbox) -> None:
    """The run stops at once and says which code it was; with the right secret the same command pays every row."""
    terminal.file(30)
    sandbox.change(unknown_order="code")
    wrong = await terminal.run("batch", "payouts.csv", "--yes", "--json", env={"PAYPRO_SECRET": "another secret"})
    assert (wrong.code, wrong.summary["stopped"]) == (4, "bad_credentials")
    assert set(wrong.summary["statuses"]) == {"not_sent"}
    assert wrong.summary["stopped_by_code"] == "1002"
    assert "PAYPRO_SECRET_POSITION" in wrong.summary["stopped_advice"]
    assert not sandbox.books.bookings

    right = await terminal.run("batch", "payouts.csv", "--yes", "--json")
    assert right.code == 0, right.err
    assert right.summary["statuses"]["processing"]["rows"] == 30
    assert booked_exactly(sandbox, terminal.result())


async def test_an_address_that_is_not_allowed_is_told_from_a_row(terminal: Terminal, sandbox: Sandbox) -> None:
    """Everything refused: nothing is failed. Payouts alone refused: a few rows are, and the run says why it stopped."""
    terminal.file(100)
    patient = {"PAYPRO_SETTLE_AFTER": "6"}  # whose third is the time for one reply
    sandbox.change(refuse_all="1010:IP not in whitelist")
    everything = await terminal.run("batch", "payouts.csv", "--yes", env=patient)
    assert everything.code == 4
    assert "Stopped early (bad_credentials, code 1010): the platform refuses this merchant" in everything.out
    assert "PAYPRO_SECRET_POSITION" in everything.out
    assert "'paypro doctor'" in everything.out

    sandbox.change(refuse_all=None, refuse_payouts="1010:IP not in whitelist")
    payouts = await terminal.run("batch", "payouts.csv", "--yes", "--json", env=patient)
    assert (payouts.code, payouts.summary["stopped"]) == (4, "same_refusal_in_a_row")
    failed = payouts.summary["statuses"]["failed"]["rows"]
    assert 5 <= failed <= 30
    assert payouts.summary["statuses"]["not_sent"]["rows"] == 100 - failed

    sandbox.change(refuse_payouts=None)
    mended = await terminal.run("batch", "payouts.csv", "--yes", "--json", env=patient)
    assert mended.summary["statuses"]["processing"]["rows"] == len(sandbox.books.bookings) == 100 - failed


async def test_one_row_that_a_bank_refuses_stops_nobody(terminal: Terminal, sandbox: Sandbox) -> None:
    """49 are paid, and one is failed, whatever its words are."""
    refused = {7: "sandbox:refuse:2002:beneficiary bank authentication failed", 8: "sandbox:fail:00029:duplicate"}
    rows = [payout(number, **({"remark": refused[number]} if number in refused else {})) for number in range(50)]
    write_file(terminal.folder / "payouts.csv", rows)
    done = await terminal.run("batch", "payouts.csv", "--yes", "--json")
    assert (done.code, done.summary["stopped"]) == (4, None)
    assert {name: one["rows"] for name, one in done.summary["statuses"].items()} == {"processing": 48, "failed": 2}
    assert done.summary["codes"] == {"2002": 1, "00029": 1}


async def test_a_booked_row_that_is_answered_as_a_refusal_is_paid(terminal: Terminal, sandbox: Sandbox) -> None:
    """Whatever is said of rows that were taken, none of them is failed, and there is no advice to pay them anew."""
    said = ["reply:1010:refused", "reply:9999:System busy", "reply:2001:Read timed out", "status:PENDING", "reply:0001"]
    rows = [payout(number, remark=f"sandbox:{said[number % len(said)]}") for number in range(20)]
    write_file(terminal.folder / "payouts.csv", rows)
    done = await terminal.run("batch", "payouts.csv", "--yes")
    assert done.code == 0, done.out + done.err
    assert "the file of failed rows" not in done.out
    assert {one["paypro_status"] for one in terminal.result()} == {"processing"}
    assert booked_exactly(sandbox, terminal.result())
