"""Calls for one payout at one time join: one of them works, the others get what it got."""

import asyncio
from collections.abc import Awaitable, Callable

import anyio
from attrs import define

from paypro_async._core.intent import Intent
from paypro_async._core.models import PayoutResult
from paypro_async.engine.closing import Closing
from paypro_async.engine.limits import Limits
from paypro_async.errors import (
    IdempotencyConflictError,
    LedgerUnavailableError,
    OutcomeUnknownError,
    PayProError,
)

__all__ = ["SingleFlight"]

Pay = Callable[[Intent, Limits], Awaitable[PayoutResult]]


@define(eq=False)
class _Call:
    fingerprint: str
    done: asyncio.Event | None = None  # there once another call waits for it
    result: PayoutResult | None = None
    error: PayProError | None = None


class SingleFlight:
    """The calls of one client that are under way, by trade number."""

    def __init__(self, closing: Closing) -> None:
        self._closing = closing
        self._runtime = closing.runtime
        self._calls: dict[str, _Call] = {}

    async def run(self, intent: Intent, limits: Limits, pay: Pay) -> PayoutResult:
        """Pay, within the limits that are left for it, or wait for the call that does it already.

        Raises:
            IdempotencyConflictError: If the call under way pays something else under the same number.
        """
        if intent.trade_no not in self._calls:
            return await self._lead(intent, limits, pay)
        deadline = self._runtime.steady() + limits.timeout
        while (call := self._calls.get(intent.trade_no)) is not None:
            result = await self._join(call, intent, deadline - self._runtime.steady())
            if result is not None:
                return result
            # The one that worked was cancelled; one of those that waited takes over and asks.
        if self._closing.begun:
            raise OutcomeUnknownError(
                f"Payout {intent.trade_no} may have been made by a call that was cancelled, and the client is being "
                "closed. Money may have moved. Call again with the same trade_no; never use a new one.",
                trade_no=intent.trade_no,
            )
        try:
            return await self._lead(intent, limits.within(deadline - self._runtime.steady()), pay)
        except LedgerUnavailableError as error:
            # The call that was cancelled may have sent it.
            raise OutcomeUnknownError(
                f"Payout {intent.trade_no} may have been made by a call that was cancelled, and the ledger cannot say "
                "so now. Money may have moved. Call again with the same trade_no; never use a new one.",
                trade_no=intent.trade_no,
            ) from error

    async def _lead(self, intent: Intent, limits: Limits, pay: Pay) -> PayoutResult:
        call = self._calls[intent.trade_no] = _Call(intent.fingerprint)
        self._closing.enter()
        try:
            call.result = await pay(intent, limits)
        except PayProError as error:
            call.error = error
            raise
        else:
            return call.result
        finally:
            del self._calls[intent.trade_no]
            self._closing.leave()
            if call.done is not None:
                call.done.set()

    async def _join(self, call: _Call, intent: Intent, timeout: float) -> PayoutResult | None:
        if call.fingerprint != intent.fingerprint:
            raise IdempotencyConflictError(
                f"A payout with the trade_no {intent.trade_no} and another amount or beneficiary is under way. Nothing "
                "was sent by this call. Use a new trade_no for a new payout.",
                trade_no=intent.trade_no,
            )
        call.done = call.done or asyncio.Event()
        with anyio.move_on_after(max(0.0, timeout)):
            await call.done.wait()
            if call.error is not None:
                # Each caller gets an error of its own: a traceback belongs to one task.
                rebuild, arguments = call.error.__reduce__()[:2]
                raise rebuild(*arguments) from call.error
            return call.result
        raise OutcomeUnknownError(
            f"Another call is paying {intent.trade_no} and had no outcome after {timeout:.3g} s. Money may have moved. "
            "Call again with the same trade_no and content; never use a new one.",
            trade_no=intent.trade_no,
            elapsed=timeout,
        )
