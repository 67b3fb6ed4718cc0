"""A ledger in an SQLite file: its settings, its file, and messages for its errors."""

import errno
import os
import sqlite3
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from paypro_async.errors import ClientStateError, ConfigurationError, LedgerUnavailableError
from paypro_async.ledger.file import (
    files_of,
    make_private,
    open_to_others,
    place_of,
    real_path,
    second_name,
    writable_by_all,
)
from paypro_async.ledger.held import told
from paypro_async.ledger.sql.database import QUIET, Database, last_event_of
from paypro_async.ledger.sql.migrations import schema_version
from paypro_async.ledger.sql.moments import Purpose
from paypro_async.ledger.sql.provenance.backup import backup_made_at, copy_file, forget_backup, merge_log, rewrite_file
from paypro_async.ledger.sql.provenance.watermark import NOWHERE, Watermark, mark_beside
from paypro_async.ledger.sql.statements import driven
from paypro_async.process import OPEN_FILES, FileId

__all__ = ["SqliteDatabase"]

# A file that is just being made is opened and closed; no other thread may have a connection to it by then.
_MAKING = threading.Lock()

# What SQLite says, by its beginning, and what a user should hear.
_MESSAGES = (
    ("no write-ahead log", "its file system cannot do write-ahead logs; put the file on a local disk"),
    ("database is locked", "another process has been writing to it for too long; end that process or try again"),
    ("database or disk is full", "the disk is full; make room"),
    ("attempt to write a readonly database", "the file or its folder may not be written; mend their permissions"),
    ("unable to open database file", "the file cannot be opened; make its folder, or mend the permissions"),
    ("file is not a database", "the file is not a ledger; name another one"),
    ("database disk image is malformed", "the file is damaged; restore it from a backup"),
    ("log in use", "another process is reading it, so its log still holds what was erased; do the same again"),
    ("disk I/O error", "the disk failed to read or write"),
)


class SqliteDatabase(Database):
    """One file, shared by the processes of one machine.

    Args:
        url: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.
        busy_timeout: Seconds to wait for another process that is writing.
        mark: Where a second mark of it lies, if there is one: a folder, or a path.
    """

    def __init__(self, url: str, *, busy_timeout: float, mark: Path | None = None) -> None:
        # Decoded here: SQLAlchemy does it from 2.1 on, and another release must not open another file.
        database = unquote(url.removeprefix("sqlite:///").partition("?")[0])
        # Absolute: a process that changes its folder later must not begin another ledger there.
        self._path = real_path(database)
        super().__init__(str(self._path), patience=0.0, migrates_itself=True, mark=mark)
        self._url = make_url(url).set(database=database if database.startswith("file:") else str(self._path))
        self._file: FileId | None = None
        self._place = NOWHERE
        self._logs = _Logs(self._path)
        self._busy_timeout = busy_timeout
        self._failed: Connection | None = None
        self._watermark = Watermark(mark_beside(self._path))
        # Why a file without tables is not a new ledger; and whether all that there is of one is in its log alone.
        self._lost_log: str | None = None
        self._unmerged = False

    @property
    def place(self) -> str:
        """Where the file lies."""
        return self._place

    @property
    def files(self) -> frozenset[Path]:
        """The file, what lies beside it, and its mark elsewhere."""
        return files_of(self._path) | super().files

    @property
    def open_to_others(self) -> str | None:
        """That other users of this machine may read it."""
        return open_to_others(self._path)

    def describe(self, connection: Connection, /) -> dict[str, str]:
        """Its release, and how it keeps what is not yet in the file."""
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        return {"version": sqlite3.sqlite_version, "journal_mode": str(mode)} | told(self._path)

    def passing(self, _error: exc.SQLAlchemyError, /) -> bool:
        """Never: SQLite has waited for the other writer already."""
        return False

    def close(self) -> None:
        """Close the file and its mark."""
        self._disconnect()
        self._replaced()
        super().close()
        self._watermark.close()
        if self._file is not None:
            OPEN_FILES.remove(self._path, self._file)
        self._file = None
        self._logs = _Logs(self._path)

    def committed(self, last_event: int) -> None:
        """What is durable now is what an older copy of the file would lack."""
        super().committed(last_event)
        self._watermark.write(self.ledger_id, last_event, self._place)
        self._merge_log()

    def copy_to(self, target: Path) -> None:
        """Make a consistent copy, while others write."""
        with self._bare_connection() as connection:
            if schema_version(connection) is None:
                self._refuse_version(None)
            connection.rollback()
            copy_file(connection, target)

    def rewrite(self) -> bool:
        """Write the file anew without what was erased, and empty its write-ahead log."""
        with self._bare_connection() as connection:
            rewrite_file(connection)
        return True

    def _check(self) -> None:
        # What is written to a file that has no name any more is lost, and a new file in its place knows nothing.
        found = _found(self._path)
        if found is None or _file_id(found) != self._file or self._logs.replaced():
            self._refuse_replaced()
        if found.st_nlink > 1 and (why := second_name(self._path, found.st_nlink)):
            raise LedgerUnavailableError(why)

    def _refuse_replaced(self) -> NoReturn:
        raise LedgerUnavailableError(
            f"The ledger {self.name}, or a file that SQLite keeps beside it, was taken away or replaced while it was "
            "in use. Nothing was sent. Put the file back, or end this process and look what became of it."
        )

    def _before_connecting(self) -> None:
        reason = None
        if self._logs.lost:
            self._refuse_replaced()
        self._refuse_inherited()
        try:
            found = self._found_or_made()
            why = second_name(self._path, found.st_nlink)
            if why is None and self.purpose is not Purpose.READ:
                why = writable_by_all(self._path)
            if why is not None:
                raise ConfigurationError(why)
            if self._file is None:
                self._file, self._place = _file_id(found), place_of(self._path)
                OPEN_FILES.add(self._path, self._file)
        except FileNotFoundError as error:
            if self.purpose is not Purpose.PAY:
                raise ConfigurationError(
                    f"There is no ledger {self.name}. Nothing was made and nothing was sent. Name the file that "
                    "payouts are paid with."
                ) from None
            reason = error.strerror
        except OSError as error:
            reason = error.strerror
        if reason is not None:
            is_folder = self._path.is_dir()
            mend = "Name a file in it." if is_folder else "Make its folder, or mend the permissions."
            raise LedgerUnavailableError(f"The ledger {self.name} cannot be opened: {reason}. Nothing was sent. {mend}")

    def _refuse_inherited(self) -> None:
        found = _found(self._path)
        if OPEN_FILES.inherited(self._path, found and _file_id(found)):
            raise ClientStateError(
                f"The ledger {self.name} was open in the process that this one was forked from, so SQLite would take "
                "the parent's locks for its own. Nothing was sent. Close the ledger before the fork and open one in "
                "each process, start the child with 'spawn' or exec, or use a ledger in PostgreSQL."
            )

    def _found_or_made(self) -> os.stat_result:
        # Nothing here opens a file that is there: on POSIX its closing would take away the locks that every other
        # connection of this process has on it. Another process would then think itself alone and delete the log that
        # they write to, and with it payouts.
        with _MAKING:
            try:
                found = self._path.stat()
            except FileNotFoundError:
                # Once it was there it is never made again: what it knew would be paid a second time.
                if self._file or self.purpose is not Purpose.PAY:
                    raise
                found = self._made()
        wanted = os.R_OK if self.purpose is Purpose.READ else os.R_OK | os.W_OK
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not os.access(self._path, wanted, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return found

    def _made(self) -> os.stat_result:
        if _found(self._path.with_name(f"{self._path.name}-wal")) is not None:
            self._lost_log = "its file is gone, and its log is there"
        # Made by us and not by SQLite, so that from its first moment only its owner can read it.
        with suppress(FileExistsError):
            os.close(make_private(self._path))
            # Before SQLite writes to it: a file that has a head and no tables is new only if its mark says so.
            if not self._watermark.exists():
                self._watermark.begin(place_of(self._path))
        return self._path.stat()

    def _make_engine(self) -> Engine:
        reading = self.purpose is Purpose.READ
        engine = create_engine(
            self._url,
            # One connection, held by one thread; the thread that closes it at the end is another.
            poolclass=NullPool,
            connect_args={"timeout": self._busy_timeout, "check_same_thread": False, "isolation_level": None},
            **QUIET,
            **({"creator": self._connect_to_read} if reading else {}),
        )
        if not reading:
            event.listen(engine, "connect", self._configure)
        event.listen(engine, "begin", _begin)
        return engine

    def _replace(self) -> None:
        # The failed connection stays open until the new one is, for as long as a file is open SQLite knows which of its
        # log was committed. The next to open a closed one takes over whatever stands in the log, also what a sync that
        # failed has not brought to the disk; what is then written behind it is lost with it when the power goes.
        if self._failed is None and self._connection is not None and _is_idle(self._connection):
            self._failed, self._connection = self._connection, None
        elif self._failed is None:
            # The last connection to go takes the log with it, and the next one makes another.
            self._logs.forget()
        self._disconnect()

    def _replaced(self) -> None:
        failed, self._failed = self._failed, None
        if failed is not None:
            failed.close()

    def _connect_to_read(self) -> sqlite3.Connection:
        # The file system's own promise: whatever is asked of this connection, the file stays as it is.
        return sqlite3.connect(
            f"{self._path.as_uri()}?mode=ro",
            uri=True,
            timeout=self._busy_timeout,
            check_same_thread=False,
            isolation_level=None,
        )

    def _message(self, error: exc.SQLAlchemyError) -> str:
        original = str(getattr(error, "orig", None) or type(error).__name__)
        return next((message for said, message in _MESSAGES if original.startswith(said)), original)

    def _configure(self, connection: sqlite3.Connection, _record: Any) -> None:
        # A file that was in use, and whose tables are not in it, is there without its log.
        without_tables = _has_write_ahead(connection) and not _has_tables(connection)
        if without_tables and not self._watermark.exists():
            self._lost_log = "its file was in use, and its log is gone"
        _configure(self._busy_timeout, connection)

    def _forgotten(self) -> str | None:
        if self._watermark.knows_payouts():
            return "its file is gone, and its mark file knows of payouts"
        return self._lost_log

    def _migrate(self, connection: Connection) -> bool:
        new = super()._migrate(connection)
        if new and not self._marks_wait:
            # Before the commit: a crash in between must not leave a ledger without its mark.
            self._watermark.write(self.ledger_id, last_event_of(connection), self._place)
            self._unmerged = True
        return new

    def _identity_noted(self, connection: Connection) -> None:
        # The mark follows once the transaction is durable.
        forget_backup(connection)

    def _before_looking_back(self) -> None:
        self._merge_log()
        self._watermark.look()
        if self.purpose is not Purpose.READ:
            self._watermark.make_ready()

    def _suspicion(self, connection: Connection) -> str | None:
        made_at = backup_made_at(connection)
        if made_at is not None:
            return f"it is the backup that was made at {made_at}"
        last_event = last_event_of(connection)
        # Until the first payout is in the file itself, the file alone looks like one that nobody has paid from.
        self._unmerged = last_event == 0
        return self._watermark.suspicion(self.ledger_id, last_event, self._place)

    def _merge_log(self) -> None:
        """Bring what is in the log into the file, as long as the file alone would be taken for a new ledger."""
        if not self._unmerged or self._connection is None or self.purpose is Purpose.READ:
            return
        # What a disk refuses, or a reader holds up, is tried again after the next commit.
        with suppress(exc.SQLAlchemyError):
            self._unmerged = not merge_log(self._connection)


class _Logs:
    """The files that SQLite keeps beside a ledger: its log, and the index by which all processes find their way in it.

    Nothing deletes them while a connection is open; who does all the same parts this process from the others.

    Attributes:
        lost: Whether that was seen.
    """

    def __init__(self, ledger: Path) -> None:
        self._known: dict[Path, FileId | None] = {
            ledger.with_name(f"{ledger.name}{suffix}"): None for suffix in ("-wal", "-shm")
        }
        self.lost = False

    def replaced(self) -> bool:
        """Whether one of them is no longer what the connection uses; once that is so, it stays so."""
        for path, known in self._known.items():
            now = (found := _found(path)) and _file_id(found)
            self.lost |= known not in (None, now)
            self._known[path] = now
        return self.lost

    def forget(self) -> None:
        """The connection is closed: the next one may have others."""
        self._known = dict.fromkeys(self._known)


def _found(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _file_id(found: os.stat_result) -> FileId:
    return found.st_dev, found.st_ino


def _has_write_ahead(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal")


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _is_idle(connection: Connection) -> bool:
    # One that could not even roll back holds the lock for writing and would keep its successor out.
    if connection.closed or connection.invalidated:
        return False
    driver: Any = connection.connection.dbapi_connection
    return not driver.in_transaction


def _configure(busy_timeout: float, connection: sqlite3.Connection) -> None:
    cursor = connection.cursor()
    try:
        mode = _write_ahead(cursor, time.monotonic() + busy_timeout)
        # FULL: a commit survives power loss. NORMAL may roll an intent back, which is a payout sent twice.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA fullfsync=ON")
        # Kibibytes, negative: the inner pages of the indexes of a large ledger stay in memory.
        cursor.execute("PRAGMA cache_size=-32768")
        if mode != "wal":
            raise sqlite3.OperationalError("no write-ahead log")
        # What a process before this one left in the log may not be on the disk yet. It is after this, or this fails.
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
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
    if write is not None:  # else it is what SQLite does only outside of a transaction
        driven(connection, "BEGIN IMMEDIATE" if write else "BEGIN")
