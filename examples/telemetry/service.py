"""A service that pays, receives PayPro's callbacks, and shows its metrics to Prometheus (FastAPI).

The settings are those of ``examples/fastapi_service.py``. Then::

    pip install 'paypro-async[fastapi,opentelemetry]' uvicorn opentelemetry-sdk opentelemetry-exporter-prometheus
    uvicorn --app-dir examples/telemetry service:app
    curl http://127.0.0.1:8000/metrics

``prometheus.yml`` beside this file reads them, ``alerts.yml`` says when to wake somebody, and ``dashboard.json`` shows
them in Grafana. One process for each address: with ``--workers 2`` each answer would be that of either of the two.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Response
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from paypro_async import PayoutResult, PayProClient, PayProError
from paypro_async.integrations.fastapi import OpenClient, callback_router, client_lifespan
from paypro_async.integrations.opentelemetry import OpenTelemetryHook

RECONCILE_SECONDS = 300.0
meters = MeterProvider([PrometheusMetricReader()])  # one for the process


def make_client() -> PayProClient:
    """The client, with a hook that makes numbers of what happens in it."""
    return PayProClient.from_env(hooks=[OpenTelemetryHook(meter_provider=meters)])


async def reconcile_now_and_then(client: PayProClient) -> None:
    """Ask PayPro about everything that is open: what nobody knows does not stay so, and the metrics say how much."""
    while True:
        with suppress(PayProError):  # the ledger is away, or PayPro is: the next round asks again
            await client.reconcile(deadline=RECONCILE_SECONDS)
        await asyncio.sleep(RECONCILE_SECONDS)


@asynccontextmanager
async def background(app: FastAPI) -> AsyncIterator[None]:
    """Runs while the client is open."""
    reconciling = asyncio.create_task(reconcile_now_and_then(app.state.paypro))
    try:
        yield
    finally:
        reconciling.cancel()


app = FastAPI(title="Payouts with metrics", lifespan=client_lifespan(make_client, background))
app.include_router(callback_router("/paypro"))


class Payment(BaseModel):
    """A payout. Its number is the caller's: the same again is the same payout, and is never paid twice."""

    trade_no: str
    amount: str
    name: str
    mobile: str
    email: str
    bank_number: str
    bank_code: str
    remark: str | None = None


@app.post("/payouts")
async def pay(payment: Payment, client: OpenClient) -> PayoutResult:
    """Pay once; ``examples/fastapi_service.py`` shows what to answer when an error is raised."""
    return await client.payout(payment.model_dump())


@app.get("/metrics")
async def metrics() -> Response:
    """What Prometheus reads. It holds no trade number, amount or name; show it to Prometheus alone all the same."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
