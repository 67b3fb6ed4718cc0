"""A service that pays, receives PayPro's callbacks and answers with the result (aiohttp).

Set ``PAYPRO_BASE_URL``, ``PAYPRO_MERCHANT_NO``, ``PAYPRO_SECRET_FILE``, ``PAYPRO_LEDGER``, ``PAYPRO_IP_ADDRESS`` and
``PAYPRO_NOTIFY_URL`` (the address of ``/paypro`` below, as PayPro reaches it); ``paypro sandbox`` prints such lines.
Then: ``pip install '.[aiohttp]'`` and ``python examples/aiohttp_service.py 8000``. The same command once more is a
second worker on the same port. All workers, on this machine and on others, share one ledger.
"""

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing

from aiohttp import web

from paypro_async import (
    ClientStateError,
    IdempotencyConflictError,
    InvalidPayoutError,
    LedgerUnavailableError,
    NotSentError,
    PayoutChange,
    PayProClient,
    PayProError,
)
from paypro_async.integrations.aiohttp import callback_handler, client_context, client_of

routes = web.RouteTableDef()
BOOKS, LOCK = os.environ.get("SERVICE_BOOKS", "service.db"), threading.Lock()
FIELDS = {"trade_no", "amount", "name", "mobile", "email", "bank_number", "bank_code", "remark"}


def note(change: PayoutChange) -> None:
    """Write a change into the service's own books, once: it may be told again, under the same id."""
    with LOCK, closing(sqlite3.connect(BOOKS, timeout=30)) as books, books:
        books.execute("CREATE TABLE IF NOT EXISTS change (id TEXT PRIMARY KEY, trade_no TEXT, status TEXT)")
        row = (change.id, change.trade_no, change.status.value)
        books.execute("INSERT INTO change VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING", row)


async def on_change(change: PayoutChange) -> None:
    """Awaited for every change of a payout, in one of the workers; if it raises, it is tried again later."""
    await asyncio.to_thread(note, change)


@routes.post("/payouts")
async def pay(request: web.Request) -> web.Response:
    """Pay once. The number is the caller's: the same again is the same payout, and is never paid twice."""
    try:
        payment = await request.json()
    except ValueError:
        raise web.HTTPBadRequest from None
    if not isinstance(payment, dict) or not {"trade_no"} <= payment.keys() <= FIELDS:
        raise web.HTTPBadRequest(text=f"Send a JSON object of these fields: {', '.join(sorted(FIELDS))}.")
    if isinstance(payment.get("amount"), float):
        raise web.HTTPBadRequest(text="The amount must be text, since a JSON number is a float.")
    result = await client_of(request).payout(payment)
    return web.json_response(result.to_dict())


@routes.get("/payouts/{trade_no}")
async def find(request: web.Request) -> web.Response:
    """What is known of a payout, whichever worker has paid it and whichever has received its callback."""
    known = await client_of(request).get(request.match_info["trade_no"])
    if known is None:
        raise web.HTTPNotFound
    return web.json_response(known.to_dict())


@routes.get("/healthz")
async def healthz(request: web.Request) -> web.Response:
    """Whether this worker's client is open and reads the ledger; else 503."""
    await client_of(request).get("healthz")
    return web.json_response({"status": "ok", "worker": os.getpid()})


# What is certain about the money decides what the caller may do next.
STATUSES = (
    (InvalidPayoutError, 422),  # mend the fields
    (IdempotencyConflictError, 409),  # that number belongs to another payout
    (LedgerUnavailableError, 503),
    (ClientStateError, 503),
    (NotSentError, 503),  # the same may be sent again
    (PayProError, 202),  # the outcome is not known yet: ask under the same number, never pay under a new one
)


@web.middleware
async def explain(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The text of an error says what happened, what is certain about the money and what to do next."""
    try:
        return await handler(request)
    except PayProError as error:
        told = {
            "error": type(error).__name__,
            "message": str(error),
            "money_may_have_moved": error.money_may_have_moved,
        }
        return web.json_response(told, status=next(status for kind, status in STATUSES if isinstance(error, kind)))


def make_app() -> web.Application:
    """The application, whose client is opened when it starts."""
    app = web.Application(middlewares=[explain])
    app.cleanup_ctx.append(client_context(lambda: PayProClient.from_env(on_change=on_change)))
    app.add_routes(routes)
    app.router.add_route("*", "/paypro", callback_handler())
    return app


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    web.run_app(make_app(), host="127.0.0.1", port=port, reuse_port=True)
