"""The platform's callbacks over time: one for each end of an order, sent until it is answered ``OK`` or given up.

The books say what becomes of orders; this keeps a queue by the sandbox's clock, and a loop sends what is due. It sleeps
for as long as no order has a ``notifyUrl`` to which callbacks may go.
"""

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable
from functools import partial

import anyio
import anyio.abc
from attrs import frozen

from paypro_async.log import logger
from paypro_async.sandbox.books import Books
from paypro_async.sandbox.callbacks.notification import CallbackJournal, CallbackRecord, Notification, body_of
from paypro_async.sandbox.callbacks.sender import Refused, Response, Target, find_target, post
from paypro_async.sandbox.clock import Clock
from paypro_async.sandbox.orders import PROCESSING, Order, message_of
from paypro_async.sandbox.signature import SecretPosition

__all__ = ["CallbackRules", "Notifier", "Variation"]

KEPT_TRIES = 10_000
MOST_WAITING = 1_000_000
_AT_ONE_TIME = 64
_GLANCE = 0.02  # seconds between two looks at a clock that is not this machine's
_BROKEN = Response(outcome="not_sent", problem="the sandbox itself failed; its log says how")


@frozen(kw_only=True)
class CallbackRules:
    """What the notifier needs to know of the sandbox's rules, at the moment when it sends."""

    secret: str
    position: SecretPosition
    wanted: bool
    processing: bool


@frozen(kw_only=True)
class Variation:
    """How one callback that is asked for by hand differs from the usual one.

    Args:
        status: What it says; None for the order's own status.
        message: What it says beside that; None for the usual message.
        amount: The amount that it states; None for the order's own.
        twice: Whether it is sent twice.
        delay: Seconds by the sandbox's clock until it is sent.
        wrong_signature: Whether its signature is that of another secret.
        repeat: Whether it is sent again when it is not answered ``OK``.
    """

    status: str | None = None
    message: str | None = None
    amount: str | None = None
    twice: bool = False
    delay: float = 0.0
    wrong_signature: bool = False
    repeat: bool = True


class Notifier:
    """Observes the books and sends callbacks.

    Args:
        books: Where the orders are.
        clock: The sandbox's.
        rules: Gives the rules of this moment.
        hosts: Other hosts than this machine to which callbacks may go.
        timeout: Seconds of real time within which a callback must be answered.
    """

    def __init__(
        self,
        *,
        books: Books,
        clock: Clock,
        rules: Callable[[], CallbackRules],
        hosts: frozenset[str],
        timeout: float,
    ) -> None:
        self.journal: CallbackJournal = CallbackJournal(keep=KEPT_TRIES)
        self._books = books
        self._clock = clock
        self._rules = rules
        self._hosts = hosts
        self._timeout = timeout
        self._queue: list[tuple[float, int, Notification]] = []
        self._tie_break = itertools.count()
        self._numbers = itertools.count(1)
        self._sending: dict[Notification, float] = {}  # those on their way, and when they were due
        self._follows = False  # whether something may become of an order to whose owner a callback may go
        self._planned = math.inf  # until when the loop sleeps, by the sandbox's clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._step = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many callbacks wait for their time or are on their way."""
        return len(self._sending) + len(self._queue)

    @property
    def next_due(self) -> float | None:
        """When the next callback is due, by the sandbox's clock; None if none waits."""
        return self._queue[0][0] if self._queue else None

    def expect(self, notify_url: str, due: float) -> None:
        """Look at the books at *due*, if callbacks may go to that URL."""
        if not isinstance(find_target(notify_url, self._hosts), Target):
            return
        self._follows = True
        if due < self._planned:
            self.wake()

    def changed(self, order: Order, at: float) -> None:
        """Send the callback of what has become of an order, if there is one."""
        manner, rules = order.manner, self._rules()
        wanted = order.status != PROCESSING or manner.processing or rules.processing
        if not wanted or manner.silent or not rules.wanted:
            return
        make = partial(self._notification, order, amount=manner.amount, wrong_signature=manner.wrong_signature)
        notification = make(order.status, order.message, self._books.at_ms(at))
        if manner.disorder and order.status != PROCESSING:
            notification.behind = make(PROCESSING, message_of(PROCESSING), order.booked_at_ms)
        self._enter(notification, at + manner.delay)
        if manner.twice:
            self._enter(make(order.status, order.message, self._books.at_ms(at)), at + manner.delay)

    def send(self, order: Order, variation: Variation) -> None:
        """Send a callback by hand.

        Raises:
            ValueError: None may go to the ``notifyUrl`` of the order.
        """
        if isinstance(target := find_target(order.notify_url, self._hosts), Refused):
            raise ValueError(f"No callback goes to this notifyUrl: {target.why}.")  # noqa: TRY004  no type is wrong
        status = order.status if variation.status is None else variation.status
        own = order.message if status == order.status else message_of(status)
        now = self._clock()
        for _ in range(2 if variation.twice else 1):
            notification = self._notification(
                order,
                status,
                variation.message or own,
                self._books.at_ms(now),
                amount=variation.amount,
                wrong_signature=variation.wrong_signature,
                repeat=variation.repeat,
            )
            self._enter(notification, now + variation.delay)

    def begin(self) -> None:
        """The sandbox opens, in the event loop that runs."""
        self._loop = asyncio.get_running_loop()
        self._news, self._step = asyncio.Event(), asyncio.Event()

    def end(self) -> None:
        """The sandbox is closed: what was on its way then is sent after the next opening."""
        self._loop = None
        for notification, due in self._sending.items():
            self._put(due, notification)
        self._sending.clear()
        self._stepped()

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        async with anyio.create_task_group() as sending:
            while True:
                self._news.clear()
                self._books.catch_up()
                self._send_due(sending)
                with anyio.move_on_after(self._pause()):
                    await self._news.wait()

    async def sent(self) -> None:
        """Wait until no callback is due or on its way. Those that are due later are not waited for.

        Raises:
            RuntimeError: The sandbox is not open.
        """
        while True:
            self._books.catch_up()
            if not self._sending and not (self._queue and self._queue[0][0] <= self._clock()):
                return
            if self._loop is None:
                raise RuntimeError("The sandbox is not open: use `async with Sandbox(...) as sandbox`.")
            step = self._step
            self.wake()
            await step.wait()

    def wake(self) -> None:
        """Look at the clock and the queue again. May be called from any thread."""
        if (loop := self._loop) is None or loop.is_closed():
            return
        try:
            here = asyncio.get_running_loop() is loop
        except RuntimeError:
            here = False
        if here:
            self._news.set()
        else:
            loop.call_soon_threadsafe(self._news.set)

    def _notification(
        self,
        order: Order,
        status: str,
        message: str,
        at_ms: int,
        *,
        amount: str | None,
        wrong_signature: bool,
        repeat: bool = True,
    ) -> Notification:
        return Notification(
            number=next(self._numbers),
            order=order,
            status=status,
            message=message,
            at_ms=at_ms,
            amount=str(order.amount) if amount is None else amount,
            wrong_signature=wrong_signature,
            repeat=repeat,
        )

    def _enter(self, notification: Notification, due: float) -> None:
        """Put a callback into the queue, or into the journal if it cannot go anywhere."""
        target = find_target(notification.order.notify_url, self._hosts)
        if isinstance(target, Target) and len(self._queue) < MOST_WAITING:
            self._put(due, notification)
            return
        why = target.why if isinstance(target, Refused) else f"{MOST_WAITING:,} others wait"
        self._record(notification, Response(outcome="not_sent", problem=why), target.shown, None)

    def _put(self, due: float, notification: Notification) -> None:
        heapq.heappush(self._queue, (due, next(self._tie_break), notification))
        if due < self._planned:
            self.wake()

    def _send_due(self, sending: anyio.abc.TaskGroup) -> None:
        now = self._clock()
        while self._queue and self._queue[0][0] <= now and len(self._sending) < _AT_ONE_TIME:
            due, _, notification = heapq.heappop(self._queue)
            self._sending[notification] = due
            sending.start_soon(self._try, notification)
        self._stepped()

    def _pause(self) -> float | None:
        """Seconds until the queue or the books must be looked at again; None until something happens."""
        dues = [self._queue[0][0]] if self._queue and len(self._sending) < _AT_ONE_TIME else []
        if self._follows and (due := self._books.next_due) is not None:
            dues.append(due)
        self._planned = min(dues, default=math.inf)
        if not dues:
            return None
        pause = max(self._planned - self._clock(), 0) / self._clock.speed
        return pause if self._clock.is_real else min(pause, _GLANCE)

    async def _try(self, notification: Notification) -> None:
        target = find_target(notification.order.notify_url, self._hosts)
        sent_at = self._clock()
        response = await self._post(notification, target)
        del self._sending[notification]
        notification.tries += 1
        behind, notification.behind = notification.behind, None
        if behind is not None:
            self._enter(behind, self._clock())
        wait = None if response.outcome == "ok" else notification.next_wait()
        due = None if wait is None else self._clock() + wait
        self._record(notification, response, target.shown, due, sent_at=sent_at)
        if due is not None:
            self._put(due, notification)
        self._stepped()
        self.wake()

    async def _post(self, notification: Notification, target: Target | Refused) -> Response:
        if isinstance(target, Refused):
            return Response(outcome="not_sent", problem=target.why)
        rules = self._rules()
        try:
            body = body_of(notification, secret=rules.secret, position=rules.position)
            return await post(target, body, timeout=self._timeout)
        except Exception:
            # One callback must not end all others.
            logger.exception("The sandbox failed over a callback")
            return _BROKEN

    def _record(
        self,
        notification: Notification,
        response: Response,
        shown: str,
        due: float | None,
        *,
        sent_at: float | None = None,
    ) -> None:
        self.journal.add(
            CallbackRecord(
                number=self.journal.count + 1,
                callback=notification.number,
                at_ms=self._books.at_ms(self._clock() if sent_at is None else sent_at),
                trade_no=notification.order.trade_no[:256],
                status=notification.status,
                url=shown,
                attempt=max(notification.tries, 1),
                outcome=response.outcome,
                http_status=response.http_status,
                answer=response.beginning,
                problem=response.problem,
                wrong_signature=notification.wrong_signature,
                next_at_ms=None if due is None else self._books.at_ms(due),
            )
        )

    def _stepped(self) -> None:
        """Let those that wait for the queue look at it."""
        self._step.set()
        self._step = asyncio.Event()
