"""A network between workers and the platform that can be taken away and given back."""

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Gate:
    """Listens at ``url`` and leads to another address, until it is shut; then nobody is let in, and nothing passes."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}{self._to.path}"

    async def open(self) -> None:
        """Let in, at the same port as before."""
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def shut(self) -> None:
        """Cut all that is connected, and refuse what comes."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shut()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._to.hostname, self._to.port)
        both = {writer, back}
        self._writers |= both
        try:
            await asyncio.gather(_carry(reader, back), _carry(there, writer))
        finally:
            self._writers -= both
            for one in both:
                one.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except OSError:
        pass  # one end has gone, and the other one hears of it
    writer.transport.abort()
