"""The fast transport: aiohttp's connections, without its session and its parser. The only file that imports aiohttp.

One request is one write of ours, on a connection that aiohttp made. Connections rest here and not in aiohttp's pool,
which would hand them out with whatever came behind a reply. aiohttp's parser reads what a proxy says before it opens a
tunnel.

``BaseConnector.connect``, ``Connection``, ``ClientRequest`` and ``ResponseHandler`` have public names and little
documentation; ``_factory`` is private. A connection whose protocol is not ours is refused before anything is written.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from paypro_async._core.secret import Secret
from paypro_async._core.wire import WireRequest
from paypro_async.errors import ConfigurationError
from paypro_async.transport.authorities import TlsContext, default_context
from paypro_async.transport.base import TransportSettings
from paypro_async.transport.causes import AIOHTTP_CAUSES, NO_REPLY, SPOKEN_ON
from paypro_async.transport.connections.sockets import Found, look_at
from paypro_async.transport.diagnosis import Step
from paypro_async.transport.pool import ConnectionPool, NoReplyError, Origin, Target
from paypro_async.transport.progress import DROP_UNSENT, Progress
from paypro_async.transport.proxies import Proxy
from paypro_async.transport.reading import HEAD_LIMIT, ReplyReader
from paypro_async.transport.route import Route

__all__ = ["AiohttpTransport"]

# The deadline of the whole exchange is one time-out around it.
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)

_READ_SIZE = 1 << 16


class _Handler(ResponseHandler, asyncio.BufferedProtocol):
    """One connection, and the reply that is read from it now.

    Args:
        loop: The event loop that reads.
        room: What is read is in it until :meth:`buffer_updated` returns. All connections of a loop may share one.

    Attributes:
        connection: aiohttp's own handle of it; None until the connection is made, and again once it is dropped.
        given_up: Whether a reply on it belonged to another request.
    """

    connection: Connection | None = None
    given_up = False

    def __init__(self, loop: asyncio.AbstractEventLoop, room: memoryview) -> None:
        super().__init__(loop)
        self._room = room
        self._reader: ReplyReader | None = None  # None between two requests
        self._waiter: asyncio.Future[None] | None = None
        self._unasked = 0  # bytes that came before any request
        self._socket: socket.socket | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        # Where bytes go into it as they are; on Windows a socket is no file.
        self._socket = sock if os.name != "nt" and transport.get_extra_info("sslcontext") is None else None
        with suppress(OSError):  # gone already
            sock.setsockopt(*DROP_UNSENT)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._reader is not None:
            self._reader.end(broke=exc is not None)
        self._wake()
        super().connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  asyncio's own name
        """Where the loop writes what it reads. Else each read takes a quarter of a megabyte from the system first."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """So much has come."""
        self.data_received(bytes(self._room[:nbytes]))

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            self._take_unasked(data)
            return
        reader.feed(data)
        if reader.is_over:
            if not reader.is_whole or reader.behind:
                self._abort()  # Nothing more of it is wanted, and its sender may go on for ever.
            self._wake()

    async def exchange(
        self, head: Secret[bytes], request: WireRequest, reader: ReplyReader, progress: Progress
    ) -> None:
        """Write a request, unless *progress* raises, and wait until the reply is over or none can come."""
        # Head and body are one write, so that no moment lies between them.
        self._speak(b"%b%b" % (head.reveal(), request.body), reader, progress.begin)
        if not reader.is_over and self.transport is not None:
            self._waiter = self._loop.create_future()
            await self._waiter

    def _speak(self, data: bytes, reader: ReplyReader, begin: Callable[[], None]) -> None:
        transport = self.transport
        if transport is None:
            raise NoReplyError(NO_REPLY)
        self._reader = reader
        # Past asyncio, whose own steps lie between a look and the system call: a frozen process wakes in there, too.
        if self._socket is not None and not transport.get_write_buffer_size():
            descriptor = self._socket.fileno()
            begin()
            with suppress(BlockingIOError):
                data = data[os.write(descriptor, data) :]
        else:
            begin()
        if data:
            transport.write(data)

    def rest(self, reader: ReplyReader) -> bool:
        """Get ready for the next request, if the reply to the last one was all that came."""
        transport = self.transport
        if transport is None or transport.is_closing() or not reader.keeps:
            return False
        if transport.get_write_buffer_size():
            return False  # The platform answered before it had read all.
        self._reader = None
        return True

    def look(self) -> Found:
        """What has become of it since it rests; what still waits in the kernel counts as well."""
        transport = self.transport
        if self.given_up or self._unasked:
            return Found.SPOILED
        if transport is None or transport.is_closing():
            return Found.CLOSED
        return look_at(transport.get_extra_info("socket"))

    def is_fresh(self) -> bool:
        """Whether a new connection is still open and nothing was said on it yet."""
        return self.transport is not None and not self._unasked

    def _take_unasked(self, data: bytes) -> None:
        """Bytes that answer no request: those of a proxy while the connection is made, or such as cost it."""
        self._unasked += len(data)
        if self.connection is not None or self._unasked > HEAD_LIMIT:
            self._abort()
        else:
            super().data_received(data)

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def give_up(self) -> None:
        """Drop it, because a reply on it belongs to another request, also if a further request waits for its own."""
        self.given_up = True
        self.drop()

    def drop(self) -> None:
        """Close at once, whatever has not left yet."""
        self._abort()
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class _Connector(aiohttp.TCPConnector):
    """Makes connections; :class:`AiohttpTransport` keeps and counts them."""

    def __init__(self) -> None:
        super().__init__(limit=0, resolver=aiohttp.ThreadedResolver())
        # Private. If aiohttp stops to use it, no connection is one of ours, and each is refused.
        loop, room = asyncio.get_running_loop(), memoryview(bytearray(_READ_SIZE))  # One thread reads into it.
        self._factory: Any = partial(_Handler, loop=loop, room=room)


class AiohttpTransport(ConnectionPool[_Handler]):
    """Connections of aiohttp, one request at a time on each.

    Args:
        settings: How many connections there are at most, TLS, the proxy and the clock.
    """

    def __init__(self, settings: TransportSettings | None = None) -> None:
        # It ends each request in time; what is made of this class may not.
        self.keeps_time: bool = type(self) is AiohttpTransport
        settings = settings or TransportSettings()
        super().__init__(settings, causes=AIOHTTP_CAUSES, faults=(aiohttp.ClientError, HttpProcessingError))
        self._tls = TlsContext(settings.ssl_context, make=default_context)
        self._connector: _Connector | None = None

    async def _way(self, url: str, proxy: Proxy | None) -> aiohttp.ClientRequest:
        """What the connector needs to know of a request. Never sent."""
        if proxy is not None and proxy.is_socks:
            raise ConfigurationError(
                f"The proxy ({proxy.setting}) speaks SOCKS, which the aiohttp transport does not. Nothing was sent; "
                "use transport='httpx' (PAYPRO_TRANSPORT=httpx) with httpx[socks] installed, or a proxy that speaks "
                "HTTP."
            )
        secure = url.startswith("https:") or (proxy is not None and proxy.scheme == "https")
        return aiohttp.ClientRequest(
            "POST",
            URL(url),
            loop=asyncio.get_running_loop(),
            ssl=await self._tls.get() if secure else True,
            proxy=None if proxy is None else URL(proxy.url.reveal()),
        )

    async def _dial(self, to: Origin[_Handler], _: WireRequest, __: Progress) -> _Handler:
        # The connector is left to itself when the transport is closed: closing it would cut what is under way, and no
        # connection rests in it.
        if self._connector is None:
            self._connector = _Connector()
        connection = await self._connector.connect(to.way, [], _NO_TIMEOUT)
        handler = connection.protocol
        if not isinstance(handler, _Handler):
            connection.close()
            raise ConfigurationError(
                "This version of aiohttp is not understood. Nothing was sent; install another one, or use httpx."
            )
        handler.connection = connection
        if not handler.is_fresh():
            handler.drop()
            raise NoReplyError(SPOKEN_ON)
        return handler

    async def _drop(self, connection: _Handler) -> None:
        connection.drop()

    def _drop_soon(self, connection: _Handler) -> None:
        connection.drop()

    @staticmethod
    def _target(url: str) -> Target:
        parsed = URL(url)
        return Target(str(parsed), parsed.raw_path_qs, parsed.host_port_subcomponent or "")

    def _step(self, error: Exception, route: Route, progress: Progress) -> Step:
        status = error.status if isinstance(error, aiohttp.ClientHttpProxyError) else None
        at_proxy = None
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError):
            there = f"[{error.host}]:{error.port}" if ":" in error.host else f"{error.host}:{error.port}"
            at_proxy = route.proxy is not None and there == route.proxy.address
        return Step(begun=progress.begun, at_proxy=at_proxy, status=status)
