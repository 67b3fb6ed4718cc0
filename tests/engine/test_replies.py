"""Replies that are neither a clear yes nor a clear no."""

import pytest

from paypro_async import (
    Codes,
    CredentialsRefusedError,
    OutcomeUnknownError,
    PayoutStatus,
    RateLimitedError,
    ReplyLostError,
    ReplyUnreadableError,
    State,
)
from tests.support.merchant import (
    MERCHANT_NO,
    SIGNER,
    bookings,
    client_of,
    fields,
    paid_at,
    scripted_client,
    virtual_sandbox,
)
from tests.support.scripted import ABSENT, LOST, PROCESSING, Scripted, order, page, refusal, reply
from tests.support.virtual_time import now, virtual_time

OURS = order("0015", amount="300")


@pytest.mark.parametrize("code", ["5000", "00032"])
@pytest.mark.parametrize("place", ["outer", "status"])
@virtual_time
async def test_a_system_error_means_ask(code: str, place: str):
    """That something went wrong proves nothing about the money, wherever it stands."""
    transport = Scripted(refusal(code) if place == "outer" else order(code), OURS)
    async with scripted_client(transport) as client:
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 1)
    assert transport.kinds == ["payout", "query"]


@pytest.mark.parametrize("code", ["1001", "E_RENT"])
@virtual_time
async def test_a_code_is_told_whole_though_its_digits_stand_in_a_name(code: str):
    """Its meaning is looked up under it. The words beside it are masked."""
    transport = Scripted(refusal(code, f"{code} no"))
    asha = fields(name="Om 1001 Asha", remark="E_RENT", bank_number="50100000000017")
    async with scripted_client(transport, codes=Codes(refused={"1001", "E_RENT"})) as client:
        result = await client.payout(**asha)
    assert result.code == code
    assert code not in (result.message or "")


UNCLEAR = {
    "empty acceptance": ABSENT,
    "no status": reply({"platFormTradeNo": "P-1"}),
    "another order": order("0000", tradeNo="T2"),
    "500 with acceptance": reply({"status": "0000"}, status=500),
    "400 with acceptance": reply({"status": "0000"}, status=400),
    "503 page": page(503),
    "404 page": page(404),
    "302": page(302),
    "refusal of a paid order": reply({"status": "0000"}, code="1001"),
    "a list": reply([1, 2]),
}


@pytest.mark.parametrize("unclear", UNCLEAR.values(), ids=UNCLEAR.keys())
@virtual_time
async def test_a_reply_that_contradicts_itself_or_says_nothing_means_ask(unclear):
    """Whatever cannot be read as a result is unknown, and one question finds the order."""
    transport = Scripted(unclear, OURS)
    async with scripted_client(transport) as client:
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 1)
    assert transport.kinds == ["payout", "query"]


@virtual_time
async def test_a_readable_refusal_under_http_400_is_a_refusal():
    """A 4xx status over a readable refusal agrees with it."""
    transport = Scripted(reply(code="1001", msg="parameter error", status=400))
    async with scripted_client(transport) as client:
        result = await client.payout(**fields())
    assert (result.status, result.code, result.message) == (PayoutStatus.FAILED, "1001", "parameter error")


@pytest.mark.parametrize(("retry_after", "waits"), [("7", 7.5), ("600", 60.5), ("soon", 0.5), (None, 0.5)])
@virtual_time
async def test_retry_after_is_honoured_within_bounds(retry_after: str | None, waits: float):
    """The server's pause, at most a minute, plus the jitter; what is no number of seconds is ignored."""
    transport = Scripted([page(429, retry_after=retry_after), PROCESSING])
    async with scripted_client(transport, timeout=300) as client:
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 2)
    assert transport.payouts[1].at - transport.payouts[0].at == pytest.approx(waits)


@virtual_time
async def test_retry_after_of_a_question_is_honoured():
    """A platform that is too busy to be asked is not asked again before the pause it wants."""
    transport = Scripted(LOST, [page(429, retry_after="9"), OURS])
    async with scripted_client(transport) as client:
        await client.payout(**fields())
    assert transport.queries[1].at - transport.queries[0].at >= 9


@virtual_time
async def test_429_until_the_deadline_is_rate_limited_and_the_payout_stays_payable():
    """Nothing was accepted: NEW in the ledger, and it is asked about each time before it goes out again."""
    transport = Scripted([page(429, retry_after="5")] * 4 + [PROCESSING])
    async with scripted_client(transport, timeout=20, max_attempts=100) as client:
        began = now()
        with pytest.raises(RateLimitedError) as caught:
            await client.payout(**fields())
        assert now() - began <= 20
        entry = await client.ledger.get(MERCHANT_NO, "T1")
        assert entry.state is State.NEW
        result = await client.payout(**fields())
    assert (caught.value.retry_after, caught.value.trade_no) == (5.0, "T1")
    assert caught.value.attempts == entry.attempt == len(transport.payouts) - 1
    assert caught.value.money_may_have_moved is False
    assert result.status is PayoutStatus.PROCESSING
    assert transport.kinds == ["payout", "query"] * (len(transport.payouts) - 1) + ["payout"]


@virtual_time
async def test_429_ends_with_the_last_attempt():
    """max_attempts bounds the tries when there is time left."""
    transport = Scripted(page(429))
    async with scripted_client(transport, timeout=300, max_attempts=3) as client:
        with pytest.raises(RateLimitedError):
            await client.payout(**fields())
    assert len(transport.payouts) == 3


@virtual_time
async def test_refused_credentials_are_not_tried_again_and_the_payout_stays_payable():
    """A wrong secret: one request, a clear error, NEW; with the right secret the same payout is paid."""
    from paypro_async import Md5Signer

    async with virtual_sandbox() as sandbox:
        async with client_of(sandbox, signer=Md5Signer("wrong")) as client:
            with pytest.raises(CredentialsRefusedError) as caught:
                await client.payout(**fields())
            assert (await client.ledger.get(MERCHANT_NO, "T1")).state is State.NEW
        assert bookings(sandbox) == []
        assert len(paid_at(sandbox)) == 1
        async with client_of(sandbox, signer=SIGNER, ledger=client.ledger) as mended:
            result = await mended.payout(**fields())
    assert (caught.value.platform_code, caught.value.platform_message) == ("1002", "sign error")
    assert caught.value.money_may_have_moved is False
    assert "wrong" not in str(caught.value)
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 2)
    assert bookings(sandbox) == ["T1"]


@virtual_time
async def test_a_code_can_be_named_as_one_about_credentials():
    """No list of the platform names these codes, so the user can."""
    transport = Scripted(refusal("7777", "go away"))
    async with scripted_client(transport, codes=Codes(credentials={"7777"})) as client:
        with pytest.raises(CredentialsRefusedError):
            await client.payout(**fields())
    transport = Scripted(refusal("7777", "go away"))
    async with scripted_client(transport) as client:
        assert (await client.payout(**fields())).status is PayoutStatus.FAILED


@pytest.mark.parametrize(
    ("unclear", "kind"),
    [(LOST, ReplyLostError), (page(502), ReplyUnreadableError), (refusal("5000"), ReplyUnreadableError)],
)
@virtual_time
async def test_what_stays_unknown_at_the_deadline_is_an_error_that_says_so(unclear, kind: type[OutcomeUnknownError]):
    """It carries the number, the attempts and the time, keeps the deadline, and a later call finds the outcome."""
    transport = Scripted(unclear, [page(502), page(502), page(502), page(502), page(502), OURS])
    async with scripted_client(transport, timeout=5) as client:
        began = now()
        with pytest.raises(kind) as caught:
            await client.payout(**fields())
        assert now() - began <= 5
        error = caught.value
        assert (error.trade_no, error.attempts) == ("T1", 1)
        assert 0 < error.elapsed <= 5
        assert error.money_may_have_moved
        assert "T1" in str(error)
        assert "never" in str(error)
        result = await client.payout(**fields(), timeout=60)
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 1)
    assert len(transport.payouts) == 1
