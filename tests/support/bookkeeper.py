"""A platform on a loopback port that books honestly and says of each payout whatever a test wants it to say.

The sandbox answers as a platform would; this one answers as gateways, broken platforms and other people's do.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Self

from attrs import frozen

from tests.support.servers import Peer, Server

UNKNOWN_ORDER: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "null": {"code": "0000", "msg": "success", "success": True, "data": None},
        "empty": {"code": "0000", "msg": "success", "success": True, "data": {}},
        "code": {"code": "0100025", "msg": "order does not exist", "success": False, "data": None},
        "refusal": {"code": "1001", "msg": "parameter error", "success": False, "data": None},
    }
)
"""The four ways in which a query for a number that was never used may be answered."""


def envelope(code: str, msg: str = "words", data: Any = None) -> dict[str, Any]:
    """A reply of the platform."""
    return {"code": code, "msg": msg, "success": code == "0000", "data": data}


@frozen
class Says:
    """What is answered to a payout.

    Args:
        body: Bytes as they are, anything else as JSON; None for the honest reply.
        status: The HTTP status.
        booked: Whether the payout is booked all the same.
        headers: More lines of the head.
    """

    body: Any = None
    status: int = 200
    booked: bool = True
    headers: bytes = b""


HONEST = Says()
Answers = Callable[[dict[str, Any], int], Says]


class Bookkeeper:
    """Serves ``async with Bookkeeper(…) as platform`` at ``platform.base_url``.

    Args:
        doubled: Of which replies a middlebox makes a copy, which comes while the next request of the connection waits.

    Attributes:
        orders: By trade number; what a query shows of it.
        bookings: The trade numbers in the order in which money moved.
        requests: What was asked: ``("payout" | "query" | "balance", trade number, seconds)``.
    """

    def __init__(
        self,
        payouts: Says | Answers = HONEST,
        *,
        unknown_order: str = "null",
        queries: Callable[[str, int], Says | None] = lambda _trade_no, _count: None,
        status: str = "0015",
        message: str = "words",
        doubled: Callable[[str, str], bool] = lambda _kind, _trade_no: False,
    ) -> None:
        self._payouts: Answers = (lambda _fields, _count: payouts) if isinstance(payouts, Says) else payouts
        self._queries = queries
        self._status, self._message = status, message
        self._doubled = doubled
        self._counts: Counter[tuple[str, str]] = Counter()
        self._server = Server(self._serve)
        self.unknown_order = unknown_order
        self.orders: dict[str, dict[str, Any]] = {}
        self.bookings: list[str] = []
        self.requests: list[tuple[str, str, float]] = []

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._server.__aexit__(kind, error, traceback)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def connections(self) -> int:
        """How many were opened so far."""
        return self._server.accepted

    def kinds(self, trade_no: str | None = None) -> list[str]:
        """What was asked, of one trade number alone if it is given."""
        return [kind for kind, asked, _ in self.requests if trade_no in (None, asked)]

    def book(self, trade_no: str, *, amount: str = "300", status: str | None = None, **more: Any) -> None:
        """An order comes into being; a second one of a number moves money a second time."""
        self.bookings.append(trade_no)
        number = f"P-{len(self.bookings)}"
        self.orders[trade_no] = {
            "tradeNo": trade_no,
            "platFormTradeNo": number,
            "status": status or self._status,
            "message": self._message,
            "amount": amount,
            **more,
        }

    async def _serve(self, peer: Peer) -> None:
        copy = b""
        while True:
            head, _, body = (await peer.read_request()).partition(b"\r\n\r\n")
            kind = {b"payout": "payout", b"queryPayOutResult": "query", b"queryBalance": "balance"}[
                head.split(b" ", 2)[1].rpartition(b"/")[2]
            ]
            fields = json.loads(body)
            trade_no = fields.get("tradeNo", "")
            self.requests.append((kind, trade_no, asyncio.get_running_loop().time()))
            self._counts[kind, trade_no] += 1
            says = self._answer(kind, fields, self._counts[kind, trade_no])
            raw = says.body if isinstance(says.body, bytes) else json.dumps(says.body).encode()
            line = b"HTTP/1.1 %d -\r\ncontent-length: %d\r\n%s\r\n" % (says.status, len(raw), says.headers)
            if copy:
                await peer.write(copy)
            await peer.write(line + raw)
            copy = line + raw if self._doubled(kind, trade_no) else b""

    def _answer(self, kind: str, fields: dict[str, Any], count: int) -> Says:
        trade_no = fields.get("tradeNo", "")
        if kind == "balance":
            return self._queries("", count) or Says(envelope("0000", data={"availableAmount": "1000000.0000"}))
        if kind == "query":
            order = self.orders.get(trade_no)
            honest = envelope("0000", data=order) if order else UNKNOWN_ORDER[self.unknown_order]
            return self._queries(trade_no, count) or Says(honest)
        says = self._payouts(fields, count)
        if says.booked:
            self.book(trade_no, amount=fields["amount"])
        if says.body is not None:
            return says
        order = self.orders[trade_no]
        data = {name: order[name] for name in ("platFormTradeNo", "status")}
        data |= {"desc": order["message"], "remark": fields.get("remark", "")}
        return Says(envelope("0000", data=data))
