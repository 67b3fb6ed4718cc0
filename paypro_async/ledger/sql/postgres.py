"""A ledger in PostgreSQL: its settings, its identity, and messages for its errors."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import Connection, Engine, create_engine, event, exc, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.pool import NullPool

from paypro_async._core.secret import HiddenText
from paypro_async.errors import ConfigurationError
from paypro_async.ledger.sql.database import QUIET, Database
from paypro_async.ledger.sql.migrations import schema_version
from paypro_async.ledger.sql.moments import Purpose
from paypro_async.ledger.sql.provenance.origin import Origin
from paypro_async.ledger.sql.schema import meta
from paypro_async.ledger.sql.server.address import ServerAddress, settings_in
from paypro_async.ledger.sql.server.messages import NOT_PREPARED, UNKNOWN_HOST, code_of, is_hopeless, message_of, passes
from paypro_async.ledger.sql.server.settings import Look, Settings
from paypro_async.log import logger

__all__ = ["PostgresDatabase"]


_SCHEMA_LOCK = 0x706179  # "pay"
_SCHEMA_OF_TABLES = text(
    "SELECT nspname::text FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid "
    "WHERE pg_class.oid = to_regclass('meta')"
)
# In what SQLAlchemy keeps beside a connection: what each of its transactions sets.
_SETTINGS = "paypro_settings"
# As often as psycopg does by itself, before a statement is prepared in the server.
_PREPARE_THRESHOLD = 5


class PostgresDatabase(Database):
    """One database, shared by any number of machines.

    Args:
        url: ``postgresql://user:password@host/database``.
        patience: Seconds for which a group is tried again while the server restarts.
        mark: Where a mark of it lies, if there is one: a folder, or a path.
    """

    def __init__(self, url: str, *, patience: float, mark: Path | None = None) -> None:
        url = HiddenText(url)
        self._address = ServerAddress.read(url)
        super().__init__(self._address.name, patience=patience, migrates_itself=False, mark=mark)
        self._mark_name = self._address.mark
        self._origin: Origin | None = None
        self._prepares = True
        self._migrates = False

    def describe(self, connection: Connection, /) -> dict[str, str]:
        """The server's release, whether it waits for its disk, and whether it is a standby."""
        names = ("server_version", "fsync", "synchronous_commit")
        found = {name: str(connection.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in names}
        return found | {"standby": "on" if connection.execute(text("SELECT pg_is_in_recovery()")).scalar() else "off"}

    def passing(self, error: exc.SQLAlchemyError, /) -> bool:
        """Whether the server went away, or two writers met."""
        if not isinstance(error, DBAPIError):
            return False
        code = code_of(error.orig)
        if code.startswith(NOT_PREPARED):
            self._prepares = False
        if code == UNKNOWN_HOST:
            return self.was_connected  # else it is a slip in the URL
        if is_hopeless(error.orig):
            return False
        if error.connection_invalidated or passes(error.orig):
            return True
        # An error of the driver that nothing is known of: there is no server to tell one.
        return not code and isinstance(error, exc.OperationalError) and hasattr(error.orig, "sqlstate")

    def copy_to(self, _target: Path) -> NoReturn:
        """Refuse: a server has tools of its own for that."""
        raise ConfigurationError(
            "A ledger in PostgreSQL is backed up by the server's own tools; nothing was copied. Use pg_basebackup "
            "(with an archive of its log, so that nothing is lost) or pg_dump."
        )

    def rewrite(self) -> bool:
        """Nothing to do: the server frees the space when it sees fit."""
        return False

    def migrate(self) -> int | None:
        """Bring the schema up to date, which takes its time where tables are large."""
        self._migrates = True
        try:
            return super().migrate()
        finally:
            self._migrates = False

    @property
    def _pays(self) -> bool:
        return self.purpose is Purpose.PAY and not self._migrates

    def committed(self, last_event: int) -> None:
        """What is durable now is what a dump that is put back would lack."""
        super().committed(last_event)
        if self._origin is None or self._origin.has_witness or self._connection is None:
            return
        # What fails here is done by the next who looks back.
        with (
            suppress(exc.SQLAlchemyError),
            self._connection.execution_options(paypro_write=True).begin(),
        ):
            self._origin = self._origin.with_witness(self._connection)

    def _make_engine(self) -> Engine:
        # psycopg is not there for a ledger in a file.
        from paypro_async.ledger.sql.server.connection import open_connection, see_that_it_commits  # noqa: PLC0415

        open_one = partial(
            open_connection,
            self._address,
            writes=self.purpose is not Purpose.READ,
            hurried=self._pays and "statement_timeout" not in self._address.settings,
        )
        # The ledger begins its transactions itself, and what psycopg looks up beside is not wanted.
        engine = create_engine(
            "postgresql+psycopg://",
            creator=open_one,
            poolclass=NullPool,
            # What is given up is closed, which ends its transaction too; a lost connection takes no ROLLBACK.
            pool_reset_on_return=None,
            use_native_hstore=False,
            **QUIET,
        )
        event.listen(engine, "begin", _begin)
        event.listen(engine, "commit", see_that_it_commits)
        return engine

    def _connect(self) -> Connection:
        connection = super()._connect()
        try:
            self._look_at(connection)
        except BaseException:
            connection.close()
            raise
        self.was_connected = True
        return connection

    def _look_at(self, connection: Connection) -> None:
        """Learn what the server has by itself, see that it takes what is set, and keep that for each transaction."""
        from paypro_async.ledger.sql.server.connection import link_of  # noqa: PLC0415  as above

        driver: Any = connection.connection.dbapi_connection
        sent = settings_in(driver.info.options, source="PGOPTIONS or a service file")
        settings = Settings.of(
            {**sent, **self._address.settings},
            server_version=driver.info.server_version,
            pays=self._pays,
            reads_only=self.purpose is Purpose.READ,
        )
        connection.info[_SETTINGS] = settings
        if "statement_timeout" in sent:
            driver.answers_within = None
        # As one that writes, so that a standby is refused here, unless it is only read from.
        with connection.execution_options(paypro_write=True).begin():
            look = Look.take(connection, settings)
        look.refuse(settings, name=self.name)
        if self.purpose is Purpose.PAY:
            look.refuse_encoding(name=self.name)
        connection.info[_SETTINGS] = settings.looked_at(look)
        if self._prepares and link_of(driver, look).is_direct:
            driver.prepare_threshold = _PREPARE_THRESHOLD
        if not look.keeps:
            logger.warning("The ledger's server runs with fsync off: after a power loss it may have forgotten payouts.")

    def _message(self, error: exc.SQLAlchemyError) -> str:
        secrets = [one.reveal() for one in self._address.secrets.values()]
        return message_of(getattr(error, "orig", None) or error, secrets=secrets)

    def _lock_schema(self, connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _SCHEMA_LOCK})
        settings: Settings = connection.info[_SETTINGS]
        settings.refuse_elsewhere(connection.execute(_SCHEMA_OF_TABLES).scalar(), name=self.name)

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

    def _glance(self, connection: Connection) -> float | None:
        return self._origin.glance(connection, self.restored) if self._origin is not None else None

    def _migrate(self, connection: Connection) -> bool:
        version = schema_version(connection)
        sound = version is not None and self._suspicion(connection) is None
        new = super()._migrate(connection)
        if sound and not new:
            # A step may write the tables anew, which would look as if they had been filled from a dump.
            self._identity_noted(connection)
        return new


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


def _begin(connection: Connection) -> None:
    settings: Settings = connection.info[_SETTINGS]
    write: bool = connection.get_execution_options().get("paypro_write", True)
    # Without values the driver sends it as it is, in one message.
    connection.exec_driver_sql(settings.begin(write=write), execution_options={"no_parameters": True})
