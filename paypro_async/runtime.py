"""The clocks, the sleep and the dice that the client uses, in one place, so that tests can hold time still."""

import random
import secrets
import time
from datetime import UTC, datetime
from typing import Protocol

import anyio

__all__ = ["Runtime", "SystemRuntime"]

# CLOCK_BOOTTIME goes on while a laptop sleeps; the others may stand still and let an old request look young.
_STEADY_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


class Runtime(Protocol):
    """What the client asks of the machine."""

    def steady(self) -> float:
        """Seconds on a clock that never jumps and goes on while the machine sleeps."""
        ...

    def now(self) -> datetime:
        """The wall clock, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run for so many seconds."""
        ...

    def chance(self) -> float:
        """Drawn evenly from 0 up to 1."""
        ...

    def random_bits(self, count: int) -> int:
        """An unpredictable whole number of *count* bits."""
        ...


class SystemRuntime:
    """The machine's own clocks and randomness."""

    def steady(self) -> float:
        """Seconds on a clock that never jumps and goes on while the machine sleeps."""
        return time.monotonic() if _STEADY_CLOCK is None else time.clock_gettime(_STEADY_CLOCK)

    def now(self) -> datetime:
        """The wall clock, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run for so many seconds."""
        await anyio.sleep(seconds)

    def chance(self) -> float:
        """Drawn evenly from 0 up to 1."""
        return random.random()  # noqa: S311  jitter is no secret

    def random_bits(self, count: int) -> int:
        """An unpredictable whole number of *count* bits."""
        return secrets.randbits(count)
