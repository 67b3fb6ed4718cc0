"""A payout cancelled anywhere: the ledger is right, and a later call ends it with one booking. Real HTTP."""

import asyncio
import itertools
import random
from contextlib import suppress

import pytest

from paypro_async import PayoutStatus, State
from paypro_async.sandbox import Fault, FaultPlan
from tests.support.merchant import MERCHANT_NO, bookings, client_of, fields, paid_at, virtual_sandbox
from tests.support.virtual_time import virtual_time


async def cancelled_after(turns: int, call: asyncio.Task) -> bool:
    for _ in range(turns):
        await asyncio.sleep(0)
        if call.done():
            return False
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    return True


@virtual_time
async def test_a_payout_cancelled_at_any_turn_is_booked_once_in_the_end():
    """Cancelled after 0, 1, 2, … turns of the event loop until a call is too fast: what the ledger says is true, and
    the same call again finishes the payout, even at a platform that would book twice.
    """
    async with virtual_sandbox(deduplicate=False) as sandbox, client_of(sandbox, timeout=300) as client:
        for turns in itertools.count():
            number = f"T{turns}"
            cancelled = await cancelled_after(turns, asyncio.create_task(client.payout(**fields(number))))
            entry = await client.ledger.get(MERCHANT_NO, number)
            if entry is None or entry.state is State.NEW:
                await asyncio.sleep(0.1)
                assert number not in sandbox.books.orders
            else:
                assert entry.state in (State.SENDING, State.PROCESSING)
            assert (await client.payout(**fields(number))).status is PayoutStatus.PROCESSING
            if not cancelled:
                break
        assert turns >= 5
        assert sandbox.books.booked_once(f"T{number}" for number in range(turns + 1)).exact


@pytest.mark.parametrize("seed", range(6))
@virtual_time
async def test_payouts_cancelled_at_random_moments_among_faults_are_booked_once(seed: int):
    """Several calls at once, faults of all kinds, each cancelled at a random time up to three times."""
    dice = random.Random(seed)
    numbers = [f"T{seed}-{number}" for number in range(15)]
    plan = FaultPlan(rate=0.5, query_rate=0.2, seed=seed, attempts=2)
    async with (
        virtual_sandbox(faults=plan, booking_lag=30, deduplicate=False) as sandbox,
        client_of(sandbox, timeout=2000, max_attempts=20) as client,
    ):

        async def pay(number: str) -> PayoutStatus:
            for _ in range(dice.randrange(4)):
                with suppress(TimeoutError):
                    await asyncio.wait_for(client.payout(**fields(number)), dice.choice([0.0, 0.001, 0.3, 5, 30, 70]))
            return (await client.payout(**fields(number))).status

        statuses = await asyncio.gather(*(pay(number) for number in numbers))
        assert set(statuses) == {PayoutStatus.PROCESSING}
        assert sandbox.books.booked_once(numbers).exact
        for number in numbers:
            assert (await client.ledger.get(MERCHANT_NO, number)).state is State.PROCESSING


@virtual_time
async def test_a_cancelled_call_still_stores_the_answer_that_came():
    """The reply is read, the ledger is slow, and the caller is cancelled: the answer is written all the same."""
    from paypro_async import MemoryLedger

    class Slow(MemoryLedger):
        async def move(self, change):
            await asyncio.sleep(2)
            return await super().move(change)

    async with virtual_sandbox() as sandbox, client_of(sandbox, ledger=Slow()) as client:
        call = asyncio.create_task(client.payout(**fields()))
        await asyncio.sleep(1)
        assert (await client.ledger.get(MERCHANT_NO, "T1")).state is State.SENDING
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await client.ledger.get(MERCHANT_NO, "T1")).state is State.PROCESSING
    assert len(paid_at(sandbox)) == 1


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.trial)])
@virtual_time
async def test_a_hundred_cancelled_calls_cost_the_client_no_connection(count: int):
    """With four connections, 100 calls cancelled in mid-request, and then 1,000 good ones without an error."""
    silent = {f"S{number}": [Fault.SILENCE] for number in range(100)}
    async with (
        virtual_sandbox(faults=FaultPlan.script(silent)) as sandbox,
        client_of(sandbox, max_connections=4, timeout=300) as client,
    ):
        for start in range(0, 100, 4):
            calls = [asyncio.create_task(client.payout(**fields(f"S{start + n}"))) for n in range(4)]
            await asyncio.sleep(0.5)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        assert len(bookings(sandbox)) == 100
        for start in range(0, count, 50):
            results = await asyncio.gather(*(client.payout(**fields(f"G{start + n}")) for n in range(50)))
            assert {(result.status, result.attempts) for result in results} == {(PayoutStatus.PROCESSING, 1)}
    assert len(bookings(sandbox)) == 100 + count
