"""The payouts of a batch, page by page, in every durable ledger."""

import pytest
from attrs import evolve

from paypro_async.ledger import BatchRecord
from paypro_async.ledger.admin.batch_rows import batch_records, find_batch
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, intent


@pytest.fixture
async def ledger(database_url: str):
    """Two batches; the second has claimed 30 payouts against the order of their numbers, some for the same row."""
    ledger = SqlLedger(database_url)
    await ledger.open(ACCOUNT)
    for batch_id, source in (("B1", "/data/october.csv"), ("B2", "november.csv")):
        await ledger.record_batch(BatchRecord(merchant_no=MERCHANT, batch_id=batch_id, source=source, total=40))
    await ledger.claim(evolve(intent("other"), batch_id="B1", position=0))
    for number in range(30):
        await ledger.claim(evolve(intent(f"T{number:02}"), batch_id="B2", position=(29 - number) // 2))
    yield ledger
    await ledger.aclose()


async def test_every_payout_of_a_batch_comes_once_in_the_order_of_its_source(ledger, monkeypatch):
    """Also where a page ends between two payouts that were claimed for the same row by two runs."""
    whole = [record async for record in batch_records(ledger, MERCHANT, "B2")]
    assert [record.position for record in whole] == [number // 2 for number in range(30)]
    assert len({record.trade_no for record in whole}) == 30
    for size in (1, 3, 30):
        monkeypatch.setattr("paypro_async.ledger.admin.batch_rows.PAGE", size)
        assert [record async for record in batch_records(ledger, MERCHANT, "B2")] == whole
    assert [record async for record in batch_records(ledger, MERCHANT, "nothing")] == []


@pytest.mark.parametrize(
    ("name", "found"),
    [("B1", "B1"), ("october.csv", "B1"), ("/data/october.csv", "B1"), ("november.csv", "B2"), ("x", None)],
)
async def test_a_batch_is_found_by_its_name_or_by_its_source(ledger, name, found):
    """And by the name of the file alone."""
    batch = await find_batch(ledger, MERCHANT, name)
    assert (batch and batch.batch_id) == found


async def test_the_latest_batch_is_found_without_a_name(ledger):
    """With how many payouts it has claimed."""
    await ledger.record_batch(BatchRecord(merchant_no=MERCHANT, batch_id="B3"))
    batch = await find_batch(ledger, MERCHANT)
    assert batch.batch_id == "B3"
    assert batch.claimed == 0
    assert await find_batch(ledger, "nobody") is None
