"""A test decides what becomes of payouts, no minute is waited for, and the books show what was paid."""

import asyncio
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import get_args

import pytest

from paypro_async import (
    CallbackReply,
    ItemStatus,
    OutcomeUnknownError,
    PayoutResult,
    PayoutStatus,
    PayProClient,
)
from paypro_async.testing import FakePayPro, Outcome
from paypro_async.testing.courses import COURSES
from tests.support.valid import PAYEE

PROMPT = 5.0  # seconds of real time, where the settle window alone is 60


@pytest.fixture
def paypro() -> Iterator[FakePayPro]:
    with FakePayPro() as paypro:
        yield paypro


async def pay(client: PayProClient, trade_no: str = "T1") -> PayoutResult:
    return await client.payout({"trade_no": trade_no, **PAYEE})


def test_each_outcome_has_its_course() -> None:
    """Neither a word without a course nor a course without a word."""
    assert tuple(COURSES) == get_args(Outcome)


@pytest.mark.parametrize("outcome", ["paid", "reply_lost", "request_lost", "booked_late"])
async def test_what_arrives_in_the_end_is_paid_once(paypro: FakePayPro, outcome: Outcome) -> None:
    """Whatever was lost on the way, at its first try; the settle window is not waited for."""
    began = time.monotonic()
    paypro.decide("T1", outcome)
    async with paypro.client(timeout=300) as client:
        result = await pay(client)
        assert result.status is PayoutStatus.SUCCEEDED
    assert time.monotonic() - began < PROMPT
    paypro.assert_paid_once("T1")
    sent = [one for one in paypro.requests if one.path.endswith("/payout")]
    assert len(sent) == (2 if outcome == "request_lost" else 1)


@pytest.mark.parametrize(("outcome", "booked"), [("failed", 1), ("refused", 0)])
async def test_what_fails_says_its_code(paypro: FakePayPro, outcome: Outcome, booked: int) -> None:
    """The caller sees the platform's code and words; the money is where it was."""
    before = paypro.balance
    paypro.decide("T1", outcome, code="0100019", message="Enough for today")
    async with paypro.client() as client:
        result = await pay(client)
    assert (result.status, result.code) == (PayoutStatus.FAILED, "0100019")
    assert len(paypro.bookings) == booked
    assert paypro.balance == before
    paypro.assert_not_paid("T1")


async def test_what_is_unknown_is_paid_once_all_the_same(paypro: FakePayPro) -> None:
    """The caller gets no answer while none comes; then a question finds what there is, and nothing is sent again."""
    began = time.monotonic()
    paypro.decide("T1", "unknown")
    async with paypro.client() as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            await pay(client)
        assert caught.value.money_may_have_moved
        paypro.answer("T1")
        assert (await pay(client)).status is PayoutStatus.SUCCEEDED
    assert time.monotonic() - began < PROMPT
    paypro.assert_paid_once("T1")


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        ("paid_later", ["processing", "succeeded", "succeeded"]),
        ("failed_later", ["processing", "failed", "failed"]),
        ("processing", ["processing", "processing", "processing"]),
    ],
)
async def test_what_becomes_of_it_later_is_found_by_asking(
    paypro: FakePayPro, outcome: Outcome, statuses: list[str]
) -> None:
    """As soon as the clocks are put forward."""
    paypro.decide("T1", outcome)
    found = []
    async with paypro.client() as client:
        await pay(client)
        for seconds in (0, 3600, 3600):
            paypro.advance(seconds)
            found.append(str((await client.query("T1")).status))
    assert found == statuses


async def test_a_payout_is_reversed(paypro: FakePayPro) -> None:
    """Paid after an hour, and after two hours the money is back."""
    paypro.decide("T1", "reversed")
    async with paypro.client() as client:
        await pay(client)
        paypro.advance(3600)
        paypro.assert_paid_once("T1")
        assert (await client.query("T1")).status is PayoutStatus.SUCCEEDED
        paypro.advance(3600)
    paypro.assert_not_paid("T1")


async def test_what_is_booked_can_be_decided_again(paypro: FakePayPro) -> None:
    """It is what the next question hears."""
    async with paypro.client() as client:
        assert (await pay(client)).status is PayoutStatus.PROCESSING
        paypro.decide("T1", "failed", code="60030")
        assert (await client.query("T1")).status is PayoutStatus.FAILED
    with pytest.raises(ValueError, match="T1 is booked"):
        paypro.decide("T1", "reply_lost")


async def test_the_next_ones_are_decided_in_order(paypro: FakePayPro) -> None:
    """For code that makes its own numbers."""
    paypro.next("paid")
    paypro.next("refused")
    async with paypro.client() as client:
        results = [await pay(client, trade_no) for trade_no in ("A", "B", "C")]
    assert [one.status.value for one in results] == ["succeeded", "failed", "processing"]


async def test_many_at_one_time_do_not_make_each_other_late(paypro: FakePayPro) -> None:
    """Some wait for their settle window, and the others are sent meanwhile."""
    began = time.monotonic()
    numbers = [f"T{number}" for number in range(12)]
    for number, trade_no in enumerate(numbers):
        paypro.decide(trade_no, ("paid", "reply_lost", "request_lost")[number % 3])
    async with paypro.client(timeout=600) as client:
        results = await asyncio.gather(*(pay(client, trade_no) for trade_no in numbers))
    assert {one.status.value for one in results} == {"succeeded"}
    assert time.monotonic() - began < 4 * PROMPT
    paypro.assert_paid_once(*numbers)


async def test_a_callback_is_believed_and_a_forged_one_is_not(paypro: FakePayPro) -> None:
    """Its body is what the platform would post."""
    async with paypro.client() as client:
        await pay(client)
        paypro.decide("T1", "paid")
        forged: CallbackReply = await client.receive_callback(paypro.callback("T1", wrong_signature=True))
        assert forged.status != 200
        known = await client.get("T1")
        assert known is not None
        assert known.status is ItemStatus.PROCESSING
        assert (await client.receive_callback(paypro.callback("T1"))).body == b"OK"
        known = await client.get("T1")
        assert known is not None
        assert known.status is ItemStatus.SUCCEEDED


async def test_who_waits_hears_when_time_is_put_forward(paypro: FakePayPro) -> None:
    """The client asks, as it would an hour later."""
    began = time.monotonic()
    async with paypro.client() as client:
        await pay(client)
        waiting = asyncio.create_task(client.wait_until_final("T1", timeout=7200))
        await asyncio.sleep(0)
        paypro.advance(3600)
        assert (await waiting).status is PayoutStatus.SUCCEEDED
    assert time.monotonic() - began < PROMPT


async def test_the_assertions_tell_what_is_wrong(paypro: FakePayPro) -> None:
    """Of each payout, in words."""
    paypro.decide("P", "processing")
    paypro.decide("F", "failed")
    async with paypro.client() as client:
        await pay(client, "P")
        await pay(client, "F")
    with pytest.raises(AssertionError, match=r"P is not paid: 0015 .*; F is not paid: 00029 .*; N was never booked\."):
        paypro.assert_paid_once("P", "F", "N")
    with pytest.raises(AssertionError, match=r"^P took 300"):
        paypro.assert_not_paid()
    paypro.assert_not_paid("F", "N")


def test_a_payout_that_was_booked_twice_is_seen(paypro: FakePayPro) -> None:
    """Also if nobody named it."""
    paypro._sandbox.decide("T1", "paid")
    books = paypro._sandbox.books
    books._deduplicate = False

    async def twice() -> None:
        for _ in range(2):
            async with paypro.client() as client:  # each has forgotten what the other paid
                await pay(client)

    asyncio.run(twice())
    with pytest.raises(AssertionError, match="T1 was booked 2 times"):
        paypro.assert_paid_once()


def test_what_cannot_be_decided_is_refused(paypro: FakePayPro) -> None:
    """With the words that there are."""
    with pytest.raises(ValueError, match="'settled' is no outcome: it is one of paid, processing"):
        paypro.next("settled")  # type: ignore[arg-type]  # no word of the list
    with pytest.raises(ValueError, match="4 to 8 digits"):
        paypro.next("failed", code="no")
    with pytest.raises(ValueError, match="forward"):
        paypro.advance(-1)
    with pytest.raises(LookupError, match="No payout T9 is booked"):
        paypro.callback("T9")


def test_it_is_opened_once_and_read_when_it_is_closed() -> None:
    """And a URL is there while it is open alone."""
    paypro = FakePayPro(balance="10")
    with pytest.raises(RuntimeError, match="not open"):
        paypro.client()
    with paypro:
        with pytest.raises(RuntimeError, match="open already"):
            paypro.open()

        async def pay_too_much() -> PayoutResult:
            async with paypro.client() as client:
                return await pay(client)

        assert asyncio.run(pay_too_much()).code == "60019"
    assert paypro.orders == {}
    assert paypro.balance == Decimal(10)
    paypro.close()


async def test_it_is_an_asynchronous_context_manager_too() -> None:
    """For programs without pytest."""
    async with FakePayPro() as paypro:
        paypro.next("paid")
        async with paypro.client() as client:
            await pay(client)
        paypro.assert_paid_once("T1")
