"""Whether a pooler stands before a ledger's server, and how it hands the server out.

A pooler answers a connection itself, with a number of its own in place of the server process's. What it does between
two transactions shows when there are two connections: in session mode each keeps its server process for as long as it
lives, and in transaction mode the second one gets the process that the first one has just given back.
"""

import asyncio
from contextlib import suppress
from enum import Enum
from typing import Any

from psycopg import AsyncConnection, Error, InterfaceError

from paypro_async.ledger.sql.server.address import ServerAddress
from paypro_async.ledger.sql.server.messages import message_of

__all__ = ["Pooling", "look_for_pooler"]

_TURNS = 3


class Pooling(Enum):
    """How connections reach the server."""

    NONE = "none"
    """Directly: nothing stands in between that shares out the server's processes."""
    SESSION = "session"
    """Through a pooler that gives each connection a server process of its own."""
    TRANSACTION = "transaction"
    """Through a pooler that gives each transaction whichever server process is free."""


async def look_for_pooler(url: str, *, within: float = 5.0) -> Pooling | str:
    """How the server of this ledger is reached; or, where that cannot be told, why, in words for people.

    It opens two connections for a moment and changes nothing. The ledger works in each of these ways; what it cannot
    work with (a pooler in statement mode) is told as why.

    Args:
        url: The ledger's, ``postgresql://…``.
        within: Seconds after which it is given up.

    Raises:
        ConfigurationError: If the URL cannot be read.
    """
    parameters = dict(ServerAddress.read(url).parameters)
    try:
        async with asyncio.timeout(within):
            return await _look(parameters, within)
    except (Error, OSError) as error:
        if isinstance(error, InterfaceError):
            return "this event loop cannot wait for PostgreSQL"  # that of Windows
        return message_of(error)


async def _look(parameters: dict[str, Any], within: float) -> Pooling:
    async with await _connect(parameters) as first:
        known = await _process(first)
        if known == first.info.backend_pid:
            return Pooling.NONE
        async with await _connect(parameters) as second:
            looking = asyncio.ensure_future(_shares(first, second, known))
            done, _ = await asyncio.wait({looking}, timeout=within / 3)
            if done:
                return Pooling.TRANSACTION if looking.result() else Pooling.SESSION
            # The first one keeps the only process that the pooler may use, although it is idle. Now it gives it up.
            await first.close()
            with suppress(Error):
                await looking
            return Pooling.SESSION


async def _connect(parameters: dict[str, Any]) -> "AsyncConnection[Any]":
    return await AsyncConnection.connect(**parameters, autocommit=True, prepare_threshold=None)


async def _shares(first: "AsyncConnection[Any]", second: "AsyncConnection[Any]", known: int) -> bool:
    for _ in range(_TURNS):
        # While the second one is in a transaction, the first one gets another process if they share them.
        async with second.transaction():
            if known == await _process(second) or known != await _process(first):
                return True
    return False


async def _process(connection: "AsyncConnection[Any]") -> int:
    row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    return int(row[0]) if row else 0
