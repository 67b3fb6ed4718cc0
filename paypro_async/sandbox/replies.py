"""The platform's replies as the documentation shows them, and what a fault makes of them. Values in, values out."""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from attrs import evolve, frozen

from paypro_async.sandbox.faults import Fault
from paypro_async.sandbox.messages import Answer, Delivery
from paypro_async.sandbox.orders import SUCCESS, Order, message_of
from paypro_async.sandbox.remarks import read_code

__all__ = [
    "DUPLICATE",
    "FULL",
    "MERCHANT_UNKNOWN",
    "SIGN_ERROR",
    "UNKNOWN_ORDERS",
    "Echo",
    "OrderNumberName",
    "Reply",
    "balance_reply",
    "insufficient_funds",
    "is_code",
    "json_answer",
    "not_allowed",
    "not_found",
    "payout_reply",
    "query_reply",
    "refusal",
    "refusal_of",
    "spoil",
    "to_answer",
    "wrong_parameter",
]

OrderNumberName = Literal["platFormTradeNo", "kiliTradeNo", "serialNumber"]
Echo = Literal["given", "absent", "empty", "wrong"]

_INDIA = timezone(timedelta(hours=5, minutes=30))


@frozen(kw_only=True)
class Reply:
    """The envelope around every reply; ``booked`` says whether this very request moved money."""

    code: str = SUCCESS
    msg: str = "success"
    data: Mapping[str, str] | None = None
    booked: bool = False


def refusal(code: str, msg: str) -> Reply:
    """A request that the platform did not accept."""
    return Reply(code=code, msg=msg)


def wrong_parameter(what: str) -> Reply:
    """The refusal of a body with a wrong member."""
    return refusal("1001", f"parameter error: {what}")


# Inferred: no page names the codes for these.
SIGN_ERROR = refusal("1002", "sign error")
MERCHANT_UNKNOWN = refusal("1003", "merchant does not exist")
DUPLICATE = refusal("0100024", message_of("0100024"))
FULL = refusal("9998", "the sandbox holds a million bookings and takes no more; open another one")
_BUSY = refusal("9999", "System busy, please try again later")

UNKNOWN_ORDERS: Mapping[str, Reply] = MappingProxyType(
    {
        "null": Reply(),
        "empty": Reply(data={}),
        "code": refusal("0100025", "order does not exist"),
        "refusal": wrong_parameter("tradeNo is wrong"),
    }
)
"""What a query for an unknown order may be answered with: no page says which."""


def is_code(text: str) -> bool:
    """Whether *text* is an outer code of the platform's shape, alone or as ``CODE:MESSAGE``."""
    return re.fullmatch(r"[0-9]{4,8}", read_code(text)[0]) is not None


def refusal_of(text: str) -> Reply:
    """The refusal that a setting names as ``CODE`` or ``CODE:MESSAGE``."""
    code, message = read_code(text)
    return refusal(code, message or "refused")


def payout_reply(order: Order, *, order_number_name: OrderNumberName, echo: Echo) -> Reply:
    """The reply to a payout that was booked."""
    # docs: india/payout. The table says platFormTradeNo, the example kiliTradeNo; kenya/payout says serialNumber.
    data = {order_number_name: order.platform_trade_no, "status": order.status, "desc": order.message}
    return Reply(data={**data, **_echoed(order.remark, echo)}, booked=True)


def insufficient_funds(remark: str, *, order_number_name: OrderNumberName, echo: Echo) -> Reply:
    """The reply to a payout beyond the balance: a request that was accepted, and an order that was not."""
    data = {order_number_name: "", "status": "60019", "desc": message_of("60019")}
    return Reply(data={**data, **_echoed(remark, echo)})


def _echoed(remark: str, echo: Echo) -> Mapping[str, str]:
    # docs: india/payout, where remark is an echo of the request's; its example shows 000000
    return {"given": {"remark": remark}, "absent": {}, "empty": {"remark": ""}, "wrong": {"remark": "000000"}}[echo]


def query_reply(order: Order) -> Reply:
    """The reply to a query for an order."""
    # docs: india/payoutQuery (successTime and utr are optional)
    data = {
        "tradeNo": order.trade_no,
        "platFormTradeNo": order.platform_trade_no,
        "status": order.status,
        "message": order.message,
        "amount": str(order.amount),
    }
    if order.final_at_ms is not None:
        data["successTime"] = f"{datetime.fromtimestamp(order.final_at_ms / 1000, _INDIA):%Y-%m-%d %H:%M:%S}"
    if order.status == SUCCESS:
        data["utr"] = order.utr
    return Reply(data=data)


def balance_reply(balance: Decimal) -> Reply:
    """The reply to a query for the balance: texts with four decimals."""
    # docs: philippines/balance; India's page is not at hand.
    return Reply(data={"availableAmount": f"{balance:.4f}", "freezeAmount": "0.0000", "unsettledAmount": "0.0000"})


def to_answer(reply: Reply, *, timestamp_ms: int) -> Answer:
    """The reply in its envelope."""
    envelope = {
        "msg": reply.msg,
        "code": reply.code,
        "timestamp": timestamp_ms,
        "success": reply.code == SUCCESS,
        "data": reply.data,
    }
    return json_answer(200, envelope)


def json_answer(status: int, value: object) -> Answer:
    """An answer whose body is *value* as JSON."""
    return Answer(status=status, body=json.dumps(value).encode())


def not_found() -> Answer:
    """The answer to an unknown path."""
    return json_answer(404, {"error": "not found"})


def not_allowed(allowed: str) -> Answer:
    """The answer to a known path with another method."""
    return evolve(json_answer(405, {"error": "method not allowed"}), headers={"Allow": allowed})


_DELIVERIES = MappingProxyType(
    {
        Fault.REFUSE: Delivery.REFUSE,
        Fault.RESET_BEFORE: Delivery.RESET,
        Fault.RESET_AFTER: Delivery.RESET,
        Fault.LATE_BOOKING: Delivery.RESET,
        Fault.SILENCE_BEFORE: Delivery.SILENCE,
        Fault.SILENCE: Delivery.SILENCE,
        Fault.CUT_BODY: Delivery.CUT,
        Fault.DRIP: Delivery.DRIP,
        Fault.DOUBLE_REPLY: Delivery.TWICE,
    }
)


def spoil(answer: Answer, fault: Fault, *, timestamp_ms: int) -> Answer:
    """What a fault makes of an answer."""
    match fault:
        case Fault.BUSY_429 | Fault.BUSY_429_AFTER:
            return evolve(_page(429, "Too Many Requests"), headers={"Retry-After": "1"})
        case Fault.PAGE_502:
            return _page(502, "Bad Gateway")
        case Fault.PAGE_500:
            return _page(500, "Internal Server Error")
        case Fault.BUSY_CODE:
            return to_answer(_BUSY, timestamp_ms=timestamp_ms)
        case Fault.GATEWAY_JSON | Fault.GATEWAY_JSON_BEFORE:
            return json_answer(200, {"code": "ECONNRESET", "message": "read ECONNRESET"})
        case Fault.BROKEN_JSON:
            return evolve(answer, body=answer.body[: len(answer.body) // 2])
        case _:
            return evolve(answer, delivery=_DELIVERIES[fault])


def _page(status: int, title: str) -> Answer:
    heading = f"{status} {title}"
    html = f"<html><head><title>{heading}</title></head><body><center><h1>{heading}</h1></center></body></html>\r\n"
    return Answer(status=status, body=html.encode(), content_type="text/html")
