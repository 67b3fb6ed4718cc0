"""How far a batch is, on standard error: a bar on a terminal, a plain line now and then elsewhere."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from typing import Any

from paypro_async._core.report import BatchProgress, ItemStatus
from paypro_async.cli.exits import note

__all__ = ["Watcher", "watching"]

_REFRESH_SECONDS = 0.1
_LINE_SECONDS = 5.0

_COLOURS = {"accepted": "green", "failed": "red", "unknown": "yellow", "waiting": "cyan", "not sent": "red"}

_NOTHING = BatchProgress(done=0, in_flight=0, waiting=0, counts={}, elapsed=0.0)


class Watcher:
    """Takes the news of a batch; what is shown is read from here at its own pace."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.latest: BatchProgress = _NOTHING

    def __call__(self, progress: BatchProgress) -> None:
        """The batch calls this after each item."""
        self.latest = progress

    def numbers(self) -> dict[str, int]:
        """What is known of the rows, in the words that are shown."""
        counts = self.latest.counts
        accepted = sum(count for status, count in counts.items() if status.accepted)
        unknown = sum(count for status, count in counts.items() if status.uncertain)
        unsent = counts.get(ItemStatus.NOT_SENT, 0)
        failed = self.latest.done - accepted - unknown - unsent
        numbers = {"accepted": accepted, "failed": failed, "unknown": unknown, "waiting": self.latest.waiting}
        return numbers | ({"not sent": unsent} if unsent else {})

    def line(self) -> str:
        """One line that says it all."""
        numbers = ", ".join(f"{count:,} {word}" for word, count in self.numbers().items())
        return f"{self.latest.done:,} of {self.total:,} done: {numbers}; {self.rate:,.0f} a second"

    @property
    def rate(self) -> float:
        """Rows a second so far."""
        return self.latest.done / self.latest.elapsed if self.latest.elapsed else 0.0


@asynccontextmanager
async def watching(watcher: Watcher, *, quiet: bool) -> AsyncIterator[Callable[[], None]]:
    """Show *watcher*'s news until the block ends. What is given stops the bar early, to leave the terminal in order."""
    on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    bar, show, end, seconds = _nothing()
    if not quiet:
        bar, show, end, seconds = _bar(watcher) if on_terminal else _lines(watcher)
    with bar:
        ticking = asyncio.create_task(_tick(show, seconds))
        try:
            yield end
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking
            show()


async def _tick(show: Callable[[], None], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        show()


_Shown = tuple[AbstractContextManager[Any], Callable[[], None], Callable[[], None], float]


def _nothing() -> _Shown:
    return nullcontext(), lambda: None, lambda: None, _LINE_SECONDS


def _lines(watcher: Watcher) -> _Shown:
    return nullcontext(), lambda: note(watcher.line()), lambda: None, _LINE_SECONDS


def _bar(watcher: Watcher) -> _Shown:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    progress = Progress(
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[news]}"),
        console=Console(stderr=True),
        expand=True,
        # Our own ticks draw it: no second thread beside the event loop.
        auto_refresh=False,
    )
    task = progress.add_task("", total=watcher.total, news="")

    def show() -> None:
        news = " ".join(f"[{_COLOURS[word]}]{count:,} {word}[/]" for word, count in watcher.numbers().items())
        news += f" {watcher.rate:,.0f}/s"
        progress.update(task, completed=watcher.latest.done, news=news, refresh=True)

    return progress, show, progress.stop, _REFRESH_SECONDS
