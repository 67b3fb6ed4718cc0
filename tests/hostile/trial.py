"""Sends replies of any kind through transports and clients, and counts what is wrong with what they make of them."""

import asyncio
import os
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from attrs import define, field

from paypro_async import MemoryLedger, PayProClient, PayProError
from paypro_async._core.outcome import Verdict, classify_balance, classify_payout, classify_query
from paypro_async._core.platform_codes import Codes
from paypro_async._core.wire import Exchange, Phase, WireRequest
from paypro_async.transport import Transport
from tests.hostile.reading import supports
from tests.support.merchant import SIGNER, fields
from tests.support.raw_replies import TRADE_NO
from tests.support.servers import Peer, Server
from tests.support.transports import transport_named

_NUMBER = re.compile(rb"(?i)merchantNo: *(\d+)")
_SHARE_THAT_HANGS = 0.002
_REQUEST_SECONDS = 5.0
_CALL_SECONDS = 2.0
_LATE_SECONDS = 5.0  # what a busy machine adds


@define
class Findings:
    """What was wrong, and what was seen.

    Args:
        wrong: A sentence for each reply with which something was.
        verdicts: How often each verdict or end came.
        grown: Bytes that the process grew by.
    """

    wrong: list[str] = field(factory=list)
    verdicts: Counter[str] = field(factory=Counter)
    grown: int = 0

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count:,}" for name, count in self.verdicts.most_common())
        return f"{self.verdicts.total():,} ({counts}); {len(self.wrong)} wrong; {self.grown / 1e6:.0f} MB more"


async def read_all(replies: Sequence[bytes], transport_names: Sequence[str], *, seed: int) -> Findings:
    """Read every reply by each transport: in time, without an exception, alike, and no more than is said."""
    findings, codes = Findings(), Codes()
    verdicts: dict[str, list[str]] = {}
    before = _resident()
    async with Server(_script(replies, seed)) as server:
        for name in transport_names:
            transport = transport_named(name)(max_connections=32)
            outcomes = verdicts[name] = [""] * len(replies)

            async def read(number: int, transport: Transport = transport, outcomes: list[str] = outcomes) -> None:
                exchange = await _sent(transport, _request(server.url, number))
                outcome = classify_payout(exchange, codes, trade_no=TRADE_NO)
                asked = classify_query(exchange, codes, trade_no=TRADE_NO)
                balance, _ = classify_balance(exchange, codes, currency="INR")
                outcomes[number] = f"{outcome.verdict.name} {asked.verdict.name} {balance.verdict.name}"
                findings.verdicts[outcome.verdict.name] += 1
                if not supports(replies[number], outcome.verdict):
                    findings.wrong.append(f"{number}: {outcome.verdict.name} ({outcome.cause}) of {replies[number]!r}")

            await _each(len(replies), 32, read, findings, within=_REQUEST_SECONDS)
            await transport.aclose()
    for number, found in enumerate(zip(*verdicts.values(), strict=True)):
        if len(set(found)) > 1:
            findings.wrong.append(f"{number}: {dict(zip(verdicts, found, strict=True))} of {replies[number]!r}")
    findings.grown = _resident() - before
    return findings


async def pay_all(replies: Sequence[bytes], transport_name: str, *, seed: int) -> Findings:
    """One payout for each reply, with which every request of it is answered: its status says no more than that."""
    findings = Findings()
    before = _resident()
    async with Server(_script(replies, seed)) as server:
        transport = _Shared(transport_named(transport_name)(max_connections=32))

        async def pay(number: int) -> None:
            end = await _end(server.base_url, transport, number)
            findings.verdicts[end] += 1
            claims = {"succeeded": [Verdict.PAID], "failed": [Verdict.FAILED, Verdict.REFUSED, Verdict.UNLISTED]}
            said = claims.get(end, [])
            if said and not any(supports(replies[number], verdict) for verdict in said):
                findings.wrong.append(f"{number}: {end} of {replies[number]!r}")

        await _each(len(replies), 16, pay, findings, within=_CALL_SECONDS)
        await transport.inner.aclose()
    findings.grown = _resident() - before
    return findings


async def _end(base_url: str, transport: Transport, number: int) -> str:
    """How a payout ended, from whatever way out it took."""
    async with PayProClient(
        base_url=base_url,
        merchant_no=f"{number:010d}",
        signer=SIGNER,
        ledger=MemoryLedger(),
        transport=transport,
        settle_after=1.0,
        timeout=_CALL_SECONDS,
    ) as client:
        try:
            return (await client.payout(**fields(TRADE_NO))).status.value
        except PayProError as error:
            moved = "may be paid" if error.money_may_have_moved else "not paid"
            return f"{type(error).__name__}, {moved}"


class _Shared:
    """A transport that clients do not close."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        return await self.inner.send(request, timeout=timeout)

    async def aclose(self) -> None:
        pass


async def _each(
    count: int, together: int, work: Callable[[int], Awaitable[None]], findings: Findings, *, within: float
) -> None:
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            began = time.monotonic()
            try:
                await work(number)
            except Exception as error:  # noqa: BLE001  whatever it is, it is the finding
                findings.wrong.append(f"{number}: {error!r}")
            if (took := time.monotonic() - began) > within + _LATE_SECONDS:
                findings.wrong.append(f"{number}: took {took:.1f} s")

    await asyncio.gather(*(worker() for _ in range(together)))


def _script(replies: Sequence[bytes], seed: int) -> Callable[[Peer], Awaitable[None]]:
    """Answers with the reply whose number the merchant number is, in pieces, and ends or keeps still."""

    async def script(peer: Peer) -> None:
        while True:
            found = _NUMBER.search(await peer.read_request())
            assert found is not None
            data = replies[int(found[1])]
            dice = random.Random(seed * 1_000_003 + int(found[1]))
            cut = dice.randrange(len(data) + 1) if dice.random() < 0.3 else len(data)
            await peer.write(data[:cut])
            if data[cut:]:
                await asyncio.sleep(0)
                await peer.write(data[cut:])
            if dice.random() >= _SHARE_THAT_HANGS:
                return
            await peer.hang()

    return script


async def _sent(transport: Transport, request: WireRequest) -> Exchange:
    """The exchange, of a machine that may be too busy to connect: such a request was not sent."""
    for _ in range(5):
        exchange = await transport.send(request, timeout=_REQUEST_SECONDS)
        if exchange.phase is not Phase.NOT_SENT:
            break
        await asyncio.sleep(0.1)
    return exchange


def _request(url: str, number: int) -> WireRequest:
    return WireRequest(url=url, body=b"{}", merchant_no=f"{number:010d}")


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
