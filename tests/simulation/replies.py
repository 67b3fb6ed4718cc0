"""What the platform puts on the wire, by the name of its shape."""

import json
import random
from typing import Any

from paypro_async._core.wire import Exchange, Phase

LOST = Exchange(phase=Phase.MAYBE_SENT, cause="the connection broke while waiting for the reply")
SILENT = Exchange(phase=Phase.MAYBE_SENT, cause="no reply came in time")
CUT = Exchange(phase=Phase.MAYBE_SENT, cause="the reply stopped half-way")
REFUSED_CONNECTION = Exchange(phase=Phase.NOT_SENT, cause="the connection was refused")
POOL = Exchange(phase=Phase.NOT_SENT, cause="every connection was busy", pool_timeout=True)
LATE = Exchange(phase=Phase.NOT_SENT, cause="its send deadline had passed", late=True)

PAID, PROCESSING, PARTIAL = "0000", "0015", "0001"
# Two that a page lists, one that means "duplicate" where no order is shown, and two of which no page knows.
FAILING = ("60030", "0100007", "0100024", "0099", "7101")
_NUMBERS = ("platFormTradeNo", "kiliTradeNo", "serialNumber")


def envelope(
    data: Any = None, *, code: Any = PAID, msg: str = "ok", status: int = 200, retry_after: str | None = None
) -> Exchange:
    body = json.dumps({"code": code, "msg": msg, "success": code == PAID, "data": data}).encode()
    return Exchange(phase=Phase.ANSWERED, status=status, body=body, retry_after=retry_after)


def page(status: int, *, body: bytes = b"<html>", retry_after: str | None = None) -> Exchange:
    return Exchange(phase=Phase.ANSWERED, status=status, body=body, retry_after=retry_after)


def _json(body: dict[str, Any], *, status: int = 200) -> Exchange:
    return page(status, body=json.dumps(body).encode())


def order(status: str, number: str, dice: random.Random, **more: str | None) -> dict[str, Any]:
    """An order as the pages of the different countries show it, with what else this one shows."""
    shown: dict[str, Any] = {"status": status, dice.choice(_NUMBERS): number, "desc": "words"}
    return shown | {name: value for name, value in more.items() if value is not None}


# Made once; the rest shows an order and is made for each.
_FIXED_PAYOUT = {
    "page 500": page(500),
    "page 502": page(502),
    "page 503": page(503, retry_after="1"),
    "page 403": page(403),
    "garbage": page(200, body=b'{"code": "0000", "data": {"sta'),
    "cut": CUT,
    "no data": envelope(),
    "system code": envelope(code="5000", msg="error"),
    "gateway code": envelope(code="504", msg="gateway time-out"),
    "gateway name": _json({"code": "ECONNRESET", "message": "socket hang up"}),
    "gateway text": _json({"code": "GATEWAY_TIMEOUT", "msg": "", "success": False}, status=400),
    "refusal that succeeded": _json({"code": "60030", "msg": "refused", "success": True, "data": None}),
    "busy words": envelope(code="1005", msg="System busy, please try again later"),
    "time-out words": envelope(code="1006", msg="Read timed out"),
    "500 over refusal": envelope(code="1001", msg="refused", status=500),
    "408 over refusal": envelope(code="1408", msg="time-out", status=408),
    "unlisted code": envelope(code="1011", msg="not taken"),
    "refused": envelope(code="60030", msg="the beneficiary's bank is closed"),
    "refused, unlisted": envelope(code="1001", msg="the beneficiary's bank is closed"),
    "all refused": envelope(code="1009", msg="the address is not on the list"),
    "unknown code": envelope(code="7777", msg="x"),
    "funds": envelope(code="60019", msg="INSUFFICIENT_FUNDS"),
    "sign error": envelope(code="1002", msg="sign error"),
    "merchant words": envelope(code="1003", msg="merchant is disabled"),
    "429": envelope(code="4290", msg="slow down", status=429, retry_after="1"),
    "429 page": page(429),
    "429 after booking": page(429, retry_after="1"),
    "failed, no order": envelope({"status": "60030", "desc": "refused by the bank"}),
    "failed, no order, unlisted": envelope({"status": "0102", "desc": "refused by the bank"}),
    "duplicate code": envelope(code="0100024", msg="x"),
    "duplicate words": envelope(code="9000", msg="the order already exists"),
    "409": envelope(code="9001", msg="x", status=409),
    "unknown words": envelope(code="9002", msg="not allowed"),
    "listed code": envelope(code="0100023", msg="not allowed"),
}
_FIXED_QUERY = {
    "null": envelope(),
    "missing": page(200, body=b'{"code": "0000", "msg": "ok"}'),
    "empty": envelope({}),
    "bare code": envelope({"status": "0404", "message": "no such order"}),
    "code": envelope(code="4040", msg="x"),
    "unlisted code": envelope(code="6404", msg="x"),
    "unlisted status": envelope({"status": "6405", "message": "x"}),
    "code of refusals": envelope(code="1001", msg="x"),
    "all refused": envelope(code="1009", msg="the address is not on the list"),
    "page 500": page(500),
    "page 429": page(429, retry_after="2"),
    "garbage": page(200, body=b"{"),
    "gateway name": _json({"code": "ECONNRESET", "message": "socket hang up"}),
    "unknown code": envelope(code="5005", msg="x"),
    "sign error": envelope(code="1002", msg="sign error"),
}
_CHANGES = {
    "other order": {"tradeNo": "ANOTHER"},
    "no status": {"status": ""},
    "system status": {"status": "00032"},
    "system": {"status": "5000"},
    "unlisted status": {"status": "7107"},
    "word as status": {"status": "PENDING"},
    "short status": {"status": "15"},
    "paid in part": {"status": PARTIAL},
}
_HTTP = {"400 over accepted": 400, "429 over accepted": 429}
_CODES = {"word as code": "SUCCESS", "blank behind the code": "0000 "}


def of_payout(shape: str, data: dict[str, Any]) -> Exchange:
    """The reply to a payout; *data* is the order as it would be shown."""
    fixed = _FIXED_PAYOUT.get(shape)
    if fixed is not None:
        return fixed
    if shape == "refusal with an order":
        return envelope({**data, "status": PROCESSING}, code="1001", msg="refused")
    if shape == "success denied":
        return _json({"code": PAID, "msg": "ok", "success": False, "data": data})
    if shape == "no msg":
        return _json({"code": PAID, "success": True, "data": data})
    changed = {**data, **_CHANGES.get(shape, {})}
    return envelope(changed, code=_CODES.get(shape, PAID), status=_HTTP.get(shape, 200))


def of_query(shape: str, data: dict[str, Any] | None) -> Exchange:
    """The reply to a question; *data* is None if the platform finds no such order."""
    fixed = _FIXED_QUERY.get(shape)
    if fixed is not None:
        return fixed
    return envelope({**(data or {"status": PROCESSING}), **_CHANGES.get(shape, {})})


BALANCE = envelope({"availableAmount": "1000000.00"})
