import re
from itertools import product
from typing import Any

import pytest

from paypro_async._core.failures import not_recorded, unsettled
from paypro_async._core.lifecycle import Cause, Change, Entry, Reply, State
from paypro_async._core.models import PayoutStatus
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.transitions import after_absence, after_attempt, after_query
from paypro_async.errors import (
    ConnectionFailedError,
    CredentialsRefusedError,
    LedgerUnavailableError,
    NotSentError,
    OrderMissingError,
    OutcomeNotRecordedError,
    OutcomeUnknownError,
    PayProError,
    PoolTimeoutError,
    RateLimitedError,
    ReplyLostError,
    ReplyUnreadableError,
    ReviewRequiredError,
)
from tests.support.samples import FIELDS, TRADE_NO, entry, outcome

LASTS: list[Outcome | None] = [
    None,
    *(
        outcome(verdict, cause=cause, lost=lost, pool_timeout=pool, code=code)
        for verdict, cause, lost, pool, code in product(
            Verdict, (None, "the cause"), (False, True), (False, True), (None, "1002")
        )
    ),
]
STATES = [State.NEW, State.SENDING, State.REVIEW, State.MISSING]


def said_well(error: PayProError) -> None:
    """One text that says what happened, what is certain about the money, and what to do."""
    text = str(error)
    assert TRADE_NO in text
    assert re.search(r"Money may have moved|No money moved|The platform answered", text)
    assert text.endswith(".")
    assert text.count(". ") >= 2
    assert "None" not in text
    assert "  " not in text
    assert ("Money may have moved" in text) <= error.money_may_have_moved
    assert ("No money moved" in text) <= (not error.money_may_have_moved)
    assert not [value for name, value in FIELDS.items() if name != "amount" and str(value) in text]
    assert error.trade_no == TRADE_NO


@pytest.mark.parametrize(
    ("state", "last", "kind"),
    [
        (State.NEW, None, NotSentError),
        (State.NEW, outcome(Verdict.NOT_SENT, cause="refused"), ConnectionFailedError),
        (State.NEW, outcome(Verdict.NOT_SENT, cause="busy", pool_timeout=True), PoolTimeoutError),
        (State.NEW, outcome(Verdict.RATE_LIMITED), RateLimitedError),
        (State.NEW, outcome(Verdict.BAD_CREDENTIALS, code="1002"), CredentialsRefusedError),
        (State.NEW, outcome(Verdict.UNKNOWN, cause="x"), NotSentError),
        (State.SENDING, None, OutcomeUnknownError),
        (State.SENDING, outcome(Verdict.DUPLICATE), OutcomeUnknownError),
        (State.SENDING, outcome(Verdict.UNKNOWN, cause="x", lost=True), ReplyLostError),
        (State.SENDING, outcome(Verdict.UNKNOWN, cause="HTTP 502"), ReplyUnreadableError),
        (State.MISSING, None, OrderMissingError),
        (State.MISSING, outcome(Verdict.UNKNOWN, cause="x", lost=True), OrderMissingError),
        (State.REVIEW, None, ReviewRequiredError),
        (State.REVIEW, outcome(Verdict.UNKNOWN, cause="x", lost=True), ReviewRequiredError),
    ],
)
def test_a_call_that_ends_without_a_result_has_its_own_error(
    state: State, last: Outcome | None, kind: type[PayProError]
):
    """Exactly of that class: the state says what is certain, the last exchange why."""
    error = unsettled(entry(state=state, attempt=3), last, elapsed=2.5)
    assert type(error) is kind
    assert (error.attempts, error.elapsed) == (3, 2.5)
    assert error.money_may_have_moved == (state is not State.NEW)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("code", [None, "60019"])
def test_every_such_error_is_a_whole_sentence(state: State, code: str | None):
    """For every state, with or without a code, a cause, and words of the platform."""
    for last in LASTS:
        said_well(unsettled(entry(state=state, code=code), last, elapsed=0.0))


def test_a_reason_is_told_if_there_is_one():
    """The transport's words, the HTTP status, the platform's code."""
    new, sending, review, _ = (entry(state=state, message="ANOTHER_AMOUNT") for state in STATES)
    assert "the connection was refused" in str(
        unsettled(new, outcome(Verdict.NOT_SENT, cause="the connection was refused"), elapsed=0)
    )
    assert "HTTP 502" in str(unsettled(sending, outcome(Verdict.UNKNOWN, cause="HTTP 502"), elapsed=0))
    assert "cut off" in str(unsettled(sending, outcome(Verdict.UNKNOWN, cause="cut off", lost=True), elapsed=0))
    assert "ANOTHER_AMOUNT" not in str(unsettled(review, None, elapsed=0)), "a platform may echo what it was sent"


def test_what_the_platform_said_is_data_of_the_error():
    """The seconds to wait; the code and words of a refusal."""
    limited = unsettled(entry(state=State.NEW), outcome(Verdict.RATE_LIMITED, retry_after=7.0), elapsed=0)
    assert isinstance(limited, RateLimitedError)
    assert limited.retry_after == 7.0
    last = outcome(Verdict.BAD_CREDENTIALS, code="1002", message="sign error")
    refused = unsettled(entry(state=State.NEW), last, elapsed=0)
    assert isinstance(refused, CredentialsRefusedError)
    assert (refused.platform_code, refused.platform_message) == ("1002", "sign error")


def test_a_payout_that_waits_for_a_person_because_nobody_knows_it_is_not_said_to_be_contradicted():
    """With resend="never" the platform has said nothing that does not fit."""
    change = after_absence(entry(), resend=False, exhausted=False)
    assert change is not None
    assert change.to is State.REVIEW
    text = str(unsettled(entry(state=State.REVIEW), None, elapsed=0))
    assert "(None)" not in text


@pytest.mark.parametrize("reply", [Reply.CALLER, Reply.BUSY])
def test_what_the_platform_did_not_take_had_reached_it(reply: Reply):
    """A later call that gets no answer to its question does not say that nothing ever left."""
    error = unsettled(entry(state=State.NEW, reply=reply, doubt=reply is Reply.CALLER, code="1002"), None, elapsed=0)
    assert type(error) is NotSentError
    assert "did not take" in str(error)
    assert "code 1002" in str(error)
    assert "never reached" not in str(error)
    said_well(error)


@pytest.mark.parametrize("reply", [None, Reply.BUSY, Reply.FAILING, Reply.ABSENT])
def test_what_may_be_out_although_it_is_new_is_unknown(reply: Reply | None):
    """It was believed absent some time ago: money may have moved, whatever the last exchange was."""
    for last in LASTS:
        error = unsettled(entry(state=State.NEW, doubt=True, reply=reply), last, elapsed=0)
        assert isinstance(error, OutcomeUnknownError)
        assert error.money_may_have_moved
        assert ("knew no such order" in str(error)) == (reply is not Reply.FAILING and last is not None)
        said_well(error)
    assert reply is Reply.FAILING or "asked once more" in str(
        unsettled(entry(state=State.NEW, doubt=True, reply=reply), None, elapsed=0)
    )


@pytest.mark.parametrize("one", [entry(), entry(state=State.NEW, doubt=True), entry(reply=Reply.DUPLICATE)])
def test_a_platform_that_refuses_questions_is_why_a_payout_stays_unknown(one: Entry):
    """It may stay so for ever, unless somebody finds out what that code means."""
    for last in LASTS:
        error = unsettled(one, last, elapsed=0, refused="4004")
        assert "with code 4004" in str(error)
        assert "paypro doctor" in str(error)
        said_well(error)
        assert "paypro doctor" not in str(unsettled(one, last, elapsed=0))


def _change(verdict: Verdict, **more: Any) -> Change:
    change = after_attempt(entry(), outcome(verdict, **more), sent=1)
    assert change is not None
    return change


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Verdict.PAID, PayoutStatus.SUCCEEDED),
        (Verdict.PROCESSING, PayoutStatus.PROCESSING),
        (Verdict.REFUSED, PayoutStatus.FAILED),
    ],
)
def test_an_answer_that_could_not_be_stored_is_not_lost(verdict: Verdict, status: PayoutStatus):
    """The error carries the result, and says that the ledger does not know it."""
    error = not_recorded(entry(), _change(verdict, code="C", platform_trade_no="P"))
    assert isinstance(error, OutcomeNotRecordedError)
    assert (error.result.status, error.result.code, error.result.platform_trade_no) == (status, "C", "P")
    assert error.money_may_have_moved
    said_well(error)


def test_what_the_ledger_still_holds_is_said():
    """A payout that is known to be processing is not unknown since its end could not be stored."""
    processing = entry(state=State.PROCESSING, code="0015")
    change = after_query(processing, outcome(Verdict.PAID, code="0000"))
    assert change is not None
    error = not_recorded(processing, change)
    assert "still has it as processing" in str(error)
    said_well(error)


@pytest.mark.parametrize("state", [State.PROCESSING, State.SUCCEEDED])
def test_a_first_witness_that_could_not_be_noted_is_no_result(state: State):
    """The platform has not said what the ledger holds already; it has said something else, once."""
    known = entry(state=state)
    change = after_query(known, outcome(Verdict.UNLISTED, code="9999"))
    assert change is not None
    error = not_recorded(known, change)
    assert type(error) is OutcomeUnknownError
    said_well(error)


def test_that_nothing_was_sent_is_certain_also_if_it_could_not_be_stored():
    """The ledger then has it as unknown, which a later call finds out."""
    error = not_recorded(entry(), _change(Verdict.NOT_SENT))
    assert type(error) is LedgerUnavailableError
    assert not error.money_may_have_moved
    said_well(error)


def test_an_http_429_that_could_not_be_stored_is_unknown():
    """The ledger has it as unknown, and does not know that only HTTP 429 says that it was not taken."""
    error = not_recorded(entry(), _change(Verdict.RATE_LIMITED))
    assert type(error) is OutcomeUnknownError
    said_well(error)


@pytest.mark.parametrize("verdict", [Verdict.DUPLICATE, Verdict.FOREIGN])
def test_what_was_learned_about_an_unknown_payout_leaves_it_unknown_if_it_could_not_be_stored(verdict: Verdict):
    """A noted duplicate, or a case for a person."""
    change = after_attempt(entry(), outcome(verdict), sent=1) or after_query(entry(), outcome(verdict))
    assert change is not None
    error = not_recorded(entry(), change)
    assert type(error) is OutcomeUnknownError
    said_well(error)


def test_an_absence_that_could_not_be_stored_does_not_promise_that_no_money_moved():
    """Two questions found nothing, which is believed and not known; the attempt may still have left."""
    change = after_absence(entry(), resend=True, exhausted=True)
    assert change is not None
    assert (change.to, change.cause) == (State.NEW, Cause.QUERY)
    assert not_recorded(entry(), change).money_may_have_moved
