"""How many payouts are announced at one time, and which of those that wait are still worth sending.

A payout that is announced and then waits for a connection runs down its send deadline, and one that gets its connection
when no time is left for a reply ends unknown. So a client announces as many payouts as there are connections; the
others wait before they are announced, and are not sent at all once no reply can come in time any more.
"""

from attrs import define, field

from paypro_async._core.failures import unconnected
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.wire import Waiting
from paypro_async.engine.closing import Closing
from paypro_async.runtime import Runtime
from paypro_async.transport.connections.slots import Slots

__all__ = ["Admission"]

_WINDOW = 30.0
"""Seconds that one reply time is remembered for, and up to as many more."""
_UNKNOWN = 0.25
"""The part of its time that a call keeps for the reply while no reply has come yet."""
_MARGIN = 1.25
_QUICK = 1.0
"""Seconds. Where replies come sooner, a second payout for each connection is announced while the first is under way, or
the connection would rest for as long as the ledger writes."""


@define(eq=False)
class _ReplyTimes:
    """The longest that a reply has lately taken, in seconds."""

    now: float | None = None
    before: float | None = None
    since: float = 0.0

    def note(self, seconds: float, at: float) -> None:
        if at - self.since > _WINDOW:
            self.before = self.now if at - self.since <= 2 * _WINDOW else None
            self.now, self.since = None, at
        self.now = seconds if self.now is None else max(self.now, seconds)

    @property
    def longest(self) -> float | None:
        known = [seconds for seconds in (self.now, self.before) if seconds is not None]
        return max(known, default=None)


@define(eq=False)
class Admission:
    """Lets the payouts of one client through, in the order they come.

    Args:
        runtime: The clock.
        closing: Whether the client is being closed.
        request_timeout: Seconds for one exchange.
        connections: How many the transport has at most; 0 if it does not say so, and then nothing waits here.

    Attributes:
        is_bounded: Whether it says so.
    """

    runtime: Runtime
    closing: Closing
    request_timeout: float
    connections: int
    is_bounded: bool = field(init=False)
    _slots: Slots = field(init=False)
    _replies: _ReplyTimes = field(factory=_ReplyTimes, init=False)
    _is_quick: bool = field(default=False, init=False)

    @_slots.default
    def _(self) -> Slots:
        return Slots(self.connections)

    @is_bounded.default
    def _(self) -> bool:
        return self.connections > 0

    def enter_at_once(self) -> bool:
        """Let a payout through if it has not to wait."""
        return self._slots.take_at_once()

    async def enter(self, waiting: Waiting) -> bool:
        """Let a payout through in its turn; False if that does not come while it may wait, and the client is open."""
        began = self.runtime.steady()
        # As long as no reply has come, the first that do may show that there is more time than was thought.
        until = waiting.answer_by if waiting.reply_seconds is None else waiting.until
        entered = False
        with self.closing.interrupts(after=0.0 if self.closing.begun else max(0.0, until - began)):
            await self._slots.take(question=False)
            entered = True
        now = self.runtime.steady()
        waiting.seconds += now - began
        waiting.reply_seconds = self._replies.longest
        waiting.until = waiting.answer_by - self._need(waiting.answer_by - began)
        if entered and (now > waiting.until or self.closing.begun):
            self.leave()
            entered = False
        return entered

    async def enter_or_fail(self, trade_no: str, waiting: Waiting) -> None:
        """Let the payout of that number through in its turn.

        Raises:
            PoolTimeoutError: If that does not come while it may wait. Nothing of it is announced.
        """
        if not await self.enter(waiting):
            error = unconnected(trade_no, waiting.in_vain(self.connections), elapsed=waiting.seconds)
            self.closing.tell(error)
            raise error

    def in_vain(self, waiting: Waiting) -> Outcome:
        """What became of an attempt that has waited for too long to be announced."""
        cause = waiting.in_vain(self.connections)
        return Outcome(verdict=Verdict.NOT_SENT, cause=cause, pool_timeout=True)

    def leave(self) -> None:
        """A payout that was let through is answered, or will not be sent."""
        self._slots.give_back()

    def waiting(self, deadline: float, timeout: float) -> Waiting:
        """How a payout may wait whose call ends at the *deadline* and takes *timeout* seconds in all."""
        return Waiting(until=deadline - self._need(timeout), answer_by=deadline, reply_seconds=self._replies.longest)

    def _need(self, timeout: float) -> float:
        """The seconds that a call keeps for the reply, of the *timeout* that it began with."""
        longest = self._replies.longest
        return _UNKNOWN * min(self.request_timeout, timeout) if longest is None else _MARGIN * longest

    def answered(self, seconds: float) -> None:
        """A reply took so many seconds, without the wait for its connection."""
        self._replies.note(seconds, self.runtime.steady())
        quick = (self._replies.longest or 0.0) < _QUICK
        if quick is not self._is_quick:
            self._is_quick = quick
            self._slots.resize(self.connections * (2 if quick else 1))
