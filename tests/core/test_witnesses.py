"""What ends a payout for ever needs two witnesses: a code that a page lists, or a reply and a query that agree."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.lifecycle import FINAL, Cause, Change, Entry, Reply, State, changed
from paypro_async._core.outcome import Codes, Verdict, classify_payout
from paypro_async._core.retry import Action, RetryPolicy, Situation, next_step
from paypro_async._core.transitions import after_absence, after_attempt, after_query, after_second_look, next_attempt
from tests.core.test_outcome_is_total import EXCHANGES
from tests.support.samples import NOW, TRADE_NO, asked, entry, order, outcome, paid, reply

UNLISTED = ["1001", "9999", "0016", "00000000", "4004"]
NOTED = (Cause.QUERY, Cause.CALLBACK, Cause.RECONCILE)


def stored(one: Entry, change: Change | None) -> Entry:
    assert change is not None
    return changed(one, change, NOW)


def attempted(body: object, one: Entry | None = None) -> Entry:
    one = one or entry()
    return stored(one, after_attempt(one, paid(body), sent=one.attempt))


def told(one: Entry, body: object, cause: Cause = Cause.QUERY) -> Entry:
    change = after_query(one, asked(body), cause=cause)
    return one if change is None else changed(one, change, NOW)


# --- no single reply


@given(EXCHANGES)
def test_no_single_reply_under_a_code_that_is_not_listed_ends_a_payout(exchange: Any):
    """Whatever its bytes: only paid, or a code on a page, is final at once; and only of the only attempt."""
    codes = Codes()
    found = classify_payout(exchange, codes, trade_no=TRADE_NO)
    for doubt in (False, True):
        change = after_attempt(entry(doubt=doubt), found, sent=1)
        if change is not None and change.to in FINAL:
            assert found.code == "0000" or (found.code in codes.refused and not doubt)
            assert change.to is (State.SUCCEEDED if found.code == "0000" else State.FAILED)


@given(
    exchange=EXCHANGES, state=st.sampled_from(State), replied=st.none() | st.sampled_from(Reply), doubt=st.booleans()
)
def test_what_is_not_understood_never_moves_a_payout(
    exchange: Any, state: State, replied: Reply | None, *, doubt: bool
):
    """It is noted at most: state, reply and doubt stay as they were."""
    found = classify_payout(exchange, Codes(), trade_no=TRADE_NO)
    one = entry(state=state, reply=replied, doubt=doubt)
    if found.verdict is Verdict.UNKNOWN:
        assert not [cause for cause in NOTED if after_query(one, found, cause=cause)]
        change = after_attempt(one, found, sent=1)
        noted = one if change is None else changed(one, change, None)
        assert (noted.state, noted.reply, noted.doubt, noted.attempt) == (state, replied, doubt, 1)


@pytest.mark.parametrize("code", UNLISTED)
@pytest.mark.parametrize("shown", [True, False])
def test_one_reply_under_an_unlisted_code_leaves_the_payout_unknown(code: str, *, shown: bool):
    """As the outer code, and as the status of an order that is shown or is not."""
    for body in (reply(code=code), reply(order(code) if shown else {"status": code})):
        assert attempted(body).state is State.SENDING
        for state in (State.NEW, State.SENDING, State.PROCESSING, State.MISSING, State.SUCCEEDED):
            one = entry(state=state, doubt=True)
            assert told(one, body).state is state


# --- two that agree


@pytest.mark.parametrize("code", UNLISTED)
@pytest.mark.parametrize("cause", NOTED)
@pytest.mark.parametrize(
    ("state", "to"),
    [
        (State.NEW, State.FAILED),
        (State.SENDING, State.FAILED),
        (State.PROCESSING, State.FAILED),
        (State.MISSING, State.FAILED),
        (State.SUCCEEDED, State.REVERSED),
    ],
)
def test_an_unlisted_status_is_believed_when_it_is_said_twice(state: State, to: State, cause: Cause, code: str):
    """By two answers that show the order."""
    first = told(entry(state=state, doubt=True), reply(order(code)), cause)
    assert (first.state, first.reply, first.code) == (state, Reply.FAILING, code)
    assert told(first, reply(order(code)), cause).state is to


@pytest.mark.parametrize("code", UNLISTED)
def test_the_reply_to_the_payout_is_the_first_witness_and_the_query_the_second(code: str):
    """An order that was shown, or a refusal of which the query then shows the order."""
    for body in (reply(order(code)), reply({"status": code}), reply(code=code)):
        assert told(attempted(body), reply(order(code))).state is State.FAILED


def test_two_that_do_not_agree_are_one():
    """Each new code is the first of its kind."""
    one = entry()
    for code in ("1001", "1002", "1001", "1002"):
        one = told(one, reply(order(code)))
        assert (one.state, one.reply, one.code) == (State.SENDING, Reply.FAILING, code)
    assert told(one, reply(order("1002"))).state is State.FAILED


@pytest.mark.parametrize(
    ("state", "alive"), [(State.PROCESSING, "0015"), (State.SUCCEEDED, "0000")], ids=["processing", "succeeded"]
)
def test_an_order_that_is_seen_alive_in_between_is_not_failing(state: State, alive: str):
    """The first witness was wrong, and one who comes weeks later is the first again. The code is the living one."""
    one = entry(state=state, code=alive)
    for _ in range(3):
        one = told(one, reply(order("9999")))
        assert (one.state, one.code) == (state, "9999")
        one = told(one, reply(order(alive)))
        assert (one.state, one.code) == (state, alive)
    assert told(told(one, reply(order("9999"))), reply(order("9999"))).state in (State.FAILED, State.REVERSED)


# --- an order that was shown is not confirmed by its absence


@pytest.mark.parametrize("state", [State.NEW, State.SENDING])
def test_an_order_that_failed_and_then_is_not_there_goes_to_a_person(state: State):
    """It was there under a code that no page lists: whatever it meant, the number is not sent again by itself."""
    failing = told(entry(state=state, doubt=True), reply(order("0016")))
    for resend, exhausted in product((True, False), (True, False)):
        assert stored(failing, after_absence(failing, resend=resend, exhausted=exhausted)).state is State.REVIEW


def test_a_reply_that_shows_an_order_has_the_whole_settle_window():
    """The query may lag behind it. A refusal that shows none has been said twice by then."""
    policy = RetryPolicy(settle_after=60)
    shown, bare, refused = (
        attempted(body) for body in (reply(order("0016")), reply({"status": "0016"}), reply(code="0016"))
    )
    assert (shown.reply, policy.window(shown)) == (Reply.FAILING, 60)
    assert (bare.reply, policy.window(bare)) == (Reply.REFUSED, 0)
    assert (refused.reply, policy.window(refused)) == (Reply.REFUSED, 0)
    assert stored(shown, after_absence(shown, resend=True, exhausted=False)).state is State.REVIEW
    assert stored(bare, after_absence(bare, resend=True, exhausted=False)).state is State.FAILED


@pytest.mark.parametrize("data", [{"amount": "0"}, {"amount": 0}, {"amount": "0.00", "tradeNo": TRADE_NO}, {}])
@pytest.mark.parametrize("status", ["00029", "60019", "4004"])
def test_an_amount_of_zero_shows_no_order(data: dict[str, Any], status: str):
    """A platform that fills an empty object with zeros says that there is none."""
    assert asked(reply({"status": status, "platFormTradeNo": None, **data})).verdict is Verdict.QUESTION_REFUSED


def test_a_new_payout_of_which_an_order_is_shown_is_not_sent():
    """The platform was busy, was asked, and showed an order that fails under an unlisted code: it may be alive."""
    busy = stored(entry(), after_attempt(entry(), outcome(Verdict.RATE_LIMITED), sent=1))
    failing = told(busy, reply(order("0016")))
    assert (failing.state, failing.reply, failing.asks_first, failing.uncertain) == (
        *(State.NEW, Reply.FAILING, True, True),
    )
    at = Situation(state=State.NEW, sends=1, max_attempts=9, asks_first=True, failing=True)
    for asked_before, absences in product(range(4), range(4)):
        step = next_step(evolve(at, asked=asked_before, absences=absences), RetryPolicy(), 0.5)
        assert step.action is not Action.SEND


# --- duplicates


@pytest.mark.parametrize("body", [reply(code="0100024"), reply(order("0100024")), reply(code="1013", msg="duplicate")])
def test_the_number_of_a_duplicate_is_not_taken_for_ours(body: dict[str, Any]):
    """A platform that answers with the number of the order that was there before does not say that we made it."""
    duplicate = attempted(body)
    assert (duplicate.state, duplicate.reply, duplicate.platform_trade_no) == (State.SENDING, Reply.DUPLICATE, None)
    assert told(duplicate, reply(order("0000", amount="300"))).state is State.REVIEW


@pytest.mark.parametrize("state", [State.SENDING, State.PROCESSING, State.MISSING])
def test_an_order_that_failed_as_a_duplicate_has_failed_if_no_other_of_ours_may_be_there(state: State):
    """Of the only attempt it is the end. If an earlier one may have left, that one's order may be the other."""
    body = reply(order("0100024"))
    assert told(entry(state=state), body).state is State.FAILED
    assert told(entry(state=state, doubt=True), body).state is State.REVIEW
    assert told(entry(state=State.SUCCEEDED, doubt=True), body).state is State.SUCCEEDED


# --- refusals of the last day


REFUSED = entry(state=State.FAILED, reply=Reply.REFUSED, code="1001", message="refused")


@pytest.mark.parametrize("body", [reply(order("0000")), reply(order("0015")), reply(order("0001"))])
def test_a_refusal_that_is_seen_alive_within_a_day_goes_to_a_person(body: dict[str, Any]):
    """Whoever reads FAILED pays it again."""
    assert stored(REFUSED, after_second_look(REFUSED, asked(body))).state is State.REVIEW


@pytest.mark.parametrize(
    "body", [reply(code="1001"), reply(code="4004"), b"<html>", reply(order("PENDING")), reply(order("1001"))]
)
def test_a_second_look_that_finds_nothing_certain_is_taken_again(body: object):
    """It stays failed, and a refusal that was not looked at."""
    assert after_second_look(REFUSED, asked(body)) is None


def test_a_second_look_that_finds_no_order_is_the_last():
    """Its code and words are those of the refusal."""
    looked = stored(REFUSED, after_second_look(REFUSED, asked(reply(None))))
    assert (looked.state, looked.reply, looked.code, looked.message) == (State.FAILED, Reply.ABSENT, "1001", "refused")
    assert after_second_look(looked, asked(reply(None))) is None


# --- what an older attempt learned


@pytest.mark.parametrize("state", [State.NEW, State.SENDING, State.PROCESSING, State.MISSING, State.FAILED])
def test_that_an_older_attempt_was_paid_in_part_is_not_lost(state: State):
    """That an order exists is true whichever attempt made it."""
    later = entry(state=state, attempt=2, doubt=True)
    assert stored(later, after_attempt(later, paid(reply(order("0001"))), sent=1)).state is State.REVIEW


def test_a_paid_order_that_is_taken_back_as_a_duplicate_is_reversed():
    """Its number tells that it is ours, whatever attempts there were before; under another number it proves nothing."""
    one = entry(state=State.SUCCEEDED, attempt=2, doubt=True, platform_trade_no="P-1")
    assert told(one, reply(order("0100024", platFormTradeNo="P-1")), Cause.CALLBACK).state is State.REVERSED
    assert told(one, reply(order("0100024", platFormTradeNo="P-2")), Cause.CALLBACK).state is State.SUCCEEDED


def test_a_settle_window_never_grows_shorter():
    """An attempt of before may still be on its way when a less patient client sends the next."""
    for stored_before, own in product((None, 0.0, 5.0, 600.0), (None, 0.0, 5.0, 60.0, 900.0)):
        before = entry(settle_after=stored_before)
        after = changed(before, next_attempt(before, settle_after=own), NOW + timedelta(seconds=90))
        policy = RetryPolicy(settle_after=0)
        assert policy.window(after) >= policy.window(before)
        assert policy.window(after) >= (own or 0)


def test_every_verdict_of_an_attempt_or_a_query_is_taken():
    """The tests above name each one that can be met; a new one wants its own place among them."""
    met = {paid(body).verdict for body in (b"", reply(order("0000")), reply(order("0015")), reply(order("0001")))}
    met |= {paid(reply(order(code))).verdict for code in ("00029", "9999", "0100024")}
    met |= {paid(reply(code="60019")).verdict, paid(b"", status=429).verdict, asked(reply(None)).verdict}
    met |= {asked(reply(code="4004")).verdict, Verdict.NOT_SENT, Verdict.FOREIGN}
    met |= {paid(reply(code="7777"), codes=Codes(credentials="7777")).verdict}
    assert met == set(Verdict)
