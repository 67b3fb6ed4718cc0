"""The demonstration's comparison must see what it is there to see."""

from decimal import Decimal

import pytest
from attrs import evolve

from paypro_async.cli.demo.comparison import compare
from paypro_async.cli.demo.payer import SECRET, Payer
from paypro_async.cli.demo.sample import write_sample
from paypro_async.sandbox import Sandbox
from tests.support.payout_files import open_file, rows_of


@pytest.fixture
def payer(tmp_path) -> Payer:
    write_sample(tmp_path / "sample.csv", rows=4, seed=1)
    return Payer(sample=tmp_path / "sample.csv", ledger=tmp_path / "payouts.db", base_url="")


async def pay(payer: Payer, sandbox: Sandbox, *, rows: range, **changes: str) -> list[str]:
    """Pay some rows of the sample, perhaps not as they stand there."""
    with open_file(payer.sample.read_bytes()) as file:
        whole = [(row, intent.trade_no) for row, intent in rows_of(file)]
    async with evolve(payer, base_url=sandbox.base_url).client() as client:
        for number in rows:
            row, trade_no = whole[number]
            await client.payout(**{**row.values, "trade_no": trade_no, **changes})
    return [trade_no for _, trade_no in whole]


async def comparison_of(payer: Payer, sandbox: Sandbox):
    return await compare(Payer(sample=payer.sample, ledger=payer.ledger, base_url=sandbox.base_url))


async def test_all_is_right(payer: Payer) -> None:
    """Every row once in the books, and the same in the ledger."""
    async with Sandbox(secret=SECRET) as sandbox:
        await pay(payer, sandbox, rows=range(4))
        comparison = await comparison_of(payer, sandbox)

    assert comparison.right
    assert comparison.findings() == []


async def test_a_missing_row_and_a_booking_of_nobody(payer: Payer) -> None:
    """Each is named."""
    async with Sandbox(secret=SECRET) as sandbox:
        own = await pay(payer, sandbox, rows=range(3))
        await pay(payer, sandbox, rows=range(1), trade_no="STRANGER")
        comparison = await comparison_of(payer, sandbox)
    assert len(comparison.overpaid) == 1
    assert any("paid more often than the file says" in one for one in comparison.findings())

    assert not comparison.right
    assert comparison.missing == [own[3]]
    assert comparison.unexpected == ["STRANGER"]
    assert f"missing from the books: {own[3]}" in comparison.findings()
    assert len(comparison.findings(limit=1)) == 2


async def test_a_row_that_was_booked_twice_or_that_the_ledger_has_otherwise(payer: Payer) -> None:
    """A platform that does not refuse duplicates books what it is sent; the ledger must not hide it."""
    async with Sandbox(secret=SECRET, deduplicate=False) as sandbox:
        own = await pay(payer, sandbox, rows=range(4))
        for one in payer.ledger.parent.glob(f"{payer.ledger.name}*"):
            one.unlink()  # With its mark, or a new ledger would know that payouts were forgotten.
        await pay(payer, sandbox, rows=range(1))
        await pay(payer, sandbox, rows=range(1, 2), amount="1")
        sandbox.books.set_status(own[2], "00029")
        comparison = await comparison_of(payer, sandbox)

    assert not comparison.right
    assert comparison.twice == own[:2]
    assert sandbox.books.orders[own[1]].amount == Decimal(1)
    # Row 1 agrees with its last booking; row 2 has another amount than the file; 3 and 4 are not in the new ledger.
    assert [one.split(":")[0] for one in comparison.differing] == own[1:]
