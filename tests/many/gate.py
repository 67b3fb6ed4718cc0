"""A network between workers and the platform that can be taken away and given back."""

import asyncio
import socket
from collections.abc import Coroutine
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


class Gate:
    """Listens at ``url`` and leads to another address, until it is shut; then nobody is let in, and nothing passes."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self._port = 0
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}{self._to.path}"

    async def open(self) -> None:
        """Let in, at the same port as before."""
        # As asyncio's own server this would lose what it has accepted in the moment in which it is closed.
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=1024)
        self._listener.setblocking(False)
        self._port = self._listener.getsockname()[1]
        self._begin(self._accept(self._listener))

    async def shut(self) -> None:
        """Cut all that is connected, and refuse what comes."""
        assert self._listener is not None
        for task in self._tasks:
            task.cancel()
        # First what waits on it has to let go of it.
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listener.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.shut()

    def _begin(self, running: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(running)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listener)
            task = self._begin(self._lead(connection))
            # Not by the task itself: it may be cancelled before it has begun.
            task.add_done_callback(partial(_close, connection))

    async def _lead(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            there, back = await asyncio.open_connection(self._to.hostname, self._to.port)
            try:
                await asyncio.gather(_carry(reader, back), _carry(there, writer))
            finally:
                back.transport.abort()
        finally:
            writer.transport.abort()


def _close(connection: socket.socket, _: object) -> None:
    connection.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except OSError:
        pass  # one end has gone, and the other one hears of it
    writer.transport.abort()
