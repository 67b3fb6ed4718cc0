"""Callbacks in FastAPI, and the client as a dependency (extra ``fastapi``).

::

    app = FastAPI(lifespan=client_lifespan(PayProClient.from_env))
    app.include_router(callback_router("/paypro"))


    @app.post("/payouts")
    async def pay(payout: Payment, client: OpenClient) -> PayoutResult:
        return await client.payout(payout.model_dump())
"""

from typing import Annotated, Any

from paypro_async.client import PayProClient
from paypro_async.integrations import asgi
from paypro_async.integrations.receiving import BODY_SECONDS, MAX_BODY, ClientFor

try:
    from fastapi import APIRouter, Depends
    from fastapi.requests import HTTPConnection
except ImportError as _error:
    raise ImportError("FastAPI is not installed: pip install 'paypro-async[fastapi]'") from _error

from paypro_async.integrations.starlette import client_lifespan

__all__ = ["OpenClient", "callback_router", "client_lifespan", "client_of"]


def callback_router(
    path: str,
    client: PayProClient | None = None,
    *,
    pick: ClientFor[asgi.Scope] | None = None,
    max_body: int = MAX_BODY,
    body_seconds: float = BODY_SECONDS,
) -> APIRouter:
    """A router that receives PayPro's callbacks; it is no part of the OpenAPI page.

    A dependency of the application, such as one that wants users to log in, does not hold for it: what tells PayPro
    from others is its signature.

    Args:
        path: Of the ``notify_url``.
        client: Whose callbacks they are, open; by default the one that :func:`client_lifespan` has opened.
        pick: Instead of *client*, for several merchants: a function that gives the client for a scope, whose
            ``path_params`` are those of *path*, or None for 404.
        max_body: Bytes that a body may have; one with more is answered with 413.
        body_seconds: Within which a body must have come; else the answer is 408.
    """
    router = APIRouter()
    # An ASGI application, which is a route's endpoint as well as a function is.
    app: Any = asgi.CallbackApp(client, pick=pick, max_body=max_body, body_seconds=body_seconds)
    router.add_route(path, app, include_in_schema=False, name="paypro_callback")
    return router


def client_of(connection: HTTPConnection) -> PayProClient:
    """The client that the application's lifespan has opened, for ``Depends``.

    Raises:
        ClientStateError: If there is none.
    """
    return asgi.client_of(connection.scope)


OpenClient = Annotated[PayProClient, Depends(client_of)]
"""The open client as a parameter of an endpoint: ``async def pay(client: OpenClient)``."""
