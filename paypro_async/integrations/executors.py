"""Which processes of an engine live: each holds a lock of PostgreSQL for as long as its session does.

A process that is killed takes its session with it, and PostgreSQL lets the lock go at once; one whose machine is lost
is noticed by the server's own probes of the connection. A process that can take the lock of another therefore knows
that this one is dead, and keeps it from coming back while it decides what becomes of its work.
"""

import asyncio
import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from attrs import define, field

from paypro_async.errors import ConfigurationError
from paypro_async.integrations.shard_worker import SHORTEST_PAUSE
from paypro_async.ledger.sql.server.messages import code_of, message_of, passes
from paypro_async.ledger.sql.server.pooler import Pooling, look_for_pooler
from paypro_async.log import logger

__all__ = ["Executors"]

_DECIDES = "paypro_async executors"
_CONNECT_SECONDS = 5
_SESSION = """
    SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
    SET statement_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'
"""
"""By these probes the server notices within some ten seconds that a machine is gone, and not in two hours."""
_IS_YOUNG = "SELECT now() - pg_postmaster_start_time() < interval '3 seconds'"
_POOLED = (
    "The address of the engine's database leads to a pooler in transaction mode (PgBouncer: pool_mode = transaction), "
    "behind which no session lasts, so that a worker that is dead could not be told from one that lives. Nothing was "
    "sent. Give the engine PostgreSQL's own address; the ledger may stay behind the pooler."
)
_LOCK_FOR_NOW = "SELECT pg_try_advisory_xact_lock(%s)"
_MINE = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND mode = 'ExclusiveLock'
    AND granted AND objsubid = 1 AND (classid::bigint << 32) + objid::bigint = %s
"""


@define(eq=False)
class Executors:
    """The locks, as seen by one process. One thread uses it.

    Args:
        url: Of the database, as psycopg takes it; a direct one, since a pooler in transaction mode keeps no session.
        me: This process, in a name that no other has or had.
        dead_after: Seconds for which a lock must have been free. A session may be cut while its process lives, which
            then has a new one within a second.
    """

    url: str = field(repr=False)
    me: str
    dead_after: float
    _connection: psycopg.Connection[Any] | None = field(default=None, init=False, repr=False)
    _free_since: dict[str, float] = field(factory=dict, init=False)

    def hold(self) -> None:
        """Have this process's lock, in a new session if the one before was cut.

        Raises:
            psycopg.Error: If the database cannot be reached.
            ConfigurationError: If another process that lives has this one's name.
        """
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.url, autocommit=True, connect_timeout=_CONNECT_SECONDS)
            self._connection.execute(_SESSION)
        try:
            if not self._holds(self._connection):
                self._take(self._connection)
        except psycopg.Error:
            self.close()
            raise

    async def wait(self) -> None:
        """Have the lock, as soon as there is a database.

        Raises:
            ConfigurationError: As ``hold`` does; or if a person must mend something first, or a pooler is in the way.
        """
        while True:
            try:
                await asyncio.to_thread(self.hold)
                break
            except psycopg.Error as error:
                if code_of(error) and not passes(error):
                    raise ConfigurationError(
                        f"The engine's database cannot be used: {message_of(error)}. Nothing was sent."
                    ) from error
                logger.warning("The worker waits for its engine's database: %s.", message_of(error))
            await asyncio.sleep(SHORTEST_PAUSE)
        if await look_for_pooler(self.url) is Pooling.TRANSACTION:
            self.close()
            raise ConfigurationError(_POOLED)

    def _holds(self, connection: psycopg.Connection[Any]) -> bool:
        row = connection.execute(_MINE, [_key(self.me)]).fetchone()
        return row is not None and row[0] > 0

    def _take(self, connection: psycopg.Connection[Any]) -> None:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_key(self.me)]).fetchone()
        if row is None or not row[0]:
            raise ConfigurationError(
                f"Another process that lives calls itself {self.me!r} too, and each would take the other's work for "
                "its own. Nothing was sent. Give each process a name of its own."
            )

    @contextmanager
    def dead(self, among: Iterable[str]) -> Iterator[list[str]]:
        """Those of them that are dead, for as long as the block runs; empty too while another process decides.

        Raises:
            psycopg.Error: If the database cannot be reached.
        """
        connection = self._connection
        others = set(among) - {self.me}
        self._free_since = {name: since for name, since in self._free_since.items() if name in others}
        if connection is None or not others:
            yield []
            return
        # The locks go with the transaction.
        with connection.transaction():
            yield self._dead(connection, others) if self._may_decide(connection) else []

    def _may_decide(self, connection: psycopg.Connection[Any]) -> bool:
        """Whether no other process decides just now, and those that live have had time to come back to the server."""
        young = connection.execute(_IS_YOUNG).fetchone()
        if young is None or young[0]:
            return False
        return _free(connection, _DECIDES)

    def _dead(self, connection: psycopg.Connection[Any], others: Iterable[str]) -> list[str]:
        now, dead = time.monotonic(), []
        for name in sorted(others):
            if not _free(connection, name):
                self._free_since.pop(name, None)
            elif now - self._free_since.setdefault(name, now) >= self.dead_after:
                dead.append(name)
        return dead

    def close(self) -> None:
        """Let the lock go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _free(connection: psycopg.Connection[Any], name: str) -> bool:
    row = connection.execute(_LOCK_FOR_NOW, [_key(name)]).fetchone()
    return row is not None and bool(row[0])


def _key(name: str) -> int:
    """The number by which PostgreSQL knows a lock."""
    digest = hashlib.sha256(f"paypro_async {name}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
