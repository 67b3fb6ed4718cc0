"""An order that another system made under our number: it is never taken for ours, and nothing is sent beside it."""

from contextlib import suppress
from datetime import timedelta

import pytest

from paypro_async import OutcomeUnknownError, PayoutStatus, PayProError, ReviewRequiredError, State
from tests.support.bookkeeper import HONEST, Bookkeeper, Says, envelope
from tests.support.merchant import MERCHANT_NO, aiohttp_client_of, fields
from tests.support.virtual_time import VirtualRuntime, virtual_time

INDIA = timedelta(hours=5, minutes=30)
DUPLICATES = {
    "documented": Says(envelope("0100024", "DUPLICATE_REFERENCE_NUMBER_LEVEL2"), booked=False),
    "words": Says(envelope("1009", "tradeNo already exists"), booked=False),
    "other words": Says(envelope("2001", "Order repeated"), booked=False),
    "chinese": Says(envelope("2001", "\u8ba2\u5355\u53f7\u91cd\u590d"), booked=False),
    "http 409": Says(envelope("1010", "conflict"), 409, booked=False),
    "status": Says(envelope("0000", data={"status": "0100024", "platFormTradeNo": "P-1"}), booked=False),
    "status without a number": Says(envelope("0000", data={"status": "0100024"}), booked=False),
}


def at(seconds: float) -> str:
    """A time of the platform, so many seconds from the test's beginning."""
    return f"{VirtualRuntime().now() + timedelta(seconds=seconds) + INDIA:%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize("says", DUPLICATES.values(), ids=DUPLICATES.keys())
@pytest.mark.parametrize("status", ["0000", "0015", "0001", "00029", "0100024", "0100099"])
@virtual_time
async def test_an_order_that_was_there_before_our_only_attempt_is_a_persons(says: Says, status: str):
    """The same number and the same amount, months or an hour ago: nobody but a person can tell who was paid."""
    for paid in (None, at(-3600), at(-90 * 86_400), "", "yesterday", "0000-00-00 00:00:00"):
        time = {} if paid is None else {"successTime": paid}
        async with Bookkeeper(says) as platform, aiohttp_client_of(platform) as client:
            platform.book("T1", status=status, **time)
            for _ in range(2):
                with pytest.raises(ReviewRequiredError, match="waits for a person") as caught:
                    pytest.fail(f"paid at {paid}: {await client.payout(**fields())}")
                assert caught.value.money_may_have_moved, paid
            report = await client.reconcile()
            entry = await client.ledger.get(MERCHANT_NO, "T1")
        assert entry.state is State.REVIEW, paid
        assert not report.ok or report.checked == 0, paid
        assert platform.kinds().count("payout") == 1, paid
        assert platform.bookings == ["T1"], paid


@pytest.mark.parametrize("says", DUPLICATES.values(), ids=DUPLICATES.keys())
@virtual_time
async def test_an_order_that_was_paid_after_our_announcement_is_ours(says: Says):
    """Our request came twice: the reply to its copy says duplicate, and the order was paid after we announced it."""
    async with Bookkeeper(says) as platform, aiohttp_client_of(platform) as client:
        platform.book("T1", status="0000", successTime=at(1))
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.SUCCEEDED, 1)


@pytest.mark.parametrize("says", DUPLICATES.values(), ids=DUPLICATES.keys())
@pytest.mark.parametrize(("status", "ends"), [("0000", PayoutStatus.SUCCEEDED), ("0015", PayoutStatus.PROCESSING)])
@virtual_time
async def test_adopt_duplicates_takes_an_order_of_the_same_amount(says: Says, status: str, ends: PayoutStatus):
    """It was typed, so it counts."""
    async with Bookkeeper(says) as platform, aiohttp_client_of(platform, adopt_duplicates=True) as client:
        platform.book("T1", status=status)
        assert (await client.payout(**fields())).status is ends


@pytest.mark.parametrize("says", DUPLICATES.values(), ids=DUPLICATES.keys())
@pytest.mark.parametrize("status", ["0000", "0015", "0001"])
@pytest.mark.parametrize("adopt", [False, True])
@virtual_time
async def test_an_order_of_another_amount_is_never_ours(says: Says, status: str, adopt: bool):
    """Whatever was typed and whenever it was paid."""
    for amount in ("301", "299.99", "30000", "3", "0.01"):
        async with Bookkeeper(says) as platform, aiohttp_client_of(platform, adopt_duplicates=adopt) as client:
            platform.book("T1", amount=amount, status=status, successTime=at(1))
            with pytest.raises(ReviewRequiredError):
                pytest.fail(f"{amount}: {await client.payout(**fields())}")


@pytest.mark.parametrize("says", DUPLICATES.values(), ids=DUPLICATES.keys())
@pytest.mark.parametrize("way", ["null", "code", "refusal"])
@virtual_time
async def test_a_duplicate_of_which_no_query_knows_is_a_persons(says: Says, way: str):
    """An archive may hold the order, or none: it is not sent again, and it is not called failed."""
    async with Bookkeeper(says, unknown_order=way) as platform, aiohttp_client_of(platform, timeout=200) as client:
        with pytest.raises(ReviewRequiredError):
            await client.payout(**fields())
    assert platform.kinds().count("payout") == 1


@pytest.mark.parametrize("says", DUPLICATES.values(), ids=DUPLICATES.keys())
@virtual_time
async def test_a_duplicate_of_our_own_earlier_attempt_is_ours(says: Says):
    """The first attempt seemed not to have arrived, and had: the second one is a duplicate of it."""
    late = Says(b"", 502, booked=False)
    answers = lambda _, count: late if count == 1 else says  # noqa: E731

    def queries(trade_no: str, count: int) -> None:
        if (platform.requests[-2][0], platform.kinds().count("payout")) == ("payout", 2):
            platform.book(trade_no)

    async with Bookkeeper(answers, queries=queries) as platform, aiohttp_client_of(platform, timeout=300) as client:
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 2)
    assert platform.bookings == ["T1"]


@pytest.mark.parametrize("amount", ["301", "299.99", "30000", "0.01"])
@pytest.mark.parametrize("status", ["0000", "0015", "00029", "0100099"])
@pytest.mark.parametrize("known", ["sent", "processing", "not at all"])
@virtual_time
async def test_a_query_never_says_that_another_amount_is_our_payout(amount: str, status: str, known: str):
    """Neither of a payout that the ledger holds as unknown, nor of one that is processing; of a number that the ledger
    does not hold, the platform's word and its amount are handed on as they are.
    """
    says = Says(b"", 502, booked=False) if known == "sent" else HONEST
    async with Bookkeeper(says) as platform, aiohttp_client_of(platform, timeout=3) as client:
        if known != "not at all":
            with suppress(OutcomeUnknownError):
                await client.payout(**fields())
        platform.book("T1", amount=amount, status=status)
        found = await client.query("T1")
        assert str(found.amount) == amount
        if known == "not at all":
            return
        assert found.status not in (PayoutStatus.SUCCEEDED, PayoutStatus.PROCESSING, None)
        entry = await client.ledger.get(MERCHANT_NO, "T1")
        assert entry.state not in (State.SUCCEEDED, State.NEW)
        with pytest.raises(PayProError):
            (await client.payout(**fields())).raise_for_status()
