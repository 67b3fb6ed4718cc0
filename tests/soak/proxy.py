"""Stands between the ledger and PostgreSQL: cuts, delays, swallows, refuses."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

_COMMIT = b"COMMIT\0"


class Proxy:
    """Listens on 127.0.0.1 and speaks to the socket file of a server.

    Args:
        url: The server's, for one database.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket_file = dict(parse_qsl(parts.query))["host"] + "/.s.PGSQL.5432"
        self._database = parts.path
        self._server: asyncio.Server | None = None
        self._port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._commit: str | None = None
        self.cuts = 0
        self.delay = 0.0
        """Seconds by which each answer is late."""
        self.swallowing = False
        """Whether bytes vanish, in either direction."""

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.refuse()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}{self._database}"

    async def accept(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Cut what is connected and refuse new connections."""
        assert self._server is not None
        self._server.close()
        self.cut()

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    def cut_at_commit(self, when: str) -> None:
        """Cut the connection at the next COMMIT: ``before`` it reaches the server, or ``after`` it was carried out."""
        self._commit = when

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        below, above = await asyncio.open_unix_connection(self._socket_file)
        self._writers |= {writer, above}
        both = [
            asyncio.create_task(self._pump(reader, above, self._ask)),
            asyncio.create_task(self._pump(below, writer, self._answer)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in both:
                pump.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            for one in (writer, above):
                self._writers.discard(one)
                one.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, through: Callable[[bytes], bool]
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if self.swallowing:
                    continue
                if not through(data):
                    return
                if self.delay and through == self._answer:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()

    def _ask(self, data: bytes) -> bool:
        if self._commit == "before" and _COMMIT in data:
            self._commit, self.cuts = None, self.cuts + 1
            return False
        if self._commit == "after" and _COMMIT in data:
            self._commit = "answer"
        return True

    def _answer(self, _data: bytes) -> bool:
        if self._commit == "answer":
            # The server has carried it out, and nobody hears of it.
            self._commit, self.cuts = None, self.cuts + 1
            return False
        return True
