"""Time that a test puts forward, and that passes at once while a client only waits."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import anyio
import anyio.lowlevel

from paypro_async.runtime import SystemRuntime

__all__ = ["PassingTime"]

_GLANCE = 0.005  # seconds between two looks whether anything still happens
_QUIET = 0.02  # seconds without a request, after which all that is under way is believed to wait


class PassingTime(SystemRuntime):
    """The machine's clocks, some time ahead, which jump to the next moment that anybody sleeps for.

    They jump only when no request has come for a moment, so that no payout that is on its way gets too old. May be
    shared by event loops in several threads.

    Args:
        activity: A count that grows with each request; as long as it does, no time is left out.
    """

    def __init__(self, activity: Callable[[], int]) -> None:
        self._activity = activity
        self._seen = -1
        self._quiet_since = time.monotonic()
        self._ahead = 0.0
        self._moments: list[tuple[float, int]] = []
        self._tie_break = itertools.count()
        self._lock = threading.Lock()

    def steady(self) -> float:
        """Seconds on a clock that never goes back."""
        return super().steady() + self._ahead

    def now(self) -> datetime:
        """The wall clock, UTC, as far ahead as the steady one."""
        return super().now() + timedelta(seconds=self._ahead)

    def advance(self, seconds: float) -> None:
        """Put both clocks forward."""
        with self._lock:
            self._ahead += seconds
            self._quiet_since = time.monotonic()  # Whoever has slept long enough by now is given the time to act.

    async def sleep(self, seconds: float) -> None:
        """Return when so many seconds have passed on its clocks, which may be at once."""
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        moment = self.steady() + seconds, next(self._tie_break)
        with self._lock:
            heapq.heappush(self._moments, moment)
        try:
            while (left := moment[0] - self.steady()) > 0:
                await anyio.sleep(min(_GLANCE, left))
                if self._is_quiet() and self._moments[0] == moment:
                    self.advance(max(0.0, moment[0] - self.steady()))
        finally:
            with self._lock:
                self._moments.remove(moment)
                heapq.heapify(self._moments)

    def _is_quiet(self) -> bool:
        with self._lock:
            if (count := self._activity()) != self._seen:
                self._seen, self._quiet_since = count, time.monotonic()
            return time.monotonic() - self._quiet_since > _QUIET
