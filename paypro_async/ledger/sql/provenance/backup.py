"""A ledger's file as a whole: copied while others write, and written anew without what was erased."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, exc, select

from paypro_async.ledger.sql.schema import meta

__all__ = ["backup_made_at", "copy_file", "forget_backup", "merge_log", "rewrite_file"]

_KEY = "backup"


def copy_file(connection: Connection, target: Path) -> None:
    """Copy the ledger of *connection* into the empty file *target*, durably, as it is at one moment."""
    # One reading transaction, which in a write-ahead log makes no writer wait; and what was erased does not go along.
    connection.execution_options(paypro_write=None).exec_driver_sql("VACUUM INTO ?", (str(target),))
    # The copy knows what it is wherever it is put: also where the mark of the ledger that it was taken from lies.
    with closing(sqlite3.connect(target)) as copy, copy:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        copy.execute("DELETE FROM meta WHERE key = ?", (_KEY,))
        copy.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (_KEY, now))
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def backup_made_at(connection: Connection) -> str | None:
    """When this ledger was copied, if it is a copy that was not paid from yet; a date and time in ISO 8601, UTC."""
    return connection.execute(select(meta.c.value).where(meta.c.key == _KEY)).scalar()


def forget_backup(connection: Connection) -> None:
    """It is known by now to be a restored backup."""
    connection.execute(meta.delete().where(meta.c.key == _KEY))


def merge_log(connection: Connection) -> bool:
    """Bring what the log holds into the file, as far as no reader needs the file as it is; whether all is there."""
    outside = connection.execution_options(paypro_write=None)
    _, held, merged = outside.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()
    outside.rollback()
    return bool(held == merged)


def rewrite_file(connection: Connection) -> None:
    """Write the file anew and empty its write-ahead log, whose old pages hold what was erased."""
    outside = connection.execution_options(paypro_write=None)
    outside.exec_driver_sql("VACUUM")
    busy = outside.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
    if busy:
        raise exc.OperationalError("checkpoint", None, sqlite3.OperationalError("log in use"))
