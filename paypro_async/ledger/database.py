"""The connection of the ledger's writer thread: settings, schema, and errors in words."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
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
    ("no write-ahead log", "its file system cannot do write-ahead logs; put the file on a local disk"),
    ("database is locked", "another process has been writing to it for too long; end that process or try again"),
    ("database or disk is full", "the disk is full; make room"),
    ("attempt to write a readonly database", "the file may not be written; mend its permissions"),
    ("unable to open database file", "the file cannot be opened; make its folder, or mend the permissions"),
    ("file is not a database", "the file is not a ledger; name another one"),
    ("database disk image is malformed", "the file is damaged; restore it from a backup"),
    ("disk I/O error", "the disk failed to read or write"),
)


class Database:
    """One connection, used by one thread, opened when first needed and again after a failure."""

    def __init__(self, url: str, *, busy_timeout: float) -> None:
        self._url = make_url(url)
        # Absolute: a process that changes its folder later must not begin another ledger there.
        self._path = Path(self._url.database or "").absolute()
        if not (self._url.database or "").startswith("file:"):
            self._url = self._url.set(database=str(self._path))
        self._file: tuple[int, int] | None = None
        self._busy_timeout = busy_timeout
        self._engine: Engine | None = None
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self, *, write: bool) -> Iterator[Connection]:
        """One transaction, durable when the block ends without an error."""
        connection = self._connected()
        self._check_file()
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
        self._file = None

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
            connection = self._engine.connect()
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _check_file(self) -> None:
        # What is written to a file that nobody can open again is lost, and a new file in its place knows nothing.
        try:
            now = self._path.stat()
        except OSError:
            now = None
        if now is None or (now.st_dev, now.st_ino) != self._file:
            self._disconnect()
            raise LedgerUnavailableError(
                f"The ledger {self._path} was taken away or replaced while it was in use. Nothing was sent. Put the "
                "file back, or end this process and look what became of it."
            )

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _make_file(self) -> None:
        # Made by us and not by SQLite, so that from its first moment only its owner can read it.
        # Once it was there it is never made again: what it knew would be paid a second time.
        flags = os.O_RDWR if self._file else os.O_RDWR | os.O_CREAT
        words = None
        try:
            descriptor = os.open(self._path, flags, 0o600)
            try:
                found = os.fstat(descriptor)
            finally:
                os.close(descriptor)
            self._file = self._file or (found.st_dev, found.st_ino)
        except OSError as error:
            words = error.strerror
        if words is not None:
            raise LedgerUnavailableError(
                f"The ledger {self._path} cannot be opened: {words}. Nothing was sent. Make its folder, or "
                "mend the permissions."
            )

    def _make_engine(self) -> Engine:
        engine = create_engine(
            self._url,
            # One connection, held by one thread; the thread that closes it at the end is another.
            poolclass=NullPool,
            connect_args={"timeout": self._busy_timeout, "check_same_thread": False, "isolation_level": None},
            hide_parameters=True,
        )
        event.listen(engine, "connect", partial(_configure, self._busy_timeout))
        event.listen(engine, "begin", _begin)
        return engine

    def _prepare(self, connection: Connection) -> None:
        """Make the tables, or check that they are those this code knows."""
        # Reading first: a ledger that is there can be read while another process writes.
        with connection.execution_options(paypro_write=False).begin():
            version = _version(connection)
        if version is None:
            with connection.execution_options(paypro_write=True).begin():
                version = _version(connection)
                if version is None:
                    metadata.create_all(connection)
                    connection.execute(meta.insert(), [{"key": "schema_version", "value": str(SCHEMA_VERSION)}])
                    version = str(SCHEMA_VERSION)
        if version != str(SCHEMA_VERSION):
            raise ConfigurationError(
                f"The ledger {self._path} has schema version {version}, and this release knows {SCHEMA_VERSION}. "
                "Nothing was sent. Use the release that wrote it, or a newer one."
            )


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("meta"):
        return None
    version: str | None = connection.execute(select(meta.c.value).where(meta.c.key == "schema_version")).scalar()
    return version or "unknown"


def _configure(busy_timeout: float, connection: sqlite3.Connection, _record: Any) -> None:
    cursor = connection.cursor()
    try:
        mode = _write_ahead(cursor, time.monotonic() + busy_timeout)
        # FULL: a commit survives power loss. NORMAL may roll an intent back, which is a payout sent twice.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA fullfsync=ON")
        if mode != "wal":
            raise sqlite3.OperationalError("no write-ahead log")
    finally:
        cursor.close()


def _write_ahead(cursor: sqlite3.Cursor, until: float) -> Any:
    # The change to a write-ahead log is the one lock that SQLite does not wait for by itself.
    while True:
        try:
            return cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
        time.sleep(0.01)


def _begin(connection: Connection) -> None:
    # IMMEDIATE waits for another writer here; a transaction that turns writer later fails at once instead.
    write = connection.get_execution_options().get("paypro_write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
