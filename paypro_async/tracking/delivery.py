"""Changes told to a handler: each at least once, in order per payout, whoever made it and whichever process dies.

::

    ledger: what is due is lent ─▶ handler ─▶ ledger: told
                  ▲                   │
                  └── put off, parked ┘  it raised, or took too long

What is lent to a process that dies is lent to another when its time is over. So a handler may hear of a change again,
under the same ``id``. Nothing here touches a payment: a handler that fails keeps back the changes of its payout alone.
"""

import asyncio
import inspect
import re
import secrets
from collections.abc import Awaitable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, Self, TypeVar

from attrs import define, field, frozen

from paypro_async._core.known import OnChange
from paypro_async._core.lifecycle import Entry
from paypro_async.engine.closing import Closing
from paypro_async.engine.news import News
from paypro_async.engine.session import Session
from paypro_async.errors import ConfigurationError, LedgerUnavailableError, PayProError
from paypro_async.ledger import Ledger
from paypro_async.ledger.base import LedgerClosedError
from paypro_async.ledger.outbox import Lent, Outbox
from paypro_async.ledger.patience import answer_within
from paypro_async.log import logger
from paypro_async.runtime import Runtime

__all__ = ["Delivery", "Listener", "check_outbox", "outbox_answer"]

T = TypeVar("T")

AT_ONE_TIME = 16
"""How many changes are handled at one time, each of another payout."""
MOST_TRIES = 12
"""After so many a change is parked: some twenty minutes."""
HANDLER_SECONDS = 60.0
_LEASE_SECONDS = 30.0
_RENEW_SECONDS = 10.0
_FIRST_BACKOFF, _LONGEST_BACKOFF = 1.0, 300.0
# What this process writes is heard of at once; what others write, in a look about so often.
_LOOK_SECONDS = 0.5
_LONGEST_LOOK = 1.0
_ENDING_SECONDS = 5.0
_CANCELLING_SECONDS = 5.0
"""After its time, that a handler may take to end."""
_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)

_inside: "ContextVar[tuple[object, int] | None]" = ContextVar("paypro_async_handler", default=None)
"""In whose handler, and of which change, this code runs."""


@frozen
class Listener:
    """Who is told, as a client was given it.

    Args:
        handler: An ``async def`` function; None if nobody is told.
        consumer: The name under which the ledger remembers what was told.
    """

    handler: OnChange | None
    consumer: str

    @classmethod
    def of(cls, handler: OnChange | None, consumer: object, ledger: object) -> Self:
        """A listener to *ledger*.

        Raises:
            ConfigurationError: If the handler cannot be awaited, the name is none, or the ledger tells nobody.
        """
        if handler is not None:
            _check_handler(handler)
            check_outbox(ledger)
        if not isinstance(consumer, str) or not _NAME.fullmatch(consumer):
            raise ConfigurationError(
                "consumer must be 1 to 64 letters, digits, '-', '_' and '.'. Nothing was sent. It is the name under "
                "which the ledger remembers what was told, so processes that share the work have the same one."
            )
        return cls(handler, consumer)


def _check_handler(handler: object) -> None:
    while isinstance(handler, partial):
        handler = handler.func
    called = getattr(type(handler), "__call__", None)  # noqa: B004  which kind of function it is
    if not inspect.iscoroutinefunction(handler) and not inspect.iscoroutinefunction(called):
        raise ConfigurationError(
            "on_change is no 'async def' function. Nothing was sent. Give one that takes a PayoutChange; from it, "
            "'await anyio.to_thread.run_sync(…)' calls a function that blocks."
        )


def check_outbox(ledger: object) -> Outbox:
    """The ledger as an outbox.

    Raises:
        ConfigurationError: If it is none.
    """
    if ledger is None:
        raise ConfigurationError(
            "Without a ledger nobody hears of changes. Nothing was sent. Give ledger='sqlite:///payouts.db'."
        )
    if not isinstance(ledger, Outbox):
        raise ConfigurationError(
            "The ledger tells nobody of changes: it is of another kind than those of this package, and has none of "
            "the methods of paypro_async.ledger.outbox.Outbox. Nothing was sent. Use another ledger, or give no "
            "on_change and no watch()."
        )
    return ledger


async def outbox_answer(seconds: float, ledger: Ledger, answer: Awaitable[T]) -> T:
    """What a ledger answers in time, of whatever kind it is.

    Raises:
        LedgerUnavailableError: If it does not, or fails: one of a user's own may raise anything, and work again soon.
    """
    try:
        return await answer_within(seconds, ledger, answer)
    except PayProError:
        raise
    except Exception as error:
        raise LedgerUnavailableError(f"The ledger failed with {type(error).__name__}.") from error


@frozen(eq=False)
class _Telling:
    """A change whose handler runs, and when it is left behind if it does not even end when it is cancelled."""

    lent: Lent
    task: "asyncio.Task[None]"
    late_at: float


@define(kw_only=True, eq=False)
class Delivery:
    """Tells one handler, together with all processes whose consumer has the same name.

    Args:
        outbox: The ledger, and *ledger* the same; each of its answers is waited for so many seconds (*patience*).
        merchant_no: Whose payouts.
        consumer: The name under which the ledger remembers what was told.
        handler: Awaited with each change.
        news: What this process writes.
        closing: Of the client: from when it is begun no other change is.
        runtime: Clock and dice.
    """

    outbox: Outbox
    ledger: Ledger
    patience: float
    merchant_no: str
    consumer: str
    handler: OnChange
    news: News
    runtime: Runtime
    closing: Closing
    _owner: str = field(factory=lambda: secrets.token_hex(8), init=False)
    _running: dict[int, _Telling] = field(factory=dict, init=False)
    _left_behind: "set[asyncio.Task[None]]" = field(factory=set, init=False)
    _handled: list[int] = field(factory=list, init=False)
    _wake: asyncio.Event = field(factory=asyncio.Event, init=False)
    _task: "asyncio.Task[None] | None" = field(default=None, init=False)
    _stopping: bool = field(default=False, init=False)
    _renewed_at: float = field(default=0.0, init=False)
    _complained: bool = field(default=False, init=False)

    @classmethod
    async def prepare(cls, listener: Listener, ledger: Ledger | None, session: Session) -> "Delivery | None":
        """A delivery that can be started, and that the ledger knows; None if nobody is told.

        It begins with what is written from now on, or goes on where this consumer was.
        """
        if listener.handler is None or ledger is None:
            return None
        delivery = cls(
            outbox=check_outbox(ledger),
            ledger=ledger,
            patience=session.times.timeout,
            merchant_no=session.platform.merchant_no,
            consumer=listener.consumer,
            handler=listener.handler,
            news=session.news,
            runtime=session.runtime,
            closing=session.closing,
        )
        await delivery._answer(delivery.outbox.register(delivery.merchant_no, delivery.consumer))
        return delivery

    def start(self) -> None:
        """Begin to tell, in a task of its own."""
        self.news.listen(self._hear)
        self._task = asyncio.ensure_future(self._run())

    async def aclose(self) -> None:
        """Begin with no other change, let handlers end, and give back at once what was not told."""
        self._stopping = True
        self.news.leave(self._hear)
        self._wake.set()
        # A handler that closes the client cannot be waited for: it waits for this itself.
        inside, number = _inside.get() or (None, 0)
        others = [one.task for key, one in self._running.items() if (self, key) != (inside, number)]
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_ENDING_SECONDS)
            self._task.cancel()
        if others:
            _, late = await asyncio.wait(others, timeout=_ENDING_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_ENDING_SECONDS / 10)
        if self._handled:
            await self._patiently(
                self.outbox.told(self.merchant_no, self.consumer, tuple(self._handled), owner=self._owner)
            )
        if left := list(self._running):
            await self._patiently(self._keep(left, 0.0))

    def _hear(self, _: Entry) -> None:
        self._wake.set()

    async def _run(self) -> None:
        idle, failures = 0, 0
        while not self._stopping or self._handled:
            self._wake.clear()
            try:
                begun = await self._step()
                failures = 0
                if self._complained:
                    self._complained = False
                    logger.info("Changes are told again.")
                idle = 0 if begun else idle + 1
                pause = 0.0 if begun else self._look(idle)
            except LedgerClosedError:
                return
            except LedgerUnavailableError as error:
                if self._stopping:
                    return
                self._complain(error)
                failures += 1
                pause = min(5.0, 0.1 * 2**failures)
            if not self._stopping or self._handled:
                await self._rest(pause)

    def _complain(self, error: LedgerUnavailableError) -> None:
        if not self._complained:
            self._complained = True
            logger.warning("Changes wait to be told, and payouts go on: %s", error)

    async def _step(self) -> int:
        """Store what was handled, and begin with what is due; how many those are."""
        if handled := tuple(self._handled):
            await self._answer(self.outbox.told(self.merchant_no, self.consumer, handled, owner=self._owner))
            del self._handled[: len(handled)]  # Others may have ended while that was stored.
        now = self.runtime.steady()
        await self._leave_behind([one for one in self._running.values() if now > one.late_at])
        if self._running and now - self._renewed_at > _RENEW_SECONDS:
            await self._answer(self._keep(list(self._running), _LEASE_SECONDS))
            self._renewed_at = now
        free = AT_ONE_TIME - len(self._running)
        if self._has_to_stop() or free <= 0:
            return 0
        lent = await self._answer(
            self.outbox.take(self.merchant_no, self.consumer, owner=self._owner, limit=free, seconds=_LEASE_SECONDS)
        )
        if self._has_to_stop():
            await self._answer(self._keep([one.number for one in lent], 0.0))
            return 0
        if not self._running:
            self._renewed_at = now
        for one in lent:
            if one.number not in self._running:
                late_at = now + HANDLER_SECONDS + _CANCELLING_SECONDS
                self._running[one.number] = _Telling(one, asyncio.ensure_future(self._tell(one)), late_at)
        return len(lent)

    def _has_to_stop(self) -> bool:
        # A handler that is begun while calls come to their end could not use the client any more.
        return self._stopping or self.closing.begun

    async def _leave_behind(self, late: Sequence[_Telling]) -> None:
        """Let others have the places of handlers that go on although they were cancelled."""
        for one in late:
            self._left_behind.add(one.task)  # A loop holds its tasks weakly.
            one.task.add_done_callback(self._left_behind.discard)
            self._running.pop(one.lent.number, None)
            await self._failed(one.lent, f"not done in {HANDLER_SECONDS:.0f} s, and goes on although it was cancelled")

    def _look(self, idle: int) -> float:
        """Seconds until the next look, after so many that found nothing: processes should not look all at one time."""
        return min(_LONGEST_LOOK, _LOOK_SECONDS * (1 + idle / 10)) * (0.75 + self.runtime.chance() / 4)

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until something was written or handled here."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _tell(self, lent: Lent) -> None:
        """Call the handler, and note how that ended."""
        _inside.set((self, lent.number))
        limit, why, raised = asyncio.timeout(HANDLER_SECONDS), "", None
        try:
            async with limit:
                await self.handler(lent.change)
        except asyncio.CancelledError:
            why = "CancelledError"
        except Exception as error:  # noqa: BLE001  whatever a handler raises, no payment is touched by it
            why, raised = f"not done in {HANDLER_SECONDS:.0f} s" if limit.expired() else type(error).__name__, error
        if asyncio.current_task() in self._left_behind:
            return  # It was counted as one that has failed.
        try:
            if why:
                await self._failed(lent, why, raised)
            else:
                self._handled.append(lent.number)
        finally:
            self._running.pop(lent.number, None)
            self._wake.set()

    async def _failed(self, lent: Lent, why: str, error: Exception | None = None) -> None:
        """Let it come again later, or park it after too many tries."""
        if self._has_to_stop():
            # It may have used the client that is being closed, which is not its fault.
            logger.info("The handler of payout %s ended with %s as the client was closed.", lent.change.trade_no, why)
            await self._patiently(self._keep([lent.number], 0.0))
            return
        tries, change = lent.tries + 1, lent.change
        if tries >= MOST_TRIES:
            logger.error(
                "The handler of changes has failed %d times with payout %s (%s: %s), and is not tried again. No "
                "payment is touched. Later changes of this payout wait behind it. Mend the handler, then run 'paypro "
                "ledger release %s'.",
                *(tries, change.trade_no, change.status.value, why, change.trade_no),
            )
            seconds = None
        else:
            backoff = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** (tries - 1))
            seconds = backoff * (0.5 + self.runtime.chance() / 2)
            logger.warning(
                "The handler of changes has failed with payout %s (%s: %s). It is tried again in %.1f s (try %d of "
                "%d); no payment is touched.",
                *(change.trade_no, change.status.value, why, seconds, tries + 1, MOST_TRIES),
                exc_info=error,
            )
        await self._patiently(
            self.outbox.put_off(
                self.merchant_no, self.consumer, lent.number, owner=self._owner, seconds=seconds, error=why
            )
        )

    def _keep(self, numbers: list[int], seconds: float) -> Awaitable[None]:
        """Let those stay lent for so many seconds from now; none gives them back."""
        return self.outbox.keep(self.merchant_no, self.consumer, numbers, owner=self._owner, seconds=seconds)

    async def _answer(self, answer: Awaitable[T]) -> T:
        """What the ledger answers, in time: one that never does would keep for good what was lent."""
        return await outbox_answer(self.patience, self.ledger, answer)

    async def _patiently(self, writing: Awaitable[Any]) -> None:
        """Write it, or leave it: what is not written comes again once its time is over."""
        try:
            await self._answer(writing)
        except LedgerUnavailableError as error:
            self._complain(error)
