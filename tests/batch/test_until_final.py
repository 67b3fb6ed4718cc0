"""A batch that waits until its payouts are final."""

import asyncio
import logging
import tracemalloc

import pytest

from paypro_async import BatchProgress, ConfigurationError, ItemStatus, MemoryLedger, ReviewRequiredError, StopRules
from paypro_async._core.lifecycle import State
from tests.support.merchant import fields, payouts, scripted_client
from tests.support.scripted import LOST, PAID, PROCESSING, Scripted, order
from tests.support.virtual_time import VirtualRuntime, now, virtual_time
from tests.tracking.test_waiting import settle, store, tasks

COUNT = 2000


@virtual_time
async def test_it_ends_when_every_row_is_final():
    """Here by queries, five seconds after each was taken; the counts are those of the ends."""
    async with scripted_client(Scripted(queries=[PAID, order("00029"), PAID])) as client:
        report = await client.batch_payout(payouts(3), wait=True)
        await settle()
        assert tasks() == set()
    assert report.counts == {ItemStatus.SUCCEEDED: 2, ItemStatus.FAILED: 1}
    assert (report.total, report.open, report.sent, report.ok, report.waited) == (3, 0, 3, False, True)
    assert [item.payout.trade_no for item in report.failures] == [item.trade_no for item in report.failures]
    assert report.elapsed == pytest.approx(5)
    assert report.to_dict()["open"] == 0


@virtual_time
async def test_all_paid_is_ok_and_open_is_not():
    """Without wait an accepted batch is, as before."""
    async with scripted_client(Scripted(queries=PAID)) as client:
        assert (await client.batch_payout(payouts(2), wait=True)).ok
    async with scripted_client(Scripted(queries=PROCESSING)) as client:
        began = now()
        report = await client.batch_payout(payouts(2), wait=True, wait_timeout=30)
        assert now() - began == pytest.approx(30)
        assert (report.counts, report.open, report.stopped) == ({ItemStatus.PROCESSING: 2}, 2, None)
        assert not report.ok
        assert (await client.batch_payout(payouts(2))).ok


@virtual_time
async def test_items_come_when_they_are_final():
    """One by one, with what the caller gave; a waiting row holds no slot."""
    shared, seen = MemoryLedger(runtime=VirtualRuntime()), []

    async def elsewhere() -> None:
        for number in (2, 0, 1):
            await asyncio.sleep(1)
            await store(shared, f"T{number}", State.SUCCEEDED)

    rows = payouts(3)
    async with scripted_client(Scripted(queries=PROCESSING), ledger=shared) as client:
        ends = asyncio.create_task(elsewhere())
        async for item in client.batch_payout(rows, wait=True, concurrency=1):
            seen.append((item.trade_no, item.status))
            assert item.payout is rows[item.position]
        await ends
    assert seen == [(f"T{number}", ItemStatus.SUCCEEDED) for number in (2, 0, 1)]


@virtual_time
async def test_what_a_person_must_decide_is_not_waited_for():
    """It is told at once, with its error."""
    shared = MemoryLedger(runtime=VirtualRuntime())
    async with scripted_client(Scripted(queries=PROCESSING), ledger=shared) as client:
        batch = client.batch_payout(payouts(1), wait=True, wait_timeout=None)
        waiting = asyncio.ensure_future(asyncio.wait_for(batch, 60))
        await asyncio.sleep(1)
        await store(shared, "T0", State.REVIEW)
        report = await waiting
    assert report.counts == {ItemStatus.REVIEW: 1}
    assert isinstance(report.failures[0].error, ReviewRequiredError)
    assert report.open == 0


@virtual_time
async def test_rows_of_an_earlier_run_are_waited_for_too():
    """The same batch again goes on; what is paid comes without a request."""
    platform = Scripted(queries=PAID)
    async with scripted_client(platform) as client:
        await client.batch_payout(payouts(2))
        first = await client.batch_payout(payouts(2), wait=True)
        asked = len(platform.log)
        again = await client.batch_payout(payouts(2), wait=True)
        assert (first.counts, first.sent) == (again.counts, again.sent) == ({ItemStatus.SUCCEEDED: 2}, 0)
        assert len(platform.log) == asked
        assert len(platform.payouts) == 2


@virtual_time
async def test_what_is_unknown_is_waited_for():
    """It may be found yet; if not, the row has the error of its attempt."""
    async with scripted_client(Scripted(LOST, queries=LOST)) as client:
        report = await client.batch_payout(payouts(1), timeout=5, wait=True, wait_timeout=10)
        assert (report.counts, report.open) == ({ItemStatus.UNKNOWN: 1}, 1)
        assert type(report.failures[0].error).__name__ == "ReplyLostError"


@virtual_time
async def test_a_number_that_comes_twice_is_one_payout():
    """The second is not waited for."""
    rows = [*payouts(1), *payouts(1)]
    async with scripted_client(Scripted(queries=PAID)) as client:
        report = await client.batch_payout(rows, wait=True, concurrency=1)
    assert (report.counts, report.repeated) == ({ItemStatus.SUCCEEDED: 1}, 1)


@virtual_time
@pytest.mark.parametrize("how", ["close", "cancel", "client", "break"])
async def test_it_can_be_ended_while_it_waits(how: str):
    """What is open is counted as what it is, nothing is left behind, and the same batch again goes on."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    client = scripted_client(Scripted(queries=PROCESSING), ledger=ledger)
    await client.open()
    batch = client.batch_payout(payouts(3), wait=True)
    waiting = asyncio.ensure_future(batch.__aiter__().__anext__() if how == "break" else _whole(batch))
    await asyncio.sleep(2)
    began = now()
    if how in ("cancel", "break"):
        waiting.cancel()
        await asyncio.wait([waiting])
    await (client if how == "client" else batch).aclose()
    await asyncio.wait([waiting])
    assert (batch.report.counts, batch.report.stopped) == ({ItemStatus.PROCESSING: 3}, "cancelled")
    assert now() - began < 1
    await settle()
    assert tasks() == set()
    await client.aclose()
    async with scripted_client(Scripted(queries=PAID), ledger=ledger) as other:
        assert (await other.batch_payout(payouts(3), wait=True)).ok


async def _whole(batch):
    return await batch


@virtual_time
async def test_a_stop_rule_begins_no_more_and_what_was_taken_is_waited_for():
    """The rule is told once, when it applies, and not again at the ends."""
    rows = [*payouts(3), fields("B1"), *payouts(5, first=10)]

    def answer(sent):
        return LOST if sent["tradeNo"] == "B1" else PROCESSING

    def found(sent):
        return LOST if now() < 1015 else PAID

    async with scripted_client(Scripted(answer, queries=found)) as client:
        stop = StopRules(unknown_in_a_row=1)
        report = await client.batch_payout(rows, timeout=5, wait=True, wait_timeout=60, concurrency=1, stop=stop)
    assert report.counts == {ItemStatus.SUCCEEDED: 4}
    assert (report.stopped, report.ok) == ("unknown_in_a_row", False)


@virtual_time
async def test_progress_tells_how_many_are_waited_for():
    """They are among those that wait, until they are done."""
    told: list[BatchProgress] = []
    async with scripted_client(Scripted(queries=PAID)) as client:
        await client.batch_payout(payouts(3), wait=True, on_progress=told.append)
    assert max(one.waiting for one in told) == 3
    assert (told[-1].done, told[-1].waiting, told[-1].counts) == (3, 0, {ItemStatus.SUCCEEDED: 3})


@virtual_time
async def test_a_progress_callback_that_ends_the_program_ends_the_wait():
    """Its error is the batch's."""

    def leave(progress: BatchProgress) -> None:
        if progress.waiting == 2:
            raise SystemExit(3)

    async with scripted_client(Scripted(queries=PROCESSING)) as client:
        with pytest.raises(SystemExit):
            await client.batch_payout(payouts(2), wait=True, on_progress=leave)
        assert now() - 1000 < 1


@virtual_time
async def test_what_another_process_ends_in_the_last_moment_is_counted():
    """The ledger is looked into once more at the end."""
    shared = MemoryLedger(runtime=VirtualRuntime())
    async with scripted_client(Scripted(queries=PROCESSING), ledger=shared) as client:
        waiting = asyncio.ensure_future(_whole(client.batch_payout(payouts(1), wait=True, wait_timeout=10)))
        await asyncio.sleep(9.999)
        await store(shared, "T0", State.SUCCEEDED)
        assert (await waiting).ok


@pytest.mark.parametrize("timeout", [0, -1, True, float("nan"), float("inf"), "3"])
@virtual_time
async def test_a_wait_timeout_that_makes_no_sense_is_refused(timeout: float):
    """None is for ever."""
    async with scripted_client(Scripted()) as client:
        with pytest.raises(ConfigurationError, match="wait_timeout must be a positive number"):
            client.batch_payout([], wait_timeout=timeout)


@pytest.mark.trial
@virtual_time
async def test_a_row_that_waits_holds_little():
    """A generator's rows, which nobody else holds."""
    logging.getLogger("paypro_async").setLevel(logging.WARNING)
    held = []
    for wait in (False, True):
        async with scripted_client(Scripted(queries=PROCESSING)) as client:
            tracemalloc.start()
            try:
                rows = (fields(f"T{number}") for number in range(COUNT))
                batch = client.batch_payout(rows, wait=wait, wait_timeout=1, concurrency=100)
                running = asyncio.ensure_future(_whole(batch))
                await asyncio.sleep(0.5)
                held.append(tracemalloc.get_traced_memory()[0])
                await running
            finally:
                tracemalloc.stop()
    assert (held[1] - held[0]) / COUNT < 2000, (held[1] - held[0]) / COUNT
