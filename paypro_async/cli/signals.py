"""Ctrl-C and SIGTERM, as a wish to stop that a command may wait for."""

import asyncio
import os
import signal
from types import FrameType, TracebackType
from typing import Any, Self

from paypro_async.cli.answer import current_answer
from paypro_async.cli.exits import Exit

__all__ = ["Stop", "hear_no_more"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def hear_no_more() -> None:
    """The command has ended: a signal that comes late cuts nothing of what is left to say, and changes no exit code."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class Stop:
    """While it is entered, the first signal sets it, and a second one ends the process at once.

    What the ledger holds is right at every moment, so ending at once is safe; it only leaves more to ask about.
    """

    def __init__(self) -> None:
        self._wished = False
        self._answer = current_answer()
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._before: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return self._wished

    async def wait(self) -> None:
        """Until the first signal."""
        await self._event.wait()

    def __enter__(self) -> Self:
        # Not the loop's own handlers: these work on every system, and a second signal also ends a loop that is stuck.
        # A signal that the process was started to ignore (a shell's background job) stays ignored.
        heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._on_signal) for number in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._wished:
            self._answer.end_at_once(
                Exit.INTERRUPTED, "Interrupted twice: what was under way is asked about next time."
            )
            os._exit(Exit.INTERRUPTED)
        self._wished = True
        self._loop.call_soon_threadsafe(self._event.set)
