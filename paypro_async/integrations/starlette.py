"""Callbacks in Starlette, and the client's opening and closing with the application (extra ``starlette``).

::

    app = Starlette(routes=[callback_route("/paypro")], lifespan=client_lifespan(PayProClient.from_env))
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from paypro_async.client import PayProClient
from paypro_async.integrations import asgi
from paypro_async.integrations.receiving import BODY_SECONDS, MAX_BODY, ClientFor, opened

try:
    from starlette.requests import HTTPConnection
    from starlette.routing import Route
except ImportError as _error:
    raise ImportError("Starlette is not installed: pip install 'paypro-async[starlette]'") from _error

__all__ = ["callback_route", "client_lifespan", "client_of"]

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


def callback_route(
    path: str,
    client: PayProClient | None = None,
    *,
    pick: ClientFor[asgi.Scope] | None = None,
    max_body: int = MAX_BODY,
    body_seconds: float = BODY_SECONDS,
) -> Route:
    """A route that receives PayPro's callbacks.

    Args:
        path: Of the ``notify_url``.
        client: Whose callbacks they are, open; by default the one that :func:`client_lifespan` has opened.
        pick: Instead of *client*, for several merchants: a function that gives the client for a scope, whose
            ``path_params`` are those of *path*, or None for 404.
        max_body: Bytes that a body may have; one with more is answered with 413.
        body_seconds: Within which a body must have come; else the answer is 408.
    """
    app = asgi.CallbackApp(client, pick=pick, max_body=max_body, body_seconds=body_seconds)
    # Without methods, so that the answer to any other than POST is the same everywhere.
    return Route(path, app, include_in_schema=False, name="paypro_callback")


def client_lifespan(client: PayProClient | Callable[[], PayProClient], lifespan: Lifespan | None = None) -> Lifespan:
    """A lifespan that opens the client when the application starts, and closes it when it ends.

    Args:
        client: Or what makes one, such as ``PayProClient.from_env``: then an application can start more than once, and
            each process of several has its own.
        lifespan: The application's own, which runs while the client is open.
    """

    @asynccontextmanager
    async def while_open(app: Any) -> AsyncIterator[dict[str, Any]]:
        async with opened(client) as one:
            setattr(app.state, asgi.STATE, one)
            try:
                if lifespan is None:
                    yield {asgi.STATE: one}
                else:
                    async with lifespan(app) as state:
                        yield {**(state or {}), asgi.STATE: one}
            finally:
                delattr(app.state, asgi.STATE)

    return while_open


def client_of(connection: HTTPConnection) -> PayProClient:
    """The client that the application's lifespan has opened, for a request.

    Raises:
        ClientStateError: If there is none.
    """
    return asgi.client_of(connection.scope)
