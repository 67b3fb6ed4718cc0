"""The client over each transport and in each event loop, on real sockets and in real time."""

import asyncio
import itertools
import random

import pytest

from paypro_async import CredentialsRefusedError, Md5Signer, PayoutResult, PayoutStatus, PayProClient
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.support.transports import sockets, until
from tests.support.valid import PAYEE, SHARED


def client_of(sandbox: Sandbox, transport: str, **timing: float) -> PayProClient:
    return PayProClient(
        base_url=sandbox.base_url,
        merchant_no="0000000001",
        signer=Md5Signer("sandbox-secret"),
        ledger="memory",
        **SHARED,
        max_connections=8,
        transport=transport,
        **timing,
    )


@pytest.mark.each_loop
async def test_whatever_the_platform_does_each_payout_is_booked_once(kind: str):
    """One payout for each fault, all at the same time: each ends as processing."""
    plan = FaultPlan.script({fault.name: [fault] for fault in Fault})
    async with (
        Sandbox(faults=plan, booking_lag=0.2) as sandbox,
        client_of(sandbox, kind, request_timeout=0.5, settle_after=0.6, timeout=20) as client,
    ):
        results = await asyncio.gather(*(client.payout(**PAYEE, trade_no=fault.name) for fault in Fault))
        assert {result.status for result in results} == {PayoutStatus.PROCESSING}
        booked = sandbox.books.booked_once([fault.name for fault in Fault])
    assert (booked.missing, booked.twice) == ((), ())


@pytest.mark.each_loop
async def test_what_is_refused_for_a_wrong_secret_is_refused(kind: str):
    """No reply with a wrong signature is believed, and each costs its connection; the outcome is known."""
    async with Sandbox(secret="another") as sandbox, client_of(sandbox, kind) as client:
        with pytest.raises(CredentialsRefusedError):
            await client.payout(**PAYEE, trade_no="T1")


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(("cancel", "good"), [(30, 60), pytest.param(100, 1000, marks=pytest.mark.trial)])
@pytest.mark.parametrize(
    "fault", [None, pytest.param(Fault.SILENCE, marks=pytest.mark.long)], ids=["answered", "silent"]
)
async def test_many_payouts_are_cancelled_and_then_many_are_made(
    kind: str, fault: Fault | None, cancel: int, good: int
):
    """After 100 cancelled payouts the same client makes 1,000, each booked once, and holds no connection too many."""
    before = sockets()
    dice = random.Random(11)
    plan = FaultPlan.script({f"C{number}": [fault] for number in range(1000)})
    async with Sandbox(faults=plan) as sandbox:
        async with client_of(sandbox, kind) as client:
            cancelled, unused = 0, itertools.count()
            while cancelled < cancel:
                tasks = [asyncio.create_task(client.payout(**PAYEE, trade_no=f"C{next(unused)}")) for _ in range(10)]
                for task in tasks:
                    for _ in range(dice.randrange(8)):
                        await asyncio.sleep(0)
                    task.cancel()
                await asyncio.wait(tasks)
                cancelled += sum(task.cancelled() for task in tasks)

            numbers = iter([f"G{number}" for number in range(good)])

            async def worker() -> list[PayoutResult]:
                return [await client.payout(**PAYEE, trade_no=trade_no) for trade_no in numbers]

            results = await asyncio.gather(*(worker() for _ in range(16)))
            assert sum(map(len, results)) == good
            await until(lambda: sockets() <= before + 1 + 2 * 8)  # the sandbox's ends are in this process too
        booked = sandbox.books.booked_once([f"G{n}" for n in range(good)])
        assert (booked.missing, booked.twice) == ((), ())
    await until(lambda: sockets() == before)
