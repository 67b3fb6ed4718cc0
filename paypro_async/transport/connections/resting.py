"""Connections that rest between two requests: for how long they may, and what becomes of them.

A platform closes what rests too long, and of a request that is written in that moment nobody knows whether it arrived.

1. A connection is used again after a very short rest, or after one that others with the same origin have outlived
   by a margin.
2. One that has rested longer stays where there is room, to show how long the platform keeps it. It carries no request.
3. What the platform closes while it rests, or says in ``Keep-Alive: timeout=``, bounds every rest for some time.
4. A timer drops what was closed, what spoke unasked and what rested too long. It runs only while something rests.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from attrs import define

from paypro_async.transport.connections.sockets import Found

__all__ = ["REST_SECONDS", "RestingConnections"]

REST_SECONDS = 15.0
"""No connection rests for longer."""

_AT_ONCE = 0.16
"""Seconds of rest that every platform is believed to grant, until it shows that it does not: less than those of any
server that people use, and more than a busy process stands still."""
_MARGIN = 0.8
"""The part of a rest that was survived which is used: a request has to arrive before the platform's time is over."""
_BOUND_FOR = 60.0
"""Seconds after which what was learned is tried out again, by a connection that carries no request."""
_LOOK_EVERY = 0.1
"""Seconds between two looks, and the part of the shortest rest."""

_TIMEOUT = re.compile(r"timeout\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


class _Connection(Protocol):
    def look(self) -> Found:
        """What has become of it while it rested."""
        ...


T = TypeVar("T", bound=_Connection)


@define(eq=False)
class _Rest(Generic[T]):
    connection: T
    since: float
    stood_still: float
    """Seconds that this process had stood still for when the rest began."""
    survived: float = 0.0
    """Seconds of rest after which it was last seen to be open."""


class RestingConnections(Generic[T]):
    """The connections of one origin that no request has now.

    Args:
        drop: Closes a connection, without waiting for that.
    """

    def __init__(self, drop: Callable[[T], object]) -> None:
        self._drop = drop
        self._now = asyncio.get_running_loop().time
        self._rests: list[_Rest[T]] = []  # in the order in which they began
        self._at_once = _AT_ONCE
        self._survived = 0.0
        self._stood_still = 0.0
        self._bound = REST_SECONDS
        self._bound_until = 0.0
        self._early = False
        self._early_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._rests)

    def add(self, connection: T, *, keep_alive: str | None = None) -> None:
        """Let *connection* rest.

        Args:
            keep_alive: The header of that name in the reply, as text.
        """
        now = self._now()
        if keep_alive is not None and (said := _TIMEOUT.search(keep_alive)):
            self._learn(float(said[1]), now)
        self._rests.append(_Rest(connection, now, self._stood_still + self._overdue(now)))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)

    def take(self, *, room: int = 0) -> T | None:
        """One that may carry the next request, the one with the shortest rest; None if there is none.

        Args:
            room: How many more connections there may be than are in use now, the next request's included.
        """
        now = self._now()
        while self._rests:
            rest = self._rests[-1]
            usable = self._is_usable(rest, now)
            found = rest.connection.look()
            if found is Found.QUIET:
                self._survive(rest, now)
                if not usable:
                    break
                self._early = False
                return self._rests.pop().connection
            self._rests.pop()
            self._ended(rest, found, now)
        # What is left has rested longer still.
        left = min(room, 1)
        for rest in self._rests[left:]:
            self._drop(rest.connection)
        del self._rests[left:]
        return None

    def drop_all(self) -> list[T]:
        """Let none rest any more; the owner closes them."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        left, self._rests = [rest.connection for rest in self._rests], []
        return left

    def _is_usable(self, rest: _Rest[T], now: float) -> bool:
        if now > self._bound_until:
            self._bound = REST_SECONDS
        seconds = now - rest.since
        # A busy machine lets this process stand still now and then, which is no rest.
        awake = seconds - (self._stood_still + self._overdue(now) - rest.stood_still)
        return seconds < self._bound and (awake < self._at_once or seconds < _MARGIN * self._survived)

    def _overdue(self, now: float) -> float:
        """Seconds that the next look is late by."""
        return 0.0 if self._timer is None else max(0.0, now - self._timer.when())

    def _learn(self, seconds: float, now: float) -> None:
        """The platform keeps a connection for so many seconds."""
        if now > self._bound_until:
            self._bound = REST_SECONDS
        self._bound = min(self._bound, _MARGIN * seconds)
        self._bound_until = now + _BOUND_FOR
        self._survived = min(self._survived, seconds)
        self._at_once = min(self._at_once, self._bound)

    def _survive(self, rest: _Rest[T], now: float) -> None:
        rest.survived = now - rest.since
        self._survived = max(self._survived, rest.survived)

    def _ended(self, rest: _Rest[T], found: Found, now: float) -> None:
        if found is Found.CLOSED and rest.survived >= _AT_ONCE:
            self._learn(rest.survived, now)
        elif found is Found.CLOSED and now > self._early_at + _AT_ONCE:
            # A restart closes everything at one moment. Who does it again, and has never let one be used, always does.
            self._learn(0.0 if self._early else _AT_ONCE / _MARGIN, now)
            self._early, self._early_at = True, now
        self._drop(rest.connection)

    def _look(self) -> None:
        now = self._now()
        self._stood_still += self._overdue(now)
        self._timer = None
        if now > self._bound_until:
            self._bound = REST_SECONDS
        rests, self._rests = self._rests, []
        for rest in rests:
            found = rest.connection.look()
            if found is not Found.QUIET:
                self._ended(rest, found, now)
                continue
            self._survive(rest, now)
            self._rests.append(rest)
        while self._rests and self._rests[0].survived > self._bound:
            self._drop(self._rests.pop(0).connection)
        if self._rests:
            delay = max(_LOOK_EVERY, _LOOK_EVERY * self._rests[-1].survived)
            self._timer = asyncio.get_running_loop().call_later(delay, self._look)
