"""The source of a batch, read one item ahead and no further, so that it may be of any length."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from paypro_async._core.regions import Payable
from paypro_async.log import logger
from paypro_async.runtime import end_task

__all__ = ["DataFrame", "Items", "Source", "SourceReader"]


class DataFrame(Protocol):
    """A data frame of pandas, polars or pyarrow."""

    @property
    def shape(self) -> tuple[int, int]:
        """Its rows and its columns."""
        ...


Items = Iterable[Payable] | AsyncIterable[Payable]
"""Any iterable or async iterable, of any length."""
Source = Items | DataFrame
"""Where payouts come from: any iterable or async iterable, of any length, or a data frame."""

_CLOSING_SECONDS = 1.0
_BLOCKED_SECONDS = 1.0
_MOST_AT_ONCE = 10
"""So many items that may begin are read before all else in the event loop has its turn: a source may be slow."""
_END = object()
_NOTHING = object()


class SourceReader:
    """Reads a source in a task of its own.

    Args:
        source: Any iterable or async iterable.
    """

    def __init__(self, source: Items) -> None:
        self._source = source
        self._item: Any = _NOTHING  # which was read and not taken yet
        self._taken: asyncio.Future[None] | None = None
        self._given = 0
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._ended = False
        self._told = False
        self.failure: BaseException | None = None
        """What the source ended with, if not by its end."""

    @property
    def ready(self) -> bool:
        """Whether there is an item to be taken."""
        return self._item is not _NOTHING

    @property
    def over(self) -> bool:
        """Whether there is nothing to be taken any more."""
        return self._ended and self._item is _NOTHING

    @property
    def interrupted(self) -> bool:
        """Whether the source ended since the whole program shall."""
        return isinstance(self.failure, KeyboardInterrupt | SystemExit)

    def start(self, *, on_item: Callable[[], object], on_end: Callable[[], object]) -> None:
        """Begin to read, in a task of its own.

        Args:
            on_item: Called whenever an item is there to be taken.
            on_end: Called when there will be no more.
        """
        self._task = asyncio.create_task(self._read(on_item, on_end), name="paypro-batch-source")

    def take(self) -> Any:
        """The item that is ready."""
        item, self._item = self._item, _NOTHING
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)
        return item

    async def aclose(self) -> None:
        """Stop reading. A source that goes on although it was cancelled is left behind."""
        self._closing = True
        if self._task is not None:
            await end_task(self._task, who="The source of a batch", within=_CLOSING_SECONDS)

    async def _read(self, on_item: Callable[[], object], on_end: Callable[[], object]) -> None:
        try:
            await self._read_all(on_item)
        except BaseException as error:  # noqa: BLE001  none may pass for the end of the source, or leave the batch waiting
            if not (self._closing and isinstance(error, asyncio.CancelledError)):
                self.failure = error
        # No wait from here on: this may be a task that is being thrown away.
        self._ended = True
        on_end()

    async def _read_all(self, on_item: Callable[[], object]) -> None:
        if isinstance(self._source, AsyncIterable):
            async with _closing(self._source) as source:
                while (item := await _next_of(source)) is not _END:
                    if self._closing:
                        return  # The source has swallowed that it was cancelled.
                    await self._give(item, on_item)
            return
        iterator = iter(self._source)
        while True:
            began = time.monotonic()
            try:
                item = next(iterator)
            except StopIteration as error:
                if type(error) is not StopIteration:
                    raise  # It only passes for the end.
                return
            if (seconds := time.monotonic() - began) > _BLOCKED_SECONDS:
                self._tell_of_blocking(seconds)
            await self._give(item, on_item)

    async def _give(self, item: Any, on_item: Callable[[], object]) -> None:
        """Wait until *item* is taken."""
        self._item = item
        self._given += 1
        on_item()
        if self._item is not _NOTHING:
            self._taken = asyncio.get_running_loop().create_future()
            await self._taken
        elif self._given % _MOST_AT_ONCE == 0:
            await asyncio.sleep(0)

    def _tell_of_blocking(self, seconds: float) -> None:
        if not self._told:
            self._told = True
            logger.warning(
                "The source of a batch took %.1f s for one item and is no async iterable, so all else in this event "
                "loop stood still meanwhile: no reply was read and no deadline kept. Give an async iterable, which "
                "waits with await.",
                seconds,
            )


async def _next_of(iterator: AsyncIterator[Any]) -> Any:
    """The next item, or ``_END``; an error that only passes for the end is raised."""
    try:
        return await anext(iterator)
    except StopAsyncIteration as error:
        if type(error) is not StopAsyncIteration:
            raise
        return _END


@asynccontextmanager
async def _closing(source: AsyncIterable[Any]) -> AsyncIterator[AsyncIterator[Any]]:
    # An async generator that is left in the middle holds its file or cursor open until it is closed.
    iterator = aiter(source)
    try:
        yield iterator
    finally:
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()
