"""The report of a batch tells of each payout, after the client is closed."""

import copy
import pickle
from decimal import Decimal
from typing import Any

import attrs
import pytest

from paypro_async import BatchReport, ItemStatus, ReportRow, RowsNotKeptError
from paypro_async.sandbox import Sandbox
from tests.support.merchant import PERSONAL, client_of, fields, scripted_client, virtual_sandbox
from tests.support.scripted import LOST, PAID, Scripted
from tests.support.virtual_time import virtual_time


async def paid(sandbox: Sandbox, rows: list[Any], **settings: Any) -> BatchReport:
    async with client_of(sandbox) as client:
        return await client.batch_payout(rows, **settings)


def seen(row: ReportRow) -> tuple[Any, ...]:
    return row.row, row.trade_no, row.status.value, row.amount


@virtual_time
async def test_every_payout_is_there_once_in_the_order_of_the_input():
    """Also the one that is not valid and so has no amount; the one that came twice is one payout."""
    rows = [fields("T1"), fields("T2", amount="12"), fields("T3", amount="1,5"), fields("T1"), fields("T4")]
    async with virtual_sandbox() as sandbox:
        report = await paid(sandbox, rows, concurrency=1)
    assert [*map(seen, report.items())] == [
        (1, "T1", "processing", Decimal(300)),
        (2, "T2", "processing", Decimal(12)),
        (3, "T3", "invalid", None),
        (5, "T4", "processing", Decimal(300)),
    ]
    assert len([*report.items()]) == report.total
    assert [seen(one)[:3] for one in report.failed] == [(3, "T3", "invalid")]
    assert [one.row for one in report.items(ItemStatus.PROCESSING)] == [1, 2, 5]
    assert report.unknown == []


@virtual_time
async def test_a_row_says_who_what_and_when():
    """As the ledger has it, and its repr masks the person."""
    async with virtual_sandbox() as sandbox:
        report = await paid(sandbox, [fields("T1"), fields("T2", amount="x")])
    first, wrong = report.items()
    for one in (first, wrong):
        assert (one.name, one.bank_number, one.currency) == (fields()["name"], fields()["bank_number"], "INR")
        assert not [value for value in PERSONAL if value in repr(one)]
    assert first.platform_trade_no
    assert (first.code, first.attempts) == ("0015", 1)
    assert first.begun_at is not None
    assert first.begun_at.utcoffset().total_seconds() == 0
    assert first.changed_at >= first.begun_at
    assert (wrong.code, wrong.begun_at, wrong.attempts) == ("InvalidPayoutError", None, 0)
    assert "AMOUNT_FORMAT" in wrong.message


@virtual_time
async def test_what_may_have_moved_is_unknown_and_what_certainly_did_not_is_failed():
    """Every payout is in one of the three: accepted, failed, unknown."""
    async with scripted_client(Scripted(LOST), timeout=5) as client:
        report = await client.batch_payout([fields("T1"), fields("T2", amount="x")], timeout=5)
    assert [one.trade_no for one in report.unknown] == ["T1"]
    assert [one.trade_no for one in report.failed] == ["T2"]
    assert "Money may have moved" in report.unknown[0].message
    assert report.accepted + len(report.failed) + len(report.unknown) == report.total


@virtual_time
async def test_what_is_waited_for_has_the_row_of_its_end():
    """And still says who was paid."""
    async with virtual_sandbox(paid_after=30) as sandbox:
        report = await paid(sandbox, [fields(f"T{number}") for number in range(5)], wait=True)
    rows = [*report.items()]
    assert {one.status for one in rows} == {ItemStatus.SUCCEEDED}
    assert {one.name for one in rows} == {fields()["name"]}
    assert all(one.utr for one in rows)
    assert all((one.changed_at - one.begun_at).total_seconds() >= 30 for one in rows)


@virtual_time
async def test_the_report_so_far_has_the_rows_so_far():
    """While the batch runs."""
    async with scripted_client(Scripted(PAID)) as client:
        batch = client.batch_payout([fields(f"T{number}") for number in range(5)], concurrency=1)
        async for item in batch:
            assert len([*batch.report.items()]) >= item.position + 1
    assert len([*batch.report.items()]) == 5


@virtual_time
async def test_a_report_is_pickled_and_copied_with_its_rows():
    """To another process, or into a cache."""
    async with scripted_client(Scripted(PAID)) as client:
        report = await client.batch_payout([fields("T1"), fields("T2", amount="x")])
    for other in (copy.copy(report), copy.deepcopy(report), pickle.loads(pickle.dumps(report))):  # noqa: S301  its own
        assert [*other.items()] == [*report.items()]
        assert other.counts == report.counts
    with pytest.raises(RowsNotKeptError, match="without its rows"):
        attrs.evolve(report, sent=0).items()


@virtual_time
async def test_the_plain_data_of_a_report_is_what_was_counted():
    """A hundred thousand rows belong into no answer of a web service."""
    async with scripted_client(Scripted(PAID)) as client:
        report = await client.batch_payout([fields("T1")])
    assert set(report.to_dict()) == {one.name for one in attrs.fields(BatchReport)} | set(BatchReport.also_told)


@virtual_time
async def test_rows_that_cannot_be_kept_change_no_payout(monkeypatch: pytest.MonkeyPatch):
    """The batch pays all and counts right; the error comes to who asks for rows."""
    monkeypatch.setattr("paypro_async.report.row_store._CREATE", "nonsense")
    async with scripted_client(Scripted(PAID)) as client:
        report = await client.batch_payout(fields(f"T{number}") for number in range(600))
    assert report.ok
    assert report.total == 600
    with pytest.raises(RowsNotKeptError, match="counts and sums of the report are right"):
        list(report.items())
