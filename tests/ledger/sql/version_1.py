"""An SQLite ledger as the first version of the schema made it, with a payout that is paid and one that is unknown."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from attrs import evolve

from paypro_async._core.lifecycle import State, first_entry
from paypro_async.ledger.sql.encryption.values import PlainText
from paypro_async.ledger.sql.rows import FIXED, MUTABLE, fixed, mutable
from paypro_async.runtime import SystemRuntime
from tests.support.intents import MERCHANT, intent

_TABLES = """
CREATE TABLE meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL, PRIMARY KEY (key));
CREATE TABLE account (merchant_no VARCHAR NOT NULL, environment VARCHAR NOT NULL, PRIMARY KEY (merchant_no));
CREATE TABLE payout (
    merchant_no VARCHAR NOT NULL, trade_no VARCHAR NOT NULL, region VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL,
    amount VARCHAR NOT NULL, currency VARCHAR NOT NULL, content TEXT NOT NULL, state VARCHAR NOT NULL,
    attempt INTEGER NOT NULL, sent_at DOUBLE NOT NULL, doubt BOOLEAN NOT NULL, reply VARCHAR, code VARCHAR,
    message VARCHAR, platform_trade_no VARCHAR, utr VARCHAR, created_at DOUBLE NOT NULL, updated_at DOUBLE NOT NULL,
    PRIMARY KEY (merchant_no, trade_no)
);
CREATE INDEX payout_content ON payout (merchant_no, fingerprint);
CREATE INDEX payout_open ON payout (merchant_no, trade_no) WHERE (state NOT IN ('failed', 'reversed', 'succeeded'));
CREATE TABLE event (
    id INTEGER NOT NULL, merchant_no VARCHAR NOT NULL, trade_no VARCHAR NOT NULL, at DOUBLE NOT NULL,
    from_state VARCHAR, to_state VARCHAR NOT NULL, cause VARCHAR NOT NULL, attempt INTEGER NOT NULL, code VARCHAR,
    PRIMARY KEY (id)
);
CREATE INDEX event_payout ON event (merchant_no, trade_no);
INSERT INTO meta VALUES ('schema_version', '1');
"""
_ADDED = ("batch_id", "position", "phase", "owner", "sent_boot", "sent_steady", "payment_key", "settle_after", "resend")


def make_version_1(path: Path, *, remark: str) -> None:
    """``OLD`` was paid; ``T1`` was announced ten minutes ago, and nobody knows what became of it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode=WAL")
        file.executescript(_TABLES)
        file.execute("INSERT INTO account VALUES (?, 'sandbox.example')", (MERCHANT,))
        for number, state in (("OLD", State.SUCCEEDED), ("T1", State.SENDING)):
            entry = evolve(first_entry(intent(number, remark=remark), SystemRuntime().now()), state=state)
            values = (*fixed(entry, PlainText()), *mutable(entry, (None, None, None)))
            row = {column.name: value for column, value in zip((*FIXED, *MUTABLE), values, strict=True)}
            row["sent_at"] = time.time() - 600
            row = {name: value for name, value in row.items() if name not in _ADDED}
            columns, places = ", ".join(row), ", ".join("?" * len(row))
            file.execute(f"INSERT INTO payout ({columns}) VALUES ({places})", tuple(row.values()))  # noqa: S608  the names are ours
            event = (MERCHANT, number, time.time() - 600, None, "sending", "attempt", 1, None)
            file.execute(f"INSERT INTO event VALUES (NULL, {', '.join('?' * len(event))})", event)  # noqa: S608  the names are ours
