"""A ledger in PostgreSQL: its settings, its identity, and messages for its errors."""

from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.pool import NullPool

from paypro_async.errors import ConfigurationError
from paypro_async.ledger.sql.database import Database, Purpose
from paypro_async.ledger.sql.migrations import schema_version
from paypro_async.ledger.sql.provenance.origin import Origin
from paypro_async.ledger.sql.schema import meta
from paypro_async.log import logger

__all__ = ["PostgresDatabase"]


_SETTINGS = {
    "application_name": "paypro-async",
    # A process that is frozen inside a transaction must not block all the others.
    "idle_in_transaction_session_timeout": "2s",
    "lock_timeout": "5s",
    "statement_timeout": "10s",
    "client_min_messages": "warning",
}
# A process that is frozen while it sends one statement after the other is not idle for the server, which then waits for
# the rest without an end. From version 17 on a server can end that too.
_TRANSACTION_SECONDS = 10.0
_SCHEMA_LOCK = 0x706179  # "pay"

# Classes of SQLSTATE after which the same may go through a moment later.
_PASSING = (
    "08",  # the connection failed
    "40",  # rolled back: a deadlock, a serialization failure
    "53",  # insufficient resources: too many connections, out of memory
    "55P03",  # a lock was not to be had in time
    "57P",  # the server shuts down, crashed, or starts up
    "25P03",  # this session was idle in a transaction for too long: the process was frozen
    "25P04",  # its transaction took too long: the process was frozen while it was sending
)
_MESSAGES = {
    "28": "the user or the password is refused; mend the URL",
    "3D": "there is no such database; make it, or mend the URL",
    "42501": "the user may not do that; grant it, or let the owner run 'paypro ledger migrate'",
    "53100": "the server's disk is full; make room",
    "53300": "the server has no connection left; end some, or raise max_connections",
    "55P03": "another process holds a lock for too long; end that process or try again",
    "57014": "the server took too long; look at its load, and try again",
    "57P01": "the server is shutting down; try again",
    "57P03": "the server is starting; try again",
    "25006": "the server only reads, as a standby does; name the primary",
    "P0001": "it refused the change",
}


class PostgresDatabase(Database):
    """One database, shared by any number of machines.

    Args:
        url: ``postgresql://user:password@host/database``.
        patience: Seconds for which a group is tried again while the server restarts.
        mark: Where a mark of it lies, if there is one: a folder, or a path.
    """

    def __init__(self, url: str, *, patience: float, mark: Path | None = None) -> None:
        self._url = _driver_url(url)
        where = f"{self._url.host or self._url.query.get('host', 'localhost')}/{self._url.database or ''}"
        super().__init__(where, patience=patience, migrates_itself=False, mark=mark)
        self._origin: Origin | None = None

    def passing(self, error: exc.SQLAlchemyError, /) -> bool:
        """Whether the server went away, or two writers met."""
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            return True
        state = _state(error)
        if state:
            return state.startswith(_PASSING)
        # An error of the driver without a state: there is no server to tell one.
        return isinstance(error, exc.OperationalError) and hasattr(error.orig, "sqlstate")

    def copy_to(self, _target: Path) -> NoReturn:
        """Refuse: a server has tools of its own for that."""
        raise ConfigurationError(
            "A ledger in PostgreSQL is backed up by the server's own tools; nothing was copied. Use pg_basebackup "
            "(with an archive of its log, so that nothing is lost) or pg_dump."
        )

    def rewrite(self) -> bool:
        """Nothing to do: the server frees the space when it sees fit."""
        return False

    def committed(self, last_event: int) -> None:
        """What is durable now is what a dump that is put back would lack."""
        super().committed(last_event)
        if self._origin is None or self._origin.has_witness or self._connection is None:
            return
        # What fails here is done by the next who looks back.
        with suppress(exc.SQLAlchemyError), self._connection.begin():
            self._origin = self._origin.with_witness(self._connection)

    def _make_engine(self) -> Engine:
        settings = dict(_SETTINGS)
        if self.purpose is not Purpose.PAY:
            # No payout waits for it, and a look through all of a large ledger takes its time.
            settings["statement_timeout"] = "10min"
        if self.purpose is Purpose.READ:
            settings["default_transaction_read_only"] = "on"
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        given = self._url.query.get("options")
        engine = create_engine(
            self._url.difference_update_query(["options"]),
            poolclass=NullPool,
            # Who only reads sees one moment throughout a transaction, so that a payout and its history fit together.
            isolation_level="REPEATABLE READ" if self.purpose is Purpose.READ else "READ COMMITTED",
            hide_parameters=True,
            connect_args={
                "options": f"{options} {given}" if given else options,
                "connect_timeout": 5,
                # A server whose machine is gone must show before the deadline of a payout.
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "tcp_user_timeout": 10_000,
            },
        )
        event.listen(engine, "connect", _never_forget)
        return engine

    def _message(self, error: exc.SQLAlchemyError) -> str:
        state = _state(error)
        for known in (state, state[:2]):
            if known in _MESSAGES:
                return _MESSAGES[known]
        if self.passing(error):
            return "the server cannot be reached; start it, or mend the URL"
        return f"the server refused ({state or type(error).__name__})"

    def _lock_schema(self, connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _SCHEMA_LOCK})

    def _suspicion(self, connection: Connection) -> str | None:
        if self.purpose is Purpose.READ and connection.execute(text("SELECT pg_is_in_recovery()")).scalar():
            return None  # A standby is a good place to read.
        self._origin = Origin.read(connection)
        known = connection.execute(select(meta.c.value).where(meta.c.key == "server")).scalar()
        if known is not None and known != _server(connection):
            return "the server is another one, or was rolled back, or a standby took over"
        return self._origin.suspicion(connection)

    def _is_noted_otherwise(self) -> bool:
        return self._origin is not None and not self._origin.is_noted

    def _identity_noted(self, connection: Connection) -> None:
        insert = postgresql.insert(meta).values(key="server", value=_server(connection))
        connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_={"value": insert.excluded.value}))
        self._origin = Origin.note(connection)

    def _is_same(self, connection: Connection) -> bool:
        return self._origin is not None and self._origin.is_same(connection, self.restored)

    def _migrate(self, connection: Connection) -> bool:
        version = schema_version(connection)
        sound = version is not None and self._suspicion(connection) is None
        new = super()._migrate(connection)
        if sound and not new:
            # A step may write the tables anew, which would look as if they had been filled from a dump.
            self._identity_noted(connection)
        return new


def _driver_url(url: str) -> URL:
    try:
        return make_url(url).set(drivername="postgresql+psycopg")
    except exc.ArgumentError:
        # The URL may hold a password, so it is not quoted.
        raise ConfigurationError(
            "The ledger's URL cannot be read. Give ledger='postgresql://user@host/database'."
        ) from None


def _server(connection: Connection) -> str:
    """What changes when the data directory is another one, or its history took another turn."""
    database: int = connection.execute(
        text("SELECT oid::bigint FROM pg_database WHERE datname = current_database()")
    ).scalar_one()
    try:
        with connection.begin_nested():
            system, timeline = connection.execute(
                text(
                    "SELECT system_identifier::text, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) "
                    "FROM pg_control_system()"
                )
            ).one()
    except (ProgrammingError, exc.NotSupportedError):
        return str(database)  # Some hosted servers do not tell.
    return f"{system}/{timeline}/{database}"


def _state(error: exc.SQLAlchemyError) -> str:
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def _never_forget(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        if cursor.execute("SHOW synchronous_commit").fetchone()[0] == "off":
            # A crash of the server could undo a commit, which is a payout sent twice.
            cursor.execute("SET synchronous_commit = on")
        if connection.info.server_version >= 170_000:
            cursor.execute(f"SET transaction_timeout = {_TRANSACTION_SECONDS * 1000:.0f}")
        if cursor.execute("SHOW fsync").fetchone()[0] == "off":
            logger.warning("The ledger's server runs with fsync off: after a power loss it may have forgotten payouts.")
    connection.commit()
