"""Pay from a program without asyncio: many threads, one client.

Run it: python examples/portal.py. It pays a local sandbox; for PayPro itself, set the ``PAYPRO_…`` variables and give
``PayProClient.from_env`` in place of ``make_client``.
"""

from concurrent.futures import ThreadPoolExecutor

from anyio.from_thread import start_blocking_portal

from paypro_async import KnownPayout, Md5Signer, PayProClient
from paypro_async.integrations.portal import ClientPortal
from paypro_async.sandbox import Sandbox

THREADS = 50


def main() -> None:
    platform = Sandbox(secret="sandbox-secret", paid_after=1)

    def make_client() -> PayProClient:
        return PayProClient(
            base_url=platform.base_url,
            environment=platform.environment,
            merchant_no="0000000001",
            signer=Md5Signer("sandbox-secret"),
            ledger="memory",  # in earnest: "sqlite:///payouts.db", which a crash cannot make forget
            ip_address="203.0.113.7",
            notify_url="https://merchant.example/paypro",
        )

    # The sandbox has a loop and a thread of its own, as it would have a process of its own.
    with start_blocking_portal() as other, other.wrap_async_context_manager(platform):
        with ClientPortal(make_client) as paypro:

            def pay(number: int) -> KnownPayout:
                payment = {
                    "trade_no": f"invoice-{number}",
                    "amount": "300",
                    "name": "Asha Rao",
                    "mobile": "8234567890",
                    "email": "asha@example.com",
                    "bank_number": "10094038292",
                    "bank_code": "IDFB0043121",
                }
                paypro.call(lambda client: client.payout(payment))
                return paypro.call(lambda client: client.wait_until_final(f"invoice-{number}", timeout=30))

            with ThreadPoolExecutor(THREADS) as threads:
                ends = list(threads.map(pay, range(THREADS)))
        print({known.status.value for known in ends}, "and booked", len(platform.books.bookings), "payouts")


if __name__ == "__main__":
    main()
