"""The tables of a ledger and the database's own clock."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    BigInteger,
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
    TextClause,
    func,
    literal_column,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from paypro_async._core.lifecycle import FINAL, Reply, State

__all__ = [
    "CLOCK",
    "IS_OPEN",
    "NOT_ASIDE",
    "account",
    "approval",
    "batch",
    "callback",
    "clock",
    "consumer",
    "delivery",
    "event",
    "meta",
    "metadata",
    "pace",
    "payout",
    "planned",
    "shard",
]

metadata: MetaData = MetaData()

# schema_version, ledger_id, server and tables (what PostgreSQL's is known by), forgetful_since (while it is restored).
meta: Table = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False))

account: Table = Table(
    "account",
    metadata,
    Column("merchant_no", String, primary_key=True),
    Column("environment", String, nullable=False),
    # What the platform answered when it was last asked about a number that was never used, and when that was.
    Column("control_code", String),
    Column("control_at", Double),
    # The trade number up to which the last reconciliation came that had not the time for all.
    Column("reconciled_to", String),
)

batch: Table = Table(
    "batch",
    metadata,
    Column("merchant_no", String, nullable=False),
    Column("batch_id", String, nullable=False),
    Column("source", String),
    Column("total", BigInteger),
    Column("created_at", Double, nullable=False),
    Column("ended_at", Double),
    # Of a batch that many workers pay: whether they may, why not, and what was imported. Else these are empty.
    Column("status", String),
    Column("why", String),
    Column("imported", BigInteger),
    Column("amount", String),
    Column("shard_size", Integer),
    Column("digest", String),
    Column("rate", Double),
    PrimaryKeyConstraint("merchant_no", "batch_id"),
)

# Payouts of a batch that many workers pay which none has begun yet; whoever begins one takes it from here.
planned: Table = Table(
    "planned",
    metadata,
    Column("merchant_no", String, nullable=False),
    Column("batch_id", String, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("trade_no", String, nullable=False),
    Column("region", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("amount", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("content", Text, nullable=False),
    Column("others", Integer),
    # Why it will not be begun, if it will not.
    Column("aside", String),
    PrimaryKeyConstraint("merchant_no", "batch_id", "position"),
)
NOT_ASIDE = func.coalesce(planned.c.aside, literal_column("''")) == literal_column("''")
"""As ``aside IS NULL``, for which a server that has not counted the table yet would take ``planned_number``: that has
no position, and all that is planned of the batch would be read for each shard and each claim."""
_is_aside = planned.c.aside.is_not(None)
Index(
    "planned_aside",
    planned.c.merchant_no,
    planned.c.batch_id,
    sqlite_where=_is_aside,
    postgresql_where=_is_aside,
)
# Of a number that a batch has twice the first payout alone is to be begun. Found out page by page as it is imported: to
# look through a batch of millions at its end would take longer than a transaction may.
_is_first = planned.c.aside.is_(None)
Index(
    "planned_number",
    planned.c.merchant_no,
    planned.c.batch_id,
    planned.c.trade_no,
    unique=True,
    sqlite_where=_is_first,
    postgresql_where=_is_first,
)

# The ranges of such a batch, from *low* to before *high*, that are given to workers.
shard: Table = Table(
    "shard",
    metadata,
    Column("merchant_no", String, nullable=False),
    Column("batch_id", String, nullable=False),
    Column("low", BigInteger, nullable=False),
    Column("high", BigInteger, nullable=False),
    Column("amount", String, nullable=False),
    # When a worker was last at it, and when one last left it with nothing open.
    Column("worked_at", Double),
    Column("ended_at", Double),
    PrimaryKeyConstraint("merchant_no", "batch_id", "low"),
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
    Column("batch_id", String),
    Column("position", BigInteger),
    Column("phase", String),
    # Who announced the last attempt: machine, process and a number of its own for each announcement.
    Column("owner", String),
    # When that was on the machine's steady clock, and which start of the machine that clock counts from (SQLite only).
    Column("sent_boot", String),
    Column("sent_steady", Double),
    # Who is paid how much: what tells an edited row from another payout. Rows of one key may be wanted, as wages are.
    Column("payment_key", String),
    # Seconds after the last attempt within which "no such order" proves nothing; and whether the caller that claimed it
    # allows that it is sent again by itself. Both are empty in rows of releases that did not store them.
    Column("settle_after", Double),
    Column("resend", Boolean),
    PrimaryKeyConstraint("merchant_no", "trade_no"),
)

_final = ", ".join(f"'{state}'" for state in sorted(state.value for state in FINAL))
IS_OPEN: TextClause = text(f"state NOT IN ({_final})")
"""Whether a payout is not final; without values, or SQLite would not see that ``payout_open`` holds all of them."""
Index("payout_open", payout.c.merchant_no, payout.c.trade_no, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)
_is_refusal = (payout.c.state == State.FAILED.value) & (payout.c.reply == Reply.REFUSED.value)
Index("payout_refused", payout.c.merchant_no, payout.c.trade_no, sqlite_where=_is_refusal, postgresql_where=_is_refusal)
_is_decided = (payout.c.state == State.FAILED.value) & (payout.c.reply == Reply.DECIDED.value)
Index("payout_decided", payout.c.merchant_no, payout.c.trade_no, sqlite_where=_is_decided, postgresql_where=_is_decided)
# Without the merchant: a server that counted the table while it was empty would look for one payout in all of it.
Index("payout_payment", payout.c.payment_key)
# One order of the platform belongs to one payout: a number that comes back for a second one came with another's reply.
# Rows of older releases are left out, for which nothing made sure of that.
_has_number = payout.c.platform_trade_no.is_not(None) & payout.c.settle_after.is_not(None)
Index(
    "payout_platform_no",
    payout.c.merchant_no,
    payout.c.platform_trade_no,
    unique=True,
    sqlite_where=_has_number,
    postgresql_where=_has_number,
)
_in_batch = payout.c.batch_id.is_not(None)
Index(
    "payout_batch",
    payout.c.merchant_no,
    payout.c.batch_id,
    payout.c.position,
    sqlite_where=_in_batch,
    postgresql_where=_in_batch,
)

# What of a batch is not paid yet, or not paid at all: as it drains, there is little to be counted.
_is_unpaid = _in_batch & (payout.c.state != State.SUCCEEDED.value)
Index(
    "payout_unpaid",
    payout.c.merchant_no,
    payout.c.batch_id,
    payout.c.position,
    sqlite_where=_is_unpaid,
    postgresql_where=_is_unpaid,
)

# Append-only: what happened to a payout, in order, with its cause.
event: Table = Table(
    "event",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("merchant_no", String, nullable=False),
    Column("trade_no", String, nullable=False),
    Column("at", Double, nullable=False),
    Column("from_state", String),
    Column("to_state", String, nullable=False),
    Column("cause", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("code", String),
    Column("phase", String),
    Column("person", String),
    Column("note", String),
    # Whether the payout stood as unsent and money may have moved all the same, before and after the step.
    Column("was_uncertain", Boolean),
    Column("uncertain", Boolean),
    Index("event_payout", "merchant_no", "trade_no"),
)

# Who listens to changes, and how far each has come: the number of the last step of history that was looked at, and the
# numbers below it that are not there yet, since PostgreSQL commits its numbers in no order (a JSON object).
consumer: Table = Table(
    "consumer",
    metadata,
    Column("merchant_no", String, nullable=False),
    Column("name", String, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("gaps", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    PrimaryKeyConstraint("merchant_no", "name"),
)

# Changes of a payout's public status that a consumer was not told yet. Of one payout only the first is due.
delivery: Table = Table(
    "delivery",
    metadata,
    Column("merchant_no", String, nullable=False),
    Column("consumer", String, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("trade_no", String, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", Double, nullable=False),
    # Which process tells it now; it is free again once due_at has passed.
    Column("owner", String),
    Column("parked_at", Double),
    Column("error", String),
    PrimaryKeyConstraint("merchant_no", "consumer", "event_id"),
    Index("delivery_payout", "merchant_no", "consumer", "trade_no", "event_id"),
    Index("delivery_due", "merchant_no", "consumer", "due_at"),
)

# Genuine callbacks that changed nothing since the ledger holds no such payout, or holds it as final otherwise.
callback: Table = Table(
    "callback",
    metadata,
    Column("merchant_no", String, nullable=False),
    Column("trade_no", String, nullable=False),
    Column("why", String, nullable=False),
    Column("status", String, nullable=False),
    Column("amount", String),
    Column("platform_trade_no", String),
    Column("first_at", Double, nullable=False),
    Column("last_at", Double, nullable=False),
    Column("count", Integer, nullable=False),
    PrimaryKeyConstraint("merchant_no", "trade_no", "why"),
)

# Who approved which plan of a file, and the signature of that.
approval: Table = Table(
    "approval",
    metadata,
    Column("merchant_no", String, nullable=False),
    Column("plan", String, nullable=False),
    Column("person", String, nullable=False),
    Column("approved_at", String, nullable=False),
    Column("signature", String, nullable=False),
    Column("batch_id", String, nullable=False),
    Column("stored_at", Double, nullable=False),
    PrimaryKeyConstraint("merchant_no", "plan", "person"),
    Index("approval_batch", "merchant_no", "batch_id"),
)

# The rate that all processes keep together: the time at which the next turn is free (GCRA).
pace: Table = Table(
    "pace", metadata, Column("name", String, primary_key=True), Column("free_at", Double, nullable=False)
)


CLOCK: Mapping[str, str] = MappingProxyType(
    {
        "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
        # Not now(): that is when the transaction began, which may have waited for a lock.
        "postgresql": "extract(epoch from clock_timestamp())::float8",
    }
)
"""What ``clock`` is in each database."""


class clock(FunctionElement[float]):  # noqa: N801  it reads as an SQL function
    """Seconds since 1970 UTC, on the database's clock: no process' own clock decides how old an attempt is."""

    type: Any = Double()
    inherit_cache: bool | None = True


@compiles(clock)
def _clock(_element: clock, compiler: Any, **_: Any) -> str:
    return CLOCK[compiler.dialect.name]
