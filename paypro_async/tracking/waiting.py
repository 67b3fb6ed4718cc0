"""Waiting for the ends of payouts: all that wait in one client share the looks into the ledger, and the questions.

::

    written by this process ─▶ news ──┐
    written by other processes ─▶ a look into the ledger, a few pages at a time ──┼─▶ those that wait for it
    still open when it is due ─▶ a query, a few at one time, stored as client.query stores it ──┘

One task does this for all; it begins with the first that waits and ends with the last. Nothing is ever sent.
"""

import asyncio
import heapq
import itertools
import math
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Protocol

from attrs import define, field

from paypro_async._core.failures import unsettled
from paypro_async._core.known import KnownPayout, NotFinalError
from paypro_async._core.lifecycle import FINAL, Entry, State
from paypro_async._core.models import PayoutResult
from paypro_async.engine.limits import RECORDING_SECONDS, check_seconds
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

__all__ = ["Waiter", "Waiting", "find", "look_up", "wait_until_final"]

_AT_ONE_TIME = 10
"""How many payouts are asked about at one time."""
_LOOK_SECONDS = 0.5
_PAGES = 4
"""How much of the ledger one look reads: what more payouts wait are looked at in turn."""
_FIRST_QUESTION, _GAPS = 5.0, (10.0, 20.0, 40.0, 60.0)
_LAST_QUESTION = 5.0
_TRIES = 2
"""How often one question may be put in a row, if it gets no answer."""


class Waiter(Protocol):
    """One that waits, for one payout or for many. Nothing here may wait or raise."""

    patience: float
    """How many seconds it waits in all; infinite if it does not give up."""
    deadline: float
    """When it gives up, on the steady clock; infinite as well while that is not known."""

    def hear(self, entry: Entry) -> None:
        """What the ledger holds of a payout for which it waits, as it was written or seen just now."""

    def miss(self, trade_no: str) -> None:
        """The ledger holds no such payout."""

    def fail(self, error: PayProError) -> None:
        """The ledger cannot be read any more, for good."""


@define(eq=False)
class _Case:
    """A payout that is waited for. There may be a million of them, so it does not hold what the ledger has."""

    waiters: list[Waiter]
    due: float = math.inf  # when to ask, at the soonest
    tries: int = 0
    asks: bool = False  # whether the platform can know of it
    asking: bool = False


def _last_question(waiter: Waiter) -> float:
    """When to ask for the last time on behalf of *waiter*: shortly before it gives up."""
    if waiter.deadline == math.inf:
        return math.inf
    return waiter.deadline - min(_LAST_QUESTION, waiter.patience / 8)


@define(eq=False)
class Waiting:
    """The payouts that are waited for in one client.

    Args:
        session: What the client's parts share.
        ledger: Where the payouts are.
    """

    session: Session
    ledger: Ledger
    silence: str | None = field(default=None, init=False)
    """Why the last question had no answer; None if it had one, or there was none."""
    trouble: LedgerUnavailableError | None = field(default=None, init=False)
    """Why the last look into the ledger failed; None if it did not."""
    _cases: dict[str, _Case] = field(factory=dict, init=False)
    _unseen: dict[str, None] = field(factory=dict, init=False)
    _due: list[tuple[float, int, str]] = field(factory=list, init=False)
    _order: "itertools.count[int]" = field(factory=itertools.count, init=False)
    _turn: list[str] = field(factory=list, init=False)  # numbers still to be looked at before all begin anew
    _under_way: int = field(default=0, init=False)
    _runner: "asyncio.Task[None] | None" = field(default=None, init=False)
    _wake: asyncio.Event = field(factory=asyncio.Event, init=False)

    def join(self, trade_no: str, waiter: Waiter, *, is_open: bool = False) -> None:
        """Let *waiter* hear of a payout until it leaves; first what stands now, unless it *is_open* as is known."""
        case = self._cases.get(trade_no)
        if case is None:
            case = self._cases[trade_no] = _Case(waiters=[waiter])
        else:
            case.waiters.append(waiter)
        now = self.session.runtime.steady()
        first = min(_FIRST_QUESTION, waiter.patience / 2)
        self._plan(trade_no, case, min(case.due, now + first))
        if is_open:
            case.asks = True
        else:
            self._unseen[trade_no] = None
        self._wake.set()
        if self._runner is None:
            self.session.news.listen(self._hear)
            self._runner = asyncio.create_task(self._run(), name="paypro-waiting")

    def leave(self, trade_no: str, waiter: Waiter) -> None:
        """It does not wait for that payout any more."""
        case = self._cases.get(trade_no)
        if case is None or waiter not in case.waiters:
            return
        case.waiters.remove(waiter)
        if case.waiters:
            return
        del self._cases[trade_no]
        self._unseen.pop(trade_no, None)
        if not self._cases and self._runner is not None:
            self.session.news.leave(self._hear)
            self._runner.cancel()
            self._runner = None
            self._due.clear()
            self._turn.clear()
            self._under_way = 0

    def ask_before_end(self, waiter: Waiter, trade_nos: Iterable[str]) -> None:
        """The deadline of *waiter* is known now: ask about those payouts once more before it."""
        for trade_no in trade_nos:
            if (case := self._cases.get(trade_no)) is not None:
                self._plan(trade_no, case, min(case.due, _last_question(waiter)))
        self._wake.set()

    def _plan(self, trade_no: str, case: _Case, due: float) -> None:
        if due != case.due:
            case.due = due
            heapq.heappush(self._due, (due, next(self._order), trade_no))

    def _hear(self, entry: Entry) -> None:
        case = self._cases.get(entry.trade_no)
        # Clients of several merchants may share one ledger.
        if case is not None and entry.merchant_no == self.session.platform.merchant_no:
            case.asks = _can_ask(entry)
            for waiter in tuple(case.waiters):
                waiter.hear(entry)

    async def _run(self) -> None:
        closing, look_at = self.session.closing, 0.0
        with closing:
            async with asyncio.TaskGroup() as asking:
                while not closing.begun:
                    self._wake.clear()
                    if self._unseen or self.session.runtime.steady() >= look_at:
                        await self._look()
                        look_at = self.session.runtime.steady() + _LOOK_SECONDS
                    self._ask_due(asking)
                    with closing.interrupts(after=max(0.0, self._next(look_at) - self.session.runtime.steady())):
                        await self._wake.wait()

    def _next(self, look_at: float) -> float:
        if self._due and self._under_way < _AT_ONE_TIME and self.trouble is None:
            return min(look_at, self._due[0][0])
        return look_at

    async def _look(self) -> None:
        """See what other processes have written: all that was not seen yet, and some of the others in turn."""
        if not self._turn:
            self._turn = list(self._cases)
        numbers = [*self._unseen, *self._turn[-_PAGES * PAGE :]]
        del self._turn[-_PAGES * PAGE :]
        try:
            for first in range(0, len(numbers), PAGE):
                await self._look_up(numbers[first : first + PAGE])
        except LedgerUnavailableError as error:
            if self.trouble is None:
                logger.warning("What is waited for is looked up again once the ledger answers: %s", error)
            self.trouble = error
            if isinstance(error, LedgerClosedError):
                for waiter in {id(one): one for case in self._cases.values() for one in case.waiters}.values():
                    waiter.fail(error)
        except Exception as error:
            # One of a user's own ledger, which may work again in a moment; nobody must wait for ever.
            logger.exception("What is waited for could not be looked up in the ledger")
            self.trouble = LedgerUnavailableError(f"The ledger failed with {type(error).__name__}.")
        else:
            self.trouble = None

    async def _look_up(self, trade_nos: Sequence[str]) -> None:
        # Who has joined meanwhile is not meant by what was read before.
        asked = {one: tuple(case.waiters) for one in trade_nos if (case := self._cases.get(one)) is not None}
        found = await look_up(self.session, self.ledger, list(asked))
        for trade_no, waiters in asked.items():
            entry = found.get(trade_no)
            self._unseen.pop(trade_no, None)
            if entry is not None:
                self._hear(entry)
                continue
            for waiter in waiters:
                waiter.miss(trade_no)

    def _ask_due(self, asking: asyncio.TaskGroup) -> None:
        now = self.session.runtime.steady()
        # Without the ledger an answer could not be stored, nor believed.
        while self._due and self._due[0][0] <= now and self._under_way < _AT_ONE_TIME and self.trouble is None:
            due, _, trade_no = heapq.heappop(self._due)
            case = self._cases.get(trade_no)
            if case is None or case.due != due or case.asking:
                continue
            if not case.asks:
                self._plan_next(trade_no, case)
                continue
            case.asking = True
            self._under_way += 1
            asking.create_task(self._ask(trade_no, case), name="paypro-waiting-query")

    async def _ask(self, trade_no: str, case: _Case) -> None:
        session, runner = self.session, self._runner
        try:
            # One that came by a callback meanwhile needs no question.
            await self._look_up([trade_no])
            if self._cases.get(trade_no) is not case or not case.asks:
                return
            if case.tries and not await session.may_try_again():
                return
            case.tries += 1
            timeout = 2 * session.times.request_timeout + RECORDING_SECONDS
            await Queries(session=session).query(trade_no, timeout=timeout, max_attempts=_TRIES)
            self.silence = None
        except QuestionFailedError as error:
            self.silence = str(error)
            logger.info("%s", error)
        except LedgerUnavailableError as error:
            logger.info("Payout %s is asked about later: %s", trade_no, error)
        except Exception:
            # Of a signer or a transport of the user's own: those that wait go on until their deadline.
            logger.exception("Payout %s could not be asked about", trade_no)
        finally:
            case.asking = False
            if runner is self._runner:
                self._under_way -= 1
                if self._cases.get(trade_no) is case:
                    self._plan_next(trade_no, case)
                self._wake.set()

    def _plan_next(self, trade_no: str, case: _Case) -> None:
        now = self.session.runtime.steady()
        due = now + _GAPS[min(max(case.tries, 1), len(_GAPS)) - 1]
        last = min((moment for one in case.waiters if (moment := _last_question(one)) > now), default=math.inf)
        case.due = math.inf
        self._plan(trade_no, case, min(due, last))


def _can_ask(entry: Entry) -> bool:
    """Whether the platform can know of it; of a new one nothing is out, unless that was only believed."""
    return entry.state not in FINAL and (entry.state is not State.NEW or entry.asks_first)


async def look_up(session: Session, ledger: Ledger, trade_nos: Sequence[str]) -> Mapping[str, Entry]:
    """What the ledger holds of a page of payouts.

    Raises:
        LedgerUnavailableError: If it does not say.
    """
    if not trade_nos:
        return {}
    looking = ledger.get_many(session.platform.merchant_no, trade_nos)
    return await answer_within(RECORDING_SECONDS, ledger, looking)


async def find(session: Session, ledger: Ledger, trade_no: str) -> KnownPayout | None:
    """The payout as the ledger holds it; None if it is not there. The platform is not asked."""
    looking = ledger.get(session.platform.merchant_no, trade_no)
    entry = await answer_within(session.times.timeout, ledger, looking)
    return None if entry is None else KnownPayout.of(entry)


@define(eq=False)
class _One:
    """Waits for one payout."""

    patience: float
    deadline: float
    ended: "asyncio.Future[Entry]"
    entry: Entry | None = None

    def hear(self, entry: Entry) -> None:
        self.entry = entry
        if (entry.state in FINAL or entry.state is State.REVIEW) and not self.ended.done():
            self.ended.set_result(entry)

    def miss(self, trade_no: str) -> None:
        # What it had seen cannot be gone for good; a ledger may be put back from a backup.
        if self.entry is None:
            self.fail(
                PayoutNotFoundError(
                    f"The ledger holds no payout {trade_no} of this merchant. Nothing was asked and nothing was sent. "
                    "Check the number; a payout that was made from another ledger is waited for there.",
                    trade_no=trade_no,
                )
            )

    def fail(self, error: PayProError) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
            self.ended.exception()  # Who was cancelled in this moment leaves nothing in the log.


async def wait_until_final(waiting: Waiting, trade_no: str, *, timeout: float | None) -> PayoutResult:
    """See :meth:`~paypro_async.PayProClient.wait_until_final`."""
    if timeout is not None:
        check_seconds("timeout", timeout)
    session = waiting.session
    seconds, began = math.inf if timeout is None else timeout, session.runtime.steady()
    one = _One(seconds, began + seconds, asyncio.get_running_loop().create_future())
    with session.closing:
        waiting.join(trade_no, one)
        try:
            with session.closing.interrupts(after=seconds):
                await asyncio.wait([one.ended])
        finally:
            waiting.leave(trade_no, one)
    if not one.ended.done():
        raise _not_ended(waiting, one, trade_no, session.runtime.steady() - began)
    entry = await _own(one.ended)
    result = entry.result()
    if result is None:
        raise unsettled(entry, None, elapsed=session.runtime.steady() - began)
    return result


async def _own(ended: Awaitable[Entry]) -> Entry:
    """As it ended. An error of the ledger, which all that wait hear, is raised for each anew."""
    try:
        return await ended
    except PayProError as error:
        rebuild, arguments = error.__reduce__()[:2]
        raise rebuild(*arguments) from error


def _not_ended(waiting: Waiting, one: _One, trade_no: str, elapsed: float) -> PayProError:
    known = None if one.entry is None else KnownPayout.of(one.entry)
    if waiting.session.closing.begun:
        stands = "" if known is None else f" The ledger holds it as {known.status.value}."
        return ClientStateError(
            f"The client was closed while payout {trade_no} was waited for.{stands} Waiting sends nothing, and what "
            "was learned until then is stored; wait again with a new client.",
            trade_no=trade_no,
        )
    if known is None:
        trouble = f" {waiting.trouble}" if waiting.trouble is not None else ""
        return LedgerUnavailableError(
            f"The ledger did not say within {elapsed:.3g} s what it holds of payout {trade_no}.{trouble} Waiting sends "
            "nothing; wait again once the ledger answers.",
            trade_no=trade_no,
        )
    since = " The ledger could not be read of late." if waiting.trouble is not None else ""
    silent = f" The last question got no answer: {waiting.silence}" if waiting.silence is not None else ""
    return NotFinalError.after(known, elapsed, troubles=f"{since}{silent}")
