"""The connection of the ledger's writer thread: opened when first needed, thrown away after any failure.

What a kind of database does at its moments are the hooks of :class:`~.moments.Hooks`, in this order::

    transaction ┬ no connection ─ _before_connecting    the file is there, or is made
                │                 _make_engine
                │      ┌ reading  schema_version
                │      ├ writing  _migrate              only where opening does that
                │      ├ reading  _unlock               with the keys that were given
                │      │          _before_looking_back  the watermark is read
                │      ├ reading  _suspicion            may it be a restored backup?
                │      └ writing  _identity_noted       only if so
                │                 _replaced             the failed connection is let go
                ├ each time ───── _check                is it still what other processes open?
                │      └ reading or writing: the work
                ├ each time ───── _glance               in the transaction: is it the same? if not, it is looked back
                └ on an error ─── _replace

    migrate     ─ _before_connecting, _make_engine
                       └ writing  _lock_schema, _migrate

    _migrate    ─ _forgotten                            only for a ledger that is made: was there another?
                  _identity_noted                       only for one that had none yet

"Reading" and "writing" are transactions of their own; what a hook writes is durable when that one has ended. After the
commit of each group of payouts comes ``committed``.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

from sqlalchemy import Connection, Engine, exc, func, select

from paypro_async.errors import ConfigurationError, LedgerUnavailableError, PayProError
from paypro_async.ledger.sql.encryption.unlocking import Unlocking
from paypro_async.ledger.sql.encryption.values import use
from paypro_async.ledger.sql.migrations import SCHEMA_VERSION, make_triggers, migrate, schema_version
from paypro_async.ledger.sql.moments import Hooks, Purpose, StaleError
from paypro_async.ledger.sql.provenance.restored import Restored
from paypro_async.ledger.sql.provenance.watermark import Watermark, mark_elsewhere
from paypro_async.ledger.sql.schema import event, meta
from paypro_async.ledger.sql.triggers import missing_triggers
from paypro_async.log import logger

__all__ = ["QUIET", "Database", "last_event_of"]

T = TypeVar("T")

QUIET: Mapping[str, Any] = MappingProxyType({"hide_parameters": True, "logging_name": "paypro_async"})
"""How every engine is made, so that neither SQLAlchemy's errors nor its log print what is paid to whom."""

# At DEBUG it would print whole rows, in an application that logs everything.
logging.getLogger(f"sqlalchemy.engine.Engine.{QUIET['logging_name']}").setLevel(logging.WARNING)

# How often a ledger is looked at before a transaction that may not change meanwhile.
_LOOKS = 3


class Database(Hooks, ABC):
    """One connection, used by one thread.

    Args:
        name: What a user calls it: a file's path, or a server and a database. Never a password.
        patience: Seconds for which a group is tried again when the database went away.
        migrates_itself: Whether an older schema is brought up to date when the ledger is opened.
        mark: Where a mark lies that is not beside the ledger: a folder, or a path; None for none.
    """

    def __init__(self, name: str, *, patience: float, migrates_itself: bool, mark: Path | None) -> None:
        self.name = name
        self.patience = patience
        self.purpose = Purpose.PAY
        self.restored: Restored = Restored(name)
        self.unlocking: Unlocking = Unlocking(name)
        self.ledger_id: str = ""
        self.began: float = 0.0
        """The database's clock, as it was read at the beginning of a transaction that may write."""
        # Whether its opening has ended: what is noticed later has no caller to tell, and stands in the log alone.
        self.in_use: bool = False
        self._migrates_itself = migrates_itself
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        # Whether a connection was ever made to it.
        self.was_connected: bool = False
        self._mark_folder = mark
        self._mark_name = name
        self._elsewhere: Watermark | None = None
        # A ledger that was made in the place of another is known as such once its tables are durable, and until then
        # the old marks are what tells of it.
        self._marks_wait = False

    @property
    def files(self) -> frozenset[Path]:
        """The files on this machine that belong to the ledger, which nothing else may be written to."""
        try:
            return frozenset({mark_elsewhere(self._mark_folder, self.name)} if self._mark_folder else ())
        except PayProError:
            return frozenset()  # The folder of its mark is not there.

    @property
    def opened(self) -> bool:
        """Whether there has been a connection."""
        return self._engine is not None

    @contextmanager
    def transaction(self, *, write: bool) -> Iterator[Connection]:
        """One transaction, durable when the block ends without an error."""
        connection = self._connected()
        try:
            self._check()
            for _ in range(_LOOKS):
                with connection.execution_options(paypro_write=write).begin() as begun:
                    # In the same transaction, so that nothing is put in the ledger's place in between.
                    now = 0.0 if self.purpose is Purpose.READ else self._glance(connection)
                    if now is not None:
                        self.began = now
                        yield connection
                        return
                    begun.rollback()
                self._look_back(connection)
            self._refuse_changing()
        except StaleError:
            raise  # It has been rolled back, and nothing is wrong with the connection.
        except BaseException:
            # Whatever state the connection is in, a new one is in a known state.
            self._replace()
            raise

    def migrate(self) -> int | None:
        """Bring the schema up to date; the version that was there before, or None for a new ledger."""
        with self._bare_connection() as connection, connection.begin():
            self._lock_schema(connection)
            before = schema_version(connection)
            if before is None or before < SCHEMA_VERSION:
                self._migrate(connection)
            elif before > SCHEMA_VERSION:
                self._refuse_version(before)
            elif missing_triggers(connection):
                make_triggers(connection)
            if self.unlocking.look(connection, pays=before is None, reads_only=False):
                self.unlocking.write(connection)
                make_triggers(connection)
        if self._marks_wait:
            with self._bare_connection() as connection:
                self._write_marks(connection)
        return before

    def alone(self, work: Callable[[Connection], T]) -> T:
        """What *work* comes to in a transaction of its own, in which nobody else may write."""
        with self._bare_connection() as connection, connection.begin():
            self._lock_schema(connection)
            return work(connection)

    @abstractmethod
    def copy_to(self, target: Path) -> None:
        """Make a consistent copy in the empty file *target*, marked as a backup."""

    @abstractmethod
    def rewrite(self) -> bool:
        """Give back what erased values take up, so that no byte of them is left; False if the server does that."""

    @abstractmethod
    def passing(self, error: exc.SQLAlchemyError, /) -> bool:
        """Whether the same may go through a moment later: the server restarts, or two writers met."""

    @abstractmethod
    def _make_engine(self) -> Engine:
        """SQLAlchemy's engine, whose connections are set up as the ledger needs them."""

    @abstractmethod
    def _message(self, error: exc.SQLAlchemyError) -> str:
        """What happened and what to do, for people, without a value of the statement."""

    def committed(self, last_event: int) -> None:
        """A group is durable; *last_event* is the number of its last step of history."""
        self.restored.last_event = last_event
        if self._elsewhere is not None:
            self._elsewhere.write(self.ledger_id, last_event, self.place)

    def close(self) -> None:
        """Close the connection."""
        if self._elsewhere is not None:
            self._elsewhere.close()
        self._disconnect()
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        self.in_use = False

    def unavailable(self, error: exc.SQLAlchemyError) -> LedgerUnavailableError:
        """The error for the caller, without the statement's values, which are personal."""
        return LedgerUnavailableError(
            f"The ledger {self.name} cannot be used: {self._message(error)}. Nothing was sent for what it could not "
            "store."
        )

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._connection = self._connect()
            try:
                self._prepare(connection)
                self._unlock(connection)
                self._look_back(connection)
            except BaseException:
                self._disconnect()
                raise
            self._replaced()
        return self._connection

    @contextmanager
    def _bare_connection(self) -> Iterator[Connection]:
        with self._connect() as connection:
            yield connection

    def _connect(self) -> Connection:
        if self._elsewhere is None and self._mark_folder is not None:
            self._elsewhere = Watermark(mark_elsewhere(self._mark_folder, self._mark_name), beside=False)
        self._before_connecting()
        if self._engine is None:
            self._engine = self._make_engine()
        return self._engine.connect()

    def _replace(self) -> None:
        """The connection has failed; the next transaction gets another one."""
        self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _prepare(self, connection: Connection) -> None:
        """Make the tables, or check that they are those this code knows; and that nothing was forgotten."""
        # Reading first: a ledger that is there can be read while another process writes.
        with connection.execution_options(paypro_write=False).begin():
            version = schema_version(connection)
        migrates = self._migrates_itself and self.purpose is Purpose.PAY
        if migrates and (version is None or 0 < version < SCHEMA_VERSION):
            with connection.execution_options(paypro_write=True).begin():
                version = schema_version(connection)
                if version is None or version < SCHEMA_VERSION:
                    self._migrate(connection)
                    version = SCHEMA_VERSION
        if version != SCHEMA_VERSION:
            self._refuse_version(version)

    def _unlock(self, connection: Connection) -> None:
        """Have what is read and written encrypted as the ledger is, with the keys that were given."""
        pays, reads_only = self.purpose is Purpose.PAY, self.purpose is Purpose.READ
        with connection.execution_options(paypro_write=False).begin():
            writes = self.unlocking.look(connection, pays=pays, reads_only=reads_only)
        if writes:
            with connection.execution_options(paypro_write=True).begin():
                self._lock_schema(connection)
                # Another process may have begun meanwhile, or have stored a payout.
                if self.unlocking.look(connection, pays=pays, reads_only=reads_only):
                    self.unlocking.write(connection)
                    make_triggers(connection)
        use(connection, self.unlocking.cipher)

    def _look_back(self, connection: Connection) -> None:
        """Notice a ledger that has forgotten what was written to it: a restored backup, a standby that lagged."""
        self._write_marks(connection)
        self._before_looking_back()
        if self._elsewhere is not None:
            self._elsewhere.look()
            if self.purpose is not Purpose.READ:
                self._elsewhere.make_ready()
        with connection.execution_options(paypro_write=False).begin():
            self._read_identity(connection)
            self.restored.read(connection)
            if self.purpose is Purpose.READ:
                self.restored.suspicion = self._doubt(connection)
                return
            lost = self.restored.has_lost(connection)
            why = "what this process has seen in it is not there any more" if lost else self._doubt(connection)
            self.restored.last_event = last_event_of(connection)
        if why is not None:
            self._mark_restored(connection, why)
            if self.in_use:
                self.restored.tell(warn=False)
        elif self._is_noted_otherwise():
            with connection.execution_options(paypro_write=True).begin():
                self._identity_noted(connection)

    def _glance(self, connection: Connection) -> float | None:
        """The database's clock; None if the ledger may be another than what was looked at, which is looked at again."""
        return self.restored.glance(connection)

    def _write_marks(self, connection: Connection) -> None:
        if self._marks_wait:
            with connection.execution_options(paypro_write=False).begin():
                last_event = last_event_of(connection)
            self.committed(last_event)
            self._marks_wait = False

    def _doubt(self, connection: Connection) -> str | None:
        why = self._suspicion(connection)
        if why is None and self._elsewhere is not None:
            why = self._elsewhere.suspicion(self.ledger_id, last_event_of(connection), self.place)
        return why

    def _mark_restored(self, connection: Connection, why: str) -> None:
        with connection.execution_options(paypro_write=True).begin():
            self.restored.mark(connection, why)
            self._identity_noted(connection)
            last_event = last_event_of(connection)
        self.committed(last_event)

    def _migrate(self, connection: Connection) -> bool:
        """Make the tables, or bring them up to date, in the transaction that *connection* is in.

        Returns:
            Whether the ledger had no identity before. One that it had is compared after this, and not noted anew.
        """
        version = schema_version(connection)
        new = version is None or not self._read_identity(connection)
        migrate(connection)
        self._read_identity(connection)
        if version is None:
            why = self._forgotten()
            if why is None and self._elsewhere is not None and self._elsewhere.knows_payouts():
                why = "its tables are gone, and its mark elsewhere knows of payouts"
            if why is not None:
                self.restored.mark(connection, why)
                self._marks_wait = True
            logger.info("A new ledger is made: %s", self.name)
        if new:
            self._identity_noted(connection)
        return new

    def _read_identity(self, connection: Connection) -> str:
        self.ledger_id = str(connection.execute(select(meta.c.value).where(meta.c.key == "ledger_id")).scalar() or "")
        return self.ledger_id

    def _refuse_changing(self) -> NoReturn:
        raise LedgerUnavailableError(
            f"The ledger {self.name} is being changed by another program just now. Nothing was sent; try again."
        )

    def _refuse_version(self, version: int | None) -> NoReturn:
        if version is None:
            raise ConfigurationError(
                f"There is no ledger in {self.name} yet. Nothing was sent. Make one with 'paypro ledger migrate'."
            )
        if 0 < version < SCHEMA_VERSION:
            raise ConfigurationError(
                f"The ledger {self.name} has schema version {version}, and this release needs {SCHEMA_VERSION}. "
                "Nothing was sent. Bring it up to date with 'paypro ledger migrate', once all processes run this "
                "release."
            )
        raise ConfigurationError(
            f"The ledger {self.name} has schema version {version or 'unknown'}, and this release knows "
            f"{SCHEMA_VERSION}. Nothing was sent. Use the release that wrote it, or a newer one."
        )


def last_event_of(connection: Connection) -> int:
    """The number of the last step of the ledger's history; 0 if there is none."""
    return connection.execute(select(func.max(event.c.id))).scalar() or 0
