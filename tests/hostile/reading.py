"""A second reading of replies, by other parsers: what a verdict on the money may at most rest on."""

import json
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import h11

from paypro_async._core.outcome import Verdict
from paypro_async._core.platform_codes import Codes

_CODES = Codes()
# What each verdict claims, by the outer code and by the status of the order.
_CLAIMS: Mapping[Verdict, str] = MappingProxyType(
    {Verdict.PAID: "0000", Verdict.PROCESSING: "0015", Verdict.PARTIAL: "0001"}
)


def supports(data: bytes, verdict: Verdict) -> bool:
    """Whether the reply in *data* says what *verdict* claims about a payout; one that claims nothing always does."""
    if verdict in (Verdict.UNKNOWN, Verdict.RATE_LIMITED, Verdict.DUPLICATE):
        return True
    status, body = _reply(data)
    envelope = _object(body)
    if envelope is None or status is None or not 200 <= status < 500:
        return False
    code, order = envelope.get("code"), envelope.get("data")
    if verdict in (Verdict.REFUSED, Verdict.UNLISTED, Verdict.BAD_CREDENTIALS) and code != "0000":
        listed = isinstance(code, str) and _CODES.is_listed(code)
        return isinstance(code, str) and code.isdigit() and listed == (verdict is Verdict.REFUSED)
    if code != "0000" or not 200 <= status < 300 or not isinstance(order, dict):
        return False
    said = order.get("status")
    if order.get("tradeNo") not in (None, "", "T1") or not isinstance(said, str):
        return False
    if verdict in _CLAIMS:
        return said == _CLAIMS[verdict] or (verdict is Verdict.PARTIAL and said == "0000")
    return said.isdigit() and said not in ("0000", "0015", "0001") and verdict in (Verdict.FAILED, Verdict.UNLISTED)


def _reply(data: bytes) -> tuple[int | None, bytes]:
    """Status and body by h11; no status if it does not take the reply for a whole one."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=200_000)
    connection.send(h11.Request(method="POST", target="/", headers=[("Host", "a"), ("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    status, body, coding = None, b"", b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                status, coding = event.status_code, dict(event.headers).get(b"content-encoding", b"").lower()
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return status, _unpacked(body, coding)
            elif not isinstance(event, h11.InformationalResponse):
                return None, b""
    except (h11.RemoteProtocolError, zlib.error):
        return None, b""


def _unpacked(body: bytes, coding: bytes) -> bytes:
    if coding in (b"gzip", b"x-gzip"):
        return zlib.decompress(body, 16 + zlib.MAX_WBITS)
    if coding == b"deflate":
        try:
            return zlib.decompress(body)
        except zlib.error:
            return zlib.decompress(body, -zlib.MAX_WBITS)
    return body


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
