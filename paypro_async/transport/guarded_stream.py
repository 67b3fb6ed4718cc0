"""A stream that looks at the clock just before each write, and that can be given up at any moment."""

import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import anyio.abc

from paypro_async.transport.connections.sockets import Found, look_at, shut_down

__all__ = ["GuardedStream"]

_WHOLE = 1 << 20  # bytes; more than the loop reads at one time


class GuardedStream(anyio.abc.ByteStream):
    """A TCP stream of a transport whose requests must not leave late.

    Between "now it is written" and the write may lie TLS, and a hundred microseconds of Python. A busy process that is
    frozen is frozen in there now and then; so this looks once more, with nothing between the look and the system call.

    Args:
        stream: The stream itself.

    Attributes:
        look_first: The look for the request that is being written, which raises if it is too late; None for what has no
            deadline: a proxy's request, TLS that is being set up.
        is_kept: Whether only :meth:`drop` closes it: it was taken from the library that made it.
        given_up: Whether :meth:`give_up` was called.
        socket: The socket of the stream.
    """

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream
        self.look_first: Callable[[], None] | None = None
        self.is_kept: bool = False
        self.given_up: bool = False
        self.socket: socket.socket = stream.extra(anyio.abc.SocketAttribute.raw_socket)  # noqa: S610  no query

    async def send(self, item: bytes) -> None:
        """Write *item*, unless it is too late for it, or the stream was given up."""
        if self.given_up:
            raise anyio.BrokenResourceError
        look = self.look_first
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

    async def send_eof(self) -> None:
        """Say that nothing more comes."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close it for the library that made it."""
        if not self.is_kept:
            await self._stream.aclose()

    async def drop(self) -> None:
        """Close it."""
        await self._stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """Those of the stream beneath."""
        return self._stream.extra_attributes

    def look(self) -> Found:
        """What has become of it since it rests."""
        return Found.SPOILED if self.given_up else look_at(self.socket)

    def give_up(self) -> None:
        """Let nothing more pass in either direction, at once; the owner of the stream sees it end and closes it."""
        self.given_up = True
        shut_down(self.socket)
