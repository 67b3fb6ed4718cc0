"""How a batch ends when its source or its progress callback ends it: never silently, and never not at all."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from paypro_async import BatchProgress, BatchReport, MemoryLedger, PayProClient, State
from tests.support.merchant import MERCHANT_NO, payouts, scripted_client
from tests.support.scripted import LOST, PAID, Scripted, page
from tests.support.virtual_time import VirtualRuntime, now, virtual_time


class LooksLikeTheEnd(StopIteration):
    """Of a library that marks an error so."""


class LooksLikeTheAsyncEnd(StopAsyncIteration):
    """The same."""


class OwnError(BaseException):
    """Not even an Exception."""


class Broken:
    """Gives some payouts and then raises, as a sync or an async iterator."""

    def __init__(self, error: BaseException, *, gives: int = 3) -> None:
        self.error, self.rest = error, payouts(gives)

    def __next__(self) -> Any:
        if not self.rest:
            raise self.error
        return self.rest.pop(0)

    async def __anext__(self) -> Any:
        await asyncio.sleep(0.1)
        return self.__next__()


class Sync(Broken):
    def __iter__(self) -> Iterator[Any]:
        return self


class Async(Broken):
    def __aiter__(self) -> AsyncIterator[Any]:
        return self


ENDS = [
    asyncio.CancelledError(),
    GeneratorExit(),
    KeyboardInterrupt(),
    SystemExit(3),
    OwnError(),
    OSError("unplugged"),
]
_names = lambda value: type(value).__name__ if isinstance(value, BaseException) else value.__name__  # noqa: E731


async def _paid(client: PayProClient, source: Any, **settings: Any) -> tuple[BatchReport, BaseException | None]:
    """The report of a batch that must end, and what awaiting it raised."""
    batch = client.batch_payout(source, concurrency=2, **settings)
    try:
        async with asyncio.timeout(1000):
            return await batch, None
    except BaseException as error:  # noqa: BLE001  whatever it is
        return batch.report, error


@pytest.mark.parametrize("kind", [Sync, Async], ids=_names)
@pytest.mark.parametrize("error", [*ENDS, LooksLikeTheEnd(), LooksLikeTheAsyncEnd()], ids=_names)
@virtual_time
async def test_a_source_that_breaks_off_is_not_ok(error: BaseException, kind: Callable[[BaseException], Any]):
    """What it gave is paid and recorded; the caller hears of it, and is not cancelled by another's cancellation."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with scripted_client(Scripted(PAID), ledger=ledger) as client:
        report, raised = await _paid(client, kind(error))
        again, _ = await _paid(client, payouts(1))
    in_time = isinstance(error, KeyboardInterrupt | SystemExit)
    assert not report.ok
    assert report.stopped == ("cancelled" if in_time else "source_failed")
    assert report.total == report.accepted
    assert report.total == 3 or in_time
    if isinstance(error, asyncio.CancelledError | GeneratorExit | StopIteration | StopAsyncIteration):
        assert isinstance(raised, RuntimeError)
        assert raised.__cause__ is error
    else:
        assert raised is error
    assert again.ok


@virtual_time
async def test_what_a_broken_source_gave_is_taken_to_its_end_also_when_it_must_wait():
    """A reply that was lost is asked about after the source has failed."""
    async with scripted_client(Scripted(LOST, [page(502), PAID])) as client:
        report, raised = await _paid(client, Sync(OSError("unplugged"), gives=1))
    assert (report.accepted, report.stopped, type(raised)) == (1, "source_failed", OSError)


@virtual_time
async def test_a_source_that_swallows_its_cancellation_is_left_behind(caplog: pytest.LogCaptureFixture):
    """The batch that is stopped ends all the same, with what it has paid."""

    async def stubborn() -> AsyncIterator[Any]:
        yield payouts(1)[0]
        until = now() + 500
        while now() < until:
            try:
                await asyncio.sleep(until - now())
            except asyncio.CancelledError:
                continue

    async with scripted_client(Scripted(PAID)) as client:
        batch = client.batch_payout(stubborn())
        running = asyncio.ensure_future(_awaited(batch))
        await asyncio.sleep(5)
        began = now()
        with caplog.at_level(logging.WARNING):
            await batch.aclose()
        assert now() - began <= 1.5
        report = await running
    assert (report.accepted, report.stopped) == (1, "cancelled")
    assert "The source of a batch did not end when it was cancelled, and is left behind." in caplog.messages


async def _awaited(batch: Any) -> Any:
    return await batch


@virtual_time
async def test_a_source_that_gives_another_item_when_it_is_cancelled_is_read_no_further():
    """The item is not begun."""

    async def talkative() -> AsyncIterator[Any]:
        for one in payouts(50):
            try:
                yield one
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                continue

    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with scripted_client(Scripted(PAID), ledger=ledger) as client:
        batch = client.batch_payout(talkative())
        running = asyncio.ensure_future(_awaited(batch))
        await asyncio.sleep(25)
        await batch.aclose()
        report = await running
        entries = await ledger.get_many(MERCHANT_NO, [f"T{number}" for number in range(50)])
    assert report.total == len(entries) == 3


async def test_a_source_that_blocks_the_event_loop_is_named_in_the_log(caplog: pytest.LogCaptureFixture, monkeypatch):
    """Once, however often it does."""
    monkeypatch.setattr("paypro_async.batch.source._BLOCKED_SECONDS", 0.01)

    def blocking() -> Iterator[Any]:
        for one in payouts(3):
            time.sleep(0.02)
            yield one

    with caplog.at_level(logging.WARNING):
        async with scripted_client(Scripted(PAID), runtime=None) as client:
            assert (await client.batch_payout(blocking())).ok
    assert len([message for message in caplog.messages if "stood still meanwhile" in message]) == 1


@pytest.mark.parametrize("at", [1, 5], ids=["first", "last"])
@pytest.mark.parametrize("how", ["await", "iterate"])
@pytest.mark.parametrize("error", ENDS, ids=_names)
@virtual_time
async def test_a_progress_callback_that_raises_anything(error: BaseException, how: str, at: int):
    """An error touches no payment; what means an end stops the batch in order, and the caller hears what it was."""

    def progress(so_far: BatchProgress) -> None:
        if so_far.done == at:
            raise error

    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with scripted_client(Scripted(PAID, takes=1), ledger=ledger) as client:
        if how == "await":
            report, raised = await _paid(client, payouts(5), on_progress=progress)
        else:
            report, raised = await _iterated(client, progress)
        entries = await ledger.get_many(MERCHANT_NO, [f"T{number}" for number in range(5)])
    assert report.total == len(entries)
    assert all(entry.state is State.SUCCEEDED for entry in entries.values())
    if isinstance(error, Exception):
        assert (report.total, report.ok, raised) == (5, True, None)
    else:
        assert (report.stopped, report.ok) == ("cancelled", False)
        assert raised is (None if isinstance(error, asyncio.CancelledError) else error)


async def _iterated(client: PayProClient, progress: Callable[..., None]) -> tuple[BatchReport, BaseException | None]:
    batch = client.batch_payout(payouts(5), concurrency=2, on_progress=progress)
    try:
        async with asyncio.timeout(1000):
            async for _ in batch:
                pass
    except BaseException as error:  # noqa: BLE001  whatever it is
        return batch.report, error
    return batch.report, None


@pytest.mark.parametrize("error", [None, *ENDS], ids=lambda error: "break" if error is None else _names(error))
@virtual_time
async def test_a_loop_that_is_left_early_ends_its_batch(error: BaseException | None):
    """By break or by any exception: what was begun is recorded, nothing more begins, and the client closes."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    client = scripted_client(Scripted(PAID, takes=1), ledger=ledger)
    await client.open()
    batch = client.batch_payout(payouts(50), concurrency=2)
    with nullcontext() if error is None else pytest.raises(type(error)):
        await _left(batch, error)
    began = now()
    await client.aclose()
    assert now() - began <= 2
    entries = await ledger.get_many(MERCHANT_NO, [f"T{number}" for number in range(50)])
    assert batch.report.total == len(entries) < 10
    assert all(entry.state is State.SUCCEEDED for entry in entries.values())


async def _left(batch: Any, error: BaseException | None) -> None:
    async for _ in batch:
        if error is not None:
            raise error
        break


@virtual_time
async def test_a_ledger_that_cannot_note_a_batch_costs_no_payout(caplog: pytest.LogCaptureFixture):
    """Whatever it raises: the note is for people."""

    class Forgetful(MemoryLedger):
        async def record_batch(self, batch: Any) -> None:
            raise KeyError(batch.batch_id)

    async with scripted_client(Scripted(PAID), ledger=Forgetful(runtime=VirtualRuntime())) as client:
        with caplog.at_level(logging.WARNING):
            report = await client.batch_payout(payouts(2), batch_id="b")
    assert report.ok
    assert "Batch b could not be noted in the ledger" in caplog.messages
