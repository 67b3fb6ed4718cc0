"""What lies between this process and the platform, for telling people what to mend."""

import os
from urllib.parse import urlsplit

from attrs import field, frozen

from paypro_async._core.secret import Secret
from paypro_async.errors import ConfigurationError
from paypro_async.transport.base import TransportSettings
from paypro_async.transport.proxies import Proxy, proxy_to

__all__ = ["Route"]

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
