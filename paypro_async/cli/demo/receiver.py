"""The demonstration's service: it receives callbacks and stores them in the ledger that the payer works on."""

import asyncio
from http import HTTPStatus
from types import TracebackType
from typing import Self

from paypro_async.client import PayProClient
from paypro_async.sandbox.capacity import Place
from paypro_async.sandbox.http11 import Connection, Wire
from paypro_async.sandbox.messages import Answer, Request
from paypro_async.sandbox.service import HttpService

__all__ = ["Receiver"]

_HOST = "127.0.0.1"
_PATIENCE = 10.0  # seconds


class Receiver:
    """Listens on a port of this machine while it is entered, and gives each callback to a client.

    Args:
        client: Open for as long as this is.

    Attributes:
        answered: How many callbacks were answered with OK.
    """

    def __init__(self, client: PayProClient) -> None:
        self.answered: int = 0
        self._client = client
        self._service = HttpService(host=_HOST, port=0, connection=self._connection, max_connections=200)
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._service.open()
        self._serving = asyncio.create_task(self._service.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait({self._serving})
        self._service.close()

    @property
    def url(self) -> str:
        """The ``notifyUrl`` of the payouts."""
        return f"http://{_HOST}:{self._service.port}/paypro"

    def _connection(self, wire: Wire, place: Place) -> Connection:
        return Connection(
            wire=wire,
            answer=self._answer,
            drip_interval=0,
            copy_delay=0,
            refuse=self._service.refuse,
            waiting=place.waiting,
            patience=_PATIENCE,
        )

    async def _answer(self, request: Request) -> Answer:
        reply = await self._client.receive_callback(request.body)
        self.answered += reply.status == HTTPStatus.OK
        return Answer(status=reply.status, body=reply.body, content_type=reply.content_type)
