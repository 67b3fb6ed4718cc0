"""Words beside a code: they turn a refusal into a question, and decide nothing else. Real HTTP."""

import pytest

from paypro_async import Codes, ItemStatus, MemoryLedger, OutcomeUnknownError, PayoutStatus, State
from tests.support.bookkeeper import HONEST, Bookkeeper, Says, envelope
from tests.support.merchant import MERCHANT_NO, aiohttp_client_of, fields, payouts
from tests.support.virtual_time import VirtualRuntime, now, virtual_time

WORDS = [
    "duplicate reference",
    "DUPLICATE_REFERENCE_NUMBER_LEVEL2",
    "repeat",
    "already exists",
    "the account is already closed",
    "order exists",
    "processing",
    "System busy, please try again later",
    "pending at the beneficiary bank",
    "sign error",
    "beneficiary bank authentication failed",
    "merchant is not allowed",
    "ip not in whitelist",
    "account of Sign Systems Ltd",
    "success",
    "failed",
    "\u91cd\u590d \u5df2\u5b58\u5728 \u5904\u7406\u4e2d",
]
ASKS = ["duplicate", "repeat", "order exists", "already", "\u91cd\u590d"]
WAITS = ["busy", "processing", "pending", "success"]


@pytest.mark.parametrize("status", ["00029", "0100099"])
@pytest.mark.parametrize("words", WORDS)
@virtual_time
async def test_words_inside_an_order_do_not_keep_it_open(words: str, status: str):
    """An order that exists and has failed is failed, under a listed code and under another one, whatever its words
    are: its payout reply and its query say so alike.
    """

    def fails(sent, _):
        platform.book(sent["tradeNo"], status=status, message=words)
        order = {"platFormTradeNo": "P-1", "status": status, "desc": words, "remark": sent["remark"]}
        return Says(envelope("0000", data=order), booked=False)

    async with Bookkeeper(fails) as platform, aiohttp_client_of(platform) as client:
        result = await client.payout(**fields())
        assert (result.status, result.code) == (PayoutStatus.FAILED, status)
        assert len(platform.requests) <= 3


@pytest.mark.parametrize("words", WORDS)
@virtual_time
async def test_words_inside_an_order_do_not_end_it(words: str):
    """0015 is processing and 0000 is paid, whatever is said beside them."""
    async with Bookkeeper(message=words) as platform, aiohttp_client_of(platform) as client:
        assert (await client.payout(**fields())).status is PayoutStatus.PROCESSING
        assert (await client.payout(**fields())).status is PayoutStatus.PROCESSING
        platform.orders["T1"]["status"] = "0000"
        assert (await client.payout(**fields())).status is PayoutStatus.SUCCEEDED


@pytest.mark.parametrize("way", ["null", "code", "refusal"])
@pytest.mark.parametrize("words", WORDS)
@virtual_time
async def test_the_words_of_one_refusal_stop_nothing(words: str, way: str):
    """One row of 24 is refused under a code that no page lists; the others are paid, and it is failed or,
    where its words speak of something that may have been taken, unknown or a person's.
    """
    refused = Says(envelope("2002", words), booked=False)
    answers = lambda sent, _: refused if sent["tradeNo"] == "T7" else HONEST  # noqa: E731
    async with Bookkeeper(answers, unknown_order=way) as platform, aiohttp_client_of(platform) as client:
        began = now()
        report = await client.batch_payout(payouts(24), concurrency=8)
        assert now() - began <= 3 * 60 + 60
        entry = await client.ledger.get(MERCHANT_NO, "T7")
    assert report.stopped is None
    assert report.counts[ItemStatus.PROCESSING] == 23
    assert sorted(platform.bookings) == sorted(f"T{number}" for number in range(24) if number != 7)
    lowered = words.lower()
    if any(word in lowered for word in ASKS):
        assert entry.state is State.REVIEW
    elif any(word in lowered for word in WAITS):
        assert entry.state in ((State.NEW, State.SENDING) if way == "null" else (State.SENDING,))
    else:
        assert entry.state is State.FAILED


@virtual_time
async def test_505_as_a_status_is_unknown_until_the_user_says_what_it_means():
    """It has not the form of a code, so it ends nothing; listed as a refusal it ends the payout, for the same entry."""
    odd = Says(envelope("0000", data={"status": "505", "desc": "HTTP Version Not Supported"}))
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with Bookkeeper(odd, status="505") as platform:
        async with aiohttp_client_of(platform, ledger=ledger) as client:
            with pytest.raises(OutcomeUnknownError, match="505"):
                await client.payout(**fields())
        async with aiohttp_client_of(platform, ledger=ledger, codes=Codes(refused={"505"})) as client:
            assert (await client.payout(**fields())).status is PayoutStatus.FAILED
    assert platform.kinds().count("payout") == 1
