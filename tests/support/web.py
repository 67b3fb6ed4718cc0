"""Callbacks' receivers in each framework, on a real server and a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from aiohttp import web
from attrs import frozen
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount

from paypro_async import CallbackReply, Md5Signer, PayProClient
from paypro_async.integrations import aiohttp as for_aiohttp
from paypro_async.integrations import asgi, fastapi, starlette

OK = CallbackReply(status=200, body=b"OK", content_type="text/plain")


class ScriptedClient(PayProClient):
    """A client that is given callbacks, notes them and does with each what a test says."""

    def __init__(self, then: Callable[[bytes], Awaitable[CallbackReply]] | None = None) -> None:
        super().__init__(base_url="https://x.example", merchant_no="1", signer=Md5Signer("s"), ledger="memory")
        self.bodies: list[bytes] = []
        self.then = then

    async def receive_callback(self, body: bytes) -> CallbackReply:
        self.bodies.append(body)
        return OK if self.then is None else await self.then(body)


@frozen
class Served:
    """A server that runs, its port, and what ends it."""

    port: int
    stop: Callable[[], Awaitable[None]]


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def under_uvicorn(
    app: Any, *, grace: int | None = None, listener: socket.socket | None = None
) -> AsyncIterator[Served]:
    """An ASGI application on a free port; *grace* is how many seconds requests have when it stops."""
    with listener or socket.create_server(("127.0.0.1", 0)) as bound:
        config = uvicorn.Config(app, lifespan="on", log_config=None, access_log=False, timeout_graceful_shutdown=grace)
        server = _Server(config)
        running = asyncio.create_task(server._serve([bound]))
        ready = asyncio.create_task(server.ready.wait())
        await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
        assert server.started, "it did not start"

        async def stop() -> None:
            server.should_exit = True
            await running

        try:
            yield Served(bound.getsockname()[1], stop)
        finally:
            await stop()


@asynccontextmanager
async def under_aiohttp(
    app: web.Application, *, grace: float = 60.0, listener: socket.socket | None = None
) -> AsyncIterator[Served]:
    runner = web.AppRunner(app, shutdown_timeout=grace, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener or socket.create_server(("127.0.0.1", 0))).start()
    try:
        yield Served(runner.addresses[0][1], runner.cleanup)
    finally:
        await runner.cleanup()


def _asgi(client: Any, limits: dict[str, Any]) -> Any:
    return asgi.CallbackApp(client, **limits)


def _starlette(client: Any, limits: dict[str, Any]) -> Any:
    routes = [starlette.callback_route("/paypro", **limits)]
    return Starlette(routes=routes, lifespan=starlette.client_lifespan(client))


def _below_middleware(client: Any, limits: dict[str, Any]) -> Any:
    app = _starlette(client, limits)

    async def through(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=through)
    return app


def _fastapi(client: Any, limits: dict[str, Any]) -> Any:
    app = FastAPI(lifespan=fastapi.client_lifespan(client))
    app.include_router(fastapi.callback_router("/paypro", **limits))
    return app


def _mounted(client: Any, limits: dict[str, Any]) -> Any:
    inner = FastAPI()
    inner.include_router(fastapi.callback_router("/", **limits))
    return Starlette(routes=[Mount("/paypro", inner)], lifespan=starlette.client_lifespan(client))


ASGI = {
    "asgi": _asgi,
    "starlette": _starlette,
    "below a middleware": _below_middleware,
    "fastapi": _fastapi,
    "mounted": _mounted,
}
FRAMEWORKS = [*ASGI, "aiohttp", "aiohttp, inside another"]


def path_of(framework: str) -> str:
    return "/paypro/" if framework in ("mounted", "aiohttp, inside another") else "/paypro"


@asynccontextmanager
async def receiver(framework: str, client: Any, *, grace: int | None = None, **limits: Any) -> AsyncIterator[Served]:
    """A receiver of callbacks in *framework*, whose application opens the client (or makes it) and closes it."""
    if framework in ASGI:
        async with under_uvicorn(ASGI[framework](client, limits), grace=grace) as served:
            yield served
        return
    app = web.Application(client_max_size=10)  # which does not hold for what is read piece by piece
    app.cleanup_ctx.append(for_aiohttp.client_context(client))
    if framework == "aiohttp":
        app.router.add_route("*", "/paypro", for_aiohttp.callback_handler(**limits))
    else:
        inner = web.Application()
        inner.router.add_route("*", "/", for_aiohttp.callback_handler(**limits))
        app.add_subapp("/paypro", inner)
    async with under_aiohttp(app, grace=60.0 if grace is None else max(grace, 0.05)) as served:
        yield served


def request(path: str, body: bytes = b"{}", *headers: str, method: str = "POST", length: bool = True) -> bytes:
    """The bytes of a request, after which the server closes the connection."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x.example", "Connection: close", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def exchange(port: int, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send *data*, and read the status, the headers and the body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(10):
            status, headers, _ = parsed(await reader.readuntil(b"\r\n\r\n"))
            if data.startswith(b"HEAD"):
                return status, headers, b""
            if "content-length" not in headers:
                return status, headers, await reader.read()
            return status, headers, await reader.readexactly(int(headers["content-length"]))
    finally:
        writer.close()


def parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.strip().decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, body
