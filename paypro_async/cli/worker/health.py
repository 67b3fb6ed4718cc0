"""What tells a supervisor whether a worker lives, and whether it can work."""

import asyncio
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import h11
from attrs import define, field

from paypro_async.batch.shards import unfinished_batches
from paypro_async.errors import PayProError
from paypro_async.integrations.procrastinate import PayoutTasks

__all__ = ["Health"]

_PATIENCE = 3.0
"""Seconds for the ledger to answer, and for a caller to bring its request."""
_LARGEST = 16 * 1024


@define(kw_only=True, eq=False)
class Health:
    """Serves ``GET /live`` and ``GET /ready`` as JSON, with status 200, or 503 if the answer is no.

    Args:
        payouts: What the worker works with.
        is_stopping: Whether it takes no more jobs.
    """

    payouts: PayoutTasks
    is_stopping: Callable[[], bool]
    _began: float = field(factory=time.monotonic, init=False)
    _server: asyncio.Server | None = field(default=None, init=False)

    async def open(self, host: str, port: int) -> int:
        """Listen; on which port.

        Raises:
            OSError: The port is taken, or not to be had.
        """
        self._server = await asyncio.start_server(self._serve, host, port, limit=_LARGEST)
        listening: int = self._server.sockets[0].getsockname()[1]
        return listening

    async def aclose(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(2 * _PATIENCE):
                connection = h11.Connection(h11.SERVER)
                request = await _request(connection, reader)
                status, told = await self._answer(request)
                writer.write(_reply(connection, request, status, told))
                await writer.drain()
        except (OSError, TimeoutError, h11.RemoteProtocolError):
            pass  # Who asks like that hears nothing, and the worker goes on.
        finally:
            writer.close()

    async def _answer(self, request: h11.Request | None) -> tuple[HTTPStatus, dict[str, Any]]:
        path = request.target.decode("ascii").partition("?")[0] if request is not None else ""
        if path not in ("/live", "/ready"):
            return HTTPStatus.NOT_FOUND, {"error": "there are /live and /ready"}
        told = {
            "status": "stopping" if self.is_stopping() else "working",
            "uptime_seconds": round(time.monotonic() - self._began, 1),
            "shards": sorted(shard.key for shard in self.payouts.running),
        }
        if path == "/live":
            return HTTPStatus.OK, told
        ledger = await self._ledger()
        queue = "ok" if self.payouts.is_listening else "the worker takes no jobs just now"
        ready = ledger == queue == "ok" and not self.is_stopping()
        code = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return code, told | {"ledger": ledger, "queue": queue}

    async def _ledger(self) -> str:
        """``ok``, or why the ledger does not answer."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await unfinished_batches(await self.payouts.client())
        except TimeoutError:
            return f"no answer within {_PATIENCE:.0f} s"
        except PayProError as error:
            return str(error)
        return "ok"


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(_LARGEST))
    return event if isinstance(event, h11.Request) else None


def _reply(connection: h11.Connection, request: h11.Request | None, status: HTTPStatus, told: dict[str, Any]) -> bytes:
    body = json.dumps(told).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
    parts = [connection.send(h11.Response(status_code=status, headers=headers, reason=status.phrase))]
    if request is None or request.method != b"HEAD":
        parts.append(connection.send(h11.Data(data=body)))
    parts.append(connection.send(h11.EndOfMessage()))
    return b"".join(parts)
