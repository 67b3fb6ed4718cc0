"""The platform's books: orders, money, and an append-only record of what was booked and asked.

No I/O and no tasks: what happens later (a settlement, a late booking) waits in a queue and is entered, with its own
time, before the books are next looked at.
"""

import hashlib
import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Literal

from attrs import evolve, field, frozen

from paypro_async.sandbox.journal import Journal, RequestRecord

__all__ = [
    "PROCESSING",
    "SUCCESS",
    "Booking",
    "Books",
    "Comparison",
    "Instruction",
    "Order",
    "Payee",
    "RequestRecord",
    "account_digest",
    "message_of",
]

SUCCESS = "0000"
PROCESSING = "0015"

# docs: pakistan/errorcode (the only complete list)
MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        SUCCESS: "SUCCESS",
        PROCESSING: "CREDIT_INPROGRESS",
        "0100007": "PAYEE_DAILY_CUMULATIVE_COUNT_REACHED",
        "0100019": "PAYEE_DAILY_CUMULATIVE_AMT_REACHED",
        "0100023": "PAYEE_MONTHLY_CUMULATIVE_COUNT_REACHED",
        "0100024": "DUPLICATE_REFERENCE_NUMBER_LEVEL2",
        "60019": "INSUFFICIENT_FUNDS",
        "60030": "PAYEE_MAXIMUM_BALANCE_EXCEEDED",
        "00028": "AMOUNT_NOT_NUMERIC",
        "00029": "REJECTED_TRANSACTION",
        "00032": "UNKNOWN_ERROR",
    }
)

Rejection = Literal["duplicate", "insufficient_funds", "full"]

MOST_BOOKINGS = 1_000_000
KEPT_REQUESTS = 100_000


def message_of(status: str) -> str:
    """The platform's message for a status."""
    return MESSAGES.get(status, "REJECTED_TRANSACTION")


def account_digest(bank_number: str, bank_code: str) -> str:
    """What tells one account from others without saying its number."""
    return hashlib.sha256(f"{bank_code} {bank_number}".encode("utf-8", "replace")).hexdigest()[:16]


def _masked(_: str) -> str:
    return "'***'"


@frozen(kw_only=True)
class Payee:
    """Who is paid; masked in ``repr``."""

    name: str = field(repr=_masked)
    mobile: str = field(repr=_masked)
    email: str = field(repr=_masked)
    bank_number: str = field(repr=_masked)
    bank_code: str

    @property
    def account(self) -> str:
        """What tells this account from others, without its number."""
        return account_digest(self.bank_number, self.bank_code)


@frozen(kw_only=True)
class Instruction:
    """A payout request that passed every check; ``status`` is what its order has as soon as it is booked.

    ``message`` stands beside that status; None for the platform's usual one.
    """

    trade_no: str
    amount: Decimal
    payee: Payee
    remark: str = ""
    status: str = PROCESSING
    message: str | None = None


@frozen(kw_only=True)
class Order:
    """A booked payout; times are milliseconds since the epoch.

    ``booked_count`` is above 1 only if it was booked again, and ``total`` is then the money of those bookings together.
    """

    trade_no: str
    platform_trade_no: str
    amount: Decimal
    payee: Payee
    remark: str
    status: str
    message: str
    booked_count: int
    total: Decimal
    booked_at_ms: int
    final_at_ms: int | None = None

    @property
    def debited(self) -> Decimal:
        """The money that this order takes from the balance: nothing once it has failed."""
        return self.total if self.status in {SUCCESS, PROCESSING} else Decimal(0)

    @property
    def utr(self) -> str:
        """The bank's reference of a paid order: twelve digits."""
        return str(int(self.platform_trade_no, 16))[:12]


@frozen(kw_only=True)
class Booking:
    """One movement of money: it stays recorded whatever becomes of its order.

    Args:
        number: All bookings are counted, from 1.
        at_ms: Milliseconds since the epoch.
    """

    number: int
    trade_no: str
    platform_trade_no: str
    amount: Decimal
    at_ms: int


@frozen(kw_only=True)
class Comparison:
    """What was booked, set against what should have been; trade numbers.

    Args:
        missing: Never booked, and should have been.
        twice: Booked more than once, expected or not.
        unexpected: Booked, and should not have been.
    """

    missing: tuple[str, ...]
    twice: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Every expected trade number was booked exactly once, and nothing else was."""
        return not (self.missing or self.twice or self.unexpected)


class Books:
    """Orders by trade number, the balance, every booking ever made, and the journal of requests.

    None of its bookings and orders is ever forgotten, or a number could be booked twice: once there are a million of
    them, it books no more. Of the requests it keeps the latest hundred thousand.

    Args:
        balance: The money to start with.
        paid_after: Seconds after which a processing order is paid; never when not given.
        deduplicate: Whether a trade number is booked at most once; ``False`` shows what a client sends twice.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        *,
        balance: Decimal,
        paid_after: float | None = None,
        deduplicate: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
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
        self._catch_up()
        return MappingProxyType(self._orders)

    @property
    def bookings(self) -> Sequence[Booking]:
        """Every booking in the order it was made; a payout that was paid twice is here twice."""
        self._catch_up()
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
        self._catch_up()
        return self._balance

    @property
    def fault_counts(self) -> Mapping[str, int]:
        """How often each fault has hit a request."""
        return self._journal.fault_counts

    def now_ms(self) -> int:
        """The time of the books in milliseconds since the epoch."""
        return self._at_ms(self._clock())

    def book(self, instruction: Instruction) -> Order | Rejection:
        """Book a payout, or say why not."""
        self._catch_up()
        return self._book(instruction, self._clock())

    def book_later(self, instruction: Instruction, delay: float) -> None:
        """Book a payout *delay* seconds from now, unless something speaks against it by then."""
        self._schedule(self._clock() + delay, partial(self._book, instruction))

    def set_status(self, trade_no: str, status: str, message: str | None = None) -> Order:
        """Give an order another status; the money comes back when it fails and leaves again when it does not.

        Raises:
            KeyError: There is no such order.
        """
        self._catch_up()
        return self._set_status(trade_no, status, message or message_of(status), self._clock())

    def forget(self, trade_no: str) -> None:
        """Lose an order, as no platform should: no query finds it, and its number can be booked once more.

        Its bookings stay on record, and the money that it took stays taken.

        Raises:
            KeyError: There is no such order.
        """
        self._catch_up()
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
            booked_at_ms=self._at_ms(at),
        )
        self._enter(order, at)
        if instruction.status != PROCESSING:
            message = instruction.message or message_of(instruction.status)
            return self._set_status(order.trade_no, instruction.status, message, at)
        if self._paid_after is not None:
            self._schedule(at + self._paid_after, partial(self._settle, order.trade_no))
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
                at_ms=self._at_ms(at),
            )
        )

    def _settle(self, trade_no: str, at: float) -> None:
        order = self._orders.get(trade_no)
        if order is not None and order.status == PROCESSING:
            self._set_status(trade_no, SUCCESS, message_of(SUCCESS), at)

    def _set_status(self, trade_no: str, status: str, message: str, at: float) -> Order:
        before = self._orders[trade_no]
        final_at_ms = None if status == PROCESSING else self._at_ms(at)
        after = evolve(before, status=status, message=message, final_at_ms=final_at_ms)
        self._balance += before.debited - after.debited
        self._orders[trade_no] = after
        return after

    def _schedule(self, due: float, action: Callable[[float], object]) -> None:
        heapq.heappush(self._later, (due, next(self._tie_break), action))

    def _catch_up(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            due, _, action = heapq.heappop(self._later)
            action(due)

    def _at_ms(self, at: float) -> int:
        return round((self._epoch + at) * 1000)


def _platform_trade_no(trade_no: str, count: int) -> str:
    """A number like the platform's, the same in every run."""
    return hashlib.blake2b(f"{count}/{trade_no}".encode("utf-8", "replace"), digest_size=16).hexdigest()
