import json
from decimal import Decimal

import pytest

from paypro_async._core.errors import ConfigurationError
from paypro_async._core.models import Balance
from paypro_async._core.outcome import Outcome, Verdict, classify_balance, classify_payout, classify_query
from paypro_async._core.platform_codes import Codes
from paypro_async._core.wire import Exchange, Phase
from tests.support.samples import TRADE_NO, answered, asked, order, paid, reply


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("0000", Verdict.PAID),
        ("0015", Verdict.PROCESSING),
        ("00029", Verdict.FAILED),
        ("60019", Verdict.FAILED),
        ("0001", Verdict.PARTIAL),
        ("9999", Verdict.UNLISTED),
        ("0016", Verdict.UNLISTED),
        ("00000000", Verdict.UNLISTED),
        ("something new", Verdict.UNKNOWN),
        ("0100024", Verdict.DUPLICATE),
        ("5000", Verdict.UNKNOWN),
        ("00032", Verdict.UNKNOWN),
    ],
)
def test_the_status_of_the_order_is_the_result_of_the_payout(status: str, verdict: Verdict):
    """With the platform's code, words and number as they came."""
    found = paid(reply(order(status)))
    assert (found.verdict, found.code, found.message, found.platform_trade_no) == (verdict, status, "WORDS", "32e936de")
    assert found.http_status == 200


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("1001", Verdict.UNLISTED),
        ("60019", Verdict.REFUSED),
        ("00029", Verdict.REFUSED),
        ("0100024", Verdict.DUPLICATE),
        ("5000", Verdict.UNKNOWN),
        ("00032", Verdict.UNKNOWN),
        ("0015", Verdict.UNKNOWN),
        ("0001", Verdict.UNKNOWN),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 404, 422])
def test_an_outer_code_says_that_the_order_was_not_placed(code: str, verdict: Verdict, status: int):
    """Except a duplicate, a system error, and a code that speaks of an order, which mean: ask."""
    found = paid(reply(None, code=code, msg="no"), status=status)
    assert (found.verdict, found.code, found.message) == (verdict, code, "no")


@pytest.mark.parametrize("code", ["1001", "1003", "4004", "9999", "00001", "12345678"])
@pytest.mark.parametrize(
    "words",
    [
        *("sign error", "Invalid signature", "merchant not found", "unauthorized", "authentication failed"),
        *("insufficient funds", "MERCHANT_BALANCE_INSUFFICIENT", "merchant in debt", "IP not in whitelist"),
        *("AMOUNT_NOT_NUMERIC", "REJECTED_TRANSACTION", "bank not found", "refused", "", "参数错误", "余额不足"),
    ],
)
def test_a_refusal_under_a_code_that_no_page_lists_is_to_be_confirmed(code: str, words: str):
    """Whatever its words: whose refusal it is, the row's or the caller's, the next question tells."""
    found = paid(reply(code=code, msg=words))
    assert (found.verdict, found.code, found.message) == (Verdict.UNLISTED, code, words)


def test_each_set_of_codes_can_be_extended():
    """The platform's lists are incomplete."""
    codes = Codes(refused="6", duplicate=["7"], no_such_order=("8",), system={"9"}, credentials=frozenset({"10"}))
    assert paid(reply(code="6"), codes=codes).verdict is Verdict.REFUSED
    assert paid(reply(order("6")), codes=codes).verdict is Verdict.FAILED
    assert paid(reply(code="7"), codes=codes).verdict is Verdict.DUPLICATE
    assert paid(reply(code="9"), codes=codes).verdict is Verdict.UNKNOWN
    assert paid(reply(code="10"), codes=codes).verdict is Verdict.BAD_CREDENTIALS
    assert asked(reply(code="8"), codes=codes).verdict is Verdict.NO_SUCH_ORDER
    assert asked(reply(order("8")), codes=codes).verdict is Verdict.NO_SUCH_ORDER
    assert paid(reply(order("7")), codes=codes).verdict is Verdict.DUPLICATE
    assert paid(reply(order("9")), codes=codes).verdict is Verdict.UNKNOWN
    assert Codes(insufficient_funds=["11"]).insufficient_funds == {"11"}
    assert paid(reply(code="11"), codes=Codes(insufficient_funds=["11"])).verdict is Verdict.REFUSED


LISTS = ["refused", "duplicate", "no_such_order", "system", "credentials", "insufficient_funds"]


@pytest.mark.parametrize("code", ["", "1002\n", " 1002", "\ufeff1002", "10\x1b02", "1" * 129, 1002])
def test_a_code_that_can_be_none_is_refused(code: object):
    """It would never match: one copied with a line end, a number."""
    with pytest.raises(ConfigurationError, match="copy the code alone"):
        Codes(credentials=[code])


@pytest.mark.parametrize("code", ["0000", "0015", "0001"])
@pytest.mark.parametrize("name", LISTS)
def test_a_code_of_what_was_taken_is_in_no_list(name: str, code: str):
    """A paid order would be none, or failed, and be paid once more."""
    with pytest.raises(ConfigurationError, match=f"lists {code}, by which"):
        Codes(**{name: code})


def test_a_fault_of_the_platform_is_no_missing_order():
    """Whoever wants it so takes it out of the faults."""
    with pytest.raises(ConfigurationError, match="lists 5000 as no_such_order and as system"):
        Codes(no_such_order="5000")
    assert Codes(no_such_order="5000", system=()).no_such_order == {"5000"}


@pytest.mark.parametrize(
    ("status", "body", "mend"),
    [
        (200, b"<html>", "another server than PayPro's answers there"),
        (404, b'{"error": "no"}', "compare base_url with the address that PayPro gave"),
        (302, b"", "wants a login first"),
        (401, b"<html>", "ask PayPro whether the address of this machine is on its list"),
        (403, b"", "ask PayPro whether the address of this machine is on its list"),
        (429, b"<html>", "more slowly"),
        (503, b"<html>", "A gateway answers so"),
        (400, b"<h1>The plain HTTP request was sent to HTTPS port</h1>", "Begin base_url with https://"),
    ],
)
def test_what_another_server_answers_is_told_with_its_mend(status: int, body: bytes, mend: str):
    """A wrong address, a login page, a gateway: the text of the error alone says where to look."""
    exchange = Exchange(phase=Phase.ANSWERED, status=status, body=body)
    for classify in (classify_payout, classify_query):
        found = classify(exchange, Codes(), trade_no=TRADE_NO)
        assert found.fault is not None
        assert mend in str(found.fault)
        assert not found.lasting


@pytest.mark.parametrize("name", LISTS)
def test_a_code_that_the_user_lists_may_have_any_form(name: str):
    """Listed, it is one of the platform's; else the same reply is somebody else's."""
    listed, other = Codes(**{name: "E-17"}), Codes()
    body = reply(code="E-17")
    assert (paid(body, codes=listed).code, paid(body, codes=other).code) == ("E-17", None)
    assert paid(body, codes=other).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("name", LISTS)
def test_one_code_alone_is_not_taken_for_a_set_of_characters(name: str):
    """`duplicate="0100024"` would otherwise mean the codes 0, 1, 2 and 4; it means the one, or is refused."""
    try:
        codes = Codes(**{name: "0100024"})
    except (TypeError, ValueError):
        return
    assert getattr(codes, name) == {"0100024"}


@pytest.mark.parametrize("status", [100, 204, 301, 302, 304, 401, 403, 404, 408, 409, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"{}", b'{"error": "x"}', b'{"code": 500}'])
def test_an_answer_without_an_envelope_is_unknown(status: int, body: bytes):
    """4xx included: a gateway may have passed the request on before it gave up."""
    found = paid(body, status=status)
    assert (found.verdict, found.lost, found.http_status) == (Verdict.UNKNOWN, False, status)
    assert (f"HTTP {status}" in (found.cause or "")) == (not 200 <= status < 300)
    assert found.cause
    assert asked(body, status=status).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("status", [302, 400, 404, 500, 503])
def test_an_error_status_over_an_accepting_envelope_is_unknown(status: int):
    """It contradicts itself."""
    assert paid(reply(order("0000")), status=status).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("body", [b"", b"busy", json.dumps(reply(code="9999", msg="slow down")).encode()])
def test_too_many_requests_means_not_accepted_wait(body: bytes):
    """With the seconds that the platform asks for."""
    found = paid(body, status=429, retry_after="7")
    assert (found.verdict, found.retry_after, found.http_status) == (Verdict.RATE_LIMITED, 7.0, 429)
    question = asked(body, status=429, retry_after="7")
    assert (question.verdict, question.retry_after) == (Verdict.UNKNOWN, 7.0)


@pytest.mark.parametrize("code", ["0000", "5001"])
def test_too_many_requests_over_a_placed_order_is_unknown(code: str):
    """It contradicts itself, and sending again could pay twice."""
    assert paid(reply(order("0000"), code=code), status=429).verdict is Verdict.UNKNOWN
    assert paid(reply(order("0015"), code=code) | {"success": None}, status=429).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *[("0", 0.0), ("7", 7.0), ("1.5", 1.5), ("120", 120.0)],
        *[(one, None) for one in (None, "", "-1", "+1", "nan", "inf", "1e9", "9999999", "7 ", "7\n", "\u0667", "soon")],
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_seconds_or_not_at_all(header: str | None, seconds: float | None):
    """The other form, a date, needs two clocks to agree."""
    assert paid(b"", status=429, retry_after=header).retry_after == seconds


def test_no_byte_left_is_not_sent():
    """With the reason, and whether it was our own pool."""
    exchange = Exchange(phase=Phase.NOT_SENT, cause="the connection was refused", pool_timeout=True)
    found = classify_payout(exchange, Codes(), trade_no=TRADE_NO)
    assert found == Outcome(verdict=Verdict.NOT_SENT, cause="the connection was refused", pool_timeout=True)
    assert classify_query(exchange, Codes(), trade_no=TRADE_NO).verdict is Verdict.UNKNOWN


def test_a_reply_that_was_too_large_is_unknown():
    """The transport read it, named the cause, and gave no body."""
    found = paid(b"", cause="the reply is larger than the limit")
    assert (found.verdict, found.lost) == (Verdict.UNKNOWN, False)
    assert "larger than the limit" in (found.cause or "")


@pytest.mark.parametrize("data", [None, "", {}, []])
def test_an_accepted_payout_without_an_order_is_unknown(data: object):
    """`0000` is about the request only."""
    assert paid(reply(data)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "data", ["x", 7, [order()], {"status": 0}, {"status": None}, {"desc": "x"}, {"status": ["0000"]}]
)
def test_an_order_that_cannot_be_read_is_unknown(data: object):
    """For a payout and for a query."""
    assert paid(reply(data)).verdict is Verdict.UNKNOWN
    assert asked(reply(data)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("status", ["0000", "0015", "00029"])
def test_a_reply_about_another_order_is_unknown(status: str):
    """Whatever it says, it does not say it about this payout."""
    assert paid(reply(order(status, tradeNo="another"))).verdict is Verdict.UNKNOWN
    assert asked(reply(order(status, tradeNo="another"))).verdict is Verdict.UNKNOWN
    assert asked(reply(order(status, tradeNo=TRADE_NO))).verdict is not Verdict.UNKNOWN


@pytest.mark.parametrize("status", ["0000", "0015"])
@pytest.mark.parametrize("code", ["1001", "1002", "5000"])
def test_a_refusal_that_carries_a_placed_order_is_unknown(code: str, status: str):
    """It contradicts itself; a signature error too."""
    assert paid(reply(order(status), code=code, msg="sign error")).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "body",
    [
        b'{"code": "0000", "msg": "", "data": {"status": "00029", "status": "0000"}}',
        b'{"code": "0000", "msg": "", "data": {"status": "0000", "status": "00029"}}',
        b'{"code": "60019", "msg": "", "code": "0000", "data": {"status": "0000"}}',
        b'{"code": "0000", "msg": "", "code": "60019"}',
        b'{"code": "60019", "msg": "refused", "msg": "success"}',
    ],
)
def test_a_reply_that_says_a_thing_twice_is_unknown(body: bytes):
    """Two values under one name contradict each other, and which of them counts is a parser's guess."""
    assert paid(body).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("words", ["sign error", "parameter error", "order does not exist", "", "签名错误"])
def test_a_refused_question_says_nothing_about_the_payout(words: str):
    """The platform's code and words are kept for whoever asked, and no word says whose the refusal is."""
    found = asked(reply(None, code="1002", msg=words))
    assert (found.verdict, found.code, found.message) == (Verdict.QUESTION_REFUSED, "1002", words)
    assert "refused the question" in (found.cause or "")
    listed = asked(reply(None, code="1002", msg=words), codes=Codes(credentials="1002"))
    assert listed.verdict is Verdict.BAD_CREDENTIALS


@pytest.mark.parametrize(
    "words",
    [
        *("Duplicate merchant order number", "ORDER_ALREADY_EXISTS", "repeated tradeNo", "tradeNo is not unique"),
        *(
            "this order exists",
            "tradeNo was used before",
            "订单号重复",
            "订单已存在",
            "DUPLICATED_ORDER",
            "DuplicateOrder",
        ),
    ],
)
def test_outer_words_about_a_duplicate_mean_ask(words: str):
    """India's code is not documented, and a duplicate that is taken for a refusal would be paid anew."""
    assert paid(reply(None, code="1013", msg=words)).verdict is Verdict.DUPLICATE
    assert paid(reply(None, code="60019", msg=words)).verdict is Verdict.DUPLICATE
    assert paid(reply(None, code="1001"), status=409).verdict is Verdict.DUPLICATE


@pytest.mark.parametrize("code", ["500", "502", "504", "408"])
def test_a_gateway_in_an_envelope_proves_nothing(code: str):
    """No answer from behind is not a no."""
    assert paid(reply(None, code=code, msg="Gateway Timeout")).verdict is Verdict.UNKNOWN
    assert paid(reply(None, code=f"{code}0", msg="Gateway Timeout")).verdict is Verdict.UNKNOWN
    assert paid(reply(order(code))).verdict is Verdict.UNKNOWN
    assert paid(reply(None, code="1001"), status=408).verdict is Verdict.UNKNOWN


def test_a_query_tells_what_was_really_paid():
    """Amount, time and the bank's reference."""
    data = {
        "status": "0000",
        "tradeNo": TRADE_NO,
        "amount": "300.00",
        "successTime": "2024-07-01 18:34:31",
        "utr": "U7",
    }
    found = asked(reply(data), amount=Decimal(300))
    assert found.verdict is Verdict.PAID
    assert (str(found.amount), found.success_time, found.utr) == ("300.00", "2024-07-01 18:34:31", "U7")


@pytest.mark.parametrize("status", ["0000", "0015", "00029"])
def test_an_order_over_another_amount_is_not_this_payout(status: str):
    """Somebody else used the number; only a person can decide."""
    assert asked(reply(order(status, amount="301")), amount=Decimal(300)).verdict is Verdict.FOREIGN
    assert asked(reply(order(status, amount="301"))).verdict is not Verdict.FOREIGN


@pytest.mark.parametrize("amount", ["0", "0.00", None])
def test_an_amount_of_zero_says_nothing(amount: str | None):
    """Nothing was really paid yet."""
    assert asked(reply(order("0015", amount=amount)), amount=Decimal(300)).verdict is Verdict.PROCESSING


def test_the_ordered_amount_goes_before_the_paid_one():
    """Where the platform tells both, the order is recognised by what was ordered."""
    data = order("0015", amount="200", orderAmount="300.00")
    assert asked(reply(data), amount=Decimal(300)).verdict is Verdict.PROCESSING


def test_an_order_that_a_query_shows_is_no_duplicate_of_itself():
    """One that failed for that reason has failed, and is not asked about for ever."""
    found = asked(reply(order("0100024")))
    assert (found.verdict, found.code) == (Verdict.FAILED, "0100024")
    assert asked(reply({"status": "0100024"})).verdict is Verdict.QUESTION_REFUSED


def test_a_balance_is_exact():
    """With what is held back and what settles later."""
    body = (
        b'{"code":"0000","msg":"success","data":'
        b'{"availableAmount":9998989.0000,"freezeAmount":"1.5","unsettledAmount":2}}'
    )
    found, balance = classify_balance(answered(body), Codes(), currency="INR")
    assert found.verdict is Verdict.PAID
    assert balance == Balance(
        available=Decimal("9998989.0000"), frozen=Decimal("1.5"), unsettled=Decimal(2), currency="INR"
    )
    assert str(balance.available) == "9998989.0000"


@pytest.mark.parametrize(
    "body",
    [
        *[
            reply(),
            reply({}),
            reply({"freezeAmount": "1"}),
            reply({"availableAmount": "x"}),
            reply(code="1002"),
            b"",
            [],
        ],
        *[reply({"availableAmount": "1"}, code=code) for code in ("1002", "0015", "200", "SUCCESS", "0000 ")],
        *[reply({"availableAmount": "1"}) | {"success": success} for success in (False, "false")],
    ],
)
def test_no_balance_is_never_zero(body: object):
    """There is a reason instead."""
    found, balance = classify_balance(answered(body), Codes(), currency="INR")
    assert balance is None
    assert found.verdict is Verdict.UNKNOWN
    assert found.cause


@pytest.mark.parametrize(
    ("data", "words"),
    [({"desc": "D", "message": "M"}, "D"), ({"message": "M"}, "M"), ({"desc": ""}, None), ({"desc": None}, None)],
)
def test_the_platforms_words_are_found_under_both_names(data: dict[str, str | None], words: str | None):
    """Payout replies say `desc`, queries `message`."""
    assert paid(reply({"status": "0015", **data})).message == words
