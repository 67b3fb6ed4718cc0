"""The client of a worker, and batches to pay."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.cases import FIELDS
from benchmarks.ledger import MERCHANT_NO
from benchmarks.processes import FailedError
from paypro_async import Md5Signer, PayProClient, import_batch, open_shards, run_shard

__all__ = ["BATCH", "NOWHERE", "import_payouts", "open_client", "pay", "payouts", "settle"]

BATCH = "scale"
NOWHERE = "http://127.0.0.1:9"
"""Where no platform is, for work that sends nothing."""
_SECRET = "not-a-secret"
_GROUP = 64
_OK = 200


def open_client(url: str, ledger: str) -> PayProClient:
    """A client to be opened, for a platform and a ledger in PostgreSQL."""
    return PayProClient(
        base_url=url, environment="benchmark", merchant_no=MERCHANT_NO, signer=Md5Signer(_SECRET), ledger=ledger
    )


def payouts(count: int, *, first: int = 0) -> Iterator[dict[str, Any]]:
    """So many, each to another person and under a number of its own."""
    for number in range(first, first + count):
        yield {**FIELDS, "trade_no": f"scale-{number:09d}", "bank_number": f"{10**11 + number}"}


async def import_payouts(
    ledger: str, count: int, *, first: int = 0, batch_id: str = BATCH, shard_size: int = 250, rate: float | None = None
) -> None:
    """Import a batch that workers pay."""
    async with open_client(NOWHERE, ledger) as client:
        rows = payouts(count, first=first)
        await import_batch(client, rows, batch_id=batch_id, shard_size=shard_size, rate=rate)


async def pay(url: str, ledger: str, *, batch_id: str = BATCH, concurrency: int = 20, most: int | None = None) -> int:
    """Pay the open shards of a batch, *most* of them at most; how many payouts these were."""
    paid = 0
    async with open_client(url, ledger) as client:
        for shard in (await open_shards(client, batch_id))[:most]:
            report = await run_shard(client, batch_id, shard.low, shard.high, concurrency=concurrency)
            if not report.done:
                raise FailedError(f"a shard was not paid: {report}")
            paid += sum(report.counts.values())
    return paid


async def settle(ledger: str, numbers: Sequence[tuple[str, str]]) -> None:
    """Tell the client by callbacks that these were paid: their trade numbers, and the platform's."""
    async with open_client(NOWHERE, ledger) as client:
        for first in range(0, len(numbers), _GROUP):
            group = [_callback(*one) for one in numbers[first : first + _GROUP]]
            replies = await asyncio.gather(*map(client.receive_callback, group))
            if any(one.status != _OK for one in replies):
                raise FailedError("a callback was not taken")


def _callback(trade_no: str, platform_trade_no: str) -> bytes:
    members = {
        "tradeNo": trade_no,
        "platFormTradeNo": platform_trade_no,
        "status": "0000",
        "message": "SUCCESS",
        "amount": str(FIELDS["amount"]),
        "successTime": "2026-11-27 18:34:31",
        "timestamp": f"{time.time_ns() // 1_000_000}",
    }
    return json.dumps({**members, "sign": Md5Signer(_SECRET).sign(members)}).encode()
