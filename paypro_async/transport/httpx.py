"""The default transport: httpx, one connection a lane. The only file that imports httpx, or httpx2 in its place.

One big httpx pool is not used: it rescans itself at every change, and a request that is cancelled while it connects
costs it a slot for good (docs/architecture.md has the figures). A lane is an ``httpx.AsyncHTTPTransport`` with room
for one connection. A request takes a free lane; a lane whose request broke or was cancelled is thrown away.

httpx2 continues httpx under another name, with the same classes, so what is said of httpx here holds for either.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

import anyio
import httpx
from attrs import define

from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.errors import ClientStateError, ConfigurationError
from paypro_async.transport.authorities import TlsContext
from paypro_async.transport.base import TransportSettings
from paypro_async.transport.causes import GIVEN_UP, HTTPX_CAUSES, SPOKEN_ON
from paypro_async.transport.connections.resting import REST_SECONDS, RestingConnections
from paypro_async.transport.connections.slots import Slots
from paypro_async.transport.connections.sockets import Found, is_readable
from paypro_async.transport.diagnosis import Step, diagnosed
from paypro_async.transport.guarded_stream import GuardedStream
from paypro_async.transport.progress import DROP_UNSENT, Progress, TooLateError
from paypro_async.transport.proxies import Proxy, origin, proxy_to
from paypro_async.transport.reading import ReplyReader
from paypro_async.transport.reply_stream import ReplyStream
from paypro_async.transport.route import Route

__all__ = ["HttpxTransport"]

# The time-outs of httpx are per read; the deadline of the whole exchange is a cancel scope around it.
_NO_TIMEOUT = MappingProxyType({"connect": None, "read": None, "write": None, "pool": None})
_CLOSING_SECONDS = 1.0
_TO_PROXY = ("connection.connect_tcp.started", "connection.start_tls.started", "socks.connect_tcp.started")
_CONNECTING = (".connect_tcp.started", ".start_tls.started")


class _SpokenOnError(Exception):
    """The server spoke before the request was written."""


class _Closable(Protocol):
    async def aclose(self) -> None: ...


@define(eq=False)
class _Lane:
    """Room for one connection, that connection, and the request that has it now."""

    inner: httpx.AsyncHTTPTransport
    stream: GuardedStream | None = None
    replies: ReplyStream | None = None
    is_secure: bool = False
    progress: Progress | None = None

    def look(self) -> Found:
        """What has become of its connection since it rests."""
        return Found.CLOSED if self.stream is None else self.stream.look()

    def guard(self) -> Callable[[], None] | None:
        """The look for the request that is being written; none while a proxy or TLS is."""
        return self.progress.look if self.progress is not None and self.progress.begun else None

    def watch(self, connection: Any, *, dialled: bool) -> None:
        """Stand between httpcore and the stream of *connection*: a new one of TCP, or TLS over that."""
        stream = connection._stream  # noqa: SLF001  nowhere public
        if dialled:
            self.stream = stream = GuardedStream(stream, self.guard)
        self.replies = connection._stream = ReplyStream(stream)  # noqa: SLF001
        self.is_secure = not dialled

    def was_spoken_on(self) -> bool:
        """Whether something came on a new connection before its first request; what TLS says for itself is not that."""
        return not self.is_secure and self.stream is not None and is_readable(self.stream.socket)

    async def aclose(self) -> None:
        await self.inner.aclose()


class _Wire:
    """Watches one request being written. httpcore calls it at every step (its ``trace`` extension)."""

    def __init__(self, progress: Progress, reader: ReplyReader) -> None:
        self.progress = progress
        self.reader = reader
        self.lane: _Lane | None = None
        self.clean = False  # whether a whole reply was read, and nothing behind it
        self.dialled: Any = None  # the stream, if a connection was made for this request
        self.connecting = ""  # the step of connecting that was begun last

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith(_CONNECTING):
            self.connecting = event
            return
        if event.endswith(".connect_tcp.complete"):
            self.dialled = info["return_value"]
        if self.lane is not None and event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self.lane.watch(info["return_value"], dialled=event.endswith(".connect_tcp.complete"))
        if not event.endswith((".send_request_headers.started", ".send_request_body.started")):
            return
        if info["request"].method == b"CONNECT":
            return  # A proxy's tunnel: nothing of the payout yet.
        lane = self.lane
        if lane is not None and lane.stream is not None and lane.replies is not None and not self.progress.begun:
            if self.dialled is not None and lane.was_spoken_on():
                raise _SpokenOnError
            self.reader.discard = lane.stream.give_up
            lane.replies.reader = self.reader
        # Before the body as well: without it the platform cannot act on the headers.
        self.progress.begin()

    def step(self, error: Exception) -> Step:
        """Where the request stood when *error* came."""
        # httpcore's connection is the one to the proxy, if there is one; through it goes what a tunnel adds.
        at_proxy = self.connecting in _TO_PROXY if self.connecting else None
        status = str(error)[:3] if type(error).__name__ == "ProxyError" else ""
        return Step(
            begun=self.progress.begun,
            at_proxy=at_proxy,
            tls=".start_tls" in self.connecting,
            status=int(status) if status.isdigit() else None,
        )


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
        self._resting: defaultdict[str, RestingConnections[_Lane]] = defaultdict(
            lambda: RestingConnections(self._close_soon)
        )
        self._prepared: dict[str, _Lane] = {}
        self._closing: set[asyncio.Task[None]] = set()
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
        if self._closed:
            raise ClientStateError("The transport is closed. Nothing was sent; open a new client.")
        progress = Progress.of(request, self._settings.runtime, connections=self.max_connections)
        exchange: Exchange | None = None
        waits = self._slots.free <= 0
        with anyio.move_on_after(progress.wait(timeout) if waits else timeout) as limit:
            await self._slots.take(question=request.send_by is None)
            try:
                if waits and (left := progress.waited(timeout)) is not None:
                    limit.deadline = anyio.current_time() + left
                progress.has_slot = True
                reader = ReplyReader(self._settings.max_reply_bytes)
                exchange = await self._over_a_lane(request, _Wire(progress, reader))
            finally:
                self._slots.give_back()
        return progress.out_of_time(timeout, self._route(request)) if exchange is None else exchange

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

    async def _over_a_lane(self, request: WireRequest, wire: _Wire) -> Exchange:
        to = origin(request.url)
        resting = self._resting[to]
        lane = resting.take(room=self._slots.free) or self._prepared.pop(to, None) or await self._new_lane(request.url)
        lane.progress, wire.lane = wire.progress, lane
        try:
            await self._exchange(lane, request, wire)
        except TooLateError:
            return wire.progress.too_late()
        except _SpokenOnError:
            return wire.progress.broken(SPOKEN_ON)
        except self._faults as error:
            if not wire.reader.is_over:
                return wire.progress.failed(diagnosed(error, HTTPX_CAUSES, self._route(request), wire.step(error)))
        finally:
            # Broken, cancelled, or with the rest of a reply in it: such a lane is not used again.
            if wire.clean and not self._closed:
                resting.add(lane, keep_alive=wire.reader.keep_alive)
            else:
                await self._close(lane)
                if wire.dialled is not None:
                    # httpcore forgets a connection whose TLS handshake is cancelled; closing twice is no fault.
                    await self._close(wire.dialled)
        if lane.stream is not None and lane.stream.given_up:
            return wire.progress.broken(GIVEN_UP)
        return wire.reader.exchange

    async def _exchange(self, lane: _Lane, request: WireRequest, wire: _Wire) -> None:
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

    async def _new_lane(self, url: str) -> _Lane:
        proxy = proxy_to(url, self._settings.proxy)
        proxy_secure = proxy is not None and proxy.scheme == "https"
        plain = urlsplit(url).scheme == "http" and not proxy_secure
        context = self._no_tls if plain and self._settings.ssl_context is None else await self._tls.get()
        lane = self._lane(context, proxy)
        if isinstance(lane, str):
            # Not from the library's error, which may quote the password.
            raise ConfigurationError(lane)
        return lane

    def _lane(self, context: ssl.SSLContext, proxy: Proxy | None) -> _Lane | str:
        """A new lane, or why the proxy cannot be used."""
        try:
            through = None
            if proxy is not None:
                to_proxy = context if proxy.scheme == "https" else None
                through = self._httpx.Proxy(proxy.url.reveal(), ssl_context=to_proxy)
            return _Lane(
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

    def _close_soon(self, lane: _Lane) -> None:
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
