"""The connections that are open: as many as the sandbox holds, and which of them goes when another one comes."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import anyio

__all__ = ["OpenConnections", "Place"]


class OpenConnections:
    """Counts connections.

    Args:
        limit: How many there are at most.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self.open: set[Place] = set()
        self.waiting: dict[Place, None] = {}  # in the order in which they began to wait

    def make_room(self) -> bool:
        """Whether one more may come now. If there are enough, the one that has waited longest for a request goes."""
        if len(self.open) >= self._limit:
            self.close_longest()
        return len(self.open) < self._limit

    def close_longest(self) -> None:
        """Close the connection that has waited longest for a request, if any waits."""
        longest = next(iter(self.waiting), None)
        if longest is not None:
            self.forget(longest)
            longest.scope.cancel()

    def enter(self) -> "Place":
        """One more connection has come."""
        place = Place(self)
        self.open.add(place)
        return place

    def forget(self, place: "Place") -> None:
        """It is closed, or will be at once."""
        self.open.discard(place)
        self.waiting.pop(place, None)


class Place:
    """One connection among the others; entered while it is served."""

    def __init__(self, connections: OpenConnections) -> None:
        self.scope: anyio.CancelScope = anyio.CancelScope()
        self._connections = connections

    def __enter__(self) -> Self:
        self.scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._connections.forget(self)
        return self.scope.__exit__(kind, error, traceback)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """It waits for a request, and may be told to go."""
        self._connections.waiting[self] = None
        try:
            yield
        finally:
            self._connections.waiting.pop(self, None)
