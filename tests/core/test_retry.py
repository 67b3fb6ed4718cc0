import math
from itertools import product
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.lifecycle import Reply, State
from paypro_async._core.outcome import Verdict
from paypro_async._core.retry import BELIEVED_ABSENCES, Action, RetryPolicy, Situation, Step, next_step
from paypro_async.errors import ConfigurationError
from tests.support.samples import entry

POLICY = RetryPolicy(settle_after=60, ask_spacing=2, backoff_first=0.5, backoff_max=8, retry_after_max=30)
SECONDS = st.floats(0, 1e9, allow_nan=False)
CHANCES = st.floats(0, 1, exclude_max=True)
POLICIES = st.builds(
    RetryPolicy,
    settle_after=SECONDS,
    ask_spacing=SECONDS,
    resend=st.booleans(),
    backoff_first=SECONDS,
    backoff_max=SECONDS,
    retry_after_max=SECONDS,
)
SITUATIONS = st.builds(
    Situation,
    state=st.sampled_from(State),
    sends=st.integers(0, 10**6),
    held=st.integers(0, 10**6),
    max_attempts=st.integers(0, 10**6),
    age=st.floats(-1e9, 1e9),
    window=SECONDS,
    asks_first=st.booleans(),
    failing=st.booleans(),
    asked=st.integers(0, 10**6),
    absences=st.integers(0, 5),
    last=st.none() | st.sampled_from(Verdict),
    retry_after=st.none() | SECONDS,
    refused=st.booleans(),
    refresh=st.booleans(),
)


def step(state: State, *, chance: float = 0.5, policy: RetryPolicy = POLICY, **situation: Any) -> Step:
    return next_step(Situation(state=state, **situation), policy, chance)


@given(SITUATIONS, POLICIES, CHANCES)
def test_every_situation_has_a_step(at: Situation, policy: RetryPolicy, chance: float):
    """With a delay that is a number of seconds, never negative and never beyond what the policy allows."""
    found = next_step(at, policy, chance)
    assert math.isfinite(found.delay)
    assert 0 <= found.delay <= max(policy.ask_spacing, policy.backoff_max + policy.retry_after_max)
    expected = {
        State.NEW: {Action.SEND, Action.FINISH, *((Action.ASK, Action.BELIEVE) if at.asks_first else ())},
        State.SENDING: {Action.ASK, Action.BELIEVE, *((Action.FINISH,) if at.refused else ())},
        State.MISSING: {Action.ASK, Action.BELIEVE, Action.FINISH},
        State.PROCESSING: {Action.ASK, Action.FINISH},
    }
    assert found.action in expected.get(at.state, {Action.FINISH})


@given(SITUATIONS, POLICIES, CHANCES)
def test_an_unknown_payout_is_never_sent_before_two_questions_found_nothing(
    at: Situation, policy: RetryPolicy, chance: float
):
    """Whatever else is known: from SENDING the step is to ask, or to believe what two questions said."""
    found = next_step(evolve(at, state=State.SENDING), policy, chance)
    assert found.action is not Action.SEND
    assert (found.action is Action.BELIEVE) == (at.absences >= BELIEVED_ABSENCES)
    assert BELIEVED_ABSENCES >= 2


@given(SITUATIONS, POLICIES, CHANCES)
def test_what_may_be_out_although_it_is_new_is_never_sent_without_a_question(
    at: Situation, policy: RetryPolicy, chance: float
):
    """What was believed some time ago may be wrong by now. An order that was shown meanwhile forbids it for good."""
    found = next_step(evolve(at, state=State.NEW, asks_first=True), policy, chance)
    if found.action is Action.SEND:
        assert at.absences >= 1
        assert not at.failing
        assert not at.refused
        assert found.delay == 0, "the answer would grow old"


@given(SITUATIONS, POLICIES, CHANCES)
def test_two_witnesses_are_never_heard_in_one_moment(at: Situation, policy: RetryPolicy, chance: float):
    """Of an order that fails under a code that no page lists, and of one that is not there."""
    found = next_step(evolve(at, state=State.SENDING), policy, chance)
    if found.action is Action.ASK and (at.absences or (at.failing and at.asked)):
        assert found.delay >= policy.ask_spacing


@given(SITUATIONS, POLICIES, CHANCES)
def test_a_call_never_sends_more_often_than_it_may(at: Situation, policy: RetryPolicy, chance: float):
    """And never again after refused credentials."""
    if next_step(at, policy, chance).action is Action.SEND:
        assert at.state is State.NEW
        assert at.sends == 0 or (at.sends < at.max_attempts and at.last is not Verdict.BAD_CREDENTIALS)


@given(POLICIES, st.integers(0, 10**6), CHANCES)
def test_the_back_off_is_full_jitter_below_a_doubling_ceiling(policy: RetryPolicy, tries: int, chance: float):
    """From zero up to a ceiling that doubles with each try and stops at the greatest."""
    ceiling = min(policy.backoff_max, policy.backoff_first * 2.0 ** min(tries, 30))
    assert policy.backoff(tries, 0.0) == 0
    assert policy.backoff(tries, chance) <= ceiling
    assert policy.backoff(tries, chance) <= policy.backoff(tries + 1, chance)
    assert policy.backoff(tries, 0.5) == ceiling / 2


def test_the_back_off_doubles():
    """0.5, 1, 2, 4, 8 and no more."""
    assert [POLICY.backoff(tries, 1.0) for tries in range(6)] == [0.5, 1, 2, 4, 8, 8]


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        ({}, Step(Action.SEND)),
        ({"last": Verdict.BAD_CREDENTIALS}, Step(Action.SEND)),
        ({"sends": 1, "max_attempts": 3, "last": Verdict.NOT_SENT}, Step(Action.SEND, 0.25)),
        ({"sends": 2, "max_attempts": 3, "last": Verdict.NOT_SENT}, Step(Action.SEND, 0.5)),
        ({"sends": 3, "max_attempts": 3, "last": Verdict.NOT_SENT}, Step(Action.FINISH)),
        ({"sends": 1, "max_attempts": 3, "last": Verdict.BAD_CREDENTIALS}, Step(Action.FINISH)),
        ({"sends": 1, "max_attempts": 3, "last": Verdict.RATE_LIMITED, "retry_after": 7.0}, Step(Action.SEND, 7.25)),
        ({"sends": 1, "max_attempts": 3, "last": Verdict.RATE_LIMITED, "retry_after": 99.0}, Step(Action.SEND, 30.25)),
        ({"sends": 1, "max_attempts": 3, "last": Verdict.RATE_LIMITED, "retry_after": 0.0}, Step(Action.SEND, 0.25)),
        ({"held": 1, "max_attempts": 1, "last": Verdict.NOT_SENT}, Step(Action.SEND, 0.25)),
    ],
)
def test_a_payout_that_is_not_out_is_sent(situation: dict[str, Any], expected: Step):
    """At once the first time, then with a back-off; the platform's own wish counts within bounds."""
    assert step(State.NEW, **situation) == expected


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        # Left by an earlier call: at once.
        ({}, Step(Action.ASK)),
        ({"asked": 1}, Step(Action.ASK, 0.25)),
        ({"asked": 3, "retry_after": 7.0}, Step(Action.ASK, 8.0)),
        # The platform was busy a moment ago.
        ({"sends": 1, "last": Verdict.RATE_LIMITED, "retry_after": 7.0}, Step(Action.ASK, 7.25)),
        # It was asked, and it is not there.
        ({"asked": 1, "absences": 1}, Step(Action.SEND)),
        ({"asked": 1, "absences": 1, "sends": 2, "max_attempts": 3}, Step(Action.SEND)),
        ({"asked": 1, "absences": 1, "sends": 3, "max_attempts": 3}, Step(Action.FINISH)),
        # The platform refuses whoever asks.
        ({"asked": 1, "refused": True}, Step(Action.FINISH)),
        # An order was shown, which fails under a code that no page lists.
        ({"asked": 1, "failing": True}, Step(Action.ASK, 2.0)),
        ({"asked": 2, "absences": 1, "failing": True}, Step(Action.ASK, 2.0)),
        ({"asked": 3, "absences": 2, "failing": True}, Step(Action.BELIEVE)),
    ],
)
def test_a_new_payout_that_may_be_out_is_asked_for_and_then_sent(situation: dict[str, Any], expected: Step):
    """One question, since it was believed before by two, by a person, or since the platform was busy."""
    assert step(State.NEW, asks_first=True, **{"max_attempts": 3} | situation) == expected


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        ({}, Step(Action.ASK)),
        ({"asked": 1}, Step(Action.FINISH)),
        ({"asked": 1, "absences": 1}, Step(Action.ASK, 2.0)),
        ({"asked": 2, "absences": 2}, Step(Action.BELIEVE)),
    ],
)
def test_a_missing_order_is_looked_for_again(situation: dict[str, Any], expected: Step):
    """Two absences past the window make it a person's; nothing is sent."""
    assert step(State.MISSING, **situation) == expected


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        # Left by an earlier process, or a duplicate: there is nothing to wait for.
        ({}, Step(Action.ASK)),
        ({"age": 1e6}, Step(Action.ASK)),
        *[
            ({"sends": 1, "last": verdict}, Step(Action.ASK))
            for verdict in (Verdict.DUPLICATE, Verdict.UNLISTED, Verdict.REFUSED, Verdict.FAILED)
        ],
        # Just sent, reply lost.
        ({"sends": 1, "last": Verdict.UNKNOWN}, Step(Action.ASK, 0.25)),
        ({"sends": 1, "asked": 3}, Step(Action.ASK, 2.0)),
        ({"asked": 1}, Step(Action.ASK, 0.5)),
        # The first question after the window comes just then.
        ({"sends": 1, "asked": 9, "age": 59.0}, Step(Action.ASK, 1.0)),
        ({"sends": 1, "asked": 9, "age": 60.0}, Step(Action.ASK, 4.0)),
        # One absence; the second question is spaced.
        ({"sends": 1, "asked": 9, "age": 60.0, "absences": 1}, Step(Action.ASK, 2.0)),
        ({"sends": 1, "asked": 9, "age": 60.0, "absences": 2}, Step(Action.BELIEVE)),
    ],
)
def test_an_unknown_payout_is_asked_for(situation: dict[str, Any], expected: Step):
    """Never sent again before two questions, spaced, found nothing after the settle window."""
    assert step(State.SENDING, **{"window": 60.0} | situation) == expected


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        ({"sends": 1, "last": Verdict.UNLISTED, "asked": 1}, Step(Action.ASK, 0.5)),
        ({"sends": 1, "last": Verdict.UNLISTED, "asked": 1, "absences": 1}, Step(Action.ASK, 2.0)),
        ({"sends": 1, "last": Verdict.UNLISTED, "asked": 2, "absences": 2}, Step(Action.BELIEVE)),
        ({"sends": 1, "asked": 2, "refused": True}, Step(Action.FINISH)),
        ({"sends": 1, "asked": 1, "failing": True, "window": 60.0}, Step(Action.ASK, 2.0)),
        ({"sends": 1, "asked": 5, "failing": True, "window": 60.0}, Step(Action.ASK, 4.0)),
    ],
)
def test_a_refusal_and_a_failure_have_their_second_witness_soon(situation: dict[str, Any], expected: Step):
    """Without the settle window, and spaced all the same."""
    assert step(State.SENDING, **situation) == expected


@pytest.mark.parametrize(
    ("own", "stored", "longer"), [(60, None, 60), (60, 5, 60), (5, 60, 60), (5, None, 60), (60, 0, 60), (5, 5, 5)]
)
def test_the_longer_of_two_settle_windows_counts(own: float, stored: float | None, longer: float):
    """Who announced the attempt may be more patient than who asks; one that did not say is taken for the usual one."""
    policy = RetryPolicy(settle_after=own)
    for state, reply in product((State.SENDING, State.NEW, State.MISSING), (None, Reply.DUPLICATE, Reply.FAILING)):
        assert policy.window(entry(state=state, reply=reply, settle_after=stored)) == longer


def test_a_refusal_has_no_settle_window_unless_an_earlier_attempt_may_have_left():
    """Nothing of the only attempt is on its way; of an earlier one something may be."""
    policy = RetryPolicy(settle_after=60)
    assert policy.window(entry(reply=Reply.REFUSED)) == 0
    assert policy.window(entry(reply=Reply.REFUSED, doubt=True)) == 60
    assert policy.window(entry(reply=Reply.REFUSED, state=State.MISSING)) == 60


def test_fresh_news_of_a_processing_payout_are_asked_for():
    """If the caller wants them."""
    assert step(State.PROCESSING) == Step(Action.FINISH)
    assert step(State.PROCESSING, refresh=True) == Step(Action.ASK)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.REVERSED, State.REVIEW])
def test_what_is_final_or_waits_for_a_person_is_finished(state: State):
    """Also if the caller wants news."""
    assert step(state, refresh=True) == Step(Action.FINISH)


@pytest.mark.parametrize("name", ["settle_after", "ask_spacing", "backoff_first", "backoff_max", "retry_after_max"])
@pytest.mark.parametrize("value", [-1.0, -0.001, float("nan"), float("-inf")])
def test_a_time_that_is_no_time_is_a_configuration_error(name: str, value: float):
    """Named, with its unit."""
    with pytest.raises(ConfigurationError, match=f"{name} must be zero or more seconds"):
        RetryPolicy(**{name: value})  # type: ignore[arg-type]  # mypy takes the name for any field


def test_the_settle_window_is_a_minute_unless_said_otherwise():
    """Longer than the send deadline, the time-out of a request and the lag of a booking together."""
    assert (RetryPolicy().settle_after, RetryPolicy().ask_spacing, RetryPolicy().resend) == (60.0, 2.0, True)
