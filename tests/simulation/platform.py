"""The simulated platform and the network before it: what is booked when, and what is said about it.

Nothing here is shared with the product. Whatever was written may arrive although its sender is dead, and what is said
may be lost, late, repeated, out of order, or a lie; but within what is documented: of an order that is not booked
nobody says that it is, and one that is booked is found in time.
"""

import asyncio
from collections import defaultdict
from typing import Any

from paypro_async._core.wire import Exchange
from tests.simulation import replies
from tests.simulation.replies import FAILING, PAID, PROCESSING
from tests.simulation.weather import ABSENT, PAYOUT_ACCEPTED, PAYOUT_LIES, PAYOUT_REFUSED, QUERY_LIES


class Request:
    """A payout that was written to the network."""

    __slots__ = ("accepted", "call", "content", "done", "order", "shape", "trade_no")

    def __init__(self, trade_no: str, content: dict[str, str], call: object, shape: str, *, accepted: bool) -> None:
        self.trade_no, self.content, self.call = trade_no, content, call
        self.shape, self.accepted = shape, accepted
        self.done = False
        self.order: Order | None = None

    @property
    def may_book(self) -> bool:
        """Whether it can still lead to a booking."""
        return self.accepted and not self.done


class Order:
    """What was booked, and what became of it."""

    __slots__ = ("blip_ends", "content", "ever_failed", "ever_paid", "number", "status", "trade_no", "visible_at")

    def __init__(self, request: Request, number: str, visible_at: float) -> None:
        self.trade_no, self.content = request.trade_no, request.content
        self.number, self.visible_at = number, visible_at
        self.status = PROCESSING
        self.ever_paid = self.ever_failed = False
        self.blip_ends: float | None = None


class Platform:
    """Books, answers and calls back."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.dice, self.weather, self.loop = world.dice, world.weather, world.loop
        self.calm = False
        self.requests: dict[str, list[Request]] = defaultdict(list)
        self.orders: dict[str, list[Order]] = defaultdict(list)
        self.foreign: set[str] = set()
        self.number = 0

    def pay(self, fields: dict[str, str], waiter: "asyncio.Future[Exchange]", call: object) -> Request:
        """A payout has been written."""
        weather, dice = self.weather, self.dice
        shape, accepted = self._fate()
        content = {name: value for name, value in fields.items() if name not in ("timestamp", "sign")}
        request = Request(fields["tradeNo"], content, call, shape, accepted=accepted)
        self.requests[request.trade_no].append(request)
        if self._happens(weather.network * 0.4):
            request.done = True
            self._met("lost before booking")
            self._say(replies.LOST if dice.random() < 0.5 else None, waiter)
            return request
        self._send(request, waiter)
        if accepted and self._happens(weather.copies):
            copy = Request(request.trade_no, content, call, shape, accepted=True)
            self.requests[request.trade_no].append(copy)
            self._met("arrives twice")
            self._send(copy, waiter)
        return request

    def ask(self, trade_no: str, waiter: "asyncio.Future[Exchange]") -> None:
        """A question has been written."""
        if self._happens(self.weather.network * 0.2):
            self._met("question lost")
            self._say(replies.LOST if self.dice.random() < 0.5 else None, waiter)
            return
        delay = self.dice.random() * self.weather.request_timeout * 0.3
        self.loop.happen(delay, self._answer_question, trade_no, waiter)

    def found(self, trade_no: str) -> Order | None:
        """The order that a question finds now."""
        orders = self.orders[trade_no]
        return orders[0] if orders and orders[0].visible_at <= self.loop.now else None

    def _happens(self, rate: float) -> bool:
        return not self.calm and rate > 0 and self.dice.random() < rate

    def _met(self, what: str) -> None:
        self.world.trace.met["fault: " + what] += 1

    def _fate(self) -> tuple[str, bool]:
        if self._happens(self.weather.refusals):
            shape = self.dice.choice(PAYOUT_REFUSED)
            self._met("not booked: " + shape)
            return shape, False
        if self._happens(self.weather.lies):
            shape = self.dice.choice(PAYOUT_LIES)
            self._met("booked: " + shape)
            return shape, True
        return self.dice.choice(PAYOUT_ACCEPTED), True

    def _send(self, request: Request, waiter: "asyncio.Future[Exchange]") -> None:
        weather, dice = self.weather, self.dice
        share = 0.01 if self.calm else dice.choice((0.01, 0.3, 1.0))
        arrives = dice.random() * weather.request_timeout * share
        late = 1.0 if dice.random() < weather.late else dice.choice((0.0, 0.1, dice.random()))
        lag = weather.lag * (0.05 if self.calm else late)
        if weather.laggard and not self.calm:
            lag = (
                dice.choice((1.0, dice.random()))
                * 0.9
                * (2 * weather.settle_after - weather.request_timeout - weather.send_within)
            )
        books = arrives + (lag * dice.random() if request.accepted else 0.0)
        self.loop.happen(books, self._arrive, request, waiter, self.loop.now + arrives + lag)

    def _arrive(self, request: Request, waiter: "asyncio.Future[Exchange]", visible_at: float) -> None:
        request.done = True
        trade_no, shape = request.trade_no, request.shape
        number, status = "P-0", FAILING[0]
        if request.accepted:
            if self.weather.unique and (self.orders[trade_no] or trade_no in self.foreign):
                shape = self.weather.repeated
                self._met("refused as repeated: " + shape)
            else:
                order = self._book(request, max(visible_at, self.loop.now))
                number, status = order.number, order.status
        self.world.note("platform", "answers", trade_no, shape)
        data = replies.order(trade_no, status, number, self.dice)
        self._reply(replies.of_payout(shape, data), waiter)

    def _book(self, request: Request, visible_at: float) -> Order:
        self.number += 1
        order = request.order = Order(request, f"P-{self.number}", visible_at)
        self.orders[request.trade_no].append(order)
        self.world.note("platform", "books", request.trade_no, request.content["amount"])
        self.world.oracle.booked(request)
        if request.shape == "paid":
            self._become(order, PAID)
        elif request.shape == "failed order":
            self._become(order, self.dice.choice(FAILING))
        else:
            status = PAID if self.dice.random() < 0.75 else self.dice.choice(FAILING)
            delay = self.dice.random() * 2 * self.weather.settle_after
            self.loop.happen(delay, self._become, order, status)
        return order

    def _become(self, order: Order, status: str) -> None:
        order.status = status
        order.ever_paid |= status == PAID
        order.ever_failed |= status != PAID
        self.world.note("platform", "settles", order.trade_no, status)
        self._call_back(order)
        once = not (order.ever_paid and order.ever_failed)
        if once and not self.calm and self.dice.random() < (0.12 if order.ever_paid else 0.03):
            later = self.dice.choice(FAILING) if order.ever_paid else PAID
            self._met("reversed later" if order.ever_paid else "failed, and paid after all")
            self.loop.happen(self.dice.random() * 2 * self.weather.settle_after, self._become, order, later)

    def _call_back(self, order: Order) -> None:
        if self.calm:
            return
        shown = replies.order(order.trade_no, order.status, order.number, self.dice, order.content["amount"])
        exchange = replies.envelope(shown)
        for _ in range(self.dice.choice((0, 0, 1, 1, 2, 3))):
            delay = self.dice.random() * self.weather.settle_after * self.dice.choice((0.1, 2))
            self.loop.happen(delay, self.world.receive, order.trade_no, exchange)

    def _answer_question(self, trade_no: str, waiter: "asyncio.Future[Exchange]") -> None:
        order = self.found(trade_no)
        shown = None
        if trade_no in self.foreign:
            shown = replies.order(trade_no, PAID, "P-F", self.dice, "7")
        elif order is not None and not self._blips(order):
            paid = order.content["amount"]
            amount = self.dice.choice((None, paid, "0.00" if order.status == PROCESSING else paid))
            shown = replies.order(trade_no, order.status, order.number, self.dice, amount)
        shape = "found" if shown else self.dice.choice(ABSENT)
        if self._happens(self.weather.questions):
            shape = self.dice.choice(QUERY_LIES)
            self._met("question: " + shape)
        self.world.note("platform", "is asked", trade_no, shape, shown["status"] if shown else "")
        self._reply(replies.of_query(shape, shown), waiter)

    def _blips(self, order: Order) -> bool:
        """Once, for less than the time between two questions, an order that is there may not be found."""
        if not self.weather.blips or self.weather.laggard:
            return False
        if order.blip_ends is None:
            # Also a calm platform may only just have come back.
            self._met("not found for a moment")
            order.blip_ends = self.loop.now + self.weather.spacing * 0.9
        return self.loop.now < order.blip_ends

    def _reply(self, exchange: Exchange, waiter: "asyncio.Future[Exchange]") -> None:
        if self._happens(self.weather.network * 0.6):
            kind = self.dice.choice(("reset", "silence", "late"))
            self._met("reply: " + kind)
            if kind == "late":
                self._say(exchange, waiter, self.dice.random() * 2 * self.weather.request_timeout)
            else:
                self._say(replies.LOST if kind == "reset" else None, waiter)
            return
        self._say(exchange, waiter)

    def _say(self, exchange: Exchange | None, waiter: "asyncio.Future[Exchange]", delay: float | None = None) -> None:
        if exchange is not None:
            quick = self.dice.random() * 0.05 * self.weather.request_timeout
            self.loop.happen(quick if delay is None else delay, _answer, waiter, exchange)


def _answer(waiter: "asyncio.Future[Exchange]", exchange: Exchange) -> None:
    if not waiter.done():
        waiter.set_result(exchange)
