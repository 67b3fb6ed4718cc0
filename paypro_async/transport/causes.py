"""Messages for the errors of the libraries that send. They never decide the phase: what was written does.

The errors are named, not imported, so that no library is loaded that is not used.
"""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["AIOHTTP_CAUSES", "GIVEN_UP", "HTTPX_CAUSES", "NO_HTTP", "NO_REPLY", "SPOKEN_ON", "message"]

_NO_CONNECTION = "no connection could be made"
NO_REPLY = "the connection was closed without a whole reply"
SPOKEN_ON = "the connection was closed, or spoken on, before it was used"
GIVEN_UP = "its connection was closed, since a reply on it belonged to another request"
NO_HTTP = "the request could not be written as HTTP"
_UNUSED = "aiohttp reported what this client has no use for"
_NO_URL = "the URL is neither http nor https"

HTTPX_CAUSES: Mapping[str, str] = MappingProxyType(
    {
        "ConnectTimeout": "no connection was made in time",
        "ReadTimeout": "no reply came in time",
        "WriteTimeout": "the request could not be written in time",
        "PoolTimeout": "no connection was free in time",
        "ConnectError": _NO_CONNECTION,
        "ReadError": "the connection broke while waiting for the reply",
        "WriteError": "the connection broke while sending",
        "CloseError": "the connection broke while closing",
        "ProxyError": "the proxy refused",
        "UnsupportedProtocol": _NO_URL,
        "LocalProtocolError": NO_HTTP,
        "RemoteProtocolError": NO_REPLY,
        "DecodingError": "the reply's content encoding could not be read",
        "TooManyRedirects": "the platform redirected",
        "SSEError": "the reply is no stream of events",  # httpx2 alone
    }
)
"""By the class of httpx or httpx2."""

AIOHTTP_CAUSES: Mapping[str, str] = MappingProxyType(
    {
        "ClientConnectorError": _NO_CONNECTION,
        "ClientConnectorDNSError": _NO_CONNECTION,
        "ClientConnectorSSLError": _NO_CONNECTION,
        "ClientConnectorCertificateError": _NO_CONNECTION,
        "ClientProxyConnectionError": "the proxy could not be reached",
        "ClientHttpProxyError": "the proxy refused",
        "ClientOSError": "the connection broke",
        "ClientConnectionResetError": "the connection broke while sending",
        "ServerDisconnectedError": NO_REPLY,
        "ConnectionTimeoutError": "no connection was made in time",
        "SocketTimeoutError": "no reply came in time",
        "ServerFingerprintMismatch": "the server's certificate is another one",
        "ClientPayloadError": NO_REPLY,
        "ClientResponseError": NO_REPLY,
        "HttpProcessingError": "the reply is not HTTP",
        "ValueError": NO_HTTP,
        "InvalidUrlClientError": NO_HTTP,
        "NonHttpUrlClientError": _NO_URL,
        "UnixClientConnectorError": _UNUSED,
        "UploadAbortedError": _UNUSED,
        "ContentTypeError": _UNUSED,
        "WSServerHandshakeError": _UNUSED,
        "TooManyRedirects": _UNUSED,
        "InvalidUrlRedirectClientError": _UNUSED,
        "NonHttpUrlRedirectClientError": _UNUSED,
    }
)
"""By the class of aiohttp."""


def message(error: Exception, causes: Mapping[str, str]) -> str:
    """What happened, for people: that of the error's own class, or else of the nearest that it is derived from."""
    for kind in type(error).__mro__:
        if kind.__name__ in causes:
            return causes[kind.__name__]
    return f"the connection failed ({type(error).__name__})"
