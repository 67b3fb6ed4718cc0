"""What stands between a client and the sandbox: a transport that tells of each payout, and a cable that can be cut."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.transport.httpx import HttpxTransport


class Watched(HttpxTransport):
    """Tells the trade number of each payout just before its first byte, and when its reply has come."""

    leaving: Callable[[str], object] | None = None
    answered: Callable[[str], Awaitable[object]] | None = None

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        trade_no = json.loads(request.body)["tradeNo"] if request.url.endswith("/payout") else None
        if trade_no and self.leaving is not None:
            self.leaving(trade_no)
        exchange = await super().send(request, timeout=timeout)
        if trade_no and self.answered is not None:
            await self.answered(trade_no)
        return exchange


NOT_THERE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Cable:
    """Carries bytes between a client and a server until it is cut; from that instant on nothing passes.

    Any thread may cut it. What had passed before arrives.

    Args:
        url: Where it leads.
        without: A part of the paths that are not there: a request for one of them is answered with 404.
    """

    def __init__(self, url: str, *, without: str | None = None) -> None:
        self._url = urlsplit(url)
        self._without = without
        self._is_cut = False
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{self._url.path}"

    def cut(self) -> None:
        self._is_cut = True

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cut()
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if self._is_cut:
            writer.close()
            return
        there, back = await asyncio.open_connection(self._url.hostname, self._url.port)
        self._writers.append(back)
        await asyncio.gather(self._carry(reader, back, writer), self._carry(there, writer))

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: asyncio.StreamWriter | None = None
    ) -> None:
        try:
            while (data := await reader.read(65536)) and not self._is_cut:
                if client is not None and self._without and self._without.encode() in data.partition(b"\r\n")[0]:
                    client.write(NOT_THERE)
                    break
                writer.write(data)
        except OSError:
            pass  # one end has gone, and the other one hears of it
        writer.close()
