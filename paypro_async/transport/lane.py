"""A lane of httpx: room for one connection, that connection, and the request that has it now."""

import asyncio
from collections.abc import Callable
from typing import Any

from attrs import define

from paypro_async._core.wire import Exchange
from paypro_async.transport.connections.held import HeldConnection
from paypro_async.transport.connections.sockets import Found, is_readable
from paypro_async.transport.diagnosis import Step
from paypro_async.transport.guarded_stream import GuardedStream
from paypro_async.transport.progress import Progress
from paypro_async.transport.reading import ReplyReader
from paypro_async.transport.reply_stream import ReplyStream

__all__ = ["Gate", "HeldLane", "Lane", "Paused", "SpokenOnError", "Wire"]

_TO_PROXY = ("connection.connect_tcp.started", "connection.start_tls.started", "socks.connect_tcp.started")
_CONNECTING = (".connect_tcp.started", ".start_tls.started")


class SpokenOnError(Exception):
    """The server spoke before the request was written."""


@define(eq=False)
class Lane:
    """Room for one connection, that connection, and the request that has it now."""

    inner: Any
    stream: GuardedStream | None = None
    replies: ReplyStream | None = None
    is_secure: bool = False
    progress: Progress | None = None

    def look(self) -> Found:
        """What has become of its connection since it rests."""
        if self.stream is None:
            return Found.CLOSED
        found = self.stream.look()
        is_new = self.progress is None or not self.progress.begun
        if found is Found.SPOILED and self.is_secure and is_new and not self.stream.given_up:
            return Found.QUIET  # What TLS says for itself behind its handshake nobody has read yet.
        return found

    def guard(self) -> Callable[[], None] | None:
        """The look for the request that is being written; none while a proxy or TLS is."""
        return self.progress.look if self.progress is not None and self.progress.begun else None

    def watch(self, connection: Any, *, dialled: bool) -> None:
        """Stand between httpcore and the stream of *connection*: a new one of TCP, or TLS over that."""
        stream = connection._stream  # noqa: SLF001  nowhere public
        if dialled:
            self.stream = stream = GuardedStream(stream, self.guard)
        self.replies = connection._stream = ReplyStream(stream)  # noqa: SLF001
        self.is_secure = not dialled

    def was_spoken_on(self) -> bool:
        """Whether something came on a new connection before its first request; what TLS says for itself is not that."""
        return not self.is_secure and self.stream is not None and is_readable(self.stream.socket)

    async def aclose(self) -> None:
        """Close its connection."""
        await self.inner.aclose()


class Wire:
    """Watches one request being written. httpcore calls it at every step (its ``trace`` extension)."""

    def __init__(self, progress: Progress, reader: ReplyReader, gate: "Gate | None" = None) -> None:
        self.progress = progress
        self.reader = reader
        self.gate = gate
        self.lane: Lane | None = None
        self.clean: bool = False  # whether a whole reply was read, and nothing behind it
        self.dialled: Any = None  # the stream, if a connection was made for this request
        self.connecting: str = ""  # the step of connecting that was begun last

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        """See one step of httpcore."""
        if event.endswith(_CONNECTING):
            self.connecting = event
            return
        if event.endswith(".connect_tcp.complete"):
            self.dialled = info["return_value"]
        if self.lane is not None and event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self.lane.watch(info["return_value"], dialled=event.endswith(".connect_tcp.complete"))
        if not event.endswith((".send_request_headers.started", ".send_request_body.started")):
            return
        if info["request"].method == b"CONNECT":
            return  # A proxy's tunnel: nothing of the payout yet.
        if self.gate is not None:
            await self.gate.pass_through()
        lane = self.lane
        if lane is not None and lane.stream is not None and lane.replies is not None and not self.progress.begun:
            if self.dialled is not None and lane.was_spoken_on():
                raise SpokenOnError
            self.reader.discard = lane.stream.give_up
            lane.replies.reader = self.reader
        # Before the body as well: without it the platform cannot act on the headers.
        self.progress.begin()

    def step(self, error: Exception) -> Step:
        """Where the request stood when *error* came."""
        # httpcore's connection is the one to the proxy, if there is one; through it goes what a tunnel adds.
        at_proxy = self.connecting in _TO_PROXY if self.connecting else None
        status = str(error)[:3] if type(error).__name__ == "ProxyError" else ""
        return Step(
            begun=self.progress.begun,
            at_proxy=at_proxy,
            tls=".start_tls" in self.connecting,
            status=int(status) if status.isdigit() else None,
        )


class Gate:
    """Where a request waits, all ready, until it is its turn."""

    def __init__(self) -> None:
        self.reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.opened: asyncio.Event = asyncio.Event()

    async def pass_through(self) -> None:
        """Wait until it is open."""
        if not self.reached.done():
            self.reached.set_result(None)
        await self.opened.wait()


@define(eq=False)
class Paused:
    """A request in front of its gate."""

    wire: Wire
    gate: Gate
    task: "asyncio.Task[Exchange]"
    leave: Callable[["asyncio.Task[Exchange]"], None]

    def go_on(self, progress: Progress) -> None:
        """Write it, and go by *progress* from now on."""
        self.wire.progress = progress
        if self.wire.lane is not None:
            self.wire.lane.progress = progress
        self.gate.opened.set()

    def end(self) -> None:
        """It is not written."""
        self.leave(self.task)


@define(eq=False)
class HeldLane(HeldConnection[Lane]):
    """A lane that is held: one that has rested, or a new one whose first request is paused."""

    paused: Paused | None = None

    async def aclose(self) -> None:
        """Give back what was not used."""
        if self.paused is None:
            await super().aclose()
        elif self.use():
            self.slots.give_back()
            self.resting.forget(self.rest)
            self.paused.end()
