"""Waiting on a real ledger that another process writes to, and on a real sandbox."""

import asyncio
import random

import pytest

from paypro_async import Md5Signer, PayoutStatus, PayProClient
from paypro_async._core.lifecycle import State
from paypro_async.sandbox import Sandbox
from tests.support.merchant import MERCHANT_NO, fields
from tests.tracking.test_waiting import store

COUNT = 1000


def client_on(sandbox: Sandbox, url: str) -> PayProClient:
    return PayProClient(
        base_url=sandbox.base_url,
        environment="sandbox",
        merchant_no=MERCHANT_NO,
        signer=Md5Signer("sandbox-secret"),
        ledger=url,
        transport="aiohttp",
    )


def queries(sandbox: Sandbox) -> int:
    return sum(one.path.endswith("queryPayOutResult") for one in sandbox.books.requests)


async def test_another_ledger_on_the_same_database_ends_a_wait(database_url: str):
    """Whatever it waits with; nobody is asked."""
    async with Sandbox() as sandbox, client_on(sandbox, database_url) as client, client_on(sandbox, database_url) as it:
        await client.batch_payout([fields("T1"), fields("T2")])
        batch = client.batch_payout([fields("T2")], wait=True)
        waiting = [asyncio.ensure_future(client.wait_until_final("T1")), asyncio.ensure_future(_whole(batch))]
        for trade_no in ("T1", "T2"):
            await store(it.ledger, trade_no, State.SUCCEEDED)
        async with asyncio.timeout(4):
            result, report = await asyncio.gather(*waiting)
        assert result.status is PayoutStatus.SUCCEEDED
        assert report.ok
        assert queries(sandbox) == 0


async def _whole(batch):
    return await batch


@pytest.mark.trial
@pytest.mark.parametrize("paid_after", [None, pytest.param(8.0, marks=pytest.mark.long)])
async def test_a_thousand_at_once(database_url: str, paid_after: float | None):
    """Their ends come by another process within ten seconds, or never, so that only queries tell: none is lost."""
    async with (
        Sandbox(paid_after=paid_after) as sandbox,
        client_on(sandbox, database_url) as client,
        client_on(sandbox, database_url) as other,
    ):
        numbers = [f"T{number}" for number in range(COUNT)]
        await client.batch_payout([fields(one) for one in numbers], concurrency=50)
        asked = queries(sandbox)
        waiting = [asyncio.ensure_future(client.wait_until_final(one, timeout=180)) for one in numbers]
        if paid_after is None:
            for trade_no in random.Random(7).sample(numbers, COUNT):
                await asyncio.sleep(0.005)
                await store(other.ledger, trade_no, State.SUCCEEDED)
        results = await asyncio.gather(*waiting)
        assert {one.status for one in results} == {PayoutStatus.SUCCEEDED}
        # Where no callback comes, one query finds it processing, and one, perhaps another one, paid.
        assert queries(sandbox) - asked < (2 if paid_after is None else 3) * COUNT
