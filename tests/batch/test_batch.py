"""What a batch gives back: each item as it ends, and a report of all."""

import asyncio
import gc
from decimal import Decimal

import pytest

from paypro_async import (
    BatchProgress,
    ClientStateError,
    ConfigurationError,
    IdempotencyConflictError,
    InvalidPayoutError,
    ItemStatus,
    PayoutFailedError,
    PayProError,
    PayProWarning,
    State,
    StopRules,
)
from tests.support.merchant import (
    MERCHANT_NO,
    bookings,
    client_of,
    fields,
    payout,
    payouts,
    scripted_client,
    virtual_sandbox,
)
from tests.support.scripted import ABSENT, LOST, PROCESSING, Scripted
from tests.support.virtual_time import now, virtual_time


@virtual_time
async def test_a_batch_is_awaited_for_its_report():
    """Counts and sums by status, codes, failures, time and rate; and every payout booked once."""
    rows = [
        fields("T0"),
        fields("T1", amount="100", remark="sandbox:paid"),
        fields("T2", amount="50", remark="sandbox:fail:00029"),
        fields("T3", amount="7", remark="sandbox:refuse:1001"),
        fields("T4", amount="5", mobile="1"),
    ]
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        report = await client.batch_payout(rows)
    assert report.counts == {
        ItemStatus.PROCESSING: 1,
        ItemStatus.SUCCEEDED: 1,
        ItemStatus.FAILED: 2,
        ItemStatus.INVALID: 1,
    }
    assert report.amounts == {
        ItemStatus.PROCESSING: Decimal(300),
        ItemStatus.SUCCEEDED: Decimal(100),
        ItemStatus.FAILED: Decimal(57),
        ItemStatus.INVALID: Decimal(0),
    }
    assert report.codes == {"00029": 1, "1001": 1, "InvalidPayoutError": 1}
    assert {item.trade_no for item in report.failures} == {"T2", "T3", "T4"}
    assert (report.total, report.accepted, report.ok, report.stopped) == (5, 2, False, None)
    assert sandbox.books.booked_once(["T0", "T1", "T2"]).exact


@virtual_time
async def test_a_batch_of_good_payouts_is_ok():
    """And its rate is items by seconds."""
    async with scripted_client(Scripted(takes=2)) as client:
        report = await client.batch_payout(payouts(40), concurrency=10)
    assert report.ok
    assert (report.total, report.elapsed, report.rate) == (40, pytest.approx(8), pytest.approx(5))


@virtual_time
async def test_an_empty_batch_is_ok():
    """Nothing to pay is no failure."""
    async with scripted_client(Scripted()) as client:
        report = await client.batch_payout([])
        assert [item async for item in client.batch_payout(iter(()))] == []
    assert (report.total, report.ok, report.rate) == (0, True, 0.0)


@virtual_time
async def test_items_come_as_they_end():
    """A slow first payout does not hold back the results of the others."""

    async def slow_first(sent):
        await asyncio.sleep(10 if sent["tradeNo"] == "T0" else 1)
        return PROCESSING

    seen = []
    async with scripted_client(Scripted(slow_first)) as client:
        async for item in client.batch_payout(payouts(4), concurrency=2):
            seen.append((item.trade_no, item.position, now() - 1000))
            assert item.result.trade_no == item.trade_no == f"T{item.position}"
            assert item.payout == payout(item.trade_no)
    assert seen == [("T1", 1, 1.0), ("T2", 2, 2.0), ("T3", 3, 3.0), ("T0", 0, 10.0)]


@virtual_time
async def test_the_report_can_be_read_at_any_time():
    """While it runs it holds what has ended; afterwards it is the report."""
    async with scripted_client(Scripted(takes=1)) as client:
        batch = client.batch_payout(payouts(4), concurrency=1)
        assert [batch.report.total async for _ in batch] == [1, 2, 3, 4]
        assert await batch == batch.report
        assert batch.report.elapsed == pytest.approx(4)


@virtual_time
async def test_an_item_raises_what_kept_it_from_being_paid():
    """raise_for_status gives the result of a good one and the error of any other."""
    rows = [fields("T0"), fields("T1", remark="sandbox:fail:00029"), fields("T2", email="")]
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        items = {item.position: item async for item in client.batch_payout(rows)}
    assert items[0].raise_for_status() is items[0].result
    with pytest.raises(PayoutFailedError):
        items[1].raise_for_status()
    with pytest.raises(InvalidPayoutError):
        items[2].raise_for_status()


@virtual_time
async def test_bad_items_never_stop_the_rest():
    """None, a float, a wrong type, wrong fields, a conflict, a payout of another kind: each is an item with its
    error and its place, and all good payouts are paid.
    """
    bad = [None, fields("B1", amount=1.5), 17, "text", {"nonsense": 1}, {}, fields("T1", amount="999"), object()]
    rows = [fields("T1", remark="x"), *bad, *payouts(5, first=10)]
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        await client.payout(**fields("T1", remark="x"))
        items = {item.position: item async for item in client.batch_payout(rows, concurrency=3)}
    assert sorted(items) == list(range(len(rows)))
    statuses = [items[position].status for position in range(len(rows))]
    invalid = [ItemStatus.INVALID] * 6
    assert statuses == [
        ItemStatus.PROCESSING,
        *invalid,
        ItemStatus.CONFLICT,
        ItemStatus.INVALID,
        *[ItemStatus.PROCESSING] * 5,
    ]
    assert [one.field for one in items[2].error.problems] == ["amount"]
    assert isinstance(items[7].error, IdempotencyConflictError)
    assert items[7].trade_no == "T1"
    assert all(isinstance(item.error, PayProError) for item in items.values() if item.error)
    assert sandbox.books.booked_once(["T1", *(f"T{number}" for number in range(10, 15))]).exact


@virtual_time
async def test_a_payout_that_stands_twice_in_a_batch_is_paid_once():
    """Both rows get the one result; with another amount the second is a conflict."""
    rows = [fields("T1"), fields("T2"), fields("T1"), fields("T2", amount="1")]
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        items = {item.position: item async for item in client.batch_payout(rows)}
    assert items[0].result.platform_trade_no == items[2].result.platform_trade_no
    assert [items[place].status for place in range(4)] == [ItemStatus.PROCESSING] * 3 + [ItemStatus.CONFLICT]
    assert sorted(bookings(sandbox)) == ["T1", "T2"]


@virtual_time
async def test_a_payout_may_be_paid_alone_and_in_a_batch_at_the_same_time():
    """The ledger keeps the two apart: one request, one booking."""
    async with virtual_sandbox(deduplicate=False) as sandbox, client_of(sandbox, timeout=300) as client:
        results = await asyncio.gather(
            client.payout(**fields()), client.batch_payout([fields(), fields()]), client.payout(**fields())
        )
    assert (results[1].accepted, results[1].repeated) == (1, 1)
    assert bookings(sandbox) == ["T1"]


@virtual_time
async def test_payouts_without_a_number_get_one_each():
    """And the items tell which."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        items = [item async for item in client.batch_payout([fields(None) for _ in range(20)])]
    assert {item.trade_no for item in items} == set(sandbox.books.orders)
    assert len(sandbox.books.orders) == 20


@virtual_time
async def test_only_the_first_hundred_failures_are_kept():
    """The report of a file that is wrong in every row does not grow with it; the counts are complete."""
    async with scripted_client(Scripted()) as client:
        report = await client.batch_payout({} for _ in range(1000))
    assert len(report.failures) == 100
    assert report.counts == {ItemStatus.INVALID: 1000}


@virtual_time
async def test_a_warning_about_decimals_does_not_stop_a_batch():
    """It is given, and the payout is paid."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        with pytest.warns(PayProWarning):
            report = await client.batch_payout([fields("T1", amount="1.5"), fields("T2")])
    assert report.ok


@virtual_time
async def test_what_is_unknown_at_the_end_is_reported_as_unknown():
    """The platform cannot be asked until the item's time is over: UNKNOWN, in the ledger as SENDING."""
    async with scripted_client(Scripted(LOST, LOST)) as client:
        report = await client.batch_payout(payouts(3), timeout=20)
        assert report.counts == {ItemStatus.UNKNOWN: 3}
        assert report.codes == {"ReplyLostError": 3}
        assert all(item.error.money_may_have_moved for item in report.failures)
        assert report.elapsed <= 20.01
        assert (await client.ledger.get(MERCHANT_NO, "T0")).state is State.SENDING


@virtual_time
async def test_what_needs_a_person_is_reported_as_review():
    """With resend="never" a payout that never arrived waits for somebody."""
    async with scripted_client(Scripted(LOST, ABSENT), resend="never") as client:
        report = await client.batch_payout(payouts(2))
    assert report.counts == {ItemStatus.REVIEW: 2}


@virtual_time
async def test_progress_is_told_after_each_item():
    """How many have ended, by status, and how many are under way or wait; within the bounds of the batch."""
    seen: list[BatchProgress] = []
    counts: list[int] = []

    def watch(progress: BatchProgress) -> None:
        seen.append(progress)
        counts.append(sum(progress.counts.values()))

    async with scripted_client(Scripted(takes=1)) as client:
        await client.batch_payout(payouts(10), concurrency=3, on_progress=watch)
    assert [progress.done for progress in seen] == list(range(1, 11))
    assert counts == list(range(1, 11))
    assert max(progress.in_flight for progress in seen) <= 3
    assert seen[-1].elapsed == pytest.approx(4)


@virtual_time
async def test_progress_knows_the_total_the_sum_and_the_time_left():
    """If the source has a length; a number that comes twice is no longer waited for once that is known."""
    seen: list[BatchProgress] = []
    async with scripted_client(Scripted(takes=2)) as client:
        await client.batch_payout([*payouts(4), *payouts(1)], concurrency=1, on_progress=seen.append)
        assert [one.total for one in seen] == [5, 5, 5, 5, 4]
        assert [one.amount for one in seen] == [300, 600, 900, 1200, 1200]
        assert (seen[1].rate, seen[1].remaining, seen[-1].remaining) == (0.5, 6, 0)
        seen.clear()
        await client.batch_payout(iter(payouts(1, first=9)), on_progress=seen.append)
    assert (seen[0].total, seen[0].remaining) == (None, None)


@virtual_time
async def test_what_progress_has_told_does_not_change_afterwards():
    """A progress that somebody keeps is a value of its moment."""
    seen: list[BatchProgress] = []
    async with scripted_client(Scripted()) as client:
        await client.batch_payout(payouts(5), concurrency=1, on_progress=seen.append)
    assert [sum(progress.counts.values()) for progress in seen] == [1, 2, 3, 4, 5]


@virtual_time
async def test_a_watcher_that_raises_touches_no_payment(caplog: pytest.LogCaptureFixture):
    """Its failure is logged and the batch goes on."""

    def broken(progress: BatchProgress) -> None:
        raise ZeroDivisionError

    transport = Scripted()
    async with scripted_client(transport) as client:
        report = await client.batch_payout(payouts(5), on_progress=broken)
    assert report.ok
    assert len(transport.payouts) == 5
    assert "ZeroDivisionError" in caplog.text


@virtual_time
async def test_a_batch_is_started_once():
    """Iterating twice is refused, after iterating and after awaiting; awaiting again gives the same report."""
    async with scripted_client(Scripted()) as client:
        batch = client.batch_payout(payouts(3))
        assert len([item async for item in batch]) == 3
        with pytest.raises(ClientStateError, match="started"):
            [item async for item in batch]
        awaited = client.batch_payout(payouts(3))
        report = await awaited
        assert await awaited == report
        with pytest.raises(ClientStateError, match="started"):
            [item async for item in awaited]


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0},
        {"concurrency": -1},
        {"rate": 0},
        {"rate": -1},
        {"rate": float("nan")},
        {"timeout": 0},
        {"max_attempts": 0},
    ],
    ids=repr,
)
@virtual_time
async def test_numbers_that_make_no_sense_are_refused(wrong):
    """When the batch is made, before anything is read or sent."""
    async with scripted_client(Scripted()) as client:
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            client.batch_payout(payouts(1), stop=StopRules(), **wrong)


@virtual_time
async def test_a_batch_that_nobody_awaits_says_so():
    """As a coroutine does, with its name and how many were not begun; one that was begun or closed is silent."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        for source, count in ((payouts(3), "its 3 payouts"), ((one for one in payouts(3)), "its payouts")):
            with pytest.warns(RuntimeWarning, match=f"batch salaries was never awaited, so none of {count} was begun"):
                client.batch_payout(source, batch_id="salaries")
        assert transport.log == []
        with pytest.raises(ConfigurationError):
            client.batch_payout(payouts(1), concurrency=0)
        await client.batch_payout(payouts(2))
        await client.batch_payout(payouts(2)).aclose()
        async for _ in client.batch_payout(payouts(2)):
            break
        late = client.batch_payout(payouts(2))
    with pytest.raises(ClientStateError):
        await late
    del late
    gc.collect()
