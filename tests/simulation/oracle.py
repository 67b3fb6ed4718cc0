"""What must never be, looked at after each write to the network or the store, each booking and each answer to a caller.

It knows what no process can know: what is booked, and what is still under way and may be booked.
"""

from typing import Any

from paypro_async import (
    ClientStateError,
    Entry,
    IdempotencyConflictError,
    NotSentError,
    OutcomeNotRecordedError,
    OutcomeUnknownError,
    PayoutResult,
    PayoutStatus,
    ReviewRequiredError,
    State,
)
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import LEGAL
from paypro_async._core.outcome import Verdict
from tests.simulation.loop import Process
from tests.simulation.platform import Order, Request
from tests.simulation.store import _at_once
from tests.simulation.trace import Violation
from tests.support.merchant import MERCHANT_NO

# Written down here once more, and not taken from the product: what is final moves in no other way.
_FROM_FINAL = {(State.SUCCEEDED, State.REVERSED), (State.FAILED, State.REVIEW)}
_FINAL = (State.SUCCEEDED, State.FAILED, State.REVERSED)
_AFTER = {
    Verdict.PAID: (State.SUCCEEDED, State.REVERSED, State.REVIEW),
    Verdict.FAILED: (State.FAILED, State.REVERSED, State.REVIEW),
    Verdict.PROCESSING: (State.PROCESSING, *_FINAL, State.REVIEW),
}
_STATE_OF = {
    PayoutStatus.PROCESSING: State.PROCESSING,
    PayoutStatus.SUCCEEDED: State.SUCCEEDED,
    PayoutStatus.FAILED: State.FAILED,
    PayoutStatus.REVERSED: State.REVERSED,
}


def _as_sent(entry: Entry) -> dict[str, str]:
    """What leaves of a payout: what is stored, and its number as a remark if it has none."""
    return {"remark": entry.trade_no, **entry.content}


class Oracle:
    """Judges one world."""

    def __init__(self, world: Any) -> None:
        self.world = world

    def violate(self, kind: str, what: str) -> None:
        """End the world with this finding, unless there was one before."""
        if self.world.loop.broken is None:
            self.world.trace.add(self.world.loop.now, "ORACLE", kind + ":", what)
            self.world.loop.broken = Violation(self.world.seed, kind, what, self.world.trace.text())

    def written(self, fields: dict[str, str], process: Process) -> None:
        """The first byte of a payout leaves now."""
        trade_no = fields["tradeNo"]
        entry = self.world.store.entry(trade_no)
        if entry is None:
            self.violate("sent before stored", f"{process.name} sends {trade_no}, of which the ledger knows nothing")
            return
        content = {name: value for name, value in fields.items() if name not in ("timestamp", "sign")}
        if content != _as_sent(entry):
            self.violate("sent with other content", f"{trade_no} was stored with other content")
        if self.world.weather.laggard or trade_no in self.world.platform.foreign:
            return  # Another send is harmless there; and a foreign order may be found between announcement and send.
        if entry.state is not State.SENDING:
            self.violate("sent though not announced", f"{trade_no} is {entry.state} in the ledger")
        if self._may_exist(trade_no):
            self.violate("sent twice", f"{trade_no} is booked or may still be booked")

    def booked(self, request: Request) -> None:
        """Money moves, or will."""
        trade_no = request.trade_no
        entry = self.world.store.entry(trade_no)
        if len(self.world.platform.orders[trade_no]) > 1:
            self.violate("booked twice", f"{trade_no} is booked a second time")
        if entry is None or _as_sent(entry) != request.content:
            self.violate("booked otherwise", f"{trade_no} is booked with content that the ledger does not hold")
        elif entry.state is not State.SENDING and not self.world.weather.laggard:
            self.violate("booked though not announced", f"{trade_no} is booked, and {entry.state} in the ledger")

    def stored(self, who: str, before: Entry | None, now: Entry, wish: Any) -> None:
        """The store has written."""
        trade_no, strict = now.trade_no, not self.world.weather.laggard
        announced = before is None or now.attempt > before.attempt
        if before is not None and isinstance(wish, Intent):
            self.violate("claimed twice", f"{who} claims {trade_no}, which was there")
        if before is not None:
            self._moved(before, now, wish)
        if strict and announced and self._may_exist(trade_no):
            self.violate("announced twice", f"{who} announces {trade_no} again, which is booked or may still be")
        if strict and now.state is State.NEW and self._may_exist(trade_no):
            self.violate("called unsent", f"{who} puts {trade_no} back to new, and it is booked or may still be")
        if now.state in (*_FINAL, State.PROCESSING) and (before is None or before.state is not now.state):
            self._true(trade_no, now.state, f"{who} stores that {trade_no} is {now.state}")

    def merged(self, now: Entry, verdict: Verdict) -> None:
        """What a callback says has been brought together with what was stored."""
        if now.state not in _AFTER.get(verdict, tuple(State)):
            self.violate("not heard", f"a callback says {verdict.value}, and {now.trade_no} is {now.state}")

    def result(self, call: Any, result: PayoutResult) -> None:
        """A caller is told an outcome."""
        trade_no, who = result.trade_no, f"{call} is told that {result.trade_no} is {result.status.value}"
        self._true(trade_no, _STATE_OF[result.status], who)
        entry = self.world.store.entry(trade_no)
        if entry is None or call.content(trade_no) != entry.content["amount"]:
            self.violate("told about another payout", f"{who}, which is another payout than the one it gave")

    def error(self, call: Any, trade_no: str, error: BaseException) -> None:
        """A caller gets an exception."""
        if isinstance(error, OutcomeNotRecordedError):
            self.result(call, error.result)
        elif isinstance(error, NotSentError):
            mine = [one for one in self.world.platform.requests[trade_no] if one.call is call]
            booked = any(one.order is not None or self._may_book(one) for one in mine)
            if booked and not self.world.weather.laggard:
                self.violate("called unsent", f"{call} gets {type(error).__name__} for {trade_no}, which it sent")
        elif isinstance(error, IdempotencyConflictError):
            if not self.world.weather.edits:
                self.violate("no conflict", f"{call} gets a conflict for {trade_no}, of which there is one content")
        elif isinstance(error, ReviewRequiredError):
            entry = self.world.store.entry(trade_no)
            if entry is None or entry.state is not State.REVIEW:
                self.violate("no review", f"{call} is told of a review of {trade_no}")
        elif isinstance(error, ClientStateError) and call.process.closing:
            return
        elif not isinstance(error, OutcomeUnknownError):
            self.violate("unexpected error", f"{call} gets {error!r} for {trade_no}")

    def ends(self, trade_no: str) -> None:
        """The world has come to rest: is this payout explained, and do the books agree?"""
        entry = self.world.store.entry(trade_no)
        orders = self.world.platform.orders[trade_no]
        if entry is None:
            self.violate("lost", f"the ledger knows nothing of {trade_no}")
            return
        self._history(entry)
        if entry.state in _FINAL:
            self._true(trade_no, entry.state, f"in the end {trade_no} is {entry.state}")
        elif entry.state is not State.REVIEW:
            self.violate("not explained", f"in the end {trade_no} is {entry.state}, orders: {len(orders)}")
        elif not self._needs_a_person(orders):
            self.violate("review without need", f"in the end {trade_no} waits for a person")

    def _needs_a_person(self, orders: list[Order]) -> bool:
        weather = self.world.weather
        # What was said before it failed may be read after it is known to have failed, and looks like a contradiction.
        contradicts = any(order.ever_failed for order in orders)
        return contradicts or weather.unique or not weather.resend

    def _history(self, entry: Entry) -> None:
        events = _at_once(self.world.store.ledger.history(MERCHANT_NO, entry.trade_no))
        state, attempt = None, 0
        for event in events:
            legal = event.cause in LEGAL.get((state, event.to), ()) if state else event.to is State.SENDING
            if event.before is not state or not legal or event.attempt not in (attempt, attempt + 1):
                self.violate("history", f"{entry.trade_no} goes from {state} #{attempt} to {event}")
            state, attempt = event.to, event.attempt
        if (state, attempt) != (entry.state, entry.attempt):
            self.violate("history", f"{entry.trade_no} ends as {state} #{attempt} and is {entry.state}")

    def _moved(self, before: Entry, now: Entry, wish: Any) -> None:
        trade_no = now.trade_no
        moved = before.state is not now.state
        if moved and before.state in _FINAL and (before.state, now.state) not in _FROM_FINAL:
            self.violate("final moved", f"{trade_no} goes from {before.state} to {now.state} by {wish.cause}")
        if now.content != before.content or now.fingerprint != before.fingerprint:
            self.violate("content changed", f"{trade_no} is stored with other content than before")
        if not before.attempt <= now.attempt <= before.attempt + 1:
            self.violate("attempts", f"{trade_no} goes from attempt {before.attempt} to {now.attempt}")
        again = before.state is State.SENDING and now.attempt > before.attempt
        if again and not self.world.weather.resend:
            self.violate("sent again unasked", f"{trade_no} is announced again, and resend is 'never'")
        if before.state is State.REVIEW and now.state is not State.REVIEW:
            self.violate("review left", f"nobody has decided, and {trade_no} goes from review to {now.state}")

    def _true(self, trade_no: str, state: State, who: str) -> None:
        orders = self.world.platform.orders[trade_no]
        if state is State.FAILED:
            alive = [order for order in orders if not order.ever_failed]
            false = bool(alive) or any(self._may_book(one) for one in self.world.platform.requests[trade_no])
        elif state is State.SUCCEEDED:
            false = not any(order.ever_paid for order in orders)
        elif state is State.REVERSED:
            false = not any(order.ever_paid and order.ever_failed for order in orders)
        else:
            false = not orders
        if false:
            self.violate(f"called {state}", f"{who}, orders: {len(orders)}")

    def _may_book(self, request: Request) -> bool:
        repeated = self.world.weather.unique and self.world.platform.orders[request.trade_no]
        taken = request.trade_no in self.world.platform.foreign
        return request.may_book and not repeated and not taken

    def _may_exist(self, trade_no: str) -> bool:
        if self.world.platform.orders[trade_no]:
            return True
        return any(self._may_book(one) for one in self.world.platform.requests[trade_no])
