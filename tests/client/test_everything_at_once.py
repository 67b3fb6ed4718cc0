"""Every fault, every refusal, every way of speaking of unknown orders, all at once: a batch and its books."""

import random
from collections import Counter
from typing import Any

import pytest

from paypro_async import Codes, ItemStatus, MemoryLedger, PayProClient, State
from paypro_async._core.states import Reply
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.support.merchant import MERCHANT_NO, client_of, fields, virtual_sandbox
from tests.support.virtual_time import VirtualRuntime, freeze, virtual_time

COUNT = 40
WISHES = [
    *[None] * 8,
    "wages",
    "sandbox:paid",
    "sandbox:fail:00029",
    "sandbox:fail:0100099:already pending, try again",
    "sandbox:refuse:1001:parameter error",
    "sandbox:refuse:00028",
    "sandbox:refuse:2002:beneficiary bank authentication failed",
    "sandbox:reply:1010:refused and booked",
    "sandbox:reply:9999:System busy",
    "sandbox:status:PENDING",
    "sandbox:status:0100099",
]
PAID = {"0000", "0015"}


def rows(dice: random.Random) -> list[dict[str, Any]]:
    """Payouts of few amounts to payees of their own, some with a wish."""
    return [
        fields(
            f"T{number}",
            amount=str(dice.choice([100, 300])),
            remark=dice.choice(WISHES),
            bank_number=f"100940{number:05}",
        )
        for number in range(COUNT)
    ]


async def judge(client: PayProClient, sandbox: Sandbox, payouts: list[dict]) -> None:
    """Nothing is booked twice, nothing paid is called failed or not sent, nothing unpaid is called paid."""
    twice = [one for one, count in Counter(one.trade_no for one in sandbox.books.bookings).items() if count > 1]
    assert twice == []
    for row in payouts:
        entry = await client.ledger.get(MERCHANT_NO, row["trade_no"])
        if entry is None:
            continue
        order = sandbox.books.orders.get(entry.trade_no)
        alive = order is not None and order.status in PAID
        told = (row, entry.state, entry.code, order and order.status)
        # Of HTTP 429 the ledger holds that it was answered so, and that the platform is asked before it is sent.
        not_sent = ItemStatus.of_entry(entry) is ItemStatus.NOT_SENT and entry.reply is not Reply.BUSY
        if entry.state is State.FAILED or not_sent:
            assert not alive, told
        if entry.state is State.SUCCEEDED:
            assert order is not None, told
            assert order.status == "0000", told
        if entry.state is State.PROCESSING:
            assert alive, told
        if entry.platform_trade_no is not None and order is not None:
            assert entry.platform_trade_no == order.platform_trade_no, told


@pytest.mark.parametrize(("seed", "way"), [(0, "null"), (1, "empty"), (2, "code"), (3, "refusal"), (4, "null")])
@virtual_time
async def test_the_ledger_and_the_books_agree(seed: int, way: str):
    """After a batch, after a second one by a client with other settings, and after a reconciliation the next day."""
    dice = random.Random(f"{seed}/{way}")
    rate = dice.choice([0.1, 0.4, 0.7])
    plan = FaultPlan(rate=rate, query_rate=rate / 2, seed=seed, kinds=frozenset(Fault), attempts=3)
    payouts = rows(dice)
    settings = {
        "unknown_order": way,
        "echo": dice.choice(["given", "given", "absent", "empty"]),
        "booking_lag": dice.choice([1, 20, 40]),
        "paid_after": dice.choice([None, 30]),
        "deduplicate": dice.choice([True, False]),
    }
    ledger = MemoryLedger(runtime=VirtualRuntime())
    codes = dice.choice([Codes(), Codes(no_such_order={"0100025", "1001"})])
    async with virtual_sandbox(faults=plan, **settings) as sandbox:
        async with client_of(sandbox, ledger=ledger, codes=codes, max_connections=dice.choice([1, 20])) as client:
            await client.batch_payout(payouts, concurrency=dice.choice([1, 8]))
            await judge(client, sandbox, payouts)
        freeze(dice.choice([0, 30, 3600]))
        async with client_of(sandbox, ledger=ledger, codes=codes, settle_after=5) as client:
            await client.batch_payout(payouts, refresh=True, max_attempts=2)
            await judge(client, sandbox, payouts)
        freeze(80_000)
        async with client_of(sandbox, ledger=ledger, codes=codes) as client:
            await client.reconcile(wait=True)
            await judge(client, sandbox, payouts)
            await client.batch_payout(payouts)
            await judge(client, sandbox, payouts)
