"""Records: what stands in the rows, damaged or not."""

from pathlib import Path

import pytest
from attrs import asdict, fields

from paypro_async.ledger.admin.records import COLUMNS, Record, Which, find, page, records
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.schema import payout
from tests.support.intents import FIELDS, MERCHANT, intent
from tests.support.raw_sql import against_all_guards

INNER = {"payment_key", "settle_after", "resend", "fingerprint", "owner", "sent_boot", "sent_steady"}
"""Columns by which processes know each other and equal payouts. They tell a person nothing."""


def test_a_record_has_every_column_that_tells_something():
    """A column that is added to the table is either shown and exported or named here."""
    assert {one.name for one in fields(Record)} | INNER == {column.name for column in payout.c}
    assert {*COLUMNS, "content"} == {one.name for one in fields(Record)}


async def test_a_record_is_what_was_claimed(durable: SqlLedger):
    """Times as text with their zone, everything else as it was given."""
    await durable.claim(intent(amount="300.50"))
    [found] = await page(durable, Which(merchant_no=MERCHANT))

    shown = asdict(found)
    times = [shown.pop(name) for name in ("created_at", "sent_at", "updated_at")]
    content = shown.pop("content")
    assert all(time.endswith("+00:00") for time in times)
    assert {FIELDS["name"], FIELDS["bank_number"]} <= set(content.values())
    assert {name: value for name, value in shown.items() if value is not None} == {
        "merchant_no": MERCHANT,
        "trade_no": "T1",
        "state": "sending",
        "amount": "300.50",
        "currency": "INR",
        "region": "india",
        "attempt": 1,
        "doubt": False,
    }
    assert [one async for one in records(durable, Which(merchant_no=MERCHANT))] == [found]
    assert await find(durable, MERCHANT, ["T1", "T2", "T1"]) == [found]


@pytest.mark.parametrize(
    ("column", "stored", "shown"),
    [
        ("sent_at", "'soon'", "soon"),
        ("sent_at", "-1", "-1.0"),
        ("amount", "'a lot'", "a lot"),
        ("state", "'lost'", "lost"),
        ("content", "'[1]'", {}),
        ("content", "'{'", {}),
        ("content", """'{"name": "Asha Rao", "mobile": 1}'""", {"name": "Asha Rao"}),
    ],
)
async def test_a_damaged_row_is_shown_as_it_stands(
    durable: SqlLedger, path: Path, column: str, stored: str, shown: object
):
    """A person has to see it in order to mend it."""
    await durable.claim(intent())
    await against_all_guards(f"sqlite:///{path}", f"UPDATE payout SET {column} = {stored}")  # noqa: S608  ours
    [found] = await find(durable, MERCHANT, ["T1"])
    assert getattr(found, column) == shown
