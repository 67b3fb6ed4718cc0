"""The protocol of a transport."""

from typing import Protocol

from paypro_async._core.wire import Exchange, WireRequest

__all__ = ["Transport"]


class Transport(Protocol):
    """Sends one request and says how far it got.

    A transport never raises for a fault of the network: the fault is in the :class:`Exchange`. It follows no
    redirect, tries nothing twice, and refuses to write the first byte after ``request.send_by``. Cancelling
    ``send`` leaves the transport usable and leaks no connection.
    """

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        """Send *request* and read the whole reply within *timeout* seconds in all."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
