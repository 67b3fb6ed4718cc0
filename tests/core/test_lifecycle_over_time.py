"""Random lives of one payout: attempts, answers, crashes and late news in any order."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from paypro_async._core.lifecycle import FINAL, LEGAL, Cause, Change, Reply, State, applies, changed
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.transitions import (
    Decision,
    after_absence,
    after_attempt,
    after_decision,
    after_query,
    next_attempt,
)
from tests.support.samples import NOW, entry

OUTCOMES = st.builds(
    Outcome,
    verdict=st.sampled_from(Verdict),
    code=st.none() | st.sampled_from(["0000", "0015", "60019"]),
    amount=st.none() | st.sampled_from([Decimal(0), Decimal(300)]),
)


class Life(RuleBasedStateMachine):
    """One entry, and every writer that the package has; a writer may act on an entry that it saw earlier."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = entry()
        self.seen = self.entry
        self.on_the_wire = {1}
        self.now = NOW

    def write(self, change: Change | None, *, saw: State) -> None:
        if change is None or not applies(self.entry, change):
            return
        before = self.entry
        assert change.state is saw
        self.now += timedelta(seconds=1)
        self.entry = changed(before, change, self.now)
        assert change.cause in LEGAL[before.state, self.entry.state]
        assert self.entry.attempt == before.attempt + change.begins
        if before.state in FINAL:
            assert (before.state, self.entry.state) in {
                (State.SUCCEEDED, State.REVERSED),
                (State.FAILED, State.REVIEW),
            }
        if before.doubt:
            assert self.entry.doubt
        if change.begins:
            assert before.state in (State.NEW, State.SENDING)
            # No attempt follows one that may have left without the doubt being written down.
            assert self.entry.doubt or before.state is State.NEW
            self.on_the_wire.add(self.entry.attempt)

    @rule()
    def somebody_reads(self) -> None:
        self.seen = self.entry

    @rule(outcome=OUTCOMES, stale=st.booleans(), data=st.data())
    def an_exchange_ends(self, outcome: Outcome, *, stale: bool, data: st.DataObject) -> None:
        if self.on_the_wire:
            number = data.draw(st.sampled_from(sorted(self.on_the_wire)))
            self.on_the_wire.discard(number)
            saw = self.seen if stale else self.entry
            self.write(after_attempt(saw, outcome, sent=number), saw=saw.state)

    @rule(outcome=OUTCOMES, stale=st.booleans(), cause=st.sampled_from([Cause.QUERY, Cause.CALLBACK, Cause.PERSON]))
    def an_answer_comes(self, outcome: Outcome, *, stale: bool, cause: Cause) -> None:
        saw = self.seen if stale else self.entry
        self.write(after_query(saw, outcome, cause=cause), saw=saw.state)

    @precondition(lambda self: self.entry.state is State.SENDING)
    @rule(resend=st.booleans(), exhausted=st.booleans())
    def it_is_believed_absent(self, *, resend: bool, exhausted: bool) -> None:
        change = after_absence(self.entry, resend=resend, exhausted=exhausted)
        self.write(change or next_attempt(self.entry), saw=State.SENDING)

    @precondition(lambda self: self.entry.state is State.NEW)
    @rule()
    def it_is_sent_again(self) -> None:
        self.write(next_attempt(self.entry), saw=State.NEW)

    @precondition(lambda self: self.seen.state in (State.NEW, State.SENDING))
    @rule()
    def another_process_sends_what_it_saw_long_ago(self) -> None:
        attempt, current = self.entry.attempt, self.seen.attempt == self.entry.attempt
        self.write(next_attempt(self.seen), saw=self.seen.state)
        assert self.entry.attempt == attempt or current

    @rule(decision=st.sampled_from(Decision), stale=st.booleans())
    def a_person_decides(self, decision: Decision, *, stale: bool) -> None:
        saw = self.seen if stale else self.entry
        self.write(after_decision(saw, decision, by="asha", note="looked it up"), saw=saw.state)

    @rule()
    def the_process_is_killed(self) -> None:
        """What it had on the wire is lost; the entry needs nobody to be right."""
        self.on_the_wire.clear()

    @invariant()
    def an_unknown_payout_has_no_result(self) -> None:
        known = self.entry.state not in (State.NEW, State.SENDING, State.REVIEW)
        assert (self.entry.result() is not None) == known

    @invariant()
    def a_reply_is_noted_only_while_it_matters(self) -> None:
        if self.entry.reply is Reply.REFUSED:
            assert self.entry.doubt

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
