"""What lies between this process and the platform, for telling people what to mend.

Where nobody says why there is no reply (no connection in time, no reply in time, a close), one alone proves nothing and
mostly passes; at a wrong address, or before a firewall, all end so.
"""

import os
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from paypro_async._core.secret import Secret
from paypro_async._core.wire import Exchange, Fault
from paypro_async.errors import ConfigurationError
from paypro_async.transport.base import TransportSettings
from paypro_async.transport.proxies import Proxy, proxy_to

__all__ = ["NETWORK", "Route", "mended", "silent", "slow", "unanswered"]

NETWORK = "Check the network of this machine, its routes and its firewall, and whether a proxy is needed (HTTPS_PROXY)"
_PORTS = {"http": 80, "https": 443}


@frozen(kw_only=True)
class Route:
    """The way of one request.

    Args:
        platform: The host and port of the platform.
        secure: Whether TLS is spoken with it.
        proxy: What lies before it, or None.
        authorities: Whose signature under a certificate is believed, for people.
        own_context: Whether the user gave the TLS context.
    """

    platform: str
    secure: bool
    proxy: Proxy | None = field(default=None)
    authorities: str = "certifi's list"
    own_context: bool = False

    @classmethod
    def to(cls, url: str, settings: TransportSettings) -> "Route":
        """The way to *url* with these settings and this environment, as far as they can be read."""
        try:
            proxy = proxy_to(url, settings.proxy)
        except ConfigurationError:
            proxy = None  # Who connects next is told; this only finds words for what has happened.
        parts = urlsplit(url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        return cls(
            platform=f"{host}:{parts.port or _PORTS.get(parts.scheme, 0)}",
            secure=parts.scheme == "https",
            proxy=proxy,
            authorities=_authorities(own=settings.ssl_context is not None),
            own_context=settings.ssl_context is not None,
        )

    @property
    def first(self) -> str:
        """What a connection is made to, for people."""
        return self.platform if self.proxy is None else f"the proxy {self.proxy.address} ({self.proxy.setting})"

    def hidden(self) -> tuple[Secret[str], ...]:
        """What no text may hold."""
        return () if self.proxy is None else tuple(Secret(text) for text in self.proxy.hidden)


def _authorities(*, own: bool) -> str:
    if own:
        return "the ssl_context that was given"
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if os.environ.get(name):
            return f"{name}={os.environ[name]}"
    return "certifi's list"


def slow(route: Route, seconds: float) -> Fault:
    """No connection was there in time, and nobody has refused it."""
    cause = f"no connection to {route.platform}"
    if route.proxy is not None:
        return Fault(
            cause=f"{cause} through {route.first} stood within {_shown(seconds)} s",
            mend="Look whether the proxy answers other programs and reaches the platform, and whether its URL is "
            "right: one that begins with https:// speaks TLS with the proxy itself.",
        )
    no_tls = (
        ", and so does a port at which no TLS is spoken: base_url begins with http:// there" if route.secure else ""
    )
    return Fault(
        cause=f"{cause} stood within {_shown(seconds)} s",
        mend=f"{NETWORK}: packets that a firewall drops look so{no_tls}.",
    )


def silent(seconds: float) -> Fault:
    """The request was sent, and no whole reply came in time."""
    return Fault(
        cause=f"no whole reply came within {_shown(seconds)} s",
        mend="If it stays so, give it more time (timeout, request_timeout), and check host and port of base_url.",
    )


def _shown(seconds: float) -> str:
    """As whole ones where there are some: what is alike but for the clock's last digits is told once."""
    return f"{seconds:.0f}" if seconds >= 1 else f"{seconds:.1g}"


def unanswered(cause: str, route: Route) -> Fault:
    """A connection that was closed, or broke, without a whole reply: at a wrong address all do so."""
    through = f", and {route.first}" if route.proxy is not None else ""
    other = (
        "another service may listen there, or one that wants a client certificate (ssl_context=)"
        if route.secure
        else "another service may listen there, or one that speaks TLS, and then it begins with https://"
    )
    return Fault(cause=cause, mend=f"If it stays so, check host and port of base_url{through}: {other}.")


def mended(exchange: Exchange, route: Route) -> Exchange:
    """The same exchange, with what mends it if it says why there is no usable reply."""
    if exchange.cause is None or exchange.fault is not None:
        return exchange
    return evolve(exchange, fault=unanswered(exchange.cause, route))
