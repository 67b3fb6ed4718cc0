"""Paying a shard: as often and as many at one time as an engine likes, each payout once."""

import asyncio
from contextlib import suppress
from decimal import Decimal

import pytest

from paypro_async import (
    BatchStatus,
    ConfigurationError,
    IdempotencyConflictError,
    ItemStatus,
    batch_progress,
    cancel_batch,
    enqueue_open_shards,
    import_batch,
    open_shards,
    pause_batch,
    resume_batch,
    run_shard,
    set_batch_rate,
    unfinished_batches,
)
from paypro_async.ledger.sql.shards import ranges
from paypro_async.runtime import SystemRuntime
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.batch.shards.conftest import NewClient
from tests.support.merchant import bookings, client_of, fields, payouts

NUMBERS = [f"T{number}" for number in range(60)]


async def booked(sandbox: Sandbox, count: int) -> None:
    """Wait until the sandbox has booked so many."""
    while len(bookings(sandbox)) < count:  # noqa: ASYNC110  it tells nobody
        await asyncio.sleep(0.001)


async def test_a_batch_is_paid_by_its_shards(new_client: NewClient, sandbox: Sandbox) -> None:
    """Each payout once; then nothing is open, and the batch has ended."""
    async with new_client() as client:
        await import_batch(client, payouts(60), batch_id="july", shard_size=25)
        assert [one.batch_id for one in await unfinished_batches(client)] == ["july"]
        for shard in await open_shards(client, "july"):
            report = await run_shard(client, "july", shard.low, shard.high)
            assert (report.done, report.open, report.again_in, report.stopped) == (True, 0, None, None)
            assert report.counts == {ItemStatus.PROCESSING: shard.high - shard.low}
        progress = await batch_progress(client, "july")
        assert await open_shards(client, "july") == []
        assert await unfinished_batches(client) == []
    assert (progress.done, progress.batch.ended, progress.open_shards) == (True, True, 0)
    assert progress.counts == {ItemStatus.PROCESSING: 60}
    assert progress.amounts == {ItemStatus.PROCESSING: 18_000}
    assert sandbox.books.booked_once(NUMBERS).exact


async def test_each_shard_given_to_several_workers_at_one_time(new_client: NewClient, sandbox: Sandbox) -> None:
    """By clients of their own; nothing is paid twice, and nothing is asked about twenty times."""
    async with new_client() as one, new_client() as other:
        await import_batch(one, payouts(60), batch_id="july", shard_size=20)
        shards = await open_shards(one, "july")
        runs = [run_shard(client, "july", shard.low, shard.high) for shard in shards for client in (one, other, one)]
        reports = await asyncio.gather(*runs)
        assert all(report.done for report in reports)
    assert sandbox.books.booked_once(NUMBERS).exact


async def test_any_range_may_be_run(new_client: NewClient, sandbox: Sandbox) -> None:
    """Whatever an engine makes of shards: halves, overlaps, all at once, nothing."""
    async with new_client() as client:
        await import_batch(client, payouts(60), batch_id="july", shard_size=20)
        for low, high in ((10, 30), (5, 6), (0, 60), (60, 100), (7, 7)):
            assert (await run_shard(client, "july", low, high)).open == 0
        assert (await batch_progress(client, "july")).done
        assert await unfinished_batches(client) == []
    assert sandbox.books.booked_once(NUMBERS).exact


async def test_the_books_balance_at_every_moment(new_client: NewClient, sandbox: Sandbox) -> None:
    """While it runs each payout is counted once, in number and in money."""
    totals: set[tuple[int, int]] = set()
    begun: list[int] = []

    async def look(client) -> None:
        while True:
            progress = await batch_progress(client, "july")
            totals.add((progress.total, int(sum(progress.amounts.values()))))
            begun.append(progress.begun)
            await asyncio.sleep(0.002)

    async with new_client() as client, new_client() as looker:
        await import_batch(client, payouts(60), batch_id="july", shard_size=20, rate=40)
        looking = asyncio.create_task(look(looker))
        for shard in await open_shards(client, "july"):
            await run_shard(client, "july", shard.low, shard.high, concurrency=4)
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
    assert totals == {(60, 18_000)}
    assert begun == sorted(begun)
    assert len(set(begun)) > 1


@pytest.mark.filterwarnings("ignore:amount has decimals")
async def test_what_fails_and_what_is_refused_is_counted(new_client: NewClient) -> None:
    """And the shard is done: a final end is an end."""
    rows = [
        fields("T0", remark="sandbox:paid"),
        fields("T1", amount="70", remark="sandbox:fail:00029"),
        fields("T2", amount="5.25", remark="sandbox:refuse:1001"),
        fields("T3", amount="40"),
    ]
    async with new_client() as client:
        await import_batch(client, rows, batch_id="july")
        assert (await run_shard(client, "july", 0, 4)).done
        progress = await batch_progress(client, "july")
    assert progress.counts == {ItemStatus.SUCCEEDED: 1, ItemStatus.PROCESSING: 1, ItemStatus.FAILED: 2}
    assert progress.amounts == {
        ItemStatus.SUCCEEDED: Decimal(300),
        ItemStatus.PROCESSING: Decimal(40),
        ItemStatus.FAILED: Decimal("75.25"),
    }


async def test_a_number_that_was_paid_elsewhere_is_not_paid_again(new_client: NewClient, sandbox: Sandbox) -> None:
    """It counts as what it is; with other content it is a conflict, and stays one."""
    paid = fields("T0", remark="sandbox:paid")
    async with new_client() as client:
        await import_batch(client, [paid, fields("T1"), fields("T2", amount="9")], batch_id="july")
        await client.payout(paid)
        await client.payout(fields("T2"))
        report = await run_shard(client, "july", 0, 3)
        assert (report.done, report.counts[ItemStatus.CONFLICT]) == (True, 1)
        assert await open_shards(client, "july") == []
        progress = await batch_progress(client, "july")
        with pytest.raises(IdempotencyConflictError):
            await client.payout(fields("T2", amount="9"))
    assert progress.counts == {ItemStatus.SUCCEEDED: 1, ItemStatus.PROCESSING: 1, ItemStatus.CONFLICT: 1}
    assert sorted(bookings(sandbox)) == ["T0", "T1", "T2"]


async def test_once_it_is_paused_nothing_more_begins(new_client: NewClient, sandbox: Sandbox) -> None:
    """From the moment at which pausing returns, whatever a worker has read before; then it goes on."""
    async with new_client() as client, new_client() as other:
        await import_batch(client, payouts(60), batch_id="july")
        running = asyncio.create_task(run_shard(client, "july", 0, 60, concurrency=2))
        await booked(sandbox, 5)
        assert (await pause_batch(other, "july")).status is BatchStatus.PAUSED
        planned = (await batch_progress(other, "july")).planned
        report = await running
        assert (report.stopped, report.again_in, report.done) == ("paused", None, False)
        assert (await batch_progress(other, "july")).planned == planned > 0
        assert await open_shards(client, "july") == []
        assert (await run_shard(client, "july", 0, 60)).stopped == "paused"
        await resume_batch(other, "july")
        assert (await run_shard(client, "july", 0, 60)).done
    assert sandbox.books.booked_once(NUMBERS).exact


async def test_what_is_cancelled_never_begins(new_client: NewClient, sandbox: Sandbox) -> None:
    """Nor is it let go on; what was begun stays what it is."""
    async with new_client() as client:
        await import_batch(client, payouts(60), batch_id="july", shard_size=20)
        await run_shard(client, "july", 0, 20)
        assert (await cancel_batch(client, "july")).status is BatchStatus.CANCELLED
        assert (await resume_batch(client, "july")).status is BatchStatus.CANCELLED
        assert (await run_shard(client, "july", 20, 40)).stopped == "cancelled"
        assert await unfinished_batches(client) == []
        assert (await batch_progress(client, "july")).counts == {ItemStatus.PROCESSING: 20, ItemStatus.NOT_SENT: 40}
    assert len(bookings(sandbox)) == 20


async def test_what_only_a_person_can_mend_pauses_all_workers(new_client: NewClient, sandbox: Sandbox) -> None:
    """Each of them would burn payouts of its own otherwise."""
    rows = [fields(number, remark="sandbox:refuse:9876") for number in NUMBERS]
    async with new_client() as client:
        await import_batch(client, rows, batch_id="july", shard_size=30)
        report = await run_shard(client, "july", 0, 30, concurrency=1)
        assert (report.stopped, report.again_in, report.done) == ("same_refusal_in_a_row", None, False)
        batch = (await batch_progress(client, "july")).batch
        assert (batch.status, batch.why) == (BatchStatus.PAUSED, "same_refusal_in_a_row")
        assert (await run_shard(client, "july", 30, 60)).stopped == "paused"
        assert (await resume_batch(client, "july")).why is None


async def test_it_need_not_wait_for_what_is_unknown(database_url: str) -> None:
    """It says when to come again, and then the payout is settled; what is left holds no worker meanwhile."""
    faults = FaultPlan.script({"T3": [Fault.RESET_BEFORE]})
    async with Sandbox(faults=faults, deduplicate=False) as sandbox:
        async with client_of(
            sandbox, ledger=database_url, settle_after=4.0, environment="sandbox", runtime=SystemRuntime()
        ) as client:
            await import_batch(client, payouts(10), batch_id="july")
            began = asyncio.get_running_loop().time()
            report = await run_shard(client, "july", 0, 10, wait=False)
            assert asyncio.get_running_loop().time() - began < 2
            assert report.open == 1
            assert 1 < report.again_in <= 4
            await asyncio.sleep(report.again_in)
            assert (await run_shard(client, "july", 0, 10, wait=False)).done
        assert sandbox.books.booked_once(NUMBERS[:10]).exact


async def test_of_very_many_shards_no_transaction_looks_at_all(
    new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are found page by page, each once, and so is it found that none is left."""
    monkeypatch.setattr(ranges, "_PAGE", 2)
    told: list[list[int]] = []
    async with new_client() as client:
        await import_batch(client, payouts(50), batch_id="july", shard_size=10)
        await run_shard(client, "july", 10, 20)
        assert [one.low for one in await open_shards(client, "july")] == [0, 20, 30, 40]
        announced = await enqueue_open_shards(
            client, "july", lambda _, shards: told.append([one.low for one in shards])
        )
        assert [one.low for one in announced] == [0, 20, 30, 40]
        assert told == [[0], [20, 30], [40]]
        assert [one.low for one in await open_shards(client, "july", idle_for=60)] == [0, 20, 30, 40]
        assert not (await batch_progress(client, "july")).batch.ended
        for shard in announced:
            await run_shard(client, "july", shard.low, shard.high)
        assert (await batch_progress(client, "july")).batch.ended


async def test_the_rate_is_kept_by_all_and_may_change(new_client: NewClient, sandbox: Sandbox) -> None:
    """It stands in the ledger; a shard that runs follows."""
    async with new_client() as client, new_client() as other:
        await import_batch(client, payouts(60), batch_id="july", shard_size=30, rate=2)
        began = asyncio.get_running_loop().time()
        paying = asyncio.gather(
            *(run_shard(one, "july", low, low + 30) for one, low in ((client, 0), (other, 30))),
        )
        await asyncio.sleep(1)
        begun, changed = len(bookings(sandbox)), asyncio.get_running_loop().time()
        assert begun <= 2 * (changed - began) + 1
        await set_batch_rate(other, "july", 500)
        await paying
        # In less time than they would have taken at the first rate.
        assert asyncio.get_running_loop().time() - changed < (60 - begun) / 2
    assert sandbox.books.booked_once(NUMBERS).exact


async def test_a_worker_that_is_cancelled_records_what_is_under_way(new_client: NewClient, sandbox: Sandbox) -> None:
    """And leaves the rest to the next one."""
    async with new_client() as client:
        await import_batch(client, payouts(60), batch_id="july")
        running = asyncio.create_task(run_shard(client, "july", 0, 60, concurrency=3))
        await booked(sandbox, 5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        progress = await batch_progress(client, "july")
        assert progress.under_way == 0
        assert progress.begun == len(bookings(sandbox)) < 60
        assert (await run_shard(client, "july", 0, 60)).done
    assert sandbox.books.booked_once(NUMBERS).exact


async def test_shards_at_which_nobody_works(new_client: NewClient) -> None:
    """Who repairs an engine's loss leaves those alone that a worker is at."""
    async with new_client() as client:
        await import_batch(client, payouts(60), batch_id="july", shard_size=30, rate=5)
        running = asyncio.create_task(run_shard(client, "july", 0, 30))
        await asyncio.sleep(0.5)
        assert [shard.low for shard in await open_shards(client, "july", idle_for=5)] == [30]
        assert (await batch_progress(client, "july")).working == 1
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await asyncio.sleep(1.1)
        assert [shard.low for shard in await open_shards(client, "july", idle_for=1)] == [0, 30]


async def test_another_regions_batch_is_refused(new_client: NewClient) -> None:
    """Its payouts would not be what they were checked to be."""
    async with new_client() as client:
        await import_batch(client, payouts(1), batch_id="july")
        for sql in ("UPDATE planned SET region = 'brazil'",):
            await client.ledger.write(lambda connection, sql=sql: connection.exec_driver_sql(sql))
        with pytest.raises(ConfigurationError, match="region"):
            await run_shard(client, "july", 0, 1)
