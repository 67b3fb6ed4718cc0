"""Random lives of one payout: attempts, answers, crashes and late news in any order."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paypro_async._core.lifecycle import FINAL, LEGAL, Cause, Change, Reply, State, applies, changed
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.retry import Action, RetryPolicy, Situation, next_step
from paypro_async._core.transitions import (
    Decision,
    after_absence,
    after_attempt,
    after_decision,
    after_query,
    after_second_look,
    next_attempt,
)
from tests.support.samples import NOW, entry

ASKED = (Cause.QUERY, Cause.CALLBACK, Cause.RECONCILE)
ORDER = {
    "code": st.sampled_from(["0000", "0015", "60019", "1001", "1002"]),
    "amount": st.none() | st.sampled_from([Decimal(0), Decimal(300)]),
    "platform_trade_no": st.none() | st.sampled_from(["P", "Q"]),
    "duplicate": st.booleans(),
    "paid_at": st.none() | st.sampled_from([NOW - timedelta(days=3), NOW + timedelta(minutes=1)]),
}
ATTEMPTED = set(Verdict) - {Verdict.NO_SUCH_ORDER, Verdict.FOREIGN, Verdict.QUESTION_REFUSED}
ANSWERED = set(Verdict) - {Verdict.NOT_SENT, Verdict.RATE_LIMITED, Verdict.REFUSED, Verdict.DUPLICATE}
ATTEMPTS = st.builds(Outcome, verdict=st.sampled_from(sorted(ATTEMPTED, key=str)), **ORDER)
ANSWERS = st.builds(Outcome, verdict=st.sampled_from(sorted(ANSWERED, key=str)), **ORDER)
SECONDS = st.none() | st.sampled_from([0.0, 5.0, 60.0, 600.0])
POLICY = RetryPolicy(settle_after=0.0)


class Life(RuleBasedStateMachine):
    """One entry, and every writer that the package has; a writer may act on an entry that it saw earlier."""

    @initialize(settle_after=SECONDS, resend=st.booleans(), restored=st.booleans())
    def it_is_claimed(self, settle_after: float | None, *, resend: bool, restored: bool) -> None:
        self.entry = entry(settle_after=settle_after, resend=resend, doubt=restored)
        self.seen = self.entry
        self.on_the_wire = {1}
        self.now = NOW
        self.restored = restored
        self.taken: set[int] = set()
        self.witnesses: list[str | None] = []
        self.absences = 0

    def write(self, change: Change | None, *, saw: State, outcome: Outcome | None = None) -> None:
        if change is None or not applies(self.entry, change):
            return
        before = self.entry
        assert change.state is saw
        self.now += timedelta(seconds=1)
        self.entry = changed(before, change, self.now)
        assert change.cause in LEGAL[before.state, self.entry.state]
        assert self.entry.attempt == before.attempt + change.begins
        if before.state in FINAL and before.state is not self.entry.state:
            assert (before.state, self.entry.state) in {
                (State.SUCCEEDED, State.REVERSED),
                (State.FAILED, State.REVIEW),
            }
        if before.doubt:
            assert self.entry.doubt
        assert POLICY.window(self.entry) >= POLICY.window(before) or self.entry.reply is Reply.REFUSED
        assert (self.entry.settle_after or 0) >= (before.settle_after or 0)
        assert self.entry.resend is before.resend
        if change.begins:
            self._begins(before.state)
        if self.entry.state is State.FAILED is not before.state:
            self._fails(change, doubt=before.doubt, outcome=outcome)

    def _begins(self, before: State) -> None:
        assert before in (State.NEW, State.SENDING)
        # No attempt follows one that may have left without the doubt being written down.
        assert self.entry.doubt or before is State.NEW
        self.on_the_wire.add(self.entry.attempt)
        self.witnesses.clear()
        self.absences = 0

    def _fails(self, change: Change, *, doubt: bool, outcome: Outcome | None) -> None:
        """By a person, by a code that a page lists, or by two witnesses; never by one reply under any other code."""
        if change.cause is Cause.PERSON:
            return
        if outcome is not None and outcome.verdict in (Verdict.REFUSED, Verdict.FAILED):
            assert change.cause is not Cause.ATTEMPT or not doubt
            return
        assert change.cause is not Cause.ATTEMPT
        believed = outcome is None and self.absences >= 2
        told_twice = outcome is not None and self.witnesses.count(outcome.code) >= 2
        assert believed or told_twice

    @rule()
    def somebody_reads(self) -> None:
        self.seen = self.entry

    @rule(outcome=ATTEMPTS, stale=st.booleans(), data=st.data())
    def an_exchange_ends(self, outcome: Outcome, *, stale: bool, data: st.DataObject) -> None:
        if self.on_the_wire:
            number = data.draw(st.sampled_from(sorted(self.on_the_wire)))
            self.on_the_wire.discard(number)
            if outcome.verdict not in (Verdict.NOT_SENT, Verdict.BAD_CREDENTIALS, Verdict.RATE_LIMITED):
                self.taken.add(number)
            saw = self.seen if stale else self.entry
            self._hear(outcome)
            self.write(after_attempt(saw, outcome, sent=number), saw=saw.state, outcome=outcome)

    @rule(outcome=ANSWERS, stale=st.booleans(), cause=st.sampled_from(ASKED), adopt=st.booleans())
    def an_answer_comes(self, outcome: Outcome, *, stale: bool, cause: Cause, adopt: bool) -> None:
        saw = self.seen if stale else self.entry
        self._hear(outcome)
        change = after_query(saw, outcome, cause=cause, adopt_duplicates=adopt)
        self.write(change, saw=saw.state, outcome=outcome)

    @precondition(lambda self: self.entry.state is State.FAILED)
    @rule(outcome=ANSWERS)
    def a_refusal_is_looked_at_once_more(self, outcome: Outcome) -> None:
        """It stays failed, or a person must look: it is never sent again and never called paid."""
        self.write(after_second_look(self.entry, outcome), saw=State.FAILED, outcome=outcome)
        assert self.entry.state in (State.FAILED, State.REVIEW)
        alive = (Verdict.PAID, Verdict.PROCESSING, Verdict.PARTIAL)
        assert (self.entry.state is State.REVIEW) == (outcome.verdict in alive)

    def _hear(self, outcome: Outcome) -> None:
        if outcome.verdict is Verdict.UNLISTED:
            self.witnesses.append(outcome.code)
        if outcome.verdict is Verdict.NO_SUCH_ORDER:
            self.absences += 1

    @rule(answer=ANSWERS, settle_after=SECONDS, resend=st.booleans(), exhausted=st.booleans())
    def a_client_does_what_is_next(
        self, answer: Outcome, settle_after: float | None, *, resend: bool, exhausted: bool
    ) -> None:
        """As the engine does, on a platform that answers anything; the settle window is over."""
        one = self.entry
        at = Situation(
            state=one.state,
            sends=int(exhausted),
            age=1e9,
            asks_first=one.asks_first,
            failing=one.reply is Reply.FAILING,
            asked=self.absences,
            absences=self.absences,
        )
        step = next_step(at, POLICY, 0.5)
        if step.action is Action.ASK:
            self._hear(answer)
            if answer.verdict is not Verdict.NO_SUCH_ORDER:
                self.absences = 0
            self.write(after_query(one, answer), saw=one.state, outcome=answer)
        elif step.action is Action.SEND:
            assert one.state is State.NEW
            assert self.absences or not one.doubt
            assert one.doubt or not self.taken or self.restored, "an attempt was taken, and another one follows"
            self.write(next_attempt(one, settle_after=settle_after), saw=one.state)
        elif step.action is Action.BELIEVE:
            assert self.absences >= 2
            change = after_absence(one, resend=resend, exhausted=exhausted)
            assert change is not None or one.resend
            self.write(change or next_attempt(one, settle_after=settle_after), saw=one.state)
            self.absences = 0

    @precondition(lambda self: self.seen.state in (State.NEW, State.SENDING))
    @rule()
    def another_process_sends_what_it_saw_long_ago(self) -> None:
        attempt, current = self.entry.attempt, self.seen.attempt == self.entry.attempt
        if not self.seen.asks_first and self.seen.reply is None:
            self.write(next_attempt(self.seen), saw=self.seen.state)
        assert self.entry.attempt == attempt or current

    @rule(decision=st.sampled_from(Decision), stale=st.booleans())
    def a_person_decides(self, decision: Decision, *, stale: bool) -> None:
        saw = self.seen if stale else self.entry
        self.write(after_decision(saw, decision, by="asha", note="looked it up"), saw=saw.state)

    @rule()
    def the_process_is_killed(self) -> None:
        """What it had on the wire is lost; the entry needs nobody to be right."""
        self.taken |= self.on_the_wire
        self.on_the_wire.clear()
        self.absences = 0

    @invariant()
    def an_unknown_payout_has_no_result(self) -> None:
        known = self.entry.state not in (State.NEW, State.SENDING, State.MISSING, State.REVIEW)
        assert (self.entry.result() is not None) == known

    @invariant()
    def what_may_be_out_is_asked_about_first(self) -> None:
        one = self.entry
        assert one.asks_first == (one.state is State.NEW and (one.doubt or one.reply is Reply.BUSY))
        assert not one.uncertain or one.state in (State.NEW, State.SENDING, State.MISSING, State.REVIEW)

    @invariant()
    def what_proves_nothing_changes_nothing(self) -> None:
        """No state, no reply, no doubt: an unknown answer is at most noted."""
        one = self.entry
        for verdict in (Verdict.UNKNOWN, Verdict.QUESTION_REFUSED):
            told = Outcome(verdict=verdict, code="1001")
            assert not [cause for cause in ASKED if after_query(one, told, cause=cause)]
            change = after_attempt(one, told, sent=one.attempt)
            if change is not None:
                noted = changed(one, change, None)
                assert (noted.state, noted.reply, noted.doubt) == (State.SENDING, one.reply, one.doubt)

    @invariant()
    def only_a_person_ends_a_review(self) -> None:
        """What the platform says meanwhile is at most noted."""
        if self.entry.state is State.REVIEW:
            for verdict in Verdict:
                outcome = Outcome(verdict=verdict, platform_trade_no="P-2")
                for change in (
                    after_query(self.entry, outcome),
                    after_attempt(self.entry, outcome, sent=self.entry.attempt),
                ):
                    assert change is None or change.to is State.REVIEW


TestLife = Life.TestCase
TestLife.settings = settings(stateful_step_count=25)
