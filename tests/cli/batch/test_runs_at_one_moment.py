"""Two runs of the same rows, saved in two ways and started at one moment: neither knows of the other when it looks."""

from collections import Counter
from typing import Any

import pytest

from paypro_async.sandbox import Sandbox
from tests.support.terminal import Terminal, payout, write_file

ROWS = 60


def counted(sandbox: Sandbox) -> Counter[str]:
    orders = sandbox.books.orders
    return Counter(orders[one.trade_no].payee.bank_number for one in sandbox.books.bookings)


@pytest.mark.parametrize("options", [(), ("--concurrency", "50"), ("--rate", "200")], ids=" ".join)
@pytest.mark.parametrize("others", [("1.csv", "2.csv"), ("1.csv", "2.csv", "3.csv")], ids=len)
async def test_each_beneficiary_is_paid_once(
    terminal: Terminal, sandbox: Sandbox, database_url: str, others: tuple[str, ...], options: tuple[str, ...]
) -> None:
    """By whichever run comes first; the others say which rows they did not send, and why."""
    ways: tuple[dict[str, Any], ...] = ({}, {"decimals": ".00"}, {"remark": "other"})
    for name, way in zip(others, ways, strict=False):
        rows = [payout(number, **{k: v for k, v in way.items() if k == "remark"}) for number in range(ROWS)]
        write_file(terminal.folder / name, [one | {"amount": one["amount"] + way.get("decimals", "")} for one in rows])

    env = {"PAYPRO_LEDGER": database_url}
    runs = [terminal.begin("batch", name, "--json", *options, env=env) for name in others]
    codes = [await run.ended(within=60) for run in runs]

    assert counted(sandbox) == Counter({payout(number)["bank_number"]: 1 for number in range(ROWS)})
    # Each looked before or after the others had begun: it has left rows to them, or it was refused whole.
    assert set(codes) <= {0, 3, 4}, [run.errors for run in runs]
    assert codes.count(0) <= 1
    for run, code in zip(runs, codes, strict=True):
        if code == 4:
            assert '"PaidMeanwhileError"' in run.output or "not_sent" in run.output


async def test_the_same_file_twice_at_one_moment_is_one_payment(
    terminal: Terminal, sandbox: Sandbox, database_url: str
) -> None:
    """Its rows have the same numbers in both runs, so each is claimed once and both tell of all."""
    terminal.file(ROWS)
    env = {"PAYPRO_LEDGER": database_url}
    runs = [terminal.begin("batch", "payouts.csv", "--result", f"{at}.csv", env=env) for at in range(3)]
    assert [await run.ended(within=60) for run in runs] == [0, 0, 0], [run.errors for run in runs]
    assert set(counted(sandbox).values()) == {1}
    assert len(counted(sandbox)) == ROWS
