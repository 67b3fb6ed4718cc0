"""To whom callbacks may go, and one POST on the wire: plain h11 over a socket, bounded in time and size."""

import ipaddress
import ssl
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

import anyio
import anyio.abc
import h11
from attrs import field, frozen

from paypro_async.sandbox.callbacks.notification import Outcome

__all__ = ["Refused", "Response", "Target", "find_target", "post"]

_ANSWER_LIMIT = 64 * 1024  # bytes, head and body together
_LONGEST = 2048  # characters of a URL
_SHOWN = 80  # bytes of an answer's body
_CHUNK = 16 * 1024
_DISCARD = 9  # the port at which by convention nobody listens
_LOOPBACKS = ("127.0.0.1", "::1")


@frozen(kw_only=True)
class Target:
    """Where a callback goes.

    Args:
        hosts: Tried in this order until one accepts the connection.
        port: Its port.
        tls: Whether it speaks HTTPS.
        name: The name in its URL.
        authority: The header ``Host``.
        path: With what stands behind a ``?``.
        shown: The URL without that.
    """

    hosts: tuple[str, ...]
    port: int
    tls: bool
    name: str
    authority: str
    path: str
    shown: str


@frozen
class Refused:
    """Why no callback goes to a URL, and how that URL is shown."""

    why: str
    shown: str


@frozen(kw_only=True)
class Response:
    """What came of one POST; ``problem`` says in words why there is no answer."""

    outcome: Outcome
    http_status: int | None = None
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    problem: str | None = None

    @property
    def beginning(self) -> str | None:
        """The first bytes of the answer's body as text that steers no terminal; None without an answer."""
        if self.http_status is None:
            return None
        text = self.body[:_SHOWN].decode("utf-8", "replace")
        return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


@lru_cache(maxsize=4096)
def find_target(url: str, allowed: Collection[str]) -> Target | Refused:
    """The target of a ``notifyUrl``: a port of this machine, or of a host that is *allowed* by name."""
    if not url.isascii() or not url.isprintable() or len(url) > _LONGEST:
        return Refused("it is no URL", "")
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        return Refused("it is no URL", "")
    name = (parts.hostname or "").rstrip(".")
    if parts.scheme not in ("http", "https") or not name or " " in url:
        return Refused("it is no http or https URL", "")
    shown = _shown(parts, name, port)
    port = port if port is not None else 443 if parts.scheme == "https" else 80
    if not (hosts := _hosts_of(name, allowed)):
        return Refused("its host is not this machine, and callbacks to it were not allowed", shown)
    if port == _DISCARD:
        return Refused("port 9 is the one at which by convention nobody listens", shown)
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    authority = parts.netloc.rpartition("@")[2]
    return Target(
        hosts=hosts,
        port=port,
        tls=parts.scheme == "https",
        name=name,
        authority=authority,
        path=target,
        shown=shown,
    )


def _shown(parts: SplitResult, name: str, port: int | None) -> str:
    host = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path}"


def _hosts_of(name: str, allowed: Collection[str]) -> tuple[str, ...]:
    if name in allowed:
        return (name,)
    # These names are never looked up: whoever answers for them could send callbacks elsewhere.
    if name == "localhost" or name.endswith(".localhost"):
        return _LOOPBACKS
    try:
        return (name,) if ipaddress.ip_address(name).is_loopback else ()
    except ValueError:
        return ()


async def post(target: Target, body: bytes, *, content_type: str = "application/json", timeout: float) -> Response:
    """Send *body* to *target* within *timeout* seconds; what came of it, never an error."""
    connected = False
    try:
        with anyio.fail_after(timeout):
            async with await _connect(target) as stream:
                connected = True
                return await _exchange(stream, _request(target, body, content_type), body)
    except TimeoutError:
        return Response(outcome="no_answer" if connected else "not_connected", problem=f"none within {timeout:g} s")
    except h11.RemoteProtocolError:
        return Response(outcome="not_http", problem="the answer was cut short, or no HTTP")
    except (anyio.BrokenResourceError, anyio.EndOfStream):
        return Response(outcome="no_answer", problem="the connection was closed")
    except (OSError, ssl.SSLError) as error:
        outcome: Outcome = "no_answer" if connected else "not_connected"
        return Response(outcome=outcome, problem=_reason(error))


async def _connect(target: Target) -> anyio.abc.ByteStream:
    failure: OSError | None = None
    for host in target.hosts:
        try:
            if not target.tls:
                return await anyio.connect_tcp(host, target.port)
            context = _tls()
            return await anyio.connect_tcp(
                host, target.port, tls_hostname=target.name, ssl_context=context, tls_standard_compatible=False
            )
        except OSError as error:
            failure = failure or error
    raise failure or OSError("no host")


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _request(target: Target, body: bytes, content_type: str) -> h11.Request:
    headers = [
        ("Host", target.authority),
        ("User-Agent", "paypro-sandbox"),
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]
    return h11.Request(method="POST", target=target.path, headers=headers)


async def _exchange(stream: anyio.abc.ByteStream, request: h11.Request, body: bytes) -> Response:
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_ANSWER_LIMIT)
    events = (request, h11.Data(data=body), h11.EndOfMessage())
    await stream.send(b"".join(http.send(event) or b"" for event in events))
    status, answer, content_type = 0, bytearray(), ""
    while not isinstance(event := await _next_event(http, stream), h11.EndOfMessage | h11.ConnectionClosed):
        if isinstance(event, h11.Response):
            status = event.status_code
            content_type = dict(event.headers).get(b"content-type", b"").decode("latin-1")
        elif isinstance(event, h11.Data):
            answer += event.data
            if len(answer) > _ANSWER_LIMIT:
                break
    ok = status == 200 and answer == b"OK"
    return Response(
        outcome="ok" if ok else "other_answer", http_status=status, body=bytes(answer), content_type=content_type
    )


async def _next_event(http: h11.Connection, stream: anyio.abc.ByteStream) -> h11.Event:
    while not isinstance(event := http.next_event(), h11.Event):
        try:
            http.receive_data(await stream.receive(_CHUNK))
        except anyio.EndOfStream:
            http.receive_data(b"")
    return event


def _reason(error: OSError) -> str:
    """Why there is no connection, in the system's words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    cause = error
    while isinstance(cause.__cause__, OSError):
        cause = cause.__cause__
    return cause.strerror or "no connection"
