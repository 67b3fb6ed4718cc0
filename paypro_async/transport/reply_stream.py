"""A stream that hands what it reads to the reader of replies first, and lets nothing more through than that wants."""

from collections.abc import Callable, Mapping
from typing import Any

import anyio
import anyio.abc

from paypro_async.transport.reading import ReplyReader

__all__ = ["ReplyStream"]


class ReplyStream(anyio.abc.ByteStream):
    """A stream, of TCP or of TLS, from which an HTTP library reads replies.

    Args:
        stream: The stream itself.

    Attributes:
        reader: Of the reply that comes next; None while no request was written on it.
    """

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream
        self.reader: ReplyReader | None = None

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """The next bytes of the reply.

        Raises:
            anyio.EndOfStream: If the reply is whole: what the library waits for would be no part of it.
            anyio.BrokenResourceError: If the reply is refused.
        """
        reader = self.reader
        if reader is None:
            return await self._stream.receive(max_bytes)
        if reader.is_over:
            raise anyio.EndOfStream
        try:
            data = await self._stream.receive(max_bytes)
        except anyio.EndOfStream:
            reader.end()
            raise
        if not reader.feed(data):
            raise anyio.BrokenResourceError
        return data[: len(data) - reader.behind]

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
