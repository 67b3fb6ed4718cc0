"""Where requests go and who sends them: the base URL, its environment, the merchant number."""

import ipaddress
import re
from urllib.parse import SplitResult, unquote, urlsplit

from attrs import frozen

from paypro_async._core.errors import ConfigurationError
from paypro_async._core.secret import hidden

__all__ = ["LOCAL", "Endpoint", "check_merchant_no", "is_loopback", "read_endpoint"]


LOCAL = "local"
"""The environment of this machine, for a client that gives it no name."""


@frozen
class Endpoint:
    """A platform to talk to.

    Args:
        base_url: Without a slash at its end.
        environment: Names the platform across restarts: the host, or ``local`` on loopback, where ports come and go.
    """

    base_url: str
    environment: str


# What the client puts behind the base URL, or the end of it.
_ENDPOINT = re.compile(r"(?:/+v1/+paypro(?:/.*)?|/+query(?:PayOutResult|Balance)/*)\Z", re.IGNORECASE | re.DOTALL)


def is_loopback(host: str) -> bool:
    """Whether *host* can only be this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _split(base_url: object) -> SplitResult | None:
    if not isinstance(base_url, str):
        return None
    try:
        url = urlsplit(base_url.strip())
        usable = url.scheme in ("http", "https") and url.port != 0 and len(base_url.split()) == 1
        (url.hostname or "").encode("idna")  # No name has an empty part, or one of more than 63 letters.
    except ValueError:
        return None
    return url if usable and "\\" not in base_url else None


def read_endpoint(base_url: str, *, environment: str | None, allow_plain_http: bool) -> Endpoint:
    """Check a base URL.

    Raises:
        ConfigurationError: If it cannot be used, or would send secrets and names in the clear.
    """
    # Who has written a password into it finds it in no traceback, nor what it was split into.
    base_url = hidden(base_url)
    if (wrong := _wrong(base_url, allow_plain_http=allow_plain_http)) is not None:
        raise ConfigurationError(wrong)
    name = _name(environment)
    host = urlsplit(base_url.strip()).hostname or ""
    return Endpoint(base_url.strip().rstrip("/"), name or (LOCAL if is_loopback(host) else host))


def _name(environment: object) -> str | None:
    if not environment:
        return None
    if not isinstance(environment, str) or environment != environment.strip() or not environment.isprintable():
        # Another name than it looks like: the ledger would take the same platform for another one.
        raise ConfigurationError(
            "environment= (PAYPRO_ENVIRONMENT) begins or ends with a blank, or holds what cannot be seen, or is no "
            "text. Nothing was sent. Take that out, or give a name such as 'sandbox'."
        )
    return environment


def _wrong(base_url: str, *, allow_plain_http: bool) -> str | None:
    url = _split(base_url)
    host = url.hostname if url else None
    if url is None or not host:
        return (
            "base_url is not an absolute http or https URL. Nothing was sent. Give the one of your region from PayPro, "
            "such as https://sandbox-api.paypro.tech/… , without quotes or other signs around it."
        )
    if "…" in base_url or "..." in base_url:
        return (
            "base_url holds the dots of an example, which stand for what PayPro writes there. Nothing was sent. Give "
            "the whole one of your region from PayPro."
        )
    if _ENDPOINT.search(unquote(url.path)) is not None:
        return (
            "base_url ends in the path of an endpoint, which the client adds itself. Nothing was sent. Give only what "
            f"stands before '/v1/paypro/…': {url.scheme}://{url.netloc.rpartition('@')[2]} and, if your region has one,"
            " its own path."
        )
    if "?" in base_url or "#" in base_url or "@" in url.netloc:
        return (
            "base_url must not hold a query, a fragment or credentials. Nothing was sent. Give host and path only; the "
            "merchant number and the signer are arguments of their own."
        )
    if url.scheme == "http" and not is_loopback(host) and not allow_plain_http:
        return (
            "base_url is plain http, which would send names and account numbers in the clear. Nothing was sent. Use "
            "https, or say allow_plain_http=True if the network in between is yours."
        )
    return None


def check_merchant_no(merchant_no: object) -> None:
    """Refuse what cannot be a merchant number.

    Raises:
        ConfigurationError: If it is not text of letters and digits.
    """
    if isinstance(merchant_no, str) and merchant_no != merchant_no.strip() and merchant_no.strip().isalnum():
        raise ConfigurationError(
            "merchant_no begins or ends with a blank or a line break. Nothing was sent. Take it off."
        )
    if not isinstance(merchant_no, str) or not merchant_no.isascii() or not merchant_no.isalnum():
        raise ConfigurationError(
            "merchant_no must be text of letters and digits, as PayPro writes it, without quotes or other signs; a "
            "number would lose its zeros. Nothing was sent."
        )
