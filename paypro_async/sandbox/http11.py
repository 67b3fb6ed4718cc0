"""HTTP/1.1 over raw sockets: what a well-behaved server does, and the misbehaviour that only a bare socket allows.

anyio waits for the sockets and this module owns them, because a true reset needs a close without a FIN before it.
"""

import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import anyio
import anyio.lowlevel
import h11
from attrs import evolve, field, frozen

from paypro_async.log import logger
from paypro_async.sandbox.messages import Answer, Delivery, Request

__all__ = ["Connection", "Wire"]

Answerer = Callable[[Request], Awaitable[Answer]]

BODY_LIMIT = 1024 * 1024  # bytes
_CHUNK = 64 * 1024
_SILENCE = 10  # so many times as long as to any other client a connection is held that gets no answer on purpose
_TWO_LENGTHS = frozenset({"content-length", "transfer-encoding"})  # a proxy might believe the other one
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time left: close() sends a reset


@frozen
class Wire:
    """A connected socket; closing it is the caller's."""

    socket: socket.socket

    async def receive(self) -> bytes:
        """The next bytes, empty at the end of the stream."""
        while True:
            try:
                data = self.socket.recv(_CHUNK)
            except BlockingIOError:
                await anyio.wait_readable(self.socket)
                continue
            if len(data) == _CHUNK:  # from one that writes without a pause, and must not have the loop for itself
                await anyio.lowlevel.checkpoint()
            return data

    async def send(self, data: bytes) -> None:
        """Send all of the data."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.socket.send(rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self.socket)

    @property
    def has_ended(self) -> bool:
        """Whether the client has closed the connection. Looked at while nothing else reads."""
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def reset_on_close(self) -> None:
        """Let the close be a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    async def drain(self) -> None:
        """Read what still comes, for a second: closing on unread data would destroy the answer on its way."""
        self.socket.shutdown(socket.SHUT_WR)
        with anyio.move_on_after(1):
            while await self.receive():
                pass


@frozen(kw_only=True)
class Connection:
    """One client's connection, from its first request to its close.

    Args:
        wire: The socket.
        answer: Gives the answer to a request.
        drip_interval: Seconds between two bytes of a dripped reply.
        copy_delay: Seconds between a reply and its copy.
        refuse: Called to stop listening for a moment.
        waiting: Entered for as long as it waits for a request.
        patience: Seconds within which the client must send a whole request, or take a whole reply; None for any time.
        body_limit: Bytes that the body of a request may have.
        refused: Told the HTTP status with which it hangs up on what is no HTTP, or too much of it.
        http: The state of the protocol.
    """

    wire: Wire
    answer: Answerer
    drip_interval: float
    copy_delay: float
    refuse: Callable[[], None]
    waiting: Callable[[], AbstractContextManager[None]]
    patience: float | None
    body_limit: int = BODY_LIMIT
    refused: Callable[[int], None] = lambda _: None
    http: h11.Connection = field(factory=lambda: h11.Connection(h11.SERVER))

    async def serve(self) -> None:
        """Answer requests until either side closes the connection."""
        try:
            while await self._exchange():
                self.http.start_next_cycle()
                await (
                    anyio.lowlevel.checkpoint()
                )  # The next request may be there, and the one behind it, without an end.
        except h11.RemoteProtocolError as error:
            await self._refuse(error.error_status_hint)
        except TimeoutError:
            return  # It says nothing, or not all of it, or does not listen.

    async def _exchange(self) -> bool:
        """One request and its answer; whether another may follow."""
        with self.waiting(), self._limited():
            request = await self._read()
        if request is None:
            return False
        answer = await self._answer(request)
        if request.method == "HEAD":
            answer = evolve(answer, body=b"")
        await self._deliver(answer)
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE

    async def _answer(self, request: Request) -> Answer:
        try:
            return await self.answer(request)
        except Exception:
            # A request that it cannot cope with must not end its service to all others.
            logger.exception("The sandbox failed over a request to %s", request.path[:100])
            return Answer(status=500, body=b'{"error": "the sandbox itself failed; its log says how"}')

    def _limited(self, times: int = 1) -> AbstractContextManager[object]:
        return nullcontext() if self.patience is None else anyio.fail_after(times * self.patience)

    async def _read(self) -> Request | None:
        """The next request; ``None`` at the end of the stream."""
        head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None
        headers = _joined(head.headers)
        if headers.keys() >= _TWO_LENGTHS:
            raise h11.RemoteProtocolError("Content-Length and Transfer-Encoding", error_status_hint=400)
        body = bytearray()
        while isinstance(part := await self._next_event(), h11.Data):
            body += part.data
            if len(body) > self.body_limit:
                raise h11.RemoteProtocolError("body too large", error_status_hint=413)
        return Request(
            method=head.method.decode(),
            path=head.target.decode("latin-1").partition("?")[0],
            headers=headers,
            body=bytes(body),
        )

    async def _next_event(self) -> h11.Event:
        # It is an event or NEED_DATA; never PAUSED, since a next request is only read after start_next_cycle.
        while not isinstance(event := self.http.next_event(), h11.Event):
            if self.http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self.http.receive_data(await self.wire.receive())
        return event

    async def _deliver(self, answer: Answer) -> None:
        match answer.delivery:
            case Delivery.WHOLE:
                await self._send(_head(answer), h11.Data(data=answer.body), h11.EndOfMessage())
            case Delivery.REFUSE:
                self.refuse()
                self.wire.reset_on_close()
            case Delivery.RESET:
                self.wire.reset_on_close()
            case Delivery.SILENCE:
                with self._limited(_SILENCE):
                    while await self.wire.receive():
                        pass
            case Delivery.CUT:
                await self._send(_head(answer), h11.Data(data=answer.body[: len(answer.body) // 2]))
            case Delivery.DRIP:
                await self._drip(answer)
            case Delivery.TWICE:
                await self._send_twice(answer)

    async def _drip(self, answer: Answer) -> None:
        await self._send(_head(answer))
        for byte in answer.body:
            await anyio.sleep(self.drip_interval)
            await self._send(h11.Data(data=bytes([byte])))
        await self._send(h11.EndOfMessage())

    async def _send_twice(self, answer: Answer) -> None:
        # Nothing is read meanwhile, so that the copy stands before the reply to a next request, which may be there.
        events = (_head(answer), h11.Data(data=answer.body), h11.EndOfMessage())
        data = b"".join(self.http.send(event) or b"" for event in events)
        with self._limited():
            await self.wire.send(data)
            await anyio.sleep(self.copy_delay)
            await self.wire.send(data)

    async def _refuse(self, status: int) -> None:
        """Tell the client that this is not HTTP, or too much of it, and hang up."""
        self.refused(status)
        answer = Answer(
            status=status, body=b"bad request\n", content_type="text/plain", headers={"Connection": "close"}
        )
        await self._send(_head(answer), h11.Data(data=answer.body), h11.EndOfMessage())
        await self.wire.drain()

    async def _send(self, *events: h11.Event) -> None:
        """Send events in one write."""
        with self._limited():
            await self.wire.send(b"".join(self.http.send(event) or b"" for event in events))


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name; of one that is given twice every value, since none of them is to be believed alone."""
    joined: dict[str, str] = {}
    for name, value in headers:
        text = value.decode("latin-1")
        joined[name.decode()] = f"{joined[name.decode()]}, {text}" if name.decode() in joined else text
    return joined


def _head(answer: Answer) -> h11.Response:
    headers = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body)), **answer.headers}
    return h11.Response(status_code=answer.status, headers=list(headers.items()))
