"""Plan a file from a program, pay it, stop half-way, go on. Run it: python examples/pay_file.py."""

import asyncio
import tempfile
from pathlib import Path

from paypro_async import Md5Signer, PayProClient, bulk
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
            plan = await bulk.plan(client, FILE)
            print(f"{plan.rows} payouts, {plan.amount} {plan.currency}, largest {plan.largest[0].amount}")

            with await asyncio.to_thread(bulk.Disbursement, client, FILE) as first:
                async with await first.start(await first.look_back(), concurrency=1) as batch:
                    async for item in batch:
                        print(item.trade_no, item.status, "and then it is stopped")
                        break

            limits = bulk.PaymentLimits(expect_total=plan.amount, expect_rows=plan.rows)
            report = await bulk.pay(client, plan, limits=limits, result=folder / "payouts.result.csv")
        print({status.value: rows for status, rows in report.tally.counts.items()})
        print("booked", len(platform.books.bookings))


with tempfile.TemporaryDirectory() as name:
    asyncio.run(main(Path(name)))
