"""A program that receives callbacks on a loopback port, with nothing of the package."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


def answer(status: int, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d Other\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


class Receiver:
    """Keeps what comes, and gives the answers that are set, then ``OK``. Without an answer it closes the connection."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.members: list[dict[str, Any]] = []
        self.held: asyncio.Event | None = None  # while one is set, nothing is answered until it is done

    @property
    def said(self) -> list[tuple[str, str]]:
        """Whose callbacks came, and what they said, in their order."""
        return [(one["tradeNo"], one["status"]) for one in self.members]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/paypro?key=K"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._receive, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().partition("content-length:")[2].split()[0])
            self.bodies.append(await reader.readexactly(length))
            self.members.append(json.loads(self.bodies[-1]))
            self.heads.append(head)
            if self.held is not None:
                await self.held.wait()
            writer.write((self.answers.pop(0) if self.answers else OK) or b"")
            await writer.drain()
        except OSError:
            pass  # the sandbox has closed it
        finally:
            writer.close()
