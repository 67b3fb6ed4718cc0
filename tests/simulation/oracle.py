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
    RateLimitedError,
    ReviewRequiredError,
    State,
)
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import LEGAL, Cause, Event, Reply
from paypro_async._core.outcome import Verdict
from tests.simulation.loop import Process
from tests.simulation.platform import Order, Request
from tests.simulation.replies import PAID
from tests.simulation.store import _at_once
from tests.simulation.trace import Violation
from tests.support.merchant import MERCHANT_NO

# Written down here once more, and not taken from the product: what is final moves in no other way.
_FROM_FINAL = {(State.SUCCEEDED, State.REVERSED), (State.FAILED, State.REVIEW), (State.REVERSED, State.REVIEW)}
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
_SAME_REFUSALS = 5  # after so many alike in a row a batch begins no more, unless it is told to


def _as_sent(entry: Entry) -> dict[str, str]:
    """What leaves of a payout: what is stored, and its number as a remark if it has none."""
    return {"remark": entry.trade_no, **entry.content}


def _believes(event: Event) -> bool:
    """Whether the platform was believed that it knows no such order, of an attempt that may have left."""
    back = (event.before, event.to) == (State.SENDING, State.NEW)
    return back and event.cause in (Cause.QUERY, Cause.RECONCILE) and event.code is None


class Oracle:
    """Judges one world."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self._may_be_resent: dict[str, bool] = {}  # as those want it who claimed the payout

    def violate(self, kind: str, what: str) -> None:
        """End the world with this finding, unless there was one before."""
        if self.world.loop.broken is None:
            self.world.trace.add(self.world.loop.now, "ORACLE", kind + ":", what)
            self.world.loop.broken = Violation(self.world.seed, kind, what, self.world.trace.text())

    def written(self, fields: dict[str, str], process: Process, call: Any) -> None:
        """The first byte of a payout leaves now."""
        trade_no = fields["tradeNo"]
        entry = self.world.store.entry(trade_no)
        self._burnt(trade_no, call)
        if self._may_be_forgotten(self.world.loop.now):
            return
        if entry is None:
            self.violate("sent before stored", f"{process.name} sends {trade_no}, of which the ledger knows nothing")
            return
        content = {name: value for name, value in fields.items() if name not in ("timestamp", "sign")}
        if content != _as_sent(entry):
            self.violate("sent with other content", f"{trade_no} was stored with other content")
        if self.world.weather.laggard or trade_no in self.world.platform.foreign:
            return  # Another send is harmless there; and a foreign order may be found between announcement and send.
        if entry.state is not State.SENDING and trade_no not in self.world.persons.held:
            self.violate("sent though not announced", f"{trade_no} is {entry.state} in the ledger")
        if self._may_exist(trade_no):
            self.violate("sent twice", f"{trade_no} is booked or may still be booked")

    def booked(self, request: Request) -> None:
        """Money moves, or will."""
        trade_no, account = request.trade_no, request.content["bankNumber"]
        entry, platform = self.world.store.entry(trade_no), self.world.platform
        if len([order for order in platform.orders[trade_no] if not order.written_off]) > 1:
            self.violate("booked twice", f"{trade_no} is booked a second time")
        orders = [one for known in platform.orders.values() for one in known if one.account == account and not one.dead]
        if len(orders) > self.world.merchant.promised[account]:
            numbers = ", ".join(one.trade_no for one in orders)
            self.violate("beneficiary paid twice", f"{account} is paid more often than the file says, by {numbers}")
        if self._may_be_forgotten(request.at):
            return
        if entry is None or _as_sent(entry) != request.content:
            self.violate("booked otherwise", f"{trade_no} is booked with content that the ledger does not hold")
        elif self.world.weather.laggard or trade_no in self.world.persons.held:
            return
        elif entry.state is not State.SENDING:
            self.violate("booked though not announced", f"{trade_no} is booked, and {entry.state} in the ledger")

    def stored(self, process: Process, before: Entry | None, now: Entry, wish: Any) -> None:
        """The store has written."""
        who, trade_no, strict = process.name, now.trade_no, not self.world.weather.laggard
        announced = now.attempt > (before.attempt if before else 0)
        if before is not None and isinstance(wish, Intent):
            self.violate("claimed twice", f"{who} claims {trade_no}, which was there")
        if before is None:
            self._may_be_resent[trade_no] = process.settings.resend
        else:
            self._moved(process, before, now, wish)
        if strict and announced and self._may_exist(trade_no):
            self.violate("announced twice", f"{who} announces {trade_no} again, which is booked or may still be")
        unsent = now.state is State.NEW and before is not None and before.state is not State.NEW
        if strict and unsent and self._may_exist(trade_no) and not self._asks_first(now, wish):
            self.violate("called unsent", f"{who} puts {trade_no} back to new, and it is booked or may still be")
        if now.state in (*_FINAL, State.PROCESSING) and (before is None or before.state is not now.state):
            self._true(trade_no, now.state, f"{who} stores that {trade_no} is {now.state}")
            self._blamed(now, wish, who)

    def acknowledged(self, callback: Any) -> None:
        """A callback was answered OK: what it says is stored, or what the platform said since of the same payout."""
        entry = self.world.store.entry(callback.trade_no)
        if entry is None or self.world.store.put_back_at is not None:
            return  # It is kept apart; or it was stored in a ledger that was put back since.
        # A failure may be that of an attempt before the last one: then what the platform said of it now is stored.
        # Nor is what was paid and has failed since, if the ledger heard of that first.
        orders = self.world.platform.orders[callback.trade_no]
        taken_back = entry.state is State.FAILED and any(order.ever_failed for order in orders)
        if callback.status == PAID and entry.state not in _AFTER[Verdict.PAID] and not taken_back:
            self.violate("not heard", f"a callback says that {entry.trade_no} is paid, and it is {entry.state}")

    def result(self, call: Any, result: PayoutResult) -> None:
        """A caller is told an outcome."""
        trade_no, who = result.trade_no, f"{call} is told that {result.trade_no} is {result.status.value}"
        self._true(trade_no, _STATE_OF[result.status], who)
        entry = self.world.store.entry(trade_no)
        if entry is None and self.world.store.put_back_at is not None:
            return  # It was told in time; nobody asked the ledger since.
        if entry is None or call.content(trade_no) != entry.content["amount"]:
            self.violate("told about another payout", f"{who}, which is another payout than the one it gave")

    def error(self, call: Any, trade_no: str, error: BaseException) -> None:
        """A caller gets an exception."""
        if isinstance(error, OutcomeNotRecordedError):
            self.result(call, error.result)
        elif isinstance(error, NotSentError):
            mine = [one for one in self.world.platform.requests[trade_no] if one.call is call]
            # HTTP 429 says that it was not accepted; that it is asked about all the same is a precaution.
            mine = [one for one in mine if one.shape != "429 after booking" or not isinstance(error, RateLimitedError)]
            booked = any(one.order is not None or self._may_book(one) for one in mine)
            if booked and not self.world.weather.laggard:
                self.violate("called unsent", f"{call} gets {type(error).__name__} for {trade_no}, which it sent")
        elif isinstance(error, IdempotencyConflictError):
            if not self.world.weather.edits:
                self.violate("no conflict", f"{call} gets a conflict for {trade_no}, of which there is one content")
        elif isinstance(error, ReviewRequiredError):
            entry = self.world.store.entry(trade_no)
            since = self.world.weather.persons or self.world.store.put_back_at is not None
            if not since and (entry is None or entry.state is not State.REVIEW):
                self.violate("no review", f"{call} is told that a person must decide about {trade_no}")
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
            self._true(trade_no, entry.state, f"in the end {trade_no} is {entry.state}", at_the_end=True)
        elif entry.state is not State.REVIEW:
            if not self.cannot_be_known(entry):
                self.violate("not explained", f"in the end {trade_no} is {entry.state}, orders: {len(orders)}")
        elif not self._needs_a_person(trade_no, orders):
            self.violate("review without need", f"in the end {trade_no} waits for a person")

    def cannot_be_known(self, entry: Entry) -> bool:
        """Whether it may have left, there is no order, and the platform never says so in a way that is understood."""
        told = entry.reply in (Reply.BUSY, Reply.CALLER) or (entry.reply is Reply.REFUSED and not entry.doubt)
        silent = not self.world.weather.understood and self.world.platform.found(entry.trade_no) is None
        return silent and not told and entry.state in (State.NEW, State.SENDING)

    def _needs_a_person(self, trade_no: str, orders: list[Order]) -> bool:
        world = self.world
        # What was said before it failed may be read after it is known to have failed, and looks like a contradiction.
        contradicts = any(order.ever_failed or order.late or order.gone or order.came_back for order in orders)
        never = not world.weather.resend or not (world.weather.operator or world.weather.usual).resend
        partly = any(request.shape == "paid in part" for request in world.platform.requests[trade_no])
        return contradicts or never or partly or world.weather.unique or trade_no in world.persons.held

    def _history(self, entry: Entry) -> None:
        events = self._events(entry.trade_no)
        state, attempt = None, 0
        for event in events:
            legal = event.cause in LEGAL.get((state, event.to), ()) if state else event.to is State.SENDING
            if event.before is not state or not legal or event.attempt not in (attempt, attempt + 1):
                self.violate("history", f"{entry.trade_no} goes from {state} #{attempt} to {event}")
            state, attempt = event.to, event.attempt
        if (state, attempt) != (entry.state, entry.attempt):
            self.violate("history", f"{entry.trade_no} ends as {state} #{attempt} and is {entry.state}")

    def _events(self, trade_no: str) -> list[Event]:
        return _at_once(self.world.store.ledger.history(MERCHANT_NO, trade_no))

    def _moved(self, process: Process, before: Entry, now: Entry, wish: Any) -> None:
        trade_no = now.trade_no
        moved = before.state is not now.state
        if moved and before.state in _FINAL and (before.state, now.state) not in _FROM_FINAL:
            self.violate("final moved", f"{trade_no} goes from {before.state} to {now.state} by {wish.cause}")
        if now.content != before.content or now.fingerprint != before.fingerprint:
            self.violate("content changed", f"{trade_no} is stored with other content than before")
        if not before.attempt <= now.attempt <= before.attempt + 1:
            self.violate("attempts", f"{trade_no} goes from attempt {before.attempt} to {now.attempt}")
        if now.attempt > before.attempt:
            self._again(process, before)
        if before.state is State.REVIEW and moved and wish.cause is not Cause.PERSON:
            self.violate("review left", f"nobody has decided, and {trade_no} goes from review to {now.state}")

    def _again(self, process: Process, before: Entry) -> None:
        """What may have left is announced once more, if those allow it who claimed it, and who announces it."""
        trade_no = before.trade_no
        allowed = self._may_be_resent[trade_no]
        if before.state is State.SENDING:
            allowed &= process.settings.resend
        elif trade_no in self.world.persons.paid_again or not any(map(_believes, self._events(trade_no))):
            return  # It was never sent without an answer, or a person wants it.
        if not allowed:
            self.violate("sent again unasked", f"{trade_no} is announced again, and resend is 'never'")

    def _asks_first(self, now: Entry, wish: Any) -> bool:
        """Whether it is new although it may be out, and that is known: it will be asked about before it is sent."""
        busy = any(one.shape == "429 after booking" for one in self.world.platform.requests[now.trade_no])
        failed = all(order.dead for order in self.world.platform.orders[now.trade_no])
        decided = wish.cause is Cause.PERSON and (failed or now.trade_no in self.world.persons.bold)
        return decided or (busy and now.reply is Reply.BUSY)

    def _blamed(self, now: Entry, wish: Any, who: str) -> None:
        """As long as the caller is refused whatever it asks, no row has failed for its own sake."""
        platform = self.world.platform
        if now.state is State.FAILED and platform.refuses_all and self.world.weather.regime == "caller":
            self.violate("blamed the row", f"{who} stores that {now.trade_no} failed, and all that it asks is refused")

    def _burnt(self, trade_no: str, call: Any) -> None:
        """A batch whose rows are all refused alike begins no more after a few of them."""
        platform = self.world.platform
        if call is None or call.at_most is None or not platform.refuses_all:
            return
        call.sent.add(trade_no)
        if len(call.sent) > call.at_most + _SAME_REFUSALS:
            self.violate("burnt", f"{call} sends {trade_no} too, and all before it were refused alike")

    def _true(self, trade_no: str, state: State, who: str, *, at_the_end: bool = False) -> None:
        orders = self.world.platform.orders[trade_no]
        if state is State.FAILED:
            # What is booked after all can be noticed only later.
            alive = [order for order in orders if not order.dead and (at_the_end or not order.late)]
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
        if any(not order.written_off for order in self.world.platform.orders[trade_no]):
            return True
        return any(self._may_book(one) for one in self.world.platform.requests[trade_no])

    def _may_be_forgotten(self, written_at: float) -> bool:
        """Whether it may have been announced in a ledger that was put back before it was written."""
        put_back_at = self.world.store.put_back_at
        return put_back_at is not None and written_at <= put_back_at + self.world.weather.send_within
