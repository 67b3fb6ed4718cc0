"""Is it the platform who speaks? Whatever stands before it answers in JSON too, and proves nothing of the money."""

from typing import Any

import pytest

from paypro_async._core.lifecycle import State, changed
from paypro_async._core.outcome import Verdict, classify_balance
from paypro_async._core.platform_codes import NO_REFUSAL, Codes
from paypro_async._core.transitions import after_attempt, after_query
from tests.support.samples import answered, asked, entry, order, paid, reply

GATEWAYS: dict[str, Any] = {
    "aws": {"message": "Forbidden"},
    "aws-missing-token": {"message": "Missing Authentication Token"},
    "aws-time-out": {"message": "Endpoint request timed out"},
    "aws-xml-in-json": {"Error": {"Code": "SlowDown", "Message": "Please reduce your request rate."}},
    "aws-throttled": {"__type": "ThrottlingException", "message": "Rate exceeded"},
    "nginx": {"error": "502 Bad Gateway"},
    "nginx-ingress": {"code": 503, "msg": "Service Temporarily Unavailable"},
    "kong": {"message": "An invalid response was received from the upstream server", "request_id": "9a1c"},
    "kong-code": {"code": "503", "name": "Service Unavailable", "message": "failure to get a peer from the balancer"},
    "cloudflare": {"success": False, "errors": [{"code": 1020, "message": "Access denied"}], "messages": []},
    "cloudflare-ok": {"success": True, "errors": [], "messages": [], "result": None},
    "spring": {"timestamp": "2026-11-26T10:00:00", "status": 500, "error": "Internal Server Error", "path": "/v1"},
    "spring-text": {"timestamp": 1719829933893, "status": "500", "error": "Internal Server Error", "message": ""},
    "problem": {"type": "about:blank", "title": "Bad Gateway", "status": 502, "detail": "no upstream"},
    "envoy": {"code": 14, "message": "upstream connect error or disconnect/reset before headers", "details": []},
    "grpc": {"code": "UNAVAILABLE", "msg": "upstream", "details": []},
    "node": {"code": "ECONNRESET"},
    "node-errno": {"errno": -104, "code": "ECONNRESET", "syscall": "read", "msg": "read ECONNRESET"},
    "axios": {"message": "timeout of 5000ms exceeded", "code": "ECONNABORTED", "msg": ""},
    "go": {"error": "context deadline exceeded"},
    "dotnet": {"Message": "An error has occurred.", "ExceptionType": "System.TimeoutException"},
    "azure": {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 5 seconds."},
    "google": {"error": {"code": 503, "message": "The service is currently unavailable.", "status": "UNAVAILABLE"}},
    "graphql": {"errors": [{"message": "x"}], "data": None},
    "soap": {"faultcode": "0000", "faultstring": "ok"},
    "number-200": {"code": 200, "msg": "success", "success": True, "data": {"status": "0000"}},
    "number-0": {"code": 0, "msg": "success", "success": True, "data": {"status": "0000"}},
    "text-200": {"code": "200", "msg": "success", "success": True, "data": {"status": "0000"}},
    "text-0": {"code": "0", "msg": "ok", "data": {"status": "0000"}},
    "words": {"code": "SUCCESS", "msg": "success", "data": {"status": "0000"}},
    "gateway-words": {"code": "GATEWAY_TIMEOUT", "msg": "Gateway Timeout"},
    "without-words": {"code": "0000", "data": {"status": "0000"}},
    "refused-without-words": {"code": "60019"},
    "message-for-msg": {"code": "60019", "message": "INSUFFICIENT_FUNDS"},
    "nested": {"response": {"code": "60019", "msg": "x"}},
    "empty": {},
}
MISSHAPEN = [
    *("0000 ", " 0000", "0000\n", "\t0000", "00 00", "0015 ", "60019 ", "6 0019", "60019\u00a0", "60019\u200b"),
    *(
        "\uff10\uff10\uff10\uff10",
        "\uff16\uff10\uff10\uff11\uff19",
        "\u0660\u0660\u0660\u0660",
        "\u00b2\u00b2\u00b2\u00b2",
    ),
    *("", "0", "00", "000", "200", "500", "600190019", "000000000", "+0000", "-0000", "0x0000", "6.0019", "60,019"),
    *("PENDING", "SUCCESS", "FAIL", "FAILED", "REFUSED", "ERR_60019", "60019E", "null", "None", "0000;0000"),
]


@pytest.mark.parametrize("body", GATEWAYS.values(), ids=GATEWAYS.keys())
def test_what_is_not_shaped_like_the_platforms_envelope_is_somebody_elses(body: object):
    """Whatever HTTP status it comes with: the order may have been taken behind it."""
    for status in (200, 201, 202, 400, 401, 403, 404, 409, 422, 500, 502, 503, 504):
        for found in (paid(body, status=status), asked(body, status=status)):
            assert (found.verdict, found.code, found.http_status) == (Verdict.UNKNOWN, None, status)
            assert found.cause, status
        unknown = after_attempt(entry(), paid(body, status=status), sent=1)
        assert unknown is not None, status
        noted = changed(entry(), unknown, None)
        assert (noted.state, noted.reply, noted.doubt) == (State.SENDING, None, False), status
        assert after_query(entry(), asked(body, status=status)) is None, status
        assert classify_balance(answered(body, status=status), Codes(), currency="INR")[1] is None, status


@pytest.mark.parametrize("code", MISSHAPEN)
def test_a_code_has_four_to_eight_digits_and_nothing_else(code: str):
    """A blank behind a listed code makes another one of it, and what that means no page says."""
    for data in (None, order("0000"), order("00029")):
        for success in (True, False, None):
            body = reply(data, code=code) | {"success": success}
            assert (paid(body).verdict, asked(body).verdict) == (Verdict.UNKNOWN, Verdict.UNKNOWN)


@pytest.mark.parametrize("status", [one for one in MISSHAPEN if one])
def test_a_status_has_four_to_eight_digits_and_nothing_else(status: str):
    """Also the one that means paid: `"0000 "` is on no page."""
    for body in (reply(order(status)), reply({"status": status})):
        assert (paid(body).verdict, asked(body).verdict) == (Verdict.UNKNOWN, Verdict.UNKNOWN)


@pytest.mark.parametrize("code", [200, 0, 15, 60019, 60019.0, True, None, ["60019"], {"code": "60019"}])
def test_a_code_that_is_no_text_is_none(code: object):
    """It has lost its zeros, if it ever was one of the platform's."""
    for data in (None, order("0000")):
        body = {**reply(data), "code": code}
        assert (paid(body).verdict, asked(body).verdict) == (Verdict.UNKNOWN, Verdict.UNKNOWN)


YES = [True, "true", "True", " TRUE ", "success", "SUCCESS", "1", 1, "yes", "ok"]
NO = [False, "false", "False", " FALSE ", "fail", "FAILED", "0", 0, "no", "error"]


@pytest.mark.parametrize("success", NO)
@pytest.mark.parametrize("status", ["0000", "0015", "0001", "00029", "9999"])
def test_an_acceptance_that_says_it_is_none_contradicts_itself(success: object, status: str):
    """In whatever form: neither the code nor `success` is believed."""
    body = reply(order(status)) | {"success": success}
    for found in (paid(body), asked(body)):
        assert found.verdict is Verdict.UNKNOWN
        assert "contradicts itself" in (found.cause or "")
    assert asked(reply(None) | {"success": success}).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("success", YES)
@pytest.mark.parametrize("code", ["60019", "00029", "1001", "0100024", "4004", "0015"])
def test_a_refusal_that_says_it_is_none_contradicts_itself(success: object, code: str):
    """`success` true beside a code that is listed as a refusal ends nothing."""
    body = reply(code=code) | {"success": success}
    for found in (paid(body), asked(body), paid(body, status=429), paid(body, status=400)):
        assert found.verdict is Verdict.UNKNOWN
        assert "contradicts itself" in (found.cause or "")
    if code not in NO_REFUSAL:  # which no list takes
        assert asked(body, codes=Codes(no_such_order=code)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("success", [None, "", "maybe", [], {}, 2])
def test_a_success_that_says_neither_decides_nothing(success: object):
    """It may be missing, and it may be of a form that no page shows."""
    assert paid(reply(order("0015")) | {"success": success}).verdict is Verdict.PROCESSING
    assert paid(reply(code="60019") | {"success": success}).verdict is Verdict.REFUSED


SHOWN: list[Any] = [
    *[order(status) for status in ("0000", "0015", "0001", "PENDING", "SUCCESS", "9998", "5000", "0100024", "0000 ")],
    *[{"status": status} for status in ("0000", "0015", "SUCCESS", 0, True, ["0000"], {})],
    *[{name: "32e936de"} for name in ("platFormTradeNo", "kiliTradeNo", "serialNumber")],
    *[{"serialNumber": 17}, [order("0000")], [{"x": 1}], "0000", "SUCCESS", '{"status":"0000"}', True, 7],
]


@pytest.mark.parametrize("data", SHOWN, ids=str)
def test_a_refusal_that_carries_an_order_contradicts_itself(data: object):
    """Unless the order itself says that it failed: the one says that it was not placed, the other that it is there."""
    for code in ("60019", "00029", "1001"):
        assert paid(reply(data, code=code)).verdict is Verdict.UNKNOWN
        assert asked(reply(data, code=code)).verdict is Verdict.UNKNOWN
        assert paid(reply(data, code=code), status=429).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "data",
    [None, "", {}, [], {"status": None}, {"status": ""}, {"remark": "17"}, {"tradeNo": "T", "platFormTradeNo": None}],
    ids=str,
)
def test_a_refusal_that_carries_no_order_is_one(data: object):
    """Whatever else stands in it."""
    assert paid(reply(data, code="60019")).verdict is Verdict.REFUSED
    assert paid(reply(data, code="1001")).verdict is Verdict.UNLISTED
    assert asked(reply(data, code="4004")).verdict is Verdict.QUESTION_REFUSED


def test_a_refusal_that_carries_an_order_which_failed_for_the_same_reason_is_one():
    """Both say that no money moved."""
    assert paid(reply(order("60019"), code="60019")).verdict is Verdict.REFUSED
    assert paid(reply(order("00029"), code="60019")).verdict is Verdict.REFUSED
    assert paid(reply(order("1001"), code="1001")).verdict is Verdict.UNLISTED


@pytest.mark.parametrize("body", [b"", b"busy", b"<html>", b'{"message":"Too Many Requests"}', b'{"code":429}'])
def test_too_many_requests_of_whoever_stands_before_the_platform(body: bytes):
    """The request was held back; the number is asked about once before it goes out again."""
    assert paid(body, status=429).verdict is Verdict.RATE_LIMITED


@pytest.mark.parametrize(
    "body",
    [
        *[reply(order("0000")), reply(order("0015")), reply(None), reply(code="0015"), reply(code="0001")],
        *[
            reply(order("0000")) | {"success": False},
            reply(order("0000"), code="9999"),
            reply(code="1") | {"code": "0000"},
        ],
    ],
    ids=str,
)
def test_too_many_requests_over_an_acceptance_contradicts_itself(body: dict[str, Any]):
    """It is not said that nothing was accepted where something says that it was."""
    assert paid(body, status=429).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("status", [100, 199, 300, 302, 304, 307, 308, 500, 502, 503, 504, 521, 599, 600, 0])
@pytest.mark.parametrize("code", ["60019", "00029", "1001", "0100024", "0000"])
def test_a_status_that_is_no_answer_of_the_platform_proves_nothing(status: int, code: str):
    """Whatever its body says."""
    for data in (None, order("00029"), order("0000")):
        for found in (paid(reply(data, code=code), status=status), asked(reply(data, code=code), status=status)):
            assert found.verdict is Verdict.UNKNOWN
