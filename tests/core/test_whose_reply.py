"""Whose reply it is: payout replies name no payout, so the remark, the amount and the platform's number tell."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.codec import ReadingError
from paypro_async._core.outcome import Codes, Outcome, Verdict, classify_query
from paypro_async._core.wire import read_envelope, read_order
from tests.support import samples
from tests.support.samples import TRADE_NO, answered, asked, paid, reply

STATUSES = ["0000", "0015", "0001", "00029", "9999", "0100024"]


def order(status: str, **more: Any) -> dict[str, Any]:
    """An order that repeats this payout's remark, unless something else is said."""
    return samples.order(status, **{"remark": TRADE_NO} | more)


def question(body: object, *, echo: str | None = TRADE_NO, amount: Decimal | None = None) -> Outcome:
    """What a query that was answered so proves of a payout whose remark is known."""
    return classify_query(answered(body), Codes(), trade_no=TRADE_NO, amount=amount, echo=echo)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("remark", ["another", f"{TRADE_NO} ", TRADE_NO.replace("-", ""), "000000", 17, "invoice 18"])
def test_an_echo_that_differs_is_of_another_payout(status: str, remark: object):
    """Whatever it says, it does not say it about this one; what follows on its connection may be another's too."""
    found = paid(reply(order(status, remark=remark)), echo=TRADE_NO)
    assert (found.verdict, found.misdelivered, found.echoed) == (Verdict.UNKNOWN, True, False)
    assert (found.code, found.platform_trade_no) == (None, None)
    answer = question(reply(order(status, remark=remark)))
    assert (answer.verdict, answer.misdelivered) == (Verdict.UNKNOWN, True)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("remark", [None, "", [], {}, True])
def test_an_echo_that_is_absent_or_empty_proves_nothing(status: str, remark: object):
    """It is documented, and a platform may leave it out all the same."""
    for data in (order(status, remark=remark), {"status": status, "platFormTradeNo": "P"}):
        found = paid(reply(data), echo=TRADE_NO)
        assert found.verdict is paid(reply(data)).verdict is not Verdict.UNKNOWN
        assert (found.misdelivered, found.echoed) == (False, None)
        assert question(reply(data)).verdict is asked(reply(data)).verdict


@pytest.mark.parametrize("status", STATUSES)
def test_an_echo_that_fits_says_whose_reply_it_is(status: str):
    """A remark of digits may come back as a number."""
    for echo, remark in ((TRADE_NO, TRADE_NO), ("invoice 17", "invoice 17"), ("17", 17)):
        found = paid(reply(order(status, remark=remark)), echo=echo)
        assert (found.misdelivered, found.echoed) == (False, True)
        assert found.verdict is paid(reply(order(status))).verdict


@pytest.mark.parametrize("status", STATUSES)
def test_without_a_known_echo_nothing_is_compared(status: str):
    """The check is off, or the content was erased."""
    for body in (reply(order(status, remark="another")),):
        assert paid(body, echo=None).verdict is not Verdict.UNKNOWN
        assert question(body, echo=None).verdict is not Verdict.UNKNOWN
        assert paid(body).echoed is None


@pytest.mark.parametrize("status", STATUSES)
def test_an_answer_that_names_its_payout_needs_no_echo(status: str):
    """The remark of a query's order is on no page. A payout's reply that names it and repeats another is unknown."""
    body = reply(order(status, tradeNo=TRADE_NO, remark="another"))
    assert question(body).verdict is asked(reply(order(status))).verdict
    assert paid(body, echo=TRADE_NO).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("other", ["another", TRADE_NO.lower() + "x", f" {TRADE_NO}"])
def test_a_name_that_differs_is_of_another_payout(status: str, other: str):
    """In a payout's reply and in a query's."""
    for found in (paid(reply(order(status, tradeNo=other))), question(reply(order(status, tradeNo=other)))):
        assert (found.verdict, found.misdelivered) == (Verdict.UNKNOWN, True)


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_name_that_is_absent_or_empty_proves_nothing(nothing: str | None):
    """Payout replies have none; the echo is then all there is."""
    body = reply(order("0000", tradeNo=nothing))
    assert paid(body).verdict is asked(body).verdict is Verdict.PAID
    assert question(reply(order("0000", tradeNo=nothing, remark="another"))).misdelivered


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", ["amount", "orderAmount"])
@pytest.mark.parametrize("other", ["301", "3000", "0.01", "-300", 299])
def test_a_payouts_reply_over_another_amount_is_of_another_payout(status: str, name: str, other: object):
    """It was sent over 300, so the reply to it is; a query's answer over another amount is another's order."""
    body = reply(order(status, **{name: other}))
    found = paid(body, amount=Decimal(300))
    assert (found.verdict, found.misdelivered, found.platform_trade_no) == (Verdict.UNKNOWN, True, None)
    assert question(body, amount=Decimal(300)).verdict is Verdict.FOREIGN


_SAME, _ZERO = ("300", "300.00", 300, None, ""), ("0", 0, "0.00")


@pytest.mark.parametrize(
    ("status", "same"),
    [(one, same) for one in STATUSES for same in (_SAME if one in ("0000", "0001") else (*_SAME, *_ZERO))],
)
def test_an_equal_amount_and_none_prove_nothing(status: str, same: object):
    """Nothing was really paid yet, or the platform does not say."""
    body = reply(order(status, amount=same))
    assert paid(body, amount=Decimal(300)).verdict is paid(reply(order(status))).verdict
    assert question(body, amount=Decimal(300)).verdict is asked(reply(order(status))).verdict


@pytest.mark.parametrize("status", ["0000", "0001"])
@pytest.mark.parametrize("name", ["amount", "orderAmount"])
@pytest.mark.parametrize("nothing", _ZERO)
def test_what_was_paid_with_nothing_is_not_believed(status: str, name: str, nothing: object):
    """It may be our order, so the payout's own reply leaves it unknown; of a query's answer a person decides."""
    body = reply(order(status, **{name: nothing}))
    found = paid(body, amount=Decimal(300))
    assert (found.verdict, found.misdelivered) == (Verdict.UNKNOWN, False)
    found = question(body, amount=Decimal(300))
    assert found.verdict is Verdict.FOREIGN
    assert found.says is question(reply(order(status))).verdict


@pytest.mark.parametrize("amounts", [{"amount": "200"}, {"payAmount": "200"}, {"payAmount": 200, "amount": "300"}])
def test_an_order_that_was_paid_over_less_was_paid_in_part(amounts: dict[str, Any]):
    """The amount of the order is ours, and not all of it was paid. While it is processing, that is how it is."""
    body = reply(order("0000", orderAmount="300.00", **amounts))
    assert question(body, amount=Decimal(300)).verdict is Verdict.PARTIAL
    assert paid(body, amount=Decimal(300)).verdict is Verdict.PARTIAL
    assert question(reply(order("0015", orderAmount="300.00", **amounts))).verdict is Verdict.PROCESSING
    whole = reply(order("0000", orderAmount="300", amount="300.00", payAmount="300.0"))
    assert question(whole, amount=Decimal(300)).verdict is Verdict.PAID


NOTHING = ["0", "00", "0000000000", "-", "--", "_", " ", ".", "null", "NULL", "None", "nil", "N/A", "na", "undefined"]


@pytest.mark.parametrize("number", [*NOTHING, 0])
def test_what_stands_in_for_a_number_is_none(number: object):
    """Taken for one, it would be the same for every order, and would show an order where there is none."""
    assert paid(reply(order("0015", platFormTradeNo=number))).platform_trade_no is None
    assert paid(reply(order("0015", platFormTradeNo=number, serialNumber="S-1"))).platform_trade_no == "S-1"
    empty = {"tradeNo": TRADE_NO, "status": "00029", "platFormTradeNo": number, "amount": "0.00"}
    assert question(reply(empty)).verdict is Verdict.QUESTION_REFUSED


@pytest.mark.parametrize("number", ["1", "P", "0-1", "00A", "null1", "nan", 1234, "32e936de44164512abe419a9d1b2449a"])
def test_any_other_text_is_a_number(number: object):
    """As it came."""
    assert paid(reply(order("0015", platFormTradeNo=number))).platform_trade_no == str(number)


@given(st.text(), st.text(), st.sampled_from(STATUSES))
def test_a_reply_is_taken_only_with_its_own_echo_or_none(echo: str, remark: str, status: str):
    """Over every text."""
    body = reply(order(status, remark=remark))
    try:
        said = read_order(read_envelope(answered(body).body)).remark
    except ReadingError:
        return  # half a character, which no ledger could store
    found = paid(body, echo=echo)
    assert found.misdelivered == (bool(said) and said != echo)
    assert (found.verdict is Verdict.UNKNOWN) == found.misdelivered
