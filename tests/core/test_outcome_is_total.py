import json
from decimal import Decimal
from typing import Any

from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from paypro_async._core.outcome import Outcome, Verdict, classify_balance, classify_payout, classify_query
from paypro_async._core.platform_codes import Codes
from paypro_async._core.wire import Exchange, Phase
from tests.support.samples import TRADE_NO, answered

LEARNED = set(Verdict) - {Verdict.UNKNOWN, Verdict.NOT_SENT, Verdict.RATE_LIMITED}
ANSWERS = {
    *(Verdict.PAID, Verdict.PROCESSING, Verdict.PARTIAL, Verdict.FAILED, Verdict.UNLISTED, Verdict.FOREIGN),
    *(Verdict.NO_SUCH_ORDER, Verdict.QUESTION_REFUSED, Verdict.UNKNOWN),
}
CODES = [
    *("0000", "0015", "0001", "0100024", "5000", "00032", "60019", "00029", "1002", "9999"),
    *("", " ", "0000 ", " 0000", "0000\n", "00 00", "\uff10\uff10\uff10\uff10", "x", "200", "000000000", "SUCCESS"),
]
WORDS = ["success", "refused", "SIGN_ERROR", "System busy", "duplicate order"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
CODE = st.sampled_from(CODES) | SCALARS
ORDERS = st.fixed_dictionaries(
    {"status": CODE},
    optional={
        "tradeNo": st.sampled_from([TRADE_NO, "another"]) | SCALARS,
        "amount": st.sampled_from(["300", "300.00", "1", 300, 300.5, "", "x"]) | SCALARS,
        "desc": SCALARS,
        "platFormTradeNo": SCALARS,
        "utr": SCALARS,
    },
)
DATA = ORDERS | SCALARS | st.lists(ORDERS, max_size=1) | st.just({}) | st.dictionaries(st.text(), SCALARS, max_size=2)
ENVELOPES = st.fixed_dictionaries(
    {"code": CODE},
    optional={
        "data": DATA,
        "msg": st.sampled_from(WORDS) | SCALARS,
        "success": st.sampled_from(["true", "false", True, False]) | SCALARS,
    },
)
BODIES = (
    ENVELOPES.map(lambda value: json.dumps(value).encode())
    | st.binary()
    | st.sampled_from([b"", b"<html>", b'{"code":"0000","data":{"status":"0000"', b'{"code":1e9999999999999999999}'])
)
STATUSES = st.none() | st.sampled_from([100, 200, 201, 204, 302, 400, 401, 404, 429, 500, 502, 503]) | st.integers()
HEADERS = (
    st.none() | st.sampled_from(["0", "7", "1.5", "-1", "nan", "1e9", "Wed, 21 Oct 2026 07:28:00 GMT"]) | st.text()
)
EXCHANGES = st.builds(
    Exchange,
    phase=st.sampled_from(Phase),
    status=STATUSES,
    body=BODIES,
    retry_after=HEADERS,
    cause=st.none() | st.none() | st.text(),
    pool_timeout=st.booleans(),
)
AMOUNTS = st.none() | st.sampled_from([Decimal(300), Decimal(1)])


def _order_of(body: bytes) -> tuple[Any, Any]:
    """The outer code and the order's status, read by nothing of ours."""
    try:
        envelope = json.loads(body.decode("utf-8-sig"))
        data = envelope.get("data") if isinstance(envelope, dict) else None
        return envelope.get("code"), data.get("status") if isinstance(data, dict) else None
    except (ValueError, AttributeError):
        return None, None


@given(EXCHANGES)
@example(answered(b'{"code":"0000","msg":"","x":1e9999999999999999999}'))
@example(answered(b'{"code":"0000","msg":"","data":{"status":"0000","desc":"\\ud800"}}'))
@example(answered({"code": "1002", "msg": "busy", "data": {"status": "0000"}}, status=429))
@example(answered({"code": "", "msg": ""}))
def test_every_exchange_of_a_payout_has_a_verdict_that_its_bytes_support(exchange: Exchange):
    """Arbitrary bytes, JSON, statuses and headers: nothing raises, and nothing is learned from what is not there."""
    found = classify_payout(exchange, Codes(), trade_no=TRADE_NO)
    code, status = _order_of(exchange.body)
    if exchange.phase is Phase.NOT_SENT:
        assert found.verdict is Verdict.NOT_SENT
        return
    if exchange.phase is Phase.MAYBE_SENT or exchange.status is None:
        assert (found.verdict, found.lost) == (Verdict.UNKNOWN, True)
        return
    assert found.verdict is not Verdict.NOT_SENT
    assert not found.lost
    if found.verdict in LEARNED:
        assert isinstance(code, str)
        assert is_digits(code)
        assert 200 <= exchange.status < 300 or 400 <= exchange.status < 500
        assert exchange.cause is None
    if found.verdict in (Verdict.PAID, Verdict.PROCESSING):
        assert (code, status) == ("0000", "0000" if found.verdict is Verdict.PAID else "0015")
    if found.verdict is Verdict.FAILED:
        assert code == "0000"
        assert status in Codes().refused
    if found.verdict is Verdict.REFUSED:
        assert code in Codes().refused
    if found.verdict is Verdict.UNLISTED:
        spoken = status if code == "0000" else code
        assert is_digits(spoken)
        assert spoken not in ("0000", "0015", "0001", "0100024", "5000", "00032", *Codes().refused)
    if found.verdict is Verdict.RATE_LIMITED:
        assert exchange.status == 429
    assert found.verdict not in (Verdict.NO_SUCH_ORDER, Verdict.FOREIGN, Verdict.QUESTION_REFUSED)
    assert_storable(found)


@given(EXCHANGES)
def test_an_order_that_is_shown_paid_or_under_way_is_never_sent_again_or_called_failed(exchange: Exchange):
    """Whatever code and HTTP status stand around it, a reply that contradicts itself means: ask."""
    exchange = evolve(exchange, phase=Phase.ANSWERED)
    if _order_of(exchange.body)[1] in ("0000", "0015", "0001"):
        for found in (
            classify_payout(exchange, Codes(), trade_no=TRADE_NO, amount=Decimal(300)),
            classify_query(exchange, Codes(), trade_no=TRADE_NO),
        ):
            allowed = (Verdict.PAID, Verdict.PROCESSING, Verdict.PARTIAL, Verdict.DUPLICATE, Verdict.UNKNOWN)
            assert found.verdict in allowed


@given(EXCHANGES, AMOUNTS)
@example(answered(b'{"code":"0000","msg":"","x":1e9999999999999999999}'), None)
def test_every_exchange_of_a_query_has_a_verdict_that_its_bytes_support(exchange: Exchange, amount: Decimal | None):
    """Nothing raises; a question that was not answered says nothing about the payout."""
    found = classify_query(exchange, Codes(), trade_no=TRADE_NO, amount=amount)
    code, status = _order_of(exchange.body)
    assert found.verdict in ANSWERS
    if found.verdict is not Verdict.UNKNOWN:
        assert exchange.phase is Phase.ANSWERED
        assert exchange.status is not None
        assert 200 <= exchange.status < 300 or found.verdict is Verdict.QUESTION_REFUSED
        assert is_digits(code)
        assert code == "0000" or found.verdict is Verdict.QUESTION_REFUSED
    if found.verdict in (Verdict.PAID, Verdict.PROCESSING):
        assert status == ("0000" if found.verdict is Verdict.PAID else "0015")
        assert amount is None or not found.amount or found.amount == amount
    if found.verdict is Verdict.NO_SUCH_ORDER:
        assert status is None
    assert_storable(found)


@given(st.sampled_from([Phase.ANSWERED, Phase.MAYBE_SENT]), st.integers(500, 599), BODIES)
def test_a_server_error_never_proves_anything(phase: Phase, status: int, body: bytes):
    """Whatever its body says, for a payout and for a query."""
    exchange = Exchange(phase=phase, status=status, body=body)
    assert classify_payout(exchange, Codes(), trade_no=TRADE_NO).verdict is Verdict.UNKNOWN
    assert classify_query(exchange, Codes(), trade_no=TRADE_NO).verdict is Verdict.UNKNOWN
    assert classify_balance(exchange, Codes(), currency="INR")[1] is None


def is_digits(code: object) -> bool:
    """Four to eight of them, those of ASCII."""
    return isinstance(code, str) and 4 <= len(code) <= 8 and set(code) <= set("0123456789")


def assert_storable(found: Outcome) -> None:
    """The ledger stores these and people read them."""
    for text in (found.code, found.message, found.platform_trade_no, found.utr, found.cause, found.success_time):
        (text or "").encode("utf-8")
    assert found.retry_after is None or 0 <= found.retry_after < 1e6
    assert found.verdict is not Verdict.UNKNOWN or found.lost or found.cause


@given(EXCHANGES)
def test_every_exchange_of_a_balance_has_a_balance_or_a_reason(exchange: Exchange):
    """Nothing raises."""
    found, balance = classify_balance(exchange, Codes(), currency="INR")
    assert (balance is None) == (found.verdict is Verdict.UNKNOWN)
