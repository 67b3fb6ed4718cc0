"""Time that passes only when nobody has anything to do: minutes of waiting take milliseconds, in a fixed order.

Sockets are real. Before time moves on the loop looks whether bytes are still on their way.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from paypro_async.runtime import SystemRuntime

_BYTES_ARRIVE_WITHIN = 0.002
_DEADLOCK_AFTER = 20.0


class _Selector(selectors.DefaultSelector):
    """Waits for sockets only as long as loopback takes, then moves the loop's clock."""

    def __init__(self, clock: "Clock") -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if timeout is None:
            # No timer and nothing to do: only a thread or a socket can still wake somebody.
            events = super().select(_DEADLOCK_AFTER)
            assert events, "everybody waits for somebody else: a deadlock"
            return events
        events = super().select(_BYTES_ARRIVE_WITHIN if len(self.get_map()) > 1 else 0)
        if not events:
            self._clock.now += timeout
        return events


class Clock:
    """Seconds of the virtual loop."""

    def __init__(self) -> None:
        self.now = 1000.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is a :class:`Clock`."""

    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(_Selector(self.clock))

    def time(self) -> float:
        return self.clock.now


def virtual_time(test: Callable[..., Awaitable[Any]]) -> Callable[..., None]:
    """Run an async test on a loop with virtual time."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def now() -> float:
    """Virtual seconds."""
    return asyncio.get_running_loop().time()


def freeze(seconds: float) -> None:
    """What a process sees that was stopped for so long: suddenly it is later."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.clock.now += seconds


class VirtualRuntime(SystemRuntime):
    """The clocks of the virtual loop, and dice that always show the same.

    Args:
        chance: What the dice show; 1.0 makes every back-off as long as it can be.
    """

    def __init__(self, *, chance: float = 1.0) -> None:
        self._chance = chance
        self._epoch = datetime(2025, 1, 1, tzinfo=UTC)

    def steady(self) -> float:
        return now()

    def now(self) -> datetime:
        return self._epoch + timedelta(seconds=now())

    def chance(self) -> float:
        return self._chance
