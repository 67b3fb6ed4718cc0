"""An order that the platform accepted and then lost, on the command line: shown by name, and never exit code 0."""

import asyncio

from paypro_async.sandbox import Sandbox
from tests.support.terminal import Terminal, payout, write_file


async def test_a_row_that_the_platform_lost_is_shown_until_a_person_has_looked(
    terminal: Terminal, sandbox: Sandbox
) -> None:
    """First it is processing, then missing, then a person's; the other rows are not touched and nothing is sent."""
    rows = [payout(number, **({"remark": "sandbox:vanish"} if number == 2 else {})) for number in range(5)]
    write_file(terminal.folder / "payouts.csv", rows)
    assert (await terminal.run("batch", "payouts.csv", "--yes", env={"PAYPRO_SETTLE_AFTER": "5"})).code == 0

    fresh = await terminal.run("batch", "payouts.csv", "--yes", "--refresh", env={"PAYPRO_SETTLE_AFTER": "5"})
    assert fresh.code == 5, fresh.err
    assert "missing" in fresh.out
    assert "look these up in PayPro's dashboard" in fresh.out
    lost = terminal.result()[2]
    assert lost["paypro_status"] == "missing"
    assert [one["paypro_status"] for one in terminal.result()].count("processing") == 4

    shown = await terminal.run("ledger", "show", lost["paypro_trade_no"])
    assert "missing" in shown.out
    everything = await terminal.run("ledger", "show")
    assert lost["paypro_trade_no"] in everything.out

    await asyncio.sleep(5)
    # A request has a third of the window given here, which with the terminal's own is little on a busy machine.
    late = await terminal.run("batch", "payouts.csv", "--yes", "--refresh", "--json", env={"PAYPRO_SETTLE_AFTER": "5"})
    assert late.code == 5
    assert {name: one["rows"] for name, one in late.summary["statuses"].items()} == {"processing": 4, "review": 1}
    assert len(sandbox.books.bookings) == 5
    assert lost["paypro_trade_no"] in (await terminal.run("ledger", "show")).out

    decided = await terminal.run(
        *("ledger", "decide", lost["paypro_trade_no"], "not-paid", "--by", "me", "--note", "PayPro says so")
    )
    assert decided.code == 0, decided.err
    assert (await terminal.run("batch", "payouts.csv", "--yes", "--json")).summary["statuses"]["failed"]["rows"] == 1
    assert len(sandbox.books.bookings) == 5
