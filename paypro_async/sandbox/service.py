"""An HTTP server on one port: it accepts as many connections as it can hold, and none of them ends it."""

import errno
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.abc

from paypro_async.log import logger
from paypro_async.sandbox.capacity import OpenConnections, Place
from paypro_async.sandbox.http11 import Connection, Wire

__all__ = ["HttpService"]

_BACKLOG = 1024
_PAUSE = 0.05
_NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})


class HttpService:
    """Listens once it is opened, and serves while :meth:`run` runs.

    Args:
        host: The address to listen on.
        port: The port to listen on; a free one when 0.
        connection: Makes the connection that serves a client.
        max_connections: How many are held at one time. For one more, that which has waited longest for a request goes.
        refuse_seconds: For how long new connections are refused after :meth:`refuse`.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        connection: Callable[[Wire, Place], Connection],
        max_connections: int,
        refuse_seconds: float = 0.1,
    ) -> None:
        self._host = host
        self._wanted = port
        self._connection = connection
        self._max_connections = max_connections
        self._refuse_seconds = refuse_seconds
        self._connections = OpenConnections(limit=max_connections)
        self._accepting: anyio.CancelScope | None = None  # one can be made in an event loop alone
        self._listener: socket.socket | None = None
        self._port = port

    @property
    def port(self) -> int | None:
        """Where it listens; None while it is not open."""
        return None if self._listener is None else self._port

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: The port is taken, or not to be had.
        """
        self._listener = await _listen(self._host, self._wanted)
        self._port = self._listener.getsockname()[1]
        self._connections = OpenConnections(limit=self._max_connections)

    def close(self) -> None:
        """Listen no more; what serves must have been cancelled."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def refuse(self) -> None:
        """Let new connections be refused for a moment."""
        if self._accepting is not None:
            self._accepting.cancel()

    async def run(self, beside: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Serve until cancelled, and run something else *beside* that.

        Raises:
            OSError: It cannot listen any more, since another program has taken the port.
        """
        async with anyio.create_task_group() as connections:
            if beside is not None:
                connections.start_soon(beside)
            failure = await self._accept_until_it_fails(connections)
            connections.cancel_scope.cancel()
        raise failure  # outside of the group, which would wrap it

    async def _accept_until_it_fails(self, connections: anyio.abc.TaskGroup) -> OSError:
        while (listener := self._listener) is not None:
            self._accepting = anyio.CancelScope()
            with listener, self._accepting:
                while True:
                    await anyio.wait_readable(listener)
                    await self._accept(listener, connections)
            # A fault wants connections to be refused: nothing listens for a moment, then the same port again.
            try:
                self._listener = await _listen(self._host, self._port, after=self._refuse_seconds)
            except OSError as error:
                return error
        return OSError(errno.EBADF, "It was closed while it served")

    async def _accept(self, listener: socket.socket, connections: anyio.abc.TaskGroup) -> None:
        """Accept all clients that wait."""
        try:
            while self._connections.make_room():
                client, _ = listener.accept()
                connections.start_soon(self._serve_client, client, self._connections.enter())
            await anyio.sleep(_PAUSE)
        except BlockingIOError:
            return
        except OSError as error:
            # Out of file descriptors, or the client has gone: those that wait are taken a little later.
            if error.errno in _NO_DESCRIPTORS:
                self._connections.close_longest()
            await anyio.sleep(_PAUSE)

    async def _serve_client(self, client: socket.socket, place: Place) -> None:
        with client, place:
            try:
                client.settimeout(0)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await self._connection(Wire(client), place).serve()
            except OSError:
                return  # the client has gone; what was done stays done
            except Exception:
                # One connection must not end the service to all others.
                logger.exception("A connection to port %s failed", self._port)


async def _listen(host: str, port: int, *, after: float = 0) -> socket.socket:
    """Listen on *port* after so many seconds, in which connections are refused."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.settimeout(0)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))  # before the wait, in which another program might take the port
        if after:
            await anyio.sleep(after)
        listener.listen(_BACKLOG)
    except BaseException as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise OSError(error.errno, f"Port {port} is taken") from None
        raise
    return listener
