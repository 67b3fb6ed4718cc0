"""Which proxy leads to an address: the one that the client was given, or what the environment says.

``HTTPS_PROXY`` (``HTTP_PROXY`` for plain http) and then ``ALL_PROXY`` name it, in lower or upper case; the lower case
wins, also if it is empty. ``NO_PROXY`` lists what is reached without it, between commas or blanks:

::

    *                                  everything
    example.com  .example.com  *.example.com
                                       that host and all below it
    203.0.113.7  10.0.0.0/8  fd00::/8  an address, or the addresses of a network
    example.com:8443  [fd00::1]:8443   the same, at that port alone

This machine is never looked for behind a proxy. Names are not looked up: a network holds hosts that are written as
addresses.
"""

import base64
import ipaddress
import os
from functools import lru_cache
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from attrs import field, frozen

from paypro_async._core.endpoint import is_loopback
from paypro_async._core.secret import Secret
from paypro_async.errors import ConfigurationError

__all__ = ["GIVEN", "Proxy", "environment_proxy", "origin", "proxy_to"]

GIVEN = "proxy= or PAYPRO_PROXY"
"""Where the setting of a proxy stands that the client was given."""

_PORTS = {"http": 80, "https": 443}
_PROXY_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_SOCKS = ("socks5", "socks5h")
_UNSPOKEN = ("socks", "socks4", "socks4a")
_SPECIAL = "write what is special in its user and password in percent signs: @ as %40, / as %2F, # as %23, : as %3A"


@frozen(kw_only=True)
class Proxy:
    """A proxy whose URL can be used.

    Args:
        url: With the user and the password, if it has them.
        scheme: How it is spoken to: ``http``, ``https``, ``socks5`` or ``socks5h``.
        address: Its host and port, for people.
        setting: Where it is set, for people.
    """

    url: Secret[str] = field(repr=False)
    scheme: str
    address: str
    setting: str

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS and not HTTP."""
        return self.scheme in _SOCKS

    @property
    def has_credentials(self) -> bool:
        """Whether its URL holds a user."""
        return urlsplit(self.url.reveal()).username is not None

    @property
    def hidden(self) -> tuple[str, ...]:
        """Every spelling of its password and of its user with it, for looking them up in texts of others."""
        parts = urlsplit(self.url.reveal())
        if parts.username is None:
            return ()
        raw = parts.password or ""
        found = (self.url.reveal(), _basic(parts), f"{parts.username}:{raw}", raw, unquote(raw))
        return tuple(text for text in found if text)

    def headers(self) -> tuple[tuple[str, str], ...]:
        """What it wants to see with every request: the user and the password, if it has them."""
        parts = urlsplit(self.url.reveal())
        return () if parts.username is None else (("Proxy-Authorization", f"Basic {_basic(parts)}"),)


def _basic(parts: SplitResult) -> str:
    credentials = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return base64.b64encode(credentials.encode()).decode()


@lru_cache(maxsize=64)
def origin(url: str) -> str:
    """Scheme, host and port of *url*: what connections are made to."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def proxy_to(url: str, given: Secret[str] | None = None) -> Proxy | None:
    """The proxy that leads to *url*; None if there is none.

    Args:
        url: What is to be reached.
        given: The proxy that the client was given, which is used for everything.

    Raises:
        ConfigurationError: If its URL cannot be used.
    """
    if given is not None:
        return _read(given, GIVEN)
    found = environment_proxy(url)
    return None if found is None else _read(*found)


def environment_proxy(url: str) -> tuple[Secret[str], str] | None:
    """The proxy that the environment names for *url*, and where it does; None if it names none."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or _is_excepted(host, parts.port or _PORTS.get(parts.scheme, 0)):
        return None
    for name in (parts.scheme, "all"):
        variable, value = _variable(f"{name}_proxy")
        if value:
            return Secret(value), variable
    return _system_proxy(parts.scheme, host)


def _variable(name: str) -> tuple[str, str]:
    """The variable of that *name* in lower case or else in upper case, and its value; empty if there is none."""
    if name in os.environ:
        return name, os.environ[name].strip()
    # A web server hands a request's header "Proxy" to the programs that it calls under this name.
    if name == "http_proxy" and "REQUEST_METHOD" in os.environ:
        return name, ""
    return name.upper(), os.environ.get(name.upper(), "").strip()


def _system_proxy(scheme: str, host: str) -> tuple[Secret[str], str] | None:
    """What the settings of macOS or Windows say, which count where no variable is set."""
    if any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    value = getproxies().get(scheme)
    return (Secret(value), "the settings of this system") if value and not proxy_bypass(host) else None


def _is_excepted(host: str, port: int) -> bool:
    """Whether ``NO_PROXY`` lists the host."""
    _, listed = _variable("no_proxy")
    return any(_matches(entry.lower(), host.lower(), port) for entry in listed.replace(",", " ").split())


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    named, _, network = entry.partition("/")
    named, wanted = _without_port(named)
    if network:
        network, _, wanted = network.partition(":")
    if wanted and wanted != str(port):
        return False
    address = _address(host)
    if address is not None:
        listed = _network(f"{named}/{network}" if network else named)
        return listed is not None and address.version == listed.version and address in listed
    named, host = named.removeprefix("*").strip("."), host.rstrip(".")
    return bool(named) and (host == named or host.endswith(f".{named}"))


def _without_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        named, _, rest = entry[1:].partition("]")
        return named, rest.removeprefix(":")
    if entry.count(":") == 1:
        named, _, port = entry.partition(":")
        return named, port
    return entry, ""  # a name, or an address of version 6


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.partition("%")[0], strict=False)
    except ValueError:
        return None


def _read(given: Secret[str], setting: str) -> Proxy:
    """Check the URL of a proxy.

    Raises:
        ConfigurationError: If it is none. The text quotes nothing of it, which may be a part of the password.
    """
    # No part of it stays in a variable when an error is raised: a traceback may show those.
    url = _completed(given)
    socks = next((one for one in _UNSPOKEN if url.reveal().lower().startswith(f"{one}://")), None)
    if socks is not None:
        raise ConfigurationError(
            f"The proxy cannot be used ({setting}): {socks}:// is spoken by no transport. Nothing was sent. If it "
            "speaks SOCKS 5 too, as most do, write socks5:// and use transport='httpx' (PAYPRO_TRANSPORT=httpx) with "
            "httpx[socks] installed; else give a proxy that speaks HTTP."
        )
    parts = _split(url)
    if parts is None:
        raise ConfigurationError(
            f"The proxy cannot be used ({setting}). Nothing was sent; give a URL such as http://proxy.example:3128, by "
            f"proxy= or HTTPS_PROXY, and {_SPECIAL}."
        )
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    address = f"{host}:{parts.port or _PROXY_PORTS[parts.scheme]}"
    return Proxy(url=url, scheme=parts.scheme, address=address, setting=setting)


def _completed(given: Secret[str]) -> Secret[str]:
    text = given.reveal().strip()
    return Secret(text if "://" in text else f"http://{text}")


def _split(url: Secret[str]) -> SplitResult | None:
    try:
        parts = urlsplit(url.reveal())
        # What stands behind the host is perhaps the end of a password.
        usable = parts.scheme in _PROXY_PORTS and parts.hostname and parts.port != 0
        plain = parts.path in ("", "/") and not parts.query and not parts.fragment
    except ValueError:
        return None
    return parts if usable and plain and not any(one.isspace() for one in url.reveal()) else None
