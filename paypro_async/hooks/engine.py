"""The engine and the platform of a client with hooks: as those without, and what begins and ends in them is told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from attrs import frozen

from paypro_async._core.events import RequestKind
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Entry
from paypro_async._core.models import Balance, PayoutResult
from paypro_async._core.outcome import Outcome
from paypro_async._core.retry import Action
from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.engine.flight import Flight
from paypro_async.engine.limits import Limits
from paypro_async.engine.payout import Engine
from paypro_async.engine.platform import Platform
from paypro_async.engine.readiness import Ready
from paypro_async.hooks.calls import Call, call_at_work
from paypro_async.hooks.watcher import ClientWatcher

__all__ = ["WatchedEngine", "WatchedPlatform"]

T = TypeVar("T")


@frozen(kw_only=True, eq=False)
class WatchedEngine(Engine):
    """Tells of each call, from the intent to what its caller gets.

    Args:
        watcher: Whom it tells.
    """

    watcher: ClientWatcher

    async def pay(self, intent: Intent, limits: Limits) -> PayoutResult:
        """Take one payout as far as the limits allow."""
        before = call_at_work.set(None)
        try:
            return await super().pay(intent, limits)
        except asyncio.CancelledError as error:
            if (call := call_at_work.get()) is not None:
                self.watcher.payout_ended(call, intent.trade_no, error, known=None)
            raise
        finally:
            call_at_work.reset(before)

    async def begin(self, intent: Intent, limits: Limits, *, ready: Ready | None = None) -> Flight:
        """Store the intent, or find what is stored."""
        call = self.watcher.payout_started(intent, began=self.session.runtime.steady())
        call_at_work.set(call)
        try:
            flight = await super().begin(intent, limits, ready=ready)
        except BaseException as error:
            self.watcher.payout_ended(call, intent.trade_no, error, known=None)
            raise
        flight.call = call
        return flight

    async def act(self, flight: Flight, action: Action) -> None:
        """Carry out one step and store what it taught."""
        call = flight.call
        before = call_at_work.set(call if isinstance(call, Call) else None)
        try:
            await super().act(flight, action)
        except Exception as error:
            self._ended(flight, error)
            raise
        finally:
            call_at_work.reset(before)

    def result(self, flight: Flight) -> PayoutResult:
        """What is known in the end, or the error that says why nothing is."""
        try:
            result = super().result(flight)
        except Exception as error:
            self._ended(flight, error)
            raise
        self._ended(flight, result)
        return result

    def _ended(self, flight: Flight, found: PayoutResult | BaseException) -> None:
        if isinstance(flight.call, Call):
            self.watcher.payout_ended(flight.call, flight.entry.trade_no, found, known=flight.entry)


@frozen(kw_only=True, eq=False)
class WatchedPlatform(Platform):
    """Tells of each exchange.

    Args:
        watcher: Whom it tells.
    """

    watcher: ClientWatcher

    async def pay(self, request: WireRequest, entry: Entry, *, timeout: float) -> tuple[Outcome, Exchange]:
        """Send a signed payout and read what became of it."""
        kind, number, attempt = RequestKind.PAYOUT, entry.trade_no, entry.attempt
        asked = self.watcher.request_started(kind, request.url, trade_no=number, attempt=attempt)
        try:
            outcome, exchange = await super().pay(request, entry, timeout=timeout)
        except BaseException as error:
            asked.broke_off(error)
            raise
        asked.ended(outcome, phase=exchange.phase, status=exchange.status)
        return outcome, exchange

    async def query(self, trade_no: str, *, entry: Entry | None = None, timeout: float) -> Outcome:
        """Ask for one payout."""

        async def ask() -> Outcome:
            return await super(WatchedPlatform, self).query(trade_no, entry=entry, timeout=timeout)

        return await self._asked(RequestKind.QUERY, self.spec.query_path, ask, lambda outcome: outcome, trade_no)

    async def balance(self, *, timeout: float) -> tuple[Outcome, Balance | None]:
        """Ask for the balance."""

        async def ask() -> tuple[Outcome, Balance | None]:
            return await super(WatchedPlatform, self).balance(timeout=timeout)

        return await self._asked(RequestKind.BALANCE, self.spec.balance_path, ask, lambda answer: answer[0], None)

    async def _asked(
        self,
        kind: RequestKind,
        path: str,
        ask: Callable[[], Awaitable[T]],
        outcome_of: Callable[[T], Outcome],
        trade_no: str | None,
    ) -> T:
        asked = self.watcher.request_started(kind, self.base_url + path, trade_no=trade_no)
        try:
            answer = await ask()
        except BaseException as error:
            asked.broke_off(error)
            raise
        outcome = outcome_of(answer)
        asked.ended(outcome, phase=outcome.phase, status=outcome.http_status)
        return answer
