"""A platform made of values: a script says what each exchange ends in, and the log holds what was sent and when."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from inspect import isawaitable
from typing import Any

from attrs import evolve, frozen

from paypro_async._core.wire import Exchange, Phase, WireRequest

Answer = Exchange | Callable[[dict[str, Any]], "Exchange | Awaitable[Exchange]"]

NOT_SENT = Exchange(phase=Phase.NOT_SENT, cause="no connection could be made")
TOO_LATE = Exchange(phase=Phase.NOT_SENT, cause="its send deadline passed before it was written", late=True)
LOST = Exchange(phase=Phase.MAYBE_SENT, cause="the connection broke while waiting for the reply")


def reply(data: Any = None, *, code: str = "0000", msg: str = "success", status: int = 200) -> Exchange:
    """A whole reply in its envelope."""

    def text(value: Any) -> str:
        assert isinstance(value, Decimal)
        return str(value)

    body = json.dumps({"code": code, "msg": msg, "success": code == "0000", "data": data}, default=text)
    return Exchange(phase=Phase.ANSWERED, status=status, body=body.encode())


def order(status: str = "0015", **more: Any) -> Exchange:
    """A reply that holds an order."""
    return reply({"status": status, "platFormTradeNo": "P-1", "desc": "words", **more})


def refusal(code: str, msg: str = "refused") -> Exchange:
    """A request that was not accepted."""
    return reply(code=code, msg=msg)


def page(status: int, *, retry_after: str | None = None) -> Exchange:
    """A gateway's HTML page."""
    return Exchange(phase=Phase.ANSWERED, status=status, body=b"<html>", retry_after=retry_after)


ABSENT = reply(None)
PROCESSING = order("0015")
PAID = order("0000")


@frozen
class Sent:
    """One request as it left."""

    kind: str
    at: float
    fields: dict[str, Any]

    @property
    def trade_no(self) -> str:
        return str(self.fields["tradeNo"])


class Scripted:
    """Answers payouts and questions each by their own script; the last line of a script holds for all that follow.

    One that takes longer than it was given stands for a process that was frozen meanwhile.
    """

    keeps_time = True

    def __init__(
        self,
        payouts: Sequence[Answer] | Answer = PROCESSING,
        queries: Sequence[Answer] | Answer = ABSENT,
        balances: Sequence[Answer] | Answer = ABSENT,
        *,
        takes: float = 0.0,
    ) -> None:
        self._scripts = {"payout": _lines(payouts), "query": _lines(queries), "balance": _lines(balances)}
        self._takes = takes
        self._numbers: dict[str, int] = {}
        self.log: list[Sent] = []
        self.under_way = 0
        self.most_under_way = 0
        self.closed = False

    @property
    def payouts(self) -> list[Sent]:
        return [sent for sent in self.log if sent.kind == "payout"]

    @property
    def queries(self) -> list[Sent]:
        return [sent for sent in self.log if sent.kind == "query"]

    @property
    def kinds(self) -> list[str]:
        return [sent.kind for sent in self.log]

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        if request.send_by is not None and asyncio.get_running_loop().time() >= request.send_by:
            return TOO_LATE
        kind = {"payout": "payout", "queryPayOutResult": "query", "queryBalance": "balance"}[request.url.split("/")[-1]]
        fields = json.loads(request.body)
        self.log.append(Sent(kind, asyncio.get_running_loop().time(), fields))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self._takes)
            script = self._scripts[kind]
            line = script.pop(0) if len(script) > 1 else script[0]
            answer = line if isinstance(line, Exchange) else line(fields)
            return self._numbered(await answer if isawaitable(answer) else answer, fields)
        finally:
            self.under_way -= 1

    def _numbered(self, exchange: Exchange, fields: dict[str, Any]) -> Exchange:
        """Each order has a number of its own; that of the first one is P-1."""
        trade_no = fields.get("tradeNo")
        number = self._numbers.setdefault(str(trade_no), len(self._numbers) + 1) if trade_no else 1
        if number == 1:
            return exchange
        return evolve(exchange, body=exchange.body.replace(b'"P-1"', f'"P-{number}"'.encode()))

    async def aclose(self) -> None:
        self.closed = True


def _lines(script: Sequence[Answer] | Answer) -> list[Answer]:
    return list(script) if isinstance(script, Sequence) else [script]
