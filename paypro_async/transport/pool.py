"""What the transports share: a slot for each request, a connection that rests or is new, and one exchange over it.

A library makes the connections, through proxies and with TLS, and no more: it may send a request a second time, follow
redirects and keep cookies, and it does for each request what a payout has no use for. Here one request is what we
write, the reply is what :class:`ReplyReader` reads, and the line before the write looks at the send deadline.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from attrs import define

from paypro_async._core.secret import Secret
from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.errors import ClientStateError
from paypro_async.transport.base import TransportSettings
from paypro_async.transport.causes import GIVEN_UP, NO_HTTP
from paypro_async.transport.connections.held import HeldConnection
from paypro_async.transport.connections.resting import Restable, RestingConnections
from paypro_async.transport.connections.slots import Slots
from paypro_async.transport.diagnosis import Step, diagnosed
from paypro_async.transport.progress import Progress, TooLateError
from paypro_async.transport.proxies import Proxy, proxy_to
from paypro_async.transport.proxies import origin as origin_of
from paypro_async.transport.reading import ReplyReader
from paypro_async.transport.route import Route, mended, unanswered

__all__ = ["ConnectionPool", "NoReplyError", "Origin", "Speaking", "Target"]


class NoReplyError(Exception):
    """No usable reply can come any more; the text says why."""


class Speaking(Restable, Protocol):
    """A connection that carries one request at a time."""

    @property
    def given_up(self) -> bool:
        """Whether a reply on it belonged to another request."""
        ...

    async def exchange(
        self, head: Secret[bytes], request: WireRequest, reader: ReplyReader, progress: Progress
    ) -> None:
        """Write *head* and the body, unless *progress* raises; return when the reply is over, or none can come."""
        ...

    def rest(self, reader: ReplyReader) -> bool:
        """Get ready for the next request, if the reply that *reader* has was all that came."""
        ...

    def give_up(self) -> None:
        """Drop it, because a reply on it belongs to another request, also if a further request waits for its own."""
        ...


C = TypeVar("C", bound=Speaking)
T = TypeVar("T")


class Target(NamedTuple):
    """A URL as it stands in requests."""

    url: str
    path: str
    host: str


@define(eq=False)
class Origin(Generic[C]):
    """Where connections lead, and those that rest.

    Args:
        way: What the library needs to know to make one: the host, the proxy, the TLS context.
        resting: Those that no request has now.
        target: Reads a URL.
        asked: The proxy that requests go to, and not through. Over TLS there is none.
    """

    way: Any
    resting: RestingConnections[C]
    target: Callable[[str], Target]
    asked: Proxy | None

    def head(self, request: WireRequest) -> bytes:
        """The bytes of *request* before its body."""
        headers = (*request.headers, *(self.asked.headers() if self.asked is not None else ()))
        head = _head(self.target, request.url, headers, asks_proxy=self.asked is not None)
        return b"%b%d\r\n\r\n" % (head, len(request.body))


class ConnectionPool(ABC, Generic[C]):
    """One request at a time on each of so many connections. A transport is derived from it.

    Args:
        settings: How many connections there are at most, TLS, the proxy and the clock.
        causes: Messages by the names of the library's errors.
        faults: The library's errors.
    """

    def __init__(
        self, settings: TransportSettings, *, causes: Mapping[str, str], faults: tuple[type[Exception], ...]
    ) -> None:
        self._settings = settings
        self._causes = causes
        self._faults: tuple[type[Exception], ...] = (TooLateError, NoReplyError, OSError, ValueError, *faults)
        self._origins: dict[str, Origin[C]] = {}
        self._by_url: dict[str, Origin[C]] = {}
        self._slots = Slots(settings.max_connections)
        self._closed = False

    @property
    def max_connections(self) -> int:
        """How many requests there are at one time; the others wait."""
        return self._settings.max_connections

    @property
    def connections_in_use(self) -> int:
        """How many of them have a request now, or are held for one that comes soon."""
        return min(self.max_connections, self.max_connections - self._slots.free)

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
        return await self._in_slot(self._exchange, request, timeout, mine)

    async def connect(self, request: WireRequest, *, timeout: float) -> HeldConnection[C] | Exchange:
        """Hold a connection for *request*, which comes soon; the exchange says why there is none in time."""
        return await self._in_slot(self._hold, request, timeout, None)

    async def _in_slot(
        self,
        work: Callable[[WireRequest, Progress, HeldConnection[C] | None], Awaitable[T]],
        request: WireRequest,
        timeout: float,
        held: HeldConnection[C] | None,
    ) -> T | Exchange:
        """Do *work* in a slot, that of *held* if there is one, and give it back unless it is held on."""
        if self._closed:
            raise ClientStateError("The transport is closed. Nothing was sent; open a new client.")
        slots, result = self._slots, None
        progress = Progress.of(
            request, self._settings.runtime, connections=self.max_connections, has_slot=held is not None
        )
        waits = held is None and slots.free <= 0
        try:
            if timeout > 0:  # else the first wait would come behind the write
                async with asyncio.timeout(progress.wait(timeout) if waits else timeout) as limit:
                    if waits:
                        await slots.take(question=request.is_question)
                        progress.has_slot = True
                        if (left := progress.waited(timeout)) is not None:
                            limit.reschedule(asyncio.get_running_loop().time() + left)
                    elif not progress.has_slot:
                        progress.has_slot = slots.take_at_once()
                    result = await work(request, progress, held)
                    return result
        except TimeoutError:
            pass  # How far it got by then is told below.
        finally:
            if progress.has_slot and not isinstance(result, HeldConnection):
                slots.give_back()
        return progress.out_of_time(timeout, self._route(request))

    async def aclose(self) -> None:
        """Close every connection. A request that is under way finishes and then closes its own."""
        self._closed = True
        for one in self._origins.values():
            for connection in one.resting.drop_all():
                await self._drop(connection)

    async def _hold(
        self, request: WireRequest, progress: Progress, _: HeldConnection[C] | None
    ) -> HeldConnection[C] | Exchange:
        try:
            to = self._by_url.get(request.url) or await self._new_origin(request.url)
            rest = to.resting.hold(room=self._slots.free)
            if rest is None:
                rest = to.resting.begin(await self._dial(to, request, progress))
        except self._faults as error:
            return self._failed(error, request, progress)
        return HeldConnection(self._slots, to.resting, rest)

    async def _exchange(self, request: WireRequest, progress: Progress, held: HeldConnection[C] | None) -> Exchange:
        connection = keeper = None
        reader = ReplyReader(self._settings.max_reply_bytes)
        try:
            to = self._by_url.get(request.url) or await self._new_origin(request.url)
            head = Secret(to.head(request))  # A call that is cancelled leaves this frame in a traceback.
            connection = held.resting.end(held.rest) if held is not None else to.resting.take(room=self._slots.free)
            if connection is None:
                connection = await self._dial(to, request, progress)
            reader.discard = connection.give_up
            await connection.exchange(head, request, reader, progress)
            if connection.given_up:
                return progress.broken(GIVEN_UP)
            if not self._closed and connection.rest(reader):
                keeper = to.resting
        except self._faults as error:
            return self._failed(error, request, progress)
        finally:
            # Broken, cancelled, or with the rest of a reply in it: such a connection is not used again.
            if keeper is not None and connection is not None:
                keeper.add(connection, keep_alive=reader.keep_alive)
            elif connection is not None:
                await self._drop(connection)
        exchange = reader.exchange
        return exchange if exchange.cause is None else mended(exchange, self._route(request))

    def _failed(self, error: Exception, request: WireRequest, progress: Progress) -> Exchange:
        if isinstance(error, TooLateError):
            return progress.too_late()
        route = self._route(request)
        if isinstance(error, NoReplyError):
            return progress.failed(unanswered(str(error), route))
        return progress.failed(diagnosed(error, self._causes, route, self._step(error, route, progress)))

    def _route(self, request: WireRequest) -> Route:
        return Route.to(request.url, self._settings)

    async def _new_origin(self, url: str) -> Origin[C]:
        proxy = proxy_to(url, self._settings.proxy)
        asked = proxy if proxy is not None and not proxy.is_socks and url.startswith("http:") else None
        way = await self._way(url, proxy)
        key = origin_of(url)
        if key not in self._origins:
            self._origins[key] = Origin(way, RestingConnections(self._drop_soon), self._target, asked)
        self._by_url[url] = one = self._origins[key]
        return one

    # What each transport does in its own way.

    @abstractmethod
    async def _way(self, url: str, proxy: Proxy | None) -> Any:
        """What the library needs to know to connect to *url*.

        Raises:
            ConfigurationError: If the proxy or the authorities for TLS cannot be used.
        """

    @abstractmethod
    async def _dial(self, to: Origin[C], request: WireRequest, progress: Progress) -> C:
        """A new connection, on which nothing was said yet."""

    @abstractmethod
    async def _drop(self, connection: C) -> None:
        """Close it, whatever has not left yet."""

    @abstractmethod
    def _drop_soon(self, connection: C) -> None:
        """Close it without waiting for that."""

    @staticmethod
    @abstractmethod
    def _target(url: str) -> Target:
        """How *url* stands in requests.

        Raises:
            ValueError: If it is none.
        """

    @abstractmethod
    def _step(self, error: Exception, route: Route, progress: Progress) -> Step:
        """Where a request stood when *error* came."""


@lru_cache(maxsize=64)  # a platform has three URLs, and of one merchant the headers are the same for every request
def _head(
    target: Callable[[str], Target], url: str, headers: tuple[tuple[str, str], ...], *, asks_proxy: bool
) -> bytes:
    """The request up to the length of its body."""
    to = target(url)
    lines = [f"POST {to.url if asks_proxy else to.path} HTTP/1.1", f"Host: {to.host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise NoReplyError(NO_HTTP)
    return "".join(f"{line}\r\n" for line in lines).encode() + b"Content-Length: "
