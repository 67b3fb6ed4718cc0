"""A number that a source gives twice is one payout: paid once, and counted once."""

import logging
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async import ItemStatus
from paypro_async.batch.numbers import Numbers, SameNumber
from tests.support.merchant import (
    aiohttp_client_of,
    bookings,
    client_of,
    fields,
    payout,
    scripted_client,
    virtual_sandbox,
)
from tests.support.scripted import LOST, PAID, PROCESSING, Scripted
from tests.support.virtual_time import virtual_time


@pytest.mark.parametrize("concurrency", [1, 20])
@virtual_time
async def test_a_number_that_comes_again_is_in_no_count_and_no_sum(concurrency: int):
    """The report says what was paid: 600 and not 900; each item is given back, the later one marked."""
    rows = [fields("T1"), fields("T2"), fields("T1")]
    async with virtual_sandbox(deduplicate=False) as sandbox, client_of(sandbox) as client:
        batch = client.batch_payout(rows, concurrency=concurrency)
        items = sorted([item async for item in batch], key=lambda item: item.position)
    assert sorted(bookings(sandbox)) == ["T1", "T2"]
    assert batch.report.amounts == {ItemStatus.PROCESSING: Decimal(600)}
    assert (batch.report.total, batch.report.accepted, batch.report.repeated) == (2, 2, 1)
    assert batch.report.ok
    assert sorted(item.repeats for item in items if item.repeats is not None) in ([0], [2])
    assert {item.result.trade_no for item in items if item.result} == {"T1", "T2"}


@virtual_time
async def test_a_number_that_comes_many_times_is_said_once(caplog: pytest.LogCaptureFixture):
    """In the log, with the number and both positions."""
    async with scripted_client(Scripted()) as client:
        report = await client.batch_payout([fields("T1")] * 50 + [fields("T2")] * 50, concurrency=1)
    assert (report.total, report.repeated) == (2, 98)
    assert [one.getMessage() for one in caplog.records if "twice" in one.getMessage()] == [
        next(one.getMessage() for one in caplog.records if "T1 twice, at positions 0 and 1" in one.getMessage())
    ]


@pytest.mark.parametrize("reply", [PAID, PROCESSING, LOST])
@virtual_time
async def test_a_second_run_counts_as_the_first_one(reply: Any):
    """Also when all of it was known before, whatever came of it."""
    rows = [fields("T1"), fields("T1"), fields("T2", amount="100")]
    async with scripted_client(Scripted(reply), timeout=5) as client:
        for _ in range(2):
            report = await client.batch_payout(rows, timeout=5)
            assert sum(report.amounts.values()) == Decimal(400)
            assert (report.total, report.repeated) == (2, 1)


@virtual_time
async def test_a_number_with_another_content_is_a_conflict_and_not_a_repetition():
    """Which of the two was paid does not matter: that one counts as paid, and the other one as what it is."""
    rows = [fields("T1", amount="300"), fields("T1", amount="500"), fields("T1", amount="300")]
    async with scripted_client(Scripted()) as client:
        report = await client.batch_payout(rows, concurrency=1)
    assert report.counts == {ItemStatus.PROCESSING: 1, ItemStatus.CONFLICT: 1}
    assert report.amounts == {ItemStatus.PROCESSING: Decimal(300), ItemStatus.CONFLICT: Decimal(500)}
    assert report.repeated == 1


@virtual_time
async def test_a_wrong_payout_under_the_number_of_a_right_one_is_invalid():
    """It is no payout, so it repeats none, and the right one counts."""
    rows = [fields("T1", mobile="1"), fields("T1"), fields("T1", mobile="1")]
    async with scripted_client(Scripted()) as client:
        report = await client.batch_payout(rows, concurrency=1)
    assert report.counts == {ItemStatus.INVALID: 2, ItemStatus.PROCESSING: 1}
    assert report.repeated == 0


@given(st.lists(st.tuples(st.sampled_from(["T1", "T2", "t1"]), st.sampled_from(["100", "200"])), max_size=12))
@virtual_time
async def test_the_report_is_what_was_booked(given_rows: list[tuple[str, str]]):
    """However often each number comes, and with whatever amounts, in whatever order."""
    async with virtual_sandbox(deduplicate=False) as sandbox, client_of(sandbox) as client:
        report = await client.batch_payout([fields(number, amount=amount) for number, amount in given_rows])
        booked = sum((order.amount for order in sandbox.books.orders.values()), Decimal(0))
        assert len(sandbox.books.bookings) == len({number for number, _ in given_rows})
    assert report.amounts.get(ItemStatus.PROCESSING, Decimal(0)) == booked
    assert report.total + report.repeated == len(given_rows)


@pytest.mark.parametrize(
    ("one", "other"), [("inv-1", "INV-1"), ("000123", "123"), ("1E5", "100000"), ("A-007", "a-7"), ("5e2", "500")]
)
@virtual_time
async def test_numbers_that_look_alike_are_two_payouts_and_are_said_once(
    one: str, other: str, caplog: pytest.LogCaptureFixture
):
    """A platform that folds case may take them for one."""
    transport = Scripted()
    with caplog.at_level(logging.WARNING, "paypro_async"):
        async with scripted_client(transport) as client:
            report = await client.batch_payout([payout(one), payout(other), payout("X"), payout("x")], concurrency=1)
    assert (report.total, report.repeated, len(transport.payouts)) == (4, 0, 4)
    (said,) = [one.getMessage() for one in caplog.records]
    assert f"the trade numbers {one} and {other}" in said


def test_numbers_are_found_again_among_many():
    """Equal ones before those that look alike; and nothing of them stays."""
    numbers = Numbers(batch_id="b")
    assert [numbers.add(one, at) for at, one in enumerate(["a", "A", "b", "A", "a", "0a"])] == [
        None,
        SameNumber("a", 0, exact=False),
        None,
        SameNumber("A", 1, exact=True),
        SameNumber("a", 0, exact=True),
        None,
    ]
    numbers.close()
    assert numbers.add("a", 0) is None
    numbers.close()


@virtual_time
async def test_a_full_disk_keeps_no_payout_from_its_end(caplog: pytest.LogCaptureFixture, monkeypatch: Any):
    """Numbers that find no room any more are told of once; each is still paid once, by the ledger."""
    found = Numbers.add

    def full(self: Numbers, trade_no: str, position: int) -> SameNumber | None:
        same = found(self, trade_no, position)
        self._database.execute("PRAGMA max_page_count = 3")
        return same

    monkeypatch.setattr(Numbers, "add", full)
    async with virtual_sandbox(deduplicate=False) as sandbox, aiohttp_client_of(sandbox) as client:
        numbers = [f"T{'0' * 50}{number}" for number in range(100)]
        report = await client.batch_payout([fields(one) for one in [*numbers, numbers[0]]])
    assert sorted(bookings(sandbox)) == sorted(numbers)
    assert report.ok
    told = [one.getMessage() for one in caplog.records if "cannot tell any more" in one.getMessage()]
    assert len(told) == 1
    assert "disk is full" in told[0]
