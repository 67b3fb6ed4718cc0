"""``FakePayPro``: a PayPro of a test's own, on this machine, in a thread of its own.

The thread makes it the same for async tests of any plugin, for tests without an event loop, and for code that has a
loop of its own in another thread, as test clients of web frameworks do.
"""

import asyncio
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from paypro_async._core.signing import Md5Signer
from paypro_async.client import PayProClient
from paypro_async.runtime import Runtime
from paypro_async.sandbox import Booking, Order, Sandbox
from paypro_async.sandbox.callbacks.notification import Notification, body_of
from paypro_async.sandbox.journal import RequestRecord
from paypro_async.sandbox.orders import PROCESSING, SUCCESS, message_of
from paypro_async.settings import ClientSettings
from paypro_async.testing.clock import PassingTime
from paypro_async.testing.courses import COURSES, Outcome

__all__ = ["FakePayPro"]

T = TypeVar("T")

_REFUSED = "00029"  # docs: pakistan/errorcode, REJECTED_TRANSACTION: a code that means failed for certain
_CODE = re.compile(r"[0-9]{4,8}")
_IP_ADDRESS = "203.0.113.7"
_NOTIFY_URL = "https://merchant.example/paypro"  # to which the sandbox sends nothing
_ENDING_SECONDS = 10.0


class FakePayPro:
    """A PayPro whose outcomes a test decides, over real HTTP on 127.0.0.1; no money moves and no test waits.

    ::

        with FakePayPro() as paypro:
            paypro.decide("T1", "reply_lost")
            async with paypro.client() as client:
                result = await client.payout(trade_no="T1", amount="300", …)
        paypro.assert_paid_once("T1")

    ``async with`` does the same. What was not decided is accepted, processing, and paid after *paid_after*; a remark
    as :class:`~paypro_async.sandbox.Sandbox` knows them decides, too. Its methods may be called from any thread.

    Clients of :meth:`client` go by its clocks: while they only wait for a back-off, a question or a settle window, that
    time passes at once.

    Args:
        balance: The money to start with, in major units.
        paid_after: Seconds of its clock until an order that was not decided on is paid, and until ``paid_later``,
            ``failed_later`` and ``reversed`` come; see :meth:`advance`.
        secret: The app secret; *merchant_no*, the merchant number that goes with it.
    """

    def __init__(
        self,
        *,
        balance: Decimal | str = "1000000000",
        paid_after: float = 3600.0,
        secret: str = "sandbox-secret",  # noqa: S107  opens nothing but this fake
        merchant_no: str = "0000000001",
    ) -> None:
        self.secret: str = secret
        self.merchant_no: str = merchant_no
        self._time = PassingTime(lambda: self._sandbox.books.request_count)
        self._sandbox = Sandbox(
            balance=balance, paid_after=paid_after, secret=secret, merchant_no=merchant_no, clock=self._time.steady
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._resources = AsyncExitStack()

    def __repr__(self) -> str:
        return f"<FakePayPro {self._sandbox!r}>"

    def open(self) -> None:
        """Begin to listen, on a free port.

        Raises:
            RuntimeError: It is open already.
        """
        if self._loop is not None:
            raise RuntimeError("This FakePayPro is open already.")
        self._loop = loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="fake-paypro", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._resources.enter_async_context(self._sandbox), loop).result()
        except BaseException:
            self._end(loop)
            raise

    def close(self) -> None:
        """Listen no more; what was booked can still be read."""
        if (loop := self._loop) is None:
            return
        try:
            asyncio.run_coroutine_threadsafe(self._resources.aclose(), loop).result(_ENDING_SECONDS)
        finally:
            self._end(loop)

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, thread, self._thread = None, self._thread, None
        loop.call_soon_threadsafe(loop.stop)
        if thread is not None:
            thread.join(_ENDING_SECONDS)
        loop.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def aclose(self) -> None:
        """As :meth:`close`, while the event loop goes on."""
        await asyncio.to_thread(self.close)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def base_url(self) -> str:
        """The URL to give to a client.

        Raises:
            RuntimeError: It is not open.
        """
        if self._loop is None:
            raise RuntimeError("This FakePayPro is not open: use `with FakePayPro() as paypro`.")
        return self._sandbox.base_url

    @property
    def time(self) -> Runtime:
        """Its clocks, to give to a client of one's own as ``runtime``."""
        return self._time

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables with which ``PayProClient.from_env()`` reaches it; the ledger is forgotten with the client."""
        return {
            "PAYPRO_BASE_URL": self.base_url,
            "PAYPRO_ENVIRONMENT": Sandbox.environment,
            "PAYPRO_MERCHANT_NO": self.merchant_no,
            "PAYPRO_SECRET": self.secret,
            "PAYPRO_IP_ADDRESS": _IP_ADDRESS,
            "PAYPRO_NOTIFY_URL": _NOTIFY_URL,
            "PAYPRO_LEDGER": "memory",
        }

    def client(self, **settings: Unpack[ClientSettings]) -> PayProClient:
        """A client for it with a ledger in memory, to be opened with ``async with``.

        Args:
            settings: Arguments of :class:`~paypro_async.PayProClient`, which win.
        """
        usual: dict[str, Any] = {
            "base_url": self.base_url,
            "environment": Sandbox.environment,
            "merchant_no": self.merchant_no,
            "signer": Md5Signer(self.secret),
            "ledger": "memory",
            "ip_address": _IP_ADDRESS,
            "notify_url": _NOTIFY_URL,
            "runtime": self._time,
        }
        return PayProClient(**{**usual, **settings})

    def next(self, outcome: Outcome, *, code: str = _REFUSED, message: str | None = None) -> None:
        """Decide what becomes of the next payout that arrives and was not decided on; called again, of the one behind.

        Args:
            outcome: One of the :data:`~paypro_async.testing.Outcome` words.
            code: The platform's, of what fails or is refused: 4 to 8 digits.
            message: What the platform says beside the code.

        Raises:
            ValueError: There is no such outcome, or the code is none.
        """
        self._decide(None, outcome, code, message)

    def decide(self, trade_no: str, outcome: Outcome, *, code: str = _REFUSED, message: str | None = None) -> None:
        """Decide what becomes of a payout, before it is sent; or, once it is booked, what its order is from now on.

        What is booked can be ``paid``, ``processing`` or ``failed``, which reverses it if it was paid. A client learns
        of it when it asks, or by a :meth:`callback`.

        Args:
            trade_no: The payout's.
            outcome: One of the :data:`~paypro_async.testing.Outcome` words.
            code: The platform's, of what fails or is refused: 4 to 8 digits.
            message: What the platform says beside the code.

        Raises:
            ValueError: There is no such outcome, or not for what is booked, or the code is none.
        """
        if trade_no not in self.orders:
            self._decide(trade_no, outcome, code, message)
            return
        _check_code(code)
        statuses = {"paid": SUCCESS, "processing": PROCESSING, "failed": code}
        if outcome not in statuses:
            raise ValueError(f"{trade_no} is booked, so it can only be {', '.join(statuses)} from now on.")
        self._call(lambda: self._sandbox.books.set_status(trade_no, statuses[outcome], message))

    def _decide(self, trade_no: str | None, outcome: Outcome, code: str, message: str | None) -> None:
        if outcome not in COURSES:
            raise ValueError(f"{outcome!r} is no outcome: it is one of {', '.join(COURSES)}.")
        _check_code(code)
        course = COURSES[outcome]
        wish = course.wish.format(code=code if message is None else f"{code}:{message}")
        self._call(lambda: self._sandbox.decide(trade_no, wish, faults=course.faults, unanswered=course.unanswered))

    def answer(self, trade_no: str) -> None:
        """Answer questions about a payout from now on that was decided to be ``unknown``."""
        self._call(lambda: self._sandbox.answer(trade_no))

    def advance(self, seconds: float) -> None:
        """Put its clocks forward: what is due by then has happened.

        Raises:
            ValueError: That would not be forward.
        """
        if not seconds >= 0:
            raise ValueError("Time goes forward by seconds, 0 or more.")
        self._time.advance(seconds)
        self._call(lambda: self._sandbox.advance(0))

    def callback(
        self, trade_no: str, *, status: str | None = None, amount: str | None = None, wrong_signature: bool = False
    ) -> bytes:
        """The body of a callback about a booked payout, to post to the code under test.

        Args:
            trade_no: The payout's.
            status: What it says: ``0000`` paid, ``0015`` processing, another one failed. By default how the order is.
            amount: What it states; by default the order's.
            wrong_signature: Whether it is forged: signed with another secret.

        Raises:
            LookupError: No such payout is booked.
        """
        order = self.order(trade_no)
        if order is None:
            raise LookupError(f"No payout {trade_no} is booked, so the platform has nothing to tell.")
        status = order.status if status is None else status
        notification = Notification(
            number=1,
            order=order,
            status=status,
            message=order.message if status == order.status else message_of(status),
            at_ms=self._call(self._sandbox.books.now_ms),
            amount=str(order.amount) if amount is None else amount,
            wrong_signature=wrong_signature,
        )
        return body_of(notification, secret=self.secret, position="suffix")

    @property
    def orders(self) -> Mapping[str, Order]:
        """What was booked, by trade number, as it is now."""
        return self._call(lambda: dict(self._sandbox.books.orders))

    @property
    def bookings(self) -> Sequence[Booking]:
        """Every booking in the order it was made; a payout that was booked twice is here twice."""
        return self._call(lambda: tuple(self._sandbox.books.bookings))

    @property
    def balance(self) -> Decimal:
        """The money that is available, in major units."""
        return self._call(lambda: self._sandbox.books.balance)

    @property
    def requests(self) -> Sequence[RequestRecord]:
        """What was asked, in the order it was answered, personal values masked."""
        return self._call(lambda: tuple(self._sandbox.books.requests))

    def order(self, trade_no: str) -> Order | None:
        """The order of a payout as it is now; None if it is not booked."""
        return self.orders.get(trade_no)

    def assert_paid_once(self, *trade_nos: str) -> None:
        """Each of these was booked exactly once and is paid, and no payout at all was booked twice.

        Raises:
            AssertionError: It is not so; the text says of which payouts.
        """
        __tracebackhide__ = True
        orders, wrong = self.orders, []
        for trade_no, order in orders.items():
            if order.booked_count > 1:
                wrong.append(f"{trade_no} was booked {order.booked_count} times")
        for trade_no in trade_nos:
            if trade_no not in orders:
                wrong.append(f"{trade_no} was never booked")
            elif orders[trade_no].status != SUCCESS:
                wrong.append(f"{trade_no} is not paid: {orders[trade_no].status} {orders[trade_no].message}")
        if wrong:
            raise AssertionError("; ".join(wrong) + ".")

    def assert_not_paid(self, *trade_nos: str) -> None:
        """None of these moved money: it was not booked, or it failed and the money is back. Without any: nothing did.

        Raises:
            AssertionError: It is not so; the text says of which payouts.
        """
        __tracebackhide__ = True
        orders = self.orders
        moved = [one for one in (trade_nos or orders) if one in orders and orders[one].debited]
        if moved:
            raise AssertionError("; ".join(f"{one} took {orders[one].debited}" for one in moved) + ".")

    def _call(self, function: Callable[[], T]) -> T:
        """Run a function where the books are changed, so that it sees none half-way."""
        loop = self._loop
        if loop is None or threading.current_thread() is self._thread:
            return function()

        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), loop).result()


def _check_code(code: str) -> None:
    if not _CODE.fullmatch(code):
        raise ValueError(f"{code!r} is no code of the platform: it has 4 to 8 digits.")
