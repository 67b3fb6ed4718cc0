"""A body that something else in the application has read before the receiver could."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from starlette.middleware.base import BaseHTTPMiddleware

from paypro_async.integrations import aiohttp as for_aiohttp
from paypro_async.integrations.asgi import CallbackApp
from tests.support.web import ASGI, ScriptedClient, exchange, request, under_aiohttp, under_uvicorn

BODY = b'{"tradeNo": "1",  "sign": "x"}'
HTTP = [one for one in ASGI if one not in ("asgi", "mounted")]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


async def ask_aiohttp(read: Callable[[web.Request], Awaitable[Any]], client: ScriptedClient, *headers: str) -> int:
    @web.middleware
    async def reads(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]):
        await read(request)
        return await handler(request)

    app = web.Application(middlewares=[reads])
    app.cleanup_ctx.append(for_aiohttp.client_context(client))
    app.router.add_route("*", "/paypro", for_aiohttp.callback_handler())
    async with under_aiohttp(app) as served:
        return (await exchange(served.port, request("/paypro", BODY, *headers)))[0]


@pytest.mark.parametrize("read", [web.Request.read, web.Request.text, web.Request.json, web.Request.post])
async def test_what_a_middleware_of_aiohttp_has_read_and_aiohttp_keeps_is_received(read):
    client = ScriptedClient()
    assert await ask_aiohttp(read, client) == 200
    assert client.bodies == [BODY]


@pytest.mark.parametrize("read", [lambda one: one.content.read(), lambda one: one.content.read(5)])
async def test_what_nobody_keeps_comes_again_and_the_log_says_why(read, caplog):
    client = ScriptedClient()
    assert await ask_aiohttp(read, client) == 503
    assert client.bodies == []
    assert len(told(caplog)) == 1
    assert "its body was read before" in told(caplog)[0]


async def test_the_limit_holds_for_what_was_read_before():
    client = ScriptedClient()
    app = web.Application()
    app.cleanup_ctx.append(for_aiohttp.client_context(client))

    async def first_read(request: web.Request) -> web.StreamResponse:
        await request.read()
        return await for_aiohttp.callback_handler(max_body=10)(request)

    app.router.add_route("*", "/paypro", first_read)
    async with under_aiohttp(app) as served:
        piece = b"a\r\n" + b"x" * 10 + b"\r\n"
        head = request("/paypro", b"", "Transfer-Encoding: chunked", length=False)
        for body, status in ((piece, 200), (2 * piece, 413)):
            assert (await exchange(served.port, head + body + b"0\r\n\r\n"))[0] == status


@pytest.mark.parametrize("framework", HTTP)
async def test_what_a_middleware_of_starlette_has_read_whole_is_received(framework):
    client = ScriptedClient()
    app = ASGI[framework](client, {})

    async def reads(request: Any, call_next: Any) -> Any:
        await request.body()
        return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=reads)
    async with under_uvicorn(app) as served:
        assert (await exchange(served.port, request("/paypro", BODY)))[0] == 200
    assert client.bodies == [BODY]


@pytest.mark.parametrize("framework", HTTP)
async def test_what_it_has_taken_as_a_stream_comes_again_and_the_log_says_why(framework, caplog):
    client = ScriptedClient()
    app = ASGI[framework](client, {})

    async def reads(request: Any, call_next: Any) -> Any:
        async for _ in request.stream():
            pass
        return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=reads)
    async with under_uvicorn(app) as served:
        assert (await exchange(served.port, request("/paypro", BODY)))[0] == 503
    assert client.bodies == []
    assert len(told(caplog)) == 1
    assert "its body was read before" in told(caplog)[0]


async def test_what_an_asgi_middleware_has_read_and_not_handed_on_is_never_taken_for_a_forgery(caplog):
    """The server then has nothing more to give, and whether a sender is slow or was read looks the same."""
    client = ScriptedClient()
    inner = CallbackApp(client, body_seconds=0.1)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await receive()
        await inner(scope, receive, send)

    async with under_uvicorn(app) as served:
        assert (await exchange(served.port, request("/paypro", BODY)))[0] == 408
    assert client.bodies == []
    assert len(told(caplog)) == 1
    assert "has read it before" in told(caplog)[0]
