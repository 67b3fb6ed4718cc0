"""A merchant that talks to the sandbox with nothing of the package: its own signature, httpx or a bare socket."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from paypro_async.sandbox import Sandbox

PAYOUT = "/v1/paypro/payout"
QUERY = "/v1/paypro/queryPayOutResult"
BALANCE = "/v1/paypro/queryBalance"
NOW = "1715941383720"

Members = dict[str, Any]


def signed(members: Mapping[str, Any], secret: str = "sandbox-secret") -> Members:
    text = "".join(f"{key}={value}" for key, value in sorted(members.items()) if value not in ("", None))
    return {**members, "sign": hashlib.md5((text + secret).encode()).hexdigest()}


def payout_members(trade_no: str = "T1", **changes: Any) -> Members:
    members = {
        "timestamp": NOW,
        "ipAddress": "203.0.113.7",
        "tradeNo": trade_no,
        "amount": "300",
        "name": "Asha Rao",
        "mobile": "8234567890",
        "email": "asha@gmail.com",
        "bankNumber": "10094038292",
        "bankCode": "IDFB0043121",
        "notifyUrl": "https://merchant.example/paypro",
    }
    return {name: value for name, value in (members | changes).items() if value is not None}


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Merchant:
    """Speaks to a sandbox through httpx and gives back envelopes."""

    def __init__(self, sandbox: Sandbox, *, secret: str = "sandbox-secret", timeout: float = 5) -> None:
        self.secret = secret
        headers = {"merchantNo": sandbox.rules.merchant_no}
        self.http = httpx.AsyncClient(base_url=sandbox.base_url, headers=headers, timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def post(self, path: str, members: Mapping[str, Any]) -> httpx.Response:
        return await self.http.post(path, json=signed(members, self.secret))

    async def payout(self, trade_no: str = "T1", **changes: Any) -> Members:
        return dict((await self.post(PAYOUT, payout_members(trade_no, **changes))).json())

    async def query(self, trade_no: str = "T1") -> Members:
        return dict((await self.post(QUERY, {"tradeNo": trade_no, "timestamp": NOW})).json())

    async def balance(self) -> str:
        return str((await self.post(BALANCE, {"timestamp": NOW})).json()["data"]["availableAmount"])


def http_request(path: str, members: Mapping[str, Any], *, headers: str = "") -> bytes:
    body = json.dumps(signed(members)).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: sandbox\r\nmerchantNo: 0000000001\r\n{headers}Content-Length: {len(body)}\r\n"
    )
    return head.encode() + b"\r\n" + body


async def connect(sandbox: Sandbox) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", httpx.URL(sandbox.base_url).port)


async def exchange(sandbox: Sandbox, request: bytes) -> bytes:
    """All bytes that come back until the server closes the connection; raises when it resets it."""
    reader, writer = await connect(sandbox)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), timeout=5)
    finally:
        writer.close()
