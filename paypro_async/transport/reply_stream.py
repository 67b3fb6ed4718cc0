"""A stream that hands what it reads to the reader of replies first, and lets nothing more through than that wants."""

import anyio
import anyio.abc

from paypro_async.transport.reading import ReplyReader
from paypro_async.transport.stream_above import StreamAbove

__all__ = ["ReplyStream"]


class ReplyStream(StreamAbove):
    """A stream, of TCP or of TLS, from which an HTTP library reads replies.

    Args:
        stream: The stream itself.

    Attributes:
        reader: Of the reply that comes next; None while no request was written on it.
    """

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        super().__init__(stream)
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
