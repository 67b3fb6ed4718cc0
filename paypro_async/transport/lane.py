"""A lane: one connection that httpx has made, and how a request goes over it."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import anyio.abc
import anyio.streams.tls
from attrs import define

from paypro_async._core.secret import Secret
from paypro_async._core.wire import WireRequest
from paypro_async.transport.connections.sockets import Found, is_readable
from paypro_async.transport.guarded_stream import GuardedStream
from paypro_async.transport.progress import Progress
from paypro_async.transport.reading import ReplyReader

__all__ = ["ConnectedError", "Dial", "Lane"]

_CONNECTING = (".connect_tcp.started", ".start_tls.started")


class ConnectedError(Exception):
    """The connection stands. httpx goes no further: what it would write next, we write."""


class Dial:
    """Watches httpx connect, and takes the connection before anything of a request is written on it.

    httpcore calls it at every step (its ``trace`` extension).

    Args:
        progress: Of the request that needs the connection.

    Attributes:
        tcp: The connection, once there is one.
        stream: What requests are written on: *tcp*, or TLS above it.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.tcp: GuardedStream | None = None
        self.stream: anyio.abc.ByteStream | None = None

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        """See one step of httpcore.

        Raises:
            ConnectedError: In front of the first byte of a request.
        """
        if event.endswith(_CONNECTING):
            self._progress.connecting = event
        elif event.endswith(".connect_tcp.complete"):
            made = info["return_value"]
            self.tcp = GuardedStream(made._stream)  # noqa: SLF001  nowhere public
            self.stream = made._stream = self.tcp  # noqa: SLF001
        elif event.endswith(".start_tls.complete"):
            self.stream = info["return_value"]._stream  # noqa: SLF001
        elif event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            if self.tcp is not None:
                self.tcp.is_kept = True  # httpcore closes what has failed.
            raise ConnectedError

    def lane(self, broken: Callable[[str], Exception]) -> "Lane | None":
        """The connection; None if there is none, or something was said on it already.

        Args:
            broken: As for :class:`Lane`.
        """
        if self.tcp is None or self.stream is None:
            return None
        lane = Lane(self.tcp, self.stream, broken)
        # What TLS says for itself is not that.
        return lane if lane.is_secure or not is_readable(self.tcp.socket) else None


@define(eq=False)
class Lane:
    """A connection, and how a request goes over it.

    Args:
        tcp: Its stream of TCP.
        stream: What requests are written on: the same, or TLS above it.
        broken: Makes an error of a connection that broke.
    """

    tcp: GuardedStream
    stream: anyio.abc.ByteStream
    broken: Callable[[str], Exception]
    is_new: bool = True

    @property
    def given_up(self) -> bool:
        """Whether a reply on it belonged to another request."""
        return self.tcp.given_up

    def give_up(self) -> None:
        """Drop it, because a reply on it belongs to another request, also if a further request waits for its own."""
        self.tcp.give_up()

    @property
    def is_secure(self) -> bool:
        """Whether TLS is spoken on it."""
        return self.stream is not self.tcp

    def look(self) -> Found:
        """What has become of it since it rests."""
        found = self.tcp.look()
        if found is Found.SPOILED and self.is_secure and self.is_new and not self.given_up:
            return Found.QUIET  # What TLS says for itself behind its handshake nobody has read yet.
        return found

    async def exchange(
        self, head: Secret[bytes], request: WireRequest, reader: ReplyReader, progress: Progress
    ) -> None:
        """Write a request, unless *progress* raises, and wait until the reply is over or none can come."""
        self.is_new = False
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            # Who closes before it has read all may have answered all the same.
            await self._write(head.reveal(), progress)
            # Before the body as well: without it the platform cannot act on the headers.
            await self._write(request.body, progress)
        try:
            while not reader.is_over:
                reader.feed(await self.stream.receive())
        except anyio.EndOfStream:
            reader.end()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise self.broken(str(error)) from error

    async def _write(self, item: bytes, progress: Progress) -> None:
        progress.begin()
        self.tcp.look_first = progress.look
        await self.stream.send(item)
        self.tcp.look_first = None

    def rest(self, reader: ReplyReader) -> bool:
        """Get ready for the next request, if the reply to the last one was all that came."""
        return reader.keeps and (not self.is_secure or self._nothing_in_tls())

    def _nothing_in_tls(self) -> bool:
        """Whether TLS has taken nothing in behind the reply, which would be taken for the answer to the next one."""
        tls: ssl.SSLObject = self.stream.extra(anyio.streams.tls.TLSAttribute.ssl_object)  # noqa: S610  no query
        try:
            tls.read(1)
        except ssl.SSLWantReadError:
            return True  # nothing is there, as it should be
        except ssl.SSLError:
            return False
        return False
