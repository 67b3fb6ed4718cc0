"""A reply that belongs to another request: a middlebox doubles one, and each later one on its connection is shifted."""

import asyncio
from typing import Any

import pytest
from attrs import evolve

from paypro_async import (
    MemoryLedger,
    OutcomeUnknownError,
    PayoutStatus,
    PayProClient,
    ReviewRequiredError,
    State,
)
from paypro_async._core.wire import Exchange
from tests.support.bookkeeper import Bookkeeper, Says, envelope
from tests.support.merchant import MERCHANT_NO, SIGNER, fields, scripted_client
from tests.support.scripted import ABSENT, LOST, PAID, PROCESSING, Scripted, order, page, refusal, reply
from tests.support.virtual_time import virtual_time

REFUSED = Says(envelope("60019", "INSUFFICIENT_FUNDS"), booked=False)


def client_of(platform: Bookkeeper, **settings: Any) -> PayProClient:
    """A client with one connection, over which everything goes."""
    return PayProClient(
        base_url=platform.base_url,
        merchant_no=MERCHANT_NO,
        signer=SIGNER,
        ledger=MemoryLedger(),
        max_connections=1,
        settle_after=3,
        timeout=10,
        **settings,
    )


def platform_of(answer: Says, doubled: str, **more: Any) -> Bookkeeper:
    """Answers T0 so, books all others, and has each reply of that kind about T0 doubled."""
    return Bookkeeper(
        lambda sent, _: answer if sent["tradeNo"] == "T0" else Says(),
        doubled=lambda kind, trade_no: (kind, trade_no) == (doubled, "T0"),
        **more,
    )


async def all_of(client: PayProClient, count: int = 4) -> list[Any]:
    """What became of each payout, one after the other."""
    found: list[Any] = []
    for number in range(count):
        try:
            found.append((await client.payout(**fields(f"T{number}", bank_number=f"100940382{number:02}"))).status)
        except OutcomeUnknownError:
            found.append("unknown")
    return found


@pytest.mark.parametrize(
    ("answer", "first"),
    [
        (REFUSED, PayoutStatus.FAILED),
        (Says(envelope("0000", data={"status": "00029"}), booked=False), PayoutStatus.FAILED),
        (Says(envelope("1001"), booked=False), PayoutStatus.FAILED),
        (Says(b"busy", 502, booked=False), "unknown"),
        (Says(), PayoutStatus.PROCESSING),
    ],
    ids=["refused", "failed", "unlisted", "unreadable", "accepted"],
)
async def test_a_doubled_reply_is_never_another_payouts_answer(answer: Says, first: PayoutStatus | str):
    """A refusal names no payout, so nothing comes after it on its connection: its copy has no reader."""
    platform = platform_of(answer, "payout")
    async with platform, client_of(platform) as client:
        found = await all_of(client)
        states = [(await client.ledger.get(MERCHANT_NO, f"T{number}")).state for number in range(1, 4)]
    assert found == [first] + [PayoutStatus.PROCESSING] * 3
    assert states == [State.PROCESSING] * 3
    assert sorted(platform.bookings) == sorted({*platform.orders})


@pytest.mark.parametrize("way", ["null", "empty", "code", "refusal"])
async def test_a_doubled_answer_of_a_query_is_never_another_payouts(way: str):
    """An absence would let the next payout be sent twice, and a refused question would refuse it."""
    platform = platform_of(Says(envelope("1001"), booked=False), "query", unknown_order=way)
    async with platform, client_of(platform) as client:
        found = await all_of(client)
    assert found == [PayoutStatus.FAILED] + [PayoutStatus.PROCESSING] * 3
    assert sorted(platform.bookings) == ["T1", "T2", "T3"]


class Connections:
    """Counts which exchanges have cost their connection."""

    def __init__(self) -> None:
        self.left = 0

    def over(self, exchange: Exchange) -> Exchange:
        return evolve(exchange, discard=self._leave)

    def _leave(self) -> None:
        self.left += 1


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (PROCESSING, 0),
        (PAID, 0),
        (order("00029", remark="T1"), 0),
        (order("0000", remark="T1"), 0),
        (order("00029"), 1),
        (refusal("60019"), 1),
        (refusal("1001"), 1),
        (page(429), 1),
        (page(502), 1),
        (order("0000", remark="T2"), 1),
        (order("0000", amount="999"), 1),
        (order("0000", tradeNo="T2"), 1),
        (reply({"availableAmount": "1"}), 1),
        (ABSENT, 1),
    ],
)
@virtual_time
async def test_a_payouts_reply_that_does_not_show_whose_it_is_costs_its_connection(answer: Exchange, left: int):
    """One that repeats the remark is this payout's, and one that accepts a payout has its number for that."""
    connections = Connections()
    transport = Scripted(connections.over(answer), order("0000", tradeNo="T1", amount="300"))
    async with scripted_client(transport) as client:
        await asyncio.gather(client.payout(**fields()), return_exceptions=True)
    assert connections.left == left


@virtual_time
async def test_a_payouts_reply_is_no_answer_of_a_query():
    """A copy of the reply to T0 names no payout; its remark does, and T1 is not paid."""
    connections = Connections()
    copy = connections.over(order("0000", remark="T0", platFormTradeNo="P-0"))
    transport = Scripted(LOST, [copy, PROCESSING])
    async with scripted_client(transport, timeout=30) as client:
        result = await client.payout(**fields())
    assert (result.status, result.platform_trade_no) == (PayoutStatus.PROCESSING, "P-1")
    assert connections.left == 1


@virtual_time
async def test_an_answer_that_names_its_payout_needs_no_remark():
    """What a platform writes beside it is its own affair."""
    transport = Scripted(LOST, order("0000", tradeNo="T1", remark="paid by hand"))
    async with scripted_client(transport) as client:
        assert (await client.payout(**fields())).status is PayoutStatus.SUCCEEDED


@virtual_time
async def test_a_platform_that_never_repeats_remarks_can_be_asked():
    """With ``check_echo=False`` neither a reply nor an answer is judged by it."""
    transport = Scripted(LOST, order("0000", remark="000000"))
    async with scripted_client(transport, check_echo=False) as client:
        assert (await client.payout(**fields())).status is PayoutStatus.SUCCEEDED
    async with scripted_client(Scripted(LOST, order("0000", remark="000000")), timeout=5) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields())


@virtual_time
@pytest.mark.parametrize("answer", [LOST, refusal("1001"), refusal("9000", "the order already exists")])
async def test_an_order_that_was_paid_long_before_is_anothers(answer: Exchange):
    """Another system may have used the number, months ago and for another payee: the amount alone proves nothing."""
    old = order("0000", orderAmount="300", successTime="2020-01-01 10:00:00")
    async with scripted_client(Scripted(answer, old)) as client:
        with pytest.raises(ReviewRequiredError):
            await client.payout(**fields())
