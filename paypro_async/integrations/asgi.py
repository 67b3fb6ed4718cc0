"""Callbacks in any ASGI server or framework; nothing is installed for it.

::

    app = CallbackApp(PayProClient.from_env)  # alone: uvicorn module:app
    Route("/paypro", CallbackApp())  # in an application whose lifespan opens the client
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

from paypro_async.client import PayProClient
from paypro_async.integrations.receiving import (
    BODY_SECONDS,
    MAX_BODY,
    Answer,
    ClientFor,
    Head,
    Receiver,
    no_client,
    opened,
)
from paypro_async.log import logger

__all__ = ["STATE", "CallbackApp", "client_of"]

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

STATE = "paypro"
"""The name of the open client in an application's state."""

_TOLD = {b"content-type": 0, b"content-encoding": 1, b"content-length": 2}


class CallbackApp:
    """Receives PayPro's callbacks: an ASGI application for one path.

    Args:
        client: Whose callbacks they are; by default the client that the application's lifespan has opened. One that is
            given is opened with the server and closed with it if this application is the server's own, and must be
            opened by the application that it is mounted in otherwise.
        pick: Instead of *client*, for several merchants: a function that gives the client for a scope, or None for 404.
        max_body: Bytes that a body may have; one with more is answered with 413.
        body_seconds: Within which a body must have come; else the answer is 408.
    """

    def __init__(
        self,
        client: PayProClient | Callable[[], PayProClient] | None = None,
        *,
        pick: ClientFor[Scope] | None = None,
        max_body: int = MAX_BODY,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._client = client
        self._receiver = Receiver(
            client_for=pick or (client_of if client is None else self._own),
            max_body=max_body,
            body_seconds=body_seconds,
        )
        self._opened: PayProClient | None = client if isinstance(client, PayProClient) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or open and close the client with the server."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    def _own(self, _: Scope) -> PayProClient:
        if self._opened is None:
            raise no_client("let a lifespan open it: paypro_async.integrations.starlette.client_lifespan(…)")
        return self._opened

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._receiver.answer(scope, _head(scope), _pieces(receive))
        except asyncio.CancelledError:
            # The server stops. What was stored is stored, and what was not comes again.
            await _send(Answer.of(503, closes=True), scope, send)
            raise
        await _send(answer, scope, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        async with AsyncExitStack() as stack:
            await receive()
            try:
                if self._client is not None:
                    self._opened = await stack.enter_async_context(opened(self._client))
            except Exception as error:
                logger.exception("The client could not be opened.")
                await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def client_of(scope: Scope) -> PayProClient:
    """The client that the application's lifespan has opened.

    Raises:
        ClientStateError: If there is none.
    """
    # What a lifespan hands out reaches mounted applications too; their own state does not.
    client = scope.get("state", {}).get(STATE) or getattr(getattr(scope.get("app"), "state", None), STATE, None)
    if not isinstance(client, PayProClient):
        raise no_client("give the application lifespan=client_lifespan(PayProClient.from_env)")
    return client


def _head(scope: Scope) -> Head:
    told = ["", "", ""]
    for name, value in scope["headers"]:
        if (place := _TOLD.get(name)) is not None:
            told[place] = value.decode("latin-1")
    return Head(scope["method"], *told)


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ConnectionResetError
        more = message.get("more_body", False)
        yield message.get("body", b"")


async def _send(answer: Answer, scope: Scope, send: Send) -> None:
    headers = [
        (b"content-type", answer.content_type.encode("latin-1")),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    if answer.allow is not None:
        headers.append((b"allow", answer.allow.encode()))
    if answer.closes and scope.get("http_version", "1.1").startswith("1"):
        headers.append((b"connection", b"close"))
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
    except OSError:
        logger.debug("The sender of a callback went before its answer.")
