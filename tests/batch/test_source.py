"""Where payouts come from: any iterable or async iterable, of any length, in constant memory."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise

import pytest

from paypro_async import Batch, BatchProgress, ItemStatus, MemoryLedger, State
from paypro_async._core.lifecycle import Change
from paypro_async.batch.source import SourceReader
from paypro_async.ledger import Written
from tests.support.merchant import (
    MERCHANT_NO,
    client_of,
    fields,
    payouts,
    scripted_client,
    virtual_sandbox,
)
from tests.support.scripted import PROCESSING, Scripted, order
from tests.support.virtual_time import VirtualRuntime, now, virtual_time


class Forgetful(MemoryLedger):
    """Drops what has an outcome, so that what grows in a test is not the ledger."""

    async def move(self, change: Change) -> Written:
        moved = await super().move(change)
        if moved.entry.state not in (State.NEW, State.SENDING):
            del self._entries[change.merchant_no, change.trade_no]
            self._orders.clear()
        return moved


@pytest.mark.parametrize("kind", ["list", "generator", "tuple", "async generator", "async iterable"])
@virtual_time
async def test_payouts_come_from_anything_that_can_be_iterated(kind: str):
    """Sync or async, all at once or one by one, as models."""

    class Rows:
        def __aiter__(self) -> AsyncIterator:
            return slowly()

    async def slowly() -> AsyncIterator:
        for one in payouts(7):
            await asyncio.sleep(0.5)
            yield one

    sources = {
        "list": payouts(7),
        "generator": (one for one in payouts(7)),
        "tuple": tuple(payouts(7)),
        "async generator": slowly(),
        "async iterable": Rows(),
    }
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        report = await client.batch_payout(sources[kind], concurrency=3)
    assert report.ok
    assert sandbox.books.booked_once(f"T{number}" for number in range(7)).exact


@virtual_time
async def test_the_source_is_read_only_as_far_as_there_is_room():
    """A file of any length: no more rows are read ahead than are under way."""
    read = 0

    def rows() -> Iterator:
        nonlocal read
        for one in payouts(100):
            read += 1
            yield one

    async with scripted_client(Scripted(takes=1)) as client:
        ahead = [read - item.position async for item in client.batch_payout(rows(), concurrency=4)]
    assert max(ahead) <= 4 + 4 + 2  # under way, not yet taken by the reader, and in the reader's hands


async def test_others_have_their_turn_however_many_rows_may_begin():
    """A source may be slow, and nothing else goes on while a row is read: ten of them at most are read in one go."""
    taken: list[int] = []
    reader = SourceReader(range(100))
    reader.start(on_item=lambda: taken.append(reader.take()), on_end=lambda: None)
    seen = [0]
    while not reader.over:
        await asyncio.sleep(0)
        seen.append(len(taken))
    assert taken == list(range(100))
    assert max(later - before for before, later in pairwise(seen)) == 10


@virtual_time
async def test_thousands_of_payouts_need_no_more_memory_than_a_few():
    """What is held does not grow with the number of items: the interpreter's blocks of memory are counted."""
    held: list[int] = []

    def count_blocks(progress: BatchProgress) -> None:
        transport.log.clear()
        if progress.done % 500 == 0:
            gc.collect()
            held.append(sys.getallocatedblocks())

    transport = Scripted()
    async with scripted_client(transport, ledger=Forgetful()) as client:
        rows = (fields(f"T{number}") for number in range(5_000))
        report = await client.batch_payout(rows, concurrency=50, on_progress=count_blocks)
    assert (report.ok, report.total, len(held)) == (True, 5_000, 10)
    # A payout that is kept costs some twenty blocks, so 4,000 of them 80,000.
    assert max(held[2:]) - held[1] < 8_000


@virtual_time
async def test_a_source_that_fails_half_way_loses_nothing_that_it_gave():
    """What it had given is paid and recorded; then its own error comes out, and the batch can be run again."""

    def rows() -> Iterator:
        yield from payouts(5)
        raise OSError("the disk was unplugged")

    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        batch = client.batch_payout(rows(), concurrency=2)
        with pytest.raises(OSError, match="unplugged"):
            await batch
        assert batch.report.counts == {ItemStatus.PROCESSING: 5}
        assert (await client.ledger.get(MERCHANT_NO, "T4")).state is State.PROCESSING
        again = await client.batch_payout(payouts(8))
    assert again.ok
    assert sandbox.books.booked_once(f"T{number}" for number in range(8)).exact


@virtual_time
async def test_a_failing_source_shows_its_items_before_its_error():
    """While iterating, every item that was given comes out first."""

    async def rows() -> AsyncIterator:
        for one in payouts(5):
            yield one
        raise OSError("the line is dead")

    seen = []

    async def read(batch: Batch) -> None:
        async for item in batch:
            seen.append(item.trade_no)  # noqa: PERF401  what came before the error counts

    async with scripted_client(Scripted(takes=1)) as client:
        with pytest.raises(OSError, match="dead"):
            await read(client.batch_payout(rows(), concurrency=2))
    assert sorted(seen) == [f"T{number}" for number in range(5)]


@pytest.mark.parametrize("source", [None, 17], ids=repr)
@virtual_time
async def test_what_cannot_be_iterated_is_an_error_at_once(source):
    """TypeError, and the client stays usable."""
    async with scripted_client(Scripted()) as client:
        with pytest.raises(TypeError):
            await client.batch_payout(source)
        assert (await client.batch_payout(payouts(1))).ok


@pytest.mark.parametrize("how", ["stop rule", "break", "cancel", "source error"])
@virtual_time
async def test_an_async_generator_that_is_left_is_closed(how: str):
    """Its finally runs by the time the batch has ended: a file or a cursor in it is not left open."""
    closed = asyncio.Event()

    async def rows() -> AsyncIterator:
        try:
            for one in payouts(1000):
                yield one
                if how == "source error" and one.trade_no == "T3":
                    raise OSError
        finally:
            await asyncio.sleep(0)
            closed.set()

    transport = Scripted(order("60019") if how == "stop rule" else PROCESSING, takes=1)
    async with scripted_client(transport) as client:
        batch = client.batch_payout(rows(), concurrency=2)
        if how == "stop rule":
            assert (await batch).stopped == "insufficient_funds"
        elif how == "source error":
            with pytest.raises(OSError):
                await batch
        elif how == "break":
            async with batch:
                async for _ in batch:
                    break
        else:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2.5):
                    await batch
        assert closed.is_set()
    assert len(transport.payouts) <= 6


@virtual_time
async def test_a_slow_source_costs_no_time_but_its_own():
    """Rows that arrive one a second are paid as they arrive, and waiting payouts go on meanwhile."""

    async def rows() -> AsyncIterator:
        for one in payouts(5):
            await asyncio.sleep(1)
            yield one

    transport = Scripted(takes=0.5)
    async with scripted_client(transport, runtime=VirtualRuntime()) as client:
        await client.batch_payout(rows())
    assert [sent.at - 1000 for sent in transport.payouts] == pytest.approx([1, 2, 3, 4, 5])
    assert now() == pytest.approx(1005.5)
