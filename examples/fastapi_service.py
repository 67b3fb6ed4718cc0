"""A service that pays, receives PayPro's callbacks and answers with the result (FastAPI).

Set ``PAYPRO_BASE_URL``, ``PAYPRO_MERCHANT_NO``, ``PAYPRO_SECRET_FILE``, ``PAYPRO_LEDGER``, ``PAYPRO_IP_ADDRESS`` and
``PAYPRO_NOTIFY_URL`` (the address of ``/paypro`` below, as PayPro reaches it); ``paypro sandbox`` prints such lines.
Then: ``pip install '.[fastapi]' uvicorn`` and ``uvicorn --app-dir examples --workers 2 fastapi_service:app``. All
workers, on this machine and on others, share one ledger.
"""

import asyncio
import os
import re
import sqlite3
import threading
from contextlib import closing

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from paypro_async import (
    ClientStateError,
    IdempotencyConflictError,
    InvalidPayoutError,
    KnownPayout,
    NotSentError,
    PayoutChange,
    PayoutResult,
    PayProClient,
    PayProError,
)
from paypro_async.integrations.fastapi import OpenClient, callback_router, client_lifespan

BOOKS, LOCK = os.environ.get("SERVICE_BOOKS", "service.db"), threading.Lock()
NUMBER = re.compile("[A-Za-z0-9_-]{1,64}")  # what else is asked for can be no trade number


def note(change: PayoutChange) -> None:
    """Write a change into the service's own books, once: it may be told again, under the same id."""
    with LOCK, closing(sqlite3.connect(BOOKS, timeout=30)) as books, books:
        books.execute("CREATE TABLE IF NOT EXISTS change (id TEXT PRIMARY KEY, trade_no TEXT, status TEXT)")
        row = (change.id, change.trade_no, change.status.value)
        books.execute("INSERT INTO change VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING", row)


async def on_change(change: PayoutChange) -> None:
    """Awaited for every change of a payout, in one of the workers; if it raises, it is tried again later."""
    await asyncio.to_thread(note, change)


def make_client() -> PayProClient:
    """Each worker makes one when it starts."""
    return PayProClient.from_env(on_change=on_change)


app = FastAPI(title="Payouts", lifespan=client_lifespan(make_client))
app.include_router(callback_router("/paypro"))


class Payment(BaseModel):
    """A payout. Its number is the caller's: the same again is the same payout, and is never paid twice."""

    trade_no: str
    amount: str  # as text, since a JSON number is a float
    name: str
    mobile: str
    email: str
    bank_number: str
    bank_code: str
    remark: str | None = None


@app.post("/payouts")
async def pay(payment: Payment, client: OpenClient) -> PayoutResult:
    """Pay once. Most payouts answer "processing"; ask for them until they are final."""
    return await client.payout(payment.model_dump())


@app.get("/payouts/{trade_no}")
async def find(trade_no: str, client: OpenClient) -> KnownPayout:
    """What is known of a payout, whichever worker has paid it and whichever has received its callback."""
    if not NUMBER.fullmatch(trade_no) or (known := await client.get(trade_no)) is None:
        raise HTTPException(404)
    return known


@app.get("/healthz")
async def healthz(client: OpenClient) -> dict[str, str | int]:
    """Whether this worker's client is open and reads the ledger; else 503."""
    await client.get("healthz")
    return {"status": "ok", "worker": os.getpid()}


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


@app.exception_handler(PayProError)
async def explain(request: Request, error: PayProError) -> JSONResponse:
    """The text of an error says what happened, what is certain about the money and what to do next."""
    told = {
        "error": type(error).__name__,
        "message": str(error),
        "money_may_have_moved": error.money_may_have_moved,
    }
    return JSONResponse(told, status_of(error))
