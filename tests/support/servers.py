"""A server on a loopback port that does, byte for byte, what a test's script says.

It works on bare sockets: nothing is read, answered or closed unless the script does it. A script that ends closes its
connection. Closing the server ends all scripts.
"""

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LENGTH = re.compile(rb"(?im)^content-length: *(\d+)\r$")


class GoneError(Exception):
    """The client closed or reset the connection."""


class Peer:
    """The server's end of one connection.

    Attributes:
        number: Which connection of the server this is, from 1.
        received: Every byte that was read from it, in the clear.
        requests: Every whole request that was read from it.
    """

    def __init__(self, sock: socket.socket, server: "Server", number: int) -> None:
        self.sock = sock
        self.server = server
        self.number = number
        self.received = b""
        self.requests: list[bytes] = []
        self._tls: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._unread = b""

    async def read(self) -> bytes:
        """The next bytes, as many as there are."""
        try:
            if self._tls:
                data = await self._tls[0].read(65536)
            else:
                data = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
        except OSError as error:
            raise GoneError from error
        if not data:
            raise GoneError
        self.received += data
        return data

    async def read_request(self) -> bytes:
        """One whole request: head and body."""
        data = self._unread
        while (end := data.find(b"\r\n\r\n") + 4) < 4:
            data += await self.read()
        length = _LENGTH.search(data[:end])
        end += int(length[1]) if length else 0
        while len(data) < end:
            data += await self.read()
        self._unread = data[end:]
        self.requests.append(data[:end])
        self.server.requests.append(data[:end])
        return data[:end]

    async def write(self, data: bytes) -> None:
        try:
            if self._tls:
                self._tls[1].write(data)
                await self._tls[1].drain()
            else:
                await asyncio.get_running_loop().sock_sendall(self.sock, data)
        except OSError as error:
            raise GoneError from error

    async def start_tls(self, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, self.sock, ssl=context)
        except OSError as error:
            raise GoneError from error
        self._tls = reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    def certificate(self) -> dict[str, Any]:
        """What the client presented in the handshake."""
        assert self._tls is not None
        return dict(self._tls[1].get_extra_info("peercert"))

    async def hang(self) -> None:
        """Say nothing until the client goes."""
        while True:
            await self.read()

    async def hang_deaf(self) -> None:
        """Say nothing and read nothing until the client goes, which the kernel knows without a read."""
        while self.sock.fileno() >= 0 and not _peer_has_closed(self.sock):  # noqa: ASYNC110  the kernel sets no event
            await asyncio.sleep(0.005)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        if self._tls:
            self._tls[1].transport.abort()
        self.sock.close()


def _peer_has_closed(sock: socket.socket) -> bool:
    state = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state != 1  # 1 is ESTABLISHED


Script = Callable[[Peer], Awaitable[None]]


class Server:
    """Listens on a free port; every connection is served by *script*.

    Attributes:
        accepted: How many connections there were.
        open: How many of them the client has not closed and the script not ended.
        requests: Every whole request, over all connections.
    """

    def __init__(self, script: Script, *, scheme: str = "http", buffer: int | None = None) -> None:
        self.script = script
        self.scheme = scheme
        self.requests: list[bytes] = []
        self.peers: list[Peer] = []
        self.open = 0
        self._buffer = buffer  # bytes that the kernel takes for the script before it reads them
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def accepted(self) -> int:
        return len(self.peers)

    @property
    def received(self) -> bytes:
        """Every byte of every connection, in the clear."""
        return b"".join(peer.received for peer in self.peers)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.base_url}/v1/paypro/payout"

    async def __aenter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        if self._buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        self._listener.setblocking(False)
        self._start(self._accept())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(sock, self, self.accepted + 1)
            self.peers.append(peer)
            self.open += 1
            self._start(self._serve(peer))

    async def _serve(self, peer: Peer) -> None:
        try:
            with suppress(GoneError):
                await self.script(peer)
        finally:
            self.open -= 1
            peer.close()

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def drip(peer: Peer, begin: bytes, piece: bytes, *, every: float = 0.05) -> None:
    """Answer with *begin*, and then a *piece* *every* so many seconds, for ever."""
    await peer.read_request()
    await peer.write(begin)
    while True:
        await peer.write(piece)
        await asyncio.sleep(every)


async def answer(peer: Peer) -> None:
    """Answer every request with an empty object and keep the connection."""
    while True:
        await peer.read_request()
        await peer.write(OK)


def replies(*parts: bytes) -> Script:
    """Answer the first request with *parts*, one segment each, and then end."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        for part in parts:
            await peer.write(part)
            await asyncio.sleep(0)

    return script


def over_tls(context: ssl.SSLContext, script: Script = answer) -> Script:
    """Shake hands first."""

    async def tls_script(peer: Peer) -> None:
        await peer.start_tls(context)
        await script(peer)

    return tls_script


def tunnel(to: Callable[[], int]) -> Script:
    """A proxy that opens every tunnel, wherever it is asked to go, to the port *to* on loopback."""

    async def copy(read: Callable, write: Callable) -> None:
        while data := await read():
            await write(data)

    async def script(peer: Peer) -> None:
        await peer.read_request()
        reader, writer = await asyncio.open_connection("127.0.0.1", to())

        async def there(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        await peer.write(OPENED)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(copy(peer.read, there))
                both.create_task(copy(lambda: reader.read(65536), peer.write))
        except* (GoneError, OSError):
            pass
        finally:
            writer.close()

    return script


@asynccontextmanager
async def no_room() -> AsyncIterator[str]:
    """The URL of a listener whose queue is full, so that connecting to it hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(address)
        await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{address[1]}/v1/paypro/payout"
        for sock in waiting:
            sock.close()


def unused_url(*, path: str = "/v1/paypro/payout") -> str:
    """The URL of a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}{path}"
