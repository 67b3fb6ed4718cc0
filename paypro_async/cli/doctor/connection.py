"""One request past the transports, for what they do not tell: the proxy, the certificate, the time and the headers.

It asks for the balance, as the transports would, or for the base URL where nothing can be signed. It moves no money.
"""

import asyncio
import os
import ssl
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import anyio.to_thread
import certifi
from attrs import define, field, frozen

from paypro_async._core.wire import WireRequest
from paypro_async.errors import ConfigurationError
from paypro_async.transport.authorities import default_context
from paypro_async.transport.proxies import Proxy, proxy_to

__all__ = ["SECONDS", "Certificate", "Seen", "look_at"]

SECONDS = 10.0
"""After which it is given up."""

_HEAD_LIMIT = 64 * 1024
_PORTS = {"http": 80, "https": 443}
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_OUT_OF_TIME, _OTHER_NAME = (9, 10), (62, 64)  # as OpenSSL numbers them
_OK = 200


@frozen(kw_only=True)
class Certificate:
    """What a server showed.

    Args:
        version: Of the protocol, ``TLSv1.3``.
        subject: Whose it is.
        issuer: Who signed it.
        ends: When it runs out.
    """

    version: str
    subject: str
    issuer: str
    ends: datetime | None


@define(kw_only=True)
class Seen:
    """What was seen, as far as it came.

    Args:
        proxy: What leads there, for people, and where that is set; None if nothing does.
        proxy_wrong: Why the proxy cannot be used or reached.
        looked: Whether there was an attempt to connect.
        authorities: The list that certificates are checked with.
        authorities_wrong: Why it cannot be read.
        certificate: That of the platform, or of what answers for it.
        tls_wrong: Why TLS failed, and *tls_mend* what mends it.
        wrong: Why there was no reply otherwise.
        headers: Of the reply, by their names in small letters.
        ahead: By how many seconds the clock of this machine is ahead of the reply's; None if the reply tells no time.
    """

    proxy: tuple[str, str] | None = None
    proxy_wrong: str | None = None
    looked: bool = False
    authorities: str = ""
    certificate: Certificate | None = None
    authorities_wrong: str | None = None
    tls_wrong: str | None = None
    tls_mend: str = ""
    wrong: str | None = None
    headers: Mapping[str, str] = field(default=_NO_HEADERS)
    ahead: float | None = None


async def look_at(base_url: str, given_proxy: Any, request: WireRequest | None = None) -> Seen:
    """Connect as the transports do, through the same proxy and with the same authorities.

    Args:
        base_url: What is to be reached.
        given_proxy: The proxy that a client would be given.
        request: What is asked there; the base URL by GET if it is None.
    """
    seen = Seen(authorities=_authorities())
    try:
        proxy = proxy_to(base_url, given_proxy)
    except ConfigurationError as error:
        seen.proxy_wrong = str(error)
        return seen
    if proxy is not None:
        seen.proxy = proxy.address, proxy.setting
        if proxy.is_socks:
            return seen
    seen.looked = True
    try:
        async with asyncio.timeout(SECONDS):
            await _look(seen, base_url, proxy, request)
    except TimeoutError:
        seen.wrong = f"nothing was heard within {SECONDS:.0f} seconds"
    except ssl.SSLError as error:
        seen.tls_wrong, seen.tls_mend = _reason(error), _tls_mend(error)
        await _look_whose(seen, base_url, proxy)
    except (OSError, ValueError, EOFError) as error:
        seen.wrong = _reason(error)
    return seen


async def _look(seen: Seen, base_url: str, proxy: Proxy | None, request: WireRequest | None) -> None:
    try:
        context = await anyio.to_thread.run_sync(default_context, abandon_on_cancel=True)
    except OSError as error:
        seen.authorities_wrong = _reason(error)
        return
    reader, writer = await _connected(seen, base_url, proxy, context)
    try:
        if seen.proxy_wrong is None:
            plain_proxy = proxy if base_url.startswith("http:") else None
            began = time.time()
            lines, body = _request(base_url, plain_proxy, request)
            _, seen.headers = await _exchange(reader, writer, lines, body)
            seen.ahead = _ahead(seen.headers.get("date", ""), began, time.time())
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _connected(
    seen: Seen, base_url: str, proxy: Proxy | None, context: ssl.SSLContext
) -> tuple[StreamReader, StreamWriter]:
    """A connection on which the platform can be asked, or on which the proxy has refused."""
    url = urlsplit(base_url)
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    if proxy is None:
        reader, writer = await asyncio.open_connection(host, port, limit=_HEAD_LIMIT)
    else:
        reader, writer = await _proxy_connected(seen, proxy, context)
        if url.scheme == "https":
            shown = f"[{host}]" if ":" in host else host
            lines = [f"CONNECT {shown}:{port} HTTP/1.1", f"Host: {shown}:{port}", *_fields(proxy)]
            status, _ = await _exchange(reader, writer, lines)
            if status != _OK:
                seen.proxy_wrong = f"it answers HTTP {status} when it is asked for a connection to the platform"
                return reader, writer
    if url.scheme == "https":
        await writer.start_tls(context, server_hostname=host)
        seen.certificate = _certificate(writer.get_extra_info("ssl_object"))
    return reader, writer


async def _proxy_connected(seen: Seen, proxy: Proxy, context: ssl.SSLContext) -> tuple[StreamReader, StreamWriter]:
    url = urlsplit(f"//{proxy.address}")
    tls = context if proxy.scheme == "https" else None
    try:
        return await asyncio.open_connection(url.hostname, url.port, ssl=tls, limit=_HEAD_LIMIT)
    except OSError as error:
        seen.proxy_wrong = f"it cannot be reached ({_reason(error)})"
        raise


def _request(base_url: str, plain_proxy: Proxy | None, request: WireRequest | None) -> tuple[list[str], bytes]:
    """The lines of its head, and its body."""
    url = urlsplit(request.url if request else base_url)
    target = url.geturl() if plain_proxy else url.path or "/"
    common = [f"Host: {url.netloc}", "Connection: close", *(_fields(plain_proxy) if plain_proxy else ())]
    if request is None:
        return [f"GET {target} HTTP/1.1", *common], b""
    own = [f"{name}: {value}" for name, value in request.headers]
    return [f"POST {target} HTTP/1.1", *common, *own, f"Content-Length: {len(request.body)}"], request.body


async def _exchange(
    reader: StreamReader, writer: StreamWriter, lines: list[str], body: bytes = b""
) -> tuple[int, dict[str, str]]:
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
    await writer.drain()
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError:
        raise ValueError("the headers of its reply are too long") from None
    except asyncio.IncompleteReadError:
        raise ValueError("the connection was closed without a reply") from None
    first, *others = head.split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/") or not rest[:3].isdigit():
        raise ValueError("what answers does not speak HTTP")
    headers: dict[str, str] = {}
    for line in others:
        name, _, value = line.partition(":")
        known = headers.get(name.lower())
        headers[name.lower()] = value.strip() if known is None else f"{known}, {value.strip()}"
    return int(rest[:3]), headers


async def _look_whose(seen: Seen, base_url: str, proxy: Proxy | None) -> None:
    """Whose certificate it is that is not trusted; nothing is asked on such a connection."""
    shown = Seen()
    with suppress(OSError, ValueError, EOFError):
        async with asyncio.timeout(SECONDS / 2):
            trusting = ssl.create_default_context()
            trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
            _, writer = await _connected(shown, base_url, proxy, trusting)
            raw = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.transport.abort()
            # Read as if it were an authority itself: without one, Python does not say what stands in a certificate.
            alone = ssl.create_default_context(cadata=raw)
            alone.check_hostname = False
            alone.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            _, writer = await _connected(shown, base_url, proxy, alone)
            writer.transport.abort()
            seen.certificate = shown.certificate


def _fields(proxy: Proxy) -> list[str]:
    return [f"{name}: {value}" for name, value in proxy.headers()]


def _certificate(connection: ssl.SSLObject) -> Certificate:
    found: Mapping[str, Any] = connection.getpeercert() or {}
    ends = found.get("notAfter")
    return Certificate(
        version=connection.version() or "TLS",
        subject=_name(found.get("subject", ()), "commonName", "organizationName") or _first_name(found),
        issuer=_name(found.get("issuer", ()), "organizationName", "commonName") or "unknown",
        ends=datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if ends else None,
    )


def _name(parts: Any, *wanted: str) -> str:
    found = {name: value for part in parts for name, value in part}
    return next((str(found[name]) for name in wanted if found.get(name)), "")


def _first_name(found: Mapping[str, Any]) -> str:
    return next((str(value) for _, value in found.get("subjectAltName", ())), "unknown")


def _ahead(date: str, began: float, ended: float) -> float | None:
    try:
        sent = parsedate_to_datetime(date)
        told = sent.timestamp() if sent.tzinfo else sent.replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
    # The header has whole seconds, and it was written at some moment in between.
    if began - 1 <= told <= ended:
        return 0.0
    return began - 1 - told if told < began - 1 else ended - told


def _authorities() -> str:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if value := os.environ.get(name):
            return f"{name}={value}"
    return certifi.where()


def _tls_mend(error: ssl.SSLError) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return "This is no matter of trust: 'access' tells what it is."
    if error.verify_code in _OUT_OF_TIME:
        return "Compare the clock of this machine first; if it is right, only who runs that server can renew it."
    if error.verify_code in _OTHER_NAME:
        return "Write the host's own name into PAYPRO_BASE_URL. If it is right, do not pay: ask who answers there."
    return (
        "If a proxy of your company opens TLS, give its authority with SSL_CERT_FILE (in PEM, with the usual ones "
        "behind it). If not, do not pay through it: ask who answers there."
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if (
        isinstance(error, OSError)
        and error.errno is not None
        and error.errno > 0
        and not isinstance(error, ssl.SSLError)
    ):
        return os.strerror(error.errno)  # asyncio has words of its own
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error) or type(error).__name__
