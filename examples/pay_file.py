"""Pay a CSV file from a program, stop half-way, go on. Run it: python examples/pay_file.py."""

import asyncio
import tempfile
from pathlib import Path

from paypro_async import Md5Signer, PayProClient
from paypro_async.bulk import Disbursement
from paypro_async.sandbox import FaultPlan, Sandbox

FILE = Path(__file__).with_name("payouts.csv")


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
            with await asyncio.to_thread(Disbursement, client, FILE) as first:
                print(f"{first.plan.rows} payouts, {first.plan.total} {first.plan.currency}")
                async with await first.start(await first.look_back(), concurrency=1) as batch:
                    async for item in batch:
                        print(item.trade_no, item.status, "and then it is stopped")
                        break

            with await asyncio.to_thread(Disbursement, client, FILE) as again:
                print((await again.look_back()).known, "of them are in the ledger already")
                await again.pay()
                report = await again.report(folder / "payouts.result.csv")
        print({status.value: rows for status, rows in report.tally.counts.items()})
        print("booked", len(platform.books.bookings))


with tempfile.TemporaryDirectory() as name:
    asyncio.run(main(Path(name)))
