"""The simulated platform and the network before it: what is booked when, and what is said about it.

Nothing here is shared with the product. Whatever was written may arrive although its sender is dead, and what is said
may be lost, late, repeated, out of order, or a lie; but within what is documented: of an order that is not booked
nobody says that it is, and one that is booked is found in time.
"""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from paypro_async._core.lifecycle import Reply
from paypro_async._core.wire import Exchange
from tests.simulation import replies
from tests.simulation.listeners import Callback
from tests.simulation.loop import Process
from tests.simulation.processes import EPOCH
from tests.simulation.replies import FAILING, PAID, PROCESSING
from tests.simulation.weather import (
    ABSENT,
    NO_ANSWERS,
    PAYOUT_ACCEPTED,
    PAYOUT_LIES,
    PAYOUT_MISTAKES,
    PAYOUT_REFUSED,
    QUERY_LIES,
)

_LOCAL = timedelta(hours=5, minutes=30)  # of the times that it writes


class Request:
    """A payout that was written to the network."""

    __slots__ = ("accepted", "at", "call", "content", "done", "order", "sender", "shape", "trade_no")

    def __init__(
        self, fields: dict[str, str], sender: Process, call: object, shape: str, at: float, *, accepted: bool
    ) -> None:
        self.trade_no = fields["tradeNo"]
        self.content = {name: value for name, value in fields.items() if name not in ("timestamp", "sign")}
        self.sender, self.call, self.at = sender, call, at
        self.shape, self.accepted = shape, accepted
        self.done = False
        self.order: Order | None = None

    @property
    def may_book(self) -> bool:
        """Whether it can still lead to a booking."""
        return self.accepted and not self.done


class Order:
    """What was booked, and what became of it.

    Args:
        late: It was booked after its payout had been refused and was not found; only a calm platform shows it.
        gone: Whether it is not found any more: ``"for a while"`` or ``"for ever"``; *came_back* if it was found again.
        written_off: A person has decided about it while it was gone for ever.
    """

    def __init__(self, request: Request, number: str, visible_at: float) -> None:
        self.trade_no, self.content, self.shape = request.trade_no, request.content, request.shape
        self.number, self.visible_at = number, visible_at
        self.status = PROCESSING
        self.paid_at: float | None = None
        self.ever_paid = self.ever_failed = False
        self.late = self.came_back = self.written_off = False
        self.gone: str | None = None
        self.blip_ends: float | None = None

    @property
    def account(self) -> str:
        """Who gets the money."""
        return self.content["bankNumber"]

    @property
    def dead(self) -> bool:
        """Whether it is known never to be paid, unless the platform takes back its word."""
        return self.ever_failed or self.written_off


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

    @property
    def refuses_all(self) -> bool:
        """Whether it refuses every payout now."""
        weather = self.weather
        return weather.regime is not None and not self.calm and self.loop.now < 1000.0 + weather.until

    def pay(self, fields: dict[str, str], waiter: "asyncio.Future[Exchange]", sender: Process, call: object) -> Request:
        """A payout has been written."""
        weather, dice = self.weather, self.dice
        shape, accepted = self._fate()
        request = Request(fields, sender, call, shape, self.loop.now, accepted=accepted)
        self.requests[request.trade_no].append(request)
        if self._happens(weather.network * 0.4):
            request.done = True
            self._met("lost before booking")
            self._say(replies.LOST if dice.random() < 0.5 else None, waiter)
            return request
        self._send(request, waiter)
        if accepted and self._happens(weather.copies):
            copy = Request(fields, sender, call, shape, self.loop.now, accepted=True)
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
        delay = self.dice.random() * self.weather.shortest_timeout * 0.3
        self.loop.happen(delay, self._answer_question, trade_no, waiter)

    def balance(self, waiter: "asyncio.Future[Exchange]") -> None:
        """The balance is asked for."""
        refused = self.refuses_all and self.weather.regime == "caller"
        self._reply(replies.of_query("all refused", None) if refused else replies.BALANCE, waiter)

    def found(self, trade_no: str) -> Order | None:
        """The order that a question finds now."""
        orders = self.orders[trade_no]
        if not orders or orders[0].gone or (orders[0].late and not self.calm):
            return None
        return orders[0] if orders[0].visible_at <= self.loop.now else None

    def _happens(self, rate: float) -> bool:
        return not self.calm and rate > 0 and self.dice.random() < rate

    def _met(self, what: str) -> None:
        self.world.trace.met["fault: " + what] += 1

    def _fate(self) -> tuple[str, bool]:
        if self.refuses_all:
            same = self.weather.regime == "rows" and self.weather.absent == "code of refusals"
            return "refused, unlisted" if same else "all refused", False
        if self._happens(self.weather.refusals):
            shape = "refused, unlisted" if self.weather.afterthoughts else self.dice.choice(PAYOUT_REFUSED)
            self._met("not booked: " + shape)
            return shape, False
        for rate, shapes in ((self.weather.mistakes, PAYOUT_MISTAKES), (self.weather.lies, PAYOUT_LIES)):
            if self._happens(rate):
                shape = self.dice.choice(shapes)
                self._met("booked: " + shape)
                return shape, True
        return self.dice.choice(PAYOUT_ACCEPTED), True

    def _send(self, request: Request, waiter: "asyncio.Future[Exchange]") -> None:
        weather, dice, sender = self.weather, self.dice, request.sender.settings
        share = 0.01 if self.calm else dice.choice((0.01, 0.3, 1.0))
        arrives = dice.random() * sender.request_timeout * share
        late = 1.0 if dice.random() < weather.late else dice.choice((0.0, 0.1, dice.random()))
        lag = weather.lag * sender.longest_lag * (0.05 if self.calm else late)
        if weather.laggard and not self.calm:
            longest = 0.9 * (2 * sender.settle_after - sender.request_timeout - sender.send_within)
            lag = (1.0 if dice.random() < max(0.5, weather.late) else dice.random()) * longest
        if request.shape in PAYOUT_MISTAKES:
            lag = 0.0
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
        named = trade_no if not self.weather.doubled and self.dice.random() < 0.5 else None
        remark = request.content["remark"] if self.weather.echo else self.dice.choice(("", None))
        data = replies.order(status, number, self.dice, tradeNo=named, remark=remark)
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
        if self._happens(self.weather.vanish):
            self.loop.happen(self.dice.random() * 2 * self.weather.settle_after, self._vanish, order)
        return order

    def think_again(self, trade_no: str) -> None:
        """It has refused a payout, and said that it knows no such order; now it pays it all the same."""
        if not self.weather.afterthoughts or self.calm or self.dice.random() < 0.5:
            return
        self._met("booked as an afterthought")
        self.number += 1
        order = Order(self.requests[trade_no][-1], f"P-{self.number}", self.loop.now)
        order.late, order.status, order.paid_at, order.ever_paid = True, PAID, self.loop.now, True
        self.orders[trade_no].append(order)
        self.world.note("platform", "books after all", trade_no)

    def _become(self, order: Order, status: str) -> None:
        if order.gone:
            return
        order.status = status
        order.paid_at = self.loop.now if status == PAID else order.paid_at
        order.ever_paid |= status == PAID
        order.ever_failed |= status != PAID
        self.world.note("platform", "settles", order.trade_no, status)
        self._call_back(order)
        once = not (order.ever_paid and order.ever_failed)
        if once and not self.calm and self.dice.random() < (0.12 if order.ever_paid else 0.03):
            later = self.dice.choice(FAILING) if order.ever_paid else PAID
            self._met("reversed later" if order.ever_paid else "failed, and paid after all")
            self.loop.happen(self.dice.random() * 2 * self.weather.settle_after, self._become, order, later)

    def _vanish(self, order: Order) -> None:
        """Only what the merchant knows to be accepted: of anything else nobody could tell."""
        if order.status != PROCESSING or self.calm or not self.world.knows_as_accepted(order.trade_no):
            return
        order.gone = self.dice.choice(("for a while", "for ever"))
        if self.weather.careless:
            order.gone = "for ever"  # or a person would be told that there is none, and decide
        self.world.note("platform", "loses", order.trade_no, order.gone)
        self._met("vanished " + order.gone)
        if order.gone == "for a while":
            self.loop.happen(self.dice.random() * 3 * self.weather.settle_after, self._come_back, order)

    def _come_back(self, order: Order) -> None:
        order.gone, order.came_back = None, True
        self._become(order, PAID if self.dice.random() < 0.75 else self.dice.choice(FAILING))

    def _call_back(self, order: Order) -> None:
        if self.calm:
            return
        callback = Callback(order.trade_no, order.status, order.number, order.content["amount"], self.loop.now)
        for _ in range(self.dice.choice((0, 0, 1, 1, 2, 3))):
            # Some come late, after newer ones or after another attempt.
            delay = self.dice.random() * self.weather.settle_after * self.dice.choice((0.1, 2, 8))
            self.loop.happen(delay, self.world.receive, callback)

    def _shown(self, order: Order, amount: str | None) -> dict[str, Any]:
        """As a question or a callback shows it."""
        named = order.trade_no if self.weather.doubled or self.dice.random() < 0.5 else None
        paid_at = order.paid_at if order.status == PAID and self.dice.random() < 0.5 else None
        time = None if paid_at is None else _written(EPOCH + timedelta(seconds=paid_at))
        return replies.order(order.status, order.number, self.dice, tradeNo=named, orderAmount=amount, successTime=time)

    def _foreign(self, trade_no: str) -> dict[str, Any]:
        """The order of another system under that number, paid long ago."""
        if self.weather.foreign == "another amount":
            return replies.order(PAID, "P-F", self.dice, tradeNo=trade_no, orderAmount="7")
        amount, entry = self.world.merchant.amount(trade_no), self.world.store.entry(trade_no)
        # Of a payout whose reply was lost nobody could tell it, did it show no time.
        told = entry is not None and entry.reply is Reply.DUPLICATE and not entry.doubt
        time = None if told and self.dice.random() < 0.5 else _written(datetime(2024, 11, 5, 9, 30, tzinfo=UTC))
        return replies.order(PAID, "P-F", self.dice, tradeNo=trade_no, orderAmount=amount, successTime=time)

    def _answer_question(self, trade_no: str, waiter: "asyncio.Future[Exchange]") -> None:
        order = self.found(trade_no)
        shown = None
        if not self.calm and self.loop.now < self.weather.blind_until + 1000.0:
            self._met("knows no order at all")
        elif trade_no in self.foreign:
            shown = self._foreign(trade_no)
        elif order is not None and not self._blips(order):
            paid = order.content["amount"]
            shown = self._shown(order, self.dice.choice((None, paid, "0.00" if order.status == PROCESSING else paid)))
        shape = "found" if shown else self.dice.choice(ABSENT[self.weather.absent])
        if self.refuses_all and self.weather.regime == "caller":
            shape = "all refused"
        elif self._happens(self.weather.questions):
            # What it says of a number that it never heard of it may fail to say, but it says nothing else.
            shape = self.dice.choice(QUERY_LIES if trade_no in self.requests else NO_ANSWERS)
            self._met("question: " + shape)
        self.world.note("platform", "is asked", trade_no, shape, shown["status"] if shown else "")
        self._reply(replies.of_query(shape, shown), waiter)

    def _blips(self, order: Order) -> bool:
        """Once, for less than the time between two questions, an order that is there may not be found."""
        if not self.weather.blips or self.weather.laggard or order.late or order.shape == "429 after booking":
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
            quick = self.dice.random() * 0.05 * self.weather.shortest_timeout
            self.loop.happen(quick if delay is None else delay, _answer, waiter, exchange)


def _written(moment: datetime) -> str:
    return f"{moment + _LOCAL:%Y-%m-%d %H:%M:%S}"


def _answer(waiter: "asyncio.Future[Exchange]", exchange: Exchange) -> None:
    if not waiter.done():
        waiter.set_result(exchange)
