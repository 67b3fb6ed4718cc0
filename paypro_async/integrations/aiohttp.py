"""Callbacks in aiohttp's server, and the client's opening and closing with the application (extra ``aiohttp``).

::

    app = web.Application()
    app.cleanup_ctx.append(client_context(PayProClient.from_env))
    app.router.add_route("*", "/paypro", callback_handler())
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

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

try:
    from aiohttp import web
except ImportError as _error:
    raise ImportError("aiohttp is not installed: pip install 'paypro-async[aiohttp]'") from _error

__all__ = ["CLIENT", "callback_handler", "client_context", "client_of"]

CLIENT: web.AppKey[PayProClient] = web.AppKey("paypro", PayProClient)
"""The open client in the application."""

_DROP_BYTES, _DROP_SECONDS = 1024 * 1024, 1.0


def callback_handler(
    client: PayProClient | None = None,
    *,
    pick: ClientFor[web.Request] | None = None,
    max_body: int = MAX_BODY,
    body_seconds: float = BODY_SECONDS,
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler that receives PayPro's callbacks.

    Args:
        client: Whose callbacks they are, open; by default the one that :func:`client_context` has opened.
        pick: Instead of *client*, for several merchants: a function that gives the client for a request, or None for
            404.
        max_body: Bytes that a body may have, whatever the application's ``client_max_size``; one with more is answered
            with 413.
        body_seconds: Within which a body must have come; else the answer is 408.
    """
    if pick is None:
        pick = client_of if client is None else lambda _: client
    receiver = Receiver(client_for=pick, max_body=max_body, body_seconds=body_seconds)

    async def receive(request: web.Request) -> web.StreamResponse:
        answer = await receiver.answer(request, _head(request), _pieces(request))
        response = _response(answer)
        if answer.closes and request.can_read_body:
            await _close_with(response, request)
        return response

    return receive


def client_context(
    client: PayProClient | Callable[[], PayProClient],
) -> Callable[[web.Application], AsyncIterator[None]]:
    """For ``app.cleanup_ctx``: opens the client when the application starts, and closes it when it ends.

    Args:
        client: Or what makes one, such as ``PayProClient.from_env``.
    """

    async def while_open(app: web.Application) -> AsyncIterator[None]:
        async with opened(client) as one:
            app[CLIENT] = one
            yield

    return while_open


def client_of(request: web.Request) -> PayProClient:
    """The client that the application, or one that it is a part of, has opened.

    Raises:
        ClientStateError: If there is none.
    """
    client: PayProClient | None = request.config_dict.get(CLIENT)
    if client is None:
        raise no_client("add client_context(PayProClient.from_env) to the application's cleanup_ctx")
    return client


def _head(request: web.Request) -> Head:
    told = request.headers
    return Head(
        request.method, told.get("Content-Type", ""), told.get("Content-Encoding", ""), told.get("Content-Length", "")
    )


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    if request.can_read_body:
        async for piece in request.content.iter_any():
            yield piece
    else:
        # A middleware may have read it, and aiohttp keeps what request.read() and its like have read.
        yield await request.read()


async def _close_with(response: web.Response, request: web.Request) -> None:
    # Else the server would read for ten seconds what still comes, whatever its size. What is on its way is read all the
    # same, for a moment: a connection that is closed over unread bytes is reset, and the answer may be lost with it.
    dropped = 0
    with suppress(TimeoutError, ConnectionError, web.RequestPayloadError):
        await response.prepare(request)
        await response.write_eof()
        async with asyncio.timeout(_DROP_SECONDS):
            while dropped < _DROP_BYTES and (piece := await request.content.readany()):
                dropped += len(piece)
    request.protocol.force_close()


def _response(answer: Answer) -> web.Response:
    headers = {"Content-Type": answer.content_type}
    if answer.allow is not None:
        headers["Allow"] = answer.allow
    response = web.Response(status=answer.status, body=answer.body, headers=headers)
    if answer.closes:
        response.force_close()
    return response
