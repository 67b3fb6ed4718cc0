"""Pays through the platform that it is given, and kills itself at a named point of the flow.

Arguments: the platform's URL, the ledger's URL, the point, how often it may be passed before, and the trade numbers.
"""

import asyncio
import os
import signal
import sys
from collections import Counter
from typing import Any

import paypro_async.transport.httpx as httpx_transport
from paypro_async import Md5Signer, PayProClient
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Change
from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.ledger import Moved
from paypro_async.ledger.sql import SqlLedger
from paypro_async.transport.httpx import HttpxTransport
from tests.ledger.clock import Hurried
from tests.ledger.payouts import FIELDS, MERCHANT

SETTINGS: dict[str, Any] = {
    "merchant_no": MERCHANT,
    "signer": Md5Signer("sandbox-secret"),
    "environment": "sandbox.example",
    "timeout": 200.0,
}
# Those of a batch wait at the same time, so the time they wait is real. The sandbox books at once: a short window is an
# honest one.
BATCH_SETTINGS: dict[str, Any] = SETTINGS | {"settle_after": 1.2, "request_timeout": 0.5, "send_within": 0.5}
REMARK = "sandbox:paid"

passed: Counter[str] = Counter()


def at(point: str) -> None:
    """Die here, if it is the point; SIGKILL, so that nothing is tidied up."""
    passed[point] += 1
    if point == sys.argv[3] and passed[point] > int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)


class DyingLedger(SqlLedger):
    async def claim(self, intent: Intent) -> Moved:
        at("before intent")
        moved = await super().claim(intent)
        at("after intent")
        return moved

    async def move(self, change: Change) -> Moved:
        step = "announcement" if change.begins else "outcome"
        at(f"before {step}")
        moved = await super().move(change)
        at(f"after {step}")
        return moved


class DyingTransport(HttpxTransport):
    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        what = "send" if request.url.endswith("/payout") else "question"
        at(f"before {what}")
        exchange = await super().send(request, timeout=timeout)
        at(f"after {what}'s reply")
        return exchange


class DyingWire(httpx_transport._Wire):
    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        await super().__call__(event, info)
        if event.endswith(".send_request_headers.complete"):
            at("after headers")
        if event.endswith(".send_request_body.complete"):
            at("after body")


async def pay_one(base_url: str, ledger: DyingLedger, payout: dict[str, str]) -> None:
    runtime = Hurried()
    settings = SETTINGS | {"runtime": runtime, "transport": DyingTransport(runtime=runtime)}
    async with PayProClient(base_url=base_url, ledger=ledger, **settings) as client:
        print(await client.payout(payout))


async def pay_many(base_url: str, ledger: DyingLedger, payouts: list[dict[str, str]]) -> None:
    settings = BATCH_SETTINGS | {"transport": DyingTransport()}
    async with PayProClient(base_url=base_url, ledger=ledger, **settings) as client:
        print(await client.batch_payout(payouts, concurrency=10))


async def main(base_url: str, ledger_url: str, trade_nos: list[str]) -> None:
    payouts = [FIELDS | {"trade_no": one, "remark": REMARK} for one in trade_nos]
    if len(payouts) == 1:
        await pay_one(base_url, DyingLedger(ledger_url), payouts[0])
    else:
        await pay_many(base_url, DyingLedger(ledger_url), payouts)


if __name__ == "__main__":
    httpx_transport._Wire = DyingWire  # type: ignore[misc]  # the only way to stand between a write and its reply
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[5:]))
