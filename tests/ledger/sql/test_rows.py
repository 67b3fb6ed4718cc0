"""Between entries and rows: no column is forgotten."""

from datetime import UTC, datetime

from attrs import evolve, fields

from paypro_async._core.lifecycle import Entry, Reply, claim_of, first_entry
from paypro_async._core.wire import Phase
from paypro_async.ledger.sql import rows
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.schema import FIXED, event, payout
from tests.support.intents import MERCHANT, change, intent

NOW = datetime(2026, 11, 26, tzinfo=UTC)
STAMP = ("host:1:2", "boot", 1.0)


def test_every_column_is_written_once():
    """With the claim and never again, or with each change."""
    entry = first_entry(intent(), NOW)
    fixed, mutable = rows.fixed(entry), rows.mutable(entry, STAMP)
    assert set(fixed) == {column.name for column in payout.c if FIXED in column.info}
    assert set(mutable) == set(rows.MUTABLE)
    assert set(fixed) | set(mutable) == {column.name for column in payout.c}
    assert set(rows.event_row(entry, claim_of(entry))) == {column.name for column in event.c} - {"id"}


def test_every_field_of_an_entry_has_a_column():
    """But for its age, which is read off a clock."""
    names = {one.name for one in fields(Entry)}
    assert names - {"age"} <= {column.name for column in payout.c}


async def test_an_entry_comes_back_as_it_was_written(durable: SqlLedger):
    """Each field, after a change that sets all that a change can set."""
    claimed = await durable.claim(
        evolve(intent(amount="0.01"), batch_id="B1", position=7, settle_after=60.0, resend=False)
    )
    reply = change(
        claimed.entry.state,
        phase=Phase.ANSWERED,
        reply=Reply.DUPLICATE,
        code="1",
        message="m",
        platform_trade_no="P",
        utr="U",
        doubt=True,
    )
    moved = await durable.move(reply)
    found = await durable.get(MERCHANT, "T1")
    assert found is not None
    assert evolve(found, age=0.0) == evolve(moved.entry, age=0.0)
    missing = [one.name for one in fields(Entry) if getattr(found, one.name) in (None, "")]
    assert not missing
