"""The tables of a ledger and the database's own clock."""

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from paypro_async._core.lifecycle import FINAL

__all__ = ["SCHEMA_VERSION", "account", "clock", "event", "meta", "metadata", "payout"]

SCHEMA_VERSION = 1

metadata: MetaData = MetaData()

meta: Table = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False))

account: Table = Table(
    "account",
    metadata,
    Column("merchant_no", String, primary_key=True),
    Column("environment", String, nullable=False),
)

# Times are seconds since 1970 UTC on the database's clock; amounts are text, since no binary number holds them.
payout: Table = Table(
    "payout",
    metadata,
    Column("merchant_no", String, nullable=False),
    Column("trade_no", String, nullable=False),
    Column("region", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("amount", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("content", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("sent_at", Double, nullable=False),
    Column("doubt", Boolean, nullable=False),
    Column("reply", String),
    Column("code", String),
    Column("message", String),
    Column("platform_trade_no", String),
    Column("utr", String),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    PrimaryKeyConstraint("merchant_no", "trade_no"),
)

_is_open = payout.c.state.not_in(sorted(state.value for state in FINAL))
Index("payout_open", payout.c.merchant_no, payout.c.trade_no, sqlite_where=_is_open, postgresql_where=_is_open)
Index("payout_content", payout.c.merchant_no, payout.c.fingerprint)

# Append-only: what happened to a payout, in order, with its cause.
event: Table = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("merchant_no", String, nullable=False),
    Column("trade_no", String, nullable=False),
    Column("at", Double, nullable=False),
    Column("from_state", String),
    Column("to_state", String, nullable=False),
    Column("cause", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("code", String),
    Index("event_payout", "merchant_no", "trade_no"),
)


class clock(FunctionElement[float]):  # noqa: N801  it reads as an SQL function
    """Seconds since 1970 UTC, on the database's clock: no process' own clock decides how old an attempt is."""

    type: Any = Double()
    inherit_cache: bool | None = True


@compiles(clock, "sqlite")
def _sqlite_clock(_element: clock, _compiler: Any, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"
