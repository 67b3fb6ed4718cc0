"""Waiting for a connection: it does not eat the time of the reply, and what can get no reply in time is not sent."""

import asyncio
import json
from collections import Counter
from uuid import uuid4

import pytest

from benchmarks.null import REPLY
from paypro_async import MemoryLedger, PayoutStatus, PayProClient, PoolTimeoutError
from paypro_async.engine.admission import Admission
from paypro_async.engine.closing import Closing
from tests.support.merchant import MERCHANT_NO, SIGNER, fields
from tests.support.servers import OK, Peer, Server
from tests.support.virtual_time import VirtualRuntime, now, virtual_time

REPLY_SECONDS = 3.0


async def slow(peer: Peer) -> None:
    """A platform that takes three seconds for each payout, and no time for a question."""
    while True:
        request = await peer.read_request()
        if request.startswith(b"POST /v1/paypro/payout "):
            await asyncio.sleep(REPLY_SECONDS)
        body = REPLY.replace(b"32e936de44164512abe419a9d1b2449a", uuid4().hex.encode())
        await peer.write(OK.replace(b"Length: 2", b"Length: %d" % len(body)).replace(b"{}", body))


def client(server: Server, **settings: object) -> PayProClient:
    runtime = VirtualRuntime()
    defaults = {"ledger": MemoryLedger(runtime=runtime), "max_connections": 10, "timeout": 10.0, "environment": "slow"}
    return PayProClient(
        base_url=server.base_url, merchant_no=MERCHANT_NO, signer=SIGNER, runtime=runtime, **(defaults | settings)
    )


def sent(server: Server) -> Counter[str]:
    """How often each trade number came."""
    return Counter(json.loads(one.partition(b"\r\n\r\n")[2])["tradeNo"] for one in server.requests)


@pytest.mark.parametrize("transport", ["aiohttp", "httpx"])
@virtual_time
async def test_what_can_get_no_reply_in_time_is_not_sent(transport: str):
    """Fifty payouts at one moment, ten connections, ten seconds: three times ten are paid, and no other has left."""
    async with Server(slow) as server, client(server, transport=transport) as payer:
        began = now()
        ended = await asyncio.gather(
            *(payer.payout(**fields(f"T{number}")) for number in range(50)), return_exceptions=True
        )
        assert now() - began <= 10.2
        arrived = sent(server)
        failed = [error for error in ended if isinstance(error, PoolTimeoutError)]
        paid = [one for one in ended if not isinstance(one, BaseException)]
        assert (len(paid), len(failed)) == (30, 20)
        assert set(arrived.values()) == {1}
        assert set(arrived).isdisjoint(error.trade_no for error in failed)
        again = await payer.payout(**fields(failed[0].trade_no))
    assert again.status is PayoutStatus.SUCCEEDED
    text = str(failed[0])
    assert "all 10 connections were busy" in text
    for word in ("max_connections", "timeout", "nothing of it has left", "same trade_no", "No money moved"):
        assert word in text


@virtual_time
async def test_a_payout_that_has_not_to_wait_is_always_sent():
    """However little time its call has: a reply may come sooner than usual."""
    async with Server(slow) as server, client(server, transport="aiohttp") as payer:
        await payer.payout(**fields("T1"))
        assert (await payer.payout(**fields("T2"), timeout=3.1)).status is PayoutStatus.SUCCEEDED
        assert len(server.requests) == 2


@virtual_time
async def test_the_time_of_an_exchange_begins_when_the_wait_ends():
    """Four seconds for an exchange, and a wait of three before it: the reply comes in the sixth second."""
    settings = {"transport": "aiohttp", "max_connections": 1, "request_timeout": 4.0, "timeout": 30.0}
    async with Server(slow) as server, client(server, **settings) as payer:
        results = await asyncio.gather(*(payer.payout(**fields(f"T{number}")) for number in range(5)))
        assert {one.status for one in results} == {PayoutStatus.SUCCEEDED}
        assert [one.attempts for one in results] == [1] * 5
        assert set(sent(server).values()) == {1}


@virtual_time
async def test_a_question_does_not_wait_for_all_the_payouts_before_it():
    """It has the next connection that is free."""
    async with Server(slow) as server, client(server, transport="aiohttp", max_connections=1, timeout=60.0) as payer:
        payouts = [asyncio.ensure_future(payer.payout(**fields(f"T{number}"))) for number in range(6)]
        await asyncio.sleep(0.5)
        began = now()
        await payer.query("T0")
        assert now() - began <= REPLY_SECONDS
        await asyncio.gather(*payouts)


@virtual_time
async def test_a_stored_result_needs_no_connection():
    """A repeated call of a paid payout has its result at once, while every connection is busy."""
    async with Server(slow) as server, client(server, transport="aiohttp", max_connections=1) as payer:
        first = await payer.payout(**fields("T0"))
        busy = [asyncio.ensure_future(payer.payout(**fields(f"T{number}"))) for number in (1, 2)]
        await asyncio.sleep(0.5)
        began = now()
        assert await payer.payout(**fields("T0")) == first
        assert now() == began
        await asyncio.gather(*busy)


@virtual_time
async def test_who_is_cancelled_while_it_waits_leaves_room_for_the_others():
    """And no trace of its payout."""
    async with Server(slow) as server, client(server, transport="aiohttp", max_connections=1, timeout=60.0) as payer:
        payouts = [asyncio.ensure_future(payer.payout(**fields(f"T{number}"))) for number in range(10)]
        await asyncio.sleep(0.5)
        for one in payouts[1:9]:
            one.cancel()
        await asyncio.wait(payouts)
        assert set(sent(server)) == {"T0", "T9"}
        assert await payer.ledger.get(MERCHANT_NO, "T4") is None


@virtual_time
async def test_closing_the_client_ends_the_wait():
    """What is under way is answered; what only waits was not sent, and says why it waits no longer."""
    async with Server(slow) as server:
        payer = client(server, transport="aiohttp", max_connections=1, timeout=60.0)
        await payer.__aenter__()
        payouts = [asyncio.ensure_future(payer.payout(**fields(f"T{number}"))) for number in range(5)]
        await asyncio.sleep(0.5)
        began = now()
        await payer.aclose()
        ended = await asyncio.gather(*payouts, return_exceptions=True)
        assert now() - began <= REPLY_SECONDS
        assert ended[0].status is PayoutStatus.SUCCEEDED
        assert all(isinstance(one, PoolTimeoutError) and "client was closed" in str(one) for one in ended[1:])
        assert set(sent(server)) == {"T0"}


@virtual_time
async def test_as_many_more_are_announced_where_replies_come_quickly():
    """A ledger that takes longer than the platform would leave the connections idle."""
    admission = Admission(
        runtime=VirtualRuntime(), closing=Closing(runtime=VirtualRuntime()), request_timeout=20.0, connections=2
    )
    assert [admission.enter_at_once() for _ in range(3)] == [True, True, False]
    admission.answered(0.05)
    assert [admission.enter_at_once() for _ in range(3)] == [True, True, False]
    admission.answered(3.0)  # slow again: those that are announced are answered first
    admission.leave()
    admission.leave()
    assert not admission.enter_at_once()
    admission.leave()
    assert admission.enter_at_once()


@virtual_time
async def test_the_longest_reply_is_remembered_for_a_while():
    """One slow reply keeps no payout back for ever."""
    admission = Admission(
        runtime=VirtualRuntime(), closing=Closing(runtime=VirtualRuntime()), request_timeout=20.0, connections=2
    )
    assert admission.waiting(now() + 30, 30).until == now() + 25
    admission.answered(8.0)
    assert admission.waiting(now() + 30, 30).until == now() + 20
    for _ in range(4):
        await asyncio.sleep(31)
        admission.answered(0.4)
    assert admission.waiting(now() + 30, 30).until == now() + 29.5
