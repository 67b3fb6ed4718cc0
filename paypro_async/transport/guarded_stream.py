"""A stream that looks at the clock just before each write, and that can be given up at any moment."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress

import anyio
import anyio.abc

from paypro_async.transport.connections.sockets import Found, look_at
from paypro_async.transport.stream_above import StreamAbove

__all__ = ["GuardedStream"]

_WHOLE = 1 << 20  # bytes; more than the loop reads at one time


class GuardedStream(StreamAbove):
    """A TCP stream of a transport whose requests must not leave late.

    Between an HTTP library's "now it is written" and the write lie a hundred microseconds of Python. A busy process
    that is frozen is frozen in there every tenth time; so this looks once more, with nothing between the look and the
    system call.

    Args:
        stream: The stream itself.
        guard: Gives the look for the request that is being written, which raises if it is too late; None for what
            has no deadline.

    Attributes:
        given_up: Whether :meth:`give_up` was called.
        socket: The socket of the stream.
    """

    def __init__(self, stream: anyio.abc.ByteStream, guard: Callable[[], Callable[[], None] | None]) -> None:
        super().__init__(stream)
        self._guard = guard
        self.given_up: bool = False
        self.socket: socket.socket = stream.extra(anyio.abc.SocketAttribute.raw_socket)  # noqa: S610  no query

    async def send(self, item: bytes) -> None:
        """Write *item*, unless it is too late for it, or the stream was given up."""
        if self.given_up:
            raise anyio.BrokenResourceError
        look = self._guard()
        if look is not None and os.name != "nt":  # there a socket is no file
            # The stream beneath holds nothing back: its send() returns when all is written.
            try:
                look()
                item = item[os.write(self.socket.fileno(), item) :]
            except BlockingIOError:
                look()  # The kernel takes nothing now, so the stream has to wait for it.
            except OSError as error:
                raise anyio.BrokenResourceError from error
        if item:
            await self._stream.send(item)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """All that was read at one time, even beyond *max_bytes*.

        The stream beneath would keep the rest, and nobody would see that something came behind a reply.
        """
        return await self._stream.receive(max(max_bytes, _WHOLE))

    def look(self) -> Found:
        """What has become of it since it rests."""
        return Found.SPOILED if self.given_up else look_at(self.socket)

    def give_up(self) -> None:
        """Let nothing more pass in either direction, at once; the owner of the stream sees it end and closes it."""
        self.given_up = True
        with suppress(OSError):  # gone already
            self.socket.shutdown(socket.SHUT_RDWR)
