"""How far one request got, and the last look at its deadline. Every transport goes by these rules.

1. Nothing was sent until the first byte of the request may be written: :meth:`Progress.begin` is called just before.
2. The clock is looked at there and not earlier: the wait for a slot, DNS, TCP and TLS lie before, and a process that
   was frozen wakes anywhere. What is late by then is not written.
3. From there on a request without a whole reply was maybe sent, whatever ended it.
4. What was given up does not leave later: closing a connection drops what the kernel still holds of it.
"""

import os
import socket
import struct

from attrs import define

from paypro_async._core.wire import Exchange, Fault, Phase
from paypro_async.runtime import Runtime
from paypro_async.transport.diagnosis import slow
from paypro_async.transport.route import Route

__all__ = ["DROP_UNSENT", "Progress", "TooLateError"]

DROP_UNSENT = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0))
"""The option of a socket whose closing drops what has not left yet.

Otherwise the kernel goes on delivering a request that was given up: after a break of the network it would arrive when
the client believes it lost.
"""


class TooLateError(Exception):
    """The send deadline passed before the next write."""


@define(eq=False)
class Progress:
    """One request on its way to the wire.

    Args:
        send_by: When its first byte must be written, by the runtime's steady clock in seconds; None for no deadline.
        runtime: The clock.
        has_slot: Whether it is its turn, out of all that want a connection.
        begun: Whether its first byte may have been written.
    """

    send_by: float | None
    runtime: Runtime
    has_slot: bool = False
    begun: bool = False

    def look(self) -> None:
        """Look at the clock once more, just before a write.

        Raises:
            TooLateError: If the send deadline has passed.
        """
        if self.send_by is not None and self.runtime.steady() > self.send_by:
            raise TooLateError

    def begin(self) -> None:
        """The first byte is written next.

        Raises:
            TooLateError: If the send deadline has passed. Then nothing is to be written.
        """
        self.look()
        self.begun = True

    def broken(self, cause: str) -> Exchange:
        """The exchange that ended without a whole reply, and why."""
        return self.failed(Fault(cause=cause))

    def failed(self, fault: Fault) -> Exchange:
        """The exchange that ended without a whole reply, why, and what mends it."""
        return Exchange(phase=Phase.MAYBE_SENT if self.begun else Phase.NOT_SENT, cause=fault.cause, fault=fault)

    def too_late(self) -> Exchange:
        """The exchange that a :class:`TooLateError` ended: between two writes, it was maybe sent all the same."""
        cause = "its send deadline passed before it was written"
        if self.begun:
            return self.broken(cause)
        return Exchange(phase=Phase.NOT_SENT, cause=cause, late=True)

    def out_of_time(self, timeout: float, route: Route) -> Exchange:
        """The exchange over *route* that took longer than its *timeout* in seconds."""
        if not self.has_slot:
            return Exchange(phase=Phase.NOT_SENT, cause="every connection was busy", pool_timeout=True)
        return (
            self.broken(f"no whole reply came within {timeout:.3g} s")
            if self.begun
            else self.failed(slow(route, timeout))
        )
