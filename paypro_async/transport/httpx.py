"""The default transport: httpx, one connection a lane. The only file that imports httpx, or httpx2 in its place.

One big httpx pool is not used: it rescans itself at every change, and a request that is cancelled while it connects
costs it a slot for good (docs/architecture.md has the figures). A lane is an ``httpx.AsyncHTTPTransport`` with room
for one connection. A request takes a free lane; a lane whose request broke or was cancelled is thrown away.

httpx2 continues httpx under another name, with the same classes, so what is said of httpx here holds for either.
"""

import ssl
from collections import defaultdict
from collections.abc import AsyncIterable, Callable
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

import anyio
import httpx
from attrs import define

from paypro_async._core.wire import Exchange, Phase, WireRequest
from paypro_async.errors import ClientStateError, ConfigurationError
from paypro_async.transport.authorities import TlsContext
from paypro_async.transport.base import TransportSettings
from paypro_async.transport.causes import GIVEN_UP, HTTPX_CAUSES, message
from paypro_async.transport.guarded_stream import GuardedStream
from paypro_async.transport.progress import DROP_UNSENT, REST_SECONDS, Progress, TooLateError
from paypro_async.transport.proxies import environment_proxy, origin

__all__ = ["HttpxTransport"]

# The time-outs of httpx are per read; the deadline of the whole exchange is a cancel scope around it.
_NO_TIMEOUT = MappingProxyType({"connect": None, "read": None, "write": None, "pool": None})
_CLOSING_SECONDS = 1.0


class _Closable(Protocol):
    async def aclose(self) -> None: ...


@define(eq=False)
class _Lane:
    """Room for one connection, that connection, and the request that has it now."""

    inner: httpx.AsyncHTTPTransport
    stream: GuardedStream | None = None
    progress: Progress | None = None

    def guard(self) -> Callable[[], None] | None:
        """The look for the request that is being written; none while a proxy or TLS is."""
        return self.progress.look if self.progress is not None and self.progress.begun else None

    async def aclose(self) -> None:
        await self.inner.aclose()


class _Wire:
    """Watches one request being written. httpcore calls it at every step (its ``trace`` extension)."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.lane: _Lane | None = None
        self.clean = False  # whether a whole reply was read, and nothing behind it
        self.dialled: Any = None  # the stream, if a connection was made for this request

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith(".connect_tcp.complete"):
            self.dialled = info["return_value"]
            if self.lane is not None:
                stream = GuardedStream(self.dialled._stream, self.lane.guard)  # noqa: SLF001  nowhere public
                self.lane.stream = self.dialled._stream = stream  # noqa: SLF001
        if not event.endswith((".send_request_headers.started", ".send_request_body.started")):
            return
        if info["request"].method == b"CONNECT":
            return  # A proxy's tunnel: nothing of the payout yet.
        # Before the body as well: without it the platform cannot act on the headers.
        self.progress.begin()


class HttpxTransport:
    """One-connection lanes over httpx.

    Args:
        settings: How many lanes there are at most, TLS, the proxy and the clock.
        library: httpx, or httpx2, which must be installed.
    """

    def __init__(
        self, settings: TransportSettings | None = None, *, library: Literal["httpx", "httpx2"] = "httpx"
    ) -> None:
        self._settings = settings = settings or TransportSettings()
        self._httpx = _load(library)
        self._one = self._httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=REST_SECONDS)
        self._free: defaultdict[str, list[_Lane]] = defaultdict(list)  # by origin
        # A semaphore wakes its waiters in the order they came.
        self._slots = anyio.Semaphore(settings.max_connections, fast_acquire=True)
        self._tls = TlsContext(settings.ssl_context, make=self._httpx.create_ssl_context)
        self._no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for plain http, where httpx wants one and uses none
        self._closed = False

    async def prepare(self, url: str) -> None:
        """Make the first lane for *url*, without connecting, so that wrong settings show before anything is stored.

        Raises:
            ConfigurationError: If the proxy or the authorities for TLS cannot be used.
        """
        self._free[origin(url)].append(await self._new_lane(url))

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        """Send *request* and read the whole reply within *timeout* seconds in all."""
        if self._closed:
            raise ClientStateError("The transport is closed. Nothing was sent; open a new client.")
        progress = Progress(request.send_by, self._settings.runtime)
        exchange: Exchange | None = None
        with anyio.move_on_after(timeout):
            async with self._slots:
                progress.has_slot = True
                exchange = await self._over_a_lane(request, _Wire(progress))
        return progress.out_of_time(timeout) if exchange is None else exchange

    async def aclose(self) -> None:
        """Close every connection. A request that is under way finishes and then closes its own."""
        self._closed = True
        for lanes in self._free.values():
            while lanes:
                await self._close(lanes.pop())

    async def _over_a_lane(self, request: WireRequest, wire: _Wire) -> Exchange:
        free = self._free[origin(request.url)]
        lane = free.pop() if free else await self._new_lane(request.url)
        lane.progress, wire.lane = wire.progress, lane
        whole = False
        try:
            exchange = await self._exchange(lane, request, wire)
            if lane.stream is not None and lane.stream.given_up:
                return wire.progress.broken(GIVEN_UP)
            whole = wire.clean
        except TooLateError:
            return wire.progress.too_late()
        except (self._httpx.RequestError, OSError) as error:
            return wire.progress.broken(message(error, HTTPX_CAUSES))
        finally:
            # Broken, cancelled, or with the rest of a reply in it: such a lane is not used again.
            if whole and not self._closed:
                free.append(lane)
            else:
                await self._close(lane)
                if wire.dialled is not None:
                    # httpcore forgets a connection whose TLS handshake is cancelled; closing twice is no fault.
                    await self._close(wire.dialled)
        return exchange

    async def _exchange(self, lane: _Lane, request: WireRequest, wire: _Wire) -> Exchange:
        response = await lane.inner.handle_async_request(
            self._httpx.Request(
                "POST",
                _url(self._httpx, request.url),
                headers=_headers(self._httpx, tuple(request.headers)),
                content=request.body,
                extensions={"timeout": _NO_TIMEOUT, "trace": wire},
            )
        )
        status, retry_after = response.status_code, response.headers.get("retry-after")
        body = bytearray()
        cause = None
        try:
            async for chunk in _chunks(response):
                body += chunk
                if len(body) > self._settings.max_reply_bytes:
                    cause = f"the reply is longer than {self._settings.max_reply_bytes} bytes"
                    break
        except self._httpx.DecodingError as error:
            cause = message(error, HTTPX_CAUSES)
        if cause is not None:
            return Exchange(phase=Phase.ANSWERED, status=status, retry_after=retry_after, cause=cause)
        await response.aclose()
        wire.clean = _nothing_left(lane, response, secure=request.url.startswith("https:"))
        # A lane whose stream was given up while it rests sees it closed, and dials anew for its next request.
        discard = None if lane.stream is None else lane.stream.give_up
        return Exchange(phase=Phase.ANSWERED, status=status, retry_after=retry_after, body=bytes(body), discard=discard)

    async def _new_lane(self, url: str) -> _Lane:
        plain = urlsplit(url).scheme == "http"
        context = self._no_tls if plain and self._settings.ssl_context is None else await self._tls.get()
        proxy = self._settings.proxy or environment_proxy(url)
        try:
            lane: httpx.AsyncHTTPTransport = self._httpx.AsyncHTTPTransport(
                verify=context, limits=self._one, proxy=proxy, socket_options=(DROP_UNSENT,)
            )
        except (ValueError, ImportError, self._httpx.InvalidURL) as error:
            raise ConfigurationError(
                "The proxy cannot be used. Nothing was sent; give a URL such as http://proxy.example:3128, by proxy= "
                "or HTTPS_PROXY (for SOCKS, install httpx[socks])."
            ) from error
        return _Lane(lane)

    async def _close(self, closable: _Closable) -> None:
        # Also while the caller is being cancelled: an open socket would leak.
        with anyio.move_on_after(_CLOSING_SECONDS, shield=True):
            try:
                await closable.aclose()
            except (self._httpx.RequestError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # It is gone, which is all that was wanted.


def _load(library: str) -> Any:
    if library != "httpx2":
        return httpx
    import httpx2  # noqa: PLC0415  optional

    return httpx2


def _chunks(response: httpx.Response) -> AsyncIterable[bytes]:
    # We ask for no content encoding. Without one, httpx's decoders would only cost time.
    if "content-encoding" in response.headers or not isinstance(response.stream, AsyncIterable):
        return response.aiter_bytes()
    return response.stream


@lru_cache(maxsize=64)  # of one merchant they are the same for every request
def _headers(library: Any, headers: tuple[tuple[str, str], ...]) -> httpx.Headers:
    made: httpx.Headers = library.Headers(headers)
    return made


@lru_cache(maxsize=64)  # a platform has three
def _url(library: Any, url: str) -> httpx.URL:
    made: httpx.URL = library.URL(url)
    return made


def _nothing_left(lane: _Lane, response: httpx.Response, *, secure: bool) -> bool:
    """Whether nothing came behind the reply. What did would be taken for the answer to the next request."""
    # What still waits in the kernel httpcore sees for itself; what h11 and TLS have taken in already it does not.
    stream = response.extensions.get("network_stream") if secure else None
    tls: ssl.SSLObject | None = stream.get_extra_info("ssl_object") if stream else None
    if tls is not None:
        try:
            tls.read(1)
        except ssl.SSLWantReadError:
            pass  # nothing is there, as it should be
        except ssl.SSLError:
            return False
        else:
            return False
    connection: Any = lane.inner._pool.connections[0] if lane.inner._pool.connections else None  # noqa: SLF001  nowhere public
    while connection is not None and not hasattr(connection, "_h11_state"):
        connection = getattr(connection, "_connection", None)
    return connection is not None and not connection._h11_state.trailing_data[0]  # noqa: SLF001
