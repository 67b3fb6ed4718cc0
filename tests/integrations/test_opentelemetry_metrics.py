"""The metrics of the OpenTelemetry hook against the books of the sandbox and the ledger."""

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from paypro_async import ItemStatus, PayProClient, PayProError
from paypro_async.integrations.telemetry import METRICS, Kind
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.support.callbacks import callback
from tests.support.merchant import MERCHANT_NO, SIGNER, client_of, payout, payouts, virtual_sandbox
from tests.support.telemetry import Telemetry

UNKNOWN = (("paypro.status", "unknown"),)
RESETS = frozenset({Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.REFUSE, Fault.PAGE_502, Fault.PAGE_500})


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


def client(sandbox: Sandbox, telemetry: Telemetry, folder: Path, **more: Any) -> PayProClient:
    """A client in real time, as virtual time does not wait for the thread of a ledger in a file."""
    return PayProClient(
        base_url=sandbox.base_url,
        merchant_no=MERCHANT_NO,
        signer=SIGNER,
        ledger=f"sqlite:///{folder / 'payouts.db'}",
        environment="sandbox",
        hooks=[telemetry.hook()],
        **{"settle_after": 3.0, "timeout": 60.0, **more},
    )


class Network:
    """Loses every reply until it is mended."""

    is_broken = True

    def payout_fault(self, trade_no: str, attempt: int) -> Fault | None:
        return Fault.RESET_AFTER if self.is_broken else None

    def query_fault(self, trade_no: str, attempt: int) -> Fault | None:
        return Fault.RESET_AFTER if self.is_broken else None


async def test_the_counts_are_those_of_the_sandbox_and_of_the_ledger(telemetry, tmp_path):
    """Sixty payouts of a batch, a third of them hit by a fault, and ten callbacks."""
    faults = FaultPlan(rate=0.3, seed=7, kinds=RESETS)
    async with Sandbox(faults=faults) as sandbox:
        async with client(sandbox, telemetry, tmp_path) as paying:
            report = await paying.batch_payout(payouts(60), batch_id="july")
            for number in range(10):
                known = await paying.get(f"T{number}")
                body = callback("0000", f"T{number}", signer=SIGNER, platFormTradeNo=known.result.platform_trade_no)
                assert (await paying.receive_callback(body)).status == 200
        arrived = Counter(one.path.rpartition("/")[2] for one in sandbox.books.requests)
        paid = {one.trade_no for one in sandbox.books.bookings}

    # A connection that is refused is a request that never arrived.
    refused = telemetry.sum("http.client.request.duration", error_type="not_sent")
    sent = telemetry.sum("http.client.request.duration", paypro_request_kind="payout")
    assert sent - refused <= arrived["payout"] <= sent == len(telemetry.named("POST /v1/paypro/payout"))
    asked = telemetry.sum("http.client.request.duration", paypro_request_kind="query")
    assert asked - refused <= arrived["queryPayOutResult"] <= asked
    assert sent > 60
    accepted = telemetry.sum("paypro.payouts", paypro_status="processing")
    assert len(paid) == report.counts[ItemStatus.PROCESSING] == accepted == 60
    assert telemetry.sum("paypro.payouts", paypro_status="succeeded", paypro_cause="callback") == 10
    assert telemetry.sum("paypro.payout.duration", paypro_status="processing") == 60
    assert telemetry.sum("paypro.batch.payouts", paypro_status="processing") == 60
    assert telemetry.sum("paypro.callbacks", http_response_status_code=200) == 10
    assert telemetry.sum("paypro.callback.lag") == 10
    assert telemetry.points("paypro.payouts.in_flight") == telemetry.points("paypro.batches.in_flight") == {(): 0}
    assert telemetry.sum("paypro.payouts.announced") >= 60
    open_ones = {dict(key)["paypro.status"]: value for key, value in telemetry.points("paypro.payouts.open").items()}
    assert open_ones == {"processing": 50, "unknown": 0, "missing": 0, "review": 0, "not_sent": 0}
    assert telemetry.sum("paypro.ledger.commit.duration") > 0
    assert telemetry.sum("paypro.ledger.requests") >= 60
    assert telemetry.points("paypro.connections.in_use") == {(): 0}
    assert telemetry.points("paypro.events.dropped") == {(): 0}


async def test_what_nobody_knows_stands_in_the_gauge_until_it_is_known(telemetry, tmp_path):
    network = Network()
    async with Sandbox(faults=network) as sandbox:
        async with client(sandbox, telemetry, tmp_path, timeout=1.0) as paying:
            for number in range(3):
                with suppress(PayProError):
                    await paying.payout(payout(f"T{number}"))
        assert telemetry.points("paypro.payouts.open")[UNKNOWN] == 3
        assert telemetry.sum("paypro.payout.duration", paypro_status="unknown") == 3
        network.is_broken = False
        async with client(sandbox, telemetry, tmp_path) as paying:
            report = await paying.reconcile()
        assert report.checked == 3
    assert telemetry.points("paypro.payouts.open")[UNKNOWN] == 0
    assert telemetry.sum("paypro.payouts", paypro_cause="reconcile", paypro_status="processing") == 3
    assert telemetry.sum("paypro.reconcile.checked") == 3
    assert telemetry.sum("paypro.reconcile.duration") == 1


async def test_the_lag_of_a_callback_is_that_of_its_time(telemetry):
    async with virtual_sandbox() as sandbox, client_of(sandbox, hooks=[telemetry.hook()]) as paying:
        number = (await paying.payout(payout("T1"))).platform_trade_no
        behind = str(int((paying._runtime.now().timestamp() - 90) * 1000))
        await paying.receive_callback(callback(signer=SIGNER, platFormTradeNo=number, timestamp=behind))
        await paying.receive_callback(b"{}")
    ((count, seconds),) = telemetry.points("paypro.callback.lag").values()
    assert count == 1  # what is forged tells no time
    assert seconds == pytest.approx(90, abs=5)
    assert telemetry.sum("paypro.callbacks", http_response_status_code=400) == 1


async def test_every_metric_is_told_with_its_unit_and_no_other_attribute(telemetry, tmp_path):
    """Each row of the table: a client that pays, is called back and reconciles has a number of each."""
    faults = FaultPlan(rate=0.5, seed=3, kinds=RESETS)
    async with Sandbox(faults=faults) as sandbox, client(sandbox, telemetry, tmp_path) as paying:
        await paying.batch_payout(payouts(8), batch_id="july")
        result = await paying.query("T1")
        await paying.receive_callback(callback(trade_no="T1", signer=SIGNER, platFormTradeNo=result.platform_trade_no))
        await paying.reconcile()
    told = telemetry.metrics()
    assert set(told) == {one.name for one in METRICS}
    kinds = {
        Kind.COUNTER: ("Sum", True),
        Kind.UP_DOWN_COUNTER: ("Sum", False),
        Kind.GAUGE: ("Gauge", None),
        Kind.HISTOGRAM: ("Histogram", None),
    }
    for row in METRICS:
        metric = told[row.name]
        assert (metric.unit, metric.description) == (row.unit, row.description)
        assert (type(metric.data).__name__, getattr(metric.data, "is_monotonic", None)) == kinds[row.kind], row.name
        for point in metric.data.data_points:
            assert set(point.attributes) <= set(row.attributes), row.name
            assert getattr(point, "explicit_bounds", ()) == row.buckets


async def test_a_duration_points_at_the_trace_that_it_is_of(telemetry):
    """An exemplar: from a slow payout on a graph to what it did."""
    async with virtual_sandbox() as sandbox, client_of(sandbox, hooks=[telemetry.hook()]) as paying:
        await paying.payout(payout("T1"))
    told = telemetry.metrics()
    for metric, span in (("paypro.payout.duration", "paypro.payout"), ("http.client.request.duration", "POST ")):
        (point,) = told[metric].data.data_points
        (whole,) = telemetry.named(span)
        assert [one.span_id for one in point.exemplars] == [whole.context.span_id], metric


def test_no_metric_has_an_attribute_with_as_many_values_as_there_are_payouts() -> None:
    many = {"paypro.trade_no", "paypro.amount", "paypro.batch.id", "paypro.code", "url.full"}
    assert not any(many & set(one.attributes) for one in METRICS)
