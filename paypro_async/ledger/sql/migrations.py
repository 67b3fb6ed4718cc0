"""From each version of the schema to the next: forward only, each in one transaction.

A new database gets the tables as they are now. An older one is altered step by step. Columns are only added, so that
what is stored stays as it was written.
"""

import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlalchemy import Connection, inspect, select
from sqlalchemy.schema import CreateColumn

from paypro_async.ledger.sql.schema import batch, event, meta, metadata, pace, payout
from paypro_async.ledger.sql.triggers import triggers

__all__ = ["SCHEMA_VERSION", "make_triggers", "migrate", "schema_version"]

SCHEMA_VERSION = 2


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
    for statement in triggers(connection.dialect.name):
        connection.exec_driver_sql(statement)


def _set(connection: Connection, key: str, value: str) -> None:
    if connection.execute(meta.update().where(meta.c.key == key).values(value=value)).rowcount == 0:
        connection.execute(meta.insert().values(key=key, value=value))


def _batches_phases_and_pace(connection: Connection) -> None:
    """Version 1 to 2: a common rate, named batches, how far an attempt got, and who decided what and why."""
    for table, names in (
        (payout, ("batch_id", "position", "phase", "owner", "sent_boot", "sent_steady")),
        (event, ("phase", "person", "note")),
    ):
        for name in names:
            column = CreateColumn(table.c[name]).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column}")
    for table in (batch, pace):
        table.create(connection)
    for index in payout.indexes:
        index.create(connection, checkfirst=True)
    _set(connection, "ledger_id", secrets.token_hex(16))


_STEPS: Mapping[int, Callable[[Connection], None]] = MappingProxyType({1: _batches_phases_and_pace})
