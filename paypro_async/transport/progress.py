"""How far one request got, and the last look at its deadline. Every transport goes by these rules.

1. Nothing was sent until the first byte of the request may be written: :meth:`Progress.begin` is called just before.
2. The clock is looked at there and not earlier: the wait for a slot, DNS, TCP and TLS lie before, and a process that
   was frozen wakes anywhere. What is late by then is not written.
3. From there on a request without a whole reply was maybe sent, whatever ended it.
4. What was given up does not leave later: closing a connection drops what the kernel still holds of it.
5. What has waited for a connection until no reply can come in time any more is not sent. What had none to wait for is.
"""

import os
import socket
import struct
from typing import Self

from attrs import define, field

from paypro_async._core.wire import Exchange, Fault, Phase, Waiting, WireRequest
from paypro_async.runtime import Runtime
from paypro_async.transport.route import Route, silent, slow

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
        waiting: How it may wait for its slot; None if its time-out is for that, too.
        connections: How many slots there are.
        connecting: The library's name of the step of connecting that was begun last for it, if it tells those.
    """

    send_by: float | None
    runtime: Runtime
    has_slot: bool = False
    begun: bool = False
    waiting: Waiting | None = None
    connections: int = 1
    connecting: str = field(default="", init=False)
    _since: float = field(default=0.0, init=False)

    @classmethod
    def of(cls, request: WireRequest, runtime: Runtime, *, connections: int, has_slot: bool = False) -> Self:
        """A *request* of which nothing is written yet."""
        send_by, waiting = request.send_by, request.waiting
        if waiting is not None and waiting.seconds and send_by is not None:
            send_by = min(send_by, waiting.until)
        return cls(send_by, runtime, has_slot, waiting=waiting, connections=connections)

    def wait(self, timeout: float) -> float:
        """It has to wait for a slot: seconds that it may, out of the *timeout* of its exchange or beside it."""
        if self.waiting is None:
            return timeout
        self._since = self.runtime.steady()
        return max(0.0, self.waiting.until - self._since)

    def waited(self, timeout: float) -> float | None:
        """It has a slot after a wait: seconds that are left for its exchange; None if its *timeout* goes on."""
        if self.waiting is None:
            return None
        now = self.runtime.steady()
        self.waiting.seconds += now - self._since
        self.send_by = min(self.waiting.until, self.send_by or self.waiting.until)
        return min(timeout, self.waiting.answer_by - now)

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
        if self.waiting is not None and not self.begun:
            self.waiting.written_at = self.runtime.steady()
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
        waiting = self.waiting
        if waiting is not None and waiting.seconds and self.runtime.steady() > waiting.until:
            return self._in_vain(waiting)
        return Exchange(phase=Phase.NOT_SENT, cause=cause, late=True)

    def _in_vain(self, waiting: Waiting) -> Exchange:
        return Exchange(phase=Phase.NOT_SENT, cause=waiting.in_vain(self.connections), pool_timeout=True)

    def out_of_time(self, timeout: float, route: Route) -> Exchange:
        """The exchange over *route* that took longer than its *timeout* in seconds."""
        if timeout <= 0 and not self.begun:
            # Something else has used it up (a slow ledger, a signer): neither the network nor the connections are slow.
            return Exchange(phase=Phase.NOT_SENT, cause="no time of the call was left to send it", late=True)
        if not self.has_slot and self.waiting is not None:
            self.waiting.seconds += self.runtime.steady() - self._since
            return self._in_vain(self.waiting)
        if not self.has_slot:
            return Exchange(phase=Phase.NOT_SENT, cause="every connection was busy", pool_timeout=True)
        return self.failed(silent(timeout) if self.begun else slow(route, timeout))
