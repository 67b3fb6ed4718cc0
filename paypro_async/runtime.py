"""The clocks, the sleep and the dice that the client uses, in one place, so that tests can hold time still.

And the wait for what others have written: :func:`answer_of` ends in time whatever it waits for; and for what ends when
it is cancelled, :class:`Deadlines` costs less.
"""

import asyncio
import math
import random
import secrets
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import anyio
from attrs import define

from paypro_async.log import logger

__all__ = ["Deadlines", "NoAnswerError", "Runtime", "SystemRuntime", "answer_of", "end_task"]

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


@define(eq=False)
class _Wait:
    task: "asyncio.Task[Any]"
    until: float
    is_over: bool = False


class Deadlines:
    """Waits in one event loop, each so long and no longer, with one timer for all of them.

    A timer for each would cost as much as what is waited for, which as a rule is there thousands of times sooner.
    """

    def __init__(self) -> None:
        self._waits: dict[_Wait, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = math.inf  # when the first will be over, or one that has ended since

    async def wait(self, call: Awaitable[T], within: float) -> T:
        """What *call* answers within so many seconds. As with ``asyncio.timeout`` it is cancelled then.

        Raises:
            TimeoutError: If there was no answer in time.
        """
        loop = asyncio.get_running_loop()
        task: asyncio.Task[Any] = asyncio.current_task(loop)  # type: ignore[assignment]  # Who awaits is in one.
        cancelled_before, wait = task.cancelling(), _Wait(task, loop.time() + within)
        self._waits[wait] = None
        if wait.until < self._wakes_at:
            self._wake(wait.until)
        try:
            return await call
        except asyncio.CancelledError as error:
            # Whoever else has cancelled the task meanwhile means the whole of it.
            if wait.is_over and task.cancelling() - 1 <= cancelled_before:
                raise TimeoutError from error
            raise
        finally:
            del self._waits[wait]
            if wait.is_over:
                task.uncancel()

    def _wake(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._wakes_at = asyncio.get_running_loop().call_at(at, self._end_late), at

    def _end_late(self) -> None:
        now, self._timer, self._wakes_at = asyncio.get_running_loop().time(), None, math.inf
        left = [wait for wait in self._waits if not wait.is_over]
        for wait in left:
            if wait.until <= now:
                wait.is_over = True
                wait.task.cancel()
        if moments := [wait.until for wait in left if not wait.is_over]:
            self._wake(min(moments))
