"""A stream that stands above another one: what it does not do in its own way, the one beneath does."""

from collections.abc import Callable, Mapping
from typing import Any

import anyio.abc

__all__ = ["StreamAbove"]


class StreamAbove(anyio.abc.ByteStream):
    """Passes everything on.

    Args:
        stream: The stream beneath.
    """

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """The next bytes of the stream beneath."""
        return await self._stream.receive(max_bytes)

    async def send(self, item: bytes) -> None:
        """Write *item* to the stream beneath."""
        await self._stream.send(item)

    async def send_eof(self) -> None:
        """Say that nothing more comes."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close the stream beneath."""
        await self._stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """Those of the stream beneath."""
        return self._stream.extra_attributes
