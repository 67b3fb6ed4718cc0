"""The sandbox's own pages: its books and its journal as JSON, and a hand on the state of an order."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeGuard
from urllib.parse import unquote

from attrs import asdict

from paypro_async.sandbox.books import Books
from paypro_async.sandbox.callbacks.notifier import Notifier, Variation
from paypro_async.sandbox.clock import Clock
from paypro_async.sandbox.messages import Answer, Request
from paypro_async.sandbox.orders import Order
from paypro_async.sandbox.replies import json_answer, not_allowed, not_found

__all__ = ["PREFIX", "Pages"]

PREFIX = "/sandbox/"

_LONG = 1e9  # seconds, some thirty years
_TYPES: Mapping[str, type] = MappingProxyType(
    {
        "status": str,
        "message": str,
        "amount": str,
        "twice": bool,
        "delay": float,
        "wrong_signature": bool,
        "repeat": bool,
    }
)
_VARIATION = (
    'the body may hold {"status": "0000", "message": "...", "amount": "1", "twice": true, "delay": 5,'
    ' "wrong_signature": true, "repeat": false}'
)


class Pages:
    """Answers requests below ``/sandbox/``.

    Args:
        books: What is shown and changed.
        clock: What can be put forward.
        notifier: What sends callbacks.
    """

    def __init__(self, *, books: Books, clock: Clock, notifier: Notifier) -> None:
        self._books = books
        self._clock = clock
        self._notifier = notifier

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        get, post = request.method == "GET", request.method == "POST"
        match request.path.removeprefix(PREFIX).split("/"):
            case ["books"]:
                return json_answer(200, books_view(self._books)) if get else not_allowed("GET")
            case ["requests"]:
                return json_answer(200, journal_view(self._books)) if get else not_allowed("GET")
            case ["callbacks"]:
                return json_answer(200, self._callbacks()) if get else not_allowed("GET")
            case ["clock"]:
                return json_answer(200, self._time()) if get else self._set_clock(request)
            case ["orders", trade_no]:
                return _set_order(request, unquote(trade_no), self._books) if post else not_allowed("POST")
            case ["orders", trade_no, "callback"]:
                return self._send(request, unquote(trade_no)) if post else not_allowed("POST")
        return not_found()

    def _callbacks(self) -> dict[str, object]:
        journal = self._notifier.journal
        return {
            "callbacks": [asdict(record) for record in journal.records],
            "tries": journal.count,
            "outcomes": dict(journal.counts),
            **self._time(),
        }

    def _time(self) -> dict[str, object]:
        self._books.catch_up()
        due = self._notifier.next_due
        return {
            "now_ms": self._books.now_ms(),
            "speed": self._clock.speed,
            "waiting": self._notifier.waiting,
            "next_in": None if due is None else round(max(due - self._clock(), 0), 3),
        }

    def _set_clock(self, request: Request) -> Answer:
        if request.method != "POST":
            return not_allowed("GET, POST")
        wish = _read(request)
        seconds, speed = wish.get("advance", 0), wish.get("speed", self._clock.speed)
        right = wish and not wish.keys() - {"advance", "speed"} and _is_number(seconds) and _is_number(speed)
        if not right or not (0 <= seconds < _LONG and 0 < speed < _LONG):
            error = 'the body must be {"advance": SECONDS, "speed": FACTOR}, or one of the two'
            return json_answer(400, {"error": error})
        self._clock.advance(seconds)
        self._clock.speed = speed
        self._notifier.wake()
        return json_answer(200, self._time())

    def _send(self, request: Request, trade_no: str) -> Answer:
        wish = _read(request) if request.body else {}
        if (variation := _variation(wish)) is None or (request.body and not wish and request.body.strip() != b"{}"):
            return json_answer(400, {"error": _VARIATION})
        order = self._books.orders.get(trade_no)
        if order is None:
            return json_answer(404, {"error": "no such order"})
        try:
            self._notifier.send(order, variation)
        except ValueError as error:
            return json_answer(409, {"error": str(error)})
        return json_answer(200, order_view(order))


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
    wish = _read(request)
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


def _read(request: Request) -> dict[str, Any]:
    """The JSON object in a body; an empty one if it is anything else."""
    try:
        wish = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return wish if isinstance(wish, dict) else {}


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _variation(wish: Mapping[str, Any]) -> Variation | None:
    """The variation that a body asks for; None if it asks for anything else."""
    for name, value in wish.items():
        kind = _TYPES.get(name)
        right = _is_number(value) and 0 <= value < _LONG if kind is float else kind and isinstance(value, kind)
        if not right or value == "":
            return None
    return Variation(**wish)
