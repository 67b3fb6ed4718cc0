"""Between entries and rows: no column is forgotten."""

import json
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from attrs import evolve, fields

from paypro_async._core.lifecycle import Cause, Entry, Event, Reply, State, first_entry
from paypro_async._core.payment_key import payment_key
from paypro_async._core.wire import Phase
from paypro_async.ledger.sql import rows
from paypro_async.ledger.sql.encryption.values import PlainText
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.schema import event, payout
from tests.support.intents import MERCHANT, change, intent

NOW = datetime(2026, 11, 26, tzinfo=UTC)
STAMP = ("host:1:2", "boot", 1.0)
TOLD: dict[str, Any] = {
    "phase": Phase.ANSWERED,
    "reply": Reply.DUPLICATE,
    "code": "1",
    "message": "m",
    "platform_trade_no": "P",
    "utr": "U",
}
FULL = evolve(first_entry(evolve(intent(), batch_id="B1", position=7, settle_after=60.0), NOW), **TOLD)


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    return value.value if isinstance(value, Enum) else value


def test_every_column_is_written_once():
    """With the claim and never again, or with each change."""
    assert {*rows.FIXED, *rows.MUTABLE} == set(payout.c)
    assert len(rows.FIXED) + len(rows.MUTABLE) == len(payout.c)
    assert {column.name for column in rows.EVENT} == {column.name for column in event.c} - {"id"}


def test_the_values_of_a_row_stand_in_the_order_of_its_columns():
    """Each is that of the field of the same name; what has none of that name is told apart by its value."""
    own = {"amount": "300", "content": json.dumps(dict(FULL.content), separators=(",", ":"))}
    own |= dict(zip(("owner", "sent_boot", "sent_steady"), STAMP, strict=True))
    own |= {"payment_key": payment_key(FULL.region, FULL.content)}
    values = (*rows.fixed(FULL, PlainText()), *rows.mutable(FULL, STAMP))
    for column, value in zip((*rows.FIXED, *rows.MUTABLE), values, strict=True):
        assert value == (own[column.name] if column.name in own else plain(getattr(FULL, column.name))), column.name
    assert rows.MUTABLE[: len(rows.SEEN)] == rows.SEEN


def test_the_values_of_a_step_stand_in_the_order_of_its_columns():
    """Those of the payout that it belongs to, and its own."""
    step = Event(
        at=NOW,
        before=State.NEW,
        to=State.SENDING,
        cause=Cause.PERSON,
        attempt=3,
        phase=Phase.ANSWERED,
        code="1",
        by="somebody",
        note="why",
    )
    own = {"merchant_no": FULL.merchant_no, "trade_no": FULL.trade_no, "from_state": "new", "to_state": "sending"}
    own |= {"person": "somebody"}
    for column, value in zip(rows.EVENT, rows.event_row(FULL, step), strict=True):
        assert value == (own[column.name] if column.name in own else plain(getattr(step, column.name))), column.name


def test_every_field_of_an_entry_has_a_column():
    """But for its age, which is read off a clock."""
    names = {one.name for one in fields(Entry)}
    assert names - {"age"} <= {column.name for column in payout.c}


async def test_an_entry_comes_back_as_it_was_written(durable: SqlLedger):
    """Each field, after a change that sets all that a change can set."""
    claimed = await durable.claim(
        evolve(intent(amount="0.01"), batch_id="B1", position=7, settle_after=60.0, resend=False)
    )
    moved = await durable.move(change(claimed.entry.state, **TOLD, doubt=True))
    found = await durable.get(MERCHANT, "T1")
    assert found is not None
    assert evolve(found, age=0.0) == evolve(moved.entry, age=0.0)
    missing = [one.name for one in fields(Entry) if getattr(found, one.name) in (None, "")]
    assert not missing
