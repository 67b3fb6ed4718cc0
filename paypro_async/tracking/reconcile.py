"""Every payout whose end the ledger does not know, asked about once more. Nothing is ever sent.

::

    ledger: a page ─▶ ask those that are due ─▶ ledger: what was said
                          ▲          │
                          └─ later ◀─┘   no answer; or found nothing, once, after the settle window

A page is done before the next one is read, so a ledger of any size needs the memory of one page.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import ClassVar, TypeVar

from attrs import define, field, frozen

from paypro_async._core.lifecycle import Cause, Entry, Reply, State, is_refusal
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.plain_data import PlainData
from paypro_async._core.retry import BELIEVED_ABSENCES
from paypro_async._core.transitions import after_absence, after_second_look
from paypro_async.engine.limits import RECORDING_SECONDS, check_count, check_seconds
from paypro_async.engine.recording import Recording
from paypro_async.errors import ClientStateError, LedgerUnavailableError
from paypro_async.ledger import merge
from paypro_async.ledger.base import PAGE
from paypro_async.ledger.changes import apply
from paypro_async.ledger.patience import answer_within
from paypro_async.log import logger

__all__ = ["ReconcileReport", "Reconciliation"]

T = TypeVar("T")


_SHOWN_REASONS = 20


@frozen(kw_only=True)
class ReconcileReport(PlainData):
    """What a reconciliation found. Payouts that were never sent, or are final, are in none of the numbers.

    Args:
        checked: Payouts that the platform was asked about.
        changed: How many went from which state to which.
        still_unknown: Payouts that may have been sent, and whose outcome is not known yet.
        missing: Payouts that the platform had accepted, and of which it now knows nothing.
        review: Payouts that wait for a person.
        overdue: Payouts that the platform has been processing for longer than a day, or what was asked for.
        unanswered: Payouts about which no usable answer came. Each stays what it was.
        elapsed: Seconds from start to end.
        ended: Whether it came to the end of the ledger. If its time was over before, the payouts that it did not get to
            are in none of the numbers.
        reasons: Why no usable answer came, and for how many payouts; twenty of them at most.
    """

    also_told: ClassVar[tuple[str, ...]] = ("ok",)
    checked: int
    changed: Mapping[tuple[State, State], int]
    still_unknown: int
    missing: int
    review: int
    overdue: int
    unanswered: int
    elapsed: float
    ended: bool = True
    reasons: Mapping[str, int] = field(factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the platform has answered for every payout, and none is unknown or missing or wants a person."""
        return self.ended and not (self.still_unknown or self.missing or self.review or self.overdue or self.unanswered)


@define(kw_only=True, eq=False)
class _Case:
    """One payout of the page that is worked on."""

    entry: Entry
    before: State
    seen_at: float
    due: float
    absences: int = 0
    tries: int = 0
    give_up: float | None = None  # the moment by which one question, with its repetitions, must have an answer
    answered: bool = False
    silence: str | None = None  # why the last question got no usable answer
    witnessed: bool = False  # one reply has said that its order failed, and another was asked for

    @property
    def is_open(self) -> bool:
        """Whether it is as it was, or one question has found nothing of what had been accepted."""
        return self.entry.state is self.before or self.entry.state is State.MISSING

    def see(self, entry: Entry, now: float) -> None:
        if entry.attempt != self.entry.attempt:
            self.absences = 0
        self.entry, self.seen_at = entry, now


@define(kw_only=True, eq=False)
class Reconciliation:
    """One run over the ledger.

    Args:
        recording: What the client writes to its ledger; it knows what the client announced itself.
        concurrency: Queries at one time.
        wait: Whether to wait for the settle window of attempts that are younger.
        timeout: Seconds for everything; None for as long as it takes.
        overdue_after: Seconds after which a payout that is still processing wants attention.

    Raises:
        ConfigurationError: If a number makes no sense.
    """

    recording: Recording
    concurrency: int
    wait: bool
    timeout: float | None = None
    overdue_after: float = 86_400.0
    _deadline: float = field(default=math.inf, init=False)
    _asked: bool = field(default=False, init=False)
    _ended: bool = field(default=True, init=False)
    _counts: Counter[str] = field(factory=Counter, init=False)
    _changed: Counter[tuple[State, State]] = field(factory=Counter, init=False)
    _reasons: Counter[str] = field(factory=Counter, init=False)

    def __attrs_post_init__(self) -> None:
        check_count("concurrency", self.concurrency)
        if self.timeout is not None:
            check_seconds("timeout", self.timeout)

    async def run(self) -> ReconcileReport:
        """Ask about everything that is open.

        Raises:
            ClientStateError: If the client is closed meanwhile.
        """
        with self.recording.session.closing:
            return await self._run()

    async def _run(self) -> ReconcileReport:
        ledger, runtime = self.recording.ledger, self.recording.session.runtime
        began = runtime.steady()
        if self.timeout is not None:
            self._deadline = began + self.timeout
        # What was refused within the last day is looked at once more: the order may have been taken all the same.
        for pages in (ledger.recent_refusals, ledger.open_entries):
            await self._all(pages)
        report = ReconcileReport(
            checked=self._counts["checked"],
            changed=MappingProxyType(dict(self._changed)),
            still_unknown=self._counts["still_unknown"],
            missing=self._counts["missing"],
            review=self._counts["review"],
            overdue=self._counts["overdue"],
            unanswered=self._counts["unanswered"],
            elapsed=runtime.steady() - began,
            ended=self._ended,
            reasons=MappingProxyType(dict(self._reasons)),
        )
        logger.info(
            "Reconciled in %.1f s: %d asked about, %d changed, %d still unknown, %d missing, %d for a person, %d "
            "overdue, %d without an answer",
            *(report.elapsed, report.checked, sum(report.changed.values()), report.still_unknown, report.missing),
            *(report.review, report.overdue, report.unanswered),
        )
        for why, count in report.reasons.items():
            logger.warning("%d payout(s) could not be asked about, and stay what they are: %s", count, why)
        return report

    async def _all(self, pages: Callable[..., Awaitable[list[Entry]]]) -> None:
        session, after = self.recording.session, ""
        while self._left() > 0:
            page = await self._answer(pages(session.platform.merchant_no, after=after, limit=PAGE))
            if not page:
                return
            after = page[-1].trade_no
            now = session.runtime.steady()
            # Nothing of a new one is out, so the platform cannot know it; unless that was only believed.
            cases = [
                _Case(entry=entry, before=entry.state, seen_at=now, due=now)
                for entry in page
                if entry.state is not State.NEW or entry.asks_first
            ]
            await self._page(cases)
            for case in cases:
                self._count(case)
        self._ended = False

    async def _page(self, cases: list[_Case]) -> None:
        left, runtime = cases, self.recording.session.runtime
        while left and self._left() > 0:
            delay = min(case.due for case in left) - runtime.steady()
            if delay > 0:
                await self.recording.session.closing.sleep(min(delay, self._left()))
                if delay >= self._left():
                    return  # Those that are not due by then stay what they are.
                await self._reload(left)
            now = runtime.steady()
            later = [case for case in left if case.due > now]
            left = later + await self._ask_all([case for case in left if case.due <= now])

    async def _reload(self, cases: list[_Case]) -> None:
        """Other processes write meanwhile: what they learned is worth more than what was read before the wait."""
        session = self.recording.session
        numbers = [case.entry.trade_no for case in cases]
        found = await self._answer(self.recording.ledger.get_many(session.platform.merchant_no, numbers))
        now = session.runtime.steady()
        for case in cases:
            case.see(found.get(case.entry.trade_no, case.entry), now)

    async def _ask_all(self, cases: list[_Case]) -> list[_Case]:
        """Ask about each, so many at one time; those that are to be asked about again."""
        rest = iter(cases)

        async def work() -> list[_Case]:
            # What another process brought to another state meanwhile needs no query any more.
            return [case for case in rest if case.is_open and self._left() > 0 and await self._ask(case)]

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work()) for _ in range(min(self.concurrency, len(cases)))]
        except BaseExceptionGroup as errors:
            # One is enough to end it, and callers catch the ledger's error and no group.
            raise _first(errors) from None
        return [case for task in tasks for case in task.result()]

    async def _ask(self, case: _Case) -> bool:
        """Ask about one payout and store what is said; whether to ask again."""
        session, entry = self.recording.session, case.entry
        runtime = session.runtime
        if case.give_up is None:
            case.give_up = runtime.steady() + session.times.timeout
        deadline = min(case.give_up, self._deadline)
        # The first question of all is not held back.
        if self._asked and not await session.may_try_again(deadline=deadline):
            return False
        self._asked = True
        settled = session.policy.settled(self._age(case, runtime.steady()), session.policy.window(entry))
        outcome = await session.platform.query(entry.trade_no, entry=entry, timeout=self._patience(deadline))
        if outcome.verdict is Verdict.QUESTION_REFUSED:
            outcome = await session.control.read(entry, outcome, timeout=self._patience(deadline, requests=3))
        case.tries += 1
        if outcome.verdict is Verdict.UNKNOWN:
            return self._put_off(case, outcome)
        await self._learn(case, outcome)
        if outcome.verdict is Verdict.BAD_CREDENTIALS:
            return self._put_off(case, outcome)
        session.budget.answered()
        session.control.hear(entry.trade_no, outcome)
        case.answered, case.tries, case.give_up = True, 0, None
        if (
            case.entry.reply is Reply.FAILING
            and outcome.verdict is Verdict.UNLISTED
            and case.entry.state is case.before
            and not case.witnessed
        ):
            case.witnessed = True
            case.due = runtime.steady() + session.policy.ask_spacing
            return True  # Two replies of one moment are one witness.
        if outcome.verdict is not Verdict.NO_SUCH_ORDER or case.entry.state not in (State.SENDING, State.MISSING):
            return False
        case.absences = case.absences + 1 if settled else 0
        if case.absences >= BELIEVED_ABSENCES:
            await self._believe(case)
            return False
        return self._await_the_next(case)

    async def _learn(self, case: _Case, outcome: Outcome) -> None:
        """Store what was said, decided from what is stored then."""
        session, ledger = self.recording.session, self.recording.ledger
        if is_refusal(case.entry):
            learning = apply(ledger.move, case.entry, lambda newest: after_second_look(newest, outcome))
        else:
            adopt = session.policy.adopt_duplicates
            learning = merge(ledger, case.entry, outcome, cause=Cause.RECONCILE, adopt_duplicates=adopt)
        case.see(await self._answer(learning), session.runtime.steady())
        session.news.tell(case.entry)

    def _put_off(self, case: _Case, outcome: Outcome) -> bool:
        case.answered, case.absences = False, 0
        case.silence = str(outcome.fault or outcome.cause or "no usable answer came")
        # A refusal with a code will be the same next time.
        if outcome.code is not None or outcome.lasting or case.tries >= self.recording.session.times.max_attempts:
            return False
        policy, runtime = self.recording.session.policy, self.recording.session.runtime
        hint = min(outcome.retry_after or 0.0, policy.retry_after_max)
        case.due = runtime.steady() + policy.backoff(case.tries - 1, runtime.chance()) + hint
        return case.give_up is None or case.due < case.give_up

    def _await_the_next(self, case: _Case) -> bool:
        policy = self.recording.session.policy
        now = self.recording.session.runtime.steady()
        until_settled = policy.window(case.entry) - self._age(case, now)
        if until_settled > 0 and not self.wait:
            return False
        case.due = now + max(policy.ask_spacing, until_settled)
        return True

    async def _believe(self, case: _Case) -> None:
        """It never arrived. A caller who wants it paid calls again; here nothing is sent, so as good as exhausted."""
        session = self.recording.session
        resend = session.policy.resend
        change = after_absence(case.entry, resend=resend, exhausted=True, cause=Cause.RECONCILE)
        if change is not None:
            written = await self._answer(self.recording.ledger.move(change))
            case.see(written.entry, session.runtime.steady())

    def _left(self) -> float:
        if self.recording.session.closing.begun:
            raise ClientStateError(
                "The client was closed during the reconciliation. It sends nothing, and what it had learned until then "
                "is stored; run it again with a new client."
            )
        return self._deadline - self.recording.session.runtime.steady()

    def _patience(self, deadline: float, *, requests: int = 1) -> float:
        session = self.recording.session
        return max(0.0, min(requests * session.times.request_timeout, deadline - session.runtime.steady()))

    async def _answer(self, answer: Awaitable[T]) -> T:
        """What the ledger answers, for which it has as long as one call of this client."""
        # What was learned is stored although the time is over.
        left = self._deadline - self.recording.session.runtime.steady()
        seconds = min(self.recording.session.times.timeout, max(RECORDING_SECONDS, left))
        return await answer_within(seconds, self.recording.ledger, answer)

    def _age(self, case: _Case, now: float) -> float:
        return self.recording.age(case.entry, case.seen_at, now)

    def _count(self, case: _Case) -> None:
        after = case.entry.state
        self._counts["checked"] += 1
        unanswered = not case.answered and after is case.before
        self._counts["unanswered"] += unanswered
        why = case.silence if unanswered else None
        if why is not None and (why in self._reasons or len(self._reasons) < _SHOWN_REASONS):
            self._reasons[why] += 1
        shown = after is State.NEW and case.entry.reply is Reply.FAILING
        self._counts["still_unknown"] += after is State.SENDING or shown
        self._counts["missing"] += after is State.MISSING
        late = after is State.PROCESSING and case.entry.age >= self.overdue_after
        self._counts["overdue"] += late
        self._counts["review"] += after is State.REVIEW
        if after is not case.before:
            self._changed[case.before, after] += 1


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, LedgerUnavailableError):
        return LedgerUnavailableError(
            f"{error} The reconciliation ended there. It sends nothing, and what it had learned until then is stored; "
            "mend the ledger and run it again."
        )
    return error
