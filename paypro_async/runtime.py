"""The clocks, the sleep and the dice that the client uses, in one place, so that tests can hold time still.

And the wait for what others have written: :func:`answer_of` ends in time whatever it waits for.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import anyio

from paypro_async.log import logger

__all__ = ["NoAnswerError", "Runtime", "SystemRuntime", "answer_of", "end_task"]

T = TypeVar("T")

_ENDING_SECONDS = 0.2
"""How long a task that was cancelled is waited for."""
_left_behind: set["asyncio.Future[Any]"] = set()
"""Tasks that did not end when they were cancelled: an event loop itself holds its tasks weakly."""

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


class NoAnswerError(TimeoutError):
    """What was waited for did not answer in time, or broke off by itself."""


async def answer_of(call: Awaitable[T], *, within: float, who: str) -> T:
    """What *call* answers within so many seconds, or an error in little more than that.

    It runs in a task of its own. A call that goes on although it was cancelled is left behind, with a line in the log;
    what it answers later is not waited for.

    Args:
        call: To code that the SDK does not know: an own ledger, an own transport, a signer that waits.
        within: Seconds.
        who: Answers, for the error and the log.

    Raises:
        NoAnswerError: If there was no answer in time.
    """
    task = asyncio.ensure_future(call)
    try:
        await asyncio.wait([task], timeout=max(0.0, within))
    except asyncio.CancelledError:
        await end_task(task, who=who)
        raise
    if task.done() and not task.cancelled():
        return task.result()
    broke_off = task.done()
    await end_task(task, who=who)
    if task.done() and not task.cancelled() and task.exception() is None:
        return task.result()
    what = "broke off" if broke_off else f"did not answer within {within:.3g} s"
    raise NoAnswerError(f"{who} {what}")


async def end_task(task: "asyncio.Future[T]", *, who: str, within: float = _ENDING_SECONDS) -> bool:
    """Cancel *task* and wait for its end; whether it has ended *within* so many seconds. Else it is left behind."""

    def ended(task: "asyncio.Future[T]") -> None:
        _left_behind.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.info("%s failed after nobody waited for it any more: %s", who, type(error).__name__)

    if not task.done():
        task.cancel()
        _left_behind.add(task)
        task.add_done_callback(ended)
        await asyncio.wait([task], timeout=within)
        if not task.done():
            logger.warning("%s did not end when it was cancelled, and is left behind.", who)
    return task.done()
