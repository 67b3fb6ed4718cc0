"""Ending a batch early: nothing more is begun, what is in flight is recorded, and the client can go on."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator

import pytest

from paypro_async import ClientStateError, ItemStatus, Payout, PayProClient, State
from paypro_async.batch.batch import Batch
from paypro_async.sandbox import FaultPlan
from tests.support.merchant import MERCHANT_NO, bookings, client_of, payouts, scripted_client, virtual_sandbox
from tests.support.scripted import ABSENT, LOST, PROCESSING, Scripted
from tests.support.virtual_time import now, virtual_time


async def wait_for(batch: Batch):
    return await batch


async def cancel_after(seconds: float, batch: Batch) -> bool:
    task = asyncio.create_task(wait_for(batch))
    await asyncio.wait([task], timeout=seconds)
    in_time = task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() is in_time
    return in_time


def counted(rows: Iterable[Payout], taken: list[int]) -> Iterator[Payout]:
    for row in rows:
        taken[0] += 1
        yield row


async def states(client: PayProClient, count: int) -> list[State | None]:
    entries = await client.ledger.get_many(MERCHANT_NO, [f"T{number}" for number in range(count)])
    return [entries[f"T{number}"].state if f"T{number}" in entries else None for number in range(count)]


@virtual_time
async def test_a_cancelled_batch_records_what_is_in_flight_and_begins_no_more():
    """Three in flight, two done: after the cancellation the three are read and stored, the rest is untouched."""
    transport = Scripted(takes=2)
    async with scripted_client(transport) as client:
        batch = client.batch_payout(payouts(100), concurrency=3)
        assert await cancel_after(3, batch)
        assert len(transport.payouts) == 6
        assert batch.report.counts == {ItemStatus.PROCESSING: 6}
        assert batch.report.stopped == "cancelled"
        assert not batch.report.ok
        assert await states(client, 7) == [State.PROCESSING] * 6 + [None]
        await asyncio.sleep(100)
        assert len(transport.payouts) == 6
        assert (await client.batch_payout(payouts(100))).ok
    assert len(transport.payouts) == 100


@pytest.mark.parametrize("seed", range(5))
@virtual_time
async def test_a_batch_cancelled_at_any_time_among_faults_is_finished_by_the_next(seed: int):
    """Cancelled again and again at a platform that would book twice: counts add up each time, and in the end every
    payout is booked once and the ledger says so.
    """
    plan = FaultPlan(rate=0.4, query_rate=0.2, seed=seed, attempts=3)
    async with (
        virtual_sandbox(faults=plan, booking_lag=20, deduplicate=False) as sandbox,
        client_of(sandbox) as client,
    ):
        cancelled = 0
        for seconds in (0, 0.001, 0.05, 3, 21, 45):
            begun = [0]
            batch = client.batch_payout(counted(payouts(30), begun), concurrency=4)
            cancelled += await cancel_after(seconds * (1 + seed / 5), batch)
            known = [state for state in await states(client, 30) if state]
            # Two rows at most were read and not begun: one in the reader's hands, one on the way from there.
            assert begun[0] - 2 <= batch.report.total <= begun[0]
            assert batch.report.counts.get(ItemStatus.PROCESSING, 0) <= known.count(State.PROCESSING)
        assert cancelled >= 4
        report = await client.batch_payout(payouts(30), timeout=3600, max_attempts=20)
        assert report.ok
        assert sandbox.books.booked_once(f"T{number}" for number in range(30)).exact
        assert set(await states(client, 30)) == {State.PROCESSING}


@virtual_time
async def test_what_waits_when_a_batch_is_cancelled_is_counted_as_unknown():
    """It is in the ledger as SENDING, in the counts as UNKNOWN, and holds nothing up."""
    transport = Scripted([LOST] * 3 + [PROCESSING], ABSENT)
    async with scripted_client(transport) as client:
        batch = client.batch_payout(payouts(6))
        assert await cancel_after(10, batch)
        assert batch.report.counts == {ItemStatus.UNKNOWN: 3, ItemStatus.PROCESSING: 3}
        assert await states(client, 6) == [State.SENDING] * 3 + [State.PROCESSING] * 3
        assert now() - 1000 < 30
        assert (await client.batch_payout(payouts(6))).ok


@virtual_time
async def test_a_cancelled_batch_begins_none_of_those_that_wait_for_their_turn_in_the_rate():
    """Ten turns at one payout in five seconds: cancelled in between, the other nine leave no trace in the ledger
    and nobody waits for their turn.
    """
    transport = Scripted()
    async with scripted_client(transport) as client:
        batch = client.batch_payout(payouts(100), concurrency=10, rate=0.2)
        assert await cancel_after(7, batch)
        assert len(transport.payouts) == 2
        assert await states(client, 12) == [State.PROCESSING] * 2 + [None] * 10
        assert batch.report.counts == {ItemStatus.PROCESSING: 2}
        assert now() - 1000 < 15


@virtual_time
async def test_leaving_the_loop_ends_the_batch():
    """`break` in `async for`: soon after, nothing more is begun, and what was in flight is in the ledger."""
    transport = Scripted(takes=1)
    async with scripted_client(transport) as client:
        async for item in client.batch_payout(payouts(100), concurrency=2):
            assert item.trade_no in ("T0", "T1")
            break
        await asyncio.sleep(5)
        begun = len(transport.payouts)
        assert begun <= 4
        assert await states(client, begun + 1) == [State.PROCESSING] * begun + [None]
        await asyncio.sleep(100)
        assert len(transport.payouts) == begun
        assert (await client.batch_payout(payouts(100))).ok


@virtual_time
async def test_an_error_in_the_loop_ends_the_batch():
    """With `async with`, by the time the error is out the batch has ended."""

    async def fail_at_the_first(batch: Batch) -> None:
        async with batch:
            async for _ in batch:
                raise ZeroDivisionError

    transport = Scripted(takes=1)
    async with scripted_client(transport) as client:
        batch = client.batch_payout(payouts(100), concurrency=2)
        with pytest.raises(ZeroDivisionError):
            await fail_at_the_first(batch)
        assert batch.report.stopped == "cancelled"
        assert transport.under_way == 0
        begun = len(transport.payouts)
        await asyncio.sleep(100)
        assert len(transport.payouts) == begun
        assert await states(client, begun) == [State.PROCESSING] * begun


@virtual_time
async def test_a_reader_that_is_cancelled_ends_the_batch():
    """The task that iterates is cancelled while it waits for an item."""
    transport = Scripted(takes=2)
    async with scripted_client(transport) as client:
        batch = client.batch_payout(payouts(100), concurrency=3)

        async def read() -> list:
            return [item async for item in batch]

        task = asyncio.create_task(read())
        await asyncio.sleep(3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(10)
        assert batch.report.counts == {ItemStatus.PROCESSING: 6}
        assert len(transport.payouts) == 6


@virtual_time
async def test_a_slow_reader_holds_the_batch_back():
    """Results that nobody takes do not pile up: no more is begun than there is room for."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        taken = 0
        async for _ in client.batch_payout(payouts(200), concurrency=5):
            taken += 1
            await asyncio.sleep(1)
            assert len(transport.payouts) - taken <= 2 * 5
    assert taken == 200


@virtual_time
async def test_a_plug_in_that_cancels_the_task_it_runs_in_ends_one_payout():
    """What became of that one is not known; the others are paid, also those that would have come in its place."""

    async def cancels_the_first(sent):
        if sent["tradeNo"] == "T0":
            asyncio.current_task().cancel()
            await asyncio.sleep(1)
        return PROCESSING

    async with scripted_client(Scripted(cancels_the_first)) as client:
        report = await client.batch_payout(payouts(5), concurrency=1)
    assert report.counts == {ItemStatus.UNKNOWN: 1, ItemStatus.PROCESSING: 4}
    assert report.stopped is None


@virtual_time
async def test_closing_the_client_ends_its_batches():
    """What is in flight is recorded before the connections close, and whoever awaits gets the report."""
    transport = Scripted(takes=2)
    async with scripted_client(transport) as client:
        task = asyncio.create_task(wait_for(client.batch_payout(payouts(100), concurrency=3)))
        await asyncio.sleep(3)
    report = await task
    assert (report.stopped, report.counts) == ("cancelled", {ItemStatus.PROCESSING: 6})
    assert len(transport.payouts) == 6
    assert await states(client, 7) == [State.PROCESSING] * 6 + [None]


@virtual_time
async def test_a_batch_that_was_not_started_before_its_client_closed_does_nothing():
    """Awaited too late: a clear error, nothing stored, nothing sent."""
    async with virtual_sandbox() as sandbox:
        async with client_of(sandbox) as client:
            batch = client.batch_payout(payouts(3))
            late = client.batch_payout(payouts(3))
        with pytest.raises(ClientStateError):
            await batch
        with pytest.raises(ClientStateError):
            [item async for item in late]
        assert await states(client, 3) == [None] * 3
    assert bookings(sandbox) == []


@virtual_time
async def test_a_batch_that_is_never_started_does_nothing():
    """Made and dropped: no task, no request, and the source is not touched."""

    async def rows() -> AsyncIterator:
        raise AssertionError
        yield

    transport = Scripted()
    async with scripted_client(transport) as client:
        source = rows()
        with pytest.warns(RuntimeWarning, match="never awaited"):
            client.batch_payout(source)
        await asyncio.sleep(1)
        await source.aclose()
    assert transport.log == []


@virtual_time
async def test_a_cancelled_batch_leaves_no_task_behind():
    """Feeder, workers and runner are gone."""
    async with scripted_client(Scripted(takes=1)) as client:
        assert await cancel_after(2.5, client.batch_payout(payouts(100), concurrency=5))
        assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual_time
async def test_two_batches_of_one_client_run_side_by_side():
    """Each with its own slots and its own report."""
    transport = Scripted(takes=1)
    async with scripted_client(transport) as client:
        one, other = await asyncio.gather(
            client.batch_payout(payouts(20), concurrency=2),
            client.batch_payout(payouts(20, first=20), concurrency=3),
        )
    assert (one.total, other.total) == (20, 20)
    assert transport.most_under_way == 5
