"""Pay a file from a program of your own, with faults on the way. Run it: python examples/batch.py."""

import asyncio
import csv
import tempfile
from collections.abc import Iterator
from pathlib import Path

from paypro_async import Md5Signer, PayProClient
from paypro_async.sandbox import FaultPlan, Sandbox


def payouts(path: Path) -> Iterator[dict[str, str]]:
    """Each row with a trade number that is the same in every run: that is what makes the batch safe to repeat."""
    with path.open(encoding="utf-8", newline="") as text:
        for number, row in enumerate(csv.DictReader(text), start=1):
            yield {**row, "trade_no": f"salaries-2026-11-{number}"}


async def main(folder: Path) -> None:
    async with Sandbox(secret="sandbox-secret", faults=FaultPlan(rate=0.4, seed=1)) as platform:
        client = PayProClient(
            base_url=platform.base_url,
            environment=platform.environment,
            merchant_no="0000000001",
            signer=Md5Signer("sandbox-secret"),
            ledger=f"sqlite:///{folder / 'payouts.db'}",
            ip_address="203.0.113.7",
            notify_url="https://merchant.example/paypro",
            settle_after=1.5,  # the sandbox is quick; leave this out in earnest
        )
        async with client:
            batch = client.batch_payout(payouts(Path(__file__).with_name("payouts.csv")), concurrency=5, rate=50)
            async for item in batch:
                print(
                    item.trade_no,
                    item.status,
                    f"after {item.result.attempts} attempt(s)" if item.result else item.error,
                )
            print(dict(batch.report.counts), "booked", len(platform.books.bookings))


with tempfile.TemporaryDirectory() as name:
    asyncio.run(main(Path(name)))
