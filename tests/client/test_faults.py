"""Whatever happens on the wire: each payout is booked exactly once, and the client finds out. Real HTTP."""

import pytest

from paypro_async import PayoutStatus
from paypro_async.sandbox import Fault, FaultPlan
from tests.support.merchant import bookings, client_of, fields, paid_at, requests, virtual_sandbox
from tests.support.virtual_time import virtual_time

AFTER_BOOKING = [Fault.RESET_AFTER, Fault.SILENCE, Fault.CUT_BODY, Fault.BROKEN_JSON, Fault.PAGE_500, Fault.DRIP]
BEFORE_BOOKING = [Fault.RESET_BEFORE, Fault.SILENCE_BEFORE, Fault.PAGE_502]
PAYOUT, QUERY = "payout", "queryPayOutResult"


@pytest.mark.parametrize("fault", AFTER_BOOKING)
@virtual_time
async def test_a_reply_lost_after_the_booking_is_found_by_asking(fault: Fault):
    """The payout was booked and its reply did not arrive: one question finds it, and nothing is sent again."""
    async with virtual_sandbox(faults=FaultPlan.every(fault)) as sandbox, client_of(sandbox, timeout=300) as client:
        result = await client.payout(**fields())
    assert result.status is PayoutStatus.PROCESSING
    assert result.attempts == 1
    assert bookings(sandbox) == ["T1"]
    assert [path for path, _ in requests(sandbox)] == [PAYOUT, QUERY]


@pytest.mark.parametrize("fault", BEFORE_BOOKING)
@virtual_time
async def test_a_payout_lost_before_the_booking_is_sent_again_after_the_settle_window(fault: Fault):
    """Nothing was booked: two spaced questions after the settle window find nothing, then attempt 2 goes out."""
    faults = FaultPlan.script({"T1": [fault]})
    async with virtual_sandbox(faults=faults) as sandbox, client_of(sandbox, timeout=300, settle_after=60) as client:
        result = await client.payout(**fields())
    assert result.status is PayoutStatus.PROCESSING
    assert result.attempts == 2
    assert bookings(sandbox) == ["T1"]

    journal = requests(sandbox)
    assert journal[0] == (PAYOUT, 0)
    *earlier, (last_kind, resent_at) = journal[1:]
    assert last_kind == PAYOUT
    assert {path for path, _ in earlier} == {QUERY}
    settled = [at for _, at in earlier if at >= 60]
    assert len(settled) == 2
    assert 60 <= settled[0] < 60.1  # the first that counts comes just then
    assert settled[1] - settled[0] == pytest.approx(3, abs=0.1)
    assert settled[1] <= resent_at < settled[1] + 0.1


@virtual_time
async def test_429_is_waited_out_and_sent_again_after_one_question():
    """HTTP 429 means not accepted: after the server's pause it is asked about once, and goes out again."""
    faults = FaultPlan.script({"T1": [Fault.BUSY_429]})
    async with virtual_sandbox(faults=faults) as sandbox, client_of(sandbox) as client:
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 2)
    assert bookings(sandbox) == ["T1"]
    assert [path for path, _ in requests(sandbox)] == [PAYOUT, QUERY, PAYOUT]
    assert 1 <= paid_at(sandbox)[1] <= 1.6


@virtual_time
async def test_a_booking_that_lags_behind_its_request_is_not_sent_again():
    """Even a platform that books a repeated number twice books this one once: the client waits out the lag."""
    faults = FaultPlan.script({"T1": [Fault.LATE_BOOKING]})
    async with (
        virtual_sandbox(faults=faults, booking_lag=50, deduplicate=False) as sandbox,
        client_of(sandbox, timeout=300, settle_after=60) as client,
    ):
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 1)
    assert bookings(sandbox) == ["T1"]


@virtual_time
async def test_a_settle_window_shorter_than_the_lag_would_pay_twice():
    """The counter-proof: with a window that is too short the same platform books twice, so the tests here can fail."""
    faults = FaultPlan.script({"T1": [Fault.LATE_BOOKING]})
    async with (
        virtual_sandbox(faults=faults, booking_lag=50, deduplicate=False) as sandbox,
        client_of(sandbox, timeout=300, settle_after=30) as client,
    ):
        await client.payout(**fields())
        await client._runtime.sleep(60)
    assert bookings(sandbox) == ["T1", "T1"]


@pytest.mark.parametrize("unknown_order", ["null", "empty", "code"])
@virtual_time
async def test_every_way_of_saying_no_such_order_is_understood(unknown_order: str):
    """A platform may answer an unknown number with null, with nothing, or with a code that the user has named."""
    from paypro_async import Codes

    faults = FaultPlan.script({"T1": [Fault.RESET_BEFORE]})
    async with (
        virtual_sandbox(faults=faults, unknown_order=unknown_order) as sandbox,
        client_of(sandbox, timeout=300, codes=Codes(no_such_order={"0100025"})) as client,
    ):
        result = await client.payout(**fields())
    assert result.attempts == 2
    assert bookings(sandbox) == ["T1"]


@virtual_time
async def test_a_code_that_nobody_named_is_not_believed_to_mean_no_such_order():
    """An undocumented refusal of the question leaves the payout unknown; it is never sent again for it."""
    from paypro_async import OutcomeUnknownError

    faults = FaultPlan.script({"T1": [Fault.RESET_BEFORE]})
    async with (
        virtual_sandbox(faults=faults, unknown_order="code") as sandbox,
        client_of(sandbox, timeout=300) as client,
    ):
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields())
    assert bookings(sandbox) == []
    assert paid_at(sandbox) == [0]


@pytest.mark.parametrize("seed", range(8))
@virtual_time
async def test_no_schedule_of_faults_pays_twice_or_loses_a_payout(seed: int):
    """Faults of all kinds in a row, on questions too: every payout ends up booked exactly once, also without
    the platform's help.
    """
    plan = FaultPlan(rate=0.6, query_rate=0.3, seed=seed, attempts=3)
    async with (
        virtual_sandbox(faults=plan, booking_lag=20, deduplicate=False) as sandbox,
        client_of(sandbox, timeout=3600, max_attempts=20) as client,
    ):
        report = await client.batch_payout(
            [fields(f"T{number}") for number in range(12)], timeout=3600, max_attempts=20
        )
        assert report.accepted == 12
        assert sandbox.books.booked_once(f"T{number}" for number in range(12)).exact
        assert all(order.status == "0015" for order in sandbox.books.orders.values())
