"""Closing a client while it is used: calls end soon with what is known, answers are stored, and nothing hangs."""

import asyncio
import logging
from typing import Any

import anyio
import pytest

from paypro_async import (
    ClientStateError,
    LedgerUnavailableError,
    MemoryLedger,
    NotSentError,
    OutcomeUnknownError,
    PayoutStatus,
    QuestionFailedError,
    State,
)
from paypro_async.ledger.base import LedgerClosedError
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.merchant import MERCHANT_NO, fields, payouts, scripted_client
from tests.support.scripted import LOST, NOT_SENT, PAID, PROCESSING, Scripted, page
from tests.support.virtual_time import VirtualRuntime, now, virtual_time


def a_ledger() -> MemoryLedger:
    return MemoryLedger(runtime=VirtualRuntime())


@virtual_time
async def test_a_payout_that_is_under_way_gets_its_result():
    """The answer comes a second after the closing began: the caller has it, and the ledger too."""
    ledger = a_ledger()
    client = scripted_client(Scripted(PAID, takes=3), ledger=ledger)
    await client.open()
    call = asyncio.create_task(client.payout(**fields()))
    await asyncio.sleep(2)
    await client.aclose()
    assert now() - 1000 == pytest.approx(3)
    assert (await call).status is PayoutStatus.SUCCEEDED
    assert (await ledger.get(MERCHANT_NO, "T1")).state is State.SUCCEEDED


@pytest.mark.parametrize("answer", [LOST, NOT_SENT], ids=["unknown", "not sent"])
@virtual_time
async def test_a_payout_that_waits_ends_at_once_with_what_is_known(answer: Any):
    """It does not wait for its next try, and says why."""
    client = scripted_client(Scripted(answer, page(502)), timeout=300, max_attempts=50)
    await client.open()
    call = asyncio.create_task(client.payout(**fields()))
    await asyncio.sleep(10)
    began = now()
    await client.aclose()
    with pytest.raises(OutcomeUnknownError if answer is LOST else NotSentError, match="the client was closed"):
        await call
    assert now() == began


@virtual_time
async def test_a_payout_whose_answer_never_comes_holds_the_closing_for_one_exchange():
    """And its caller hears that it is unknown."""
    client = scripted_client(Scripted(PAID, takes=10_000), timeout=2)
    await client.open()
    call = asyncio.create_task(client.payout(**fields()))
    await asyncio.sleep(1)
    began = now()
    await client.aclose()
    assert now() - began <= 2 + 5.5
    call.cancel()


@virtual_time
async def test_calls_that_wait_for_an_answer_are_not_tried_again():
    """A query and a reconciliation end with an error that says so."""
    ledger = a_ledger()
    client = scripted_client(Scripted(LOST, page(502)), ledger=ledger, max_attempts=50)
    await client.open()
    with pytest.raises(OutcomeUnknownError):
        await client.payout(**fields(), timeout=0.1)
    query = asyncio.create_task(client.query("T1"))
    reconciling = asyncio.create_task(client.reconcile())
    await asyncio.sleep(5)
    began = now()
    await client.aclose()
    with pytest.raises(QuestionFailedError):
        await query
    with pytest.raises(ClientStateError, match="closed during the reconciliation"):
        await reconciling
    assert now() == began


@virtual_time
async def test_nothing_begins_while_a_client_is_being_closed_and_a_second_closing_waits_for_the_first():
    """Whoever awaits aclose finds everything ended."""
    transport = Scripted(PROCESSING, takes=4)
    client = scripted_client(transport)
    await client.open()
    call = asyncio.create_task(client.payout(**fields()))
    await asyncio.sleep(1)
    first = asyncio.create_task(client.aclose())
    await asyncio.sleep(1)
    with pytest.raises(ClientStateError, match="closed"):
        await client.payout(**fields("T2"))
    await client.aclose()
    assert (first.done() or now() == 1004, call.done()) == (True, True)
    await first
    assert [sent.trade_no for sent in transport.log] == ["T1"]


@virtual_time
async def test_batches_and_payouts_end_side_by_side():
    """Three batches with silent platforms take no longer than one."""
    client = scripted_client(Scripted(PAID, takes=10_000), timeout=3)
    await client.open()
    batches = [asyncio.ensure_future(_report(client, number)) for number in range(3)]
    await asyncio.sleep(1)
    began = now()
    await client.aclose()
    assert now() - began <= 3 + 5 + 1
    reports = await asyncio.gather(*batches)
    assert all(report.stopped == "cancelled" for report in reports)


async def _report(client: Any, number: int) -> Any:
    batch = client.batch_payout([fields(f"B{number}")], batch_id=f"b{number}")
    try:
        return await batch
    except asyncio.CancelledError:
        return batch.report


@virtual_time
async def test_a_ledger_that_is_closed_is_not_tried_again():
    """A caller whose ledger was closed under it hears so at once, and not after the rest of its time."""

    class Closed(MemoryLedger):
        async def move(self, change: Any) -> Any:
            raise LedgerClosedError("The ledger is closed.")

    async with scripted_client(Scripted(LOST), ledger=Closed(runtime=VirtualRuntime())) as client:
        with pytest.raises(OutcomeUnknownError, match="could not store"):
            await client.payout(**fields())
    assert now() == 1000


class Unclosable(SqlLedger):
    """Its last step never ends."""

    async def aclose(self) -> None:
        self.closing = asyncio.get_running_loop().time()
        await asyncio.Event().wait()


async def test_a_ledger_that_does_not_close_is_left_behind(tmp_path, monkeypatch, caplog: pytest.LogCaptureFixture):
    """Closing has a bound, and the log says what was left."""
    ledger = Unclosable(f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setattr("paypro_async.client.open_ledger", lambda *_, **__: ledger)
    client = scripted_client(Scripted(PAID), ledger="payouts.db", timeout=0.5, runtime=None)
    await client.open()
    assert (await client.payout(**fields())).status is PayoutStatus.SUCCEEDED
    with caplog.at_level(logging.WARNING):
        began = asyncio.get_running_loop().time()
        await client.aclose()
        assert asyncio.get_running_loop().time() - began < 2
    assert "The ledger did not answer within 0.5 s when it was closed" in caplog.text
    await SqlLedger.aclose(ledger)


@virtual_time
async def test_a_ledger_that_does_not_open_is_an_error_in_time():
    """And nothing is left open."""

    class Silent(MemoryLedger):
        async def open(self, account: Any) -> None:
            await asyncio.Event().wait()

    client = scripted_client(Scripted(), ledger=Silent(), timeout=2)
    with pytest.raises(LedgerUnavailableError, match="did not answer within 2 s"):
        await client.open()
    assert now() - 1000 <= 2.5
    with pytest.raises(ClientStateError, match="not open"):
        await client.payout(**fields())


@virtual_time
async def test_what_a_cancelled_call_still_writes_is_waited_for():
    """The caller is cancelled twice, and goes; its answer is stored all the same before the client is closed."""

    class Slow(MemoryLedger):
        async def move(self, change: Any) -> Any:
            await asyncio.sleep(2)
            return await super().move(change)

    ledger = Slow(runtime=VirtualRuntime())
    client = scripted_client(Scripted(PAID), ledger=ledger)
    await client.open()
    call = asyncio.create_task(client.payout(**fields()))
    await asyncio.sleep(1)
    call.cancel()
    await asyncio.sleep(0.5)
    call.cancel()
    await asyncio.sleep(0)
    await client.aclose()
    assert (await ledger.get(MERCHANT_NO, "T1")).state is State.SUCCEEDED


@virtual_time
async def test_payouts_of_a_batch_that_is_being_closed_are_not_lost():
    """Every item that was begun stands in the report and in the ledger alike."""
    ledger = a_ledger()
    client = scripted_client(Scripted(PAID, takes=1), ledger=ledger)
    await client.open()
    batch = client.batch_payout(payouts(50), concurrency=5)
    running = asyncio.ensure_future(_awaited(batch))
    await asyncio.sleep(3.5)
    await client.aclose()
    report = await running
    entries = await ledger.get_many(MERCHANT_NO, [f"T{number}" for number in range(50)])
    assert (report.stopped, report.total) == ("cancelled", len(entries))
    assert all(entry.state is State.SUCCEEDED for entry in entries.values())


async def _awaited(batch: Any) -> Any:
    return await batch


@pytest.mark.parametrize("wait", [False, True], ids=["ends when cancelled", "goes on"])
@virtual_time
async def test_closing_over_a_ledger_that_never_answers(wait: bool):
    """Batch and payout end in time: the report is the caller's, and nobody is cancelled who was not."""

    class Silent(MemoryLedger):
        async def claim(self, intent: Any) -> Any:
            return await self._silence()

        async def record_batch(self, batch: Any) -> Any:
            return await self._silence()

        async def _silence(self) -> Any:
            until = now() + 1000
            while now() < until:
                try:
                    await asyncio.sleep(until - now())
                except asyncio.CancelledError:
                    if not wait:
                        raise

    client = scripted_client(Scripted(PAID), ledger=Silent(runtime=VirtualRuntime()))
    await client.open()
    batch = asyncio.create_task(_awaited(client.batch_payout(payouts(3))))
    call = asyncio.create_task(client.payout(**fields("ALONE")))
    await asyncio.sleep(1)
    began = now()
    await client.aclose()
    assert now() - began <= 20 + 5 + 1.5
    report = await batch
    assert (report.stopped, report.accepted, report.ok) == ("cancelled", 0, False)
    with pytest.raises(LedgerUnavailableError):
        await call


async def test_a_client_is_closed_whole_although_what_is_around_it_was_cancelled(tmp_path):
    """A task group that ends its tasks leaves no ledger open: its file may be opened by the next client at once."""
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}")
    client = scripted_client(Scripted(PAID), ledger=str(tmp_path / "ledger.db"), runtime=None)
    with anyio.CancelScope() as scope:
        async with client:
            assert (await client.payout(**fields())).status is PayoutStatus.SUCCEEDED
            scope.cancel()
    assert client.ledger._writer is None
    await ledger.open_to_read()
    assert (await ledger.get(MERCHANT_NO, "T1")).state is State.SUCCEEDED
    await ledger.aclose()


async def test_a_closing_that_is_cancelled_itself_closes_the_ledger_all_the_same(tmp_path):
    """It waits no longer for what is under way."""
    client = scripted_client(Scripted(PAID, takes=30), ledger=str(tmp_path / "ledger.db"), runtime=None)
    await client.open()
    call = asyncio.create_task(client.payout(**fields()))
    await asyncio.sleep(0.1)
    closing = asyncio.create_task(client.aclose())
    await asyncio.sleep(0.1)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert client.ledger._writer is None
    call.cancel()
