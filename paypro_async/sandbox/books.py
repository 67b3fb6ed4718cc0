"""The platform's books: orders, money, and an append-only record of what was booked and asked.

No I/O and no tasks: what happens later (a settlement, a late booking) waits in a queue and is entered, with its own
time, before the books are next looked at.
"""

import hashlib
import heapq
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Protocol

from attrs import evolve

from paypro_async.sandbox.journal import Journal, RequestRecord
from paypro_async.sandbox.orders import (
    PROCESSING,
    SUCCESS,
    Booking,
    Comparison,
    Instruction,
    Order,
    Rejection,
    message_of,
)
from paypro_async.sandbox.remarks import Steps

__all__ = ["Books", "Observer"]

MOST_BOOKINGS = 1_000_000
KEPT_REQUESTS = 100_000
_USUAL_WAIT = 1.0  # seconds until an order ends as its remark wishes, where it would else never end
_PAID: Steps = ((SUCCESS, None),)


class Observer(Protocol):
    """Is told what becomes of orders."""

    def expect(self, notify_url: str, due: float) -> None:
        """At *due*, by the clock of the books, something may become of an order with this ``notifyUrl``."""

    def changed(self, order: Order, at: float) -> None:
        """An order was booked at *at*, or has had another status since."""


class Books:
    """Orders by trade number, the balance, every booking ever made, and the journal of requests.

    None of its bookings and orders is ever forgotten, or a number could be booked twice: once there are a million of
    them, it books no more. Of the requests it keeps the latest hundred thousand.

    Args:
        balance: The money to start with.
        paid_after: Seconds after which a processing order is paid; never when not given.
        deduplicate: Whether a trade number is booked at most once; ``False`` shows what a client sends twice.
        clock: Seconds that only go forward.

    Attributes:
        observer: Is told what becomes of orders.
    """

    def __init__(
        self,
        *,
        balance: Decimal,
        paid_after: float | None = None,
        deduplicate: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if paid_after is not None and not 0 <= paid_after < math.inf:
            raise ValueError("paid_after must be seconds, 0 or more, or None.")
        self.observer: Observer | None = None
        self._clock = clock
        self._epoch = time.time() - clock()
        self._paid_after = paid_after
        self._deduplicate = deduplicate
        self._balance = balance
        self._orders: dict[str, Order] = {}
        self._bookings: list[Booking] = []
        self._journal = Journal(keep=KEPT_REQUESTS)
        self._later: list[tuple[float, int, Callable[[float], object]]] = []
        self._tie_break = itertools.count()  # the queue never compares two callables

    def __repr__(self) -> str:
        return f"<Books orders={len(self._orders)} bookings={len(self._bookings)} requests={self._journal.count}>"

    @property
    def orders(self) -> Mapping[str, Order]:
        """The orders by trade number."""
        self.catch_up()
        return MappingProxyType(self._orders)

    @property
    def bookings(self) -> Sequence[Booking]:
        """Every booking in the order it was made; a payout that was paid twice is here twice."""
        self.catch_up()
        return self._bookings

    @property
    def requests(self) -> Sequence[RequestRecord]:
        """The journal: the latest requests to the platform in the order they were answered."""
        return self._journal.records

    @property
    def request_count(self) -> int:
        """How many requests there were, also those that the journal no longer holds."""
        return self._journal.count

    @property
    def balance(self) -> Decimal:
        """The money that is available."""
        self.catch_up()
        return self._balance

    @property
    def fault_counts(self) -> Mapping[str, int]:
        """How often each fault has hit a request."""
        return self._journal.fault_counts

    @property
    def next_due(self) -> float | None:
        """When something is entered next, by its clock; None if nothing is due."""
        return self._later[0][0] if self._later else None

    def now_ms(self) -> int:
        """The time of the books in milliseconds since the epoch."""
        return self.at_ms(self._clock())

    def book(self, instruction: Instruction) -> Order | Rejection:
        """Book a payout, or say why not."""
        self.catch_up()
        return self._book(instruction, self._clock())

    def book_later(self, instruction: Instruction, delay: float) -> None:
        """Book a payout *delay* seconds from now, unless something speaks against it by then."""
        self._schedule(self._clock() + delay, partial(self._book, instruction), instruction.notify_url)

    def set_status(self, trade_no: str, status: str, message: str | None = None) -> Order:
        """Give an order another status; the money comes back when it fails and leaves again when it does not.

        Raises:
            KeyError: There is no such order.
        """
        self.catch_up()
        return self._set_status(trade_no, status, message or message_of(status), self._clock())

    def forget(self, trade_no: str) -> None:
        """Lose an order, as no platform should: no query finds it, and its number can be booked once more.

        Its bookings stay on record, and the money that it took stays taken.

        Raises:
            KeyError: There is no such order.
        """
        self.catch_up()
        del self._orders[trade_no]

    def record(self, record: RequestRecord) -> None:
        """Add a request to the journal."""
        self._journal.add(record)

    def booked_once(self, trade_nos: Iterable[str]) -> Comparison:
        """Compare all bookings with the trade numbers that should have been booked exactly once."""
        counts = Counter(booking.trade_no for booking in self.bookings)
        expected = dict.fromkeys(trade_nos)
        return Comparison(
            missing=tuple(trade_no for trade_no in expected if not counts[trade_no]),
            twice=tuple(trade_no for trade_no, count in counts.items() if count > 1),
            unexpected=tuple(trade_no for trade_no in counts if trade_no not in expected),
        )

    def _book(self, instruction: Instruction, at: float) -> Order | Rejection:
        earlier = self._orders.get(instruction.trade_no)
        if earlier is not None and self._deduplicate:
            return "duplicate"
        if len(self._bookings) >= MOST_BOOKINGS:
            return "full"
        if instruction.amount > self._balance:
            return "insufficient_funds"
        count = 1 if earlier is None else earlier.booked_count + 1
        order = Order(
            trade_no=instruction.trade_no,
            platform_trade_no=_platform_trade_no(instruction.trade_no, count),
            amount=instruction.amount,
            payee=instruction.payee,
            remark=instruction.remark,
            status=PROCESSING,
            message=message_of(PROCESSING),
            booked_count=count,
            total=instruction.amount if earlier is None else instruction.amount + earlier.debited,
            booked_at_ms=self.at_ms(at),
            notify_url=instruction.notify_url,
            manner=instruction.manner,
        )
        self._enter(order, at)
        if instruction.status != PROCESSING:
            message = instruction.message or message_of(instruction.status)
            order = self._set_status(order.trade_no, instruction.status, message, at)
        self._plan(order, instruction.later, at)
        return order

    def _enter(self, order: Order, at: float) -> None:
        self._orders[order.trade_no] = order
        self._balance -= order.amount
        self._bookings.append(
            Booking(
                number=len(self._bookings) + 1,
                trade_no=order.trade_no,
                platform_trade_no=order.platform_trade_no,
                amount=order.amount,
                at_ms=self.at_ms(at),
            )
        )
        if self.observer is not None:
            self.observer.changed(order, at)

    def _plan(self, order: Order, later: Steps | None, at: float) -> None:
        """Let an order end as its remark wishes, or else as all do that are processing."""
        usual = _PAID if self._paid_after is not None and order.status == PROCESSING else ()
        steps = usual if later is None else later
        wait = _USUAL_WAIT if self._paid_after is None else self._paid_after
        before = order.status
        for status, message in steps:
            at += wait
            action = partial(self._settle, order.trade_no, before, status, message or message_of(status))
            self._schedule(at, action, order.notify_url)
            before = status

    def _settle(self, trade_no: str, before: str, status: str, message: str, at: float) -> None:
        order = self._orders.get(trade_no)
        if order is not None and order.status == before:
            self._set_status(trade_no, status, message, at)

    def _set_status(self, trade_no: str, status: str, message: str, at: float) -> Order:
        before = self._orders[trade_no]
        final_at_ms = None if status == PROCESSING else self.at_ms(at)
        after = evolve(before, status=status, message=message, final_at_ms=final_at_ms)
        self._balance += before.debited - after.debited
        self._orders[trade_no] = after
        if self.observer is not None and status != before.status:
            self.observer.changed(after, at)
        return after

    def _schedule(self, due: float, action: Callable[[float], object], notify_url: str) -> None:
        if self.observer is not None:
            self.observer.expect(notify_url, due)
        heapq.heappush(self._later, (due, next(self._tie_break), action))

    def catch_up(self) -> None:
        """Enter what has become due; all that shows the books does so by itself."""
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            due, _, action = heapq.heappop(self._later)
            action(due)

    def at_ms(self, at: float) -> int:
        """A moment of its clock in milliseconds since the epoch."""
        return round((self._epoch + at) * 1000)


def _platform_trade_no(trade_no: str, count: int) -> str:
    """A number like the platform's, the same in every run."""
    return hashlib.blake2b(f"{count}/{trade_no}".encode("utf-8", "replace"), digest_size=16).hexdigest()
