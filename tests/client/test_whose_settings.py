"""Two clients with different settings over one ledger: what is stored with the attempt counts, or the longer window."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from paypro_async import (
    MemoryLedger,
    OutcomeUnknownError,
    PayoutStatus,
    PayProClient,
    PayProError,
    ReviewRequiredError,
    State,
)
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.support.merchant import MERCHANT_NO, SIGNER, bookings, client_of, fields, paid_at, virtual_sandbox
from tests.support.virtual_time import VirtualRuntime, freeze, virtual_time

LATE = FaultPlan.script({"T1": [Fault.LATE_BOOKING]})
LOST = FaultPlan.script({"T1": [Fault.RESET_BEFORE]})
BY = ["payout", "batch", "reconcile then payout", "query then payout"]


async def meets(client: PayProClient, by: str) -> None:
    """Another client comes upon the payout."""
    if by == "batch":
        await client.batch_payout([fields()])
        return
    if by.startswith("reconcile"):
        await client.reconcile(wait=True)
    elif by.startswith("query"):
        await client.query("T1")
    with suppress(PayProError):
        await client.payout(**fields(), timeout=250)


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize(("first", "second"), [(60, 5), (5, 60), (60, 60), (200, 5)])
@virtual_time
async def test_the_longer_settle_window_counts(first: float, second: float, by: str):
    """A service announced the payout, its booking lags almost as long as the longer window, and an operator with other
    settings meets it: a platform that books a repeated number twice books this one once.
    """
    ledger = MemoryLedger(runtime=VirtualRuntime())
    lag = max(first, second) - 10
    async with virtual_sandbox(faults=LATE, booking_lag=lag, deduplicate=False) as sandbox:
        async with client_of(sandbox, ledger=ledger, settle_after=first) as service:
            with suppress(OutcomeUnknownError):
                await service.payout(**fields(), timeout=1)
        async with client_of(sandbox, ledger=ledger, settle_after=second, timeout=300) as operator:
            await meets(operator, by)
            freeze(300)
            assert (await operator.payout(**fields())).status is PayoutStatus.PROCESSING
        assert bookings(sandbox) == ["T1"]
        assert paid_at(sandbox) == [0]


@pytest.mark.parametrize("by", BY)
@virtual_time
async def test_a_second_attempt_keeps_the_longer_window(by: str):
    """An operator with a short window sends it again; a third client must still wait as long as the first would."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    faults = FaultPlan.script({"T1": [Fault.RESET_BEFORE, Fault.LATE_BOOKING]})
    async with virtual_sandbox(faults=faults, booking_lag=50, deduplicate=False) as sandbox:
        async with client_of(sandbox, ledger=ledger, settle_after=60) as service:
            with suppress(OutcomeUnknownError):
                await service.payout(**fields(), timeout=1)
        async with client_of(sandbox, ledger=ledger, settle_after=5) as operator:
            with suppress(OutcomeUnknownError):
                await operator.payout(**fields(), timeout=65)
            assert len(paid_at(sandbox)) == 2
        async with client_of(sandbox, ledger=ledger, settle_after=5) as third:
            await meets(third, by)
            freeze(300)
            assert (await third.payout(**fields())).status is PayoutStatus.PROCESSING
        assert bookings(sandbox) == ["T1"]


@pytest.mark.parametrize("by", BY)
@virtual_time
async def test_resend_never_is_the_entrys(by: str):
    """A default client meets a payout whose client never sends again by itself: a person decides, and nobody sends."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with virtual_sandbox(faults=LOST, deduplicate=False) as sandbox:
        async with client_of(sandbox, ledger=ledger, resend="never") as careful:
            with suppress(OutcomeUnknownError):
                await careful.payout(**fields(), timeout=1)
        async with client_of(sandbox, ledger=ledger, timeout=300) as usual:
            await meets(usual, by)
            freeze(100)
            with pytest.raises(ReviewRequiredError):
                await usual.payout(**fields())
            assert (await ledger.get(MERCHANT_NO, "T1")).state is State.REVIEW
        assert paid_at(sandbox) == [0]


@pytest.mark.parametrize("by", BY)
@virtual_time
async def test_a_client_that_never_sends_again_sends_nobodys_payout_again(by: str):
    """And the other way round: the client's own setting counts too."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with virtual_sandbox(faults=LOST, deduplicate=False) as sandbox:
        async with client_of(sandbox, ledger=ledger) as usual:
            with suppress(OutcomeUnknownError):
                await usual.payout(**fields(), timeout=1)
        async with client_of(sandbox, ledger=ledger, timeout=300, resend="never") as careful:
            await meets(careful, by)
            freeze(100)
            with suppress(PayProError):
                await careful.payout(**fields())
        assert paid_at(sandbox) == [0]


def real_client(sandbox: Sandbox, url: str, **settings: Any) -> PayProClient:
    """A client in real time."""
    return PayProClient(
        base_url=sandbox.base_url,
        merchant_no=MERCHANT_NO,
        signer=SIGNER,
        ledger=url,
        environment="sandbox",
        **settings,
    )


@pytest.mark.parametrize("by", ["payout", "batch", "reconcile then payout"])
async def test_a_durable_ledger_keeps_the_window_of_the_service(database_url: str, by: str):
    """A service with four seconds whose booking lags by two, and an operator with 0.5, who comes after the service
    is gone: on SQLite and PostgreSQL it is booked once, and it is sent once.
    """
    async with Sandbox(faults=LATE, booking_lag=2, deduplicate=False) as sandbox:
        async with real_client(sandbox, database_url, settle_after=4) as service:
            with pytest.raises(OutcomeUnknownError):
                await service.payout(**fields(), timeout=0.3)
        async with real_client(sandbox, database_url, settle_after=0.5) as operator:
            if by == "batch":
                report = await operator.batch_payout([fields()])
                assert report.accepted == 1
            else:
                if by.startswith("reconcile"):
                    await operator.reconcile(wait=True)
                assert (await operator.payout(**fields(), timeout=20)).status is PayoutStatus.PROCESSING
        assert bookings(sandbox) == ["T1"]
        assert len(paid_at(sandbox)) == 1


@pytest.mark.parametrize("by", ["payout", "batch", "reconcile"])
async def test_a_durable_ledger_keeps_that_nobody_sends_again(database_url: str, by: str):
    """The service was told never to send again by itself; the operator's default client asks, and leaves it."""
    async with Sandbox(faults=LOST, deduplicate=False) as sandbox:
        async with real_client(sandbox, database_url, settle_after=1, resend="never") as service:
            with pytest.raises(OutcomeUnknownError):
                await service.payout(**fields(), timeout=1)
        await asyncio.sleep(1)
        async with real_client(sandbox, database_url, settle_after=1) as operator:
            if by == "batch":
                await operator.batch_payout([fields()])
            elif by == "reconcile":
                assert (await operator.reconcile()).review == 1
            with pytest.raises(ReviewRequiredError):
                await operator.payout(**fields(), timeout=20)
        assert len(paid_at(sandbox)) == 1
        assert bookings(sandbox) == []
