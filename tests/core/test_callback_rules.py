"""Whether a callback is believed, over every state and every verdict."""

from decimal import Decimal
from itertools import product

import pytest

from paypro_async._core.callback_rules import Doubt, after_callback, confirmed
from paypro_async._core.lifecycle import FINAL, Cause, Entry
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.states import Reply, State
from tests.support.samples import entry

ENTRIES = [
    entry(state=state, attempt=attempt, doubt=doubt, reply=reply, code=code, platform_trade_no=number)
    for state, attempt, doubt, reply, code, number in product(
        State, (0, 1, 2), (False, True), (None, *Reply), (None, "77777"), (None, "P-1")
    )
]
VERDICTS = [
    Outcome(verdict=verdict, code="77777", platform_trade_no=number, amount=Decimal(300))
    for verdict, number in product(Verdict, (None, "P-1", "P-2"))
]


@pytest.mark.parametrize("outcome", VERDICTS, ids=lambda one: f"{one.verdict.name}-{one.platform_trade_no}")
def test_no_entry_and_no_callback_leave_the_table_of_what_may_happen(outcome: Outcome):
    """A final state is never left by a callback alone, and a failure of perhaps another attempt ends nothing."""
    for one, ambiguous in product(ENTRIES, (False, True)):
        change, doubt = after_callback(one, outcome, ambiguous=ambiguous)
        assert change is None or doubt is None
        assert not (ambiguous and change)
        if change is None:
            continue
        assert change.cause is Cause.CALLBACK
        assert change.to is one.state or one.state not in FINAL
        if change.to is State.FAILED:
            assert (one.attempt, one.doubt) == (1, False)
            assert outcome.verdict is Verdict.FAILED or one.reply is Reply.REFUSED
            assert None in (one.platform_trade_no, outcome.platform_trade_no) or outcome.platform_trade_no == "P-1"


def told(state: State, verdict: Verdict, **details: object) -> Doubt | None:
    one: Entry = entry(state=state, **details)
    return after_callback(one, Outcome(verdict=verdict, code="00029"), ambiguous=False)[1]


def test_processing_is_no_news_of_what_is_final():
    for state in FINAL:
        assert told(state, Verdict.PROCESSING) is None
    assert told(State.FAILED, Verdict.PROCESSING, reply=Reply.REFUSED) is Doubt.CONTRADICTION


def test_what_contradicts_a_final_state_is_asked_about():
    assert told(State.SUCCEEDED, Verdict.FAILED) is Doubt.CONTRADICTION
    assert told(State.FAILED, Verdict.PAID) is Doubt.CONTRADICTION
    assert told(State.REVERSED, Verdict.PAID) is Doubt.CONTRADICTION
    assert told(State.REVERSED, Verdict.FAILED) is None
    for state in FINAL:
        assert told(state, Verdict.FOREIGN) is Doubt.CONTRADICTION
        assert told(state, Verdict.PARTIAL) is Doubt.CONTRADICTION


@pytest.mark.parametrize("verdict", [Verdict.PAID, Verdict.PARTIAL, Verdict.PROCESSING, Verdict.FAILED])
def test_an_order_of_what_never_went_out_is_for_a_person(verdict: Verdict):
    """Somebody else has used its number; whether the money is where it should be, no rule can say."""
    unsent, outcome = entry(state=State.NEW, attempt=1), Outcome(verdict=verdict, code="00029")
    change, doubt = after_callback(unsent, outcome, ambiguous=False)
    assert doubt is None
    assert change is not None
    assert change.to is State.REVIEW


def test_a_failure_of_what_was_tried_again_or_may_have_gone_out_is_asked_about():
    assert told(State.NEW, Verdict.FAILED, attempt=2) is Doubt.OTHER_ATTEMPT
    assert told(State.NEW, Verdict.FAILED, doubt=True) is Doubt.OTHER_ATTEMPT
    assert told(State.NEW, Verdict.UNLISTED) is Doubt.ONE_WITNESS


def test_only_the_same_unlisted_code_is_a_second_witness():
    unlisted = Outcome(verdict=Verdict.UNLISTED, code="77777")
    assert confirmed(unlisted, unlisted).verdict is Verdict.FAILED
    assert confirmed(unlisted, Outcome(verdict=Verdict.UNLISTED, code="88888")).verdict is Verdict.UNLISTED
    assert confirmed(unlisted, Outcome(verdict=Verdict.PAID, code="77777")).verdict is Verdict.PAID
    assert confirmed(Outcome(verdict=Verdict.PAID, code="77777"), unlisted).verdict is Verdict.UNLISTED
