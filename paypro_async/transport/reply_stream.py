"""A stream that gives what it reads to the reader of replies, and to the library no more than that the reply is over.

So the library has nothing to understand in another way, and nothing of a reply to log: httpcore logs every header, and
a platform may repeat in them what it was sent.
"""

import anyio
import anyio.abc

from paypro_async.transport.reading import ReplyReader
from paypro_async.transport.stream_above import StreamAbove

__all__ = ["ReplyStream"]

_OVER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


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
        """A reply without headers or a body, once the reader has the whole one.

        Raises:
            anyio.EndOfStream: If the library waits for more, or the connection ended before the reply.
            anyio.BrokenResourceError: If the reply is refused.
        """
        reader = self.reader
        if reader is None:
            return await self._stream.receive(max_bytes)
        if reader.is_over:
            raise anyio.EndOfStream
        while not await self._read(reader, max_bytes):
            pass
        return _OVER

    async def _read(self, reader: ReplyReader, max_bytes: int) -> bool:
        """Give *reader* what comes next; whether it has the whole reply."""
        try:
            data = await self._stream.receive(max_bytes)
        except anyio.EndOfStream:
            reader.end()
            if not reader.is_whole:
                raise
            return True
        if not reader.feed(data):
            raise anyio.BrokenResourceError
        return reader.is_whole
