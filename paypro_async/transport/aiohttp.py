"""The fast transport: aiohttp's connections, without its session and its parser. The only file that imports aiohttp.

A session may send a request a second time, follows redirects and keeps cookies. Here one request is one write of ours,
on a connection that aiohttp made, and the reply is what :class:`ReplyReader` reads; so the line before the write knows
whether anything was sent, and looks at the send deadline. Connections rest here and not in aiohttp's pool, which would
hand them out with whatever came behind a reply. aiohttp's parser reads what a proxy says before it opens a tunnel.

``BaseConnector.connect``, ``Connection``, ``ClientRequest`` and ``ResponseHandler`` have public names and little
documentation; ``_factory`` is private. A connection whose protocol is not ours is refused before anything is written.
"""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, TypeVar

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from attrs import define
from yarl import URL

from paypro_async._core.secret import Secret
from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.errors import ClientStateError, ConfigurationError
from paypro_async.transport.authorities import TlsContext, default_context
from paypro_async.transport.base import TransportSettings
from paypro_async.transport.causes import AIOHTTP_CAUSES, GIVEN_UP, NO_REPLY, SPOKEN_ON
from paypro_async.transport.connections.held import HeldConnection
from paypro_async.transport.connections.resting import RestingConnections
from paypro_async.transport.connections.slots import Slots
from paypro_async.transport.connections.sockets import Found, look_at
from paypro_async.transport.diagnosis import Step, diagnosed
from paypro_async.transport.progress import DROP_UNSENT, Progress, TooLateError
from paypro_async.transport.proxies import Proxy, origin, proxy_to
from paypro_async.transport.reading import HEAD_LIMIT, ReplyReader
from paypro_async.transport.route import Route, mended, unanswered

__all__ = ["AiohttpTransport"]

T = TypeVar("T")

# The deadline of the whole exchange is one time-out around it.
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)


class _NoReplyError(Exception):
    """No usable reply can come any more; the text says why."""


_FAULTS = (TooLateError, _NoReplyError, aiohttp.ClientError, HttpProcessingError, OSError, ValueError)


class _Handler(ResponseHandler):
    """One connection, and the reply that is read from it now.

    Attributes:
        connection: aiohttp's own handle of it; None until the connection is made, and again once it is dropped.
        given_up: Whether a reply on it belonged to another request.
    """

    connection: Connection | None = None
    given_up = False

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._reader: ReplyReader | None = None  # None between two requests
        self._waiter: asyncio.Future[None] | None = None
        self._unasked = 0  # bytes that came before any request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        with suppress(OSError):  # gone already
            transport.get_extra_info("socket").setsockopt(*DROP_UNSENT)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._reader is not None:
            self._reader.end(broke=exc is not None)
        self._wake()
        super().connection_lost(exc)

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

    def speak(self, data: bytes, reader: ReplyReader, begin: Callable[[], None]) -> None:
        """Write a request, unless *begin* raises because it is too late. What comes next is for *reader*."""
        transport = self.transport
        if transport is None:
            raise _NoReplyError(NO_REPLY)
        self._reader = reader
        # Past asyncio, whose own steps lie between a look and the system call: a frozen process wakes in there, too.
        direct = os.name != "nt" and transport.get_extra_info("sslcontext") is None
        if direct and not transport.get_write_buffer_size():
            descriptor = transport.get_extra_info("socket").fileno()
            begin()
            with suppress(BlockingIOError):
                data = data[os.write(descriptor, data) :]
        else:
            begin()
        if data:
            transport.write(data)

    async def reply_is_over(self) -> None:
        """Wait until the reply is whole, or nothing more can come of it."""
        reader = self._reader
        if reader is not None and not reader.is_over and self.transport is not None:
            self._waiter = self._loop.create_future()
            await self._waiter

    def rest(self) -> bool:
        """Get ready for the next request, if the reply to the last one was all that came."""
        transport, reader = self.transport, self._reader
        if transport is None or transport.is_closing() or reader is None or not reader.keeps:
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
        self._factory: Any = partial(_Handler, loop=asyncio.get_running_loop())


@define(eq=False)
class _Origin:
    """Where connections lead, and those that rest.

    Args:
        target: What the connector needs to know of a request: the host, the proxy, the TLS context. Never sent.
        proxy: The one that reads the requests. Over TLS none does.
        asks_proxy: Whether requests go to a proxy and not through it.
    """

    target: aiohttp.ClientRequest
    resting: RestingConnections[_Handler]
    proxy: Proxy | None = None
    asks_proxy: bool = False

    def written(self, request: WireRequest) -> bytes:
        """The bytes of *request*."""
        headers = (*request.headers, *(self.proxy.headers() if self.proxy is not None else ()))
        head = _head(request.url, headers, asks_proxy=self.asks_proxy)
        return b"%b%d\r\n\r\n%b" % (head, len(request.body), request.body)


class AiohttpTransport:
    """Connections of aiohttp, one request at a time on each.

    Args:
        settings: How many connections there are at most, TLS, the proxy and the clock.
    """

    def __init__(self, settings: TransportSettings | None = None) -> None:
        # It ends each request in time; what is made of this class may not.
        self.keeps_time: bool = type(self) is AiohttpTransport
        self._settings = settings = settings or TransportSettings()
        self._origins: dict[str, _Origin] = {}
        self._by_url: dict[str, _Origin] = {}
        self._slots = Slots(settings.max_connections)
        self._tls = TlsContext(settings.ssl_context, make=default_context)
        self._connector: _Connector | None = None
        self._closed = False

    @property
    def max_connections(self) -> int:
        """How many requests there are at one time; the others wait."""
        return self._settings.max_connections

    async def prepare(self, url: str) -> None:
        """Make ready for *url*, without connecting, so that wrong settings show before anything is stored.

        Raises:
            ConfigurationError: If the proxy or the authorities for TLS cannot be used.
        """
        with suppress(ValueError):  # a host that is no name: every request will say so
            await self._new_origin(url)

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        """Send *request* and read the whole reply within *timeout* seconds in all."""
        held = request.connection
        mine = held if isinstance(held, HeldConnection) and held.use() else None
        return await self._in_slot(request, timeout, partial(self._exchange, held=mine), has_slot=mine is not None)

    async def connect(self, request: WireRequest, *, timeout: float) -> HeldConnection[_Handler] | Exchange:
        """Hold a connection for *request*, which comes soon; the exchange says why there is none in time."""
        return await self._in_slot(request, timeout, self._hold)

    async def _in_slot(
        self,
        request: WireRequest,
        timeout: float,
        work: Callable[[WireRequest, Progress], Awaitable[T]],
        *,
        has_slot: bool = False,
    ) -> T | Exchange:
        """Do *work* in a slot, and give that back unless it is held on."""
        if self._closed:
            raise ClientStateError("The transport is closed. Nothing was sent; open a new client.")
        progress = Progress.of(request, self._settings.runtime, connections=self.max_connections, has_slot=has_slot)
        waits, held = not has_slot and self._slots.free <= 0, False
        try:
            if timeout > 0:  # else the first wait would come behind the write
                with suppress(TimeoutError):
                    async with asyncio.timeout(progress.wait(timeout) if waits else timeout) as limit:
                        if not has_slot:
                            await self._slots.take(question=request.is_question)
                            progress.has_slot = True
                        if waits and (left := progress.waited(timeout)) is not None:
                            limit.reschedule(asyncio.get_running_loop().time() + left)
                        result = await work(request, progress)
                        held = isinstance(result, HeldConnection)
                        return result
        finally:
            if progress.has_slot and not held:
                self._slots.give_back()
        return progress.out_of_time(timeout, Route.to(request.url, self._settings))

    async def aclose(self) -> None:
        """Close every connection. A request that is under way finishes and then closes its own."""
        # The connector is left to itself: closing it would cut what is under way, and no connection rests in it.
        self._closed = True
        for one in self._origins.values():
            for handler in one.resting.drop_all():
                handler.drop()

    async def _hold(self, request: WireRequest, progress: Progress) -> HeldConnection[_Handler] | Exchange:
        try:
            to = self._by_url.get(request.url) or await self._new_origin(request.url)
            rest = to.resting.hold(room=self._slots.free) or to.resting.begin(await self._dial(to))
        except _FAULTS as error:
            return self._failed(error, request, progress)
        return HeldConnection(self._slots, to.resting, rest)

    async def _exchange(
        self, request: WireRequest, progress: Progress, held: HeldConnection[_Handler] | None
    ) -> Exchange:
        handler = keeper = None
        reader = ReplyReader(self._settings.max_reply_bytes)
        try:
            to = self._by_url.get(request.url) or await self._new_origin(request.url)
            data = Secret(to.written(request))  # A call that is cancelled leaves this frame in a traceback.
            handler = held.resting.end(held.rest) if held is not None else to.resting.take(room=self._slots.free)
            if handler is None:
                handler = await self._dial(to)
            reader.discard = handler.give_up
            # Head and body are one write, so that no moment lies between them.
            handler.speak(data.reveal(), reader, progress.begin)
            await handler.reply_is_over()
            if handler.given_up:
                return progress.broken(GIVEN_UP)
            if not self._closed and handler.rest():
                keeper = to.resting
        except _FAULTS as error:
            return self._failed(error, request, progress)
        finally:
            # Broken, cancelled, or with the rest of a reply in it: such a connection is not used again.
            if keeper is not None and handler is not None:
                keeper.add(handler, keep_alive=reader.keep_alive)
            elif handler is not None:
                handler.drop()
        return mended(reader.exchange, lambda: Route.to(request.url, self._settings))

    def _failed(self, error: Exception, request: WireRequest, progress: Progress) -> Exchange:
        if isinstance(error, TooLateError):
            return progress.too_late()
        route = Route.to(request.url, self._settings)
        if isinstance(error, _NoReplyError):
            return progress.failed(unanswered(str(error), route))
        return progress.failed(diagnosed(error, AIOHTTP_CAUSES, route, _step(error, route, begun=progress.begun)))

    async def _dial(self, to: _Origin) -> _Handler:
        if self._connector is None:
            self._connector = _Connector()
        connection = await self._connector.connect(to.target, [], _NO_TIMEOUT)
        handler = connection.protocol
        if not isinstance(handler, _Handler):
            connection.close()
            raise ConfigurationError(
                "This version of aiohttp is not understood. Nothing was sent; install another one, or use httpx."
            )
        handler.connection = connection
        if not handler.is_fresh():
            handler.drop()
            raise _NoReplyError(SPOKEN_ON)
        return handler

    async def _new_origin(self, url: str) -> _Origin:
        proxy = proxy_to(url, self._settings.proxy)
        if proxy is not None and proxy.is_socks:
            raise ConfigurationError(
                f"The proxy ({proxy.setting}) speaks SOCKS, which the aiohttp transport does not. Nothing was sent; "
                "use transport='httpx' (PAYPRO_TRANSPORT=httpx) with httpx[socks] installed, or a proxy that speaks "
                "HTTP."
            )
        secure = url.startswith("https:")
        context = await self._tls.get() if secure or (proxy is not None and proxy.scheme == "https") else None
        one = self._origins.get(origin(url))
        if one is None:
            one = self._origins[origin(url)] = _origin(url, context, proxy)
        self._by_url[url] = one
        return one


def _origin(url: str, context: ssl.SSLContext | None, proxy: Proxy | None) -> _Origin:
    target = aiohttp.ClientRequest(
        "POST",
        URL(url),
        loop=asyncio.get_running_loop(),
        ssl=context or True,
        proxy=None if proxy is None else URL(proxy.url.reveal()),
    )
    asks_proxy = proxy is not None and url.startswith("http:")
    return _Origin(
        target, RestingConnections(_Handler.drop), asks_proxy=asks_proxy, proxy=proxy if asks_proxy else None
    )


def _step(error: Exception, route: Route, *, begun: bool) -> Step:
    """Where a request stood when *error* came."""
    status = error.status if isinstance(error, aiohttp.ClientHttpProxyError) else None
    at_proxy = None
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError):
        there = f"[{error.host}]:{error.port}" if ":" in error.host else f"{error.host}:{error.port}"
        at_proxy = route.proxy is not None and there == route.proxy.address
    return Step(begun=begun, at_proxy=at_proxy, status=status)


@lru_cache(maxsize=64)  # a platform has three URLs, and of one merchant the headers are the same for every request
def _head(url: str, headers: tuple[tuple[str, str], ...], *, asks_proxy: bool) -> bytes:
    """The request up to the length of its body."""
    parsed = URL(url)
    path = str(parsed) if asks_proxy else parsed.raw_path_qs
    lines = [f"POST {path} HTTP/1.1", f"Host: {parsed.host_port_subcomponent}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise ValueError("a header holds what HTTP does not allow")
    return "".join(f"{line}\r\n" for line in lines).encode() + b"Content-Length: "
