"""The platform's replies as the documentation shows them, and what a fault makes of them. Values in, values out."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from attrs import evolve, frozen

from paypro_async.sandbox.books import SUCCESS, Order, message_of
from paypro_async.sandbox.faults import Fault
from paypro_async.sandbox.messages import Answer, Delivery

__all__ = [
    "DUPLICATE",
    "MERCHANT_UNKNOWN",
    "ORDER_UNKNOWN",
    "SIGN_ERROR",
    "OrderNumberName",
    "Reply",
    "balance_reply",
    "insufficient_funds",
    "json_answer",
    "not_allowed",
    "not_found",
    "payout_reply",
    "query_reply",
    "refusal",
    "spoil",
    "to_answer",
    "wrong_parameter",
]

OrderNumberName = Literal["platFormTradeNo", "kiliTradeNo", "serialNumber"]

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


# Inferred: no page names the codes for these.
SIGN_ERROR = refusal("1002", "sign error")
MERCHANT_UNKNOWN = refusal("1003", "merchant does not exist")
ORDER_UNKNOWN = refusal("0100025", "order does not exist")
DUPLICATE = refusal("0100024", message_of("0100024"))


def wrong_parameter(what: str) -> Reply:
    """The refusal of a body with a wrong member."""
    return refusal("1001", f"parameter error: {what}")


def payout_reply(order: Order, *, order_number_name: OrderNumberName) -> Reply:
    """The reply to a payout that was booked."""
    # docs: india/payout. The table says platFormTradeNo, the example kiliTradeNo; kenya/payout says serialNumber.
    data = {order_number_name: order.platform_trade_no, "status": order.status, "desc": order.message}
    return Reply(data=data | {"remark": order.remark}, booked=True)


def insufficient_funds(remark: str, *, order_number_name: OrderNumberName) -> Reply:
    """The reply to a payout beyond the balance: a request that was accepted, and an order that was not."""
    return Reply(data={order_number_name: "", "status": "60019", "desc": message_of("60019"), "remark": remark})


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
    }
)


def spoil(answer: Answer, fault: Fault) -> Answer:
    """What a fault makes of an answer."""
    match fault:
        case Fault.BUSY_429:
            return evolve(_page(429, "Too Many Requests"), headers={"Retry-After": "1"})
        case Fault.PAGE_502:
            return _page(502, "Bad Gateway")
        case Fault.PAGE_500:
            return _page(500, "Internal Server Error")
        case Fault.BROKEN_JSON:
            return evolve(answer, body=answer.body[: len(answer.body) // 2])
        case _:
            return evolve(answer, delivery=_DELIVERIES[fault])


def _page(status: int, title: str) -> Answer:
    heading = f"{status} {title}"
    html = f"<html><head><title>{heading}</title></head><body><center><h1>{heading}</h1></center></body></html>\r\n"
    return Answer(status=status, body=html.encode(), content_type="text/html")
