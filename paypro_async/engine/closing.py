"""How the calls of a client end when it is closed: none begins, and those under way go no further than they must.

A payout that was announced still goes out, and whatever the platform answers is stored. What only waits, for a
back-off, a question or a settle window, ends at once with what is known.
"""

import asyncio
import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Self

import anyio
from attrs import define, field

from paypro_async.runtime import Runtime

__all__ = ["Closing"]


@define(kw_only=True, eq=False)
class Closing:
    """Whether one client is being closed, and which calls that concerns.

    Args:
        runtime: Clocks and sleep.
        begun: Whether calls go no further than they must.
        ended: Whether the ledger and the connections are closed too, so that nothing is worth another try.
        calls: How many calls are under way, the batches left out.
    """

    runtime: Runtime
    begun: bool = field(default=False, init=False)
    ended: bool = field(default=False, init=False)
    calls: int = field(default=0, init=False)
    _sleeping: set[anyio.CancelScope] = field(factory=set, init=False)
    _left: asyncio.Event = field(factory=asyncio.Event, init=False)

    def begin(self) -> None:
        """Wake all that sleep."""
        self.begun = True
        for scope in self._sleeping:
            scope.cancel()

    async def sleep(self, seconds: float) -> None:
        """Let so many seconds pass, but for a client that is being closed."""
        if not self.begun:
            with self.interrupts():
                await self.runtime.sleep(seconds)

    @contextmanager
    def interrupts(self, *, after: float = math.inf) -> Generator[None, None, None]:
        """Leave the block when the client is being closed, or *after* so many seconds."""
        with anyio.move_on_after(after) as scope:
            self._sleeping.add(scope)
            try:
                yield
            finally:
                self._sleeping.discard(scope)

    def tell(self, error: Exception) -> None:
        """Let *error* say that the closing ended the wait, if it did."""
        if self.begun:
            error.args = (f"{error} It was not waited for any longer, since the client was closed.",)

    def enter(self) -> None:
        """A call begins."""
        self.calls += 1

    def leave(self) -> None:
        """A call has ended."""
        self.calls -= 1
        self._left.set()

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    async def all_left(self) -> None:
        """Return when no call is under way."""
        while self.calls:
            self._left.clear()
            await self._left.wait()
