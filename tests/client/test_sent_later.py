"""What was believed not to be out, and is sent hours later: the platform is asked first, and errors say unknown."""

from contextlib import suppress

import pytest

from paypro_async import (
    Codes,
    ConnectionFailedError,
    Decision,
    ItemStatus,
    MemoryLedger,
    OutcomeUnknownError,
    PayoutStatus,
    PayProClient,
    RateLimitedError,
    State,
    decide,
)
from paypro_async.sandbox import Fault, FaultPlan
from tests.support.bookkeeper import HONEST, Bookkeeper, Says, envelope
from tests.support.merchant import MERCHANT_NO, SIGNER, bookings, client_of, fields, paid_at, requests, virtual_sandbox
from tests.support.virtual_time import VirtualRuntime, freeze, virtual_time

HOURS = 3 * 3600
LOST = Says(b"", 502, booked=False)
UNCLEAR = {
    "page": Says(b"<html>", 502),
    "busy": Says(envelope("9999", "System busy")),
    "429": Says(b"", 429),
    "no permission": Says(envelope("7001", "no permission")),
    "system": Says(envelope("5000", "system operation exception")),
    "status": Says(envelope("0000", data={"status": "PENDING"})),
    "another order": Says(envelope("0000", data={"status": "0000", "tradeNo": "T9", "amount": "300"})),
    "gateway": Says({"code": "ECONNRESET", "message": "read ECONNRESET"}),
    "absent under 503": Says(envelope("0000"), 503),
}


async def use_up(client: PayProClient, by: str) -> None:
    """Its only attempt was lost, and two questions past the window found nothing."""
    if by == "reconcile":
        with suppress(OutcomeUnknownError):
            await client.payout(**fields(), timeout=1)
        await client.reconcile(wait=True)
    elif by == "batch":
        report = await client.batch_payout([fields()], max_attempts=1)
        assert report.counts == {ItemStatus.UNKNOWN: 1}
    else:
        with pytest.raises(OutcomeUnknownError, match="Money may have moved") as caught:
            await client.payout(**fields(), max_attempts=1, timeout=300)
        assert caught.value.money_may_have_moved
    entry = await client.ledger.get(MERCHANT_NO, "T1")
    assert (entry.state, entry.doubt) == (State.NEW, True)
    assert ItemStatus.of_entry(entry) is ItemStatus.UNKNOWN


@pytest.mark.parametrize("again", ["payout", "batch", "reconcile then payout"])
@pytest.mark.parametrize("by", ["payout", "batch", "reconcile"])
@pytest.mark.parametrize("booked", [True, False])
@virtual_time
async def test_it_is_asked_about_before_it_is_sent_hours_later(by: str, again: str, booked: bool):
    """Its booking came an hour late, longer than any window: found by one question. If there is none, it goes out."""
    async with Bookkeeper(lambda _, count: LOST if count == 1 else HONEST) as platform, client_of(platform) as client:
        await use_up(client, by)
        if booked:
            platform.book("T1")
        freeze(HOURS)
        before = len(platform.requests)
        if again == "batch":
            assert (await client.batch_payout([fields()])).accepted == 1
        else:
            if again.startswith("reconcile"):
                assert (await client.reconcile()).checked == 1
            assert (await client.payout(**fields())).status is PayoutStatus.PROCESSING
        kinds = platform.kinds()[before:]
        assert platform.bookings == ["T1"]
        assert kinds.count("payout") == (not booked)
        assert kinds[0] == "query"


@pytest.mark.parametrize("answer", UNCLEAR.values(), ids=UNCLEAR.keys())
@pytest.mark.parametrize("by", ["payout", "reconcile"])
@virtual_time
async def test_where_the_platform_does_not_answer_it_is_not_sent(answer: Says, by: str):
    """No question, no attempt; the error says that money may have moved, and a batch counts it as unknown."""
    closed = [False]
    queries = lambda *_: answer if closed[0] else None  # noqa: E731
    async with Bookkeeper(LOST, queries=queries) as platform, client_of(platform) as client:
        await use_up(client, by)
        closed[0] = True
        freeze(HOURS)
        with pytest.raises(OutcomeUnknownError, match=r"Money may have moved.*never use a new trade_no"):
            await client.payout(**fields(), timeout=60)
        report = await client.batch_payout([fields()], timeout=60)
        assert report.counts == {ItemStatus.UNKNOWN: 1}
        assert platform.kinds().count("payout") == 1


@virtual_time
async def test_without_a_network_it_is_unknown_too():
    """An attempt that certainly does not leave says nothing of the one that may have."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with Bookkeeper(LOST) as platform, client_of(platform, ledger=ledger) as client:
        await use_up(client, "payout")
    freeze(HOURS)
    async with PayProClient(
        base_url="http://127.0.0.1:9", merchant_no=MERCHANT_NO, signer=SIGNER, ledger=ledger, runtime=VirtualRuntime()
    ) as client:
        with pytest.raises(OutcomeUnknownError, match="Money may have moved"):
            await client.payout(**fields(), timeout=10)
        # One that has never left is not sent, and that is certain.
        with pytest.raises(ConnectionFailedError, match="No money moved"):
            await client.payout(**fields("T2"), timeout=10)
    assert platform.kinds().count("payout") == 1


@pytest.mark.parametrize("way", ["null", "empty", "code", "refusal"])
@pytest.mark.parametrize("booked", [True, False])
@virtual_time
async def test_a_persons_pay_again_is_asked_about_first(way: str, booked: bool):
    """A person read the dashboard wrongly, or rightly: what the platform shows then is what counts."""
    codes = Codes(no_such_order={"0100025", "1001"})
    answers = lambda _, count: LOST if count == 1 else HONEST  # noqa: E731
    async with (
        Bookkeeper(answers, unknown_order=way) as platform,
        client_of(platform, codes=codes, resend="never") as client,
    ):
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields(), timeout=100)
        await decide(client.ledger, MERCHANT_NO, "T1", Decision.PAY_AGAIN, by="Meera", note="not in the dashboard")
        if booked:
            platform.book("T1", status="0000")
        freeze(HOURS)
        result = await client.payout(**fields())
    assert result.status is (PayoutStatus.SUCCEEDED if booked else PayoutStatus.PROCESSING)
    assert platform.bookings == ["T1"]
    assert platform.kinds().count("payout") == 2 - booked


@pytest.mark.parametrize("answer", UNCLEAR.values(), ids=UNCLEAR.keys())
@pytest.mark.parametrize("reviewed", ["never sent again", "refused, then held"])
@virtual_time
async def test_a_persons_pay_again_waits_for_an_answer(answer: Says, reviewed: str):
    """Without one it is not sent, and the error does not say that no money moved: only the person thinks so."""
    closed = [False]
    says = LOST if reviewed == "never sent again" else Says(envelope("1010", "refused"), booked=False)
    queries = lambda *_: answer if closed[0] else None  # noqa: E731
    async with Bookkeeper(says, queries=queries) as platform, client_of(platform, resend="never") as client:
        with suppress(OutcomeUnknownError):
            await client.payout(**fields(), timeout=100)
        freeze(100)
        if reviewed == "refused, then held":
            await decide(client.ledger, MERCHANT_NO, "T1", Decision.HOLD, by="Meera", note="looks odd")
        await decide(client.ledger, MERCHANT_NO, "T1", Decision.PAY_AGAIN, by="Meera", note="not in the dashboard")
        closed[0] = True
        with pytest.raises(OutcomeUnknownError, match="Money may have moved") as caught:
            await client.payout(**fields(), timeout=60)
        assert caught.value.money_may_have_moved
        assert platform.kinds().count("payout") == 1


@pytest.mark.parametrize("by", ["payout", "batch"])
@pytest.mark.parametrize("fault", [Fault.BUSY_429, Fault.BUSY_429_AFTER])
@virtual_time
async def test_http_429_is_asked_about_before_it_goes_out_again(fault: Fault, by: str):
    """Whether it was booked or not: at once, and hours later; it is booked once."""
    faults = FaultPlan.script({"T1": [fault]})
    async with virtual_sandbox(faults=faults, deduplicate=False) as sandbox, client_of(sandbox) as client:
        with pytest.raises(RateLimitedError, match="HTTP 429") as caught:
            await client.payout(**fields(), timeout=0.5)
        assert "never use a new trade_no" in str(caught.value)
        freeze(HOURS)
        if by == "batch":
            assert (await client.batch_payout([fields()])).accepted == 1
        else:
            assert (await client.payout(**fields())).status is PayoutStatus.PROCESSING
        assert bookings(sandbox) == ["T1"]
        assert [path for path, _ in requests(sandbox)][1] == "queryPayOutResult"
        assert len(paid_at(sandbox)) == 1 + (fault is Fault.BUSY_429)
