"""Which proxy leads to an address, by what the environment says."""

import base64
from functools import lru_cache
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from paypro_async._core.endpoint import is_loopback
from paypro_async.errors import ConfigurationError

__all__ = ["check_http_proxy", "environment_proxy", "origin", "proxy_headers"]


@lru_cache(maxsize=64)
def origin(url: str) -> str:
    """Scheme, host and port of *url*: what connections are made to."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def environment_proxy(url: str) -> str | None:
    """The proxy that ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` name for *url*; never one to this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def check_http_proxy(proxy: str) -> None:
    """Refuse what cannot be a proxy that speaks HTTP.

    Raises:
        ConfigurationError: If it is none.
    """
    parts = urlsplit(proxy)
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable:
        raise ConfigurationError(
            "The proxy cannot be used. Nothing was sent; give a URL such as http://proxy.example:3128, by proxy= or "
            "HTTPS_PROXY (for SOCKS, use transport='httpx' with httpx[socks])."
        )


def proxy_headers(proxy: str) -> tuple[tuple[str, str], ...]:
    """What a proxy wants to see with every request: the user and the password of its URL, if it has them."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return ()
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return (("Proxy-Authorization", "Basic " + base64.b64encode(credentials.encode()).decode()),)
