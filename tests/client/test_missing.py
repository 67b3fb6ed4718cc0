"""An order that the platform accepted and then does not know: shown, not ok, and in the end a person's."""

from contextlib import suppress
from datetime import timedelta

import pytest

from paypro_async import (
    Codes,
    ItemStatus,
    OrderMissingError,
    OutcomeUnknownError,
    PayoutStatus,
    ReviewRequiredError,
    State,
)
from tests.support.bookkeeper import Bookkeeper, Says, envelope
from tests.support.merchant import MERCHANT_NO, bookings, client_of, fields, virtual_sandbox
from tests.support.virtual_time import freeze, now, virtual_time

WAYS = ["null", "empty", "code", "refusal"]
CODES = Codes(no_such_order={"0100025", "1001"})
VANISHES = fields(remark="sandbox:vanish")


async def state(client) -> State:
    return (await client.ledger.get(MERCHANT_NO, "T1")).state


@pytest.mark.parametrize("way", WAYS)
@virtual_time
async def test_a_payout_that_vanished_is_an_error_and_then_a_persons(way: str):
    """Within the settle window it is missing, as often as it is asked about; past it, twice, it is a person's; it is
    never sent a second time, and each error says that money may have moved.
    """
    async with (
        virtual_sandbox(unknown_order=way, deduplicate=False) as sandbox,
        client_of(sandbox, codes=CODES) as client,
    ):
        assert (await client.payout(**VANISHES)).status is PayoutStatus.PROCESSING
        for _ in range(3):
            with pytest.raises(OrderMissingError, match=r"had accepted payout T1.*Money may have moved") as caught:
                await client.payout(**VANISHES)
            assert await state(client) is State.MISSING
        assert (await client.query("T1")).status is None
        freeze(61)
        began = now()
        with pytest.raises(ReviewRequiredError, match="Money may have moved"):
            await client.payout(**VANISHES)
        assert now() - began < 10
        assert caught.value.trade_no == "T1"
        assert await state(client) is State.REVIEW
        with pytest.raises(ReviewRequiredError):
            await client.payout(**VANISHES)
        assert bookings(sandbox) == ["T1"]


@pytest.mark.parametrize("way", WAYS)
@virtual_time
async def test_a_reconciliation_counts_what_is_missing(way: str):
    """Missing and not ok; past the window a person's and not ok, today and tomorrow."""
    async with virtual_sandbox(unknown_order=way) as sandbox, client_of(sandbox, codes=CODES) as client:
        await client.payout(**VANISHES)
        await client.payout(**fields("T2"))
        young = await client.reconcile()
        assert (young.missing, young.still_unknown, young.review, young.ok) == (1, 0, 0, False)
        assert young.changed == {(State.PROCESSING, State.MISSING): 1}
        freeze(61)
        old = await client.reconcile()
        assert (old.missing, old.review, old.ok) == (0, 1, False)
        assert old.changed == {(State.MISSING, State.REVIEW): 1}
        tomorrow = await client.reconcile()
        assert (tomorrow.review, tomorrow.ok) == (1, False)
        assert [event.to for event in await client.ledger.history(MERCHANT_NO, "T1")] == [
            State.SENDING,
            State.PROCESSING,
            State.MISSING,
            State.REVIEW,
        ]


@virtual_time
async def test_a_first_look_past_the_window_tells_that_it_is_missing():
    """A later reconciliation, which asks twice, some time apart, makes it a person's; each has something to say."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        await client.payout(**VANISHES)
        freeze(3600)
        report = await client.reconcile()
        assert (report.review, report.missing, report.ok) == (0, 1, False)
        assert report.changed == {(ItemStatus.PROCESSING, ItemStatus.MISSING): 1}
        report = await client.reconcile()
        assert (report.review, report.missing, report.ok) == (1, 0, False)
        assert report.changed == {(ItemStatus.MISSING, ItemStatus.REVIEW): 1}
        assert report.elapsed >= 2
        assert not (await client.reconcile(older_than=86_400)).ok


@pytest.mark.parametrize(
    ("status", "ends"), [("0015", State.PROCESSING), ("0000", State.SUCCEEDED), ("00029", State.FAILED)]
)
@pytest.mark.parametrize("by", ["payout", "query", "reconcile", "batch"])
@virtual_time
async def test_a_missing_order_that_is_seen_again_goes_on(status: str, ends: State, by: str):
    """Whoever asks: what the platform shows then is what counts."""
    async with Bookkeeper() as platform, client_of(platform) as client:
        await client.payout(**fields())
        order = platform.orders.pop("T1")
        with pytest.raises(OrderMissingError):
            await client.payout(**fields())
        platform.orders["T1"] = order | {"status": status}
        if by == "payout":
            await client.payout(**fields())
        elif by == "query":
            await client.query("T1")
        elif by == "reconcile":
            assert (await client.reconcile()).missing == 0
        else:
            await client.batch_payout([fields()])
        assert await state(client) is ends
    assert platform.bookings == ["T1"]


@virtual_time
async def test_one_absence_between_two_sights_ends_nothing():
    """A replica that lags now and then: two absences must come one after the other."""
    hidden = [False]
    gone = Says(envelope("0000"))
    async with Bookkeeper(queries=lambda *_: gone if hidden[0] else None) as platform, client_of(platform) as client:
        await client.payout(**fields())
        freeze(100)
        for _ in range(5):
            hidden[0] = True
            await client.query("T1")
            assert await state(client) is State.MISSING
            hidden[0] = False
            await client.query("T1")
            assert await state(client) is State.PROCESSING


@virtual_time
async def test_a_batch_counts_what_is_missing():
    """With ``refresh=True`` it finds out; later it is not forgotten: neither is ok, and nothing is sent."""
    rows = [fields(f"T{number}", remark="sandbox:vanish" if number < 3 else None) for number in range(10)]
    async with virtual_sandbox(deduplicate=False) as sandbox, client_of(sandbox) as client:
        assert (await client.batch_payout(rows)).ok
        fresh = await client.batch_payout(rows, refresh=True)
        assert (fresh.counts, fresh.ok) == ({ItemStatus.MISSING: 3, ItemStatus.PROCESSING: 7}, False)
        again = await client.batch_payout(rows)
        assert (again.counts, again.ok) == ({ItemStatus.MISSING: 3, ItemStatus.PROCESSING: 7}, False)
        freeze(61)
        late = await client.batch_payout(rows, refresh=True)
        assert (late.counts, late.ok) == ({ItemStatus.REVIEW: 3, ItemStatus.PROCESSING: 7}, False)
        assert len(bookings(sandbox)) == 10


@pytest.mark.parametrize(
    "answer",
    [
        Says(b"", 502),
        Says(envelope("9999", "System busy")),
        Says(envelope("0000", data={"status": "PENDING"})),
        Says(envelope("7001", "no permission")),
    ],
)
@pytest.mark.parametrize("paid", ["processing", "unknown", "refused"])
@virtual_time
async def test_what_the_platform_does_not_answer_for_is_not_ok(answer: Says, paid: str):
    """Whether it was accepted, lost or refused before."""
    says = {"processing": None, "unknown": Says(b"", 502), "refused": Says(envelope("00029"))}[paid]
    closed = [False]
    queries = lambda *_: answer if closed[0] else None  # noqa: E731
    async with Bookkeeper(says or Says(), queries=queries) as platform, client_of(platform) as client:
        closed[0] = paid == "unknown"
        with suppress(OutcomeUnknownError):
            await client.payout(**fields(), timeout=5)
        closed[0] = True
        before = await state(client)
        report = await client.reconcile()
        assert (report.unanswered, report.ok) == (1, False)
        assert await state(client) is before


@pytest.mark.parametrize(("after", "overdue"), [(timedelta(hours=23), 0), (timedelta(hours=25), 1)])
@virtual_time
async def test_processing_for_longer_than_a_day_wants_attention(after: timedelta, overdue: int):
    """A payout that the platform takes its time with is not ok for ever; how long is for the user to say."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        await client.payout(**fields())
        freeze(after.total_seconds())
        report = await client.reconcile()
        assert (report.overdue, report.ok) == (overdue, not overdue)
        patient = await client.reconcile(overdue_after=timedelta(days=2))
        assert (patient.overdue, patient.ok) == (0, True)
        hasty = await client.reconcile(overdue_after=timedelta(minutes=1))
        assert (hasty.overdue, hasty.ok) == (1, False)
        sandbox.books.set_status("T1", "0000")
        assert (await client.reconcile()).ok


@pytest.mark.parametrize("way", ["code", "refusal"])
@virtual_time
async def test_where_nobody_has_named_the_code_of_unknown_orders_it_is_not_ok(way: str):
    """The platform's refusal of the question may mean anything, so the payout stays processing, and is unanswered."""
    async with virtual_sandbox(unknown_order=way) as sandbox, client_of(sandbox) as client:
        await client.payout(**VANISHES)
        for _ in range(3):
            freeze(100)
            report = await client.reconcile()
            assert (report.unanswered, report.ok) == (1, False)
            assert await state(client) is State.PROCESSING
