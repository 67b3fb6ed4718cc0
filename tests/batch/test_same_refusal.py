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
from tests.support.merchant import MERCHANT_NO, client_of, payouts, virtual_sandbox
from tests.support.virtual_time import VirtualRuntime, now, virtual_time

ROWS = 120
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
        async with client_of(sandbox, ledger=ledger) as client:
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
        async with client_of(sandbox, ledger=ledger) as client:
            again = await client.batch_payout(payouts(ROWS))
        assert again.counts == {ItemStatus.PROCESSING: ROWS}
        assert sandbox.books.booked_once(f"T{number}" for number in range(ROWS)).exact


@pytest.mark.parametrize("way", UNKNOWN_ORDER)
@pytest.mark.parametrize("rules", TROUBLE.values(), ids=TROUBLE.keys())
@virtual_time
async def test_what_refuses_all_and_speaks_of_trouble_ends_no_payout(rules: dict[str, str], way: str):
    """It stops at the tenth, and all of them are unknown; once it is over, the same batch pays every row once, where
    need be as soon as it is told what the platform says of an order that it does not know.
    """
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with virtual_sandbox(unknown_order=way, **rules) as sandbox:
        async with client_of(sandbox, ledger=ledger) as client:
            began = now()
            report = await client.batch_payout(payouts(ROWS), concurrency=5, stop=StopRules(unknown_in_a_row=10))
            assert now() - began <= 3 * 60 + 60
            assert (report.stopped, report.counts) == ("unknown_in_a_row", {ItemStatus.UNKNOWN: report.total})
            assert 10 <= report.total <= 15
        sandbox.change(**GOOD)
        async with client_of(sandbox, ledger=ledger, codes=Codes(no_such_order={"1001", "0100025"})) as client:
            again = await client.batch_payout(payouts(ROWS))
        assert again.counts == {ItemStatus.PROCESSING: ROWS}
        assert sandbox.books.booked_once(f"T{number}" for number in range(ROWS)).exact
