"""Words are written for people: they turn an answer into a question, and decide nothing else."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.outcome import Verdict
from paypro_async._core.platform_codes import Codes
from paypro_async._core.words import speaks_of_doubt, speaks_of_duplicate, speaks_of_trouble
from tests.support.samples import asked, order, paid, reply

TROUBLE = [
    *("System busy", "SYSTEM_BUSY", "systemBusy", "The system is busy, please try again later", "Read timed out"),
    *("timeout", "TIMEOUT", "Time-out", "request time out", "SocketTimeoutException", "java.net.ConnectException"),
    *("ReadTimeout", "ETIMEDOUT timeout", "readtimeout", "Gateway Timeout", "GATEWAY_TIMEOUT", "Bad Gateway"),
    *("Internal Server Error", "InternalServerError", "system error", "SystemError", "network failure"),
    *("Service Unavailable", "under maintenance", "order is processing", "PROCESSING", "in progress", "IN_PROGRESS"),
    *("pending", "please retry", "queued", "too frequent", "upstream connect error", "connection reset by peer"),
    *("ECONNRESET", "NullPointerException", "IOException", "overloaded", "no response from the bank"),
    *(
        "系统繁忙",
        "请求超时",
        "处理中",
        "系统异常",
        "请稍后重试",
        "操作频繁",
        "排队中",
        "网络错误",
        "系统维护",
        "订单处理中",
    ),
    "\uff54\uff49\uff4d\uff45\uff4f\uff55\uff54",  # timeout, in the wide letters of Chinese texts
]
ACCEPTANCE = [
    *("success", "SUCCESS", "succeeded", "operation successful", "accepted", "received", "submitted", "order created"),
    *("paid", "ok", "OK", "completed", "approved", "unknown error", "UNKNOWN", "unexpected condition", "order placed"),
    *("成功", "已受理", "提交成功", "已支付", "未知错误"),
]
DUPLICATE = [
    *("Duplicate order", "DUPLICATE_REFERENCE_NUMBER_LEVEL2", "duplicated", "repeat request", "repeated tradeNo"),
    *("order already exists", "ORDER_ALREADY_EXISTS", "OrderAlreadyExists", "tradeNo has been used", "not unique"),
    *("transaction exists", "tradeNo exists", "重复提交", "订单号重复", "订单已存在", "流水号已使用"),
]
REFUSALS = [
    *("insufficient funds", "INSUFFICIENT_FUNDS", "balance is insufficient", "IP not in whitelist", "sign error"),
    *("beneficiary bank authentication failed", "account closed", "invalid IFSC", "REJECTED_TRANSACTION", "refused"),
    *("amount too low", "limit reached", "design error", "payee Sign Systems Ltd is blocked", "", "Forbidden"),
    *("余额不足", "签名错误", "账户不存在", "参数错误", "IP 不在白名单"),
]
MISSING = ["order not exist", "ORDER_NOT_FOUND", "no such order", "unknown tradeNo", "record not found", "订单不存在"]


@pytest.mark.parametrize("words", TROUBLE + ACCEPTANCE)
def test_outer_words_of_trouble_or_of_acceptance_turn_a_refusal_into_a_question(words: str):
    """An order may have been taken all the same: "no such order" is believed after the settle window alone."""
    assert speaks_of_doubt(words)
    for code in ("60019", "00029", "1001", "9999"):
        assert paid(reply(code=code, msg=words)).verdict is Verdict.UNKNOWN, code


@pytest.mark.parametrize("words", DUPLICATE)
@pytest.mark.parametrize("code", ["60019", "1001", "9999"])
def test_outer_words_of_a_duplicate_turn_a_refusal_into_a_question(words: str, code: str):
    """Taken for a refusal it would be paid again under another number."""
    assert speaks_of_duplicate(words)
    assert paid(reply(code=code, msg=words)).verdict is Verdict.DUPLICATE


@pytest.mark.parametrize("words", REFUSALS + MISSING[:-3])
def test_any_other_words_leave_a_refusal_one(words: str):
    """They do not make it one either: its code does."""
    assert not speaks_of_doubt(words)
    assert not speaks_of_duplicate(words)
    assert paid(reply(code="60019", msg=words)).verdict is Verdict.REFUSED
    assert paid(reply(code="1001", msg=words)).verdict is Verdict.UNLISTED


EVERY = TROUBLE + ACCEPTANCE + DUPLICATE + REFUSALS + MISSING


@pytest.mark.parametrize("words", EVERY)
def test_words_inside_an_order_decide_nothing(words: str):
    """Platforms echo what they were sent, a payee called "Sign Systems Ltd" too; the status alone decides."""
    statuses = {
        "0000": Verdict.PAID,
        "0015": Verdict.PROCESSING,
        "0001": Verdict.PARTIAL,
        "00029": Verdict.FAILED,
        "9999": Verdict.UNLISTED,
        "0505": Verdict.UNLISTED,
        "5000": Verdict.UNKNOWN,
        "PENDING": Verdict.UNKNOWN,
    }
    for name, (status, verdict) in product(("desc", "message", "remark", "name", "utr"), statuses.items()):
        assert paid(reply(order(status, **{name: words}))).verdict is verdict, (name, status)
        assert asked(reply(order(status, **{name: words}))).verdict is verdict, (name, status)


@pytest.mark.parametrize("words", EVERY)
def test_words_over_an_order_decide_nothing(words: str):
    """`msg` is about the request (docs: india/payout)."""
    for status, verdict in (("0000", Verdict.PAID), ("0015", Verdict.PROCESSING), ("00029", Verdict.FAILED)):
        assert paid(reply(order(status), msg=words)).verdict is verdict
        assert asked(reply(order(status), msg=words)).verdict is verdict


@pytest.mark.parametrize("words", TROUBLE)
def test_a_platform_in_trouble_says_of_no_order_that_it_is_not_there(words: str):
    """Whether it took the question, refused it, or answered with a bare code. It would answer any question so."""
    assert speaks_of_trouble(words)
    assert asked(reply(None, msg=words)).verdict is Verdict.UNKNOWN
    assert asked(reply(None, code="9999", msg=words)).verdict is Verdict.UNKNOWN
    assert asked(reply({"status": "9999", "message": words})).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("words", ACCEPTANCE + REFUSALS + MISSING)
def test_any_other_words_leave_the_answer_of_a_query_as_it_is(words: str):
    """A platform says "unknown tradeNo" of one that does not exist, and "success" of a question that it took."""
    assert not speaks_of_trouble(words)
    assert asked(reply(None, msg=words)).verdict is Verdict.NO_SUCH_ORDER
    assert asked(reply(None, code="4004", msg=words)).verdict is Verdict.QUESTION_REFUSED
    assert asked(reply(None, code="4004", msg=words), codes=Codes(no_such_order="4004")).verdict is (
        Verdict.NO_SUCH_ORDER
    )
    assert asked(reply({"status": "4004", "message": words})).verdict is Verdict.QUESTION_REFUSED


@given(st.text(), st.sampled_from(EVERY))
def test_words_never_make_a_refusal_final_that_was_not(around: str, words: str):
    """Of the only two ways in which they count, both lead to a question."""
    for msg in (around, around + words, words + around):
        assert paid(reply(code="1001", msg=msg)).verdict in (Verdict.UNLISTED, Verdict.UNKNOWN, Verdict.DUPLICATE)
        assert paid(reply(code="60019", msg=msg)).verdict in (Verdict.REFUSED, Verdict.UNKNOWN, Verdict.DUPLICATE)
        assert paid(reply(code="5000", msg=msg)).verdict in (Verdict.UNKNOWN, Verdict.DUPLICATE)
        assert asked(reply(code="1001", msg=msg)).verdict in (Verdict.QUESTION_REFUSED, Verdict.UNKNOWN)


@pytest.mark.parametrize("text", ["time\u200bout", "b\u00adusy", "处\ufeff理中"])
def test_what_shows_nothing_parts_no_word(text: str):
    """A person reads one word, and so do we."""
    assert speaks_of_trouble(text)
