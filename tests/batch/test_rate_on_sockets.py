"""The rate as the platform sees it: by when each payout arrives."""

import asyncio
import itertools
from typing import Any
from uuid import uuid4

import pytest

from benchmarks.null import REPLY
from paypro_async import MemoryLedger, PayProClient
from tests.support.merchant import MERCHANT_NO, SIGNER, payouts
from tests.support.servers import OK, Peer, Server
from tests.support.virtual_time import VirtualRuntime, now, virtual_time


class SlowSigner:
    """A vault that takes between a tenth of a second and two."""

    def __init__(self) -> None:
        self.seconds = itertools.cycle([0.1, 2.0, 0.7, 1.3, 0.2, 1.9])
        self.signed = 0

    async def sign(self, fields: Any) -> str:
        self.signed += 1
        await asyncio.sleep(next(self.seconds))
        return SIGNER.sign(fields)


class SlowLedger(MemoryLedger):
    """One whose commits take a third of a second, its turns among them, and whose readings wait for a commit."""

    answers_at_once = False

    async def get(self, merchant_no, trade_no):
        await asyncio.sleep(0.3)
        return await super().get(merchant_no, trade_no)

    async def claim(self, intent):
        await asyncio.sleep(0.3)
        return await super().claim(intent)

    async def reserve(self, pace, *, spacing, count):
        await asyncio.sleep(0.3)
        return await super().reserve(pace, spacing=spacing, count=count)


def platform(arrivals: list[float], *, reply_seconds: float = 0.05):
    async def script(peer: Peer) -> None:
        while True:
            await peer.read_request()
            arrivals.append(now())
            await asyncio.sleep(reply_seconds)
            body = REPLY.replace(b"32e936de44164512abe419a9d1b2449a", uuid4().hex.encode())
            await peer.write(OK.replace(b"Length: 2", b"Length: %d" % len(body)).replace(b"{}", body))

    return script


def client(server: Server, **settings: Any) -> PayProClient:
    runtime = VirtualRuntime()
    defaults = {"signer": SIGNER, "ledger": MemoryLedger(runtime=runtime), "environment": "rate"}
    return PayProClient(base_url=server.base_url, merchant_no=MERCHANT_NO, runtime=runtime, **(defaults | settings))


def most_within(seconds: float, arrivals: list[float]) -> int:
    return max(sum(1 for at in arrivals if begin <= at < begin + seconds) for begin in arrivals)


@pytest.mark.parametrize("transport", ["aiohttp", "httpx"])
@virtual_time
async def test_a_slow_signer_lets_no_more_arrive_in_one_second(transport: str):
    """What is signed late does not arrive in a heap, and the rate is used all the same."""
    arrivals: list[float] = []
    async with Server(platform(arrivals)) as server, client(server, transport=transport, signer=SlowSigner()) as payer:
        report = await payer.batch_payout(payouts(80), rate=20, concurrency=60)
    assert report.ok
    assert (len(arrivals), most_within(1.0, arrivals)) == (80, 20)
    assert arrivals[-1] - arrivals[0] <= 80 / 20 + 2


@virtual_time
async def test_few_connections_let_no_more_arrive_in_one_second():
    """The wait for a connection lies before the turn."""
    arrivals: list[float] = []
    async with (
        Server(platform(arrivals, reply_seconds=0.3)) as server,
        client(server, transport="aiohttp", max_connections=3) as payer,
    ):
        report = await payer.batch_payout(payouts(40), rate=5)
    assert report.ok
    assert most_within(1.0, arrivals) <= 5
    assert arrivals[-1] - arrivals[0] <= 40 / 5 * 1.1


@pytest.mark.parametrize("rate", [0.5, 2])
@virtual_time
async def test_slow_commits_waste_no_turns_of_a_slow_rate(rate: float):
    """Each announcement is committed before its turn, and the next turn is taken meanwhile."""
    arrivals: list[float] = []
    async with Server(platform(arrivals)) as server:
        ledger = SlowLedger(runtime=VirtualRuntime())
        async with client(server, transport="aiohttp", ledger=ledger) as payer:
            report = await payer.batch_payout(payouts(12), rate=rate)
    assert report.ok
    assert most_within(max(1.0, 1 / rate), arrivals) <= max(1, rate)
    assert 11 / (arrivals[-1] - arrivals[0]) >= 0.85 * rate


@virtual_time
async def test_slow_commits_leave_a_fast_rate_fast():
    """So many payouts are looked up at one time as the rate needs."""
    arrivals: list[float] = []
    async with Server(platform(arrivals)) as server:
        ledger = SlowLedger(runtime=VirtualRuntime())
        async with client(server, transport="aiohttp", ledger=ledger) as payer:
            report = await payer.batch_payout(payouts(80), rate=20)
    assert report.ok
    assert most_within(1.0, arrivals) <= 20
    assert 79 / (arrivals[-1] - arrivals[0]) >= 0.85 * 20


@virtual_time
async def test_what_is_paid_costs_no_signature_no_connection_and_no_turn():
    """A second run of the same batch asks nobody."""
    arrivals: list[float] = []
    signer = SlowSigner()
    async with Server(platform(arrivals)) as server, client(server, transport="aiohttp", signer=signer) as payer:
        await payer.batch_payout(payouts(5), rate=5)
        connections, signed, began = server.accepted, signer.signed, now()
        report = await payer.batch_payout(payouts(5), rate=1)
        assert (report.ok, now() - began) == (True, pytest.approx(0, abs=0.01))
        assert (server.accepted, signer.signed, len(arrivals)) == (connections, signed, 5)


@virtual_time
async def test_a_signer_that_fails_leaves_nothing_announced():
    """The item says so, and its connection and its turn are others'."""

    class Failing(SlowSigner):
        async def sign(self, fields: Any) -> str:
            if fields.get("tradeNo") == "T1":
                raise ConnectionError("the vault is sealed")
            return await super().sign(fields)

    arrivals: list[float] = []
    async with (
        Server(platform(arrivals)) as server,
        client(server, transport="aiohttp", signer=Failing(), max_connections=1) as payer,
    ):
        items = [item async for item in payer.batch_payout(payouts(4), rate=2)]
        assert await payer.ledger.get(MERCHANT_NO, "T1") is None
    failed = {item.trade_no: str(item.error) for item in items if item.error is not None}
    assert set(failed) == {"T1"}
    assert "could not be signed (ConnectionError)" in failed["T1"]
    assert len(arrivals) == 3
