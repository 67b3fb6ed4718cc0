"""The seed contradicts itself in places; each has its test here, beside what it says."""

import json
from typing import Any

import pytest

from paypro_async._core.outcome import Verdict
from paypro_async._core.wire import read_envelope
from paypro_async.errors import InvalidPayoutError
from tests.support.samples import INDIA, intent, paid

# "Success Response Example", letter by letter.
EXAMPLE = b"""{
"msg": "success",
"code": "0000",
"timestamp": 1719829933893,
"success": true,
"data": {
"kiliTradeNo": "32e936de44164512abe419a9d1b2449a",
"status": "0015",
"desc": "CREDIT_INPROGRESS",
"remark": "000000"
}
}"""


def example(**changes: Any) -> bytes:
    return json.dumps(json.loads(EXAMPLE) | changes).encode()


def example_data(**changes: Any) -> bytes:
    return example(data={"status": "0015", "desc": "CREDIT_INPROGRESS"} | changes)


def test_the_example_reply_is_a_payout_in_processing():
    """As it stands on the page."""
    found = paid(EXAMPLE)
    assert (found.verdict, found.code, found.message) == (Verdict.PROCESSING, "0015", "CREDIT_INPROGRESS")
    assert found.platform_trade_no == "32e936de44164512abe419a9d1b2449a"


def test_bankncode_of_the_table_is_bankcode_of_the_example():
    """The example is what somebody has run."""
    content = intent().content
    assert content["bankCode"] == "IDFB0043121"
    assert "bankNCode" not in content


def test_the_row_without_a_name_is_email():
    """The table lists "payee's email" without saying under which name; it is required."""
    assert intent().content["email"] == "asha@gmail.com"
    with pytest.raises(InvalidPayoutError, match="email: is missing"):
        intent(email="")


def test_ipaddress_is_sent_though_the_example_leaves_it_out():
    """The table requires it."""
    assert intent().content["ipAddress"] == "203.0.113.7"
    with pytest.raises(InvalidPayoutError, match="ip_address: is missing"):
        intent(ip_address=None)


def test_the_mobile_of_the_example_is_refused():
    """It has 12 digits with 91 in front; the table wants 10 without, and the message says so."""
    with pytest.raises(InvalidPayoutError, match="mobile: drop the country code 91"):
        intent(mobile="918234567890")


def test_the_email_of_the_example_is_taken():
    """The table asks for gmail.com, the example uses qq.com: it is a wish, not a rule."""
    assert intent(email="123@qq.com").content["email"] == "123@qq.com"


def test_the_notify_url_of_the_example_is_refused():
    """It is a row of x."""
    with pytest.raises(InvalidPayoutError, match="notify_url: must be an absolute http or https URL"):
        intent(notify_url="xxxxxx")


def test_decimals_are_not_recommended_and_not_forbidden():
    """They are sent, with a warning."""
    found = intent(amount="300.5")
    assert found.content["amount"] == "300.50"
    assert found.warnings


@pytest.mark.parametrize("name", ["platFormTradeNo", "kiliTradeNo", "serialNumber"])
def test_the_platforms_number_is_taken_under_each_of_its_names(name: str):
    """`platFormTradeNo` in the table, `kiliTradeNo` in the example, `serialNumber` in Kenya."""
    assert paid(example_data(**{name: "32e936de"})).platform_trade_no == "32e936de"


def test_a_reply_without_the_platforms_number_is_read():
    """It decides nothing."""
    found = paid(example_data())
    assert (found.verdict, found.platform_trade_no) == (Verdict.PROCESSING, None)


@pytest.mark.parametrize("timestamp", [1719829933893, "1719829933893", None, 1719829933.893])
def test_the_timestamp_of_a_reply_is_a_number_or_text(timestamp: object):
    """Text in the table, a number in the example; nothing depends on it."""
    assert paid(example(timestamp=timestamp)).verdict is Verdict.PROCESSING


@pytest.mark.parametrize("success", [True, "true", "TRUE", "success", 1, None, ""])
def test_success_is_text_or_a_boolean(success: object):
    """Text in the table, a boolean in the example."""
    assert paid(example(success=success)).verdict is Verdict.PROCESSING


@pytest.mark.parametrize("missing", ["timestamp", "success"])
def test_what_decides_nothing_may_be_missing(missing: str):
    """Though the table calls it required."""
    body = json.loads(EXAMPLE)
    del body[missing]
    assert paid(body).verdict is Verdict.PROCESSING


@pytest.mark.parametrize("missing", ["msg", "code"])
def test_without_its_code_or_its_words_it_is_no_envelope_of_the_platform(missing: str):
    """Each of its replies has both; what stands before it answers in JSON too."""
    body = json.loads(EXAMPLE)
    del body[missing]
    assert paid(body).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("status", "verdict"), [("0000", Verdict.PAID), ("0015", Verdict.PROCESSING), ("00029", Verdict.FAILED)]
)
def test_the_outer_code_is_not_the_result_of_the_payout(status: str, verdict: Verdict):
    """`code` 0000 and `msg` success stand over every one of these; `data.status` is the result."""
    body = example_data(status=status)
    assert (read_envelope(body).code, read_envelope(body).msg) == ("0000", "success")
    assert (paid(body).verdict, paid(body).code) == (verdict, status)


@pytest.mark.parametrize("msg", ["success", "fail", "0015", "", None])
def test_the_outer_words_are_not_the_result_either(msg: str | None):
    """Whatever they say."""
    assert paid(example(msg=msg)).verdict is Verdict.PROCESSING


def test_an_accepted_request_without_a_status_is_not_a_paid_one():
    """`0000` alone says only that the request was taken."""
    assert paid(example(data={"desc": "SUCCESS"})).verdict is Verdict.UNKNOWN
    assert paid(example(data=None)).verdict is Verdict.UNKNOWN


def test_everything_is_sent_as_text():
    """Amount and timestamp too, so that what is signed is what is read."""
    assert all(isinstance(value, str) for value in intent(amount=300).content.values())
    assert {one.name for one in INDIA.fields if one.required} == set(INDIA_REQUIRED)


INDIA_REQUIRED = ["name", "mobile", "email", "bank_number", "bank_code", "ip_address", "notify_url"]
