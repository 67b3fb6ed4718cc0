"""What the platform leaves open and how it is read; each reading can be set by the user."""

import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve

from paypro_async._core.lifecycle import Cause, Change, Entry, Reply, State, changed
from paypro_async._core.outcome import Verdict
from paypro_async._core.platform_codes import Codes
from paypro_async._core.retry import Action, RetryPolicy, Situation, Step, next_step
from paypro_async._core.signing import Md5Signer
from paypro_async._core.transitions import after_absence, after_attempt, after_query, next_attempt
from paypro_async._core.wire import WireRequest
from paypro_async.engine.platform import Platform
from paypro_async.runtime import SystemRuntime
from paypro_async.transport import Transport
from tests.support.samples import INDIA, NOW, TRADE_NO, VECTORS, asked, entry, intent, order, outcome, paid, reply


class FrozenClock(SystemRuntime):
    def __init__(self, *moments: datetime) -> None:
        self._moments = iter(moments)

    def now(self) -> datetime:
        return next(self._moments)


def platform(*moments: datetime, transport: Transport, secret: str = "sandbox-secret") -> Platform:
    return Platform(
        spec=INDIA,
        base_url="https://h.example",
        merchant_no="0000000001",
        signer=Md5Signer(secret),
        transport=transport,
        runtime=FrozenClock(*moments),
        codes=Codes(),
    )


class NoTransport:
    """Signing needs none."""

    async def send(self, request: WireRequest, *, timeout: float) -> object:
        raise AssertionError(request, timeout)

    async def aclose(self) -> None:
        return


def lost_then_sent_again() -> Entry:
    """Attempt 1 was lost, believed absent, and attempt 2 is out."""
    return changed(entry(), next_attempt(entry()), NOW + timedelta(seconds=90))


def stored(one: Entry, change: Change | None) -> Entry:
    assert change is not None
    return changed(one, change, None)


# --- what a query answers for an unknown tradeNo


@pytest.mark.parametrize("data", [None, "", {}, []])
def test_an_accepted_query_without_data_means_no_such_order(data: object):
    """The question was taken and there is nothing to tell."""
    assert asked(reply(data)).verdict is Verdict.NO_SUCH_ORDER
    body = reply()
    del body["data"]
    assert asked(body).verdict is Verdict.NO_SUCH_ORDER


@pytest.mark.parametrize("status", [200, 400, 404])
def test_a_code_of_the_users_own_set_means_no_such_order(status: int):
    """In the outer code, or as the status of the order."""
    codes = Codes(no_such_order={"ORDER_NOT_EXIST"})
    assert asked(reply(code="ORDER_NOT_EXIST"), codes=codes, status=status).verdict is Verdict.NO_SUCH_ORDER
    assert asked(reply(order("ORDER_NOT_EXIST")), codes=codes).verdict is Verdict.NO_SUCH_ORDER


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        *[(code, Verdict.QUESTION_REFUSED) for code in ("1001", "4004", "9999", "00029", "60019")],
        *[(code, Verdict.UNKNOWN) for code in ("ORDER_NOT_EXIST", "404", "0100024", "5000", "0015", "0001", "")],
    ],
)
def test_any_other_refusal_of_a_query_leaves_the_payout_unknown(code: str, verdict: Verdict):
    """However much it sounds like it: alone it changes nothing, whatever the payout was answered."""
    found = asked(reply(code=code, msg="order does not exist"))
    assert found.verdict is verdict
    for replied in (None, *Reply):
        assert after_query(entry(reply=replied, code=code), found) is None


@pytest.mark.parametrize("status", [404, 410, 500])
def test_no_http_status_means_no_such_order(status: int):
    """A gateway's 404 speaks of a page."""
    assert asked(b"not found", status=status).verdict is Verdict.UNKNOWN
    assert asked(reply(None), status=status).verdict is Verdict.UNKNOWN


def test_no_such_order_alone_changes_nothing():
    """It is believed only later, and only when it was heard twice."""
    assert after_query(entry(), outcome(Verdict.NO_SUCH_ORDER)) is None


# --- what a repeated tradeNo answers


def test_a_duplicate_is_a_known_code_or_one_of_the_users():
    """`0100024` is documented for Pakistan; it may be the outer code or the order's status."""
    assert paid(reply(code="0100024")).verdict is Verdict.DUPLICATE
    assert paid(reply(order("0100024"))).verdict is Verdict.DUPLICATE
    assert paid(reply(code="TRADE_NO_EXIST"), codes=Codes(duplicate={"TRADE_NO_EXIST"})).verdict is Verdict.DUPLICATE


def test_after_a_duplicate_the_platform_is_asked_at_once():
    """It is not a failure."""
    duplicate = stored(entry(), after_attempt(entry(), outcome(Verdict.DUPLICATE), sent=1))
    assert (duplicate.state, duplicate.reply) == (State.SENDING, Reply.DUPLICATE)
    at = Situation(state=duplicate.state, sends=1, last=Verdict.DUPLICATE)
    assert next_step(at, RetryPolicy(), 0.9).action is Action.ASK
    assert next_step(at, RetryPolicy(), 0.9).delay == 0


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.FAILED, Verdict.UNLISTED])
@pytest.mark.parametrize("code", ["1001", "60019", "TRADE_NO_EXIST", "99"])
def test_a_refusal_that_follows_an_unknown_attempt_never_ends_the_payout(verdict: Verdict, code: str):
    """Whatever its code: the first attempt may have been booked. The platform is asked, and its answer counts."""
    second = lost_then_sent_again()
    refused = stored(second, after_attempt(second, outcome(verdict, code=code), sent=2))
    assert (refused.state, refused.reply) == (State.SENDING, Reply.REFUSED)
    found = stored(refused, after_query(refused, outcome(Verdict.PAID, code="0000")))
    assert found.state is State.SUCCEEDED
    absent = after_absence(refused, resend=True, exhausted=False)
    assert absent is not None
    assert absent.to is State.FAILED


# --- which refusals are final


@pytest.mark.parametrize("code", ["60019", "00029", "0100019", "60030", "00028"])
def test_a_refusal_of_the_only_attempt_under_a_code_that_a_page_lists_is_final(code: str):
    """With a readable envelope and its code: the platform did not place the order."""
    found = paid(reply(code=code, msg="amount too low"))
    failed = stored(entry(), after_attempt(entry(), found, sent=1))
    assert (failed.state, failed.code, failed.message) == (State.FAILED, code, "amount too low")
    mine = Codes(refused="1001")
    failed = stored(entry(), after_attempt(entry(), paid(reply(code="1001"), codes=mine), sent=1))
    assert (failed.state, failed.code) == (State.FAILED, "1001")


def test_any_other_refusal_of_the_only_attempt_waits_for_a_second_witness():
    """Two questions that find no order, without the settle window: the platform has spoken twice."""
    refused = stored(entry(), after_attempt(entry(), paid(reply(code="1001", msg="amount too low")), sent=1))
    assert (refused.state, refused.reply, refused.code) == (State.SENDING, Reply.REFUSED, "1001")
    assert RetryPolicy().window(refused) == 0
    at = Situation(state=State.SENDING, sends=1, last=Verdict.UNLISTED)
    assert next_step(at, RetryPolicy(), 0.9) == Step(Action.ASK)
    assert next_step(evolve(at, asked=1, absences=1), RetryPolicy(), 0.9) == Step(Action.ASK, 2.0)
    assert next_step(evolve(at, asked=2, absences=2), RetryPolicy(), 0.9) == Step(Action.BELIEVE)
    ended = stored(refused, after_absence(refused, resend=True, exhausted=False))
    assert (ended.state, ended.code, ended.message) == (State.FAILED, "1001", "amount too low")


def test_a_refusal_that_the_platform_refuses_to_confirm_is_the_callers():
    """Nothing was taken: the payout is new, and is asked about before it goes out once the caller is known again."""
    refused = stored(entry(), after_attempt(entry(), paid(reply(code="1002", msg="sign error")), sent=1))
    new = stored(refused, after_query(refused, outcome(Verdict.BAD_CREDENTIALS, code="1002")))
    assert (new.state, new.doubt, new.asks_first, new.code) == (State.NEW, True, True, "1002")
    assert next_step(Situation(state=State.NEW, refused=True, asks_first=True), RetryPolicy(), 0.9).action is (
        Action.FINISH
    )


def test_refused_credentials_say_nothing_of_a_payout_that_may_have_left():
    """Whoever asks may have been shut out since."""
    for one in (entry(), entry(reply=Reply.REFUSED, doubt=True), entry(reply=Reply.DUPLICATE)):
        assert after_query(one, outcome(Verdict.BAD_CREDENTIALS, code="1002")) is None


@pytest.mark.parametrize("code", ["5000", "00032"])
def test_a_system_error_is_never_final(code: str):
    """As outer code and as status it proves nothing about the money: ask."""
    for found in (paid(reply(code=code)), paid(reply(order(code)))):
        assert found.verdict is Verdict.UNKNOWN
        assert stored(entry(), after_attempt(entry(), found, sent=1)).state is State.SENDING
    assert paid(reply(code="E1"), codes=Codes(system={"E1"})).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("status", ["00029", "60019", "0100019"])
def test_a_status_that_a_page_lists_as_a_failure_is_one(status: str):
    """The code is kept as it came."""
    failed = stored(entry(), after_attempt(entry(), paid(reply(order(status))), sent=1))
    assert (failed.state, failed.code) == (State.FAILED, status)


def test_a_payout_that_was_paid_in_part_goes_to_a_person():
    """0001 is documented for collections alone."""
    found = paid(reply(order("0001")))
    assert stored(entry(), after_attempt(entry(), found, sent=1)).state is State.REVIEW
    for state in (State.NEW, State.SENDING, State.PROCESSING, State.MISSING, State.FAILED):
        one = entry(state=state)
        assert stored(one, after_query(one, asked(reply(order("0001"))))).state is State.REVIEW


@pytest.mark.parametrize("status", ["PENDING", "SUCCESS", "15", "000", "anything", "0015 ", "123456789"])
def test_a_status_that_is_no_code_leaves_the_payout_unknown(status: str):
    """The platform says so for ever, and it stays unknown for ever: it may be paid."""
    for found in (paid(reply(order(status))), asked(reply(order(status)))):
        assert (found.verdict, found.code) == (Verdict.UNKNOWN, status)
        assert found.cause == f"the platform answered status {status}"
    assert stored(entry(), after_attempt(entry(), paid(reply(order(status))), sent=1)).state is State.SENDING


# --- HTTP status without a readable envelope


def test_429_means_not_accepted_wait():
    """The payout may be sent again, not before the platform's own time, and not before one question finds nothing."""
    found = paid(b"", status=429, retry_after="3")
    busy = stored(entry(), after_attempt(entry(), found, sent=1))
    assert (busy.state, busy.reply, busy.doubt, busy.asks_first) == (State.NEW, Reply.BUSY, False, True)
    at = Situation(state=State.NEW, sends=1, max_attempts=2, last=found.verdict, retry_after=3.0, asks_first=True)
    assert next_step(at, RetryPolicy(), 0.0) == Step(Action.ASK, 3.0)
    assert next_step(evolve(at, asked=1, absences=1), RetryPolicy(), 0.9) == Step(Action.SEND)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 408, 413, 418, 499, 500, 502, 503, 504])
def test_any_other_status_without_an_envelope_is_unknown(status: int):
    """4xx included: a gateway may answer for a request that went through."""
    assert paid(b"<html></html>", status=status).verdict is Verdict.UNKNOWN
    found = after_attempt(entry(), paid(b"<html></html>", status=status), sent=1)
    assert stored(entry(), found).state is State.SENDING


# --- clock


async def test_the_timestamp_is_milliseconds_made_for_each_attempt():
    """Signed anew each time, over the same content."""
    content = intent().content
    one = platform(NOW, NOW + timedelta(milliseconds=1500), transport=NoTransport())
    first, second = [json.loads((await one.sign(content, INDIA.payout_path, timeout=1)).body) for _ in range(2)]
    assert int(second["timestamp"]) - int(first["timestamp"]) == 1500
    assert datetime.fromtimestamp(int(first["timestamp"]) / 1000, tz=NOW.tzinfo) == NOW
    assert first["sign"] != second["sign"]
    assert {**first, "timestamp": "", "sign": ""} == {**second, "timestamp": "", "sign": ""}


async def test_a_request_is_the_frozen_one_given_its_moment():
    """From the stored content to the bytes on the wire."""
    frozen = VECTORS["india_payout"]
    given = {name: value for name, value in frozen["payout"].items() if name != "trade_no"}
    content = intent(trade_no=frozen["payout"]["trade_no"], **given).content
    moment = datetime.fromtimestamp(frozen["timestamp_ms"] / 1000, tz=NOW.tzinfo)
    request = await platform(moment, transport=NoTransport()).sign(content, INDIA.payout_path, send_by=7.0, timeout=1)
    assert request.body == frozen["body"].encode()
    assert (request.url, request.merchant_no, request.send_by) == (
        "https://h.example/v1/paypro/payout",
        "0000000001",
        7.0,
    )


def test_the_timestamp_is_no_part_of_what_is_paid():
    """A second attempt has another and is the same payout."""
    assert not {"timestamp", "sign"} & set(intent().content)


# --- late changes


def test_a_success_that_is_later_reported_as_failed_is_reversed():
    """By a question or a callback; an attempt's own late refusal changes nothing."""
    paid_out = entry(state=State.SUCCEEDED, code="0000")
    for cause in (Cause.QUERY, Cause.CALLBACK):
        assert (
            stored(paid_out, after_query(paid_out, outcome(Verdict.FAILED, code="9"), cause=cause)).state
            is State.REVERSED
        )
    assert after_attempt(paid_out, outcome(Verdict.FAILED), sent=1) is None


def test_a_reversed_payout_stays_so_unless_it_is_seen_paid_again():
    """Whoever was told that it came back may have paid it anew. What was asked or sent before is older than that."""
    came_back, paid = entry(state=State.REVERSED), entry(state=State.SUCCEEDED)
    for verdict in Verdict:
        change = after_query(came_back, outcome(verdict))
        again = verdict in (Verdict.PAID, Verdict.PARTIAL)
        assert (change and change.to) == (State.REVIEW if again else None)
        assert after_query(came_back, outcome(verdict), asked=paid) is None
        assert after_attempt(came_back, outcome(verdict), sent=1) is None


@pytest.mark.parametrize("state", State)
def test_what_is_no_longer_paid_and_seen_paid_over_another_amount_goes_to_a_person(state: State):
    """Money is out for what the caller may pay anew. Of what is paid already, it is no news that decides anything."""
    ended = state in (State.FAILED, State.REVERSED)
    alive = {Verdict.PAID, Verdict.PARTIAL} | ({Verdict.PROCESSING} if state is State.FAILED else set())
    for says in (Verdict.PAID, Verdict.PARTIAL, Verdict.PROCESSING, Verdict.FAILED, Verdict.UNLISTED):
        foreign = evolve(outcome(Verdict.FOREIGN), says=says)
        change = after_query(entry(state=state), foreign)
        if ended:
            assert (change and change.to) == (State.REVIEW if says in alive else None)
        elif state is State.SUCCEEDED:
            assert change is None


# --- resending


def test_a_payout_that_never_arrived_is_sent_again_under_the_same_number_or_left_to_a_person():
    """As the user says."""
    assert after_absence(entry(), resend=True, exhausted=False) is None
    again = lost_then_sent_again()
    assert (again.trade_no, again.content, again.attempt) == (TRADE_NO, entry().content, 2)
    assert stored(entry(), after_absence(entry(), resend=False, exhausted=False)).state is State.REVIEW


def test_an_order_of_the_number_over_another_amount_is_not_ours():
    """It is left to a person."""
    found = asked(reply(order("0000", amount="301")), amount=Decimal(300))
    assert stored(entry(), after_query(entry(), found)).state is State.REVIEW


@pytest.mark.parametrize(
    "data",
    [
        {"status": "4004", "message": "ORDER_NOT_EXIST"},
        {"tradeNo": TRADE_NO, "platFormTradeNo": None, "amount": None, "status": "00029"},
        {"tradeNo": TRADE_NO, "platFormTradeNo": "", "amount": "", "status": "4004"},
    ],
)
def test_a_query_that_shows_no_order_ends_no_payout(data: dict[str, object]):
    """A bare code may say "no such order" of one whose booking lags: failed it is not. Only a listed one says so."""
    found = asked(reply(data))
    assert (found.verdict, found.code) == (Verdict.QUESTION_REFUSED, data["status"])
    assert asked(reply(data), codes=Codes(no_such_order=found.code)).verdict is Verdict.NO_SUCH_ORDER


@pytest.mark.parametrize("proof", [{"platFormTradeNo": "32e936de"}, {"kiliTradeNo": "32e936de"}, {"amount": "300"}])
def test_a_query_that_shows_an_order_ends_the_payout(proof: dict[str, str]):
    """A number of the platform, or an amount: then any other status is a failure."""
    assert asked(reply({"status": "00029", **proof})).verdict is Verdict.FAILED
