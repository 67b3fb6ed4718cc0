"""From the error of a library to words with the mend. They never decide how far the request got: what was written does.

The errors of the operating system and of TLS are the same below every library, so they are read first; what is left
is told by the class of the library's own error (``causes.py``).
"""

import errno
import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence

from attrs import evolve, frozen

from paypro_async._core.wire import Fault
from paypro_async.transport.causes import message
from paypro_async.transport.cleaned import cleaned
from paypro_async.transport.proxies import GIVEN
from paypro_async.transport.route import NETWORK, Route, unanswered

__all__ = ["Step", "diagnosed"]

_SYSTEM = ("builtins", "ssl", "socket")
_OF_SOCKS = ("ProxyError", "ProtocolError", "SOCKSError")


@frozen(kw_only=True)
class Step:
    """Where a request stood when it failed.

    Args:
        begun: Whether its first byte may have been written.
        at_proxy: Whether the other end was the proxy; None if that is not known.
        tls: Whether TLS was being set up; None if that is not known.
        status: With what HTTP status the proxy refused, if it did.
    """

    begun: bool
    at_proxy: bool | None = None
    tls: bool | None = None
    status: int | None = None


def diagnosed(error: Exception, causes: Mapping[str, str], route: Route, step: Step) -> Fault:
    """Why a request failed, and what mends it.

    Args:
        error: The library's.
        causes: Messages by the names of its classes.
        route: What lies between this process and the platform.
        step: Where the request stood.
    """
    words = message(error, causes)
    found: Fault | None
    if step.status is not None and route.proxy is not None:
        found = _refused_by_proxy(route, step.status)
    elif route.proxy is not None and route.proxy.is_socks and type(error).__name__ in _OF_SOCKS:
        found = Fault(
            cause=f"{route.first} made no connection to {route.platform}",
            mend="Check that it speaks SOCKS 5, that it takes the user and the password of its URL, and that the "
            "platform can be reached from there.",
        )
    else:
        found = _found(error, route, step)
    return evolve(found or unanswered(words, route), error=cleaned(error, words, hidden=route.hidden()))


@frozen(kw_only=True)
class _Case:
    """A failure, with the errors of the system in it, the outermost first."""

    route: Route
    step: Step
    errors: Sequence[BaseException]

    @property
    def at_proxy(self) -> bool:
        """Whether the other end is the proxy, as far as one can tell."""
        return self.route.proxy is not None and self.step.at_proxy is not False

    @property
    def peer(self) -> str:
        """The other end, for people."""
        return self.route.first if self.at_proxy else self.route.platform

    @property
    def setting(self) -> str:
        """Where the other end is set."""
        return f"the proxy's URL ({self.route.proxy.setting})" if self.at_proxy and self.route.proxy else "base_url"


def _found(error: Exception, route: Route, step: Step) -> Fault | None:
    # The libraries' own errors are derived from those of the system, and lack what these hold.
    errors = [one for one in _chain(error) if type(one).__module__ in _SYSTEM or not isinstance(one, OSError)]
    case = _Case(route=route, step=step, errors=errors)
    looks: Sequence[Callable[[_Case], Fault | None]] = (
        (_untrusted, _no_client_certificate)
        if step.begun
        else (_untrusted, _no_client_certificate, _no_tls, _unknown_host, _by_number, _closed)
    )
    return next((fault for look in looks if (fault := look(case)) is not None), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it came from, the outermost first."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        # aiohttp keeps what it wraps in an attribute as well.
        inner = (one.__cause__, one.__context__, getattr(one, "os_error", None))
        waiting += [other for other in inner if isinstance(other, BaseException)]


def _refused_by_proxy(route: Route, status: int) -> Fault:
    assert route.proxy is not None  # noqa: S101  for the type checker
    proxy, setting = route.first, route.proxy.setting
    if status == 407:
        known = "does not take the user and the password of its URL"
        return Fault(
            cause=f"{proxy} {known if route.proxy.has_credentials else 'wants a user and a password'} (HTTP 407)",
            mend=f"Write them into its URL, as in http://user:password@{route.proxy.address}, where it is set "
            f"({setting}); special characters in percent signs.",
            lasting=True,
        )
    if status in (401, 403, 405, 451):
        # One that is given is used for everything.
        without = "take it out" if setting == GIVEN else "name its host in NO_PROXY"
        return Fault(
            cause=f"{proxy} does not allow a connection to {route.platform} (HTTP {status})",
            mend=f"Ask who runs the proxy to allow {route.platform}, or {without} if it can be reached without it. A "
            "web server that is no proxy may answer so too.",
            lasting=True,
        )
    mend = f"The proxy itself can be reached; check {route.platform} (base_url), and the proxy's own network."
    if status < 502:
        mend = f"Check that a proxy for HTTP listens there that allows CONNECT ({setting}): a web server answers so."
    return Fault(cause=f"{proxy} could make no connection to {route.platform} (HTTP {status})", mend=mend)


_EXPIRED, _NOT_YET = 10, 9
_WRONG_NAME = (62, 64)
_NO_ISSUER = (20, 21)


def _untrusted(case: _Case) -> Fault | None:
    error = next((one for one in case.errors if isinstance(one, ssl.SSLCertVerificationError)), None)
    if error is None:
        return None
    code, certificate = getattr(error, "verify_code", 0), f"the TLS certificate of {case.peer}"
    if code in (_EXPIRED, _NOT_YET):
        return Fault(
            cause=f"{certificate} {'has expired' if code == _EXPIRED else 'is not valid yet'}",
            mend="If the clock of this machine is right, only who runs that server can renew it: tell them.",
            lasting=True,
        )
    if code in _WRONG_NAME:
        return Fault(
            cause=f"{certificate} is for another host name",
            mend=f"Write the host's own name into {case.setting}; if that is right, something else stands there and "
            "answers: ask who runs the network.",
            lasting=True,
        )
    given = (
        "the ssl_context that is given" if case.route.own_context else "a file that SSL_CERT_FILE names, in PEM form"
    )
    why = getattr(error, "verify_message", "") or "not verified"
    chain = (
        " If the server does not send its whole chain, only who runs it can mend that." if code in _NO_ISSUER else ""
    )
    return Fault(
        cause=f"{certificate} is not trusted: by {case.route.authorities}, {why}",
        mend=f"If an own authority has signed it (a company's proxy may do so), add its certificate to {given}"
        f"{'' if case.route.own_context else ', or give ssl_context='}; never switch verification off.{chain}",
        lasting=True,
    )


_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "RECORD_LAYER_FAILURE"})
_VERSIONS = (
    "PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "NO_PROTOCOLS_AVAILABLE",
    "WRONG_SSL_VERSION",
    "VERSION_TOO",
    "NO_SHARED_CIPHER",
    "ALERT_HANDSHAKE_FAILURE",
)
_CLIENT_CERTIFICATE = ("CERTIFICATE_REQUIRED", "ALERT_BAD_CERTIFICATE", "ALERT_UNKNOWN_CA", "ALERT_CERTIFICATE")


def _reason(case: _Case) -> str:
    reasons = (one.reason for one in case.errors if isinstance(one, ssl.SSLError))
    return next((str(reason) for reason in reasons if reason), "")


def _no_client_certificate(case: _Case) -> Fault | None:
    # In TLS 1.3 a server says so only when the request is on its way.
    reason = _reason(case)
    if not any(part in reason for part in _CLIENT_CERTIFICATE):
        return None
    return Fault(
        cause=f"{case.peer} wants a client certificate that it trusts ({reason})",
        mend="Give one: ssl_context=, with its load_cert_chain().",
        lasting=True,
    )


def _no_tls(case: _Case) -> Fault | None:
    reason = _reason(case)
    if reason in _NO_TLS:
        return Fault(
            cause=f"no TLS is spoken at {case.peer} ({reason})",
            mend=f"Check the port, and whether {case.setting} should begin with http:// there{_or_proxy(case)}.",
            lasting=True,
        )
    if any(part in reason for part in _VERSIONS):
        return Fault(
            cause=f"{case.peer} and this process have no version of TLS, or no cipher, in common ({reason})",
            mend="TLS 1.2 or newer is spoken here. Check the versions of the ssl_context if one is given; else ask who "
            "runs that server.",
            lasting=True,
        )
    return None


def _or_proxy(case: _Case) -> str:
    """What stands between may be the cause of what seems to be the platform's."""
    if case.at_proxy or case.route.proxy is None:
        return ""
    return f"; or {case.route.first} does not lead there: check that it is a proxy for HTTP that allows CONNECT"


_HOST_UNKNOWN = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


def _unknown_host(case: _Case) -> Fault | None:
    error = next((one for one in case.errors if isinstance(one, socket.gaierror)), None)
    if error is None:
        return None
    if _no_file_left():
        return _NO_FILE
    host = case.peer if case.at_proxy else case.route.platform.rpartition(":")[0]
    if error.errno in _HOST_UNKNOWN:
        proxy = (
            "" if case.at_proxy else ", and whether a proxy alone knows the names of the internet here (HTTPS_PROXY)"
        )
        return Fault(
            cause=f"the name of {host} is not known to DNS",
            mend=f"Check {case.setting} for a slip; if it is right, check the DNS settings of this machine{proxy}.",
        )
    return Fault(
        cause=f"the name of {host} could not be looked up: DNS gave no answer",
        mend="Check the network of this machine and its name servers; such a fault often passes by itself.",
    )


_NO_FILE = Fault(
    cause="this process may open no more files or connections",
    mend="Raise its limit (ulimit -n) or lower max_connections, and look for what keeps files open.",
)
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_NO_WAY = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EAFNOSUPPORT)
# As asyncio writes the addresses that it tried.
_VERSION_6 = re.compile(r"\('[0-9a-fA-F:]*:[0-9a-fA-F:.]*'")
_VERSION_4 = re.compile(r"\('[0-9.]+'")


def _by_number(case: _Case) -> Fault | None:
    numbers = (one.errno for one in case.errors if isinstance(one, OSError) and not isinstance(one, ssl.SSLError))
    number = next((number for number in numbers if number is not None), None)
    if number in _FULL:
        return _NO_FILE
    if number in _NO_WAY:
        return _no_way(case)
    if number == errno.ECONNREFUSED:
        mend = (
            f"Start the proxy, or mend {case.setting}."
            if case.at_proxy
            else ("Check host and port of base_url; if they are right, the platform is down or a firewall refuses.")
        )
        return Fault(cause=f"{case.peer} refused the connection: nothing listens there", mend=mend)
    if number == errno.ETIMEDOUT:
        return Fault(cause=f"{case.peer} did not answer when a connection was made", mend=f"{NETWORK}.")
    if number == errno.EADDRNOTAVAIL:
        return Fault(
            cause=f"this machine has no free port or no address for a connection to {case.peer}",
            mend="Lower the rate or max_connections, or widen the range of local ports (ip_local_port_range).",
        )
    if number in (errno.EACCES, errno.EPERM):
        return Fault(
            cause=f"this machine does not allow a connection to {case.peer}",
            mend="Look at its firewall and its security policy (SELinux, the rules of a container).",
        )
    return None


def _no_way(case: _Case) -> Fault:
    texts = " ".join(str(one) for one in case.errors)
    if _VERSION_6.search(texts) and not _VERSION_4.search(texts):
        return Fault(
            cause=f"there is no way to {case.peer}, which has addresses of IPv6 alone",
            mend=f"Give this machine IPv6, or a proxy that has it. {NETWORK}.",
        )
    return Fault(cause=f"there is no way through the network to {case.peer}", mend=f"{NETWORK}.")


_ENDED = (
    "EndOfStream",
    "BrokenResourceError",
    "ClosedResourceError",
    "RemoteProtocolError",
    "ServerDisconnectedError",
    "ClientResponseError",
)


def _closed(case: _Case) -> Fault | None:
    ended = any(
        isinstance(one, ConnectionError | ssl.SSLEOFError) or type(one).__name__ in _ENDED for one in case.errors
    )
    if not ended:
        return None
    route, step = case.route, case.step
    if step.tls or (step.tls is None and route.secure and not case.at_proxy):
        return Fault(
            cause=f"{case.peer} closed the connection while TLS was being set up",
            mend="If it stays so, check the port: a server that speaks no TLS there, or another version of it, or "
            f"wants a client certificate, does so{_or_proxy(case)}.",
        )
    if case.at_proxy:
        return Fault(
            cause=f"{case.peer} led nowhere: it closed the connection, or answered what is no HTTP",
            mend=f"Check that it is a proxy for HTTP that allows CONNECT, and {case.setting}.",
        )
    return unanswered(f"{case.peer} closed the connection while it was being made", route)


def _no_file_left() -> bool:
    """Whether no file can be opened: the look-up of a name then fails as if the network were down."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in _FULL
    return False
