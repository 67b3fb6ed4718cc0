import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.codec import ReadingError
from paypro_async._core.wire import (
    Envelope,
    Exchange,
    OrderData,
    Phase,
    WireRequest,
    read_balance,
    read_envelope,
    read_order,
    request_body,
)
from tests.support.samples import order, reply

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


def enveloped(data: object) -> Envelope:
    return Envelope("0000", None, None, data)


@given(st.dictionaries(TEXT, TEXT))
def test_a_body_holds_every_field_as_text_and_the_signature(fields: dict[str, str]):
    """What is read is what was signed."""
    assert json.loads(request_body(fields, "abc")) == {**fields, "sign": "abc"}


def test_a_body_is_compact_utf8_in_the_order_of_its_fields():
    """No blanks, no escapes, the signature last."""
    assert request_body({"b": "ā", "a": "1"}, "s") == '{"b":"ā","a":"1","sign":"s"}'.encode()


def test_a_request_says_who_asks_and_that_it_is_json():
    """The merchant number travels in a header, under the platform's name."""
    request = WireRequest(url="https://h/v1/paypro/payout", body=b"{}", merchant_no="0000000001")
    assert dict(request.headers) == {
        "content-type": "application/json",
        "user-agent": "paypro-async",
        "merchantNo": "0000000001",
    }
    assert request.send_by is None


def test_bodies_are_not_shown():
    """They hold names and account numbers."""
    request = WireRequest(url="https://h/", body=b"S3CR3T", merchant_no="1")
    exchange = Exchange(phase=Phase.ANSWERED, status=200, body=b"S3CR3T")
    assert "S3CR3T" not in repr(request) + repr(exchange)


@pytest.mark.parametrize("data", [None, "", {}, []])
def test_an_envelope_may_be_empty_in_many_ways(data: object):
    """Null, an empty text, an empty object and an empty list are all no order."""
    assert not enveloped(data).has_data


@pytest.mark.parametrize("data", [{"status": "0000"}, "x", [1], 0, False])
def test_anything_else_in_an_envelope_is_data(data: object):
    """Also what cannot be read as an order: it is not nothing."""
    assert enveloped(data).has_data


def test_an_envelope_needs_its_code_and_its_words():
    """Times and success may be missing or of any type."""
    assert read_envelope(b'{"code": "0000", "msg": null}') == Envelope("0000", None)
    assert read_envelope(b'{"code": "0015", "msg": 7, "timestamp": {}, "success": []}').msg == "7"
    with pytest.raises(ReadingError, match="msg"):
        read_envelope(b'{"code": "0000"}')


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"code": 0, "msg": ""}', b'{"code": null, "msg": ""}', b'{"msg": "x"}', b'{"code": ["0000"], "msg": ""}'],
)
def test_a_reply_without_a_code_in_text_is_no_envelope(body: bytes):
    """Codes are text with leading zeros; a number has lost them."""
    with pytest.raises(ReadingError, match="code"):
        read_envelope(body)


@pytest.mark.parametrize(
    ("data", "number"),
    [
        ({"platFormTradeNo": "P"}, "P"),
        ({"kiliTradeNo": "K"}, "K"),
        ({"serialNumber": "S"}, "S"),
        ({"serialNumber": 1234}, "1234"),
        ({"platFormTradeNo": "", "kiliTradeNo": None, "serialNumber": "S"}, "S"),
        ({"platFormTradeNo": "P", "kiliTradeNo": "K"}, "P"),
        ({"platFormTradeNo": ["P"]}, None),
        ({}, None),
    ],
)
def test_the_platforms_number_is_found_under_every_name(data: dict[str, Any], number: str | None):
    """The table, the seed's example and Kenya name it differently."""
    assert read_order(enveloped({"status": "0015", **data})).platform_trade_no == number


@pytest.mark.parametrize("data", [{}, {"status": ""}, {"status": None}, {"tradeNo": "T"}])
def test_an_order_without_a_status_is_not_read(data: dict[str, Any]):
    """Then nothing is known about the payout."""
    with pytest.raises(ReadingError, match="no status"):
        read_order(enveloped(data))


@pytest.mark.parametrize(
    "data", [{"status": 0}, {"status": True}, {"status": "0000", "tradeNo": 5}, "0000", ["0000"], 7]
)
def test_an_order_with_members_of_another_type_is_not_read(data: object):
    """Nothing is guessed from a type that the pages do not show."""
    with pytest.raises(ReadingError):
        read_order(enveloped(data))


@pytest.mark.parametrize(
    ("amount", "value"),
    [('"300.00"', "300.00"), ("3.0000", "3.0000"), ("300", "300"), ("null", None)],
)
def test_an_amount_may_be_text_or_a_number(amount: str, value: str | None):
    """The pages show both; every digit stays."""
    body = f'{{"code": "0000", "msg": "success", "data": {{"status": "0000", "amount": {amount}}}}}'.encode()
    found = read_order(read_envelope(body)).amount
    assert (None if found is None else str(found)) == value


def test_the_order_of_the_documentation_is_read():
    """All members that the payout and the query pages show together."""
    data = order("0015", tradeNo="T1", orderAmount="300.00", successTime="2024-07-01 18:34:31", utr="U7", message="M")
    assert read_order(read_envelope(json.dumps(reply(data)).encode())) == OrderData(
        status="0015",
        tradeNo="T1",
        platFormTradeNo="32e936de",
        remark="000000",
        desc="WORDS",
        message="M",
        orderAmount=Decimal("300.00"),
        successTime="2024-07-01 18:34:31",
        utr="U7",
    )


@pytest.mark.parametrize("name", ["availableAmount", "availablAmount"])
def test_a_balance_is_read_under_both_spellings(name: str):
    """Mexico, Egypt and Indonesia leave a letter out."""
    data = read_balance(enveloped({name: "9998989.0000", "freezeAmount": 0, "unsettledAmount": None}))
    assert str(data.available) == "9998989.0000"
    assert (data.freezeAmount, data.unsettledAmount) == (0, None)


def test_a_balance_of_zero_is_a_balance():
    """Zero under the one name is not looked for under the other."""
    assert read_balance(enveloped({"availableAmount": 0, "availablAmount": 7})).available == 0


@pytest.mark.parametrize("data", [{}, {"freezeAmount": "1"}, "text", {"availableAmount": "1,000"}, None, []])
def test_a_balance_without_what_is_available_is_a_reading_error(data: object):
    """It is never taken for zero."""
    with pytest.raises(ReadingError):
        _ = read_balance(enveloped(data)).available


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>400 The plain HTTP request was sent to HTTPS port</body></html>",
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
    ],
)
def test_page_of_a_tls_port_is_named(body: bytes):
    """Servers tell who speaks plain http to a port of TLS; what mends it is said, and not that the body is no JSON."""
    with pytest.raises(ReadingError, match="base_url should begin with https://"):
        read_envelope(body)
