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
from bisect import insort
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from attrs import define

from paypro_async.transport.connections.sockets import Found

__all__ = ["REST_SECONDS", "Rest", "Restable", "RestingConnections"]

REST_SECONDS = 15.0
"""No connection rests for longer."""

_AT_ONCE = 0.16
"""Seconds of rest that every platform is believed to grant, until it shows that it does not: less than those of any
server that people use, and more than a busy process stands still."""
_MARGIN = 0.8
"""The part of a rest that was survived which is used: a request has to arrive before the platform's time is over."""
_BOUND_FOR = 60.0
"""Seconds after which what was learned is tried out again, by a connection that carries no request."""
_NEW = 5.0
"""Seconds that a new connection may wait for its first request, until the platform has closed one sooner. Servers grant
more to those than to what has rested."""
_LOOK_EVERY = 0.1
"""Seconds between two looks, and the part of the shortest rest."""

_TIMEOUT = re.compile(r"timeout\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


class Restable(Protocol):
    """A connection that can be looked at while nobody uses it."""

    def look(self) -> Found:
        """What has become of it while it rested."""
        ...


T = TypeVar("T", bound=Restable)


@define(eq=False)
class Rest(Generic[T]):
    """One connection, and how long it rests already."""

    connection: T
    since: float
    stood_still: float
    """Seconds that this process had stood still for when the rest began."""
    is_new: bool = False
    """Whether no request has gone over it yet."""
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
        self._rests: list[Rest[T]] = []  # in the order in which they began
        self._at_once = _AT_ONCE
        self._held: list[Rest[T]] = []
        self._is_closed = False
        self._survived = 0.0
        self._new = _NEW
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
        self._rests.append(Rest(connection, now, self._stood_still + self._overdue(now)))
        self._watch()

    def take(self, *, room: int = 0) -> T | None:
        """One that may carry the next request, the one with the shortest rest; None if there is none.

        Args:
            room: As for :meth:`hold`.
        """
        rest = self.hold(room=room)
        return None if rest is None else rest.connection

    def hold(self, *, room: int = 0) -> Rest[T] | None:
        """The rest of such a one, for a request that comes soon.

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
                return self._rests.pop()
            self._rests.pop()
            self._ended(rest, found, now)
        # What is left has rested longer still.
        left = min(room, 1)
        for rest in self._rests[left:]:
            self._drop(rest.connection)
        del self._rests[left:]
        return None

    def begin(self, connection: T) -> Rest[T]:
        """Let a new connection wait for its first request, outside of those that rest here."""
        now = self._now()
        rest = Rest(connection, now, self._stood_still + self._overdue(now), is_new=True)
        self._held.append(rest)
        self._watch()
        return rest

    def end(self, rest: Rest[T]) -> T | None:
        """The connection of *rest*, if it may carry a request now; else it is dropped, and there is None."""
        now = self._now()
        self.forget(rest)
        found = rest.connection.look()
        if found is not Found.QUIET:
            self._ended(rest, found, now)
            return None
        usable = self._is_usable(rest, now)
        self._survive(rest, now)
        if usable:
            return rest.connection
        self._drop(rest.connection)
        return None

    def put_back(self, rest: Rest[T]) -> None:
        """Let it rest on, with what it has rested so far."""
        self.forget(rest)
        if self._is_closed:
            self._drop(rest.connection)
            return
        insort(self._rests, rest, key=lambda one: one.since)
        self._watch()

    def forget(self, rest: Rest[T]) -> None:
        """Whoever held that connection has closed it."""
        if rest in self._held:
            self._held.remove(rest)

    def drop_all(self) -> list[T]:
        """Let none rest any more; the owner closes them."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        left, self._rests = [rest.connection for rest in self._rests], []
        return left

    def _is_usable(self, rest: Rest[T], now: float) -> bool:
        if now > self._bound_until:
            self._bound = REST_SECONDS
        seconds = now - rest.since
        if rest.is_new:
            return seconds < self._new
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

    def _survive(self, rest: Rest[T], now: float) -> None:
        rest.survived = now - rest.since
        if rest.is_new:
            return
        self._survived = max(self._survived, rest.survived)

    def _ended(self, rest: Rest[T], found: Found, now: float) -> None:
        if found is Found.CLOSED and rest.is_new:
            self._new = max(_AT_ONCE, min(self._new, _MARGIN * rest.survived))
        elif found is Found.CLOSED and rest.survived >= _AT_ONCE:
            self._learn(rest.survived, now)
        elif found is Found.CLOSED and now > self._early_at + _AT_ONCE:
            # A restart closes everything at one moment. Who does it again, and has never let one be used, always does.
            self._learn(0.0 if self._early else _AT_ONCE / _MARGIN, now)
            self._early, self._early_at = True, now
        self._drop(rest.connection)

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)

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
        for rest in self._held:
            if rest.connection.look() is Found.QUIET:
                self._survive(rest, now)
        while self._rests and self._rests[0].survived > self._bound:
            self._drop(self._rests.pop(0).connection)
        if self._rests or self._held:
            youngest = min(rest.survived for rest in (*self._rests[-1:], *self._held))
            delay = max(_LOOK_EVERY, _LOOK_EVERY * youngest)
            self._timer = asyncio.get_running_loop().call_later(delay, self._look)
