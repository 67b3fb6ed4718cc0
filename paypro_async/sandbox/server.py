"""The sandbox: the platform on a loopback port."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType, TracebackType
from typing import Self, Unpack

from attrs import evolve

from paypro_async.sandbox.books import Books
from paypro_async.sandbox.callbacks.notification import CallbackRecord
from paypro_async.sandbox.callbacks.notifier import CallbackRules, Notifier, Variation
from paypro_async.sandbox.capacity import Place
from paypro_async.sandbox.clock import Clock
from paypro_async.sandbox.control import Pages
from paypro_async.sandbox.faults import Decision, Decisions, Fault, FaultPlan
from paypro_async.sandbox.http11 import Connection, Wire
from paypro_async.sandbox.messages import Answer, Request
from paypro_async.sandbox.platform import Platform, RuleChanges, Rules, UnknownOrder
from paypro_async.sandbox.remarks import Wishes, read_rule
from paypro_async.sandbox.replies import Echo, OrderNumberName
from paypro_async.sandbox.service import HttpService
from paypro_async.sandbox.signature import SecretPosition

__all__ = ["Sandbox"]

_HOST = "127.0.0.1"  # never another: the sandbox has no defences
_IDLE_SECONDS = 60.0


class Sandbox:
    """A stateful local PayPro (region India) over real HTTP/1.1 on 127.0.0.1.

    Use it around what it is to serve::

        async with Sandbox(faults=FaultPlan(rate=0.15, seed=7)) as sandbox:
            ...  # pay through sandbox.base_url
        assert sandbox.books.booked_once(trade_nos).exact

    A remark works magic, as ``sandbox:KIND``, ``sandbox:KIND:CODE`` or ``sandbox:KIND:CODE:MESSAGE``:

    - ``sandbox:paid`` books and answers ``0000`` at once
    - ``sandbox:fail:CODE`` books and answers ``data.status`` CODE at once (the balance is debited and refunded)
    - ``sandbox:refuse:CODE`` books nothing and answers with the outer ``code`` CODE
    - ``sandbox:reply:CODE`` books as usual and answers with the outer ``code`` CODE all the same
    - ``sandbox:status:CODE`` books as usual and answers ``data.status`` CODE all the same
    - ``sandbox:vanish`` books, accepts, and from then on knows no such order
    - ``sandbox:later:paid``, ``sandbox:later:fail:CODE``, ``sandbox:later:reverse`` (paid, then failed) and
      ``sandbox:later:never`` say what becomes of the order after *paid_after*, or after a second if that is not given
    - ``sandbox:callback:twice``, ``late``, ``disorder``, ``processing``, ``wrong-signature``, ``amount:AMOUNT`` and
      ``none`` say how its callbacks are sent

    When an order ends, a signed callback goes to its ``notifyUrl`` if that is on this machine, and again after 2, 5, 10
    and 30 seconds, 1 hour and three times 3 hours, until it is answered with HTTP 200 and exactly ``OK``.

    ``GET /sandbox/books``, ``GET /sandbox/requests`` and ``GET /sandbox/callbacks`` show what there was as JSON.
    ``POST /sandbox/orders/<tradeNo>`` with ``{"status": "00029", "message": "..."}`` gives an order another status, and
    with ``{"delete": true}`` lets it vanish; ``POST /sandbox/orders/<tradeNo>/callback`` sends a callback, and
    ``POST /sandbox/clock`` with ``{"advance": 3600}`` puts the clock forward.

    Args:
        secret: The merchant's secret, that requests must be signed with.
        merchant_no: The only merchant there is.
        port: The port to listen on; a free one when 0.
        faults: Which requests are hit by which fault; none when not given.
        balance: The money to start with.
        paid_after: Seconds after which a processing order is paid; never when not given.
        secret_position: Where the secret stands in the signed text.
        order_number_name: What the platform's order number is called in a payout reply: the pages disagree.
        echo: What stands in a payout reply where the request's remark is to be given back: that remark (``given``),
            nothing (``absent``, ``empty``), or another text (``wrong``).
        unknown_order: What a query for an unknown order is answered with: ``data`` null, ``data`` empty, an outer
            ``code`` of its own with a message (``code``), an outer ``code`` that payouts are refused with too
            (``refusal``), or the outer ``code`` that is given as CODE or CODE:MESSAGE.
        refuse_payouts: The outer ``code``, as CODE or CODE:MESSAGE, that each payout is refused with while queries
            are answered, as when an address is not in the platform's list.
        refuse_all: The same for each signed request of any kind, as when the account is closed.
        deduplicate: Whether a repeated ``tradeNo`` is refused; ``False`` books it again, to show what a client sends
            twice.
        booking_lag: Seconds between a request and its late booking.
        drip_interval: Seconds between two bytes of a dripped reply.
        copy_delay: Seconds between a doubled reply and its copy.
        refuse_seconds: For how long new connections are refused after ``Fault.REFUSE``.
        idle_timeout: Seconds within which a connection must bring a whole request and take a whole reply, or is closed.
            By default 60; without limit with a *clock* of one's own, by which no connection is timed.
        max_connections: How many are held at one time. For one more, that which has waited longest for a request goes.
        prefix: The path before ``/v1``; any is accepted when empty.
        callbacks: Whether callbacks are sent. None is ever sent to another machine, unless *callback_hosts* names it.
        processing_callbacks: Whether there is one for a booking too, which says ``0015``.
        callback_hosts: Other hosts than this machine to which callbacks may go, by the name in ``notifyUrl``.
        callback_timeout: Seconds of real time within which a callback must be answered.
        amount_rules: What a payout without a wish in its remark wishes, by the digits with which its amount ends:
            ``{"13": "later:fail:00029", "14": "later:reverse callback:twice"}``. The longest ending counts.
        clock: Seconds that only go forward; settlements, late bookings and callbacks follow it.
        speed: How many seconds of the sandbox pass in one of *clock*: at 100 an hour is over in 36 seconds.
    """

    environment = "sandbox"
    """To give to a client as its ``environment``: without a name, all that listens on this machine has the same one."""

    def __init__(  # noqa: PLR0913  each is a setting of its own, and all have a default
        self,
        *,
        secret: str = "sandbox-secret",  # noqa: S107  opens nothing but this sandbox
        merchant_no: str = "0000000001",
        port: int = 0,
        faults: FaultPlan | None = None,
        balance: Decimal | str = "1000000000",
        paid_after: float | None = None,
        secret_position: SecretPosition = "suffix",  # noqa: S107  not a secret itself
        order_number_name: OrderNumberName = "platFormTradeNo",
        echo: Echo = "given",
        unknown_order: UnknownOrder | str = "null",
        refuse_payouts: str | None = None,
        refuse_all: str | None = None,
        deduplicate: bool = True,
        booking_lag: float = 0.3,
        drip_interval: float = 1.0,
        copy_delay: float = 0.005,
        refuse_seconds: float = 0.1,
        idle_timeout: float | None = None,
        max_connections: int = 1000,
        prefix: str = "",
        callbacks: bool = True,
        processing_callbacks: bool = False,
        callback_hosts: Collection[str] = (),
        callback_timeout: float = 15.0,
        amount_rules: Mapping[str, str] = MappingProxyType({}),
        clock: Callable[[], float] = time.monotonic,
        speed: float = 1.0,
    ) -> None:
        self._clock = Clock(clock, speed=speed)
        self.books: Books = Books(
            balance=Decimal(balance), paid_after=paid_after, deduplicate=deduplicate, clock=self._clock
        )
        rules = Rules(
            secret=secret,
            merchant_no=merchant_no,
            secret_position=secret_position,
            order_number_name=order_number_name,
            echo=echo,
            unknown_order=unknown_order,
            refuse_payouts=refuse_payouts,
            refuse_all=refuse_all,
            booking_lag=booking_lag,
            callbacks=callbacks,
            processing_callbacks=processing_callbacks,
            amount_rules=amount_rules,
            prefix=prefix,
        )
        self._notifier = self.books.observer = Notifier(
            books=self.books,
            clock=self._clock,
            rules=self._callback_rules,
            hosts=frozenset(name.lower() for name in callback_hosts),
            timeout=callback_timeout,
        )
        pages = Pages(books=self.books, clock=self._clock, notifier=self._notifier)
        self._decisions = Decisions(faults or FaultPlan.none())
        self._platform = Platform(rules=rules, books=self.books, faults=self._decisions, pages=pages.answer)
        self._drip_interval = drip_interval
        self._copy_delay = copy_delay
        self._patience = _IDLE_SECONDS if idle_timeout is None and clock is time.monotonic else idle_timeout
        self._service = HttpService(
            host=_HOST,
            port=port,
            connection=self._connection,
            max_connections=max_connections,
            refuse_seconds=refuse_seconds,
        )
        self._serving: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        where = "closed" if self._service.port is None else self.base_url
        return f"<Sandbox {where} merchant_no={self.rules.merchant_no} {self.books!r}>"

    @property
    def rules(self) -> Rules:
        """How it behaves where the documentation leaves it open."""
        return self._platform.rules

    def change(self, **rules: Unpack[RuleChanges]) -> None:
        """Let the next request be answered by other rules: ``sandbox.change(refuse_payouts="1010")``.

        Args:
            rules: Arguments of the sandbox of the same names; those that are not given stay as they are.
        """
        self._platform.rules = evolve(self._platform.rules, **rules)

    def decide(
        self,
        trade_no: str | None = None,
        wish: str = "",
        *,
        faults: Sequence[Fault | None] = (),
        unanswered: bool = False,
    ) -> None:
        """Decide what becomes of one payout, in the stead of its remark, its amount and the plan of faults.

        Args:
            trade_no: The payout's; None for the next one that arrives and was not decided on.
            wish: As in a remark, ``sandbox:`` left out: ``"later:fail:00029"``. The usual when empty.
            faults: The fault of its next payout request, of the one behind that, and so on; None is a good reply.
            unanswered: Whether the reply to each question about it is lost, until :meth:`answer`.

        Raises:
            ValueError: The wish is none.
        """
        wishes = read_rule(wish) if wish else Wishes()
        self._decisions.make(trade_no, Decision(wishes=wishes, faults=deque(faults), unanswered=unanswered))

    def answer(self, trade_no: str) -> None:
        """Answer questions about a payout from now on, of which it was decided that they are not."""
        self._decisions.answer(trade_no)

    @property
    def callbacks(self) -> Sequence[CallbackRecord]:
        """The latest tries to deliver a callback, oldest first; ten thousand are kept."""
        return self._notifier.journal.records

    @property
    def callbacks_waiting(self) -> int:
        """How many callbacks wait for their time or are on their way, those included that will be sent again."""
        self.books.catch_up()
        return self._notifier.waiting

    def send_callback(
        self,
        trade_no: str,
        *,
        status: str | None = None,
        amount: str | None = None,
        twice: bool = False,
        delay: float = 0.0,
        wrong_signature: bool = False,
    ) -> None:
        """Send a callback of an order, whatever has become of it; the order stays as it is.

        Args:
            trade_no: The order's.
            status: What the callback says; None for the order's own status.
            amount: What it states; None for the order's own amount.
            twice: Whether it is sent twice.
            delay: Seconds of the sandbox until it is sent.
            wrong_signature: Whether it is signed with another secret.

        Raises:
            KeyError: There is no such order.
            ValueError: No callback may go to the ``notifyUrl`` of the order.
        """
        variation = Variation(status=status, amount=amount, twice=twice, delay=delay, wrong_signature=wrong_signature)
        self._notifier.send(self.books.orders[trade_no], variation)

    async def callbacks_sent(self) -> None:
        """Wait until no callback is due or on its way; those that are due later are not waited for.

        Raises:
            RuntimeError: The sandbox is not open.
        """
        await self._notifier.sent()

    def advance(self, seconds: float) -> None:
        """Put the sandbox's clock forward: what is due by then happens at once.

        Raises:
            ValueError: That would not be forward.
        """
        self._clock.advance(seconds)
        self._notifier.wake()

    def _callback_rules(self) -> CallbackRules:
        rules = self._platform.rules
        return CallbackRules(
            secret=rules.secret,
            position=rules.secret_position,
            wanted=rules.callbacks,
            processing=rules.processing_callbacks,
        )

    @property
    def base_url(self) -> str:
        """The URL to give to a client.

        Raises:
            RuntimeError: The sandbox is not open.
        """
        if (port := self._service.port) is None:
            raise RuntimeError("The sandbox is not open: use `async with Sandbox(...) as sandbox`.")
        return f"http://{_HOST}:{port}{self.rules.prefix}"

    async def __aenter__(self) -> Self:
        if self._service.port is not None:
            raise RuntimeError("The sandbox is open already.")
        await self._service.open()
        self._notifier.begin()
        # A task of its own, because fixtures of pytest may open the sandbox in one task and close it in another.
        self._serving = asyncio.create_task(self._service.run(self._notifier.run))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop listening and drop all connections; the books can still be read."""
        serving, self._serving = self._serving, None
        if serving is None:
            return
        serving.cancel()
        try:
            await asyncio.wait({serving})
        finally:
            self._service.close()
            self._notifier.end()
        if not serving.cancelled():
            serving.result()  # a failure of the server itself

    async def serve_forever(self) -> None:
        """Serve until cancelled, opening the sandbox if it is not open yet."""
        if (serving := self._serving) is None:
            async with self:
                await self.serve_forever()
            return
        await asyncio.wait({serving})
        if not serving.cancelled():
            serving.result()  # a failure of the server itself

    async def _answer(self, request: Request) -> Answer:
        return self._platform.answer(request)

    def _connection(self, wire: Wire, place: Place) -> Connection:
        return Connection(
            wire=wire,
            answer=self._answer,
            drip_interval=self._drip_interval,
            copy_delay=self._copy_delay,
            refuse=self._service.refuse,
            waiting=place.waiting,
            patience=self._patience,
        )
