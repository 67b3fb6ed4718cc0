"""The default transport: httpx, one connection a lane. The only file that imports httpx, or httpx2 in its place.

One big httpx pool is not used: it rescans itself at every change, and a request that is cancelled while it connects
costs it a slot for good (docs/architecture.md has the figures). A lane is an ``httpx.AsyncHTTPTransport`` with room
for one connection. A request takes a free lane; a lane whose request broke or was cancelled is thrown away.

httpx2 continues httpx under another name, with the same classes, so what is said of httpx here holds for either.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

import anyio
import httpx

from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.errors import ClientStateError, ConfigurationError
from paypro_async.transport.authorities import TlsContext
from paypro_async.transport.base import TransportSettings
from paypro_async.transport.causes import GIVEN_UP, HTTPX_CAUSES, SPOKEN_ON
from paypro_async.transport.connections.resting import REST_SECONDS, RestingConnections
from paypro_async.transport.connections.slots import Slots
from paypro_async.transport.diagnosis import diagnosed
from paypro_async.transport.lane import Gate, HeldLane, Lane, Paused, SpokenOnError, Wire
from paypro_async.transport.progress import DROP_UNSENT, Progress, TooLateError
from paypro_async.transport.proxies import Proxy, origin, proxy_to
from paypro_async.transport.reading import ReplyReader
from paypro_async.transport.route import Route, mended, unanswered

__all__ = ["HttpxTransport"]

T = TypeVar("T")

# The time-outs of httpx are per read; the deadline of the whole exchange is a cancel scope around it.
_NO_TIMEOUT = MappingProxyType({"connect": None, "read": None, "write": None, "pool": None})
_CLOSING_SECONDS = 1.0


class _Closable(Protocol):
    async def aclose(self) -> None: ...


class HttpxTransport:
    """One-connection lanes over httpx.

    Args:
        settings: How many lanes there are at most, TLS, the proxy and the clock.
        library: httpx, or httpx2, which must be installed.
    """

    def __init__(
        self, settings: TransportSettings | None = None, *, library: Literal["httpx", "httpx2"] = "httpx"
    ) -> None:
        # It ends each request in time; what is made of this class may not.
        self.keeps_time: bool = type(self) is HttpxTransport
        self._settings = settings = settings or TransportSettings()
        self._httpx = _load(library)
        self._faults = (self._httpx.RequestError, OSError, *_faults_of_socks())
        self._one = self._httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=REST_SECONDS)
        # By origin.
        self._resting: defaultdict[str, RestingConnections[Lane]] = defaultdict(
            lambda: RestingConnections(self._close_soon)
        )
        self._prepared: dict[str, Lane] = {}
        self._closing: set[asyncio.Task[Any]] = set()
        self._slots = Slots(settings.max_connections)
        self._tls = TlsContext(settings.ssl_context, make=self._httpx.create_ssl_context)
        self._no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for plain http, where httpx wants one and uses none
        self._closed = False

    @property
    def max_connections(self) -> int:
        """How many requests there are at one time; the others wait."""
        return self._settings.max_connections

    async def prepare(self, url: str) -> None:
        """Make the first lane for *url*, without connecting, so that wrong settings show before anything is stored.

        Raises:
            ConfigurationError: If the proxy or the authorities for TLS cannot be used.
        """
        self._prepared[origin(url)] = await self._new_lane(url)

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        """Send *request* and read the whole reply within *timeout* seconds in all."""
        held = request.connection
        mine = held if isinstance(held, HeldLane) and held.use() else None
        return await self._in_slot(request, timeout, partial(self._exchange, held=mine), has_slot=mine is not None)

    async def connect(self, request: WireRequest, *, timeout: float) -> HeldLane | Exchange:
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
        waits, result = not has_slot and self._slots.free <= 0, None
        with anyio.move_on_after(progress.wait(timeout) if waits else timeout) as limit:
            try:
                if not has_slot:
                    await self._slots.take(question=request.is_question)
                    progress.has_slot = True
                if waits and (left := progress.waited(timeout)) is not None:
                    limit.deadline = anyio.current_time() + left
                result = await work(request, progress)
            finally:
                if progress.has_slot and not isinstance(result, HeldLane):
                    self._slots.give_back()
        return progress.out_of_time(timeout, self._route(request)) if result is None else result

    async def aclose(self) -> None:
        """Close every connection. A request that is under way finishes and then closes its own."""
        self._closed = True
        left = [lane for resting in self._resting.values() for lane in resting.drop_all()]
        left += self._prepared.values()
        self._prepared.clear()
        for lane in left:
            await self._close(lane)
        if self._closing:
            await asyncio.wait(self._closing)

    async def _hold(self, request: WireRequest, progress: Progress) -> HeldLane | Exchange:
        resting = self._resting[origin(request.url)]
        if (rest := resting.hold(room=self._slots.free)) is not None:
            return HeldLane(self._slots, resting, rest)
        # httpx connects for a request alone: this one stops in front of its first byte, and goes on in ``send``.
        gate = Gate()
        wire = Wire(progress, ReplyReader(self._settings.max_reply_bytes), gate)
        lane = await self._unused_lane(request.url)
        paused = asyncio.ensure_future(self._over(lane, request, wire))
        await self._or_left(paused, gate.reached)
        if paused.done():
            return paused.result()
        return HeldLane(self._slots, resting, resting.begin(lane), paused=Paused(wire, gate, paused, self._leave))

    async def _exchange(self, request: WireRequest, progress: Progress, held: HeldLane | None) -> Exchange:
        resting = self._resting[origin(request.url)]
        lane = held.resting.end(held.rest) if held is not None else None
        if held is not None and held.paused is not None:
            if lane is not None:
                held.paused.go_on(progress)
                await self._or_left(held.paused.task)
                return held.paused.task.result()
            held.paused.end()
        lane = lane or resting.take(room=self._slots.free) or await self._unused_lane(request.url)
        return await self._over(lane, request, Wire(progress, ReplyReader(self._settings.max_reply_bytes)))

    async def _or_left(self, task: "asyncio.Task[Exchange]", *others: "asyncio.Future[Any]") -> None:
        """Wait for *task*, or one of the *others*; whoever is cancelled meanwhile ends it."""
        try:
            waited: list[asyncio.Future[Any]] = [task, *others]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._leave(task)
            raise

    def _leave(self, task: "asyncio.Task[Exchange]") -> None:
        task.cancel()
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _unused_lane(self, url: str) -> Lane:
        return self._prepared.pop(origin(url), None) or await self._new_lane(url)

    async def _over(self, lane: Lane, request: WireRequest, wire: Wire) -> Exchange:
        """Send *request* over *lane*."""
        lane.progress, wire.lane = wire.progress, lane
        try:
            await self._speak(lane, request, wire)
        except TooLateError:
            return wire.progress.too_late()
        except SpokenOnError:
            return wire.progress.failed(unanswered(SPOKEN_ON, self._route(request)))
        except self._faults as error:
            if not wire.reader.is_over:
                return wire.progress.failed(diagnosed(error, HTTPX_CAUSES, self._route(request), wire.step(error)))
        finally:
            # Broken, cancelled, or with the rest of a reply in it: such a lane is not used again.
            if wire.clean and not self._closed:
                self._resting[origin(request.url)].add(lane, keep_alive=wire.reader.keep_alive)
            else:
                await self._close(lane)
                if wire.dialled is not None:
                    # httpcore forgets a connection whose TLS handshake is cancelled; closing twice is no fault.
                    await self._close(wire.dialled)
        if lane.stream is not None and lane.stream.given_up:
            return wire.progress.broken(GIVEN_UP)
        return mended(wire.reader.exchange, lambda: self._route(request))

    async def _speak(self, lane: Lane, request: WireRequest, wire: Wire) -> None:
        """Send *request*; what comes back goes to the reader of *wire*."""
        response = await lane.inner.handle_async_request(
            self._httpx.Request(
                "POST",
                _url(self._httpx, request.url),
                headers=_headers(self._httpx, tuple(request.headers)),
                content=request.body,
                extensions={"timeout": _NO_TIMEOUT, "trace": wire},
            )
        )
        stream: Any = response.stream  # as it came: httpx would unpack it without a bound
        if wire.progress.begun:
            async for _ in stream:
                pass  # the reader has it already
        else:
            # Nothing was written: a tool of tests (respx, say) answers in the place of the network.
            wire.reader.feed(_head(response))
            async for chunk in stream:
                wire.reader.feed(chunk)
            wire.reader.end()
        await response.aclose()
        secure = request.url.startswith("https:")
        wire.clean = wire.reader.keeps and _nothing_in_tls(response if secure else None)

    def _route(self, request: WireRequest) -> Route:
        return Route.to(request.url, self._settings)

    async def _new_lane(self, url: str) -> Lane:
        proxy = proxy_to(url, self._settings.proxy)
        proxy_secure = proxy is not None and proxy.scheme == "https"
        plain = urlsplit(url).scheme == "http" and not proxy_secure
        context = self._no_tls if plain and self._settings.ssl_context is None else await self._tls.get()
        lane = self._lane(context, proxy)
        if isinstance(lane, str):
            # Not from the library's error, which may quote the password.
            raise ConfigurationError(lane)
        return lane

    def _lane(self, context: ssl.SSLContext, proxy: Proxy | None) -> Lane | str:
        """A new lane, or why the proxy cannot be used."""
        try:
            through = None
            if proxy is not None:
                to_proxy = context if proxy.scheme == "https" else None
                through = self._httpx.Proxy(proxy.url.reveal(), ssl_context=to_proxy)
            return Lane(
                self._httpx.AsyncHTTPTransport(
                    verify=context, limits=self._one, proxy=through, socket_options=(DROP_UNSENT,)
                )
            )
        except ImportError:
            setting = "" if proxy is None else f" ({proxy.setting})"
            return (
                f"The proxy{setting} speaks SOCKS, for which a package is missing. Nothing was sent; install it with: "
                f"pip install '{self._httpx.__name__}[socks]'."
            )
        except (ValueError, self._httpx.InvalidURL):
            setting = "" if proxy is None else f" ({proxy.setting})"
            return f"The proxy cannot be used{setting}. Nothing was sent; give a URL such as http://proxy.example:3128."

    def _close_soon(self, lane: Lane) -> None:
        closing = asyncio.ensure_future(self._close(lane))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _close(self, closable: _Closable) -> None:
        # Also while the caller is being cancelled: an open socket would leak.
        with anyio.move_on_after(_CLOSING_SECONDS, shield=True):
            try:
                await closable.aclose()
            except (self._httpx.RequestError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # It is gone, which is all that was wanted.


def _faults_of_socks() -> tuple[type[Exception], ...]:
    """The errors about a SOCKS proxy that speaks nonsense, which httpcore lets through, if SOCKS is spoken here."""
    if find_spec("socksio") is None:
        return ()
    found: type[Exception] = import_module("socksio").SOCKSError
    return (found,)


def _load(library: str) -> Any:
    if library != "httpx2":
        return httpx
    import httpx2  # noqa: PLC0415  optional

    return httpx2


@lru_cache(maxsize=64)  # of one merchant they are the same for every request
def _headers(library: Any, headers: tuple[tuple[str, str], ...]) -> httpx.Headers:
    made: httpx.Headers = library.Headers(headers)
    return made


@lru_cache(maxsize=64)  # a platform has three
def _url(library: Any, url: str) -> httpx.URL:
    made: httpx.URL = library.URL(url)
    return made


def _head(response: httpx.Response) -> bytes:
    """The head of a reply that never was bytes; without a length it ends where its stream does."""
    framing = (b"content-length", b"transfer-encoding")
    lines = [b"%b: %b" % (name, value) for name, value in response.headers.raw if name.lower() not in framing]
    return b"\r\n".join([b"HTTP/1.1 %d" % response.status_code, *lines, b"", b""])


def _nothing_in_tls(response: httpx.Response | None) -> bool:
    """Whether TLS has taken nothing in behind the reply, which would be taken for the answer to the next request."""
    stream = response.extensions.get("network_stream") if response is not None else None
    tls: ssl.SSLObject | None = stream.get_extra_info("ssl_object") if stream else None
    if tls is None:
        return True
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return True  # nothing is there, as it should be
    except ssl.SSLError:
        return False
    return False
