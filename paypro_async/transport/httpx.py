"""The default transport: httpx's connections, without its client and its pool. The only file that imports httpx.

One request is two writes of ours, on a connection that httpx made: through a proxy for HTTP or SOCKS, with TLS or
without. For each connection there is a transport of httpx that connects and goes no further: its pool rescans itself at
every change, and a request that is cancelled while it connects costs it a slot for good (docs/architecture.md has the
figures).

httpx2 continues httpx under another name, with the same classes, so what is said of httpx here holds for either.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal

import anyio
import httpx

from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.errors import ConfigurationError
from paypro_async.transport.authorities import TlsContext
from paypro_async.transport.base import TransportSettings
from paypro_async.transport.causes import HTTPX_CAUSES, NO_HTTP, SPOKEN_ON
from paypro_async.transport.diagnosis import Step
from paypro_async.transport.lane import ConnectedError, Dial, Lane
from paypro_async.transport.pool import ConnectionPool, NoReplyError, Origin, Target
from paypro_async.transport.progress import DROP_UNSENT, Progress
from paypro_async.transport.proxies import Proxy
from paypro_async.transport.reading import ReplyReader
from paypro_async.transport.route import Route, mended

__all__ = ["HttpxTransport"]

# The time-outs of httpx are per read; the deadline of the whole exchange is one time-out around it.
_NO_TIMEOUT = MappingProxyType({"connect": None, "read": None, "write": None, "pool": None})
_CLOSING_SECONDS = 1.0
_TO_PROXY = ("connection.connect_tcp.started", "connection.start_tls.started", "socks.connect_tcp.started")


class _AnsweredError(Exception):
    """A tool of tests (respx, say) has answered in the place of the network, so there is no connection.

    Args:
        exchange: With that answer.
    """

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.exchange = exchange


class HttpxTransport(ConnectionPool[Lane]):
    """Connections of httpx, one request at a time on each.

    Args:
        settings: How many connections there are at most, TLS, the proxy and the clock.
        library: httpx, or httpx2, which must be installed.
    """

    def __init__(
        self, settings: TransportSettings | None = None, *, library: Literal["httpx", "httpx2"] = "httpx"
    ) -> None:
        # It ends each request in time; what is made of this class may not.
        self.keeps_time: bool = type(self) is HttpxTransport
        self._httpx = _load(library)
        settings = settings or TransportSettings()
        faults = (self._httpx.RequestError, *_faults_of_socks(), _AnsweredError)
        super().__init__(settings, causes=HTTPX_CAUSES, faults=faults)
        self._closing: set[asyncio.Task[Any]] = set()
        self._tls = TlsContext(settings.ssl_context, make=self._httpx.create_ssl_context)
        self._no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for plain http, where httpx wants one and uses none

    async def aclose(self) -> None:
        """Close every connection. A request that is under way finishes and then closes its own."""
        await super().aclose()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _way(self, url: str, proxy: Proxy | None) -> Callable[[], httpx.AsyncHTTPTransport]:
        """What makes a transport of httpx that is good for one connection."""
        plain = url.startswith("http:") and not (proxy is not None and proxy.scheme == "https")
        context = self._no_tls if plain and self._settings.ssl_context is None else await self._tls.get()

        def connecting() -> httpx.AsyncHTTPTransport:
            through = None
            if proxy is not None:
                to_proxy = context if proxy.scheme == "https" else None
                through = self._httpx.Proxy(proxy.url.reveal(), ssl_context=to_proxy)
            made: httpx.AsyncHTTPTransport = self._httpx.AsyncHTTPTransport(
                verify=context, proxy=through, socket_options=(DROP_UNSENT,)
            )
            return made

        unusable = self._unusable(connecting, "" if proxy is None else f" ({proxy.setting})")
        if unusable is not None:
            # Not from the library's error, which may quote the password.
            raise ConfigurationError(unusable)
        return connecting

    def _unusable(self, connecting: Callable[[], object], setting: str) -> str | None:
        """Why the proxy that is set there cannot be used."""
        try:
            connecting()
        except ImportError:
            return (
                f"The proxy{setting} speaks SOCKS, for which a package is missing. Nothing was sent; install it with: "
                f"pip install '{self._httpx.__name__}[socks]'."
            )
        except (ValueError, self._httpx.InvalidURL):
            return f"The proxy cannot be used{setting}. Nothing was sent; give a URL such as http://proxy.example:3128."
        return None

    async def _dial(self, to: Origin[Lane], request: WireRequest, progress: Progress) -> Lane:
        connecting, dial = to.way(), Dial(progress)
        lane = None
        try:
            lane = await self._connected(connecting, dial, request)
            return lane
        finally:
            if lane is None:
                await self._close(connecting.aclose)
                if dial.tcp is not None:
                    # httpcore forgets a connection whose TLS handshake is cancelled; closing twice is no fault.
                    await self._close(dial.tcp.drop)

    async def _connected(self, connecting: httpx.AsyncHTTPTransport, dial: Dial, request: WireRequest) -> Lane:
        # httpx connects for a request alone, so it is given this one, and writes nothing of it.
        try:
            answer = await connecting.handle_async_request(
                self._httpx.Request(
                    "POST",
                    request.url,
                    headers=request.headers,
                    content=request.body,
                    extensions={"timeout": _NO_TIMEOUT, "trace": dial},
                )
            )
        except ConnectedError:
            lane = dial.lane(self._httpx.ReadError)
            if lane is None:
                raise NoReplyError(SPOKEN_ON) from None
            return lane
        reader = ReplyReader(self._settings.max_reply_bytes)
        reader.feed(_head(answer))
        stream: Any = answer.stream  # as it came: httpx would unpack it without a bound
        async for chunk in stream:
            reader.feed(chunk)
        reader.end()
        await answer.aclose()
        raise _AnsweredError(mended(reader.exchange, self._route(request)))

    def _failed(self, error: Exception, request: WireRequest, progress: Progress) -> Exchange:
        return error.exchange if isinstance(error, _AnsweredError) else super()._failed(error, request, progress)

    async def _drop(self, connection: Lane) -> None:
        await self._close(connection.tcp.drop)

    def _drop_soon(self, connection: Lane) -> None:
        closing = asyncio.ensure_future(self._drop(connection))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _close(self, close: Callable[[], Awaitable[None]]) -> None:
        # Also while the caller is being cancelled: an open socket would leak.
        with anyio.move_on_after(_CLOSING_SECONDS, shield=True):
            try:
                await close()
            except (self._httpx.RequestError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # It is gone, which is all that was wanted.

    @staticmethod
    def _target(url: str) -> Target:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            raise NoReplyError(NO_HTTP) from None
        return Target(str(parsed), parsed.raw_path.decode(), parsed.netloc.decode())

    def _step(self, error: Exception, _: Route, progress: Progress) -> Step:
        # httpcore's connection is the one to the proxy, if there is one; through it goes what a tunnel adds.
        step = progress.connecting
        status = str(error)[:3] if type(error).__name__ == "ProxyError" else ""
        return Step(
            begun=progress.begun,
            at_proxy=step in _TO_PROXY if step else None,
            tls=".start_tls" in step,
            status=int(status) if status.isdigit() else None,
        )


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


def _head(response: httpx.Response) -> bytes:
    """The head of a reply that never was bytes; without a length it ends where its stream does."""
    framing = (b"content-length", b"transfer-encoding")
    lines = [b"%b: %b" % (name, value) for name, value in response.headers.raw if name.lower() not in framing]
    return b"\r\n".join([b"HTTP/1.1 %d" % response.status_code, *lines, b"", b""])
