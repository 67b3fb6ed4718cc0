"""Concurrency and rate: how many at a time, how many a second, and what waits without holding a slot."""

import asyncio
from pathlib import Path

import pytest

from paypro_async import ItemStatus, MemoryLedger, PayoutStatus, PayProClient
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from paypro_async.sandbox.faults import USUAL_FAULTS
from tests.support.merchant import (
    MERCHANT_NO,
    SIGNER,
    client_of,
    fields,
    payout,
    payouts,
    requests,
    scripted_client,
    virtual_sandbox,
)
from tests.support.scripted import ABSENT, LOST, NOT_SENT, PROCESSING, Scripted, order, page
from tests.support.virtual_time import VirtualRuntime, freeze, now, virtual_time


@pytest.mark.parametrize("concurrency", [1, 2, 7, 50])
@virtual_time
async def test_no_more_than_concurrency_are_under_way(concurrency: int):
    """Counted at the server, and the slots are all used."""
    transport = Scripted(takes=1)
    async with scripted_client(transport) as client:
        report = await client.batch_payout(payouts(60), concurrency=concurrency)
    assert report.ok
    assert transport.most_under_way == concurrency
    assert now() - 1000 == pytest.approx(-(-60 // concurrency))


@virtual_time
async def test_no_more_than_concurrency_are_under_way_with_questions_and_resends():
    """Whatever a payout needs, it needs a slot for it."""
    dice = iter([LOST, NOT_SENT, page(429), PROCESSING, page(502)] * 1000)
    transport = Scripted(lambda _: next(dice), lambda _: ABSENT, takes=0.2)
    async with scripted_client(transport) as client:
        report = await client.batch_payout(payouts(40), concurrency=3)
    assert report.total == 40
    assert len(transport.log) > 100
    assert transport.most_under_way == 3


@virtual_time
async def test_one_that_waits_for_its_settle_window_holds_no_slot():
    """With two slots and three lost payouts, all the others are paid long before the window of the first is over."""
    transport = Scripted(lambda sent: LOST if sent["tradeNo"] in ("T0", "T1", "T2") else PROCESSING, ABSENT, takes=0.1)
    ended: dict[str, float] = {}
    async with scripted_client(transport, max_attempts=2) as client:
        async for item in client.batch_payout(payouts(100), concurrency=2, max_attempts=2):
            ended[item.trade_no] = now() - 1000
    good = [at for number, at in ended.items() if number not in ("T0", "T1", "T2")]
    assert max(good) < 10
    assert min(ended["T0"], ended["T1"], ended["T2"]) > 120  # two settle windows
    assert max(ended.values()) < 140


@virtual_time
async def test_what_was_lost_is_found_and_paid_in_the_same_run():
    """The default time of a batch is long enough to wait out the settle window: nothing stays unknown."""
    plan = FaultPlan(rate=0.5, seed=3, attempts=1)
    async with virtual_sandbox(faults=plan, booking_lag=20) as sandbox, client_of(sandbox) as client:
        report = await client.batch_payout(payouts(40))
        assert report.counts == {ItemStatus.PROCESSING: 40}
        assert sandbox.books.booked_once(f"T{number}" for number in range(40)).exact


async def test_a_batch_over_a_file_in_real_time(tmp_path: Path):
    """Nothing virtual: a file on disk, its writer's thread, faults of all kinds, and a second client that finds
    everything done.
    """
    numbers = [f"T{number}" for number in range(200)]
    kinds = USUAL_FAULTS - {Fault.BUSY_429, Fault.SILENCE, Fault.SILENCE_BEFORE, Fault.DRIP}  # these take their time
    plan = FaultPlan(rate=0.15, seed=11, kinds=kinds, attempts=2)
    async with Sandbox(faults=plan, booking_lag=0.3, deduplicate=False) as sandbox:
        settings = {
            "base_url": sandbox.base_url,
            "environment": sandbox.environment,
            "merchant_no": MERCHANT_NO,
            "signer": SIGNER,
            "ledger": f"sqlite:///{tmp_path / 'payouts.db'}",
            "settle_after": 0.9,
        }
        async with PayProClient(**settings) as client:
            report = await client.batch_payout(map(fields, numbers))
        requests_so_far = len(sandbox.books.requests)
        async with PayProClient(**settings) as client:
            again = await client.batch_payout(map(fields, numbers))
    assert report.counts == again.counts == {ItemStatus.PROCESSING: 200}
    assert sum(sandbox.books.fault_counts.values()) > 15
    assert sandbox.books.booked_once(numbers).exact
    assert len(sandbox.books.requests) == requests_so_far


def most_in_one_second(times: list[float]) -> int:
    """The largest number of starts in any second, wherever it begins."""
    times = sorted(times)
    return max(sum(1 for at in times if begin <= at < begin + 1) for begin in times)


@pytest.mark.parametrize("rate", [0.5, 1, 5, 30])
@virtual_time
async def test_the_rate_is_exceeded_in_no_second(rate: float):
    """In every sliding second as many payout requests arrive as allowed at most; and nearly as many do."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        report = await client.batch_payout(payouts(int(rate * 6) + 1), rate=rate)
    assert report.ok
    times = [at for path, at in requests(sandbox) if path == "payout"]
    assert most_in_one_second(times) <= max(1, rate)
    assert times[-1] <= 6 * 1.05


@virtual_time
async def test_the_rate_holds_for_repeated_attempts_too():
    """Payouts that are sent again count like new ones."""
    dice = iter([NOT_SENT, page(429), LOST] * 20)
    transport = Scripted(lambda _: next(dice, PROCESSING), ABSENT)
    async with scripted_client(transport) as client:
        report = await client.batch_payout(payouts(40), rate=5)
    assert report.counts == {ItemStatus.PROCESSING: 40}
    assert len(transport.payouts) == 100
    assert most_in_one_second([sent.at for sent in transport.payouts]) <= 5


@pytest.mark.parametrize("stalls", [[0.9], [0.5, 0.5, 0.5], [0.1] * 30])
@virtual_time
async def test_the_rate_holds_when_the_process_stands_still(stalls: list[float]):
    """The event loop was blocked now and then: what was due meanwhile is not made up for in a burst."""

    def stall(_) -> None:
        if stalls and now() > 1002:
            freeze(stalls.pop())

    transport = Scripted()
    async with scripted_client(transport) as client:
        report = await client.batch_payout(payouts(150), rate=20, on_progress=stall)
    assert report.ok
    assert stalls == []
    assert most_in_one_second([sent.at for sent in transport.payouts]) <= 20


@virtual_time
async def test_a_rate_slower_than_the_patience_of_an_item_is_no_failure_of_the_ledger():
    """A repeated attempt that gets no turn in the rate before its deadline was not sent; the ledger is well, and
    the batch goes on.
    """

    class Disk(MemoryLedger):
        async def move(self, change):
            await asyncio.sleep(0.001)
            return await super().move(change)

    transport = Scripted(lambda sent: NOT_SENT if sent["tradeNo"] == "T0" else PROCESSING)
    async with scripted_client(transport, ledger=Disk(runtime=VirtualRuntime())) as client:
        report = await client.batch_payout(payouts(10), rate=0.1, timeout=15)
    assert report.stopped is None
    assert report.counts == {ItemStatus.NOT_SENT: 1, ItemStatus.PROCESSING: 9}
    assert report.codes == {"ConnectionFailedError": 1}


@virtual_time
async def test_a_second_run_passes_over_what_is_done_without_requests_and_without_the_rate():
    """A thousand finished rows take no time at one payout a second; the new ones keep the rate."""
    transport = Scripted(order("0000"))
    async with scripted_client(transport) as client:
        await client.batch_payout(payouts(1000))
        assert len(transport.log) == 1000
        began = now()
        report = await client.batch_payout(payouts(1003), rate=1)
    assert report.counts == {ItemStatus.SUCCEEDED: 1003}
    assert len(transport.log) == 1003
    assert now() - began == pytest.approx(2 * 1.02, abs=0.1)


@virtual_time
async def test_a_second_run_leaves_processing_payouts_alone_unless_it_shall_refresh():
    """By default nobody is asked; refresh=True asks once for each and stores the answer."""
    async with virtual_sandbox(paid_after=100) as sandbox, client_of(sandbox) as client:
        await client.batch_payout(payouts(5))
        await asyncio.sleep(200)
        again = await client.batch_payout(payouts(5))
        assert len(requests(sandbox)) == 5
        fresh = await client.batch_payout(payouts(7), refresh=True)
        assert [path for path, _ in requests(sandbox)[5:]].count("queryPayOutResult") == 5
        assert (await client.payout(payout("T0"))).status is PayoutStatus.SUCCEEDED
    assert again.counts == {ItemStatus.PROCESSING: 5}
    assert fresh.counts == {ItemStatus.SUCCEEDED: 5, ItemStatus.PROCESSING: 2}


@virtual_time
async def test_a_payout_that_was_not_sent_is_sent_by_the_next_run_within_the_rate():
    """NEW in the ledger is not done: it takes its turn in the rate like a new one."""
    transport = Scripted([NOT_SENT] * 5 + [PROCESSING])
    async with scripted_client(transport) as client:
        first = await client.batch_payout(payouts(5), max_attempts=1)
        assert first.counts == {ItemStatus.NOT_SENT: 5}
        second = await client.batch_payout((fields(f"T{number}") for number in range(5)), rate=2)
    assert second.counts == {ItemStatus.PROCESSING: 5}
    assert most_in_one_second([sent.at for sent in transport.payouts[5:]]) <= 2
