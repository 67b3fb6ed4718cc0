"""The ends of payouts waited for: stored by this process or another, or asked for, whichever is first.

All who wait in one client share one look into the ledger, and the queries about one payout. What this process itself
writes is heard of at once; what others write, in the next look.
"""

import asyncio
import math
from collections.abc import Callable

from attrs import define, field

from paypro_async._core.failures import unsettled
from paypro_async._core.known import KnownPayout, NotFinalError
from paypro_async._core.lifecycle import FINAL, Entry, State
from paypro_async._core.models import PayoutResult
from paypro_async.engine.limits import check_seconds
from paypro_async.engine.queries import Queries
from paypro_async.engine.session import Session
from paypro_async.errors import (
    ClientStateError,
    LedgerUnavailableError,
    PayoutNotFoundError,
    PayProError,
    QuestionFailedError,
)
from paypro_async.ledger import Ledger
from paypro_async.ledger.base import PAGE, LedgerClosedError
from paypro_async.ledger.patience import answer_within
from paypro_async.log import logger

__all__ = ["Waiting", "has_ended"]

_LOOK_SECONDS = 0.25
"""Between two looks into the ledger, and as much again for each page of payouts that are waited for."""
_GAPS = (5.0, 10.0, 20.0, 40.0, 60.0)
"""Seconds from the beginning to the first query, and on to each next one; the last stands for all that follow."""
_MANY = 1000
"""If more payouts are waited for, each is asked about less often."""
_AT_ONE_TIME = 10
"""Queries at one time. Nobody is in a hurry: the callback is on its way."""
_LAST_LOOK = 2.0
"""So many seconds before somebody's time is over the platform is asked once more."""

Hearer = Callable[[Entry], object]


def has_ended(entry: Entry) -> bool:
    """Whether nothing is left to wait for: it is final, or only a person can end it."""
    return entry.state in FINAL or entry.state is State.REVIEW


@define(eq=False)
class _Wait:
    """One payout that is waited for. Moments are of the runtime's steady clock.

    Args:
        entry: As it was seen last; None before the first look.
        hearers: Who is told once it has ended.
        due: When it is asked about next.
        last: By when it must have been asked about once more, of each who waits.
        asked: How often it was asked about, and *asked_at* when it was last.
    """

    entry: Entry | None
    due: float
    hearers: dict[Hearer, None] = field(factory=dict)
    last: list[float] = field(factory=list)
    asked: int = 0
    asked_at: float = -math.inf
    asking: bool = False

    def is_due(self, now: float) -> bool:
        """Whether it is asked about now."""
        urgent = any(self.asked_at < moment - _LAST_LOOK / 2 and moment <= now for moment in self.last)
        return not self.asking and (self.due <= now or urgent) and self._can_be_asked()

    def _can_be_asked(self) -> bool:
        # Nothing of a new one is out, so the platform cannot know it; unless that was only believed.
        return self.entry is not None and (self.entry.state is not State.NEW or self.entry.asks_first)


@define(kw_only=True, eq=False)
class Waiting:
    """Those who wait in one client.

    Args:
        ledger: The client's.
        session: What its parts share.
    """

    ledger: Ledger
    session: Session
    _waits: dict[str, _Wait] = field(factory=dict, init=False)
    _looking: "asyncio.Task[None] | None" = field(default=None, init=False)
    _asking: "set[asyncio.Task[None]]" = field(factory=set, init=False)

    async def until_final(self, trade_no: str, *, timeout: float) -> PayoutResult:
        """The result of a payout once it is final."""
        check_seconds("timeout", timeout)
        give_up = self.session.runtime.steady() + timeout
        entry = await self._first_look(trade_no, timeout)
        if not has_ended(entry):
            entry = await self._wait(entry, give_up)
        return self._result(entry, timeout)

    def add(self, entry: Entry, hearer: Hearer, *, give_up: float = math.inf) -> None:
        """Call *hearer* once with the payout's entry, when it has ended; the platform is asked until *give_up*."""
        now = self.session.runtime.steady()
        wait = self._waits.get(entry.trade_no)
        if wait is None:
            first = min(_GAPS[0] * (1 + self.session.runtime.chance() / 4), (give_up - now) / 2)
            wait = self._waits[entry.trade_no] = _Wait(entry, now + first)
        wait.hearers[hearer] = None
        if math.isfinite(give_up):
            wait.last.append(give_up - min(_LAST_LOOK, (give_up - now) / 4))
        if self._looking is None:
            self.session.news.listen(self._hear)
            self._looking = asyncio.ensure_future(self._look_and_ask())

    def leave(self, trade_no: str, hearer: Hearer) -> Entry | None:
        """Call it no more; the entry as it was seen last, if the payout is still waited for."""
        wait = self._waits.get(trade_no)
        if wait is None:
            return None
        wait.hearers.pop(hearer, None)
        if not wait.hearers:
            del self._waits[trade_no]
        if not self._waits:
            self._end()
        return wait.entry

    async def _first_look(self, trade_no: str, timeout: float) -> Entry:
        merchant_no = self.session.platform.merchant_no
        entry = await answer_within(timeout, self.ledger, self.ledger.get(merchant_no, trade_no))
        if entry is None:
            raise PayoutNotFoundError(
                f"The ledger holds no payout {trade_no} of merchant {merchant_no}. Nothing was asked and nothing was "
                "sent. Check the number, and that this is the ledger from which it was paid; client.query() asks the "
                "platform about any number.",
                trade_no=trade_no,
            )
        return entry

    async def _wait(self, entry: Entry, give_up: float) -> Entry:
        """The entry when the payout has ended, or as it stands when the time is over."""
        ended: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()

        def hear(newest: Entry) -> None:
            if not ended.done():
                ended.set_result(newest)

        self.add(entry, hear, give_up=give_up)
        last = entry
        try:
            await asyncio.wait([ended], timeout=max(0.0, give_up - self.session.runtime.steady()))
        finally:
            last = self.leave(entry.trade_no, hear) or entry
        return ended.result() if ended.done() else last

    def _result(self, entry: Entry, timeout: float) -> PayoutResult:
        if entry.state is State.REVIEW:
            raise unsettled(entry, None, elapsed=timeout)
        result = entry.result()
        if result is not None and result.is_final:
            return result
        if self.session.closing.begun:
            raise ClientStateError(
                f"The client was closed while payout {entry.trade_no} was waited for. The payout goes on, and a new "
                "client can wait for it."
            )
        known = KnownPayout.of(entry)
        raise NotFinalError(
            f"Payout {entry.trade_no} was {known.status.value} ({known.status.meaning}) when the time to wait for it "
            f"({timeout:g} s) was over. It goes on by itself: wait once more, or let on_change or a reconciliation "
            "tell you; never pay it under a new trade_no.",
            payout=known,
            trade_no=entry.trade_no,
        )

    def _hear(self, entry: Entry) -> None:
        """Something was written of a payout here, or found."""
        wait = self._waits.get(entry.trade_no)
        if wait is None or entry.merchant_no != self.session.platform.merchant_no:
            return
        wait.entry = entry
        if has_ended(entry):
            self._tell(wait, entry)

    def _tell(self, wait: _Wait, entry: Entry) -> None:
        del self._waits[entry.trade_no]
        for hearer in tuple(wait.hearers):
            hearer(entry)
        if not self._waits:
            self._end()

    def _end(self) -> None:
        """Nobody waits any more."""
        self.session.news.leave(self._hear)
        if self._looking is not None and self._looking is not asyncio.current_task():
            self._looking.cancel()
        self._looking = None

    async def _look_and_ask(self) -> None:
        session, told = self.session, False
        me = asyncio.current_task()
        while self._looking is me and not session.closing.begun:
            try:
                await self._look()
                told = False
            except LedgerClosedError:
                break
            except LedgerUnavailableError as error:
                if not told:
                    told = True
                    logger.warning("Payouts are waited for, and the ledger does not tell: %s", error)
            if self._looking is me:
                self._ask_those_due()
                await session.closing.sleep(_LOOK_SECONDS * (1 + len(self._waits) / PAGE))
        if self._looking is me:
            # The client is being closed: each hears how its payout stands.
            for wait in tuple(self._waits.values()):
                if wait.entry is not None:
                    self._tell(wait, wait.entry)

    async def _look(self) -> None:
        """See what others have written."""
        numbers, merchant_no = list(self._waits), self.session.platform.merchant_no
        for first in range(0, len(numbers), PAGE):
            page = self.ledger.get_many(merchant_no, numbers[first : first + PAGE])
            for entry in (await answer_within(self.session.times.timeout, self.ledger, page)).values():
                self._hear(entry)

    def _ask_those_due(self) -> None:
        now = self.session.runtime.steady()
        for trade_no, wait in self._waits.items():
            if len(self._asking) >= _AT_ONE_TIME:
                return
            if wait.is_due(now):
                wait.asking = True
                task = asyncio.ensure_future(self._ask(trade_no, wait))
                self._asking.add(task)
                task.add_done_callback(self._asked)

    def _asked(self, task: "asyncio.Task[None]") -> None:
        self._asking.discard(task)
        # The next one is not made to wait for a look.
        if self._looking is not None and not self.session.closing.begun:
            self._ask_those_due()

    async def _ask(self, trade_no: str, wait: _Wait) -> None:
        """Ask the platform once; what it says is stored, and heard of by that."""
        session = self.session
        wait.asked_at = session.runtime.steady()
        try:
            patience = session.times.request_timeout
            await Queries(session=session).query(trade_no, timeout=patience, max_attempts=1)
        except QuestionFailedError as error:
            logger.debug("Payout %s is waited for, and a query had no answer: %s", trade_no, error)
        except PayProError as error:
            logger.warning("Payout %s is waited for, and could not be asked about: %s", trade_no, error)
        finally:
            wait.asking = False
            wait.asked += 1
            stretch = max(1.0, len(self._waits) / _MANY)
            wait.due = session.runtime.steady() + stretch * _GAPS[min(wait.asked, len(_GAPS) - 1)]
