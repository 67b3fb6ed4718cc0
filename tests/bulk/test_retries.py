"""A row that makes good a failed payout: only what has failed for good is paid under a new number, and once."""

import pytest

from paypro_async._core.lifecycle import State
from paypro_async.bulk.evidence import Before
from paypro_async.bulk.repeats import LookBack
from paypro_async.ledger import MemoryLedger
from tests.support.ledgers import learn
from tests.support.payout_files import HEADER, MERCHANT_NO, csv_text, open_file, plan_of, row, rows_of

NUMBERED = f"{HEADER},trade_no"
RETRIED = f"{NUMBERED},retry_of,failed_because"
FIRST = csv_text(f"{row('300')},T1", header=NUMBERED)
RETRY = csv_text(f"{row('300')},T1-r2,T1,no such account", header=RETRIED)


async def look(ledger: MemoryLedger, data: str) -> Before:
    with open_file(data) as file:
        plan = plan_of(file)
        assert plan.problems == ()
        return await LookBack(plan=plan, name="f.csv", ledger=ledger, merchant_no=MERCHANT_NO).run(rows_of(file))


@pytest.mark.parametrize("state", sorted(set(State) - {State.MISSING, State.REVERSED}))
async def test_only_what_failed_for_good_is_retried(state: State):
    """Of whatever else money may have moved, or is still to be sent."""
    ledger = MemoryLedger()
    with open_file(FIRST) as file:
        await learn(ledger, file, {1: state})
    found = (await look(ledger, RETRY)).problems()
    if state is State.FAILED:
        assert found == ()
    else:
        assert [(one.code, one.field, one.line) for one in found] == [("RETRY_NOT_FAILED", "retry_of", 2)]
        assert "names T1, which is" in found[0].message
    assert (await look(ledger, RETRY)).problems(pay_again=True, skip_paid=True) == found


async def test_what_the_ledger_does_not_know_is_not_retried():
    """It may be another ledger."""
    (found,) = (await look(MemoryLedger(), RETRY)).problems()
    assert "T1, which is not in the ledger" in found.message


async def test_a_retry_that_was_paid_is_known():
    """Paid twice, the file pays once; what its first number is by then makes no difference."""
    ledger = MemoryLedger()
    for data in (FIRST, RETRY):
        with open_file(data) as file:
            await learn(ledger, file, {1: State.FAILED if data is FIRST else State.SUCCEEDED}, platform_trade_no=data)
    before = await look(ledger, RETRY)
    assert (before.known, before.to_send, before.problems()) == (1, 0, ())


@pytest.mark.parametrize(
    ("cells", "numbers", "codes"),
    [
        (["T1-r2,T1,why"], ["T1-r2"], []),
        ([",T1,why"], ["T1-r2"], []),
        (["T1-r2,,"], ["T1-r2"], []),
        (["T1-r3,T1-r2,why"], ["T1-r3"], []),
        (["T1-x,T1,why"], ["T1-x"], ["RETRY_NUMBER"]),
        (["T1-r2,T1,why", ",T1,why"], ["T1-r2", "T1-r2"], ["DUPLICATE_TRADE_NO"]),
    ],
)
def test_the_number_follows_from_the_failed_one(cells: list[str], numbers: list[str], codes: list[str]):
    """So that a failure is made good once, whatever becomes of the file."""
    with open_file(csv_text(*(f"{row(str(300 + at))},{one}" for at, one in enumerate(cells)), header=RETRIED)) as file:
        assert [one.code for one in plan_of(file).problems] == codes
        if "RETRY_NUMBER" not in codes:
            assert [one.values["trade_no"] for one in file.rows()] == numbers
        assert file.columns.others == ()


async def test_payments_beside_a_failure_do_not_speak_against_its_retry():
    """Two payments of one amount to one account were meant, and one of them failed; a later one does speak."""
    ledger = MemoryLedger()
    with open_file(csv_text(f"{row('300')},T1", f"{row('300')},T2", header=NUMBERED)) as file:
        await learn(ledger, file, {1: State.FAILED, 2: State.SUCCEEDED}, batch_id=plan_of(file).batch_id)
    assert (await look(ledger, RETRY)).repeats == ()
    with open_file(csv_text(f"{row('300')},T3", header=NUMBERED)) as file:
        await learn(ledger, file, {1: State.SUCCEEDED}, batch_id="by hand", platform_trade_no="p9")
    assert [one.trade_no for one in (await look(ledger, RETRY)).repeats] == ["T3"]
