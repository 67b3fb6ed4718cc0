"""The source of a batch, read one item ahead and no further, so that it may be of any length."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from paypro_async._core.regions import Payable

__all__ = ["END", "NOTHING", "Source", "SourceReader"]

Source = Iterable[Payable] | AsyncIterable[Payable]
"""Where payouts come from: any iterable or async iterable, of any length."""

END = object()
"""What stands behind the last item."""
NOTHING = object()
"""What is taken while no item is there yet."""


class SourceReader:
    """Reads a source in a task of its own.

    Args:
        source: Any iterable or async iterable.
        on_item: Called whenever an item, or the end, is there to be taken.
    """

    def __init__(self, source: Source, *, on_item: Callable[[], object]) -> None:
        self._source = source
        self._on_item = on_item
        self._next: asyncio.Queue[Any] = asyncio.Queue(maxsize=1)
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Begin to read, in a task of its own."""
        self._task = asyncio.create_task(self._read(), name="paypro-batch-source")

    def take(self) -> Any:
        """The next item, ``END`` for ever once there is none, or ``NOTHING`` for now."""
        if self._next.empty():
            return NOTHING
        item = self._next.get_nowait()
        if item is END:
            self._next.put_nowait(END)
        return item

    async def aclose(self) -> Exception | None:
        """Stop reading; the error of the source itself, if it failed."""
        self._closing = True
        if self._task is None:
            return None
        self._task.cancel()
        (outcome,) = await asyncio.gather(self._task, return_exceptions=True)
        return outcome if isinstance(outcome, Exception) else None

    async def _read(self) -> None:
        try:
            if isinstance(self._source, AsyncIterable):
                async with _closing(self._source) as source:
                    async for item in source:
                        await self._offer(item)
            else:
                for item in self._source:
                    await self._offer(item)
        finally:
            if not self._closing:
                await self._offer(END)

    async def _offer(self, item: Any) -> None:
        await self._next.put(item)
        self._on_item()


@asynccontextmanager
async def _closing(source: AsyncIterable[Any]) -> AsyncIterator[AsyncIterator[Any]]:
    # An async generator that is left in the middle holds its file or cursor open until it is closed.
    iterator = aiter(source)
    try:
        yield iterator
    finally:
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()
