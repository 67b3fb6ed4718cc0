"""Pay one payout, wait until it is paid, and see that the same call again pays nothing twice.

Run it: python examples/single_payout.py
"""

import asyncio

from paypro_async import Md5Signer, PayProClient
from paypro_async.sandbox import Sandbox


async def main() -> None:
    async with Sandbox(secret="sandbox-secret", paid_after=1) as platform:
        client = PayProClient(
            base_url=platform.base_url,
            environment=platform.environment,
            merchant_no="0000000001",
            signer=Md5Signer("sandbox-secret"),
            ledger="memory",  # in earnest: "sqlite:///payouts.db", which a crash cannot make forget
            ip_address="203.0.113.7",
            notify_url="https://merchant.example/paypro",
        )
        payout = {
            "trade_no": "invoice-17",
            "amount": "300",
            "name": "Asha Rao",
            "mobile": "8234567890",
            "email": "asha@example.com",
            "bank_number": "10094038292",
            "bank_code": "IDFB0043121",
        }
        async with client:
            print(await client.payout(payout))
            print(await client.wait_until_final("invoice-17", timeout=30))
            again = await client.payout(payout)
        print(again.status, "and booked", len(platform.books.bookings), "time(s)")


asyncio.run(main())
