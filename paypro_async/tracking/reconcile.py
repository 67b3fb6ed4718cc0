"""Every payout whose end the ledger does not know, asked about once more. Nothing is ever sent.

::

    ledger: a page ─▶ ask those that are due ─▶ ledger: what was said
                          ▲          │
                          └─ later ◀─┘   no answer; or found nothing, once, after the settle window

A page is done before the next one is read, so a ledger of any size needs the memory of one page. A run whose time is
over notes how far it came, and the next one goes on there, so that no payout waits for ever behind the others.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from attrs import define, field

from paypro_async._core.lifecycle import Cause, Entry, Reply, State, is_refusal
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.retry import BELIEVED_ABSENCES
from paypro_async._core.transitions import after_absence, after_second_look
from paypro_async.engine.limits import RECORDING_SECONDS, check_count, check_seconds
from paypro_async.engine.queries import why_unanswered
from paypro_async.engine.rate import check_rate
from paypro_async.engine.recording import Recording
from paypro_async.errors import ClientStateError, LedgerUnavailableError
from paypro_async.ledger import merge
from paypro_async.ledger.base import PAGE, Turns
from paypro_async.ledger.changes import apply
from paypro_async.ledger.patience import answer_within
from paypro_async.log import logger
from paypro_async.tracking.question_rate import QuestionRate
from paypro_async.tracking.reconcile_case import Case, first_of, is_younger
from paypro_async.tracking.reconcile_report import Counts, ReconcileReport

__all__ = ["Reconciliation"]

T = TypeVar("T")

_NOTING_SECONDS = 0.25


@define(kw_only=True, eq=False)
class Reconciliation:
    """One run over the ledger.

    Args:
        recording: What the client writes to its ledger; it knows what the client announced itself.
        concurrency: Queries at one time.
        wait: Whether to wait for the settle window of attempts that are younger.
        deadline: Seconds for everything; None for as long as it takes.
        overdue_after: Seconds after which a payout that is still processing wants attention.
        older_than: Seconds; payouts whose last attempt is younger are passed over.
        rate: Questions a second at most, for all who reconcile with this ledger together; None for no limit.

    Raises:
        ConfigurationError: If a number makes no sense.
    """

    recording: Recording
    concurrency: int
    wait: bool
    deadline: float | None = None
    overdue_after: float = 86_400.0
    older_than: float = 0.0
    rate: float | None = None
    _deadline: float = field(default=math.inf, init=False)
    _asked: bool = field(default=False, init=False)
    _ended: bool = field(default=True, init=False)
    _counts: Counts = field(init=False)
    _turns: QuestionRate | None = field(default=None, init=False)
    _over: bool = field(default=False, init=False)  # no further question has a turn in time

    def __attrs_post_init__(self) -> None:
        check_count("concurrency", self.concurrency)
        if self.deadline is not None:
            check_seconds("deadline", self.deadline)
        self._counts = Counts(self.overdue_after)
        if self.rate is not None:
            check_rate(self.rate)
            session = self.recording.session
            self._turns = QuestionRate(per_second=self.rate, reserve=self._reserve, steady=session.runtime.steady)

    async def run(self) -> ReconcileReport:
        """Ask about everything that is open.

        Raises:
            ClientStateError: If the client is closed meanwhile.
        """
        with self.recording.session.closing:
            return await self._run()

    async def _run(self) -> ReconcileReport:
        runtime = self.recording.session.runtime
        began = runtime.steady()
        if self.deadline is not None:
            self._deadline = began + self.deadline
        await self._all_lists()
        report = self._counts.report(elapsed=runtime.steady() - began, ended=self._ended)
        logger.info(
            "Reconciled in %.1f s: %d asked about, %d changed, %d still unknown, %d missing, %d for a person, %d "
            "overdue, %d without an answer",
            *(report.elapsed, report.checked, sum(report.changed.values()), report.still_unknown, report.missing),
            *(report.review, report.overdue, report.unanswered),
        )
        for why, count in report.reasons.items():
            logger.warning("%d payout(s) could not be asked about, and stay what they are: %s", count, why)
        if (watcher := self.recording.session.news.watcher) is not None:
            watcher.reconciled(report)
        return report

    async def _all_lists(self) -> None:
        """Ask about all that is to be asked about, beginning where the last run had to stop."""
        ledger, merchant_no = self.recording.ledger, self.recording.session.platform.merchant_no
        # What was refused within the last day is looked at once more: the order may have been taken all the same. And
        # what a person has decided not to be paid, for some days.
        lists = {
            "refused": ledger.recent_refusals,
            "decided": getattr(ledger, "decided_failures", None),
            "open": ledger.open_entries,
        }
        note, read = getattr(ledger, "note_reconciled", None), getattr(ledger, "reconciled_to", None)
        stored = "" if read is None else await self._answer(read(merchant_no))
        begin, _, number = stored.rpartition(" ")
        if begin not in lists:
            begin, number = "refused", ""
        names, place = list(lists), list(lists).index(begin)
        stopped = ""
        for name, after, until in [
            (begin, number, None),
            *((other, "", None) for other in names[place + 1 :] + names[:place]),
            *([(begin, "", number)] if number else []),
        ]:
            pages = lists[name]
            came = None if pages is None else await self._all(pages, after=after, until=until)
            if came is not None:
                stopped = f"{name} {came}"
                break
        if note is not None and stopped != stored:
            await self._note(note(merchant_no, stopped))

    async def _note(self, noting: Awaitable[None]) -> None:
        """Note the place, within little more than the run's own time: without it the next run begins at the top."""
        left = max(_NOTING_SECONDS, self._deadline - self.recording.session.runtime.steady())
        try:
            await answer_within(min(left, self.recording.session.times.timeout), self.recording.ledger, noting)
        except LedgerUnavailableError as error:
            logger.warning("How far the reconciliation came could not be noted: %s", error)

    async def _all(
        self, pages: Callable[..., Awaitable[list[Entry]]], *, after: str = "", until: str | None = None
    ) -> str | None:
        """Ask about each payout of those pages; None, or the number up to which it came if the time was over before.

        Args:
            after: Begin behind this number.
            until: Go on to this number; None for all of them.
        """
        session = self.recording.session
        while self._left() > 0:
            page = await self._answer(pages(session.platform.merchant_no, after=after, limit=PAGE))
            page = [entry for entry in page if until is None or entry.trade_no <= until]
            if not page:
                return None
            now = session.runtime.steady()
            # Nothing of a new one is out, so the platform cannot know it; unless that was only believed.
            cases = [
                Case(entry=entry, first=entry, seen_at=now, due=now)
                for entry in page
                if (entry.state is not State.NEW or entry.asks_first) and not is_younger(entry, self.older_than)
            ]
            await self._page(cases)
            place = self._count(page, cases)
            if place is not None:
                after = page[place - 1].trade_no if place else after
                break
            after = page[-1].trade_no
        self._ended = False
        return after

    async def _page(self, cases: list[Case]) -> None:
        fresh, again, runtime = deque(cases), list[Case](), self.recording.session.runtime
        while (fresh or again) and self._left() > 0:
            if not fresh and (delay := min(case.due for case in again) - runtime.steady()) > 0:
                if delay >= self._left():
                    self._over = True  # They stay what they are, and the next run begins with them.
                    return
                await self.recording.session.closing.sleep(delay)
                await self._reload(again)
            await self._ask_all(fresh, again)

    async def _reload(self, cases: list[Case]) -> None:
        """Other processes write meanwhile: what they learned is worth more than what was read before the wait."""
        session = self.recording.session
        numbers = [case.entry.trade_no for case in cases]
        found = await self._answer(self.recording.ledger.get_many(session.platform.merchant_no, numbers))
        now = session.runtime.steady()
        for case in cases:
            case.see(found.get(case.entry.trade_no, case.entry), now)

    async def _ask_all(self, fresh: deque[Case], again: list[Case]) -> None:
        """Ask about each that is due, so many at one time; those that are to be asked about once more are in *again*.

        Args:
            fresh: They are due at any time.
            again: They go first once they are due: a run that has not the time for all would else ask about none twice.
        """
        choosing = asyncio.Lock()

        async def following() -> Case | None:
            async with choosing:  # Who has the next turn chooses, so that no turn is taken for what others have asked.
                steady = self.recording.session.runtime.steady
                if not (fresh or min((case.due for case in again), default=math.inf) <= steady()):
                    return None
                if not await self._turn():
                    return None
                now = steady()
                due = next((case for case in again if case.due <= now), None)
                if due is None:
                    return fresh.popleft()
                again.remove(due)
                return due

        async def work() -> None:
            while self._left() > 0 and (case := await following()) is not None:
                # What another process brought to another state meanwhile needs no query any more.
                case.pending = case.is_open and await self._ask(case)
                if case.pending:
                    again.append(case)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.concurrency, len(fresh) + len(again))):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            # One is enough to end it, and callers catch the ledger's error and no group.
            raise first_of(errors) from None

    async def _ask(self, case: Case) -> bool:
        """Ask about one payout and store what is said; whether to ask again."""
        session, entry = self.recording.session, case.entry
        runtime = session.runtime
        if (deadline := await self._admit(case)) is None:
            return False
        settled = session.policy.settled(self._age(case, runtime.steady()), session.policy.window(entry))
        outcome = await session.platform.query(entry.trade_no, entry=entry, timeout=self._patience(deadline))
        why = why_unanswered(outcome)
        if outcome.verdict is Verdict.QUESTION_REFUSED:
            outcome = await session.control.read(entry, outcome, timeout=self._patience(deadline, requests=3))
        case.tries += 1
        if outcome.verdict is Verdict.UNKNOWN:
            return self._put_off(case, outcome, why)
        await self._learn(case, outcome)
        if outcome.verdict is Verdict.BAD_CREDENTIALS:
            return self._put_off(case, outcome, why)
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
        if case.entry.state is State.MISSING and case.before is not State.MISSING:
            return False  # This run tells of it; a later one, which finds nothing either, makes it a person's.
        case.absences = case.absences + 1 if settled else 0
        if case.absences >= BELIEVED_ABSENCES:
            await self._believe(case)
            return False
        return self._await_the_next(case)

    async def _admit(self, case: Case) -> float | None:
        """Wait until it may be asked about; the moment by which an answer must be there, None if it is too late."""
        session, now = self.recording.session, self.recording.session.runtime.steady
        if case.give_up is None:
            case.give_up = now() + session.times.timeout
        deadline = min(case.give_up, self._deadline)
        # The first question of all is not held back.
        if deadline <= now() or (self._asked and not await session.may_try_again(deadline=deadline)):
            return None
        self._asked = True
        return deadline

    async def _turn(self) -> bool:
        """Wait for the next turn of the rate; False if there is none in time."""
        if self._turns is None:
            return self._left() > 0
        at = await self._turns.turn(until=self._deadline)
        if at is None:
            # The run begins nothing more, or it would pass over all the others; what is under way ends.
            self._over = True
            return False
        session = self.recording.session
        await session.closing.sleep(max(0.0, at - session.runtime.steady()))
        return True

    async def _reserve(self, spacing: float, count: int) -> Turns:
        name = f"{self.recording.session.platform.merchant_no} reconcile"
        return await self._answer(self.recording.ledger.reserve(name, spacing=spacing, count=count))

    async def _learn(self, case: Case, outcome: Outcome) -> None:
        """Store what was said, decided from what is stored then."""
        session, ledger = self.recording.session, self.recording.ledger
        told = session.news.on_written
        if is_refusal(case.entry):
            learning = apply(ledger.move, case.entry, lambda newest: after_second_look(newest, outcome), told)
        else:
            adopt, cause = session.policy.adopt_duplicates, Cause.RECONCILE
            learning = merge(ledger, case.entry, outcome, cause=cause, adopt_duplicates=adopt, on_written=told)
        case.see(await self._answer(learning), session.runtime.steady())
        session.news.tell(case.entry)

    def _put_off(self, case: Case, outcome: Outcome, why: str) -> bool:
        case.answered, case.absences, case.silence = False, 0, why
        # A refusal with a code will be the same next time.
        if outcome.code is not None or outcome.lasting or case.tries >= self.recording.session.times.max_attempts:
            return False
        policy, runtime = self.recording.session.policy, self.recording.session.runtime
        hint = min(outcome.retry_after or 0.0, policy.retry_after_max)
        case.due = runtime.steady() + policy.backoff(case.tries - 1, runtime.chance()) + hint
        return case.give_up is None or case.due < case.give_up

    def _await_the_next(self, case: Case) -> bool:
        policy = self.recording.session.policy
        now = self.recording.session.runtime.steady()
        until_settled = policy.window(case.entry) - self._age(case, now)
        if until_settled > 0 and not self.wait:
            return False
        case.due = now + max(policy.ask_spacing, until_settled)
        return True

    async def _believe(self, case: Case) -> None:
        """It never arrived. A caller who wants it paid calls again; here nothing is sent, so as good as exhausted."""
        session = self.recording.session
        resend = session.policy.resend
        change = after_absence(case.entry, resend=resend, exhausted=True, cause=Cause.RECONCILE)
        if change is not None:
            written = await self._answer(self.recording.ledger.move(change))
            if written.done and (watcher := session.news.watcher) is not None:
                watcher.written(case.entry, written.entry, change)
            case.see(written.entry, session.runtime.steady())

    def _left(self) -> float:
        if self.recording.session.closing.begun:
            raise ClientStateError(
                "The client was closed during the reconciliation. It sends nothing, and what it had learned until then "
                "is stored; run it again with a new client."
            )
        return 0.0 if self._over else self._deadline - self.recording.session.runtime.steady()

    def _patience(self, deadline: float, *, requests: int = 1) -> float:
        session = self.recording.session
        return max(0.0, min(requests * session.times.request_timeout, deadline - session.runtime.steady()))

    async def _answer(self, answer: Awaitable[T]) -> T:
        """What the ledger answers, for which it has as long as one call of this client."""
        # What was learned is stored although the time is over.
        left = self._deadline - self.recording.session.runtime.steady()
        seconds = min(self.recording.session.times.timeout, max(RECORDING_SECONDS, left))
        return await answer_within(seconds, self.recording.ledger, answer)

    def _age(self, case: Case, now: float) -> float:
        return self.recording.age(case.entry, case.seen_at, now)

    def _count(self, page: list[Entry], cases: list[Case]) -> int | None:
        """Count what became of a page. If the time was over before, the place of the first one that is left."""
        over, place = self._left() <= 0, None
        for case in cases:
            # What the run did not get to is in none of the numbers.
            if not over or case.was_asked or case.entry.state is not case.before:
                unanswered = not case.answered and case.entry.state is case.before
                self._counts.add(case.entry, first=case.first, silence=case.silence or "" if unanswered else None)
        # A second question that had no time is the next run's, unless this one had not the time for a single pair.
        pairs = bool(cases) and not cases[0].pending
        if over and (left := next((case for case in cases if not case.was_asked or (pairs and case.pending)), None)):
            # By place, and not by comparison: a database may sort letters in another way than Python.
            place = next(number for number, one in enumerate(page) if one.trade_no == left.entry.trade_no)
        for entry in page[:place]:
            if is_younger(entry, self.older_than):
                self._counts.pass_over(entry)
        return place
