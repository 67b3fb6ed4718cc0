"""The connection of the ledger's writer thread: settings, schema, and errors in words."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from paypro_async.errors import ConfigurationError, LedgerUnavailableError
from paypro_async.ledger.schema import SCHEMA_VERSION, meta, metadata

__all__ = ["Database"]

# What SQLite says, by its beginning, and what a user should hear.
_WORDS = (
    ("database is locked", "another process has been writing to it for too long; end that process or try again"),
    ("database or disk is full", "the disk is full; make room"),
    ("attempt to write a readonly database", "the file may not be written; mend its permissions"),
    ("unable to open database file", "the file cannot be opened; does its folder exist, and may it be written?"),
    ("file is not a database", "the file is not a ledger; name another one"),
    ("database disk image is malformed", "the file is damaged; restore it from a backup"),
    ("disk I/O error", "the disk failed to read or write"),
)


class Database:
    """One connection, used by one thread, opened when first needed and again after a failure."""

    def __init__(self, url: str, *, busy_timeout: float) -> None:
        self._url = make_url(url)
        self._path = Path(self._url.database or "")
        self._busy_timeout = busy_timeout
        self._engine: Engine | None = None
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self, *, write: bool) -> Iterator[Connection]:
        """One transaction, durable when the block ends without an error."""
        connection = self._connected()
        try:
            with connection.execution_options(paypro_write=write).begin():
                yield connection
        except BaseException:
            # Whatever state the connection is in, a new one is in a known state.
            self._disconnect()
            raise

    def close(self) -> None:
        """Close the file."""
        self._disconnect()
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def unavailable(self, error: exc.SQLAlchemyError) -> LedgerUnavailableError:
        """The error in words, without the statement's values, which are personal."""
        original = str(getattr(error, "orig", None) or type(error).__name__)
        words = next((words for said, words in _WORDS if original.startswith(said)), original)
        return LedgerUnavailableError(
            f"The ledger {self._path} cannot be used: {words}. Nothing was sent for what it could not store."
        )

    def _connected(self) -> Connection:
        if self._connection is None:
            self._make_file()
            if self._engine is None:
                self._engine = self._make_engine()
            self._connection = self._engine.connect()
            self._prepare(self._connection)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _make_file(self) -> None:
        # Made by us and not by SQLite, so that from its first moment only its owner can read it.
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise LedgerUnavailableError(
                f"The ledger {self._path} cannot be opened: {error.strerror}. Nothing was sent. Make its folder, or "
                "mend the permissions."
            ) from None

    def _make_engine(self) -> Engine:
        engine = create_engine(
            self._url,
            # One connection, held by one thread; the thread that closes it at the end is another.
            poolclass=NullPool,
            connect_args={"timeout": self._busy_timeout, "check_same_thread": False, "isolation_level": None},
            hide_parameters=True,
        )
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        return engine

    def _prepare(self, connection: Connection) -> None:
        """Make the tables, or check that they are those this code knows."""
        with connection.execution_options(paypro_write=True).begin():
            if not inspect(connection).has_table("meta"):
                metadata.create_all(connection)
                connection.execute(meta.insert(), [{"key": "schema_version", "value": str(SCHEMA_VERSION)}])
            version = connection.execute(select(meta.c.value).where(meta.c.key == "schema_version")).scalar()
        if version != str(SCHEMA_VERSION):
            self._disconnect()
            raise ConfigurationError(
                f"The ledger {self._path} has schema version {version}, and this release knows {SCHEMA_VERSION}. "
                "Nothing was sent. Use the release that wrote it, or a newer one."
            )


def _configure(connection: sqlite3.Connection, _record: Any) -> None:
    cursor = connection.cursor()
    try:
        mode = cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        # FULL: a commit survives power loss. NORMAL may roll an intent back, which is a payout sent twice.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA fullfsync=ON")
        if mode != "wal":
            raise sqlite3.OperationalError("unable to open database file: its file system cannot do write-ahead logs")
    finally:
        cursor.close()


def _begin(connection: Connection) -> None:
    # IMMEDIATE waits for another writer here; a transaction that turns writer later fails at once instead.
    write = connection.get_execution_options().get("paypro_write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
