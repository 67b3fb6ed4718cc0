"""Whose refusal it is, the row's or the caller's: a file is not burnt by a refusal that is about who asks."""

import pytest

from paypro_async import (
    Codes,
    CredentialsRefusedError,
    ItemStatus,
    MemoryLedger,
    StopRules,
)
from tests.support.bookkeeper import UNKNOWN_ORDER
from tests.support.merchant import MERCHANT_NO, aiohttp_client_of, bookings, fields, payouts, virtual_sandbox
from tests.support.virtual_time import VirtualRuntime, now, virtual_time

ROWS = 40
CALLERS = {
    "secret": {"secret": "another"},
    "merchant": {"merchant_no": "0000000002"},
    "list of addresses": {"refuse_all": "1010:IP not in whitelist"},
    "account closed": {"refuse_all": "1011"},
    "the code of unknown orders": {"refuse_all": "1001:forbidden"},
    "another code of unknown orders": {"refuse_all": "0100025:forbidden"},
    "words of a duplicate": {"refuse_all": "1012:your account is already closed"},
}
TROUBLE = {
    "words of a busy system": {"refuse_all": "1013:access to this system is denied"},
    "a system code": {"refuse_all": "5000:system operation exception"},
}
GOOD = {"secret": "sandbox-secret", "merchant_no": MERCHANT_NO, "refuse_all": None}


@pytest.mark.parametrize("way", UNKNOWN_ORDER)
@pytest.mark.parametrize("rules", CALLERS.values(), ids=CALLERS.keys())
@virtual_time
async def test_what_refuses_the_caller_ends_no_payout(rules: dict[str, str], way: str):
    """The batch stops at once and nothing is called failed; once it is mended, the same batch pays every row once."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with virtual_sandbox(unknown_order=way, **rules) as sandbox:
        async with aiohttp_client_of(sandbox, ledger=ledger) as client:
            report = await client.batch_payout(payouts(ROWS))
            assert report.stopped in ("bad_credentials", "same_refusal_in_a_row")
            assert report.counts == {ItemStatus.NOT_SENT: report.total}
            assert report.total <= 25
            assert len(sandbox.books.requests) <= 3 * report.total + 2
            error = report.failures[0].error
            assert isinstance(error, CredentialsRefusedError)
            assert "No money moved" in str(error)
            assert error.platform_code in str(error)
        sandbox.change(**GOOD)
        async with aiohttp_client_of(sandbox, ledger=ledger) as client:
            again = await client.batch_payout(payouts(ROWS))
        assert again.counts == {ItemStatus.PROCESSING: ROWS}
        assert sandbox.books.booked_once(f"T{number}" for number in range(ROWS)).exact


@pytest.mark.parametrize("way", ["null", "refusal"])
@pytest.mark.parametrize("rules", TROUBLE.values(), ids=TROUBLE.keys())
@virtual_time
async def test_what_refuses_all_and_speaks_of_trouble_ends_no_payout(rules: dict[str, str], way: str):
    """It stops at the tenth, and all of them are unknown; once it is over, the same batch pays every row once, where
    need be as soon as it is told what the platform says of an order that it does not know.
    """
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with virtual_sandbox(unknown_order=way, **rules) as sandbox:
        async with aiohttp_client_of(sandbox, ledger=ledger) as client:
            began = now()
            report = await client.batch_payout(payouts(ROWS), concurrency=5, stop=StopRules(unknown_in_a_row=10))
            assert now() - began <= 3 * 60 + 60
            assert (report.stopped, report.counts) == ("unknown_in_a_row", {ItemStatus.UNKNOWN: report.total})
            assert 10 <= report.total <= 15
        sandbox.change(**GOOD)
        async with aiohttp_client_of(sandbox, ledger=ledger, codes=Codes(no_such_order={"1001", "0100025"})) as client:
            again = await client.batch_payout(payouts(ROWS))
        assert again.counts == {ItemStatus.PROCESSING: ROWS}
        assert sandbox.books.booked_once(f"T{number}" for number in range(ROWS)).exact


ROWS_OF_A_FILE = 2000


@pytest.mark.parametrize(
    ("way", "code", "concurrency", "failed"),
    [
        ("null", "1010:IP not in whitelist", 1, 5),
        ("null", "1010:IP not in whitelist", 100, 30),
        ("code", "1010:balance is insufficient", 20, 20),
        ("refusal", "1001", 20, 20),
        ("code", "0100025", 20, 20),
    ],
)
@virtual_time
async def test_the_same_refusal_of_every_payout_burns_a_few_rows(way: str, code: str, concurrency: int, failed: int):
    """Payouts are refused alike while questions are answered. The batch stops at the fifth in a row, what is under way
    by then ends, and all others are in no ledger; once it is mended the same file pays them.
    """
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with virtual_sandbox(unknown_order=way, refuse_payouts=code) as sandbox:
        async with aiohttp_client_of(sandbox, ledger=ledger) as client:
            report = await client.batch_payout(payouts(ROWS_OF_A_FILE), concurrency=concurrency)
            assert report.stopped == "same_refusal_in_a_row"
            assert report.counts == {ItemStatus.FAILED: report.total}
            assert 5 <= report.total <= failed
            assert len(sandbox.books.requests) <= 3 * report.total + 3
        sandbox.change(refuse_payouts=None)
        async with aiohttp_client_of(sandbox, ledger=ledger) as client:
            again = await client.batch_payout(payouts(200))
    assert again.counts[ItemStatus.FAILED] == report.total
    assert again.counts[ItemStatus.PROCESSING] == len(bookings(sandbox)) == 200 - report.total


@pytest.mark.parametrize("most", [2, 30, None])
@virtual_time
async def test_how_many_equal_refusals_stop_a_batch_is_adjustable(most: int | None):
    """None turns the rule off by its name, and then each row has its own answer."""
    async with virtual_sandbox(refuse_payouts="1010") as sandbox, aiohttp_client_of(sandbox) as client:
        rules = StopRules(same_refusal_in_a_row=most)
        report = await client.batch_payout(payouts(100), concurrency=1, stop=rules)
    assert report.counts == {ItemStatus.FAILED: most or 100}


@virtual_time
async def test_equal_refusals_with_others_between_them_stop_nothing():
    """Four of one code, then a payout that is taken, and so on: these are the rows' own."""
    rows = [fields(f"T{number}", remark=None if number % 5 == 4 else "sandbox:refuse:1010") for number in range(50)]
    async with virtual_sandbox() as sandbox, aiohttp_client_of(sandbox) as client:
        report = await client.batch_payout(rows, concurrency=1)
    assert report.stopped is None
    assert report.counts == {ItemStatus.FAILED: 40, ItemStatus.PROCESSING: 10}


@virtual_time
async def test_refused_like_the_caller_it_is_the_rows_own_once_something_was_taken():
    """A row is refused under the code that unknown orders are answered with; the others are paid, before and after."""
    rows = [fields(f"T{number}", remark="sandbox:refuse:1001" if number == 7 else None) for number in range(50)]
    async with virtual_sandbox(unknown_order="refusal") as sandbox, aiohttp_client_of(sandbox) as client:
        report = await client.batch_payout(rows)
    assert report.stopped is None
    assert report.counts == {ItemStatus.FAILED: 1, ItemStatus.PROCESSING: 49}
