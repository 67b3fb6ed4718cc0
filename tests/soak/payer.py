"""A process that pays: a list by a batch, or each row by a call of its own."""

import asyncio
import json
import time
from collections import Counter
from typing import Any

from paypro_async import ItemStatus, Md5Signer, Payout, PayProClient, PayProError, StopRules
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.valid import FIELDS

PROGRAM = "tests.soak.payer"
MERCHANT = "0000000001"
# What must fit into the settle window: to send, to wait for the reply, and the platform's lag; and room for a machine
# that is busy, since here the platform's own clock is what runs late.
SETTINGS: dict[str, Any] = {"settle_after": 2.0, "request_timeout": 0.6, "send_within": 0.5}
LAG = 0.25


def number(row: int) -> str:
    return f"S{row:06d}"


def amount(row: int) -> str:
    return f"{100 + row % 900}.{row % 100:02}"


def payout(row: int) -> Payout:
    own = {"trade_no": number(row), "amount": amount(row), "bank_number": f"1009{row:08d}"}
    return Payout(**{**FIELDS, **own})


async def main(job: dict[str, Any]) -> None:
    """Pay the rows from *first* on, *count* of them, beginning with row *start*."""
    first, count = job["first"], job["count"]
    rows = [first + (job.get("start", 0) + n) % count for n in range(count)]
    ledger = SqlLedger(job["ledger"], **job.get("ledger_settings", {}))
    settings = SETTINGS | job.get("settings", {})
    async with PayProClient(
        base_url=job["base_url"],
        merchant_no=MERCHANT,
        signer=Md5Signer("sandbox-secret"),
        environment="soak",
        ledger=ledger,
        **settings,
    ) as client:
        work = by_calls if job.get("calls") else by_batch
        print(json.dumps(await work(client, rows, job)))
    await ledger.aclose()


async def by_batch(client: PayProClient, rows: list[int], job: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, str] = {}
    batch = client.batch_payout(
        map(payout, rows),
        concurrency=job.get("concurrency", 40),
        rate=job.get("rate"),
        refresh=job.get("refresh", True),
        stop=StopRules() if job.get("stop", True) else StopRules.off(),
    )
    errors: Counter[str] = Counter()
    async for item in batch:
        assert item.trade_no is not None
        told[item.trade_no] = item.status.value
        if item.error is not None:
            errors[f"{type(item.error).__name__}: {item.error}"[:300]] += 1
    counts = Counter(told.values())
    ended = counts[ItemStatus.SUCCEEDED.value] + counts[ItemStatus.FAILED.value]
    return {
        "told": told,
        "ended": ended == len(rows),
        "stopped": batch.report.stopped,
        "errors": errors.most_common(3),
        "longest": 0.0,
    }


async def by_calls(client: PayProClient, rows: list[int], job: dict[str, Any]) -> dict[str, Any]:
    """Each call has its deadline; one that could not tell is made again."""
    waiting, told, timeout = list(reversed(rows)), {}, float(job["calls"])
    longest, errors = 0.0, Counter[str]()

    async def work() -> None:
        nonlocal longest
        while waiting:
            row = waiting.pop()
            began = time.monotonic()
            try:
                result = await client.payout(payout(row), timeout=timeout)
                told[result.trade_no] = result.status.value
            except PayProError as error:
                errors[type(error).__name__] += 1
                waiting.insert(0, row)
            longest = max(longest, time.monotonic() - began)
            await asyncio.sleep(job.get("pause", 0.0))

    await asyncio.gather(*(work() for _ in range(job.get("concurrency", 10))))
    return {"told": told, "ended": True, "stopped": None, "errors": errors.most_common(5), "longest": longest}
