"""A merchant: payouts that are valid, and clients that talk to a sandbox or to a script."""

import asyncio
from typing import Any

from paypro_async import Md5Signer, MemoryLedger, Payout, PayProClient
from paypro_async.sandbox import Sandbox
from tests.support.scripted import Scripted
from tests.support.valid import FIELDS
from tests.support.virtual_time import VirtualRuntime

MERCHANT_NO = "0000000001"
SIGNER = Md5Signer("sandbox-secret")
# Settings for a platform that answers at once; a busy machine has nearly a second to send an attempt.
QUICK: dict[str, Any] = {"settle_after": 1.5, "request_timeout": 0.5, "send_within": 0.9}
PERSONAL = [FIELDS[name] for name in ("name", "mobile", "email", "bank_number")]


def fields(trade_no: str | None = "T1", **changes: Any) -> dict[str, Any]:
    """The fields of a valid payout; a change to None takes the field out."""
    values = {"trade_no": trade_no, **FIELDS, **changes}
    return {name: value for name, value in values.items() if value is not None}


def payout(trade_no: str | None = "T1", **changes: Any) -> Payout:
    """A valid payout."""
    return Payout(**fields(trade_no, **changes))


def payouts(count: int, *, first: int = 0) -> list[Payout]:
    """Valid payouts with numbers of their own."""
    return [payout(f"T{number}") for number in range(first, first + count)]


def client_of(sandbox: Sandbox, **settings: Any) -> PayProClient:
    """A client of a sandbox in virtual time."""
    defaults = {"ledger": MemoryLedger(runtime=VirtualRuntime()), "signer": SIGNER, "runtime": VirtualRuntime()}
    return PayProClient(base_url=sandbox.base_url, merchant_no=MERCHANT_NO, **(defaults | settings))


def aiohttp_client_of(sandbox: Sandbox, **settings: Any) -> PayProClient:
    """One for large tables: over this library a payout takes a third less, and tests of libraries stand elsewhere."""
    return client_of(sandbox, transport="aiohttp", **settings)


def scripted_client(transport: Scripted, **settings: Any) -> PayProClient:
    """A client of a script in virtual time."""
    defaults = {"ledger": MemoryLedger(runtime=VirtualRuntime()), "signer": SIGNER, "runtime": VirtualRuntime()}
    return PayProClient(
        base_url="https://paypro.example/in", merchant_no=MERCHANT_NO, transport=transport, **(defaults | settings)
    )


def virtual_sandbox(**settings: Any) -> Sandbox:
    """A sandbox whose late bookings and settlements follow virtual time."""
    return Sandbox(clock=asyncio.get_running_loop().time, **settings)


def bookings(sandbox: Sandbox) -> list[str]:
    """The trade numbers in the order in which money moved."""
    return [booking.trade_no for booking in sandbox.books.bookings]


def requests(sandbox: Sandbox) -> list[tuple[str, float]]:
    """What arrived at the sandbox: the end of each path and the seconds since the first."""
    journal = sandbox.books.requests
    return [(one.path.rsplit("/", 1)[-1], (one.at_ms - journal[0].at_ms) / 1000) for one in journal]


def paid_at(sandbox: Sandbox) -> list[float]:
    """When payout requests arrived, in seconds since the first request."""
    return [at for path, at in requests(sandbox) if path == "payout"]
