"""From each version of the schema to the next: forward only, each in one transaction.

A new database gets the tables as they are now. An older one is altered step by step. Columns are only added, so that
what is stored stays as it was written.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import Connection, Table, bindparam, inspect, select
from sqlalchemy.schema import CreateColumn

from paypro_async._core.payment_key import payment_key
from paypro_async.ledger.sql.encryption.stored import is_encrypted
from paypro_async.ledger.sql.schema import (
    account,
    approval,
    batch,
    callback,
    consumer,
    delivery,
    event,
    meta,
    metadata,
    pace,
    payout,
    planned,
    shard,
)
from paypro_async.ledger.sql.triggers import triggers

__all__ = ["SCHEMA_VERSION", "make_triggers", "migrate", "schema_version"]

SCHEMA_VERSION = 7
_PAGE = 1000


def schema_version(connection: Connection) -> int | None:
    """The version that the database has; None if it holds no ledger, 0 if it does not say."""
    if not inspect(connection).has_table("meta"):
        return None
    value = connection.execute(select(meta.c.value).where(meta.c.key == "schema_version")).scalar()
    return int(value) if value and value.isdecimal() else 0


def migrate(connection: Connection) -> None:
    """Bring the schema to ``SCHEMA_VERSION``, inside the transaction that *connection* is in."""
    version = schema_version(connection)
    if version is None:
        metadata.create_all(connection)
        _set(connection, "ledger_id", secrets.token_hex(16))
        _set(connection, "schema_version", str(SCHEMA_VERSION))
    else:
        for step in range(version, SCHEMA_VERSION):
            _STEPS[step](connection)
            _set(connection, "schema_version", str(step + 1))
    make_triggers(connection)


def make_triggers(connection: Connection) -> None:
    """Make the triggers, replacing those that are there."""
    for statement in triggers(connection.dialect.name, encrypted=is_encrypted(connection)):
        connection.exec_driver_sql(statement)


def _set(connection: Connection, key: str, value: str) -> None:
    if connection.execute(meta.update().where(meta.c.key == key).values(value=value)).rowcount == 0:
        connection.execute(meta.insert().values(key=key, value=value))


def _add_columns(connection: Connection, table: Table, names: Sequence[str]) -> None:
    there = {column["name"] for column in inspect(connection).get_columns(table.name)}
    for name in names:
        if name in there:
            continue  # An earlier step has made the table as it is now.
        column = CreateColumn(table.c[name]).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column}")


def _batches_phases_and_pace(connection: Connection) -> None:
    """Version 1 to 2: a common rate, named batches, how far an attempt got, and who decided what and why."""
    for table, names in (
        (payout, ("batch_id", "position", "phase", "owner", "sent_boot", "sent_steady")),
        (event, ("phase", "person", "note")),
    ):
        _add_columns(connection, table, names)
    for table in (batch, pace):
        table.create(connection)
    _set(connection, "ledger_id", secrets.token_hex(16))


def _payments_and_windows(connection: Connection) -> None:
    """Version 2 to 3: who is paid how much, the settle window of each attempt, and what the control question heard."""
    for table, names in (
        (payout, ("payment_key", "settle_after", "resend")),
        (account, ("control_code", "control_at")),
    ):
        _add_columns(connection, table, names)
    connection.exec_driver_sql("DROP INDEX IF EXISTS payout_content")
    for index in payout.indexes:
        index.create(connection, checkfirst=True)
    after: tuple[str, str] | None = ("", "")
    while after is not None:
        after = _fill_payment_keys(connection, after)


def _consumers_and_callbacks(connection: Connection) -> None:
    """Version 3 to 4: who listens to changes and was told which, callbacks that are kept apart, and late decisions."""
    _add_columns(connection, event, ("was_uncertain", "uncertain"))
    _add_columns(connection, account, ("reconciled_to",))
    for table in (consumer, delivery, callback):
        table.create(connection)
    for index in payout.indexes:
        index.create(connection, checkfirst=True)


def _approvals(connection: Connection) -> None:
    """Version 4 to 5: who approved which plan."""
    approval.create(connection)


def _shards(connection: Connection) -> None:
    """Version 5 to 6: batches that many workers pay."""
    _add_columns(connection, batch, ("status", "why", "imported", "amount", "shard_size", "digest", "rate"))
    for table in (planned, shard):
        table.create(connection)
    connection.exec_driver_sql("DROP INDEX IF EXISTS payout_payment")  # which had the merchant too
    for index in payout.indexes:
        index.create(connection, checkfirst=True)


def _encryption(_connection: Connection) -> None:
    """Version 6 to 7: what is written may be encrypted, which older releases would take for damaged."""


def _fill_payment_keys(connection: Connection, after: tuple[str, str]) -> tuple[str, str] | None:
    """Write the keys of a page of payouts behind *after*; where to go on, or None at the end."""
    merchant_no, trade_no = payout.c.merchant_no, payout.c.trade_no
    query = (
        select(merchant_no, trade_no, payout.c.region, payout.c.content)
        .where((merchant_no > after[0]) | ((merchant_no == after[0]) & (trade_no > after[1])))
        .order_by(merchant_no, trade_no)
        .limit(_PAGE)
    )
    rows = connection.execute(query).all()
    keys = [
        {
            "of_merchant": row.merchant_no,
            "of_trade": row.trade_no,
            "key": payment_key(row.region, _content(row.content)),
        }
        for row in rows
    ]
    if keys:
        where = payout.update().where(merchant_no == bindparam("of_merchant"), trade_no == bindparam("of_trade"))
        connection.execute(where.values(payment_key=bindparam("key")), keys)
    return (rows[-1].merchant_no, rows[-1].trade_no) if len(rows) == _PAGE else None


def _content(text: str) -> Mapping[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}  # A damaged row stays as it is, for `paypro ledger check` to name.
    return found if isinstance(found, dict) else {}


_STEPS: Mapping[int, Callable[[Connection], None]] = MappingProxyType(
    {
        1: _batches_phases_and_pace,
        2: _payments_and_windows,
        3: _consumers_and_callbacks,
        4: _approvals,
        5: _shards,
        6: _encryption,
    }
)
