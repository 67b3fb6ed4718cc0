"""What a ledger relies on in each of its transactions, sent with the transaction's BEGIN in one message.

A setting of the connection would not do: a pooler in transaction mode hands each transaction to another server process,
whose settings are what the last client has left there. So nothing of a session counts, and it costs no way to the
server. What was set is looked at once for each connection, in its first transaction.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Self

from attrs import evolve, frozen
from sqlalchemy import Connection

from paypro_async.errors import ConfigurationError

__all__ = ["Look", "Settings"]

_OURS: Mapping[str, str] = MappingProxyType(
    {
        # A process that is frozen inside a transaction must not block all the others.
        "idle_in_transaction_session_timeout": "2s",
        "lock_timeout": "5s",
        "statement_timeout": "10s",
        "client_min_messages": "warning",
        # Times are numbers with more digits than an older server, or one that is set so, tells.
        "extra_float_digits": "3",
    }
)
# No payout waits for who reads or maintains, and a look through all of a large ledger takes its time.
_UNHURRIED = "10min"
# A process that is frozen while it sends one statement after the other is not idle for the server, which then waits for
# the rest without an end. From version 17 on a server can end that too.
_TRANSACTION_SECONDS = "10s"
_HAS_TRANSACTION_TIMEOUT = 170_000
# All that a payment looks for has an index. A plan that was made while a table was small reads all of it, and goes on
# while the table grows, until the server has counted it again: a batch would be the slower the longer it is.
_WHOLE_TABLES = "enable_seqscan"
_DURABLE = "synchronous_commit"
# A crash could undo such a commit, on the server itself or where a standby takes over: a payout would be sent twice.
_NOT_DURABLE = ("off", "local", "remote_write")
_PATH = "search_path"
_ROLE = "role"
_QUOTED = re.compile(r'\s*"((?:[^"]|"")*)"')


@frozen
class Settings:
    """What each transaction of a connection sets.

    Args:
        values: By name, as the server is told.
        ours: The names of those that must be there as they are written.
        isolation: Of each transaction.
        reads_only: Whether nothing may be written.
        path: The schemas that tables are looked for in, as they were found; None before that was looked at.
    """

    values: Mapping[str, str]
    ours: Sequence[str]
    isolation: str
    reads_only: bool
    path: Sequence[str] | None = None

    @classmethod
    def of(cls, given: Mapping[str, str], *, server_version: int, pays: bool, reads_only: bool) -> Self:
        """Those of a connection that *pays*, maintains or *reads_only*; what a user has *given* goes before ours."""
        ours = dict(_OURS)
        if not pays:
            ours["statement_timeout"] = _UNHURRIED
        else:
            ours[_WHOLE_TABLES] = "off"
            if server_version >= _HAS_TRANSACTION_TIMEOUT:
                ours["transaction_timeout"] = _TRANSACTION_SECONDS
        return cls(
            values={**ours, **given},
            ours=tuple(ours.keys() - given.keys()),
            # Who only reads sees one moment throughout a transaction, so that a payout and its history fit together.
            isolation="REPEATABLE READ" if reads_only else "READ COMMITTED",
            reads_only=reads_only,
        )

    def begin(self, *, write: bool) -> str:
        """What a transaction begins with."""
        # Where nothing is written, the server's own default holds, so that a standby is no obstacle.
        mode = ", READ ONLY" if self.reads_only else ", READ WRITE" if write else ""
        return "; ".join([f"BEGIN ISOLATION LEVEL {self.isolation}{mode}", *self._sets()])

    def looked_at(self, look: "Look") -> Self:
        """With what the server has by itself: where tables are, and how durable a commit is."""
        durable = "on" if look.settings[_DURABLE] in _NOT_DURABLE else look.settings[_DURABLE]
        return evolve(self, values={**self.values, _DURABLE: durable}, path=look.schemas)

    def refuse_elsewhere(self, schema: str | None, *, name: str) -> None:
        """Raise if the ledger's tables are found in another *schema* than the one that was named first.

        Raises:
            ConfigurationError: If they are; a ledger in the place that was named would know nothing of them.
        """
        first = _first(self.values.get(_PATH, ""))
        if schema is not None and first is not None and schema != first:
            raise ConfigurationError(
                f"The ledger {name} was not migrated: its tables are in the schema {schema!r}, and search_path names "
                f"{first!r} first. Nothing was changed. Name {schema!r} first, or it alone; or {first!r} alone, for "
                "another ledger that knows nothing of this one's payouts."
            )

    def _sets(self) -> list[str]:
        sets = [f"SET LOCAL {_name(name)} = {_text(value)}" for name, value in self.values.items() if name != _PATH]
        if _ROLE not in self.values:
            sets.append(f"SET LOCAL {_identifier(_ROLE)} TO DEFAULT")
        if self.path is not None:
            # Last of all, so that no temporary table of another client stands before one of ours.
            path = ", ".join([*(_identifier(schema) for schema in self.path), "pg_temp"])
            return [*sets, f"SET LOCAL {_PATH} = {path}"]
        if _DURABLE not in self.values:
            sets.append(f"SET LOCAL {_DURABLE} TO DEFAULT")
        if _PATH in self.values:
            return [*sets, f"SELECT set_config('{_PATH}', {_text(self.values[_PATH])}, true)"]
        return [*sets, f"SET LOCAL {_PATH} TO DEFAULT"]


@frozen
class Look:
    """What a server says of itself in the first transaction of a connection.

    Args:
        schemas: Those that tables are looked for in, of which the first one takes new tables.
        encoding: Of the database.
        keeps: Whether the server waits for its disk.
        process: The number of the server process that carries out this transaction.
        client_port: From which it is connected, as it sees that; None over a socket in a folder.
        settings: As they are now, by name.
    """

    schemas: Sequence[str]
    encoding: str
    keeps: bool
    process: int
    client_port: int | None
    settings: Mapping[str, str]

    @classmethod
    def take(cls, connection: Connection, settings: Settings) -> Self:
        """Look, in a transaction that has begun with *settings*."""
        names = sorted({*settings.ours, _DURABLE})
        row = connection.exec_driver_sql(
            "SELECT current_schemas(false)::text[], current_setting('server_encoding'), current_setting('fsync'),"
            f" pg_backend_pid(), inet_client_port(), {', '.join(f'current_setting({_text(name)})' for name in names)}"
        ).one()
        schemas, encoding, fsync, process, client_port, *values = row
        taken = dict(zip(names, values, strict=True))
        return cls(schemas, encoding, fsync != "off", process, client_port, taken)

    def refuse(self, settings: Settings, *, name: str) -> None:
        """Raise for what is not so.

        Raises:
            ConfigurationError: If the server did not take a setting, or has no place for tables where one was named.
        """
        for setting in settings.ours:
            if self.settings[setting] != settings.values[setting]:
                raise ConfigurationError(
                    f"The ledger {name} cannot be used: the server, or a pooler before it, did not take {setting} = "
                    f"{settings.values[setting]} and says {self.settings[setting]}. Nothing was sent. Connect "
                    "directly, or through PgBouncer."
                )
        first = _first(settings.values.get(_PATH, ""))
        if first is not None and first not in self.schemas[:1]:
            raise ConfigurationError(
                f"The ledger {name} cannot be used: there is no schema {first!r}, which search_path names first, or "
                "the user may not use it. Nothing was sent. Make it with CREATE SCHEMA, grant USAGE on it, or mend "
                "search_path in the URL, in PGOPTIONS or in a service file."
            )
        if not self.schemas:
            raise ConfigurationError(
                f"The ledger {name} cannot be used: the user's search_path names no schema that it may use. Nothing "
                "was sent. Grant USAGE on one, or write ?options=-csearch_path%3Dpayments into the URL."
            )

    def refuse_encoding(self, *, name: str) -> None:
        """Raise for a database that cannot hold every text.

        Raises:
            ConfigurationError: If it cannot.
        """
        if self.encoding not in ("UTF8", "SQL_ASCII"):
            raise ConfigurationError(
                f"The ledger {name} cannot be used: its database is encoded in {self.encoding}, which cannot hold "
                "every name, and every message of the platform. Nothing was sent. Make one with ENCODING 'UTF8' "
                "TEMPLATE template0."
            )


def _first(path: str) -> str | None:
    """The first schema that a search path names; None if it names none, or the one that is called as the user is."""
    quoted = _QUOTED.match(path)
    # The server puts a name without quotes into small letters as bytes know them: those of ASCII.
    plain = path.split(",", maxsplit=1)[0].strip().encode().lower().decode()
    first = quoted[1].replace('""', '"') if quoted else plain
    return None if first in ("", "$user") else first


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def _identifier(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _name(setting: str) -> str:
    return ".".join(_identifier(part) for part in setting.split("."))
