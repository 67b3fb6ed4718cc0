from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError

from paypro_async._core.lifecycle import FINAL, LEGAL, Cause, Change, Entry, Reply, State, applies, changed, first_entry
from paypro_async._core.models import PayoutStatus
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.transitions import after_absence, after_attempt, after_query, after_second_look, next_attempt
from paypro_async._core.wire import Phase
from tests.support.samples import NOW, TRADE_NO, entry, intent, outcome

LATER, EARLIER = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)
NOTED = (Cause.QUERY, Cause.CALLBACK, Cause.RECONCILE)
TABLE = {
    "new": "new->new: noted; new->sending: attempt restore; new->processing, new->succeeded, new->review: all; "
    "new->failed: later",
    "sending": "sending->sending: attempt restore query callback reconcile; sending->new: attempt query reconcile; "
    "sending->processing, sending->succeeded, sending->failed, sending->review: all",
    "processing": "processing->processing, processing->missing: noted; processing->succeeded, processing->review: all; "
    "processing->failed: later",
    "missing": "missing->missing: noted; missing->processing, missing->succeeded, missing->review: all; "
    "missing->failed: later",
    "succeeded": "succeeded->succeeded: noted; succeeded->reversed: later",
    "failed": "failed->failed: reconcile; failed->review: all",
    "reversed": "reversed->review: noted",
    "review": "review->review: all; review->processing, review->succeeded, review->failed, review->new: person",
}
ENTRIES = [
    entry(state=state, attempt=2, reply=reply, doubt=doubt)
    for state, reply, doubt in product(State, (None, *Reply), (False, True))
]
OUTCOMES = [outcome(verdict, amount=amount) for verdict, amount in product(Verdict, (None, Decimal(0), Decimal(300)))]


def change(state: State, to: State, cause: Cause, *, attempt: int | None = 1, **more: object) -> Change:
    return Change(merchant_no="0000000001", trade_no=TRADE_NO, state=state, attempt=attempt, to=to, cause=cause, **more)  # type: ignore[arg-type]  # tests give what they need


def test_the_table_is_as_documented():
    """Every way from state to state, written out a second time: no one is added or lost unnoticed."""
    later = {*NOTED, Cause.PERSON}
    who = {"all": {*later, Cause.ATTEMPT}, "later": later, "noted": set(NOTED), "person": {Cause.PERSON}}
    expected = {}
    for rule in "; ".join(TABLE.values()).split("; "):
        pairs, _, causes = rule.partition(": ")
        named = who.get(causes) or {Cause(one) for one in causes.split()}
        for pair in pairs.split(", "):
            state, _, to = pair.partition("->")
            expected[State(state), State(to)] = named
    assert {pair: set(causes) for pair, causes in LEGAL.items()} == expected


def test_the_table_cannot_be_changed():
    """It is the same for every client of the process."""
    with pytest.raises(TypeError):
        LEGAL[State.FAILED, State.NEW] = frozenset(Cause)  # type: ignore[index]


def test_a_final_state_moves_only_where_the_platform_takes_its_word_back():
    """A success may be reversed, and what is then seen alive goes to a person; nothing is ever sent again by itself."""
    assert {pair for pair in LEGAL if pair[0] in FINAL and pair[0] is not pair[1]} == {
        (State.SUCCEEDED, State.REVERSED),
        (State.FAILED, State.REVIEW),
        (State.REVERSED, State.REVIEW),
    }
    assert {state for state, to in LEGAL if to is State.SENDING} == {State.NEW, State.SENDING}
    assert LEGAL[State.REVIEW, State.NEW] == {Cause.PERSON}


@pytest.mark.parametrize(("state", "to"), list(product(State, State)))
def test_a_change_that_is_not_in_the_table_cannot_be_made(state: State, to: State):
    """Whoever wants to write it."""
    for cause in Cause:
        if cause in LEGAL.get((state, to), ()):
            assert change(state, to, cause).to is to
        else:
            with pytest.raises(ValueError, match=f"cannot go from {state} to {to} by {cause}"):
                pytest.fail(f"{cause}: {change(state, to, cause)}")


def test_a_claimed_intent_is_its_first_attempt():
    """It is announced before a byte leaves, and an announced attempt is unknown."""
    first = first_entry(intent(), NOW)
    assert (first.state, first.attempt, first.sent_at, first.age) == (State.SENDING, 1, NOW, 0.0)
    assert (first.content, first.fingerprint) == (intent().content, intent().fingerprint)
    assert first.result() is None
    assert not first.doubt


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda one: f"{one.verdict.name}-{one.amount}")
def test_every_entry_takes_every_outcome(outcome: Outcome):
    """All states, replies and doubts; no decision ever asks for a change that is not in the table."""
    for one, sent in product(ENTRIES, (1, 2)):
        made = [after_attempt(one, outcome, sent=sent), *(after_query(one, outcome, cause=cause) for cause in NOTED)]
        made.append(after_second_look(one, outcome))
        for step in filter(None, made):
            assert applies(one, step)
            assert step.cause in LEGAL[one.state, step.to]
            assert changed(one, step, NOW).state is step.to
            assert not step.begins


@pytest.mark.parametrize("one", ENTRIES, ids=lambda one: f"{one.state}-{one.reply}-{one.doubt}")
def test_every_entry_that_is_believed_absent_has_a_step(one: Entry):
    """Only one that is unknown or missing is ever believed absent; None means that it is sent again."""
    if one.state in (State.SENDING, State.MISSING):
        for resend, exhausted in product((False, True), (False, True)):
            step = after_absence(one, resend=resend, exhausted=exhausted)
            assert step is None or applies(one, step)
            again = one.state is State.SENDING and one.reply not in (Reply.REFUSED, Reply.DUPLICATE, Reply.FAILING)
            assert (step is None) == (again and resend and not exhausted)
            assert one.state is State.SENDING or step.to is State.REVIEW


@pytest.mark.parametrize(("lost", "phase"), [(True, Phase.MAYBE_SENT), (False, Phase.ANSWERED)])
def test_an_attempt_that_proves_nothing_leaves_the_payout_unknown(*, lost: bool, phase: Phase):
    """How far it got is noted, once, for whoever looks into it; the state says nothing else than before."""
    step = after_attempt(entry(), outcome(Verdict.UNKNOWN, lost=lost), sent=1)
    assert step is not None
    assert (step.to, step.phase, step.begins, step.doubt, step.reply) == (State.SENDING, phase, False, None, None)
    noted = changed(entry(), step, NOW)
    assert not applies(noted, step)
    assert after_attempt(noted, outcome(Verdict.UNKNOWN), sent=1) is None


@pytest.mark.parametrize(
    ("verdict", "doubt", "to", "reply"),
    [
        (Verdict.PAID, False, State.SUCCEEDED, None),
        (Verdict.PAID, True, State.SUCCEEDED, None),
        (Verdict.PROCESSING, False, State.PROCESSING, None),
        (Verdict.FAILED, False, State.FAILED, None),
        (Verdict.REFUSED, False, State.FAILED, Reply.REFUSED),
        (Verdict.FAILED, True, State.SENDING, Reply.REFUSED),
        (Verdict.REFUSED, True, State.SENDING, Reply.REFUSED),
        (Verdict.UNLISTED, False, State.SENDING, Reply.REFUSED),
        (Verdict.UNLISTED, True, State.SENDING, Reply.REFUSED),
        (Verdict.PARTIAL, False, State.REVIEW, None),
        (Verdict.PARTIAL, True, State.REVIEW, None),
        (Verdict.DUPLICATE, False, State.SENDING, Reply.DUPLICATE),
        (Verdict.DUPLICATE, True, State.SENDING, Reply.DUPLICATE),
        (Verdict.NOT_SENT, False, State.NEW, None),
        (Verdict.RATE_LIMITED, False, State.NEW, Reply.BUSY),
        (Verdict.RATE_LIMITED, True, State.NEW, Reply.BUSY),
        (Verdict.BAD_CREDENTIALS, False, State.NEW, None),
    ],
)
def test_an_attempt_ends_as_its_outcome_says(verdict: Verdict, *, doubt: bool, to: State, reply: Reply | None):
    """A refusal under a code that no page lists or after a doubtful attempt, and a duplicate, end nothing."""
    step = after_attempt(entry(doubt=doubt), outcome(verdict, code="7", message="words"), sent=1)
    assert step is not None
    assert (step.to, step.reply, step.cause) == (to, reply, Cause.ATTEMPT)
    assert (step.code, step.message) == ("7", "words")


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.REFUSED, Verdict.DUPLICATE, Verdict.NOT_SENT])
def test_what_an_older_attempt_learned_says_nothing_about_a_newer_one(verdict: Verdict):
    """Its refusal, or that it never left, comes too late."""
    assert after_attempt(entry(attempt=2), outcome(verdict), sent=1) is None
    for state in set(State) - {State.SENDING}:
        assert after_attempt(entry(state=state), outcome(verdict), sent=1) is None


@pytest.mark.parametrize("state", [State.NEW, State.SENDING])
def test_that_an_order_exists_is_true_whichever_attempt_made_it(state: State):
    """A late "paid" of the first attempt counts while the second is announced."""
    step = after_attempt(entry(state=state, attempt=2), outcome(Verdict.PAID), sent=1)
    assert step is not None
    assert (step.to, step.attempt) == (State.SUCCEEDED, None)


@pytest.mark.parametrize("verdict", [Verdict.PAID, Verdict.PROCESSING])
def test_a_failed_payout_that_an_attempt_shows_alive_goes_to_a_person(verdict: Verdict):
    """Otherwise its caller reads FAILED and pays a second time under a new number."""
    step = after_attempt(entry(state=State.FAILED), outcome(verdict), sent=1)
    assert step is not None
    assert step.to is State.REVIEW


@pytest.mark.parametrize(
    ("state", "verdict", "to"),
    [
        (State.NEW, Verdict.PAID, State.SUCCEEDED),
        (State.NEW, Verdict.PROCESSING, State.PROCESSING),
        (State.NEW, Verdict.FAILED, State.FAILED),
        (State.SENDING, Verdict.PAID, State.SUCCEEDED),
        (State.SENDING, Verdict.PROCESSING, State.PROCESSING),
        (State.SENDING, Verdict.FAILED, State.FAILED),
        (State.SENDING, Verdict.FOREIGN, State.REVIEW),
        (State.SENDING, Verdict.NO_SUCH_ORDER, None),
        (State.SENDING, Verdict.UNKNOWN, None),
        (State.PROCESSING, Verdict.PAID, State.SUCCEEDED),
        (State.PROCESSING, Verdict.PROCESSING, None),
        (State.PROCESSING, Verdict.FAILED, State.FAILED),
        (State.PROCESSING, Verdict.FOREIGN, State.REVIEW),
        (State.PROCESSING, Verdict.NO_SUCH_ORDER, State.MISSING),
        (State.PROCESSING, Verdict.PARTIAL, State.REVIEW),
        (State.MISSING, Verdict.NO_SUCH_ORDER, None),
        (State.MISSING, Verdict.UNKNOWN, None),
        (State.MISSING, Verdict.PROCESSING, State.PROCESSING),
        (State.MISSING, Verdict.PAID, State.SUCCEEDED),
        (State.MISSING, Verdict.FAILED, State.FAILED),
        (State.MISSING, Verdict.FOREIGN, State.REVIEW),
        (State.MISSING, Verdict.PARTIAL, State.REVIEW),
        (State.SUCCEEDED, Verdict.PAID, None),
        (State.SUCCEEDED, Verdict.NO_SUCH_ORDER, None),
        (State.SUCCEEDED, Verdict.PROCESSING, None),
        (State.SUCCEEDED, Verdict.FAILED, State.REVERSED),
        (State.FAILED, Verdict.PAID, State.REVIEW),
        (State.FAILED, Verdict.PROCESSING, State.REVIEW),
        (State.FAILED, Verdict.PARTIAL, State.REVIEW),
        (State.FAILED, Verdict.FAILED, None),
        (State.FAILED, Verdict.NO_SUCH_ORDER, None),
        (State.REVERSED, Verdict.PAID, State.REVIEW),
        (State.REVERSED, Verdict.PARTIAL, State.REVIEW),
        (State.REVERSED, Verdict.PROCESSING, None),
        (State.REVERSED, Verdict.FAILED, None),
        (State.REVIEW, Verdict.PAID, None),
        (State.REVIEW, Verdict.FAILED, None),
    ],
)
def test_an_answer_moves_an_entry_as_the_table_says(state: State, verdict: Verdict, to: State | None):
    """The platform's word about an order, asked for or called back. What is new had left, as far as is known."""
    step = after_query(entry(state=state, doubt=state is State.NEW), outcome(verdict))
    assert (step.to if step else None) is to


@pytest.mark.parametrize(
    "verdict",
    [Verdict.PAID, Verdict.PROCESSING, Verdict.PARTIAL, Verdict.FAILED, Verdict.UNLISTED, Verdict.FOREIGN],
)
@pytest.mark.parametrize("cause", NOTED)
def test_an_order_of_a_payout_that_never_left_is_anothers(verdict: Verdict, cause: Cause):
    """No byte left, so whatever the platform holds under that number, it is not this payout; equal amount or not."""
    never_left = entry(state=State.NEW)
    said = outcome(verdict, amount=Decimal(300), platform_trade_no="P", paid_at=LATER)
    step = after_query(never_left, said, cause=cause)
    assert step is not None
    assert step.to is State.REVIEW
    typed = after_query(never_left, outcome(Verdict.PAID, amount=Decimal(300)), adopt_duplicates=True)
    assert typed is not None
    assert typed.to is State.SUCCEEDED


@pytest.mark.parametrize("reply", [Reply.BUSY, Reply.REFUSED])
def test_an_order_of_a_payout_that_the_platform_had_refused_for_now_is_its_own(reply: Reply):
    """It did leave, and the platform took it after all."""
    for verdict, to in ((Verdict.PAID, State.SUCCEEDED), (Verdict.PROCESSING, State.PROCESSING)):
        step = after_query(entry(state=State.NEW, reply=reply), outcome(verdict))
        assert step is not None
        assert step.to is to


@pytest.mark.parametrize(
    "verdict", [Verdict.PAID, Verdict.PROCESSING, Verdict.PARTIAL, Verdict.FAILED, Verdict.UNLISTED]
)
@pytest.mark.parametrize("cause", NOTED)
def test_a_duplicate_on_our_only_attempt_goes_to_a_person(verdict: Verdict, cause: Cause):
    """The order may be another system's, to another payee, months old: an equal amount shows nothing."""
    ours = entry(reply=Reply.DUPLICATE)
    for amount, paid_at in product((None, Decimal(0), Decimal(300)), (None, EARLIER)):
        step = after_query(ours, outcome(verdict, amount=amount, paid_at=paid_at, platform_trade_no="P"), cause=cause)
        assert step is not None
        assert step.to is State.REVIEW


@pytest.mark.parametrize(
    ("mine", "said", "adopt"),
    [
        ({"doubt": True}, {}, False),
        ({"platform_trade_no": "P"}, {"platform_trade_no": "P"}, False),
        ({}, {"amount": Decimal("300.00"), "paid_at": LATER}, False),
        ({}, {"amount": Decimal(300), "paid_at": NOW}, False),
        ({}, {"amount": Decimal(300)}, True),
    ],
)
def test_a_duplicate_that_is_shown_to_be_ours_is_believed(mine: dict[str, Any], said: dict[str, Any], *, adopt: bool):
    """An earlier attempt of ours, a number that it was told before, its time, or a caller who has typed that it is."""
    ours = entry(reply=Reply.DUPLICATE, **mine)
    step = after_query(ours, outcome(Verdict.PAID, **said), adopt_duplicates=adopt)
    assert step is not None
    assert step.to is State.SUCCEEDED


@pytest.mark.parametrize(
    ("mine", "said", "adopt"),
    [
        ({"platform_trade_no": "P"}, {"platform_trade_no": "Q"}, False),
        ({}, {"amount": Decimal(301), "paid_at": LATER}, False),
        ({}, {"amount": None, "paid_at": LATER}, False),
        ({}, {"amount": Decimal(301)}, True),
        ({}, {"amount": Decimal(0)}, True),
        ({}, {"amount": None}, True),
    ],
)
def test_what_shows_a_duplicate_to_be_ours_fits_in_every_part(
    mine: dict[str, Any], said: dict[str, Any], *, adopt: bool
):
    """Another number, another amount or none: then not even one who has typed it adopts it."""
    ours = entry(reply=Reply.DUPLICATE, **mine)
    step = after_query(ours, outcome(Verdict.PAID, **said), adopt_duplicates=adopt)
    assert step is not None
    assert step.to is State.REVIEW


@pytest.mark.parametrize(
    ("reply", "resend", "exhausted", "to"),
    [
        (None, True, False, None),
        (None, True, True, State.NEW),
        (None, False, False, State.REVIEW),
        (None, False, True, State.REVIEW),
        (Reply.REFUSED, True, False, State.FAILED),
        (Reply.REFUSED, False, True, State.FAILED),
        (Reply.DUPLICATE, True, False, State.REVIEW),
        (Reply.FAILING, True, False, State.REVIEW),
    ],
)
def test_an_order_that_is_believed_absent(reply: Reply | None, *, resend: bool, exhausted: bool, to: State | None):
    """It is sent again, kept to be sent later, ended by its refusal, or left to a person."""
    step = after_absence(entry(reply=reply), resend=resend, exhausted=exhausted)
    assert (step.to if step else None) is to
    assert step is None or step.doubt is (True if to is State.NEW else None)


def test_a_new_attempt_after_an_unknown_one_carries_the_doubt():
    """For good: also over attempts that provably never left."""
    later = NOW + timedelta(seconds=90)
    second = changed(entry(reply=Reply.REFUSED, age=90.0), next_attempt(entry()), later)
    assert (second.attempt, second.sent_at, second.age, second.doubt, second.reply) == (2, later, 0.0, True, None)
    never_left = after_attempt(second, outcome(Verdict.NOT_SENT), sent=2)
    assert never_left is not None
    third = changed(changed(second, never_left, None), next_attempt(evolve(second, state=State.NEW)), later)
    assert (third.attempt, third.doubt) == (3, True)


def test_a_new_attempt_after_one_that_never_left_has_no_doubt():
    """A refusal of it ends the payout."""
    new = entry(state=State.NEW)
    assert not changed(new, next_attempt(new), NOW).doubt


def test_a_change_applies_only_to_what_its_writer_saw():
    """State and attempt, or the state alone if the change is true for any attempt."""
    seen = change(State.SENDING, State.NEW, Cause.ATTEMPT, attempt=1)
    assert applies(entry(), seen)
    assert not applies(entry(attempt=2), seen)
    assert not applies(entry(state=State.PROCESSING), seen)
    assert applies(entry(attempt=2), change(State.SENDING, State.SUCCEEDED, Cause.QUERY, attempt=None))


def test_what_a_change_does_not_know_stays():
    """The platform's number and the bank's reference are not lost by a poorer answer."""
    rich = entry(state=State.PROCESSING, code="0015", message="M", platform_trade_no="P", utr="U")
    done = changed(rich, change(State.PROCESSING, State.SUCCEEDED, Cause.QUERY, code="0000", message="N"), None)
    assert (done.code, done.message, done.platform_trade_no, done.utr) == ("0000", "N", "P", "U")
    assert (done.sent_at, done.attempt) == (rich.sent_at, rich.attempt)


def test_the_words_of_one_code_never_stand_beside_another():
    """A payout that was first refused and then found paid is not "0000 INSUFFICIENT_FUNDS"."""
    refused = entry(reply=Reply.REFUSED, doubt=True, code="60019", message="INSUFFICIENT_FUNDS")
    step = after_query(refused, outcome(Verdict.PAID, code="0000"))
    assert step is not None
    done = changed(refused, step, None)
    assert (done.code, done.message) == ("0000", None)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (State.NEW, None),
        (State.SENDING, None),
        (State.MISSING, None),
        (State.REVIEW, None),
        (State.PROCESSING, PayoutStatus.PROCESSING),
        (State.SUCCEEDED, PayoutStatus.SUCCEEDED),
        (State.FAILED, PayoutStatus.FAILED),
        (State.REVERSED, PayoutStatus.REVERSED),
    ],
)
def test_an_entry_is_a_result_only_if_something_is_known(state: State, status: PayoutStatus | None):
    """Unknown is not a result."""
    known = entry(state=state, attempt=2, code="C", message="M", platform_trade_no="P", utr="U").result()
    assert (known.status if known else None) is status
    if known:
        assert (known.trade_no, known.amount, known.currency, known.attempts) == (TRADE_NO, Decimal(300), "INR", 2)
        assert (known.code, known.message, known.platform_trade_no, known.utr) == ("C", "M", "P", "U")


def test_an_entry_shows_no_personal_value_and_cannot_be_changed():
    """It holds all that was sent, and `repr` leaves that out."""
    assert not [value for value in ("Asha", "8234567890", "asha@", "10094038292") if value in repr(entry())]
    with pytest.raises(FrozenInstanceError):
        entry().state = State.NEW  # type: ignore[misc]
