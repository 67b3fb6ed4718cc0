"""Between the client and its hooks: a queue with a bound, and a thread that calls them."""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from contextvars import Context, copy_context

from paypro_async._core.events import ClientEvent, Hook
from paypro_async.log import logger

__all__ = ["MOST_KEPT", "Dispatcher"]

MOST_KEPT = 10_000
"""Events that wait for a slow hook; of more, the newest are dropped."""
_CLOSING_SECONDS = 2.0
_PAUSE_SECONDS = 0.02
"""For which events gather before hooks are called with them: a third of what a hook cost was to wake for each."""


class Dispatcher:
    """Takes events from any thread and never waits; calls the hooks in one thread, which is a daemon.

    Args:
        hooks: Called with each event, one after the other.
    """

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self._hooks = hooks
        self._kept: deque[tuple[Context, ClientEvent]] = deque()
        self._changed = threading.Event()
        self._failures: dict[int, int] = {}
        self._closing = threading.Event()
        self._ended = threading.Event()
        self.dropped: int = 0
        """Events that were not told, since too many waited."""
        self._thread = threading.Thread(target=self._run, name="paypro-hooks", daemon=True)
        self._thread.start()

    def tell(self, event: ClientEvent) -> None:
        """Have the hooks called with *event*, which may be later, or never for one that is too slow."""
        if self._closing.is_set():
            return
        if len(self._kept) >= MOST_KEPT:
            self.dropped += 1
            return
        self._kept.append((copy_context(), event))
        if not self._changed.is_set():
            self._changed.set()

    async def aclose(self) -> None:
        """Tell what is kept, for two seconds at most; then leave the thread behind, with a line in the log."""
        self._closing.set()
        self._changed.set()
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(None, self._ended.wait, _CLOSING_SECONDS):
            logger.warning(
                "A hook did not return within %g s when the client was closed, and is left behind with %d events. It "
                "has kept no payout waiting.",
                *(_CLOSING_SECONDS, len(self._kept)),
            )
        if self.dropped:
            logger.warning("Hooks were too slow for %d events, which they were not told.", self.dropped)

    def _run(self) -> None:
        while True:
            self._changed.wait()
            # Not for each event: a thread that wakes takes Python's lock from the payments.
            self._closing.wait(_PAUSE_SECONDS)
            # In this order: what is told, or closed, from here on sets it again.
            self._changed.clear()
            is_last = self._closing.is_set()
            while self._kept:
                context, event = self._kept.popleft()
                for number, hook in enumerate(self._hooks):
                    self._call(number, hook, context, event)
            if is_last:
                break
        self._ended.set()

    def _call(self, number: int, hook: Hook, context: Context, event: ClientEvent) -> None:
        try:
            context.run(hook, event)
        except BaseException as error:  # noqa: BLE001  whatever it raises, the other events are told
            failures = self._failures[number] = self._failures.get(number, 0) + 1
            # At the first one, the tenth, the hundredth; without the traceback, which is another's.
            if failures == 10 ** (len(str(failures)) - 1):
                logger.warning(
                    "Hook %d raised %s; %d time(s) so far. It has touched no payout.",
                    *(number, type(error).__name__, failures),
                )
