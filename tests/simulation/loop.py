"""An event loop without sockets, threads or a real clock, whose processes can be stopped and killed at any await.

Whose a callback is, its context says: every task of a process inherits it. What belongs to a process that is stopped
waits until it goes on; what belongs to one that was killed never runs again, its ``finally`` blocks included, as after
``kill -9``. The order of everything that happens depends on nothing but the seed.
"""

import asyncio
import heapq
import sys
from asyncio import events
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextvars import Context, ContextVar
from typing import Any

MOST_STEPS = 150_000


class Process:
    """What is stopped and killed together.

    Args:
        plan: What happens to it when it has taken so many steps; a step is what it does between two awaits.
        settings: Of its client.
    """

    def __init__(self, name: str, plan: dict[int, Callable[["Process"], None]], settings: Any = None) -> None:
        self.name = name
        self.plan = plan
        self.settings = settings
        self.alive = True
        self.frozen = False
        self.steps = 0
        self.steady_offset = 0.0
        self.wall_offset = 0.0
        self.doing = "starting"
        self.closing = False
        self.calls: list[asyncio.Task[Any]] = []
        self.deferred: list[events.Handle] = []


OWNER: ContextVar[Process | None] = ContextVar("OWNER", default=None)


class Stuck(Exception):  # noqa: N818  it is no error of a program but a finding
    """Everybody waits for somebody else, or nobody ever comes to an end."""


class _Task(asyncio.Task):
    """A task whose hash is its number: asyncio keeps tasks in sets, whose order would be that of memory."""

    _number = -1

    def __hash__(self) -> int:
        if self._number < 0:
            loop = self.get_loop()
            assert isinstance(loop, SimulatedLoop)
            self._number = loop.numbers = loop.numbers + 1
        return self._number


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs what is ready, one callback after the other, and moves time on when nothing is."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.numbers = 0
        self.steps = 0
        self.broken: BaseException | None = None
        self.tasks: list[asyncio.Task[Any]] = []
        self._soon: deque[events.Handle] = deque()
        self._timers: list[tuple[float, int, events.TimerHandle]] = []
        self._graveyard: list[events.Handle] = []
        self.outside = Context()

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> events.Handle:
        handle = events.Handle(callback, args, self, context)
        self._soon.append(handle)
        return handle

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> events.TimerHandle:
        handle = events.TimerHandle(when, callback, args, self, context)
        self.numbers += 1
        heapq.heappush(self._timers, (when, self.numbers, handle))
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> events.TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None, **_: Any) -> Any:
        task = _Task(coro, loop=self, name=name, context=context)
        self.tasks.append(task)
        return task

    def spawn(self, process: Process, coro: Any) -> asyncio.Task[Any]:
        """A task of *process*."""
        context = Context()
        context.run(OWNER.set, process)
        return self.create_task(coro, context=context)

    def happen(self, delay: float, callback: Any, *args: Any) -> None:
        """Something of the world outside, which goes on whoever dies."""
        self.call_at(self.now + delay, callback, *args, context=self.outside)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tasks whose exception nobody fetched: whoever died cannot."""

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        """Its place in the heap is looked at when it comes up."""

    def drive(self, until: Callable[[], bool]) -> None:
        """Run until that is so."""
        hooks = sys.get_asyncgen_hooks()
        events._set_running_loop(self)
        sys.set_asyncgen_hooks(None, self._close_generator)
        try:
            while not until():
                self._step()
                if self.broken is not None:
                    raise self.broken
        finally:
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(None)

    def _close_generator(self, generator: AsyncGenerator[Any, None]) -> None:
        # As asyncio does with one that is left in the middle.
        self.call_soon(lambda: self.create_task(generator.aclose()))

    def thaw(self, process: Process) -> None:
        """It goes on where it was stopped, and everything that came meanwhile is there at once."""
        process.frozen = False
        self._soon.extend(process.deferred)
        process.deferred.clear()

    def bury(self, processes: list[Process]) -> None:
        """Bring what is left of every process to its end, after nothing can touch the world any more."""
        for process in processes:
            process.alive, process.plan = True, {}
            self.thaw(process)
        self._soon.extend(self._graveyard)
        left = [task for task in self.tasks if not task.done()]
        for task in left:
            task.cancel()
        self.broken, limit = None, self.steps + 20_000
        while any(not task.done() for task in left) and self.steps < limit:
            try:
                self.drive(lambda: all(task.done() for task in left) or self.steps >= limit)
            except Stuck:
                break
            except BaseException:  # noqa: BLE001  the findings were made before
                self.broken = None
        for task in self.tasks:
            task._log_destroy_pending = False
            if task.done() and not task.cancelled():
                task.exception()  # it is known that it has one
        self.close()

    def _step(self) -> None:
        if not self._soon:
            self._move_on()
        handle = self._soon.popleft()
        if handle._cancelled:
            return
        owner = handle._context.get(OWNER)
        if owner is not None:
            if not owner.alive:
                self._graveyard.append(handle)
                return
            if owner.frozen:
                owner.deferred.append(handle)
                return
            owner.steps += 1
            if owner.steps in owner.plan:
                owner.plan.pop(owner.steps)(owner)
                self._soon.appendleft(handle)
                return
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Stuck("it does not come to an end")
        try:
            handle._context.run(handle._callback, *handle._args)
        except BaseException as error:  # noqa: BLE001  whatever it is, it ends the world
            self.broken = self.broken or error

    def _move_on(self) -> None:
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not timers:
            raise Stuck("everybody waits for somebody else")
        self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            self._soon.append(heapq.heappop(timers)[2])
