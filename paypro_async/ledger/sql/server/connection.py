"""A connection of psycopg's that waits for no answer without an end, and whether it is one to the server itself."""

import os
import socket
import time
from collections.abc import Generator, Mapping
from typing import Any

import psycopg
from attrs import frozen
from psycopg import OperationalError
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, exc

from paypro_async._core.secret import HiddenFields
from paypro_async.errors import ConfigurationError
from paypro_async.ledger.sql.server.address import ServerAddress
from paypro_async.ledger.sql.server.settings import Look

__all__ = ["Link", "link_of", "open_connection", "see_that_it_commits"]

_CONNECTING = "5"
# Longer than a server carries out a statement of ours, and than PgBouncer lets it wait after its server was away, which
# is 15 s; where it has no free connection to the server it is two minutes.
_ANSWER_SECONDS = 20.0
# A server whose machine is gone must show before the deadline of a payout.
_KEEPALIVE: Mapping[str, str] = {
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
_HAS_PRIMARY = 140_000


class _Connection(psycopg.Connection[Any]):
    answers_within: float | None = None

    def wait(self, gen: Generator[Any, Any, Any], *arguments: Any, **named: Any) -> Any:
        """Wait as psycopg does, but not for ever: a server that stands still keeps the ledger's thread otherwise."""
        if self.answers_within is not None:
            gen = self._bounded(gen, self.answers_within)
        return super().wait(gen, *arguments, **named)

    def _bounded(self, waiting: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
        until = time.monotonic() + seconds
        try:
            wanted = next(waiting)
            while True:
                wanted = waiting.send((yield wanted))  # which is woken ten times a second, whether there is something
                if time.monotonic() > until:
                    # Whatever it answers later belongs to nothing any more.
                    self.pgconn.finish()
                    raise OperationalError(f"no answer within {seconds:.0f} seconds")
        except StopIteration as end:
            return end.value


def open_connection(address: ServerAddress, *, writes: bool, hurried: bool) -> "psycopg.Connection[Any]":
    """Connect; nothing is prepared in the server and no transaction begins by itself.

    Args:
        address: Where it leads.
        writes: Whether, of several hosts, only the primary will do.
        hurried: Whether an answer that does not come in time ends the connection.
    """
    _refuse_unknown(address.public)
    defaults = {
        "connect_timeout": _CONNECTING,
        "fallback_application_name": "paypro-async",
        **_KEEPALIVE,
    }
    # Where the URL names no host, PGHOST or a service does, and each may name several.
    several = "," in address.public.get("host", ",")
    if writes and several and psycopg.pq.version() >= _HAS_PRIMARY:
        # Else the first that answers is taken, and after a fail-over that is the old primary.
        defaults["target_session_attrs"] = "primary"
    # Text is text, whatever the environment and the role say.
    wanted: HiddenFields[str, Any] = HiddenFields(defaults | address.parameters, client_encoding="UTF8")
    connection = _Connection.connect(**wanted, autocommit=True, prepare_threshold=None)
    connection.answers_within = _ANSWER_SECONDS if hurried else None
    return connection


def _refuse_unknown(parameters: Mapping[str, str]) -> None:
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    unknown = sorted(parameters.keys() - known)
    if any("@" in parameters[name] for name in unknown):
        raise ConfigurationError(
            "The ledger's URL has its host behind a question mark, so that a part of the password would be taken for a "
            "parameter. Nothing was sent. Write a ? of the password as %3F."
        )
    if unknown:
        raise ConfigurationError(
            f"The ledger's URL gives a parameter that libpq does not know: {', '.join(map(repr, unknown))}. Nothing "
            "was sent. Mend its name; a setting of the server is written as ?options=-cname%3Dvalue."
        )


def see_that_it_commits(connection: Connection) -> None:
    """Raise if the transaction that is about to be committed is none any more, where COMMIT alone would tell nobody.

    Raises:
        sqlalchemy.exc.OperationalError: If it has ended or failed; it is done once more on another connection.
    """
    driver: Any = connection.connection.dbapi_connection
    if driver.info.transaction_status is not TransactionStatus.INTRANS:
        ended = OperationalError("the transaction had ended before its commit")
        raise exc.OperationalError("COMMIT", None, ended)


@frozen
class Link:
    """What stands between a connection and the server.

    Args:
        is_direct: Whether that is surely nothing that shares out the server's processes.
        options: What libpq sent along, from PGOPTIONS or a service file.
    """

    is_direct: bool
    options: str


def link_of(connection: "psycopg.Connection[Any]", look: Look) -> Link:
    """The link of a connection in whose transaction *look* was taken."""
    same_process = connection.info.backend_pid == look.process
    # A pooler may pass on the process that it had at first; but then the server sees the pooler's port.
    same_port = look.client_port is None or look.client_port == _own_port(connection)
    return Link(same_process and same_port, connection.info.options)


def _own_port(connection: "psycopg.Connection[Any]") -> int | None:
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as copy:
            name = copy.getsockname()
    except OSError:
        return None  # Windows, where that is no file
    return name[1] if isinstance(name, tuple) else None
