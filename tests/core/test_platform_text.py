"""What the platform says is shown without harm, in bounds, and without what it repeats of a person."""

# ruff: noqa: RUF001  letters of another width are what it is about

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.beneficiary import may_repeat, names_payee, without_personal_values
from paypro_async._core.outcome import Outcome, Verdict, classify_balance, classify_payout, classify_query
from paypro_async._core.platform_codes import Codes
from paypro_async._core.platform_text import SHORT, WORDS_LENGTH, is_exact, shown, words
from paypro_async._core.wire import Exchange, Phase

HOSTILE = "\x1b]0;all paid\x07\r\nall paid\u202e\u200b\u2028\x9b31m\ufeff\u00ad\u3164"
STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
CONTENT = {"name": "Asha Rao", "mobile": "8234567890", "bankNumber": "10094038292", "email": "asha@gmail.com"}
texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(HOSTILE + "0123456789@ -"), max_size=400)


def is_harmless(text: str) -> bool:
    return not any(unicodedata.category(one) in STEERING for one in text)


def answered(**members: Any) -> Exchange:
    return Exchange(phase=Phase.ANSWERED, status=200, body=json.dumps(members).encode())


@given(texts)
def test_nothing_that_is_shown_steers_a_terminal(text: str):
    """No control, no mark of direction, no line end, and no more than the bound; once is enough."""
    for fit, longest in ((words, WORDS_LENGTH), (shown, SHORT)):
        once = fit(text)
        assert once is not None
        assert is_harmless(once)
        assert len(once) <= longest
        assert fit(once) == once


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("success", "success"),
        ("余额不足", "余额不足"),
        ("खाता गलत है", "खाता गलत है"),
        ("paid\r\nall paid", r"paid\r\nall paid"),
        ("\x1b]0;all paid\x07", r"\x1b]0;all paid\x07"),
        ("\u202edap lla", r"\u202edap lla"),
        ("a\u200bb\u2028c\x9bd", r"a\u200bb\u2028c\x9bd"),
        ("full\u3000width", "full width"),
        ("１００９４０３８２９２ ａｓｈａ＠ｇｍａｉｌ．ｃｏｍ，余额", "••••92 ••••@gmail.com,余额"),
        ("account 10094038292 is closed", "account ••••92 is closed"),
        ("1009 4038 292", "••••92"),
        ("call +918234567890", "call +••••90"),
        ("to asha.rao@gmail.com", "to ••••@gmail.com"),
        ("asha@okhdfc", "••••@okhdfc"),
        ("code 0100024 at 2026-11-26 10:00:00", "code 0100024 at 2026-11-26 10:00:00"),
        ("a" * 300, "a" * 300),
        ("a" * 301, "a" * 299 + "…"),
    ],
)
def test_words_stay_readable(text: str, seen: str):
    """Every script is shown, what steers is escaped, what identifies a person is masked."""
    assert words(text) == seen


def test_megabytes_of_words_are_not_even_looked_at():
    """And an account number at the edge of what is looked at is not shown by half."""
    text = words("x " * 4091 + "10094038292" + "9" * 50_000_000)
    assert text is not None
    assert len(text) == WORDS_LENGTH
    many = words("1009403829210094038292 " * 100_000)
    assert many is not None
    assert "1009" not in many


@pytest.mark.parametrize(
    "text",
    ["ASHA RAO not found", "asha rao", "Mr. RAO is unknown", "beneficiary Asha", "a" * 295 + "Asha Rao" + "b" * 100],
)
def test_the_name_of_the_payee_is_masked_in_any_case(text: str):
    """Banks write names in capital letters, or a part of one; the end of the words may cut one in two."""
    seen = without_personal_values(words(text), "india", CONTENT) or ""
    assert "asha" not in seen.lower()
    assert "rao" not in seen.lower()


@pytest.mark.parametrize("number", ["P-1", "32e936de44164512abe419a9d1b2449a", "p 1", "订单1", "a" * SHORT])
def test_an_order_number_is_shown_as_it_is(number: str):
    """It is compared exactly, so it is never changed."""
    assert is_exact(number)


@pytest.mark.parametrize(
    ("number", "is_payee"),
    [
        *(("P-1", False), ("20261127000000012345", False), ("IDFB0043121", False), ("", False), ("rao", False)),
        *((value, True) for value in CONTENT.values()),
        *(("ASHA RAO", True), ('{"a": "10094038292"}', True), ("+918234567890", True), ("10094038292/1", True)),
    ],
)
def test_a_payee_is_no_number_of_an_order(number: str, is_payee: bool):
    """Its name, account or address as a whole; a part of a name may stand in a number by chance."""
    assert names_payee(number, "india", CONTENT) is is_payee
    assert names_payee(number, "india", {}) is False
    assert names_payee("Li", "india", {"name": "Li"}) is True
    assert names_payee("LI2026", "india", {"name": "Li"}) is False


_SAID = st.sampled_from(["Asha Rao", "A R", "Li", "राव", "İpek", "\u212a Rao", "10094038292", "ab", "asha@gmail.com"])


@given(
    st.fixed_dictionaries(dict.fromkeys(CONTENT, _SAID)), _SAID | st.text(max_size=5), st.sampled_from(["", "x", " "])
)
def test_one_look_finds_whatever_may_be_personal(content: dict[str, str], said: str, around: str):
    """What it passes over has nothing to be masked, and is no payee."""
    for one in (said, said.upper(), said.lower()):
        text = f"{around}{one}{around}"
        if without_personal_values(text, "india", content) != text or names_payee(text, "india", content):
            assert may_repeat(text, "india", content)
    assert not may_repeat("CREDIT_SUCCESS\nP-1", "india", CONTENT)


@pytest.mark.parametrize("number", ["a" * (SHORT + 1), "P\x1b1", "P\n1", "P\u200b1", "P\u202e1"])
def test_what_is_no_order_number_makes_a_reply_unknown(number: str):
    """Whatever the reply says beside it."""
    data = {"status": "0000", "tradeNo": "T1", "platFormTradeNo": number}
    reply = answered(code="0000", msg="success", data=data)
    for classify in (classify_payout, classify_query):
        outcome = classify(reply, Codes(), trade_no="T1")
        assert (outcome.verdict, outcome.platform_trade_no) == (Verdict.UNKNOWN, None)


@pytest.mark.parametrize("amount", ["1e999999", "1e-999999", "9" * 60, '"' + "9" * 60 + '"'])
def test_an_amount_beyond_all_bounds_is_none(amount: str):
    """It would be written out as megabytes of zeros."""
    body = f'{{"code":"0000","msg":"","data":{{"status":"0000","orderAmount":{amount},"availableAmount":{amount}}}}}'
    reply = Exchange(phase=Phase.ANSWERED, status=200, body=body.encode())
    assert classify_payout(reply, Codes(), trade_no="T1").verdict is Verdict.UNKNOWN
    assert classify_balance(reply, Codes(), currency="INR")[1] is None


members = st.sampled_from(["0000", "0015", "60030", "9999", "5000"]) | texts | st.none() | st.integers()


@given(
    members,
    members,
    st.dictionaries(
        st.sampled_from(
            ["status", "platFormTradeNo", "desc", "message", "utr", "successTime", "tradeNo", "orderAmount"]
        ),
        members,
    ),
)
def test_every_text_of_an_outcome_is_harmless(code: Any, msg: Any, data: dict[str, Any]):
    """Whatever stands in a reply: everything that is made of it is printable and short, also its ``repr``."""
    exchange = answered(code=code, msg=msg, data=data)
    for outcome in (
        classify_payout(exchange, Codes(), trade_no="T1"),
        classify_query(exchange, Codes(), trade_no="T1"),
        classify_balance(exchange, Codes(), currency="INR")[0],
    ):
        _is_harmless(outcome)


@given(texts, texts)
def test_a_transport_of_ones_own_is_no_way_in(cause: str, retry_after: str):
    """What it says of an exchange is shown to people as well."""
    for phase in Phase:
        exchange = Exchange(phase=phase, status=200, cause=cause, retry_after=retry_after)
        _is_harmless(classify_payout(exchange, Codes(), trade_no="T1"))


def _is_harmless(outcome: Outcome) -> None:
    fields = (
        outcome.code,
        outcome.message,
        outcome.platform_trade_no,
        outcome.utr,
        outcome.success_time,
        outcome.cause,
    )
    for text in fields:
        assert text is None or (is_harmless(text) and len(text) <= WORDS_LENGTH)
    assert is_harmless(repr(outcome))
    assert len(repr(outcome)) < 4000
