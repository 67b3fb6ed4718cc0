"""How far a batch is, on standard error: a bar on a terminal, a plain line now and then elsewhere."""

import asyncio
import math
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from attrs import frozen
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from paypro_async._core.items import ItemStatus
from paypro_async._core.money import amount_for_people, total
from paypro_async.cli.output import note
from paypro_async.report.batch_report import BatchProgress

__all__ = ["Watcher", "watching"]

_COLOURS = {"accepted": "green", "failed": "red", "unknown": "yellow", "waiting": "cyan", "not sent": "red"}

_ALWAYS = ("accepted", "unknown")

_NOTHING = BatchProgress(done=0, in_flight=0, waiting=0, counts={}, elapsed=0.0)


class Watcher:
    """Takes the news of a batch; what is shown is read from here at its own pace."""

    def __init__(self, total: int, currency: str, *, known: int = 0) -> None:
        self.total = total
        self.known = known
        """Rows that the ledger knew before: they take no time, and say nothing of how long the others take."""
        self.currency = currency
        self.latest: BatchProgress = _NOTHING
        self.trouble: Callable[[], str | None] = lambda: None
        """Asks why nothing is sent just now."""
        self._told: str | None = None

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

    def news(self) -> str | None:
        """What to say of a trouble that has just begun; None if there is none, or it was said."""
        before, self._told = self._told, self.trouble()
        if self._told is None or self._told == before:
            return None
        return f"Nothing is sent just now: {self._told.removesuffix('.')}. It is tried again; Ctrl-C ends it in order."

    def line(self) -> str:
        """One line that says it all."""
        numbers = ", ".join(f"{count:,} {word}" for word, count in self.numbers().items())
        return f"{self.latest.done:,} of {self.total:,} done: {numbers}; {self.sum}; {self.pace}"

    @property
    def sum(self) -> str:
        """How much money is in what was accepted."""
        amounts = self.latest.amounts
        accepted = total(amount for status, amount in amounts.items() if status.accepted)
        return f"{amount_for_people(accepted, self.currency)} {self.currency}"

    @property
    def pace(self) -> str:
        """Rows a second so far, and the time that the others take at that rate."""
        left = self.total - self.latest.done
        new = self.latest.done - (self.known if self.known < self.total else 0)
        rate = max(0, new) / self.latest.elapsed if self.latest.elapsed > 0 else 0.0
        return f"{rate:,.0f} a second" + (f", {_time(left / rate)} left" if rate and left > 0 else "")


def _time(seconds: float) -> str:
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _Display(Protocol):
    """Shows a watcher's news each time that it is told to."""

    every: float  # seconds

    def show(self) -> None: ...
    def end(self) -> None: ...


class _Nothing:
    every = 60.0

    def show(self) -> None:
        """Nothing is wanted."""

    def end(self) -> None:
        """Nothing is there."""


class _Lines:
    every = 5.0

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def show(self) -> None:
        if (news := self._watcher.news()) is not None:
            note(news)
        note(self._watcher.line())

    def end(self) -> None:
        """Lines stay as they are."""


@frozen
class _Narrow:
    """Leaves room for the ``^C`` that a terminal shows: one that breaks the line would leave a second bar."""

    shown: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self.shown, options.update_width(max(10, options.max_width - len("^C^C "))))


class _NarrowProgress(Progress):
    def get_renderable(self) -> RenderableType:
        return _Narrow(super().get_renderable())


class _Bar:
    every = 0.1

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._progress = _NarrowProgress(
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[news]}"),
            console=Console(stderr=True),
            expand=True,
            # Our own ticks draw it: no second thread beside the event loop.
            auto_refresh=False,
        )
        self._ended = False
        self._task = self._progress.add_task("", total=watcher.total, news="")
        self._progress.start()

    def show(self) -> None:
        if self._ended:
            return
        if (trouble := self._watcher.news()) is not None:
            self._progress.console.print(trouble, markup=False, highlight=False)
        # A line of 80 columns has room for what is there, and for what must be seen although there is none of it.
        shown = {word: count for word, count in self._watcher.numbers().items() if count or word in _ALWAYS}
        news = " ".join(f"[{_COLOURS[word]}]{count:,} {word}[/]" for word, count in shown.items())
        news += f"\n{self._watcher.sum} · {self._watcher.pace}"
        self._progress.update(self._task, completed=self._watcher.latest.done, news=news, refresh=True)

    def end(self) -> None:
        self._ended = True
        self._progress.stop()


@asynccontextmanager
async def watching(watcher: Watcher, *, quiet: bool) -> AsyncIterator[Callable[[], None]]:
    """Show *watcher*'s news until the block ends. What is given stops the bar early, to leave the terminal in order."""
    display = _display(watcher, quiet=quiet)
    ticking = asyncio.create_task(_tick(display))
    try:
        yield display.end
    finally:
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking
        display.show()
        display.end()


def _display(watcher: Watcher, *, quiet: bool) -> _Display:
    if quiet:
        return _Nothing()
    on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return _Bar(watcher) if on_terminal else _Lines(watcher)


async def _tick(display: _Display) -> None:
    while True:
        await asyncio.sleep(display.every)
        display.show()
