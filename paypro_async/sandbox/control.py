"""The sandbox's own pages: its books and its journal as JSON, and a hand on the state of an order."""

import json
from urllib.parse import unquote

from attrs import asdict

from paypro_async.sandbox.books import Books, Order
from paypro_async.sandbox.messages import Answer, Request
from paypro_async.sandbox.replies import json_answer, not_allowed, not_found

__all__ = ["PREFIX", "control"]

PREFIX = "/sandbox/"


def control(request: Request, books: Books) -> Answer:
    """Answer a request below ``/sandbox/``."""
    match request.path.removeprefix(PREFIX).split("/"):
        case ["books"]:
            return json_answer(200, books_view(books)) if request.method == "GET" else not_allowed("GET")
        case ["requests"]:
            return json_answer(200, journal_view(books)) if request.method == "GET" else not_allowed("GET")
        case ["orders", trade_no]:
            return _set_order(request, unquote(trade_no), books) if request.method == "POST" else not_allowed("POST")
    return not_found()


def books_view(books: Books) -> dict[str, object]:
    """The books without personal values."""
    return {
        "orders": [order_view(order) for order in books.orders.values()],
        "balance": f"{books.balance:.4f}",
        "bookings": len(books.bookings),
        "requests": books.request_count,
        "faults": dict(books.fault_counts),
    }


def order_view(order: Order) -> dict[str, object]:
    """An order without personal values."""
    return {
        "tradeNo": order.trade_no,
        "platFormTradeNo": order.platform_trade_no,
        "amount": str(order.amount),
        "bankCode": order.payee.bank_code,
        "account": order.payee.account,
        "remark": order.remark,
        "status": order.status,
        "message": order.message,
        "booked_count": order.booked_count,
        "booked_at_ms": order.booked_at_ms,
        "final_at_ms": order.final_at_ms,
    }


def journal_view(books: Books) -> dict[str, object]:
    """The journal; personal values were masked when it was written."""
    return {"requests": [asdict(record) for record in books.requests]}


def _set_order(request: Request, trade_no: str, books: Books) -> Answer:
    try:
        wish = json.loads(request.body)
    except (ValueError, RecursionError):
        wish = None
    match wish:
        case {"delete": True} if "status" not in wish:
            return _delete_order(trade_no, books)
        case {"status": str(status)} if status and "delete" not in wish and isinstance(wish.get("message", ""), str):
            if trade_no not in books.orders:
                return json_answer(404, {"error": "no such order"})
            return json_answer(200, order_view(books.set_status(trade_no, status, wish.get("message"))))
    return json_answer(400, {"error": 'the body must be {"status": "...", "message": "..."} or {"delete": true}'})


def _delete_order(trade_no: str, books: Books) -> Answer:
    order = books.orders.get(trade_no)
    if order is None:
        return json_answer(404, {"error": "no such order"})
    books.forget(trade_no)
    return json_answer(200, order_view(order))
