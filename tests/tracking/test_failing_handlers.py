"""Handlers and ledgers that do what they should not, and clients that are closed meanwhile: telling goes on."""

import asyncio
import contextlib
from typing import Any

import pytest

from paypro_async import ClientStateError, MemoryLedger, PayoutChange, PayProError
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from paypro_async.tracking import delivery
from tests.tracking.test_delivery import PAID, Make, Told, fields, hurried, make, sandbox, url

__all__ = ["hurried", "make", "sandbox", "url"]  # fixtures


async def test_handlers_that_swallow_their_cancellation_are_left_behind(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """They count as failed, and their places are free for others."""
    monkeypatch.setattr(delivery, "HANDLER_SECONDS", 0.05)
    monkeypatch.setattr(delivery, "_CANCELLING_SECONDS", 0.05)
    told, go_on, ended = Told(), asyncio.Event(), 0

    async def swallows(change: PayoutChange) -> None:
        nonlocal ended
        while change.trade_no != "OTHER" and not go_on.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await go_on.wait()
                ended += 1
        await told(change)

    async with make(on_change=swallows) as client:
        count = delivery.AT_ONE_TIME
        for number in range(count):
            await client.payout(**fields(f"T{number}", bank_number=f"10094038{number:03}"))
        await client.payout(**fields("OTHER", remark=PAID))
        await told.until(2)
        assert {one.trade_no for one in told.changes} == {"OTHER"}
        assert "goes on although it was cancelled" in caplog.text
        go_on.set()
        await told.until(2 + 2 * count)
    assert ended >= count // 2  # one that was told again just then had ended before
    assert {one.trade_no for one in told.changes} == {"OTHER", *(f"T{number}" for number in range(count))}


async def test_a_ledger_of_ones_own_may_raise_anything(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """It is asked again, and the log says once why nobody is told."""
    ledger, told, failures = MemoryLedger(), Told(), 3
    take = ledger.take

    async def fails(*given: Any, **more: Any) -> Any:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise OSError
        return await take(*given, **more)

    monkeypatch.setattr(ledger, "take", fails)
    async with make(ledger, on_change=told) as client:
        await client.payout(**fields("T1", remark=PAID))
        await told.until(2)
    assert caplog.text.count("The ledger failed with OSError") == 1


async def test_a_client_that_is_being_closed_begins_with_no_change_and_counts_no_try(make: Make, url: str):
    """Handlers could not use it. What they were not told is told when the next one is open."""
    begun: list[str] = []
    started, go_on, refused = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def uses_its_client(change: PayoutChange) -> None:
        begun.append(change.id)
        started.set()
        await go_on.wait()
        try:
            await client.get(change.trade_no)
        except ClientStateError as error:
            refused.set()
            raise RuntimeError("A service's own error.") from error

    async with Sandbox(faults=FaultPlan.every(Fault.SILENCE)) as silent, make(url) as other:
        client = make(url, base_url=silent.base_url, on_change=uses_its_client, timeout=2.0)
        await client.open()
        paying = asyncio.ensure_future(client.payout(**fields("T1")))
        async with asyncio.timeout(10):
            await started.wait()
        closing = asyncio.ensure_future(client.aclose())
        await asyncio.sleep(0)
        go_on.set()
        # The reply that is waited for keeps the client open; this would else be told meanwhile, and fail.
        await other.payout(**fields("T2"))
        async with asyncio.timeout(10):
            await refused.wait()
        await closing
        with contextlib.suppress(PayProError):
            await paying
        assert len(begun) == 1
        lent = await other.ledger.take("0000000001", "default", owner="another", limit=9, seconds=1.0)
        assert {one.change.trade_no: one.tries for one in lent} == {"T1": 0, "T2": 0}
