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
    NotSentError,
    PayoutChange,
    PayProClient,
    PayProError,
)
from paypro_async.integrations.aiohttp import callback_handler, client_context, client_of

routes = web.RouteTableDef()
BOOKS, LOCK = os.environ.get("SERVICE_BOOKS", "service.db"), threading.Lock()
REQUIRED = {"trade_no", "amount", "name", "mobile", "email", "bank_number", "bank_code"}


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
    result = await client_of(request).payout(await payment_of(request))
    return web.json_response(result.to_dict())


async def payment_of(request: web.Request) -> dict[str, str]:
    """The fields, each as text: the amount, since a JSON number is a float, and the number, without which a repeated
    request would be another payout.
    """
    try:
        payment = await request.json()
    except (ValueError, LookupError, RecursionError):  # no JSON; a charset that nobody knows; lists in lists in lists
        raise web.HTTPBadRequest(text="Send a JSON object.") from None
    if not isinstance(payment, dict) or not REQUIRED <= payment.keys() <= REQUIRED | {"remark"}:
        raise web.HTTPUnprocessableEntity(text=f"Send remark, if any, and all of: {', '.join(sorted(REQUIRED))}.")
    if not all(isinstance(value, str) for value in payment.values()):
        raise web.HTTPUnprocessableEntity(text="Send each value as text, the amount too.")
    return payment


@routes.get("/payouts/{trade_no:[A-Za-z0-9_-]{1,64}}")  # what can be no number is not found
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


def status_of(error: PayProError) -> int:
    """What is certain about the money decides what the caller may do next."""
    if error.money_may_have_moved:
        return 202  # the outcome is not known yet: ask under the same number, never pay under a new one
    return next((status for kind, status in NOTHING_SENT if isinstance(error, kind)), 500)


NOTHING_SENT = (
    (InvalidPayoutError, 422),  # mend the fields
    (IdempotencyConflictError, 409),  # that number belongs to another payout
    (ClientStateError, 503),
    (NotSentError, 503),  # the same may be sent again; the ledger that cannot be read is one of these
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
        return web.json_response(told, status=status_of(error))


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
