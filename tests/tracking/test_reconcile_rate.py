"""A rate of questions: it is kept, it is used up, and no payout waits for ever behind the others."""

import asyncio
import time
from pathlib import Path

import pytest

from paypro_async import MemoryLedger, PayProClient, State, StopRules
from paypro_async.sandbox import Sandbox
from tests.support.merchant import MERCHANT_NO, SIGNER, payouts, scripted_client
from tests.support.scripted import ABSENT, LOST, PROCESSING, Scripted, order
from tests.support.virtual_time import VirtualRuntime, freeze, now, virtual_time

_OPEN = 32


def asked(transport: Scripted) -> list[str]:
    return [sent.fields["tradeNo"] for sent in transport.queries]


@pytest.mark.parametrize(
    ("rate", "deadline", "pause"), [(1, 10, 0), (1, 10, 1), (1, 10, 60), (4, 3, 0), (10, 1, 0), (0.5, 9, 0)]
)
@virtual_time
async def test_a_rate_is_used_up_until_the_deadline(rate: float, deadline: float, pause: float):
    """However many wait for their turn, each run asks about as many as it may, and none twice before all were."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    transport = Scripted(payouts=PROCESSING, queries=order("0015"), takes=0.05)
    async with scripted_client(transport, ledger=ledger) as client:
        await client.batch_payout(payouts(_OPEN), concurrency=_OPEN)
        found: list[str] = []
        while len(found) < _OPEN:
            del transport.log[:]
            began = now()
            report = await client.reconcile(rate=rate, deadline=deadline)
            assert rate * deadline - 1 <= len(transport.queries) <= rate * deadline + 1
            assert report.checked == len(transport.queries)
            assert (report.unanswered, report.ended) == (0, False)
            assert now() - began <= deadline + 0.001
            found += asked(transport)
            freeze(pause)
    assert len(set(found[:_OPEN])) == _OPEN


@virtual_time
async def test_two_runs_at_one_time_use_up_one_rate():
    """Turns that one cannot use are the other's."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    transport = Scripted(payouts=PROCESSING, queries=order("0015"))
    async with scripted_client(transport, ledger=ledger) as client, scripted_client(transport, ledger=ledger) as other:
        await client.batch_payout(payouts(_OPEN), concurrency=_OPEN)
        short, long = client.reconcile(rate=4, deadline=2), other.reconcile(rate=4, deadline=4)
        reports = await asyncio.gather(short, long)
    assert sum(report.checked for report in reports) == len(transport.queries)
    assert 4 * 4 - 2 <= len(transport.queries) <= 4 * 4 + 1


async def test_a_rate_is_used_up_with_a_real_ledger(tmp_path: Path):
    """Over sockets and a database, with the usual number of workers."""
    async with Sandbox() as sandbox:
        client = PayProClient(
            base_url=sandbox.base_url,
            environment=sandbox.environment,
            merchant_no=MERCHANT_NO,
            signer=SIGNER,
            ledger=f"sqlite:///{tmp_path / 'payouts.db'}",
        )
        async with client:
            await client.batch_payout(payouts(60), concurrency=20)
            for _ in range(2):
                began = time.monotonic()
                report = await client.reconcile(rate=20, deadline=1)
                assert 13 <= report.checked <= 21
                assert time.monotonic() - began < 2


@pytest.mark.parametrize("limits", [{"rate": 2, "deadline": 10}, {"concurrency": 1, "deadline": 10}])
@virtual_time
async def test_a_second_question_does_not_wait_for_all_first_ones(limits: dict[str, float]):
    """What never arrived is found out by two questions of one run, also if no run has the time to ask about all."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with scripted_client(Scripted(payouts=LOST), ledger=ledger) as client:
        await client.batch_payout(payouts(_OPEN), timeout=1, concurrency=_OPEN, stop=StopRules.off())
    freeze(100)
    transport = Scripted(queries=ABSENT, takes=0.4)
    async with scripted_client(transport, ledger=ledger) as client:
        for _ in range(8):
            await client.reconcile(**limits)
    assert {entry.state for entry in await ledger.open_entries(MERCHANT_NO)} == {State.NEW}


@virtual_time
async def test_a_run_does_not_wait_for_what_is_not_due_in_time():
    """It is the next run's."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with scripted_client(Scripted(payouts=LOST), ledger=ledger) as client:
        await client.batch_payout(payouts(1), timeout=1)
    freeze(100)
    async with scripted_client(Scripted(queries=ABSENT), ledger=ledger) as client:
        began = now()
        report = await client.reconcile(deadline=2)
        assert (report.still_unknown, report.absent, report.ended, now() - began < 1) == (1, 0, False, True)
        assert (await client.reconcile(deadline=4)).absent == 1
