"""The protocol of a transport, and what the transports of this package are told."""

import ssl
from typing import Protocol

from attrs import Factory, field, frozen

from paypro_async._core.secret import Secret
from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.runtime import Runtime, SystemRuntime

__all__ = ["Transport", "TransportSettings"]


class Transport(Protocol):
    """Sends one request and says how far it got.

    A transport never raises for a fault of the network: the fault is in the :class:`Exchange`. It follows no
    redirect, tries nothing twice, and refuses to write the first byte after ``request.send_by``. Cancelling
    ``send`` leaves the transport usable and leaks no connection.

    Payout replies carry no ``tradeNo``. A transport that keeps connections gives each exchange with a reply a
    ``discard``, so that one that answers another request costs its connection and shifts no further reply.

    A ``send`` that does not return in time is cancelled, and left behind if it does not end then: its payout counts as
    sent, and is asked about. So it runs in a task of its own, unless the transport says with an attribute
    ``keeps_time = True`` that ``send`` always returns in time.

    What follows is for transports that keep time and have it; one without is used all the same:

    - An attribute ``max_connections``: how many requests it sends at one time. Then no more payouts are announced than
      that, and the others wait in the ledger's stead.
    - ``request.waiting``: how a payout may wait for a connection. It lets the time-out of the exchange begin when the
      wait ends, and a payout that got its connection too late for a reply is not sent. Without it, the wait counts.
    - ``async def connect(self, request, *, timeout)``: waits for a connection and makes it, and returns the
      :class:`Connection` that is then held, or the :class:`Exchange` that says why there is none. ``send`` is given the
      same request again with ``request.connection`` and writes at once. So a payout of a batch with a ``rate`` takes
      its turn when nothing is left but the write; without it, what it takes to connect comes behind the turn.
    """

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        """Send *request* and read the whole reply within *timeout* seconds in all."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


def _hidden(proxy: str | Secret[str] | None) -> Secret[str] | None:
    return Secret(proxy) if isinstance(proxy, str) and proxy else proxy or None


@frozen(kw_only=True)
class TransportSettings:
    """What any transport of this package goes by.

    Args:
        max_connections: How many requests there are at one time. Those beyond wait in the order they came.
        max_reply_bytes: A longer reply, packed or unpacked, is refused, which leaves the payout unknown.
        ssl_context: For an own CA or a client certificate (mTLS). The default verifies by certifi's list, or by
            ``SSL_CERT_FILE``.
        proxy: The URL of a proxy, which is hidden at once. By default the environment's ``HTTPS_PROXY`` and
            ``NO_PROXY`` are honoured.
        runtime: The clock of the send deadline.
    """

    max_connections: int = 100
    max_reply_bytes: int = 64 * 1024
    ssl_context: ssl.SSLContext | None = None
    proxy: Secret[str] | None = field(default=None, converter=_hidden)
    runtime: Runtime = Factory(SystemRuntime)
